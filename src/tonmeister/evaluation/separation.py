"""How well separated stems match their references, reference first.

* ``sdr_db``: global signal-to-distortion ratio, 10 log10( sum s^2 / sum (s - e)^2 ) over all samples and channels;
* ``si_sdr_db``: the same after the best gain a = <e, s> / <s, s>: 10 log10( |a s|^2 / |e - a s|^2 )
  (Le Roux, Wisdom, Erdogan & Hershey, ICASSP 2019);
* ``bss_sdr_db``, ``bss_isr_db``, ``bss_sir_db``, ``bss_sar_db``: BSS Eval version 4 images, filters of 512 taps,
  windows of 1 s, median over the windows (as museval reports them);
* the null: energy of (mix - sum of the estimates) over the mix's, dB, lower is better.

Higher is better for the ratios. Medians hide failures: the worst window is given too. A silent reference has no
ratios; what the estimate puts there is its leak, in dB re the sum of the references, lower is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio import AUDIO_SUFFIXES, Audio, read_audio
from tonmeister.errors import BadInputError, nearest
from tonmeister.evaluation.bss_eval import FILTER_FRAMES, bss_eval
from tonmeister.units import DoubleArray, power_to_db

__all__ = [
    "PairedStems",
    "Pairs",
    "SeparationEvaluation",
    "StemScore",
    "evaluate_separation",
    "mixture",
    "paired_stems",
    "score_stems",
    "sdr_db",
    "si_sdr_db",
    "stem_files",
]

CAP_DB: Final = 200.0
"""Stands for a perfect match, so that no value is infinite."""
BSS_LIMIT: Final = 10_000
"""Largest system of equations solved for BSS Eval: sources x channels x 512; 0.8 GB."""
LENGTH_TOLERANCE_S: Final = 0.1
_IGNORED: Final = ("mix", "mixture", "residual")

Progress = Callable[[float], None]
Pairs = Mapping[str, tuple[DoubleArray, DoubleArray]]
"""(reference, estimate) by stem, each (channels, frames)."""


@dataclass(frozen=True, slots=True)
class StemScore:
    """One stem; None where the value does not exist."""

    sdr_db: float | None
    si_sdr_db: float | None
    bss_sdr_db: float | None = None
    bss_isr_db: float | None = None
    bss_sir_db: float | None = None
    bss_sar_db: float | None = None
    worst_bss_sdr_db: float | None = None
    leak_db: float | None = None
    silent: str = ""
    """``reference`` or ``estimate`` when one of them holds no sound."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class SeparationEvaluation:
    """All stems, and how well they add up."""

    tracks: Mapping[str, StemScore]
    null_db: float | None
    null_against: str
    sample_rate: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "tracks": {name: score.to_dict() for name, score in self.tracks.items()},
            "null_db": self.null_db,
            "null_against": self.null_against,
            "sample_rate": self.sample_rate,
            "notes": list(self.notes),
        }


def stem_files(folder: Path) -> dict[str, Path]:
    """Audio files of a folder by stem name, lower case; mixtures and residuals are left out."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder: give a folder of stems")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = path.stem.casefold()
        if (
            path.suffix.casefold() in AUDIO_SUFFIXES
            and not path.name.startswith(".")
            and name not in _IGNORED
        ):
            if name in found:
                raise BadInputError(f"{found[name]} and {path.name} have one name: keep one of them")
            found[name] = path
    if not found:
        raise BadInputError(f"{folder}: holds no audio files: give a folder of stems such as vocals.wav")
    return found


@dataclass(frozen=True)
class PairedStems:
    """(reference, estimate) of each stem, at the references' rate; and what was noticed."""

    arrays: Pairs
    sample_rate: int
    notes: tuple[str, ...]


def paired_stems(estimates: Path, references: Path) -> PairedStems:
    """The stems of a folder and those of another, matched by file name; raises as `evaluate_separation`."""
    given, wanted = stem_files(estimates), stem_files(references)
    if missing := [name for name in given if name not in wanted]:
        raise BadInputError(
            f"{references}: has no {missing[0]!r} for {given[missing[0]].name}"
            f"{nearest(missing[0], list(wanted))}: name both files alike"
        )
    notes = tuple(f"{wanted[name].name}: not estimated" for name in wanted if name not in given)
    truth = {name: read_audio(wanted[name]) for name in given}
    rate = _one_rate(truth)
    answer = {name: read_audio(path, rate) for name, path in given.items()}
    return PairedStems({name: _paired(name, truth[name], answer[name]) for name in given}, rate, notes)


def evaluate_separation(
    estimates: Path, references: Path, *, mix: Path | None = None, progress: Progress | None = None
) -> SeparationEvaluation:
    """Score the stems of a folder against those of another, matched by file name.

    Raises `BadInputError` for stems without a partner, of unequal length or channels, and for folders that are
    silent altogether.
    """
    stems = paired_stems(estimates, references)
    total, what = mixture(stems, mix)
    tracks, said = score_stems(stems.arrays, stems.sample_rate, progress=progress)
    estimated = _sum([e for _, e in stems.arrays.values()])
    return SeparationEvaluation(
        tracks, _null_db(total, estimated), what, stems.sample_rate, (*stems.notes, *said)
    )


def _one_rate(audio: Mapping[str, Audio]) -> int:
    rates = {a.sample_rate for a in audio.values()}
    if len(rates) > 1:
        raise BadInputError(f"the references have the sample rates {sorted(rates)}: bring them to one")
    return rates.pop()


