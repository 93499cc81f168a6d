"""A written score as events in time: notes, the tempo that is written, markers; from MusicXML and MIDI.

MusicXML is read by the few elements that say when a note sounds; repeats and their endings are played out once as
written (jumps such as da capo are not, and are said). One beat is a quarter note. MIDI needs the extra ``score``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError, MissingExtraError

__all__ = ["DEFAULT_BPM", "Score", "ScoreEvent", "ScoreNote", "TempoMark", "read_score", "score_of_notes"]

DEFAULT_BPM: Final = 120.0
"""Where nothing is written; what MIDI assumes as well."""
SAME_EVENT_BEATS: Final = 1 / 32
"""Notes written closer together than this are one event: a chord, a grace note."""
LARGEST_BYTES: Final = 64 << 20
MOST_NOTES: Final = 500_000
LONGEST_BEATS: Final = 100_000.0
_MIDI_SUFFIXES: Final = (".mid", ".midi", ".smf")
_XML_SUFFIXES: Final = (".musicxml", ".xml", ".mxl")
_DRUM_CHANNEL: Final = 9


@dataclass(frozen=True, slots=True)
class ScoreNote:
    """One note as written: onset and length in beats, MIDI pitch, velocity 1 to 127."""

    onset_beats: float
    length_beats: float
    pitch: int
    velocity: int = 64
    part: str = ""
    is_drum: bool = False


@dataclass(frozen=True, slots=True)
class TempoMark:
    """From `beat` on a beat lasts `beat_s` seconds, as written."""

    beat: float
    beat_s: float


@dataclass(frozen=True, slots=True)
class ScoreEvent:
    """Everything that begins at one place of the score."""

    index: int
    beat: float
    pitches: tuple[int, ...]
    parts: tuple[str, ...]
    written_s: float
    """When it would sound at the written tempo."""


@dataclass(frozen=True)
class Score:
    """Notes in the order of their onsets."""

    title: str
    notes: tuple[ScoreNote, ...]
    tempi: tuple[TempoMark, ...] = (TempoMark(0.0, 60.0 / DEFAULT_BPM),)
    markers: tuple[tuple[float, str], ...] = ()
    """(beat, text): rehearsal marks and MIDI markers, which name sections."""
    notes_to_reader: tuple[str, ...] = field(default=())
    """What was noticed on reading, in words."""

    @property
    def length_beats(self) -> float:
        return max((n.onset_beats + n.length_beats for n in self.notes), default=0.0)

    @cached_property
    def events(self) -> tuple[ScoreEvent, ...]:
        """Onsets, notes that are written together as one."""
        groups: list[list[ScoreNote]] = []
        for note in self.notes:
            if groups and note.onset_beats - groups[-1][0].onset_beats < SAME_EVENT_BEATS:
                groups[-1].append(note)
            else:
                groups.append([note])
        return tuple(self._event(k, group) for k, group in enumerate(groups))

    def _event(self, index: int, group: Sequence[ScoreNote]) -> ScoreEvent:
        beat = group[0].onset_beats
        pitches = tuple(sorted({n.pitch for n in group if not n.is_drum}))
        return ScoreEvent(index, beat, pitches, tuple(sorted({n.part for n in group})), self.seconds(beat))

    @cached_property
    def _starts_s(self) -> tuple[float, ...]:
        starts = [0.0]
        for mark, after in zip(self.tempi, self.tempi[1:], strict=False):
            starts.append(starts[-1] + (after.beat - mark.beat) * mark.beat_s)
        return tuple(starts)

    def seconds(self, beat: float) -> float:
        """When `beat` would come at the written tempo, from beat 0."""
        k = max(bisect_right(self.tempi, beat, key=lambda mark: mark.beat) - 1, 0)
        return self._starts_s[k] + (beat - self.tempi[k].beat) * self.tempi[k].beat_s

    def beats(self, seconds: float) -> float:
        """The beat at `seconds` of the written tempo."""
        k = max(bisect_right(self._starts_s, seconds) - 1, 0)
        return self.tempi[k].beat + (seconds - self._starts_s[k]) / self.tempi[k].beat_s

    @property
    def duration_s(self) -> float:
        """How long the written tempo takes."""
        return self.seconds(self.length_beats)


def read_score(path: Path) -> Score:
    """A score from MusicXML (.musicxml, .xml, .mxl) or a MIDI file.

    Raises `BadInputError` for a file that is damaged, too large, or without a note.
    """
    path = Path(path)
    suffix = path.suffix.casefold()
    if suffix not in (*_MIDI_SUFFIXES, *_XML_SUFFIXES):
        raise BadInputError(f"{path}: is no score: give MusicXML ({', '.join(_XML_SUFFIXES)}) or MIDI (.mid)")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({(error.strerror or 'error').lower()})") from None
    if size > LARGEST_BYTES:
        raise BadInputError(f"{path}: is larger than {LARGEST_BYTES >> 20} MiB: this is no score")
    if suffix in _MIDI_SUFFIXES:
        return _read_midi(path)
    from tonmeister.live.musicxml import read_musicxml

    return read_musicxml(path)


def score_of_notes(
    title: str,
    notes: Sequence[ScoreNote],
    tempi: Sequence[TempoMark] = (),
    markers: Sequence[tuple[float, str]] = (),
    said: Sequence[str] = (),
    *,
    where: str = "the score",
) -> Score:
    """A score with everything in order; raises when there is no note, or more than anyone plays."""
    if not notes:
        raise BadInputError(f"{where}: holds no notes: there is nothing to follow")
    if len(notes) > MOST_NOTES:
        raise BadInputError(f"{where}: holds {len(notes)} notes: at most {MOST_NOTES} can be followed")
    if (end := max(n.onset_beats + n.length_beats for n in notes)) > LONGEST_BEATS:
        raise BadInputError(f"{where}: lasts {end:g} beats: at most {LONGEST_BEATS:g} can be followed")
    ordered = sorted(notes, key=lambda n: (n.onset_beats, n.pitch))
    return Score(title, tuple(ordered), _tempo_map(tempi), tuple(sorted(markers)), tuple(said))


def _tempo_map(marks: Sequence[TempoMark]) -> tuple[TempoMark, ...]:
    """Marks in order, the last one at a place, beginning at beat 0."""
    last = {mark.beat: mark for mark in sorted(marks, key=lambda m: m.beat)}
    if 0.0 not in last:
        last[0.0] = TempoMark(0.0, 60.0 / DEFAULT_BPM)
    return tuple(last[beat] for beat in sorted(last))


# ------------------------------------------------------------------ MIDI


def _read_midi(path: Path) -> Score:
    try:
        import mido
    except ImportError:
        raise MissingExtraError(f"{path}: reading MIDI", extra="score") from None
    try:
        file = mido.MidiFile(str(path), clip=True)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise BadInputError(f"{path}: is no MIDI file that can be read ({error or 'cut off'})") from None
    if file.ticks_per_beat <= 0 or file.ticks_per_beat >= 0x8000:
        raise BadInputError(f"{path}: counts in frames, not in beats (SMPTE): export it with ticks per beat")
    notes: list[ScoreNote] = []
    tempi: list[TempoMark] = []
    markers: list[tuple[float, str]] = []
    for number, track in enumerate(file.tracks):
        _read_track(track, number, file.ticks_per_beat, notes, tempi, markers)
    return score_of_notes(path.stem, notes, tempi, markers, where=str(path))


def _read_track(
    track: Any,
    number: int,
    ticks_per_beat: int,
    notes: list[ScoreNote],
    tempi: list[TempoMark],
    markers: list[tuple[float, str]],
) -> None:
    ticks, part = 0, f"track {number}"
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def end(key: tuple[int, int]) -> None:
        if waiting := sounding.get(key):
            start, velocity = waiting.pop(0)
            channel, pitch = key
            beats = (start / ticks_per_beat, (ticks - start) / ticks_per_beat)
            notes.append(ScoreNote(*beats, pitch, velocity, part, is_drum=channel == _DRUM_CHANNEL))

    for message in track:
        ticks += message.time
        match message.type:
            case "note_on" if message.velocity > 0:
                sounding.setdefault((message.channel, message.note), []).append((ticks, message.velocity))
            case "note_on" | "note_off":
                end((message.channel, message.note))
            case "track_name":
                part = message.name.strip() or part
            case "set_tempo" if message.tempo > 0:
                tempi.append(TempoMark(ticks / ticks_per_beat, message.tempo / 1e6))
            case "marker" | "cue_marker":
                markers.append((ticks / ticks_per_beat, message.text.strip()))
    for key, waiting in sounding.items():
        for _ in range(len(waiting)):
            end(key)
