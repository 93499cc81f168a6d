"""MusicXML (partwise) as notes in playing order; plain parsing, nothing is fetched, no entity is expanded.

Read: divisions, pitch, duration, chord, backup and forward, ties, written tempo, rehearsal marks, repeats with endings.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError
from tonmeister.live.scores import LARGEST_BYTES, MOST_NOTES, Score, ScoreNote, TempoMark, score_of_notes

__all__ = ["read_musicxml"]

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS: Final = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
_MOST_ROUNDS: Final = 16
_JUMPS: Final = ("dacapo", "dalsegno", "tocoda")
_TOUCHING_BEATS: Final = 1e-3


@dataclass(frozen=True, slots=True)
class _Written:
    """A note as it stands in its measure, and the ties at its ends."""

    note: ScoreNote
    tie_ends: bool = False
    tie_begins: bool = False


@dataclass
class _Measure:
    """One measure of one part: notes from its start, and what it says about the order of playing."""

    length: float = 0.0
    notes: list[_Written] = field(default_factory=list)
    tempi: list[TempoMark] = field(default_factory=list)
    markers: list[tuple[float, str]] = field(default_factory=list)
    starts_repeat: bool = False
    rounds: int = 1
    """How often the passage that ends here is played."""
    ending: frozenset[int] | None = None
    """In which rounds this measure is played; None: in all."""
    jumps: bool = False


def read_musicxml(path: Path) -> Score:
    """A score from a MusicXML file, plain or compressed (.mxl)."""
    data = _unpacked(path) if zipfile.is_zipfile(path) else path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"<!ENTITY" in data.upper():
        raise BadInputError(f"{path}: declares entities or is UTF-16: export it again as plain MusicXML")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInputError(f"{path}: is damaged XML ({error}): export it again as MusicXML") from None
    if root.tag != "score-partwise":
        raise BadInputError(f"{path}: <{root.tag}> is not <score-partwise>: export it as partwise MusicXML")
    try:
        return _score(path, root)
    except (ValueError, OverflowError) as error:
        raise BadInputError(f"{path}: holds a number that is none ({error}): export it again") from None


def _unpacked(path: Path) -> bytes:
    """The score in a .mxl archive: its first XML file outside META-INF."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith((".xml", ".musicxml"))]
            scores = [n for n in names if not n.startswith("META-INF/")]
            if not scores:
                raise BadInputError(f"{path}: holds no MusicXML file")
            if archive.getinfo(scores[0]).file_size > LARGEST_BYTES:
                raise BadInputError(
                    f"{path}: unpacks to more than {LARGEST_BYTES >> 20} MiB: this is no score"
                )
            with archive.open(scores[0]) as file:
                return file.read(LARGEST_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise BadInputError(f"{path}: is a damaged .mxl archive ({error})") from None


def _score(path: Path, root: ElementTree.Element) -> Score:
    names = {p.get("id", ""): (p.findtext("part-name") or "").strip() for p in root.iter("score-part")}
    notes: list[ScoreNote] = []
    tempi: list[TempoMark] = []
    markers: set[tuple[float, str]] = set()
    jumps = False
    for part in root.findall("part"):
        name = part.get("id", "")
        measures = list(_measures(part, names.get(name) or name))
        jumps |= any(m.jumps for m in measures)
        played = list(_played(measures))
        notes += _joined([_moved(written, start) for start, m in played for written in m.notes])
        tempi += [TempoMark(start + t.beat, t.beat_s) for start, m in played for t in m.tempi]
        markers |= {(start + beat, text) for start, m in played for beat, text in m.markers}
    title = (root.findtext("work/work-title") or root.findtext("movement-title") or path.stem).strip()
    said = ("jumps (da capo, segno, coda) are not played out, repeats are",) if jumps else ()
    return score_of_notes(title, notes, tempi, sorted(markers), said, where=str(path))


# ------------------------------------------------------------------ what a measure says


def _measures(part: ElementTree.Element, name: str) -> Iterator[_Measure]:
    divisions, ending = 1.0, None
    for element in part.findall("measure"):
        reader = _MeasureReader(name, divisions)
        for child in element:
            reader.take(child)
        divisions = reader.divisions
        measure = reader.measure
        begun, ended = _endings(element)
        ending = begun if begun is not None else ending
        measure.ending = ending
        if ended:
            ending = None
        yield measure


def _endings(element: ElementTree.Element) -> tuple[frozenset[int] | None, bool]:
    """(rounds of an ending that begins in the measure, whether one ends in it)."""
    begun, ended = None, False
    for mark in element.iter("ending"):
        if mark.get("type") == "start":
            rounds = (mark.get("number") or "1").replace(",", " ").split()
            begun = frozenset(int(r) for r in rounds if r.isdecimal())
        else:
            ended = True
    return begun, ended


class _MeasureReader:
    """Walks through a measure with the pen's position, as backup and forward move it."""

    def __init__(self, part: str, divisions: float) -> None:
        self.measure = _Measure()
        self.divisions = divisions
        self._part = part
        self._at = self._chord_at = 0.0

    def take(self, element: ElementTree.Element) -> None:
        """Read the next element of the measure."""
        match element.tag:
            case "attributes":
                self.divisions = _positive(element.findtext("divisions")) or self.divisions
            case "note":
                self._note(element)
            case "backup":
                self._at = max(self._at - self._duration(element), 0.0)
            case "forward":
                self._move(self._duration(element))
            case "direction" | "sound":
                self._direction(element)
            case "barline":
                self._barline(element)

    def _duration(self, element: ElementTree.Element) -> float:
        return _positive(element.findtext("duration")) / self.divisions

    def _move(self, beats: float) -> None:
        self._at += beats
        self.measure.length = max(self.measure.length, self._at)

    def _note(self, element: ElementTree.Element) -> None:
        if element.find("grace") is not None or element.find("cue") is not None:
            return
        beats = self._duration(element)
        is_chord = element.find("chord") is not None
        onset = self._chord_at if is_chord else self._at
        if not is_chord:
            self._chord_at = self._at
            self._move(beats)
        pitch, is_drum = _pitch(element)
        if pitch is not None and beats > 0:
            ties = {tie.get("type") for tie in element.findall("tie")}
            note = ScoreNote(onset, beats, pitch, part=self._part, is_drum=is_drum)
            self.measure.notes.append(_Written(note, "stop" in ties, "start" in ties))

    def _direction(self, element: ElementTree.Element) -> None:
        if (bpm := _written_bpm(element)) > 0:
            self.measure.tempi.append(TempoMark(self._at, 60.0 / bpm))
        for mark in element.iter("rehearsal"):
            if text := (mark.text or "").strip():
                self.measure.markers.append((self._at, text))
        sounds = (element, *element.findall("sound"))
        self.measure.jumps |= any(sound.get(jump) is not None for sound in sounds for jump in _JUMPS)

    def _barline(self, element: ElementTree.Element) -> None:
        for repeat in element.findall("repeat"):
            if repeat.get("direction") == "forward":
                self.measure.starts_repeat = True
            else:
                times = repeat.get("times") or "2"
                self.measure.rounds = min(int(times) if times.isdecimal() else 2, _MOST_ROUNDS)


def _positive(text: str | None) -> float:
    value = float(text) if text else 0.0
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text!r}")
    return value


