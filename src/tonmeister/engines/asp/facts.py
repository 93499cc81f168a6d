"""The song as integers: everything the solver may know, quantised here and nowhere else.

A level D is a step of the ladder in dB; the fader that brings track T there is D + reference_db[T]. In the profile
``improved`` all tracks are equally loud at one D, and the mean of their peaks is full scale at D = 0; in ``faithful``
every track peaks at full scale at D = 0 (Everardo 2017 knows peaks only).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tonmeister.engines.asp.bands import balance_shares, low_share
from tonmeister.engines.asp.contests import Contest, find_contests, hidden_shares
from tonmeister.engines.asp.knowledge import kind_of, number, numbers, role_of, whole
from tonmeister.engines.asp.wants import Want, wanted_levels
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.units import db_to_gain, gain_to_db
from tonmeister.vocabulary import INSTRUMENTS, parents

__all__ = ["AMPLITUDE_UNIT", "SHARE_UNIT", "Facts", "Pin", "Source", "facts_of", "program_facts"]

AMPLITUDE_UNIT = 100_000
"""Full scale as an integer."""
SHARE_UNIT = 10_000
"""The whole power of a band as an integer."""
_IMAGE_WIDTH = 1e-4
Profile = Literal["improved", "faithful"]


@dataclass(frozen=True, slots=True)
class Pin:
    """What a person settled for a track, in the units of a strip; None leaves it open."""

    gain_db: float | None = None
    pan: float | None = None


@dataclass(frozen=True)
class Source:
    """One track for the solver."""

    number: int
    name: str
    instrument: str
    role: str
    low: bool
    core: bool
    image: bool
    """A stereo recording with an image of its own."""
    side: str
    """``left`` or ``right`` where the name says so and nothing holds it in the center, else ''."""
    want: Want
    want_level: int
    """The wanted step of the ladder."""
    want_at: int | None
    want_width: int
    place_source: str
    want_depth: int
    dry: bool
    depth_source: str
    reference_db: float
    """Fader at ladder step 0."""
    amplitude: float
    """Peak at ladder step 0, 1 is full scale."""
    shares: tuple[int, ...]
    """Of the power of all tracks in each band of balance, at the wanted levels; `SHARE_UNIT` is all."""
    kept_level: int | None = None
    kept_place: int | None = None

    @property
    def lead(self) -> bool:
        return self.role == "lead"

    @property
    def background(self) -> bool:
        return self.role == "background"


@dataclass(frozen=True)
class Facts:
    """All that the solver is told about a song."""

    sources: tuple[Source, ...]
    ladder: tuple[int, ...]
    places: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    """Left and right half of one thing."""
    together: tuple[tuple[int, int], ...] = ()
    """Microphones of one source: the first of them, and each other."""
    kinds: Mapping[int, str] | None = None
    """Tracks that must not share a spot with others of the same word."""
    most_on_spot: Mapping[str, int] | None = None
    masks: tuple[tuple[int, int, int], ...] = ()
    contests: tuple[Contest, ...] = ()
    reference_lufs: float = 0.0
    """Loudness of every track at ladder step 0 (profile ``improved``)."""
    common_db: float = 0.0
    """By how much kept faders raise the whole mix; the master takes it back."""

    def free(self, source: Source) -> bool:
        """Whether a track may leave the center at all."""
        return not (source.lead or source.low or source.core or source.image)

    @property
    def spots(self) -> int:
        """How many free tracks an even spread puts on each spot beside the center."""
        beside = [p for p in self.places if p and abs(p) <= outermost()]
        return math.ceil(sum(map(self.free, self.sources)) / max(len(beside), 1))


def outermost() -> int:
    """The outermost place that is not hard panning."""
    return math.floor(number("pan.outermost") * number("pan.scale"))


def facts_of(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    *,
    left_out: frozenset[str] = frozenset(),
    pins: Mapping[str, Pin] | None = None,
    profile: Profile = "improved",
) -> Facts:
    """Quantise the audible tracks; `left_out` names the tracks that are not mixed."""
    heard = [t for t in multitrack.tracks if t.name not in left_out and not features[t.name].silent]
    tracks = [t if t.instrument in INSTRUMENTS else replace(t, instrument="other") for t in heard]
    if not tracks:
        return Facts((), (0,), _places())
    song = _Song(tracks, [features[t.name] for t in tracks], profile, dict(pins or {}))
    sources = tuple(song.source(i) for i in range(len(tracks)))
    masks: tuple[tuple[int, int, int], ...] = ()
    contests: tuple[Contest, ...] = ()
    if profile == "improved":
        order = [list(features.tracks).index(t.name) for t in tracks]
        hidden = np.asarray(features.masking, dtype=np.float64)[np.ix_(order, order)]
        masks = _masks(hidden_shares(hidden, song.measured))
        contests = find_contests(hidden, song.measured)
    pairs, together = _pairs(tracks, sources), _together(tracks, sources)
    kinds = _kinds(tracks, sources, together)
    return Facts(
        sources, song.ladder, _places(), pairs, together, kinds, _most_on_spot(kinds, sources, pairs),
        _useful(masks, sources, pairs, together), contests, song.reference_lufs, song.common_db,
    )  # fmt: skip


class _Song:
    """Levels of all tracks together: references, targets, ladder, shares."""

    def __init__(
        self,
        tracks: Sequence[Track],
        measured: Sequence[TrackFeatures],
        profile: Profile,
        pins: dict[str, Pin],
    ) -> None:
        self.tracks, self.measured, self._pins = tracks, measured, pins
        self._faithful = profile == "faithful"
        self._peaks_db = [_peak_db(m) for m in measured]
        self._lufs = [m.integrated_lufs or 0.0 for m in measured]
        rise = [db_to_gain(p - lufs) for p, lufs in zip(self._peaks_db, self._lufs, strict=True)]
        self.reference_lufs = -gain_to_db(float(np.mean(rise)))
        self._offsets = wanted_levels(tracks, measured)
        self._amplitudes = [
            1.0 if self._faithful else db_to_gain(p + self._reference_db(i))
            for i, p in enumerate(self._peaks_db)
        ]
        self._wants = self._wanted()
        self.ladder = self._ladder()
        self.common_db = self._common_db()
        self._shares = balance_shares(
            measured, [w + self._reference_db(i) for i, w in enumerate(self._wants)], SHARE_UNIT
        )

    def _reference_db(self, index: int) -> float:
        return -self._peaks_db[index] if self._faithful else self.reference_lufs - self._lufs[index]

    def _wanted(self) -> list[int]:
        """round(c + offset), c so that the peaks at the wanted levels add up to the middle of their window."""
        total = sum(a * db_to_gain(w.offset_lu) for a, w in zip(self._amplitudes, self._offsets, strict=True))
        middle_db = gain_to_db(math.sqrt(number("amplitude.least") * number("amplitude.most")))
        center_db = middle_db - gain_to_db(total)
        return [round(center_db + want.offset_lu) for want in self._offsets]

    def _ladder(self) -> tuple[int, ...]:
        count = len(self.tracks)
        if self._faithful:
            center, around = round(-20.0 * math.log10(count)), whole("ladder.around")
            low, high, fine = center - around, center + around, whole("ladder.fine_tracks")
        else:
            margin, fine = whole("ladder.margin"), whole("ladder.fine_tracks_improved")
            low, high = min(self._wants) - margin, max(self._wants) + margin
        return tuple(range(low, high + 1, 1 if count <= fine else 2))

    def _common_db(self) -> float:
        """Kept faders against the wanted ones, in the mean: only their differences are a matter of balance."""
        kept = [
            pin.gain_db - self._reference_db(i) - self._wants[i]
            for i, t in enumerate(self.tracks)
            if (pin := self._pins.get(t.name)) is not None and pin.gain_db is not None
        ]
        return float(np.mean(kept)) if kept else 0.0

    def source(self, index: int) -> Source:
        """One track as integers."""
        track, measured = self.tracks[index], self.measured[index]
        kind, pin = kind_of(track.instrument), self._pins.get(track.name, Pin())
        lead = track.role == "lead"
        several = sum(t.instrument == track.instrument for t in self.tracks) > 1
        reference_db = self._reference_db(index) + self.common_db
        low = low_share(measured) > number("low.share")
        image = measured.channels > 1 and (measured.width is None or measured.width > _IMAGE_WIDTH)
        free = not (lead or low or kind.core or image)
        return Source(
            number=index + 1,
            name=track.name,
            instrument=track.instrument,
            role=role_of(track.instrument, track.role),
            low=low,
            core=kind.core,
            image=image,
            side=_side(track) if free else "",
            want=self._offsets[index],
            want_level=self._wants[index],
            want_at=0 if lead else kind.at,
            want_width=kind.width_of_several if several else kind.width,
            place_source=kind.place_source,
            want_depth=kind.depth,
            dry=kind.dry,
            depth_source=kind.depth_source,
            reference_db=reference_db,
            amplitude=self._amplitudes[index],
            shares=self._shares[index],
            kept_level=None if pin.gain_db is None else round(pin.gain_db - reference_db),
            kept_place=None if pin.pan is None else round(pin.pan * number("pan.scale")),
        )


def _side(track: Track) -> str:
    return next((side for side in ("left", "right") if side in track.attributes), "")


def _peak_db(measured: TrackFeatures) -> float:
    peak = measured.sample_peak_db if measured.sample_peak_db is not None else measured.true_peak_dbtp
    return 0.0 if peak is None else float(peak)


def _places() -> tuple[int, ...]:
    scale, step = whole("pan.scale"), whole("pan.step")
    return tuple(range(-scale, scale + 1, step))


# What lies between tracks


def _free(source: Source) -> bool:
    return not (source.lead or source.low or source.core or source.image)


def _pairs(tracks: Sequence[Track], sources: Sequence[Source]) -> tuple[tuple[int, int], ...]:
    """Left and right of one group; both must be free to leave the center."""
    halves: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: {"left": [], "right": []})
    for track, source in zip(tracks, sources, strict=True):
        if source.side and _free(source):
            key = (track.group or "", track.instrument)
            halves[key][source.side].append(source.number)
    return tuple(
        (found["left"][0], found["right"][0])
        for found in halves.values()
        if len(found["left"]) == len(found["right"]) == 1
    )


def _together(tracks: Sequence[Track], sources: Sequence[Source]) -> tuple[tuple[int, int], ...]:
    """Microphones of one group; pairs, doubles and stereo recordings stand for themselves."""
    groups: dict[str, list[Source]] = defaultdict(list)
    for track, source in zip(tracks, sources, strict=True):
        if track.group and not source.side and "double" not in track.attributes and _free(source):
            groups[track.group].append(source)
    return tuple((g[0].number, other.number) for g in groups.values() for other in g[1:])


def _kinds(
    tracks: Sequence[Track], sources: Sequence[Source], together: Sequence[tuple[int, int]]
) -> dict[int, str]:
    """Free tracks by instrument, one for each group of microphones."""
    followers = {follower for _, follower in together}
    words = {s.number: s.instrument for s in sources if _free(s) and s.number not in followers}
    return {n: word for n, word in words.items() if list(words.values()).count(word) > 1}


def _most_on_spot(
    kinds: Mapping[int, str], sources: Sequence[Source], pairs: Sequence[tuple[int, int]]
) -> dict[str, int]:
    """The fewest tracks of a kind that some spot must hold: named sides and pairs need their own side."""
    by_number = {s.number: s for s in sources}
    per_side = len([p for p in _places() if 0 < p <= outermost()])
    paired = {n for pair in pairs for n in pair}
    most = {}
    for word in set(kinds.values()):
        members = [by_number[n] for n, w in kinds.items() if w == word]
        halves = [m for m in members if m.number in paired]
        sided = {s: [m for m in members if m.side == s and m not in halves] for s in ("left", "right")}
        needs = [len(v) + math.ceil(len(halves) / 2) for v in sided.values()]
        most[word] = math.ceil(max(*needs, len(members) / 2) / per_side)
    return most


def _masks(hidden: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> tuple[tuple[int, int, int], ...]:
    """(track, track, tenths) of the strongest pairs, `hidden` (tracks, tracks) being shares of the row's track."""
    both = np.maximum(hidden, hidden.T)
    np.fill_diagonal(both, 0.0)
    least, most = number("mask.least"), whole("mask.most_per_track")
    chosen = {
        (min(i, int(j)) + 1, max(i, int(j)) + 1): min(10, math.floor(10.0 * both[i, j] + 0.5))
        for i in range(len(both))
        for j in np.argsort(-both[i], kind="stable")[:most]
        if both[i, j] >= least
    }
    return tuple((t, u, s) for (t, u), s in sorted(chosen.items()))


