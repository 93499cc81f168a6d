"""Notes through FluidSynth: each soundfont is loaded once per process, every rendering starts from scratch.

A voice of FluidSynth remembers how loud it was when it was last used, which shows in the first block of its next
note. So a synthesizer lives for one rendering only; what is kept is the font, which all of them share, and the
samples of every preset ever used. The same notes then give the same samples, whatever was played before.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import FloatArray

__all__ = ["DRUM_BANK", "SUFFIXES", "SoundFont", "find_soundfonts", "fluidsynth_version", "load_soundfont"]

DRUM_BANK: Final = 128
SUFFIXES: Final = (".sf2", ".sf3")
INSTALL: Final = "apt install libfluidsynth3 timgm6mb-soundfont"

_FOLDERS: Final = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
)
"""Where distributions put soundfonts."""
_BLOCK: Final = 64
"""FluidSynth computes blocks of this many frames; events fall on their borders."""
_QUIET: Final = range(5)
"""Levels of FluidSynth's log, all of them: what matters is said by exceptions."""
_GAIN: Final = 0.5


def search_folders() -> list[Path]:
    """Folders in which soundfonts are looked for: the user's, then the system's."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    own = (Path(data).expanduser() / name for name in ("soundfonts", "sounds/sf2", "sounds/sf3"))
    return [*own, *map(Path, _FOLDERS)]


def find_soundfonts() -> tuple[Path, ...]:
    """Soundfonts on this machine, links resolved, by name."""
    found = {
        path.resolve()
        for folder in search_folders()
        if folder.is_dir()
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return tuple(sorted(found, key=lambda path: path.name))


def fluidsynth_version() -> str | None:
    """Version of the FluidSynth library, or None when it or its Python side is not there."""
    try:
        library = _library()
    except BadInputError:  # a missing extra is one of them
        return None
    numbers = [ctypes.c_int() for _ in range(3)]
    library._fl.fluid_version(*map(ctypes.byref, numbers))
    return ".".join(str(n.value) for n in numbers)


def load_soundfont(path: Path, sample_rate: int) -> SoundFont:
    """The font, loaded at the first call in a process.

    Raises `BadInputError` for a file that is no soundfont, `MissingExtraError` without FluidSynth.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInputError(f"{path}: no such soundfont: give an .sf2 or .sf3 file, or {INSTALL}")
    return _loaded(path.resolve(), sample_rate, os.getpid())


@lru_cache(maxsize=32)
def _loaded(path: Path, sample_rate: int, process: int) -> SoundFont:
    return SoundFont(path, sample_rate)


@lru_cache(maxsize=1)
def _library() -> Any:
    """The module ``fluidsynth``, silenced, with the four functions it does not declare itself."""
    try:
        with redirect_stdout(StringIO()):  # where CI is set, it prints where it found the library
            import fluidsynth
    except ModuleNotFoundError:
        raise MissingExtraError(f"playing soundfonts (beside {INSTALL})", extra="train") from None
    except (ImportError, OSError):
        raise BadInputError(
            f"the library of FluidSynth is not installed: {INSTALL}, or give no soundfonts (--no-soundfonts)"
        ) from None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library = fluidsynth._fl
    library.fluid_synth_write_float.argtypes = [pointer, number, *[pointer, number, number] * 2]
    library.fluid_synth_add_sfont.argtypes = [pointer, pointer]
    library.fluid_synth_remove_sfont.argtypes = [pointer, pointer]
    library.fluid_set_log_function.argtypes = [number, pointer, pointer]
    for level in _QUIET:
        library.fluid_set_log_function(level, None, None)
    return fluidsynth


