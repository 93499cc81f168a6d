"""Every rule once more, in plain Python without a solver: tests hold answers against it, and any plan can be judged.

A `Standing` is a mix as the rules see it, on continuous scales, so that the mix of a person or of another engine can
be judged as well as an answer of the solver.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tonmeister.engines.asp.bands import erb_bands
from tonmeister.engines.asp.contests import Contest
from tonmeister.engines.asp.facts import SHARE_UNIT, Facts, Source, level_weight, outermost, tilt, tolerances
from tonmeister.engines.asp.knowledge import KnownRule, known_rules, number, numbers
from tonmeister.engines.asp.program import Answer
from tonmeister.units import db_to_gain

__all__ = ["Finding", "Standing", "check", "costs", "off_the_scales", "standing_of"]

_SAME: Final = 0.051
"""Levels and places closer than this are the same: faders are rounded to hundredths."""
_SUM_SLACK: Final = 1e-3
_TONE_SLACK_DB: Final = 0.5
_CENTER: Final = 4
"""Places nearer to the center than this form its zone."""
_APART: Final = 4


@dataclass(frozen=True)
class Standing:
    """Where every track of a song stands, by its number."""

    levels: Mapping[int, float]
    """Steps of the ladder, dB."""
    places: Mapping[int, float]
    """-10 to 10."""
    depths: Mapping[int, float]
    """0 to 10."""
    tone: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """(track, ERB band) -> dB of the equalizer at the center of the band."""
    exact: bool = True
    """Whether these are the solver's integers."""
    level_shift_db: float = 0.0
    """What all levels have in common against the wanted ones: it costs nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule, and whether it holds."""

    rule: KnownRule
    holds: bool | None
    """None where the rule has nothing to say about these tracks."""
    cost: int = 0
    """Of a preference, in its own units."""
    details: tuple[str, ...] = ()
    """Who breaks it, or what it costs most, in words."""


def standing_of(answer: Answer) -> Standing:
    """The solver's answer."""
    return Standing(answer.levels, answer.places, answer.depths, answer.tone)


def check(facts: Facts, standing: Standing, *, off: frozenset[str] = frozenset()) -> list[Finding]:
    """Every rule that is in force, in the order of the rule files; tracks without a standing are left out."""
    case = _Case(facts, standing)
    return [_finding(rule, case) for rule in known_rules().values() if rule.name not in off]


def costs(findings: list[Finding]) -> dict[int, int]:
    """What the preferences cost by priority."""
    total: Counter[int] = Counter(dict.fromkeys((4, 3, 2, 1), 0))
    for finding in findings:
        if not finding.rule.hard:
            total[finding.rule.priority] += finding.cost * finding.rule.cost
    return {priority: total[priority] for priority in sorted(total, reverse=True)}


def off_the_scales(facts: Facts, answer: Answer) -> list[str]:
    """What an answer of the solver has that its scales do not: nothing, if all is well."""
    wrong = []
    for s in facts.sources:
        n = s.number
        pinned = {x.kept_level for x in facts.sources}
        if answer.levels.get(n) not in (*facts.ladder, *(p for p in pinned if p is not None)):
            wrong.append(f"{s.name}: level {answer.levels.get(n)}")
        kept = [p for x in facts.sources if (p := x.kept_place) is not None]
        if answer.places.get(n) not in (*facts.places, *kept, *(-p for p in kept)):
            wrong.append(f"{s.name}: place {answer.places.get(n)}")
        if answer.depths.get(n) not in range(round(number("depth.scale")) + 1):
            wrong.append(f"{s.name}: depth {answer.depths.get(n)}")
    for (n, band), gain_db in answer.tone.items():
        if not -number("eq.largest_cut") <= gain_db <= number("eq.largest_boost"):
            wrong.append(f"track {n}, band {band}: {gain_db} dB")
    return wrong