def _pitch(element: ElementTree.Element) -> tuple[int | None, bool]:
    """(MIDI pitch, whether it is a drum); None for a rest."""
    if element.find("unpitched") is not None:
        return 38, True
    step, octave = element.findtext("pitch/step"), element.findtext("pitch/octave")
    if step is None or octave is None:
        return None, False
    if step.strip() not in _STEPS:
        raise ValueError(f"step {step!r}")
    alter = float(element.findtext("pitch/alter") or 0)
    pitch = 12 * (int(octave) + 1) + _STEPS[step.strip()] + round(alter)
    return (pitch if 0 <= pitch <= 127 else None), False


def _written_bpm(element: ElementTree.Element) -> float:
    """Quarter notes per minute of ``sound tempo``, else of a metronome mark; 0 where there is none."""
    for sound in (element, *element.findall("sound")):
        if sound.get("tempo"):
            return _positive(sound.get("tempo"))
    mark = element.find("direction-type/metronome")
    if mark is None:
        return 0.0
    unit = _UNITS.get((mark.findtext("beat-unit") or "quarter").strip(), 1.0)
    dotted = 1.5 if mark.find("beat-unit-dot") is not None else 1.0
    text = (mark.findtext("per-minute") or "").strip()
    return float(text) * unit * dotted if text.replace(".", "", 1).isdecimal() else 0.0


# ------------------------------------------------------------------ the order of playing


def _played(measures: Sequence[_Measure]) -> Iterator[tuple[float, _Measure]]:
    """(start in beats, measure) with repeats played out; an ending is played in its rounds."""
    start, k, first, round_, notes = 0.0, 0, 0, 1, 0
    while k < len(measures) and notes <= MOST_NOTES:
        measure = measures[k]
        if measure.starts_repeat and k != first:
            first, round_ = k, 1
        is_played = measure.ending is None or round_ in measure.ending
        if is_played:
            yield start, measure
            start += measure.length
            notes += len(measure.notes) + 1
            if round_ < _rounds(measure):
                k, round_ = first, round_ + 1
                continue
        if _passage_ends(measures, k):
            first, round_ = k + 1, 1
        k += 1


def _rounds(measure: _Measure) -> int:
    """How often the passage that ends with the measure is played; an ending leads back, so one round follows it."""
    if measure.rounds <= 1:
        return 1
    return measure.rounds if measure.ending is None else max(measure.ending, default=1) + 1


def _passage_ends(measures: Sequence[_Measure], k: int) -> bool:
    """Whether no repeat leads back from behind measure `k`: after a repeat sign, or after the last of the endings."""
    follows = measures[k + 1].ending if k + 1 < len(measures) else None
    return follows is None and (measures[k].rounds > 1 or measures[k].ending is not None)


# ------------------------------------------------------------------ ties


def _moved(written: _Written, start: float) -> _Written:
    return replace(written, note=replace(written.note, onset_beats=start + written.note.onset_beats))


def _joined(written: Sequence[_Written]) -> list[ScoreNote]:
    """Notes with those that they are tied to, as one; a tie into nothing begins a note."""
    done: list[ScoreNote] = []
    waiting: dict[int, ScoreNote] = {}
    for w in sorted(written, key=lambda w: w.note.onset_beats):
        note = w.note
        before = waiting.pop(note.pitch, None)
        if before is not None and w.tie_ends and _touches(before, note):
            note = replace(before, length_beats=note.onset_beats + note.length_beats - before.onset_beats)
        elif before is not None:
            done.append(before)
        if w.tie_begins:
            waiting[note.pitch] = note
        else:
            done.append(note)
    return [*done, *waiting.values()]


def _touches(before: ScoreNote, note: ScoreNote) -> bool:
    return abs(before.onset_beats + before.length_beats - note.onset_beats) < _TOUCHING_BEATS