class SoundFont:
    """One font and the samples of its presets that were used."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.path = path
        self._rate = sample_rate
        self._fluidsynth = _library()
        self._keeper = self._synthesizer(channels=256)
        self._id = self._keeper.sfload(str(path))
        if self._id < 0:
            raise BadInputError(f"{path}: FluidSynth cannot read it: give an .sf2 or .sf3 soundfont")
        self._font = self._fluidsynth.fluid_synth_get_sfont_by_id(self._keeper.synth, self._id)
        self._kept: dict[tuple[int, int], int] = {}
        for bank in (0, DRUM_BANK):  # every new synthesizer selects these two at first
            if self.preset(bank, 0):
                self._keep(bank, 0)

    @property
    def name(self) -> str:
        return self.path.name

    def preset(self, bank: int, program: int) -> str:
        """Name of a preset; '' when the font does not have it."""
        return self._fluidsynth.Synth.sfpreset_name(self._keeper, self._id, bank, program) or ""

    def play(self, notes: NoteArray, *, bank: int, program: int, frames: int) -> FloatArray:
        """The notes through a preset, without reverb and chorus: float32 (2, frames)."""
        self._keep(bank, program)
        synth = self._synthesizer(channels=16)
        number = self._fluidsynth._fl.fluid_synth_add_sfont(synth.synth, self._font)
        try:
            synth.program_select(0, number, bank, program)
            return self._rendered(synth, notes, frames)
        finally:
            self._fluidsynth._fl.fluid_synth_remove_sfont(synth.synth, self._font)
            synth.delete()

    def _synthesizer(self, channels: int) -> Any:
        settings = {
            "synth.reverb.active": 0,
            "synth.chorus.active": 0,
            "synth.dynamic-sample-loading": 1,
        }
        rate = float(self._rate)
        return self._fluidsynth.Synth(gain=_GAIN, samplerate=rate, channels=channels, **settings)

    def _keep(self, bank: int, program: int) -> None:
        """Hold a preset's samples for later renderings, the last 256 of them."""
        if (bank, program) not in self._kept:
            channel = len(self._kept) % 256
            self._kept = {k: c for k, c in self._kept.items() if c != channel} | {(bank, program): channel}
            self._keeper.program_select(channel, self._id, bank, program)

    def _rendered(self, synth: Any, notes: NoteArray, frames: int) -> FloatArray:
        blocks = -(-frames // _BLOCK)
        out = np.zeros((2, blocks * _BLOCK), np.float32)
        write, handle = self._fluidsynth._fl.fluid_synth_write_float, synth.synth
        left, right = out[0].ctypes.data, out[1].ctypes.data
        at = 0
        for block, pitch, velocity in _events(notes, self._rate, blocks):
            if block > at:
                write(handle, (block - at) * _BLOCK, left, at * _BLOCK, 1, right, at * _BLOCK, 1)
                at = block
            if velocity:
                synth.noteon(0, pitch, velocity)
            else:
                synth.noteoff(0, pitch)
        while at < blocks and synth.get_active_voice_count():
            step = min(64, blocks - at)
            write(handle, step * _BLOCK, left, at * _BLOCK, 1, right, at * _BLOCK, 1)
            at += step
        return out[:, :frames]


def _events(notes: NoteArray, sample_rate: int, blocks: int) -> Iterator[tuple[int, int, int]]:
    """(block, pitch, velocity) in order of time, velocity 0 for the end; a pitch ends before it is struck again."""
    per_block = sample_rate / _BLOCK
    start = np.rint(notes["start_s"] * per_block).astype(np.int64)
    stop = np.maximum(np.rint((notes["start_s"] + notes["length_s"]) * per_block).astype(np.int64), start + 1)
    stop = _ended_before_repeats(notes["pitch"], start, stop)
    events: Sequence[tuple[int, int, int, int]] = sorted(
        [
            *zip(start.tolist(), [1] * len(start), notes["pitch"].tolist(), notes["velocity"].tolist(), strict=True),
            *zip(stop.tolist(), [0] * len(start), notes["pitch"].tolist(), [0] * len(start), strict=True),
        ]
    )  # fmt: skip
    for block, _, pitch, velocity in events:
        if 0 <= block < blocks:
            yield block, pitch, velocity


def _ended_before_repeats(pitch: Any, start: Any, stop: Any) -> Any:
    order = np.lexsort((start, pitch))
    same = pitch[order][1:] == pitch[order][:-1]
    ended = stop[order]
    ended[:-1] = np.where(same, np.minimum(ended[:-1], start[order][1:]), ended[:-1])
    result = np.empty_like(stop)
    result[order] = ended
    return result