def _useful(
    masks: Sequence[tuple[int, int, int]],
    sources: Sequence[Source],
    pairs: Sequence[tuple[int, int]],
    together: Sequence[tuple[int, int]],
) -> tuple[tuple[int, int, int], ...]:
    """Without what stands in the center anyway, and without what must stay together or opposite."""
    settled = {frozenset(p) for p in (*pairs, *together)}
    by_number = {s.number: s for s in sources}
    return tuple(
        (t, u, s)
        for t, u, s in masks
        if frozenset((t, u)) not in settled and (_free(by_number[t]) or _free(by_number[u]))
    )


# The facts as a program


def program_facts(facts: Facts) -> Iterator[str]:
    """Every fact as a line of the program."""
    yield from (f"level({d})." for d in facts.ladder)
    yield from (f"pan({p})." for p in facts.places)
    yield f"depth(0..{whole('depth.scale')}). outermost({outermost()})."
    yield f"cut_step(1..{whole('eq.largest_cut')}). boost_step(1..{whole('eq.largest_boost')})."
    yield from _balance_facts(facts)
    for source in facts.sources:
        yield from _source_facts(facts, source)
    yield from (f"pair({t},{u})." for t, u in facts.pairs)
    yield from (f"together({t},{u})." for t, u in facts.together)
    yield from (f'of_kind({t},"{word}").' for t, word in (facts.kinds or {}).items())
    yield from (f'kind("{word}",{most}).' for word, most in (facts.most_on_spot or {}).items())
    yield from (f"mask({t},{u},{s})." for t, u, s in facts.masks)
    yield from (f"contest({c.band},{c.track},{c.rival},{c.need_db})." for c in facts.contests)