class _Case:
    """Facts and standing, with the tracks that have one."""

    def __init__(self, facts: Facts, standing: Standing) -> None:
        self.facts, self.standing = facts, standing
        self.sources = [s for s in facts.sources if s.number in standing.levels]
        self.by_number = {s.number: s for s in self.sources}
        self.leads = [s for s in self.sources if s.lead]

    def level(self, s: Source) -> float:
        return self.standing.levels[s.number]

    def place(self, s: Source) -> float:
        return self.standing.places[s.number]

    def depth(self, s: Source) -> float:
        return self.standing.depths[s.number]

    def tone(self, number_: int, band: int) -> float:
        return self.standing.tone.get((number_, band), 0.0)

    @property
    def tone_slack_db(self) -> float:
        return 0.0 if self.standing.exact else _TONE_SLACK_DB

    def both(self, pairs: tuple[tuple[int, int], ...]) -> Iterator[tuple[Source, Source]]:
        """Pairs of which both tracks have a standing."""
        for t, u in pairs:
            if t in self.by_number and u in self.by_number:
                yield self.by_number[t], self.by_number[u]


Judge = Callable[[_Case], Iterator[str] | None]
Pricer = Callable[[_Case], Iterator[tuple[int, str]]]


def _finding(rule: KnownRule, case: _Case) -> Finding:
    if rule.hard:
        broken = _JUDGES[rule.name](case)
        if broken is None:
            return Finding(rule, None)
        details = tuple(broken)
        return Finding(rule, not details, details=details)
    priced = sorted(_PRICERS[rule.name](case), key=lambda item: -item[0])
    cost = sum(price for price, _ in priced)
    return Finding(rule, cost == 0, cost, tuple(text for price, text in priced if price))


# Hard rules: what breaks them, None where they do not apply


def _kept_level(case: _Case) -> Iterator[str] | None:
    kept = [s for s in case.sources if s.kept_level is not None]
    return _each(kept, lambda s: abs(case.level(s) - (s.kept_level or 0)) > _SAME, "is not where it was kept")


def _kept_place(case: _Case) -> Iterator[str] | None:
    kept = [s for s in case.sources if s.kept_place is not None]
    return _each(kept, lambda s: abs(case.place(s) - (s.kept_place or 0)) > _SAME, "is not where it was kept")


def _lead_on_top(case: _Case) -> Iterator[str] | None:
    others = [s for s in case.sources if not s.lead]
    if not case.leads or not others:
        return None
    lowest = min(case.leads, key=case.level)
    bar = case.level(lowest) - (0.0 if case.standing.exact else _SAME)
    return (
        f"{s.name} is {case.level(s) - case.level(lowest):+.1f} dB against {lowest.name}"
        for s in others
        if case.level(s) >= bar
    )


def _pair_level(case: _Case) -> Iterator[str] | None:
    pairs = list(case.both(case.facts.pairs))
    return _pairwise(pairs, lambda t, u: abs(case.level(t) - case.level(u)) > _SAME, "are not equally loud")


def _amplitude_sum(case: _Case) -> float:
    return sum(s.amplitude * db_to_gain(case.level(s)) for s in case.sources)


def _headroom(case: _Case) -> Iterator[str] | None:
    if not case.sources:
        return None
    total, most = _amplitude_sum(case), number("amplitude.most")
    return iter([f"the peaks add up to {total:.2f}, more than {most:g}"] if total > most + _SUM_SLACK else [])


def _signal(case: _Case) -> Iterator[str] | None:
    if not case.sources:
        return None
    total, least = _amplitude_sum(case), number("amplitude.least")
    return iter(
        [f"the peaks add up to {total:.2f}, less than {least:g}"] if total < least - _SUM_SLACK else []
    )


def _centered(chosen: Callable[[Source], bool]) -> Judge:
    def judge(case: _Case) -> Iterator[str] | None:
        meant = [s for s in case.sources if chosen(s)]
        return _each(meant, lambda s: abs(case.place(s)) > _SAME, "is not in the center")

    return judge


def _pair_opposite(case: _Case) -> Iterator[str] | None:
    pairs = list(case.both(case.facts.pairs))
    uneven = lambda t, u: (  # noqa: E731
        abs(case.place(t) + case.place(u)) > _SAME or abs(case.place(t)) <= _SAME
    )
    return _pairwise(pairs, uneven, "do not stand opposite")


def _named_side(case: _Case) -> Iterator[str] | None:
    sign = {"left": -1.0, "right": 1.0}
    named = [s for s in case.sources if s.side]
    return _each(named, lambda s: case.place(s) * sign[s.side] <= 0.0, "is not on the side of its name")


def _one_place(case: _Case) -> Iterator[str] | None:
    pairs = list(case.both(case.facts.together))
    return _pairwise(pairs, lambda t, u: abs(case.place(t) - case.place(u)) > _SAME, "do not stand together")