def _paired(name: str, reference: Audio, estimate: Audio) -> tuple[DoubleArray, DoubleArray]:
    if reference.channels != estimate.channels:
        raise BadInputError(
            f"{name}: channels={estimate.channels} in the estimate and {reference.channels} in the reference: "
            "give both as mono or both as stereo"
        )
    if abs(reference.duration_s - estimate.duration_s) > LENGTH_TOLERANCE_S:
        raise BadInputError(
            f"{name}: the estimate lasts {estimate.duration_s:.2f} s and the reference {reference.duration_s:.2f} s: "
            "give stems of one length"
        )
    frames = min(reference.frames, estimate.frames)
    if not frames:
        raise BadInputError(f"{name}: the file holds no samples: export it again")
    return tuple(a.samples[:, :frames].astype(np.float64) for a in (reference, estimate))  # type: ignore[return-value]


def mixture(stems: PairedStems, path: Path | None) -> tuple[DoubleArray, str]:
    """The mixture the stems belong to, from its file or as the sum of the references; and which of them it is."""
    mix = read_audio(path, stems.sample_rate) if path else None
    total = _sum([r for r, _ in stems.arrays.values()])
    if not total.any() and mix is None:
        raise BadInputError("all references are silent: nothing can be measured")
    if mix is None:
        return total, "sum of the references"
    if abs(mix.frames - total.shape[1]) > LENGTH_TOLERANCE_S * mix.sample_rate or mix.channels != len(total):
        raise BadInputError(
            f"{path}: {mix.channels} channels of {mix.duration_s:.2f} s do not fit the stems: give their mix"
        )
    return mix.samples.astype(np.float64), "the mix"


def _sum(parts: Sequence[DoubleArray]) -> DoubleArray:
    channels = {len(p) for p in parts}
    if len(channels) > 1:
        raise BadInputError("some stems are mono and some stereo: give all of one kind")
    total = np.zeros((channels.pop(), max(p.shape[1] for p in parts)))
    for part in parts:
        total[:, : part.shape[1]] += part
    return total


def _null_db(total: DoubleArray, estimated: DoubleArray) -> float | None:
    frames = min(total.shape[1], estimated.shape[1])
    energy = float(np.sum(total[:, :frames] ** 2))
    left = float(np.sum((total[:, :frames] - estimated[:, :frames]) ** 2))
    return power_to_db(left / energy) if energy > 0 else None


def score_stems(
    arrays: Pairs,
    sample_rate: int,
    *,
    progress: Progress | None = None,
) -> tuple[dict[str, StemScore], list[str]]:
    """Score pairs of (reference, estimate), each (channels, frames); and what was noticed."""
    told = progress or (lambda done: None)
    total = float(np.sum(_sum([r for r, _ in arrays.values()]) ** 2))
    scores = {name: _global(*pair, total) for name, pair in arrays.items()}
    told(0.2)
    sounding = [name for name, score in scores.items() if not score.silent]
    size = sum(len(arrays[n][0]) for n in sounding) * FILTER_FRAMES
    if not sounding or size > BSS_LIMIT:
        said = (
            [f"BSS Eval is left out: {len(sounding)} stems need a system of {size} equations"]
            if sounding
            else []
        )
        return scores, said
    frames = min(arrays[n][0].shape[1] for n in sounding)
    references, estimates = (np.stack([arrays[n][k][:, :frames] for n in sounding]) for k in (0, 1))
    found = bss_eval(references, estimates, window=sample_rate, hop=sample_rate)
    told(1.0)
    for row, name in enumerate(sounding):
        scores[name] = replace(
            scores[name],
            bss_sdr_db=_median(found.sdr_db[row]),
            bss_isr_db=_median(found.isr_db[row]),
            bss_sir_db=_median(found.sir_db[row]),
            bss_sar_db=_median(found.sar_db[row]),
            worst_bss_sdr_db=_lowest(found.sdr_db[row]),
        )
    said = [f"{n}: {scores[n].silent} is silent: left out of BSS Eval" for n in scores if scores[n].silent]
    return scores, said


def _global(reference: DoubleArray, estimate: DoubleArray, total: float) -> StemScore:
    if not reference.any():
        leak = float(np.sum(estimate**2))
        leak_db = power_to_db(leak / total) if total > 0 else None
        return StemScore(None, None, leak_db=leak_db, silent="reference")
    if not estimate.any():
        return StemScore(0.0, None, silent="estimate")
    return StemScore(sdr_db(reference, estimate), si_sdr_db(reference, estimate))


def sdr_db(reference: DoubleArray, estimate: DoubleArray) -> float:
    """Global signal-to-distortion ratio; 200 for a perfect match."""
    return _ratio_db(float(np.sum(reference**2)), float(np.sum((reference - estimate) ** 2)))


def si_sdr_db(reference: DoubleArray, estimate: DoubleArray) -> float:
    """The same, whatever the gain and polarity of the estimate; -200 when it has nothing of the reference."""
    gain = float(np.sum(reference * estimate)) / float(np.sum(reference**2))
    target = gain * reference
    return _ratio_db(float(np.sum(target**2)), float(np.sum((estimate - target) ** 2)))


def _ratio_db(signal: float, error: float) -> float:
    if signal <= 0.0:
        return -CAP_DB
    return min(10.0 * math.log10(signal / error), CAP_DB) if error > 0.0 else CAP_DB


def _median(values: DoubleArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.clip(np.median(known), -CAP_DB, CAP_DB)) if len(known) else None


def _lowest(values: DoubleArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.clip(known.min(), -CAP_DB, CAP_DB)) if len(known) else None
