"""From the solver's answer to decisions: every atom becomes one move, with the rules that spoke for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, Mute, Reason, SetGain, SetPan
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.asp.bands import erb_bands
from tonmeister.engines.asp.facts import Facts, Source
from tonmeister.engines.asp.knowledge import known_rules, number, numbers
from tonmeister.engines.asp.program import Answer
from tonmeister.engines.prediction import filter_change_db, predicted_lufs, reverb_change_db
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER, PARAMETERS
from tonmeister.units import power_to_db

__all__ = ["ROOM", "Told", "decisions_of", "equalizer_of", "place_text"]

ROOM: Final = "Reverb"
_CONFIDENCE: Final[Mapping[str, float]] = {"P": 0.9, "C": 0.8, "M": 0.8, "S": 0.7, "R": 0.5}
"""How sure a decision is that rests on a rule of this grade; the developers' reading."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said about the mix as a whole."""

    summary: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Song:
    multitrack: Multitrack
    features: MultitrackFeatures
    facts: Facts
    answer: Answer
    by: str

    def reason(
        self, source: Source, about: str, text: str, *, otherwise: str, notes: Sequence[str] = ()
    ) -> Reason:
        """The rules that spoke for one choice; `otherwise` is the preference that had the last word."""
        spoke = sorted(r for r, t, a in self.answer.because if t == source.number and a == about)
        known = known_rules()
        ordered = [r for r in known if r in spoke] or [otherwise]
        first = known[ordered[0]]
        said = tuple(f"{r}: {known[r].says}" for r in ordered)
        return Reason(
            text, _source(first.name, source), f"{self.by}.{'+'.join(ordered)}", first.evidence,
            _CONFIDENCE.get(first.evidence, 0.5), (*said, *notes),
        )  # fmt: skip


def _source(rule: str, source: Source) -> str:
    """A preference rests on the table that holds the wish, a rule on its own source."""
    tables = {
        "wanted_level": source.want.source,
        "wanted_place": source.place_source,
        "wanted_depth": source.depth_source,
    }
    return tables.get(rule) or known_rules()[rule].source


def decisions_of(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    facts: Facts,
    answer: Answer,
    *,
    left_out: Mapping[str, Reason],
    told: Told,
    by: str,
) -> Iterator[Decision]:
    """Every decision of the mix, in the order in which a person would make them."""
    for name, reason in left_out.items():
        yield Mute(name, True, reason=reason, by=by)
    if not facts.sources:
        return
    song = _Song(multitrack, features, facts, answer, by)
    for source in facts.sources:
        yield from _strip(song, source)
    yield from _room(song)
    yield SetGain(MASTER, _fader(-facts.common_db), reason=_whole(told, facts), by=by)


def _whole(told: Told, facts: Facts) -> Reason:
    text = told.summary
    if facts.common_db:
        text += f" The master takes back the {facts.common_db:+.1f} dB that the kept faders ask of all."
    return Reason(text, "Everardo, SMC 2017", "asp.answer", "Pa", notes=told.notes)


def _strip(song: _Song, source: Source) -> Iterator[Decision]:
    equalizer = equalizer_of(song.answer, source)
    if equalizer is not None:
        yield AddInsert(source.name, equalizer, reason=_why_tone(song, source), by=song.by)
    yield _level(song, source, equalizer)
    yield _place(song, source)


def equalizer_of(answer: Answer, source: Source) -> Equalizer | None:
    """One peaking section for each band that is cut or boosted."""
    moves = sorted((band, gain) for (track, band), gain in answer.tone.items() if track == source.number)
    if not moves:
        return None
    bands = erb_bands()
    sections = [
        EqSection("peak", round(bands[b].center_hz, 1), float(gain), round(bands[b].q, 2))
        for b, gain in moves
    ]
    return Equalizer(tuple(sections))


def _why_tone(song: _Song, source: Source) -> Reason:
    names = {s.number: s.name for s in song.facts.sources}
    told = []
    for (track, band), gain in sorted(song.answer.tone.items()):
        if track == source.number:
            hz = erb_bands()[band].center_hz
            contests = [c for c in song.facts.contests if c.band == band]
            others = (
                [names[c.track] for c in contests if c.rival == track]
                if gain < 0
                else [names[c.rival] for c in contests if c.track == track]
            )
            verb = "yields the band to" if gain < 0 else "stands out from"
            told.append(f"{hz:.0f} Hz {gain:+d} dB: {verb} {', '.join(dict.fromkeys(others))}")
    return song.reason(source, "equalization", f"{'; '.join(told)}.", otherwise="least_processing")


def _level(song: _Song, source: Source, equalizer: Equalizer | None) -> SetGain:
    measured = song.features[source.name]
    change_db = 0.0
    if equalizer is not None:
        change_db = filter_change_db(measured.third_octave_db, [equalizer], measured.sample_rate)
    level = song.answer.levels[source.number]
    wanted_db = level + source.reference_db - change_db
    gain_db = _fader(wanted_db)
    off = level - source.want_level
    wish = (
        "as wanted"
        if off == 0
        else f"{abs(off)} dB {'above' if off > 0 else 'below'} the wanted {source.want_level:+d}"
    )
    text = (
        f"Step {level:+d} of the ladder, {wish}: {source.want.offset_lu:+.1f} LU against equal loudness "
        f"(its kind {source.want.table_lu:+.1f} LU against a lead, counted {source.want.weight:.0%}); "
        f"the fader brings {measured.integrated_lufs or 0.0:.1f} LUFS there."
    )
    notes = [] if abs(gain_db - wanted_db) < 0.01 else [f"wanted {wanted_db:.1f} dB, more than the fader has"]
    if equalizer is not None:
        notes.append(f"{-change_db:+.1f} dB for what the equalizer takes")
    reason = song.reason(source, "level", text, otherwise="wanted_level", notes=notes)
    return SetGain(source.name, gain_db, reason=reason, by=song.by)


