"""MIDI files as scores: a part for every program on every channel; damaged files are refused in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.naming import usual_role
from tonmeister.training.synthesis.instruments import instrument_of_program, kit_keys, piece_of_key
from tonmeister.training.synthesis.scores import Part, Score, note_array
from tonmeister.training.synthesis.songs import NoteArray

__all__ = ["find_midi", "read_midi"]

SUFFIXES: Final = (".mid", ".midi")
_MAX_BYTES: Final = 8 << 20
_MAX_NOTES: Final = 200_000
_MAX_S: Final = 3600.0
_DRUM_CHANNEL: Final = 9
_DEFAULT_TEMPO: Final = 500_000
_TAIL_S: Final = 2.0
"""A note that nobody ends."""


def find_midi(sources: Iterable[Path]) -> tuple[Path, ...]:
    """MIDI files in folders (and below), and files given by name, in order; none at all is an error."""
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise BadInputError(f"{source}: holds no MIDI file (.mid, .midi): give another folder")
            found += inside
        elif source.is_file():
            found.append(source)
        else:
            raise BadInputError(f"{source}: no such file or folder: give a MIDI file or a folder of them")
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=64)
def read_midi(path: Path) -> Score:
    """A MIDI file as a score; raises `BadInputError` when it is damaged, or has no notes."""
    file = _opened(path)
    tracks, tempo = list(file.tracks), _DEFAULT_TEMPO
    seconds = _clock(file)
    notes: dict[tuple[int, int, int], list[tuple[float, float, int, int]]] = {}
    try:
        for number, track in enumerate(tracks):
            for key, note in _notes(track, number, seconds):
                notes.setdefault(key, []).append(note)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise BadInputError(f"{path}: is a damaged MIDI file ({error})") from None
    tempo = next((m.tempo for track in tracks for m in track if m.type == "set_tempo"), tempo)
    parts = _parts(notes)
    if not parts:
        raise BadInputError(f"{path}: holds no notes: give another MIDI file")
    first = min(float(p.notes["start_s"][0]) for p in parts)
    return Score(path.stem, path.name, "midi", 6e7 / max(tempo, 1), tuple(parts), first)


def _opened(path: Path) -> Any:
    try:
        import mido
    except ImportError:
        raise MissingExtraError("reading MIDI files", extra="train") from None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path}: larger than {_MAX_BYTES >> 20} MiB: this is no song")
        return mido.MidiFile(str(path), clip=True)
    except BadInputError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error) or "ends too early").lower()
        raise BadInputError(f"{path}: is not a MIDI file that can be read ({reason})") from None
    except Exception as error:  # mido lets whatever its parser meets escape: ValueError, IndexError, its own
        reason = str(error) or type(error).__name__
        raise BadInputError(f"{path}: is a damaged MIDI file ({reason})") from None


@dataclass(frozen=True, eq=False)
class _Clock:
    """Seconds of ticks, along a map of tempi."""

    ticks: Any
    seconds: Any
    per_tick: Any

    def __call__(self, tick: int) -> float:
        at = int(np.searchsorted(self.ticks, tick, side="right")) - 1
        return float(self.seconds[at] + (tick - self.ticks[at]) * self.per_tick[at])


def _clock(file: Any) -> _Clock:
    per_beat = file.ticks_per_beat if file.ticks_per_beat > 0 else 480
    changes = {0: _DEFAULT_TEMPO}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes[tick] = message.tempo
    ticks = np.array(sorted(changes), np.int64)
    per_tick = np.array([changes[t] for t in ticks.tolist()]) / 1e6 / per_beat
    seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * per_tick[:-1])])
    return _Clock(ticks, seconds, per_tick)


def _notes(
    track: Any, number: int, seconds: _Clock
) -> Iterator[tuple[tuple[int, int, int], tuple[float, float, int, int]]]:
    """((track, channel, program), note) of everything struck; program -1 on the drum channel."""
    tick, count = 0, 0
    programs = dict.fromkeys(range(16), 0)
    sounding: dict[tuple[int, int], tuple[float, int, int]] = {}
    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            place, now = (message.channel, message.note), seconds(tick)
            if place in sounding:
                yield _ended(place, sounding.pop(place), now, number)
            if message.type == "note_on" and message.velocity and now < _MAX_S:
                count += 1
                if count > _MAX_NOTES:
                    raise ValueError(f"more than {_MAX_NOTES} notes in a track")
                sounding[place] = (now, message.velocity, programs[message.channel])
    for place, struck in sounding.items():
        yield _ended(place, struck, struck[0] + _TAIL_S, number)


def _ended(
    place: tuple[int, int], struck: tuple[float, int, int], now: float, number: int
) -> tuple[tuple[int, int, int], tuple[float, float, int, int]]:
    (channel, pitch), (start_s, velocity, program) = place, struck
    key = (number, channel, -1 if channel == _DRUM_CHANNEL else program)
    return key, (start_s, max(now - start_s, 0.02), pitch, velocity)


def _parts(notes: Mapping[tuple[int, int, int], list[tuple[float, float, int, int]]]) -> list[Part]:
    """Drums together as one part, percussion by instrument, then every program on every channel."""
    struck = [note for key, found in notes.items() if key[2] < 0 for note in found]
    parts = list(_drums(note_array(struck))) if struck else []
    melodic = [(key, note_array(found)) for key, found in sorted(notes.items()) if key[2] >= 0]
    leading = _leading([array for _, array in melodic])
    seen: Counter[str] = Counter()
    for number, ((_, _, program), array) in enumerate(melodic):
        word = instrument_of_program(program)
        role = "lead" if number == leading else usual_role(word)
        role = "foreground" if role == "lead" and number != leading else role
        seen[word] += 1
        name = f"{_title(word)} {seen[word]}" if seen[word] > 1 else _title(word)
        parts.append(Part(name, word, array, role, program))
    return parts


def _title(word: str) -> str:
    return word.replace("_", " ").title()


def _drums(notes: NoteArray) -> Iterator[Part]:
    words = np.array([piece_of_key(int(key)) for key in notes["pitch"]])
    kit = np.isin(words, list(kit_keys()))
    if kit.any():
        yield Part("Drums", "drums", notes[kit], percussion=True)
    for word in sorted(set(words[~kit].tolist())):
        yield Part(_title(word), word, notes[words == word], percussion=True)


def _leading(arrays: Sequence[NoteArray]) -> int | None:
    """The part that sounds like a melody: mostly one note at a time, high, and much of it."""
    best, chosen = 0.0, None
    for number, notes in enumerate(arrays):
        if len(notes) < 16:
            continue
        alone = float((np.diff(notes["start_s"]) > 0.03).mean())
        pitch = float(np.median(notes["pitch"]))
        score = (alone > 0.9) * (55 <= pitch <= 90) * np.log(len(notes)) * pitch
        if score > best:
            best, chosen = float(score), number
    return chosen
