"""Everything that is said about one mix, with or without a reference mix and the tracks it was made from.

Several figures, never one: facts, what services do to it, tonal balance, stereo by frequency; with a reference
the paired distances; with tracks who hides what.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis import measure
from tonmeister.analysis.mix import MixMeasurement
from tonmeister.audio import Audio, read_audio
from tonmeister.dsp.correlation import best_lag
from tonmeister.errors import BadInputError
from tonmeister.evaluation.console_loss import console_loss
from tonmeister.evaluation.diff_mst import feature_distance
from tonmeister.evaluation.facts import fact_warnings, facts_group, tonal_group
from tonmeister.evaluation.figures import Group, figure
from tonmeister.evaluation.fxnorm import fxnorm_groups, minimum_frames
from tonmeister.evaluation.masking_report import Masking
from tonmeister.evaluation.platforms import Platform, platforms
from tonmeister.evaluation.spectral_losses import SumDifference, describe, fft_set, stereo_losses
from tonmeister.evaluation.stereo import StereoBand, stereo_bands, stereo_group, stereo_warnings
from tonmeister.tonal_balance import TonalBalance, tonal_balance
from tonmeister.units import db_to_gain

__all__ = ["MixEvaluation", "compare_mixes", "evaluate_mix", "read_mix"]

LENGTH_TOLERANCE_S: Final = 1.0
"""Mixes of one song may differ by a tail; more is another song or another cut."""
MAX_LAG_S: Final = 0.5

Progress = Callable[[float], None]


@dataclass(frozen=True)
class MixEvaluation:
    """One mix, measured."""

    mix: str
    reference: str | None
    groups: tuple[Group, ...]
    platforms: tuple[Platform, ...]
    tonal: TonalBalance
    stereo: tuple[StereoBand, ...]
    measured: MixMeasurement
    masking: Masking | None = None
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, key: str) -> Group:
        return next(g for g in self.groups if g.key == key)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "mix": self.mix,
            "reference": self.reference,
            "groups": {g.key: g.to_dict() for g in self.groups},
            "platforms": [p.to_dict() for p in self.platforms],
            "tonal_balance": {
                "octave_hz": list(self.tonal.octave_hz),
                "deviation_db": list(self.tonal.deviation_db),
                "tolerance_db": list(self.tonal.tolerance_db),
            },
            "stereo_bands": [b.to_dict() for b in self.stereo],
            "masking": self.masking.to_dict() if self.masking else None,
            "measured": self.measured.to_dict(),
            "notes": list(self.notes),
        }


def read_mix(path: Path, sample_rate: int | None = None) -> Audio:
    """A mix in memory; raises `BadInputError` for anything but sound in one or two channels."""
    audio = read_audio(path, sample_rate)
    if audio.channels > 2:
        raise BadInputError(f"{path}: channels={audio.channels}: mixes are evaluated in mono or stereo")
    if not np.isfinite(audio.samples).all():
        raise BadInputError(f"{path}: holds samples that are not finite numbers: export it again")
    if not audio.samples.any():
        raise BadInputError(f"{path}: is silent or empty: nothing can be said about it")
    return audio


def evaluate_mix(
    mix: Path,
    *,
    reference: Path | None = None,
    masking: Masking | None = None,
    match_loudness: bool = True,
    resolutions: str = "mix",
    progress: Progress | None = None,
) -> MixEvaluation:
    """Measure a mix; with `reference`, compare it with that.

    The mix is read at the reference's sample rate. `match_loudness` brings the mix to the reference's integrated
    loudness before spectral losses and global features. Raises `BadInputError` for silent, mono (when compared),
    short or mismatched mixes.
    """
    fft_set(resolutions)
    wanted = read_mix(reference) if reference is not None else None
    own = read_mix(mix, wanted.sample_rate if wanted is not None else None)
    told = progress or (lambda done: None)
    told(0.05)
    measured = measure([own.samples], own.sample_rate, own.channels)
    tonal = tonal_balance(measured.third_octave_db)
    bands = stereo_bands(own) if own.channels == 2 else ()
    told(0.2 if wanted is not None else 0.9)
    groups = [facts_group(measured, own), tonal_group(tonal)]
    notes = fact_warnings(measured)
    if bands:
        groups.append(stereo_group(own, bands))
        notes += stereo_warnings(bands)
    else:
        notes.append("the mix is mono: nothing is said about stereo")
    if wanted is not None and reference is not None:
        compared, said = compare_mixes(
            wanted, own, match_loudness=match_loudness, resolutions=resolutions,
            names=(str(reference), str(mix)), progress=lambda done: told(0.2 + 0.8 * done),
        )  # fmt: skip
        groups += compared
        notes += said
    told(1.0)
    return MixEvaluation(
        str(mix), str(reference) if reference else None, tuple(groups),
        platforms(measured.integrated_lufs, measured.true_peak_dbtp), tonal, bands, measured, masking,
        tuple(notes),
    )  # fmt: skip


def compare_mixes(
    reference: Audio,
    estimate: Audio,
    *,
    match_loudness: bool = True,
    resolutions: str = "mix",
    names: tuple[str, str] = ("the reference", "the mix"),
    progress: Progress | None = None,
) -> tuple[list[Group], list[str]]:
    """All paired distances of two stereo mixes, reference first; and what was noticed."""
    a, b, notes = _paired(reference, estimate, names)
    loudness = [measure([x.samples], x.sample_rate, 2).integrated_lufs for x in (a, b)]
    if loudness[0] is None or loudness[1] is None:
        raise BadInputError(f"{names[0]} or {names[1]} is silent where both overlap: give mixes of one song")
    difference = loudness[1] - loudness[0]
    matched = Audio(b.samples * np.float32(db_to_gain(-difference)), b.sample_rate) if match_loudness else b
    told = progress or (lambda done: None)
    jobs: tuple[Callable[[], tuple[Group, ...]], ...] = (
        lambda: (_spectral_group(a, matched, resolutions),),
        lambda: (_console_group(a, matched),),
        lambda: (feature_distance(a, matched),),
        lambda: fxnorm_groups(a, b),
    )
    groups: list[Group] = [_difference_group(a, b, difference, match_loudness)]
    with ThreadPoolExecutor(2) as pool:
        for number, found in enumerate(pool.map(lambda job: job(), jobs)):
            groups += found
            told((number + 1) / len(jobs))
    if match_loudness:
        notes.append(f"spectral losses and global features: the mix was brought {-difference:+.1f} dB first")
    return groups, notes


def _paired(reference: Audio, estimate: Audio, names: tuple[str, str]) -> tuple[Audio, Audio, list[str]]:
    for name, audio in zip(names, (reference, estimate), strict=True):
        if audio.channels != 2:
            raise BadInputError(
                f"{name}: channels={audio.channels}: two mixes are compared in stereo: give stereo files"
            )
    rate = reference.sample_rate
    if estimate.sample_rate != rate:
        raise BadInputError(f"sample_rate={estimate.sample_rate} and {rate}: bring both to one rate first")
    if abs(reference.frames - estimate.frames) > LENGTH_TOLERANCE_S * rate:
        raise BadInputError(
            f"{names[1]} lasts {estimate.duration_s:.1f} s and {names[0]} {reference.duration_s:.1f} s: "
            "give two mixes of one song that start together"
        )
    frames = min(reference.frames, estimate.frames)
    if frames < minimum_frames():
        raise BadInputError(
            f"{names[1]} lasts {frames / rate:.2f} s: a comparison needs at least {minimum_frames() / rate:.2f} s"
        )
    notes = []
    if reference.frames != estimate.frames:
        notes.append(f"compared over the {frames / rate:.2f} s that both have")
    a, b = (Audio(x.samples[:, :frames], rate) for x in (reference, estimate))
    for name, audio in zip(names, (a, b), strict=True):
        if not audio.samples.any():
            raise BadInputError(f"{name}: is silent: nothing can be compared")
    return a, b, notes + _lag_notes(a, b)


def _lag_notes(reference: Audio, estimate: Audio) -> list[str]:
    """Says when one mix comes late or is inverted; both disturb what compares moment by moment."""
    rate = reference.sample_rate
    start = max(reference.frames // 2 - 5 * rate, 0)
    one, other = (x.samples[:, start : start + 10 * rate].mean(0)[None] for x in (reference, estimate))
    lag = best_lag(one, other, max_lag_frames=min(int(MAX_LAG_S * rate), one.shape[1] // 2))
    if lag is None:
        return []
    notes = []
    if lag.frames and abs(lag.correlation) > 0.5:
        notes.append(f"the mix comes {1000 * lag.frames / rate:+.2f} ms late: align it for exact figures")
    if lag.correlation < -0.5:
        notes.append("the mix has the opposite polarity of the reference")
    return notes


def _difference_group(a: Audio, b: Audio, difference_lu: float, matched: bool) -> Group:
    rms = [float(np.sqrt(np.mean(np.square(x.samples, dtype=np.float64)))) for x in (a, b)]
    figures = (
        figure("loudness_difference", difference_lu, "LU", "neutral", "mix minus reference, integrated"),
        figure(
            "rms_difference", float(20 * np.log10(rms[1] / rms[0])), "dB", "neutral", "mix minus reference"
        ),
    )
    level = "matched to the reference's loudness" if matched else "as it is"
    return Group("difference", "Level against the reference", f"losses below: level {level}", figures)


def _spectral_group(a: Audio, b: Audio, resolutions: str) -> Group:
    chosen = fft_set(resolutions)
    found = stereo_losses(a.samples, b.samples, chosen)
    both, channels = SumDifference(found.sum, found.difference), (found.left, found.right)
    no_side = "the reference has no side signal" if not np.isfinite(both.difference.convergence) else ""
    mean = [sum(v) / 2 for v in zip(*((c.convergence, c.log_magnitude) for c in channels), strict=True)]
    figures = (
        figure("mr_stft", sum(mean), "loss", "lower", "mean of left and right"),
        figure("spectral_convergence", mean[0], "ratio", "lower"),
        figure("log_magnitude", mean[1], "nepers", "lower"),
        figure("sum_difference", both.total, "loss", "lower", no_side),
        figure("sum", both.sum.total, "loss", "lower"),
        figure("difference", both.difference.total, "loss", "lower", no_side),
    )
    method = f"FFT set '{resolutions}': {describe(chosen)}; Hann; {a.sample_rate} Hz; eps 1e-4 inside the log"
    return Group("spectral_losses", "Spectral losses", method, figures)


def _console_group(a: Audio, b: Audio) -> Group:
    loss = console_loss(a, b)
    figures = (
        figure("console_loss", loss.total, "loss", "lower", ".5 LR + .25 M + .25 S"),
        figure("lr", loss.lr, "loss", "lower"),
        figure("mid", loss.mid, "loss", "lower"),
        figure("side", loss.side, "loss", "lower", "large when one of both has hardly any side signal"),
    )
    return Group("console_loss", "Console loss (grafx-prune)",
                 "A-weighted log-mel, 96 bands, FFT 512/1024/4096, hop a quarter, at 30 kHz", figures)  # fmt: skip