def amplitude_limits() -> tuple[int, int]:
    """The least and the largest sum of peaks, in `AMPLITUDE_UNIT`."""
    return round(number("amplitude.least") * AMPLITUDE_UNIT), round(number("amplitude.most") * AMPLITUDE_UNIT)


def tolerances() -> tuple[int, ...]:
    """Tolerances of balance in `SHARE_UNIT`."""
    return tuple(round(t * SHARE_UNIT) for t in numbers("balance.tolerances"))


def _balance_facts(facts: Facts) -> Iterator[str]:
    low, high = amplitude_limits()
    yield f"amplitude_limits({low},{high}). spots({facts.spots})."
    yield from (f"tolerance({t})." for t in tolerances())
    yield from (f"band({b})." for b in range(len(numbers("balance.bands"))))


def _source_facts(facts: Facts, s: Source) -> Iterator[str]:
    t = s.number
    yield f"track({t}). name({t},{_quoted(s.name)}). role({t},{s.role}). want_level({t},{s.want_level},{level_weight(s)})."
    yield from (f"instrument({t},{word})." for word in parents(s.instrument))
    flags = {"lead": s.lead, "low": s.low, "core": s.core, "image": s.image, "background": s.background}
    flags |= {"dry": s.dry or s.low, "free": facts.free(s)}
    yield from (f"{word}({t})." for word, true in flags.items() if true)
    yield f"want_depth({t},{s.want_depth})."
    if facts.free(s):
        yield f"want_pan({t},{s.want_at})." if s.want_at is not None else f"want_width({t},{s.want_width})."
    if s.side:
        yield f"side({t},{s.side})."
    yield from _reach(facts, s)


