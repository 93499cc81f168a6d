"""`unmix`: align, set up the equations in one pass, solve every frame, smooth, read off."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, nearest
from tonmeister.multitrack import Multitrack
from tonmeister.units import DoubleArray, Range, db_to_power, power_to_db
from tonmeister.unmixing import MODES, remarks
from tonmeister.unmixing.alignment import Alignment, align
from tonmeister.unmixing.equations import Equations, Spectra, Waveform, collect
from tonmeister.unmixing.reading import Block, MixSource, side_by_side
from tonmeister.unmixing.readout import (
    BIAS_DB,
    Sides,
    confidences,
    level_db,
    pan_of,
    sd_db_of,
    span,
    together,
)
from tonmeister.unmixing.result import FLOOR_DB, FoundTrack, Unmixed
from tonmeister.unmixing.smoothing import smooth
from tonmeister.unmixing.solving import alike, fit, whole_song

__all__ = ["Settings", "unmix_multitrack"]

Progress = Callable[[str, float], None]
BoolArray = NDArray[np.bool_]

COHERENT_FITS: Final = 0.05
POWER_FITS: Final = 0.2
"""Residual shares up to which ``auto`` stays with a mode (start values of the method's description)."""
SILENT_POWER: Final = 1e-10
"""-100 dB re full scale: quieter frames are never active."""
ONE_SIDED: Final = 1e-6
"""A side this much weaker (in energy) than the other one says nothing about the track."""
MISSING_BLOCK: Final = 0.1
"""Part of a block that the mix may leave uncovered."""
MOVES_DB: Final = 0.5
PANS: Final = 0.1
"""Spans (of the middle 90 %) from which a fader or pan counts as moved."""
PAN_PER_DB: Final = 2.0 / (np.pi * 20.0 / np.log(10.0))
"""What a decibel between left and right does to a centered pan."""
CERTAINLY: Final = 3.0
"""and at least so many standard deviations."""
UNRECOGNIZED: Final = 0.25
"""Factor on the confidence when the tracks are not recognized in the waveform."""

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


@dataclass(frozen=True, eq=False)
class _Solution:
    """What one mode found, before smoothing."""

    mode: str
    windows: Equations
    valid: BoolArray
    active: BoolArray
    """(frames, sides, tracks)."""
    sides: Sides
    static: DoubleArray
    """(sides, tracks)."""
    signs: DoubleArray
    inverted: bool
    residual: DoubleArray
    share: float
    alike: Sequence[tuple[int, int]]


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
    solution = work.solve()
    notes += remarks.about_mix(song, source)
    return _read_off(work, solution, notes)


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

    def solve(self) -> _Solution:
        """The solution in the mode asked for, or in the first that fits."""
        mode = self.settings.mode
        if mode in ("auto", "coherent"):
            coherent = self._solution("coherent", collect(self._blocks("waveforms"), Waveform())[0])
            if mode == "coherent" or coherent.share < COHERENT_FITS:
                return coherent
        magnitudes, powers = collect(self._blocks("spectra"), Spectra(self.song.sample_rate))
        if mode in ("auto", "power"):
            power = self._solution("power", powers)
            if mode == "power" or power.share < POWER_FITS:
                return power
        return self._solution("magnitude", magnitudes)

    def _blocks(self, what: str) -> Iterator[Block]:
        total = max(-(-self.song.frames // self.block_frames), 1)
        blocks = side_by_side(
            self.song, self.mix, delay_frames=self.alignment.delay_frames, block_frames=self.block_frames,
            threads=self.settings.workers,
        )  # fmt: skip
        for number, block in enumerate(blocks, 1):
            yield block
            self._told(f"comparing {what}", number / total)

    def _covered(self, blocks: int) -> BoolArray:
        """Which blocks the mix covers."""
        rate = self.song.sample_rate
        start = -self.alignment.delay_frames
        end = start + self.mix.frames_at(rate)
        slack = MISSING_BLOCK * self.block_frames
        begins = np.arange(blocks) * self.block_frames
        ends = np.minimum(begins + self.block_frames, self.song.frames)
        return np.asarray((begins >= start - slack) & (ends <= end + slack))

    def _solution(self, mode: str, blocks: Equations) -> _Solution:
        covered = self._covered(blocks.stretches)
        overlap = min(self.overlap, blocks.stretches)
        valid = np.asarray(np.lib.stride_tricks.sliding_window_view(covered, overlap).all(axis=1))
        if not valid.any():
            raise BadInputError(
                f"{self.mix.name}: does not cover {overlap * self.hop_s:.2f} s of the tracks: check that it is their mix"
            )
        windows = blocks.summed(overlap)
        active = _active(windows, self.settings.activity_db) & valid[:, None, None]
        if not active.any():
            raise BadInputError("every track is silent where the mix is: check the export")
        bounded = mode != "coherent"
        blocks = blocks.mapped(lambda values: values[covered])
        static = whole_song(blocks, np.asarray(active.any(axis=0)), bounded=bounded)
        signs = np.ones(static.shape[1])
        inverted = self.alignment.inverted
        if not bounded:
            signs, inverted = _signs(static, blocks)
            blocks, windows = blocks.turned(signs), windows.turned(signs)
            static = static * signs
        pairs = alike(blocks)
        pulled = np.isin(np.arange(len(signs)), np.asarray(pairs, int).ravel())
        found = fit(windows, active, bounded=bounded, prior=static, pulled=pulled)
        energy = np.where(valid, windows.mix.sum(axis=1), 0.0)
        left = np.where(valid, found.residual.sum(axis=1), 0.0)
        share = float(left.sum() / energy.sum()) if energy.sum() > 0 else 1.0
        residual = np.divide(left, energy, out=np.full(len(left), np.nan), where=energy > 0)
        sides = Sides(found.gains, found.variance)
        if mode == "power":
            sides, static = _rooted(sides), np.sqrt(np.maximum(static, 0.0))
        relative = signs * (-1.0 if inverted and not bounded else 1.0)
        return _Solution(
            mode, windows, valid, active, sides, np.maximum(static, 0.0), relative, inverted, residual, share, pairs
        )  # fmt: skip


def _active(windows: Equations, activity_db: float) -> BoolArray:
    """Which side of which track says something in which frame, (frames, sides, tracks)."""
    energy = windows.tracks.sum(axis=1)
    audible = energy > SILENT_POWER * windows.size * windows.tracks.shape[1]
    loud = np.array(
        [np.percentile(e[a], 95) if a.any() else np.inf for e, a in zip(energy.T, audible.T, strict=True)]
    )
    active = audible & (energy > db_to_power(activity_db) * loud)
    sided = windows.tracks > ONE_SIDED * energy[:, None, :]
    return np.broadcast_to(active[:, None, :] & sided, windows.cross.shape)


def _signs(static: DoubleArray, blocks: Equations) -> tuple[DoubleArray, bool]:
    """Polarity of every track in the mix, and whether most of what they add up to is inverted."""
    gains = np.nan_to_num(static)
    energy = np.einsum("tckk->ck", blocks.gram)
    pushed = np.sum(np.sign(gains) * np.square(gains) * energy, axis=0)
    inverted = bool(pushed.sum() < 0)
    usual = -1.0 if inverted else 1.0
    heard = np.abs(gains).max(axis=0) > 10.0 ** (FLOOR_DB / 20.0)
    return np.where(heard & (pushed * usual < 0), -usual, usual), inverted


def _rooted(sides: Sides) -> Sides:
    """Gains from gains of power: the square root and, to first order, its variance."""
    sd = np.sqrt(sides.variance)
    safe = np.maximum(np.maximum(sides.gains, sd), 1e-30)
    return Sides(np.sqrt(sides.gains), sides.variance / (4.0 * safe))


def _read_off(work: _Work, solution: _Solution, notes: list[str]) -> Unmixed:
    song, windows = work.song, solution.windows
    frames, sides, tracks = solution.sides.gains.shape
    overlap = min(work.overlap, work.overlap if frames > 1 else 1)
    flat = (solution.sides.gains.reshape(frames, -1), solution.sides.variance.reshape(frames, -1))
    smoothed, variance = smooth(*flat, overlap)
    there = ~np.isnan(solution.sides.gains)
    gains = np.where(there, np.maximum(smoothed, 0.0).reshape(frames, sides, tracks), np.nan)
    spread = np.where(there, variance.reshape(frames, sides, tracks), np.nan)
    gain, gain_variance = together(Sides(gains, spread))
    energy = windows.tracks.mean(axis=1)
    sd_db = sd_db_of(gain, gain_variance, energy, windows.sounding.mean(axis=1))
    sure = confidences(sd_db, 1.0 - np.clip(np.nan_to_num(solution.residual), 0.0, 1.0), solution.mode)
    sure *= 1.0 if work.alignment.certain else UNRECOGNIZED
    whole = together(Sides(solution.static[None], np.zeros((1, *solution.static.shape))))[0][0]
    readings = _Readings(
        level_db(gain),
        pan_of(gains),
        sd_db,
        sure,
        level_db(whole),
        pan_of(solution.static),
        solution.signs < 0,
    )
    found = tuple(_track(song, index, readings, solution.mode) for index in range(tracks))
    notes = [
        *notes,
        *remarks.about_fit(
            solution.mode, work.settings.mode, solution.share, work.alignment, solution.alike, found
        ),
    ]
    return Unmixed(
        multitrack=song, mix=work.mix.name, mode=solution.mode, tracks=found,
        times_s=np.asarray((np.arange(frames) + 0.5 * work.overlap) * work.hop_s, np.float64), residual=solution.residual,
        residual_db=power_to_db(solution.share),
        delay_ms=work.alignment.delay_frames * 1000.0 / song.sample_rate, inverted=solution.inverted,
        recognized=work.alignment.certain, hop_s=work.hop_s, window_s=work.overlap * work.hop_s, notes=tuple(notes),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Readings:
    """Of all tracks; series (frames, tracks), the rest (tracks,)."""

    curve_db: DoubleArray
    pan_curve: DoubleArray
    sd_db: DoubleArray
    confidences: DoubleArray
    gain_db: DoubleArray
    pan: DoubleArray
    inverted: BoolArray


def _track(song: Multitrack, index: int, read: _Readings, mode: str) -> FoundTrack:
    curve, sd = read.curve_db[:, index], read.sd_db[:, index]
    active = np.isfinite(curve)
    heard = bool(active.any())
    uncertain_db = max(CERTAINLY * float(np.median(sd[active])), 2.0 * BIAS_DB[mode]) if heard else np.inf
    moves = span(curve) > max(MOVES_DB, uncertain_db)
    pans = span(read.pan_curve[:, index]) > max(PANS, uncertain_db * PAN_PER_DB)
    pan = float(read.pan[index])
    track = song.tracks[index]
    return FoundTrack(
        name=track.name, file=track.file,
        gain_db=round(float(read.gain_db[index]), 4) if heard else None,
        pan=round(pan, 4) if heard and np.isfinite(pan) else None,
        inverted=bool(read.inverted[index]),
        confidence=float(np.nanmean(read.confidences[active, index])) if heard else 0.0,
        moves=moves, pans=pans, active=active, curve_db=curve, pan_curve=read.pan_curve[:, index],
        sd_db=sd, confidences=read.confidences[:, index],
    )  # fmt: skip
