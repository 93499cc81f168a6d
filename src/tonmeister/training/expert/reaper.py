"""Fader automation in a REAPER project (.rpp), as an operation log.

A project is nested blocks, ``<NAME arguments`` to ``>``, of lines of words. Of each track are read its name, fader, pan and
mute, and the envelopes of its volume, pan and mute. Volumes are amplitudes. A pan *envelope* runs from 1 (left) to -1
(right), against the pan knob; the mute envelope is 1 while the track sounds.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tonmeister.engines.expert.files import read_bytes
from tonmeister.engines.expert.oplog import CONTROLS, Move, OperationLog, made_log
from tonmeister.errors import BadInputError
from tonmeister.units import gain_to_db

__all__ = ["load_reaper", "oplog_of_reaper"]

_MOST_BYTES: Final = 64 * 2**20
_MOST_DEPTH: Final = 64
_MOST_POINTS: Final = 1_000_000
_ENVELOPES: Final[Mapping[str, str]] = {"VOLENV2": "fader_db", "PANENV2": "pan", "MUTEENV": "mute"}


@dataclass
class _Track:
    name: str = ""
    gain: float = 1.0
    pan: float = 0.0
    muted: bool = False
    trims: bool = True
    """Automation mode trim/read: the fader trims the envelope; in the others it follows it."""
    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    active: dict[str, bool] = field(default_factory=dict)


def load_reaper(path: Path) -> OperationLog:
    """The automation of a project file."""
    data = read_bytes(path, _MOST_BYTES)
    return oplog_of_reaper(data.decode("utf-8", errors="replace"), path.name)


def oplog_of_reaper(text: str, name: str = "project.rpp") -> OperationLog:
    """The automation in a project's text; tracks without any count as set once, at the beginning."""
    tracks = list(_tracks(text, name))
    if not tracks:
        raise BadInputError(f"{name}: holds no track: is this a REAPER project?")
    names = _unique([t.name or f"Track {n}" for n, t in enumerate(tracks, 1)])
    moves = [m for called, track in zip(names, tracks, strict=True) for m in _moves(called, track)]
    return made_log(names, moves, name)


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _tracks(text: str, name: str) -> Iterator[_Track]:
    """Walk the blocks; a track's own lines are one level inside it, its envelopes' lines two."""
    open_blocks: list[str] = []
    track: _Track | None = None
    points = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line and number > 1:
            continue
        if number == 1 and not line.startswith("<REAPER_PROJECT"):
            raise BadInputError(f"{name}: does not begin with <REAPER_PROJECT: this is no REAPER project")
        if line.startswith("<"):
            open_blocks.append(line[1:].split(" ", 1)[0])
            if len(open_blocks) > _MOST_DEPTH:
                raise BadInputError(f"{name}: line {number}: blocks are nested too deep")
            if open_blocks[-1] == "TRACK" and len(open_blocks) == 2:
                track = _Track()
        elif line == ">":
            if not open_blocks:
                raise BadInputError(f"{name}: line {number}: a block ends that never began")
            if open_blocks.pop() == "TRACK" and len(open_blocks) == 1 and track is not None:
                yield track
                track = None
        elif track is not None and len(open_blocks) == 2:
            _setting(track, line, f"{name}: line {number}")
        elif track is not None and len(open_blocks) == 3 and open_blocks[-1] in _ENVELOPES:
            points += line.startswith("PT ")
            if points > _MOST_POINTS:
                raise BadInputError(f"{name}: more than {_MOST_POINTS} points of automation")
            _envelope(track, open_blocks[-1], line, f"{name}: line {number}")
    if open_blocks:
        raise BadInputError(f"{name}: ends in the middle of a block: the file is cut off")


def _setting(track: _Track, line: str, where: str) -> None:
    key, _, rest = line.partition(" ")
    if key == "NAME":
        track.name = _words(rest)[0] if rest.strip() else ""
    elif key == "VOLPAN":
        track.gain, track.pan = (_number(w, where) for w in rest.split()[:2])
    elif key == "AUTOMODE":
        track.trims = rest.split()[:1] in ([], ["0"])
    elif key == "MUTESOLO":
        track.muted = rest.split()[:1] not in ([], ["0"])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text) or [text]
    except ValueError:
        return [text.strip().strip("\"'`")]


def _envelope(track: _Track, block: str, line: str, where: str) -> None:
    key, *words = line.split()
    if key == "ACT" and words:
        track.active[block] = words[0] != "0"
    elif key == "PT":
        if len(words) < 2:
            raise BadInputError(f"{where}: a point needs a time and a value")
        track.points.setdefault(block, []).append((_number(words[0], where), _number(words[1], where)))


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise BadInputError(f"{where}: {word!r} is not a number") from None
    if not abs(value) < 1e9:
        raise BadInputError(f"{where}: {word!r} is out of any range")
    return value


def _moves(name: str, track: _Track) -> Iterator[Move]:
    still = {"VOLENV2": _fader(track.gain), "PANENV2": track.pan, "MUTEENV": float(track.muted)}
    for block, control in _ENVELOPES.items():
        points = track.points.get(block, []) if track.active.get(block, True) else []
        if not points:
            yield Move(0.0, name, control, CONTROLS[control].clip(still[block]))
        for time_s, value in points:
            yield Move(max(time_s, 0.0), name, control, CONTROLS[control].clip(_read(block, value, track)))


def _read(block: str, value: float, track: _Track) -> float:
    """An envelope's value as ours; where the fader trims, it and the volume envelope multiply."""
    if block == "VOLENV2":
        return _fader(value * track.gain if track.trims else value)
    return -value if block == "PANENV2" else float(value < 0.5)


def _fader(gain: float) -> float:
    return CONTROLS["fader_db"].clip(gain_to_db(gain))