def _apart(case: _Case) -> Iterator[str] | None:
    kinds = case.facts.kinds or {}
    members = [s for s in case.sources if s.number in kinds]
    if not members:
        return None
    spots: dict[tuple[str, float], list[str]] = defaultdict(list)
    for s in members:
        spots[kinds[s.number], round(case.place(s), 1)].append(s.name)
    most = case.facts.most_on_spot or {}
    return (
        f"{', '.join(names)} stand on one spot"
        for (kind, _), names in spots.items()
        if len(names) > most[kind]
    )


def _no_hard_panning(case: _Case) -> Iterator[str] | None:
    bar = outermost() if case.standing.exact else number("pan.outermost") * number("pan.scale") + _SAME
    return _each(case.sources, lambda s: abs(case.place(s)) > bar, "stands at the very side")


def _low_dry(case: _Case) -> Iterator[str] | None:
    low = [s for s in case.sources if s.dry or s.low]
    return _each(low, lambda s: case.depth(s) > _SAME, "has reverb")


def _lead_in_front(case: _Case) -> Iterator[str] | None:
    behind = [s for s in case.sources if s.background and not (s.dry or s.low)]
    if not case.leads or not behind:
        return None
    bar = max(map(case.depth, case.leads)) - (0.0 if case.standing.exact else _SAME)
    return _each(behind, lambda s: case.depth(s) < bar, "stands in front of a lead")


def _room_for_owner(case: _Case) -> Iterator[str] | None:
    """In each band one of the contenders must be given its room by all rivals of its zone."""
    contests = [c for c in case.facts.contests if {c.track, c.rival} <= case.by_number.keys()]
    if not contests:
        return None
    return iter(
        f"nobody has the band at {band} to itself: {', '.join(names)}"
        for band, names in _without_owner(case)
    )  # fmt: skip


def _without_owner(case: _Case) -> Iterator[tuple[str, list[str]]]:
    for band, contests in _contests_by_band(case).items():
        contenders = sorted({n for c in contests for n in (c.track, c.rival)})
        if not any(_has_room(case, owner, contests) for owner in contenders):
            names = [case.by_number[n].name for n in contenders]
            yield f"{erb_bands()[band].center_hz:.0f} Hz", names


def _contests_by_band(case: _Case) -> dict[int, list[Contest]]:
    found: dict[int, list[Contest]] = defaultdict(list)
    for contest in case.facts.contests:
        if {contest.track, contest.rival} <= case.by_number.keys():
            found[contest.band].append(contest)
    return dict(sorted(found.items()))


def _has_room(case: _Case, owner: int, contests: Sequence[Contest]) -> bool:
    for contest in contests:
        if contest.track != owner or not _meet(case, owner, contest.rival):
            continue
        relief = max(case.tone(owner, contest.band), 0.0) - min(case.tone(contest.rival, contest.band), 0.0)
        if relief < contest.need_db - case.tone_slack_db:
            return False
    return not case.standing.exact or all(case.tone(owner, c.band) >= 0.0 for c in contests)


def _meet(case: _Case, t: int, u: int) -> bool:
    return _zone(case.standing.places[t]) == _zone(case.standing.places[u])


def _zone(place: float) -> int:
    return 0 if abs(place) < _CENTER else int(math.copysign(1, place))


def _lead_untouched(case: _Case) -> Iterator[str] | None:
    bands = {c.band for c in case.facts.contests}
    if not case.leads or not bands:
        return None
    return _each(
        case.leads, lambda s: any(case.tone(s.number, b) < -case.tone_slack_db for b in bands), "is cut"
    )


def _each(meant: list[Source], broken: Callable[[Source], bool], how: str) -> Iterator[str] | None:
    return (f"{s.name} {how}" for s in meant if broken(s)) if meant else None


def _pairwise(
    pairs: list[tuple[Source, Source]], broken: Callable[[Source, Source], bool], how: str
) -> Iterator[str] | None:
    return (f"{t.name} and {u.name} {how}" for t, u in pairs if broken(t, u)) if pairs else None


