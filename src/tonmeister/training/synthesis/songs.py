"""Synthesized songs: what they hold, how they are asked for, and the two functions that make them.

A track has three forms, all aligned and equally long. `dry` is the instrument alone. `raw` is what a mixer gets:
behind microphone, room, bleed, noise and level. `processed` is behind the strip of a synthetic engineer, fader and
pan included; the processed tracks add up to the `mix` exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.units import FloatArray, Range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan
    from tonmeister.training.synthesis.engineer import Desk

    NoteArray = NDArray[np.void]
else:
    NoteArray = Any

__all__ = [
    "NOTE",
    "NoteArray",
    "Provenance",
    "SynthesisOptions",
    "SynthesizedSong",
    "SynthesizedTrack",
    "songs",
    "synthesize",
]

NOTE: Final = np.dtype(
    [("start_s", np.float64), ("length_s", np.float64), ("pitch", np.int16), ("velocity", np.int16)]
)
"""One note: when it is struck and for how long, MIDI pitch (0 to 127), MIDI velocity (1 to 127)."""

_RANGES: Final[Mapping[str, Range]] = {
    "duration_s": Range(1.0, 600.0, "s"),
    "fewest_parts": Range(1, 64),
    "most_parts": Range(1, 64),
    "transposition": Range(0, 24, "semitones"),
    "tempo_spread": Range(0.0, 0.5),
    "timing_jitter_ms": Range(0.0, 100.0, "ms"),
    "velocity_spread": Range(0.0, 1.0),
    "share_of_midi": Range(0.0, 1.0),
    "share_of_synthesizer": Range(0.0, 1.0),
    "share_of_drumkits": Range(0.0, 1.0),
    "share_of_singers": Range(0.0, 1.0),
    "faults": Range(0.0, 1.0),
    "moving_faders": Range(0.0, 1.0),
}


@dataclass(frozen=True)
class SynthesisOptions:
    """What songs are made from and how much they vary; the defaults are the variation that was tried."""

    duration_s: float = 30.0
    """Length of a song, or of the excerpt of a longer one, seconds."""
    sample_rate: int = 44_100
    midi: tuple[Path, ...] = ()
    """Folders (searched for .mid and .midi, subfolders too) or files; with none, songs are composed."""
    soundfonts: tuple[Path, ...] | None = None
    """SoundFont files; None takes those found on this machine, () none: the built-in synthesizer plays all."""
    drumkits: tuple[Path, ...] | None = None
    """Hydrogen drum kit folders; None takes those found on this machine, () none."""
    voices: tuple[Path, ...] = ()
    """Folders or files of recorded voices; those not given are sung by a simple synthetic singer."""
    styles: tuple[str, ...] = ()
    """Styles to compose in; () all."""
    fewest_parts: int = 3
    most_parts: int = 12
    """Parts of a song before the drums are split into microphones."""
    transposition: int = 4
    """Most semitones up or down."""
    tempo_spread: float = 0.15
    """Tempo is multiplied by 1 - spread to 1 + spread."""
    timing_jitter_ms: float = 6.0
    """Standard deviation of the moment a note is struck."""
    velocity_spread: float = 0.15
    """Standard deviation of how hard, as a share."""
    share_of_midi: float = 0.6
    """How many songs come from `midi` where it is given; the rest is composed."""
    share_of_synthesizer: float = 0.1
    """How many acoustic parts the built-in synthesizer plays where there are soundfonts."""
    share_of_drumkits: float = 0.4
    """How many kits come from `drumkits` where there are any."""
    share_of_singers: float = 0.4
    """How many composed songs without recorded voices have a synthetic singer."""
    faults: float = 1.0
    """Scales how often and how much recordings are at fault: 0 clean, 1 as in practice."""
    moving_faders: float = 0.0
    """Share of songs whose faders move."""

    def __post_init__(self) -> None:
        for name, allowed in _RANGES.items():
            allowed.check(name, getattr(self, name))
        if not isinstance(self.sample_rate, int) or self.sample_rate not in range(8000, 192_001):
            raise BadInputError(f"sample_rate={self.sample_rate!r} is out of range: give 8000 to 192000 Hz")
        if self.fewest_parts > self.most_parts:
            raise BadInputError(
                f"fewest_parts={self.fewest_parts} is more than most_parts={self.most_parts}: give less"
            )

    @property
    def frames(self) -> int:
        """Length of every track of a song."""
        return round(self.duration_s * self.sample_rate)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a track's sound was made from."""

    kind: str
    """``soundfont``, ``synthesizer``, ``drumkit``, ``voice`` (a recording) or ``singer`` (synthetic)."""
    source: str
    """Name of the soundfont, drum kit or recording; the patch of the synthesizer."""
    bank: int | None = None
    program: int | None = None
    preset: str = ""
    """What the source calls this sound."""
    score: str = ""
    """Name of the MIDI file, or ``composed: <style>``."""
    license: str = ""
    """What the source says about its licence, where it says anything."""