def _place(song: _Song, source: Source) -> SetPan:
    place = song.answer.places[source.number]
    pan = round(place / number("pan.scale"), 3)
    wants = "" if not song.facts.free(source) else f"; its kind wants {_wanted_place(source)}"
    reason = song.reason(source, "pan", f"{place_text(place)}{wants}.", otherwise="balance")
    return SetPan(source.name, pan, reason=reason, by=song.by)


def _wanted_place(source: Source) -> str:
    if source.want_at is not None:
        return place_text(source.want_at)
    return "the center" if not source.want_width else f"{source.want_width} steps to either side"


def place_text(place: int) -> str:
    """L10 to R10, center."""
    return "Center" if place == 0 else f"{'L' if place < 0 else 'R'}{abs(place)} of 10"


def _fader(gain_db: float) -> float:
    return round(PARAMETERS["gain_db"].clip(gain_db), 2) + 0.0


# The room


def _room(song: _Song) -> Iterator[Decision]:
    """One return; the sends stand to one another as the depths do, and together they meet the wanted amount."""
    wet = [s for s in song.facts.sources if song.answer.depths[s.number] > 0]
    if not wet:
        return
    name = ROOM if ROOM not in song.multitrack.names else f"{ROOM} bus"
    reverb = _reverb(song)
    shift_db = _amount_db(song, wet, reverb)
    says = f"The room is {-number('room.loudness'):g} LU below the mix."
    reason = Reason(says, "De Man, McNally & Reiss, JAES 65 (2017)", "asp.room.loudness", "P", 0.9)
    yield AddBus(name, "return", reason=reason, by=song.by)
    yield AddInsert(name, reverb, reason=_why_reverb(song, reverb), by=song.by)
    yield SetGain(name, 0.0, reason=reason, by=song.by)
    for source in wet:
        depth = song.answer.depths[source.number]
        gain_db = round(PARAMETERS["gain_db"].clip(_depth_db(depth) + shift_db), 2)
        text = (
            f"Depth {depth} of 10, {_depth_db(depth):+.1f} dB against the others, {shift_db:+.1f} dB for all."
        )
        why = song.reason(source, "depth", text, otherwise="wanted_depth")
        yield AddSend(source.name, name, gain_db, reason=why, by=song.by)


def _depth_db(depth: float) -> float:
    return 20.0 * math.log10(depth / number("depth.scale"))


def _reverb(song: _Song) -> Reverb:
    tempo_bpm = song.multitrack.tempo_bpm or song.features.tempo_bpm
    shortest, longest = numbers("room.decay")
    decay_s, predelay_ms = number("room.decay_without_tempo"), number("room.predelay")
    if tempo_bpm:
        decay_s = min(max(number("room.beats") * 60.0 / tempo_bpm, shortest), longest)
        beat_ms = 60_000.0 / tempo_bpm
        predelay_ms = beat_ms / 2.0 ** math.floor(math.log2(beat_ms / number("room.predelay")))
    return Reverb(
        decay_s=round(decay_s, 2),
        predelay_ms=round(predelay_ms, 1),
        damping_hz=number("room.damping"),
        low_cut_hz=number("room.low_cut"),
    )


def _why_reverb(song: _Song, reverb: Reverb) -> Reason:
    text = (
        f"Decay {reverb.decay_s:g} s and pre-delay {reverb.predelay_ms:g} ms after the tempo, dull above "
        f"{reverb.damping_hz:.0f} Hz, without what is below {reverb.low_cut_hz:.0f} Hz."
    )
    return Reason(text, "Moffat & Sandler, AES 147 paper 10264 (2019)", "asp.room.time", "P", 0.7)


def _amount_db(song: _Song, wet: Sequence[Source], reverb: Reverb) -> float:
    """What all sends need for the return to be as loud as wanted against the dry mix."""
    gains_db = {s.name: song.answer.levels[s.number] + s.reference_db for s in song.facts.sources}
    dry_lufs = _sum_lufs(song, gains_db)
    wet_lufs = _sum_lufs(
        song,
        {
            s.name: gains_db[s.name]
            + _depth_db(song.answer.depths[s.number])
            + reverb_change_db(
                song.features[s.name].third_octave_db, reverb, song.features[s.name].sample_rate
            )
            for s in wet
        },
    )
    return dry_lufs + number("room.loudness") - wet_lufs


def _sum_lufs(song: _Song, gains_db: Mapping[str, float]) -> float:
    """Loudness of tracks at gains; where none passes the gate, their powers alone."""
    series = [song.features[name].momentary_lufs for name in gains_db]
    found = predicted_lufs(series, list(gains_db.values()))
    if found is not None:
        return found
    return power_to_db(
        sum(10.0 ** (((song.features[n].integrated_lufs or 0.0) + g) / 10.0) for n, g in gains_db.items())
    )