_JUDGES: Final[Mapping[str, Judge]] = {
    "kept_level": _kept_level,
    "lead_on_top": _lead_on_top,
    "pair_level": _pair_level,
    "headroom": _headroom,
    "signal": _signal,
    "kept_place": _kept_place,
    "lead_centered": _centered(lambda s: s.lead),
    "low_centered": _centered(lambda s: s.low),
    "core_centered": _centered(lambda s: s.core),
    "image_kept": _centered(lambda s: s.image),
    "pair_opposite": _pair_opposite,
    "named_side": _named_side,
    "one_source_one_place": _one_place,
    "apart": _apart,
    "no_hard_panning": _no_hard_panning,
    "low_dry": _low_dry,
    "lead_in_front": _lead_in_front,
    "room_for_owner": _room_for_owner,
    "lead_untouched": _lead_untouched,
}


# Preferences: (price, who)


def _wanted_level(case: _Case) -> Iterator[tuple[int, str]]:
    for s in case.sources:
        off = case.level(s) - case.standing.level_shift_db - s.want_level
        yield round(abs(off)) * level_weight(s), f"{s.name} {off:+.0f} dB"


def _balance(case: _Case) -> Iterator[tuple[int, str]]:
    for band, center_hz in enumerate(numbers("balance.bands")):
        lean = sum(tilt(s.shares[band], case.place(s)) for s in case.sources)
        side = "right" if lean > 0 else "left"
        passed = sum(abs(lean) > tolerance for tolerance in tolerances())
        yield passed, f"{100.0 * abs(lean) / SHARE_UNIT:.0f} % to the {side} around {center_hz:.0f} Hz"


def _masked_apart(case: _Case) -> Iterator[tuple[int, str]]:
    for t, u, tenths in case.facts.masks:
        if {t, u} <= case.by_number.keys():
            one, other = case.by_number[t], case.by_number[u]
            near = abs(case.place(one) - case.place(other)) < _APART
            yield (tenths if near else 0), f"{one.name} and {other.name}"


def _wanted_place(case: _Case) -> Iterator[tuple[int, str]]:
    for s in case.sources:
        if case.facts.free(s):
            place = case.place(s)
            off = abs(place - s.want_at) if s.want_at is not None else abs(abs(place) - s.want_width)
            yield round(off), f"{s.name} by {off:.0f}"


def _spread(case: _Case) -> Iterator[tuple[int, str]]:
    spots = Counter(round(case.place(s), 1) for s in case.sources if case.facts.free(s))
    for spot, count in spots.items():
        if spot:
            yield min(max(count - case.facts.spots, 0), 3), f"{count} at {spot:+g}"


def _wanted_depth(case: _Case) -> Iterator[tuple[int, str]]:
    for s in case.sources:
        off = case.depth(s) - s.want_depth
        yield round(abs(off)), f"{s.name} {off:+.0f}"


def _lead_owns(case: _Case) -> Iterator[tuple[int, str]]:
    """The least that the possible owners of each band cost."""
    for band, contests in _contests_by_band(case).items():
        contenders = sorted({n for c in contests for n in (c.track, c.rival)})
        owners = [n for n in contenders if _has_room(case, n, contests)] or contenders
        price = min(_ownership(case, owner, contenders) for owner in owners)
        yield price, f"{erb_bands()[band].center_hz:.0f} Hz belongs to {case.by_number[owners[0]].name}"


def _ownership(case: _Case, owner: int, contenders: Sequence[int]) -> int:
    mine, others = case.by_number[owner], [case.by_number[n] for n in contenders if n != owner]
    past_lead = not mine.lead and any(o.lead for o in others)
    past_foreground = mine.background and any(not o.background for o in others)
    return int(past_lead) + int(past_foreground)


def _least_processing(case: _Case) -> Iterator[tuple[int, str]]:
    bands = {c.band for c in case.facts.contests}
    for (t, band), gain_db in case.standing.tone.items():
        if band in bands and t in case.by_number:
            yield (
                round(abs(gain_db)) * (2 if gain_db > 0 else 1),
                f"{case.by_number[t].name} {gain_db:+.0f} dB",
            )


_PRICERS: Final[Mapping[str, Pricer]] = {
    "wanted_level": _wanted_level,
    "balance": _balance,
    "masked_apart": _masked_apart,
    "wanted_place": _wanted_place,
    "spread": _spread,
    "wanted_depth": _wanted_depth,
    "lead_owns": _lead_owns,
    "least_processing": _least_processing,
}
