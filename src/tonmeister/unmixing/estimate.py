"""`unmix`: align, set up the equations in one pass, solve every frame, smooth, read off."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, nearest
from tonmeister.multitrack import Multitrack
from tonmeister.units import Range, power_to_db
from tonmeister.unmixing import MODES, remarks
from tonmeister.unmixing.alignment import Alignment, align
from tonmeister.unmixing.equations import Equations, Spectra, Waveform, collect
from tonmeister.unmixing.reading import Block, MixSource, side_by_side
from tonmeister.unmixing.result import Unmixed
from tonmeister.unmixing.solution import Solution, solve_mode
from tonmeister.unmixing.tracks import found_tracks

__all__ = ["Settings", "unmix_multitrack"]

Progress = Callable[[str, float], None]

COHERENT_FITS: Final = 0.25
POWER_FITS: Final = 0.2
"""Residual shares up to which ``auto`` stays with a mode.

Measured on a mix with known gains: coherent gains were the nearest ones behind a soft limiter (residual up to 0.09)
and under reverb (up to 0.55), and fell behind the others when a high-pass turned the phase (from 0.43 on).
"""
LATE_FITS: Final = 0.05
"""The same for coherent where a delay was given that is not the best one."""
MISSING_BLOCK: Final = 0.1
"""Part of a block that the mix may leave uncovered."""

_RANGES: Final = {
    "hop_s": Range(0.02, 10.0, "s"),
    "window_s": Range(0.05, 60.0, "s"),
    "delay_ms": Range(-600_000.0, 600_000.0, "ms"),
    "activity_db": Range(-120.0, 0.0, "dB"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of `unmix`, checked."""

    mode: str
    hop_s: float
    window_s: float
    delay_ms: float | None
    activity_db: float
    threads: int | None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInputError(
                f"mode={self.mode!r} is unknown{nearest(self.mode, list(MODES))}: give one of {', '.join(MODES)}"
            )
        for name, allowed in _RANGES.items():
            value = getattr(self, name)
            if value is not None:
                allowed.check(name, value)
        if self.window_s < self.hop_s:
            raise BadInputError(
                f"window_s={self.window_s} is shorter than hop_s={self.hop_s}: give a longer one"
            )

    @property
    def workers(self) -> int:
        return max(1, self.threads or os.cpu_count() or 1)


def unmix_multitrack(
    multitrack: Multitrack, mix: Path | Audio, settings: Settings, progress: Progress | None = None
) -> Unmixed:
    """See `tonmeister.unmixing.unmix`."""
    told = progress or (lambda stage, done: None)
    source = MixSource(mix)
    song, notes = _without_the_mix(multitrack, source)
    told("aligning the mix", 0.0)
    rate = song.sample_rate
    given = None if settings.delay_ms is None else settings.delay_ms * rate / 1000.0
    alignment = align(song, source, threads=settings.workers, delay_frames=given)
    told("aligning the mix", 1.0)
    work = _Work(song, source, alignment, settings, told)
    return work.read_off(work.solve(), notes)


def _without_the_mix(multitrack: Multitrack, mix: MixSource) -> tuple[Multitrack, list[str]]:
    """The tracks less the mix itself, where that lies among them."""
    path = mix.path.resolve() if mix.path is not None else None
    kept = tuple(
        t for t in multitrack.tracks if path is None or all(s.path.resolve() != path for s in t.sources)
    )
    if not kept:
        raise BadInputError(
            f"{mix.name}: there is no track beside the mix itself: give the folder of its tracks"
        )
    left_out = [t.file for t in multitrack.tracks if t not in kept]
    notes = [f"{file}: is the mix, and not taken as a track" for file in left_out]
    return dataclasses.replace(multitrack, tracks=kept), notes


class _Work:
    """The passes over the audio and the solutions they lead to."""

    def __init__(
        self, song: Multitrack, mix: MixSource, alignment: Alignment, settings: Settings, told: Progress
    ) -> None:
        self.song, self.mix, self.alignment, self.settings = song, mix, alignment, settings
        self._told = told
        self.block_frames = max(1, round(settings.hop_s * song.sample_rate))
        self.hop_s = self.block_frames / song.sample_rate
        self.overlap = max(1, round(settings.window_s / settings.hop_s))

    def solve(self) -> Solution:
        """The solution in the mode asked for, or in the first that fits."""
        mode = self.settings.mode
        if mode in ("auto", "coherent"):
            coherent = self._solution("coherent", collect(self._blocks("waveforms"), Waveform())[0])
            fits = COHERENT_FITS if self.alignment.best_taken else LATE_FITS
            if mode == "coherent" or coherent.share < fits:
                return coherent
        magnitudes, powers = collect(self._blocks("spectra"), Spectra(self.song.sample_rate))
        if mode in ("auto", "power"):
            power = self._solution("power", powers)
            if mode == "power" or power.share < POWER_FITS:
                return power
        return self._solution("magnitude", magnitudes)

    def _blocks(self, what: str) -> Iterator[Block]:
        total = max(math.ceil(self.song.frames / self.block_frames), 1)
        blocks = side_by_side(
            self.song, self.mix, delay_frames=self.alignment.delay_frames, block_frames=self.block_frames,
            threads=self.settings.workers,
        )  # fmt: skip
        for number, block in enumerate(blocks, 1):
            yield block
            self._told(f"comparing {what}", number / total)

    def _covered(self, blocks: int) -> NDArray[np.bool_]:
        """Which blocks the mix covers."""
        rate = self.song.sample_rate
        start = -self.alignment.delay_frames
        end = start + self.mix.frames_at(rate)
        slack = MISSING_BLOCK * self.block_frames
        begins = np.arange(blocks) * self.block_frames
        ends = np.minimum(begins + self.block_frames, self.song.frames)
        return np.asarray((begins >= start - slack) & (ends <= end + slack))

    def _solution(self, mode: str, blocks: Equations) -> Solution:
        return solve_mode(
            mode, blocks, self._covered(blocks.stretches), overlap=min(self.overlap, blocks.stretches),
            activity_db=self.settings.activity_db, inverted=self.alignment.inverted,
        )  # fmt: skip

    def read_off(self, solution: Solution, notes: list[str]) -> Unmixed:
        """The result, with everything said aloud that the reader should know."""
        alignment, rate = self.alignment, self.song.sample_rate
        tracks = found_tracks(self.song, solution, overlap=self.overlap, recognized=alignment.certain)
        frames = solution.windows.stretches
        notes += remarks.about_mix(self.song, self.mix)
        notes += remarks.about_alignment(alignment, rate)
        notes += remarks.about_fit(solution.mode, self.settings.mode, solution.share, solution.alike, tracks)
        return Unmixed(
            multitrack=self.song,
            mix=self.mix.title,
            mode=solution.mode,
            tracks=tracks,
            times_s=np.asarray((np.arange(frames) + 0.5 * self.overlap) * self.hop_s, np.float64),
            residual=solution.residual,
            residual_db=power_to_db(solution.share),
            delay_ms=alignment.delay_frames * 1000.0 / rate,
            inverted=solution.inverted,
            recognized=alignment.certain,
            hop_s=self.hop_s,
            window_s=self.overlap * self.hop_s,
            notes=tuple(notes),
        )