def _reach(facts: Facts, s: Source) -> Iterator[str]:
    """What a track does to the sums: its peak at each level, its tilt at each place."""
    t = s.number
    levels = (*facts.ladder, *(x.kept_level for x in facts.sources if x.kept_level is not None))
    yield from (f"amplitude({t},{d},{amplitude(s, d)})." for d in sorted(set(levels)))
    places = (*facts.places, *(y for x in facts.sources if (y := x.kept_place) is not None))
    every = sorted({p for place in places for p in (place, -place)})
    for band, share in enumerate(s.shares):
        yield from (f"tilt({t},{band},{p},{tilt(share, p)})." for p in every if tilt(share, p))
    if s.kept_level is not None:
        yield f"pin_level({t},{s.kept_level})."
    if s.kept_place is not None:
        yield f"pin_pan({t},{s.kept_place})."


def level_weight(source: Source) -> int:
    """A decibel off counts double for the lead, which listeners notice first (De Man & Reiss, JARP 10)."""
    return 2 if source.lead else 1


def amplitude(source: Source, level: float) -> int:
    """Peak of a track at a step of the ladder, in `AMPLITUDE_UNIT`."""
    return round(AMPLITUDE_UNIT * source.amplitude * db_to_gain(level))


def tilt(share: int, place: float) -> int:
    """Right minus left power of a track at a place, under the pan law: share sin(pi p / 20)."""
    return round(share * math.sin(math.pi * place / (2.0 * number("pan.scale"))))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
