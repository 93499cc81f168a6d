"""What a fader on a separated track does, against what it would do on the true one; reference first.

For each track and gain g, with the mixture x, the true track v, its estimate e, the rest a = x - v::

    remix y = x + (g - 1) e        wanted r = g v + a

* ``sdr_db``: 10 log10(|r|^2 / |r - y|^2), over all samples and channels;
* ``expected_sdr_db``: what the law of the remix makes of the separation's SDR alone (`separation.remix_law`), for
  sources that have nothing in common;
* ``achieved_db``: how much louder the true track is in y, 20 log10 |1 + (g - 1) c|, by least squares on {v, a};
* ``loudness_error_lu``: integrated loudness of y less that of r.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.errors import BadInputError
from tonmeister.evaluation.separation import Pairs, mixture, paired_stems, sdr_db
from tonmeister.separation.remix_law import achieved_gain_db, expected_sdr_db, share_reached
from tonmeister.units import DoubleArray, db_to_gain

__all__ = ["GAINS_DB", "RemixEvaluation", "RemixScore", "evaluate_remix", "score_remix"]

GAINS_DB: Final = (-3.0, 3.0)
"""The changes that are tried unless others are asked for."""


@dataclass(frozen=True, slots=True)
class RemixScore:
    """One track moved by one gain."""

    asked_db: float
    achieved_db: float
    sdr_db: float
    expected_sdr_db: float
    loudness_error_lu: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class RemixEvaluation:
    """Every track that sounds, moved by every gain."""

    tracks: Mapping[str, tuple[RemixScore, ...]]
    sample_rate: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "tracks": {name: [s.to_dict() for s in scores] for name, scores in self.tracks.items()},
            "sample_rate": self.sample_rate,
            "notes": list(self.notes),
        }


def evaluate_remix(
    estimates: Path, references: Path, *, gains_db: Sequence[float] = GAINS_DB, mix: Path | None = None
) -> RemixEvaluation:
    """Score remixes of the stems of a folder against those of the true ones; raises as `evaluate_separation`."""
    if any(not math.isfinite(g) or g == 0.0 for g in gains_db):
        raise BadInputError("gain=0: a remix that moves nothing has no error: give gains such as -3 and 3")
    stems = paired_stems(estimates, references)
    total, _ = mixture(stems, mix)
    tracks, notes = score_remix(stems.arrays, total, stems.sample_rate, gains_db)
    return RemixEvaluation(tracks, stems.sample_rate, (*stems.notes, *notes))


def score_remix(
    arrays: Pairs, total: DoubleArray, sample_rate: int, gains_db: Sequence[float] = GAINS_DB
) -> tuple[dict[str, tuple[RemixScore, ...]], list[str]]:
    """Scores of (reference, estimate) pairs within the mixture `total`; and what was noticed."""
    scores: dict[str, tuple[RemixScore, ...]] = {}
    notes = []
    for name, (reference, estimate) in arrays.items():
        frames = min(reference.shape[1], total.shape[1])
        true, guess, whole = reference[:, :frames], estimate[:, :frames], total[:, :frames]
        if not true.any() or not (whole - true).any():
            notes.append(f"{name}: is silent, or all there is: left out")
            continue
        scores[name] = tuple(_score(true, guess, whole, sample_rate, gain_db) for gain_db in gains_db)
    return scores, notes


def _score(
    true: DoubleArray, guess: DoubleArray, whole: DoubleArray, sample_rate: int, gain_db: float
) -> RemixScore:
    change, rest = db_to_gain(gain_db) - 1.0, whole - true
    wanted, got = whole + change * true, whole + change * guess
    ratio = float(np.sum(true**2) / np.sum(rest**2))
    loudness = [_lufs(sound, sample_rate) for sound in (wanted, got)]
    return RemixScore(
        asked_db=gain_db,
        achieved_db=achieved_gain_db(gain_db, share_reached(true, rest, guess)),
        sdr_db=sdr_db(wanted, got),
        expected_sdr_db=expected_sdr_db(gain_db, sdr_db(true, guess), ratio),
        loudness_error_lu=None if None in loudness else loudness[1] - loudness[0],  # type: ignore[operator]
    )


def _lufs(sound: DoubleArray, sample_rate: int) -> float | None:
    meter = LoudnessMeter(sample_rate, len(sound), peaks=False)
    meter.update(np.ascontiguousarray(sound, np.float32))
    return meter.integrated_lufs
