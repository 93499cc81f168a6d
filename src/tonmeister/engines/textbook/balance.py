"""Levels: equal loudness first, then the offsets of the rules, on what the inserts leave.

g_i = L - L_i + o_i, with L the mean of the predicted loudnesses L_i and o_i the offset of track i.

Two estimates of o_i meet in the profile ``improved``. The rules of De Man & Reiss give role steps s_i. Mix studies
give a level t_i relative to the lead, with the spread sigma_i between songs. Their mean, weighted by precision, is

    o_i = s_i + w (a + t_i - s_i),    w = sigma_0^2 / (sigma_0^2 + sigma_i^2)

where sigma_0 is how far off equal loudness is taken to be, and a is the offset of the lead. Where no lead is
there, a is where a lead would be above the ordinary foreground. The pieces of the kit are placed within the kit in
the same way, and the kit as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tonmeister.engines.prediction import predicted_lufs
from tonmeister.engines.textbook.channels import Channel, Style
from tonmeister.engines.textbook.matching import Setting, Settings, apply_rules
from tonmeister.engines.textbook.numbers import number
from tonmeister.engines.textbook.rules import Rule, RuleSet
from tonmeister.units import db_to_power, power_to_db
from tonmeister.vocabulary import family

__all__ = ["Balance", "Level", "balance", "sum_lufs", "weight_of"]


@dataclass(frozen=True, slots=True)
class Level:
    """Where one track's fader goes, and what moved it."""

    channel: Channel
    settings: Settings
    offset_db: float = 0.0
    gain_db: float = 0.0
    rules: tuple[Rule, ...] = ()
    """What decided, the most telling first."""
    notes: tuple[str, ...] = ()

    def moved(self, step_db: float, rule: Rule | None, note: str) -> Level:
        """The level after one more step."""
        if abs(step_db) < 0.005:
            return self
        rules = (rule, *self.rules) if rule is not None else self.rules
        return replace(
            self,
            offset_db=self.offset_db + step_db,
            rules=rules,
            notes=(*self.notes, f"{step_db:+.1f} dB: {note}"),
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """The levels of all channels, and what they refer to."""

    levels: tuple[Level, ...]
    anchor_db: float
    """Offset of the lead, or of where it would be."""
    reference_lufs: float
    """Loudness of a track whose offset is zero."""


def balance(channels: Sequence[Channel], rules: RuleSet, style: Style) -> Balance:
    """The level of every channel, in their order; the gains are re-centered on the mean of the offsets."""
    levels = [_role_steps(channel, rules, style) for channel in channels]
    anchor_db = _lead_offset_db(levels)
    if style.improved:
        levels = [_towards_target(level, anchor_db) for level in levels]
        levels = _shared_places(levels)
        levels = _within_kit(levels, rules, style, anchor_db)
    return _at_gains(levels, anchor_db)


def _role_steps(channel: Channel, rules: RuleSet, style: Style) -> Level:
    """The offsets of the rules, added; in `improved` a doubtful tag makes smaller steps."""
    settings = apply_rules(rules, "balance", channel.subject, profile=style.profile, jarp=style.jarp)
    scale = channel.subject.sureness if style.improved else 1.0
    level = Level(channel, settings, rules=tuple(o.rule for o in settings.offsets if o.level_db == 0.0))
    for offset in settings.offsets:
        level = level.moved(offset.level_db * scale, offset.rule, f"{offset.rule.comment} ({offset.rule.id})")
    return level


def _lead_offset_db(levels: Sequence[Level]) -> float:
    """Offset of the lead; without one, of where it would be."""
    leads = [level.offset_db for level in levels if level.channel.role == "lead"]
    return fmean(leads) if leads else -number("balance.foreground_minus_lead")


def weight_of(setting: Setting) -> float:
    """Share of a measured target in the mean of the two estimates."""
    spread = float(setting.details.get("spread", number("balance.first_guess_spread")))
    first_guess = number("balance.first_guess_spread") ** 2
    return first_guess / (first_guess + spread**2)


def _towards_target(level: Level, anchor_db: float) -> Level:
    setting = level.settings.values.get("fader.target_lu")
    if setting is None or level.channel.in_kit:
        return level
    weight = weight_of(setting) * level.channel.subject.sureness
    step_db = weight * (anchor_db + setting.value - level.offset_db)
    note = f"{weight:.0%} of the way there. {setting.rule.comment} ({setting.rule.id})"
    return level.moved(step_db, setting.rule, note)


# Several tracks that share a place


def _shared_places(levels: list[Level]) -> list[Level]:
    """Microphones of one source count once; several of one kind nearly so."""
    lowered = {level.channel.name: level for level in levels}
    for members in _gathered(levels, lambda lv: lv.channel.track.group or ""):
        excess_lu = sum_lufs([(m.channel, -m.channel.lufs) for m in members])
        for level in members:
            note = f"{len(members)} microphones or takes of one source together meet one level"
            lowered[level.channel.name] = level.moved(-max(0.0, excess_lu), None, note)
    for members in _gathered(list(lowered.values()), _kind):
        excess_lu = _excess_lu(members)
        for level in members:
            setting = level.settings.values["fader.section_share"]
            note = f"{len(members)} of a kind. {setting.rule.comment} ({setting.rule.id})"
            lowered[level.channel.name] = level.moved(-setting.value * excess_lu, setting.rule, note)
    return [lowered[level.channel.name] for level in levels]


def _kind(level: Level) -> str:
    """Instrument and role of what shares a place; kits have their own table."""
    shares = "fader.section_share" in level.settings.values and not level.channel.in_kit
    return f"{level.channel.track.instrument}/{level.channel.role}" if shares else ""


def _gathered(levels: Iterable[Level], key: Callable[[Level], str]) -> list[list[Level]]:
    places: dict[str, list[Level]] = {}
    for level in levels:
        if name := key(level):
            places.setdefault(name, []).append(level)
    return [members for members in places.values() if len(members) > 1]


def _excess_lu(members: Sequence[Level]) -> float:
    """How much louder several tracks are together than one source among them, as they play together."""
    together = sum_lufs([(m.channel, m.offset_db - m.channel.lufs) for m in members])
    sources = len({m.channel.track.group or m.channel.name for m in members})
    return max(0.0, together - power_to_db(sum(db_to_power(m.offset_db) for m in members) / sources))


def sum_lufs(parts: Sequence[tuple[Channel, float]]) -> float:
    """Predicted loudness of channels, each at a gain in dB."""
    loudness = predicted_lufs([channel.momentary_lufs for channel, _ in parts], [gain for _, gain in parts])
    return loudness if loudness is not None else power_to_db(sum(db_to_power(c.lufs + g) for c, g in parts))


# The kit


def _within_kit(levels: list[Level], rules: RuleSet, style: Style, anchor_db: float) -> list[Level]:
    """Place the pieces relative to one another; a lone piece relative to the lead."""
    kit = [level for level in levels if level.channel.in_kit]
    if not kit:
        return levels
    target = _kit_target(kit[0].channel, rules, style)
    placed = _pieces(kit) if len(kit) > 1 else [_lone_piece(kit[0], target, anchor_db)]
    by_name = {level.channel.name: level for level in placed}
    return [by_name.get(level.channel.name, level) for level in levels]


def _kit_target(piece: Channel, rules: RuleSet, style: Style) -> Setting | None:
    """The level of the whole kit relative to the lead, as the rules of the drum bus have it."""
    tags = {**piece.subject.tags, "instrument": frozenset(("drums",))}
    subject = replace(piece.subject, tags=tags, lookup=lambda name: None)
    settings = apply_rules(rules, "drum_bus", subject, profile=style.profile, jarp=style.jarp)
    return settings.values.get("fader.target_lu")


def _lone_piece(level: Level, kit: Setting | None, anchor_db: float) -> Level:
    own = level.settings.values.get("fader.kit_lu")
    if own is None or kit is None:
        return level
    weight = weight_of(own) * level.channel.subject.sureness
    step_db = weight * (anchor_db + kit.value + own.value - level.offset_db)
    return level.moved(
        step_db, own.rule, f"{weight:.0%} of the way there. {own.rule.comment} ({own.rule.id})"
    )


def _pieces(kit: list[Level]) -> list[Level]:
    """Deviations from the mean of the kit, by the table and by how many share a row of it."""
    wanted = _kit_table(kit)
    if not wanted:
        return kit
    middle = fmean(wanted.values())
    placed = []
    for level in kit:
        setting = level.settings.values.get("fader.kit_lu")
        if setting is not None:
            weight = weight_of(setting) * level.channel.subject.sureness
            note = f"{weight:.0%} of the way there. {setting.rule.comment} ({setting.rule.id})"
            level = level.moved(weight * (wanted[level.channel.name] - middle), setting.rule, note)
        placed.append(level)
    return placed


def _kit_table(kit: list[Level]) -> dict[str, float]:
    """Level relative to the drum bus of every piece that a rule places.

    Pieces of one rule share its row. What is neither kick nor snare nor loop shares the measured rest of the
    kit: where some of these microphones are missing, the others take over a part of theirs.
    """
    rows: dict[str, list[Level]] = {}
    for level in kit:
        if (setting := level.settings.values.get("fader.kit_lu")) is not None:
            rows.setdefault(f"{setting.rule.id}/{level.channel.track.instrument}", []).append(level)
    rest = {
        k: _setting(members) for k, members in rows.items() if _setting(members).details.get("part") == "rest"
    }
    lifted = 0.0
    if rest:
        present = power_to_db(sum(db_to_power(setting.value) for setting in rest.values()))
        lifted = number("balance.kit_rest_share") * max(0.0, number("balance.kit_rest") - present)
    return {
        level.channel.name: _setting(members).value + (lifted if key in rest else 0.0) - _excess_lu(members)
        for key, members in rows.items()
        for level in members
    }


def _setting(members: Sequence[Level]) -> Setting:
    return members[0].settings.values["fader.kit_lu"]


# The lead voice against everything


def heard_lead(
    levels: list[Level], parts: Callable[[list[Level]], list[tuple[Channel, float]]]
) -> list[Level]:
    """Bring the lead voice into the range in which engineers put it against the whole mix, if it is not there.

    The step is the smallest that reaches the nearer bound, found by halving: the share of the lead in the mix rises
    with its gain. `parts` says each channel's gain on the way to the mix.
    """
    leads = {lv.channel.name for lv in levels if lv.channel.role == "lead" and _sings(lv.channel)}
    if not leads or len(leads) == len(levels):
        return levels
    lowest, highest = number("lead.lowest_share"), number("lead.highest_share")
    share_lu = _share_lu(parts(levels), leads)
    wanted_lu = min(max(share_lu, lowest), highest)
    if abs(share_lu - wanted_lu) < 0.05:
        return levels
    low_db, high_db = -number("lead.largest_step"), number("lead.largest_step")
    for _ in range(20):
        step_db = (low_db + high_db) / 2
        below = _share_lu(parts(_lifted(levels, leads, step_db)), leads) < wanted_lu
        low_db, high_db = (step_db, high_db) if below else (low_db, step_db)
    note = (
        f"{step_db:+.1f} dB: engineers put the lead voice {lowest:g} to {highest:g} LU against the whole mix"
    )
    return [
        replace(lv, notes=(*lv.notes, note)) if lv.channel.name in leads else lv
        for lv in _lifted(levels, leads, step_db)
    ]


def _sings(channel: Channel) -> bool:
    return family(channel.track.instrument) == "voice"


def _share_lu(parts: list[tuple[Channel, float]], leads: set[str]) -> float:
    """Predicted loudness of the lead minus that of the mix, each while it plays."""
    return sum_lufs([part for part in parts if part[0].name in leads]) - sum_lufs(parts)


def _lifted(levels: list[Level], names: set[str], step_db: float) -> list[Level]:
    return [replace(lv, gain_db=lv.gain_db + step_db) if lv.channel.name in names else lv for lv in levels]


# Gains


def _at_gains(levels: Sequence[Level], anchor_db: float) -> Balance:
    """Turn the offsets into gains around their mean; single moves are clipped."""
    mean_lufs = fmean(level.channel.lufs for level in levels)
    reference_lufs = mean_lufs - fmean(level.offset_db for level in levels)
    limit_db = number("balance.largest_move")
    settled = []
    for level in levels:
        wanted_db = reference_lufs - level.channel.lufs + level.offset_db
        gain_db = min(max(wanted_db, -limit_db), limit_db)
        note = () if gain_db == wanted_db else (f"{wanted_db:+.1f} dB clipped to {gain_db:+.0f} dB",)
        settled.append(replace(level, gain_db=gain_db, notes=(*level.notes, *note)))
    return Balance(tuple(settled), anchor_db, reference_lufs)