@dataclass(frozen=True, eq=False)
class SynthesizedTrack:
    """One track of a synthesized song with its true labels; audio is float32 (channels, frames)."""

    name: str
    instrument: str
    """A word of `vocabulary.INSTRUMENTS`: the truth."""
    role: str
    """A word of `vocabulary.ROLES`."""
    dry: FloatArray = field(repr=False)
    raw: FloatArray = field(repr=False)
    provenance: Provenance
    notes: NoteArray = field(repr=False)
    """What was played, dtype `NOTE`; empty for recorded voices."""
    recording: Mapping[str, Any] = field(default_factory=dict)
    """What the recording did to the dry sound, in plain data: microphone, room, bleed, noise, faults, level."""
    group: str | None = None
    """Several microphones of one source share a group."""
    desk: Desk | None = field(default=None, repr=False)

    @property
    def processed(self) -> FloatArray:
        """Behind the engineer's strip: (2, frames)."""
        assert self.desk is not None
        return self.desk.outputs[self.name]


@dataclass(frozen=True, eq=False)
class SynthesizedSong:
    """A song with everything that is true about it."""

    title: str
    sample_rate: int
    seed: int
    tempo_bpm: float
    style: str
    """Style it was composed in, or ``midi``."""
    tracks: tuple[SynthesizedTrack, ...]
    desk: Desk = field(repr=False)
    notes: tuple[str, ...] = ()
    """What was noticed while making it, for a reader."""

    @property
    def plan(self) -> MixPlan:
        """The true settings of the synthetic engineer's console, for the raw tracks."""
        return self.desk.plan

    @property
    def mix(self) -> FloatArray:
        """The engineer's mix: the sum of the processed tracks; (2, frames)."""
        return self.desk.mix

    @cached_property
    def multitrack(self) -> Multitrack:
        """The raw tracks as a song to be mixed, truly labelled."""
        return self.desk.multitrack

    @property
    def frames(self) -> int:
        return int(self.tracks[0].raw.shape[1])

    def __getitem__(self, name: str) -> SynthesizedTrack:
        return next(t for t in self.tracks if t.name == name)


def synthesize(seed: int, options: SynthesisOptions | None = None) -> SynthesizedSong:
    """One song: a function of the seed, the options and the files these name.

    The console (`plan`, `processed`, `mix`) runs only when asked for. Raises `BadInputError` for sources that hold
    nothing usable and `MissingExtraError` when FluidSynth or mido is needed and not there.
    """
    from tonmeister.training.synthesis.making import make_song

    return make_song(int(seed), options or SynthesisOptions())


def songs(
    seed: int, options: SynthesisOptions | None = None, *, start: int = 0, step: int = 1
) -> Iterator[SynthesizedSong]:
    """An endless stream: songs number `start`, `start` + `step`... of the stream of `seed`."""
    from tonmeister.training.synthesis.randomness import song_seed

    index = start
    while True:
        yield synthesize(song_seed(seed, index), options)
        index += step
