"""Where the sources stand: the positions of the rules, and no two on the same spot.

What is fixed (lead voice, kick, snare, bass) keeps its place. All others keep at least the spacing delta from one
another and from the center if it is taken, each at the free slot nearest to where its rule wants it; on a tie the
side with less power wins. If the slots run out, delta is halved, and the log says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tonmeister.engines.textbook.channels import Channel, Style
from tonmeister.engines.textbook.matching import Setting, apply_rules
from tonmeister.engines.textbook.numbers import number
from tonmeister.engines.textbook.rules import Rule, RuleSet
from tonmeister.units import db_to_power

__all__ = ["Place", "place"]

_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Place:
    """Where one track stands, and why."""

    channel: Channel
    position: float
    rule: Rule | None
    fixed: bool = True
    notes: tuple[str, ...] = ()


def place(
    channels: Sequence[Channel], levels_lufs: Mapping[str, float], rules: RuleSet, style: Style
) -> list[Place]:
    """A place for every channel, in their order; `levels_lufs` is how loud each is in the mix."""
    followers = _followers(channels)
    wishes = _wishes([c for c in channels if c.name not in followers], rules, style)
    settled = {w.channel.name: w for w in wishes if w.fixed}
    spacing = number("pan.spacing")
    free = sorted((w for w in wishes if not w.fixed), key=lambda w: -levels_lufs[w.channel.name])
    while (attempt := _spaced(free, settled, levels_lufs, spacing)) is None:
        spacing /= 2.0
    if spacing < number("pan.spacing"):
        note = f"too many sources for a spacing of {number('pan.spacing')}: halved to {spacing:g}"
        attempt = {name: replace(p, notes=(*p.notes, note)) for name, p in attempt.items()}
    found = {**settled, **attempt}
    return [_beside(c, found[followers.get(c.name, c.name)]) for c in channels]


def _followers(channels: Sequence[Channel]) -> dict[str, str]:
    """Microphones of one source and the first of them, with whom they stand; pairs and doubles stand apart."""
    first: dict[str, str] = {}
    followers: dict[str, str] = {}
    for channel in channels:
        if channel.track.group is None or {"left", "right", "double"} & set(channel.track.attributes):
            continue
        leader = first.setdefault(channel.track.group, channel.name)
        if leader != channel.name and not _keeps_image(channel):
            followers[channel.name] = leader
    return followers


def _beside(channel: Channel, leader: Place) -> Place:
    if channel.name == leader.channel.name:
        return leader
    position = 0.0 if _keeps_image(leader.channel) else leader.position
    note = f"the same source as {leader.channel.name}: the same place"
    return replace(leader, channel=channel, position=position, notes=(note,))


# Wishes


def _wishes(channels: Sequence[Channel], rules: RuleSet, style: Style) -> list[Place]:
    """Where the rules want every channel."""
    asked = [_asked(channel, rules, style) for channel in channels]
    peers: dict[str, list[str]] = {}
    for channel, (setting, _) in zip(channels, asked, strict=True):
        if setting is not None and not _keeps_image(channel):
            peers.setdefault(f"{setting.rule.id}/{channel.track.instrument}", []).append(channel.name)
    return [_wish(c, setting, notes, peers) for c, (setting, notes) in zip(channels, asked, strict=True)]


def _asked(channel: Channel, rules: RuleSet, style: Style) -> tuple[Setting | None, tuple[str, ...]]:
    settings = apply_rules(rules, "pan", channel.subject, profile=style.profile, jarp=style.jarp)
    notes = tuple(e.text for e in settings.log if e.state in ("unknown", "clipped"))
    return settings.pan, notes


def _keeps_image(channel: Channel) -> bool:
    """Whether a stereo recording has an image to keep (not the same signal twice)."""
    return channel.track.channels > 1 and (channel.features.width is None or channel.features.width > 1e-4)


def _wish(
    channel: Channel, setting: Setting | None, notes: tuple[str, ...], peers: Mapping[str, Sequence[str]]
) -> Place:
    if setting is None:
        return Place(channel, 0.0, None, notes=notes)
    if _keeps_image(channel):
        return Place(channel, 0.0, setting.rule, notes=(*notes, "a stereo recording keeps its own image"))
    group = list(peers[f"{setting.rule.id}/{channel.track.instrument}"])
    mode, width = str(setting.details["mode"]), float(setting.details["width"])
    if mode in ("fixed", "keep"):
        return Place(channel, setting.value, setting.rule, notes=notes)
    if (side := _named_side(channel)) and width:
        return Place(channel, side * abs(width), setting.rule, notes=(*notes, "the name says which side"))
    if mode == "side":
        return Place(channel, setting.value, setting.rule, fixed=False, notes=(*notes, "side given"))
    if len(group) > 1 and width:
        middle = setting.value if mode == "spread" else 0.0
        return Place(
            channel,
            middle + _spread(width, group.index(channel.name), len(group)),
            setting.rule,
            False,
            notes,
        )
    if mode == "spread":
        return Place(channel, setting.value, setting.rule, fixed=setting.value == 0.0, notes=notes)
    return Place(channel, abs(setting.value), setting.rule, False, (*notes, "either side"))


def _named_side(channel: Channel) -> int:
    attributes = channel.track.attributes
    return -1 if "left" in attributes else 1 if "right" in attributes else 0


def _spread(width: float, index: int, count: int) -> float:
    """w (2 j - n - 1) / (n - 1), j = 1 ... n."""
    return width * (2 * index - count + 1) / (count - 1)


# Spacing


def _spaced(
    free: Sequence[Place], settled: Mapping[str, Place], levels_lufs: Mapping[str, float], spacing: float
) -> dict[str, Place] | None:
    """All free places at least `spacing` apart, or None when the slots run out."""
    taken = [p.position for p in settled.values()]
    power = sum(_imbalance(p.position, levels_lufs[n]) for n, p in settled.items())
    placed: dict[str, Place] = {}
    for wish in free:
        position = _nearest_slot(wish, taken, spacing, power)
        if position is None:
            return None
        taken.append(position)
        power += _imbalance(position, levels_lufs[wish.channel.name])
        placed[wish.channel.name] = replace(wish, position=position, notes=_told(wish, position))
    return placed


def _imbalance(position: float, lufs: float) -> float:
    """Power on the right minus power on the left: g^2 sin(pi p / 2)."""
    return db_to_power(lufs) * math.sin(math.pi * position / 2.0)


def _nearest_slot(wish: Place, taken: Sequence[float], spacing: float, power: float) -> float | None:
    outermost = number("pan.outermost")
    wanted = min(max(wish.position, -outermost), outermost)
    targets = (wanted, -wanted) if "either side" in wish.notes else (wanted,)
    edges = [edge for t in taken for edge in (t - spacing, t + spacing)]
    candidates = sorted({round(c, 6) for c in (*targets, *edges) if abs(c) <= outermost + _TOLERANCE})
    slots = [c for c in candidates if all(abs(c - t) >= spacing - _TOLERANCE for t in taken)]
    if not slots:
        return None
    best: float = min(
        slots, key=lambda c: (round(min(abs(c - t) for t in targets), 6), _heavier(c, power), c)
    )
    return best


def _heavier(position: float, power: float) -> bool:
    """Whether a source there would add to the side that has more power already."""
    return position * power > 0 or (power == 0 and position < 0)


def _told(wish: Place, position: float) -> tuple[str, ...]:
    told = tuple(n for n in wish.notes if n not in ("either side", "side given"))
    wanted = abs(wish.position) if "either side" in wish.notes else wish.position
    found = abs(position) if "either side" in wish.notes else position
    if abs(wanted - found) < 1e-6:
        return told
    return (*told, f"wanted {wish.position:+.2f}, moved to the nearest free slot")
