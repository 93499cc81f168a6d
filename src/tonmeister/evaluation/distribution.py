"""AF-MMD: how far a set of mixes is from a set of reference mixes, on our own audio features.

Unbiased squared maximum mean discrepancy (Gretton et al., JMLR 13, 2012) with the kernel
k(x, y) = exp(-|x - y|^2 / (2 s^2)), s the median distance within the reference set:

    MMD2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j)

reported times 100. It may be slightly negative: it is unbiased, and the sign stays. This is not a KAD or FAD on
the embedding of a network: never print it in one column with those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.diff_mst import global_features
from tonmeister.units import DoubleArray

__all__ = ["FEATURES", "Mmd", "af_mmd", "feature_vector", "mmd_squared"]

FEATURES: Final = (
    *(f"bark_mid_{k}" for k in range(1, 25)),
    *(f"bark_side_{k}" for k in range(1, 25)),
    "crest_db",
    "side_share",
    "imbalance",
    "loudness_range_lu",
)
SHORTEST_S: Final = 3.5
_LEVEL_RMS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Mmd:
    """The value with what belongs to it: sizes of both sets, kernel width, features."""

    af_mmd: float
    estimates: int
    references: int
    kernel_width: float
    features: tuple[str, ...] = FEATURES


def feature_vector(audio: Audio) -> DoubleArray:
    """The features of one stereo mix, in the order of `FEATURES`; independent of its level.

    Width is given as side share E(S) / (E(M) + E(S)), which is bounded. Raises `BadInputError` for mixes that
    are not stereo, silent, or shorter than 3.5 s.
    """
    if audio.channels != 2:
        raise BadInputError(f"channels={audio.channels}: AF-MMD compares stereo mixes: give stereo")
    if audio.duration_s < SHORTEST_S:
        raise BadInputError(
            f"duration_s={audio.duration_s:.2f}: AF-MMD needs at least {SHORTEST_S} s of each mix"
        )
    rms = math.sqrt(float(np.mean(np.square(audio.samples, dtype=np.float64))))
    if rms <= 0.0:
        raise BadInputError("a mix is silent: leave it out")
    level = Audio(audio.samples * np.float32(_LEVEL_RMS / rms), audio.sample_rate)
    measured = global_features(level)
    width = float(measured["width"][0])
    meter = LoudnessMeter(level.sample_rate, 2)
    meter.update(level.samples)
    tail = [float(measured["crest"].mean()), width / (1.0 + width), float(measured["imbalance"][0]),
            meter.loudness_range_lu or 0.0]  # fmt: skip
    return np.concatenate((measured["bark"], tail))


def af_mmd(references: Sequence[Audio], estimates: Sequence[Audio]) -> Mmd:
    """100 x MMD2 between two sets of mixes, features standardised by the reference set; lower is better."""
    wanted = np.stack([feature_vector(a) for a in references]) if references else np.zeros((0, len(FEATURES)))
    given = np.stack([feature_vector(a) for a in estimates]) if estimates else np.zeros((0, len(FEATURES)))
    if min(len(wanted), len(given)) < 2:
        raise BadInputError(
            f"{len(wanted)} references and {len(given)} estimates: a distribution needs at least two of each"
        )
    spread = wanted.std(axis=0)
    spread[spread <= 1e-9] = 1.0
    wanted, given = ((values - wanted.mean(axis=0)) / spread for values in (wanted, given))
    value, width = mmd_squared(wanted, given)
    return Mmd(100.0 * value, len(given), len(wanted), width)


def mmd_squared(references: DoubleArray, estimates: DoubleArray) -> tuple[float, float]:
    """MMD2 of two sets of vectors (n, features), and the kernel width; symmetric but for that width."""
    within = _distances(references, references)
    width = float(np.sqrt(np.median(within[np.triu_indices(len(references), 1)])))
    if width <= 0.0:
        raise BadInputError("the references are all the same: a distribution needs different ones")

    def kernel(distances: DoubleArray) -> DoubleArray:
        return np.asarray(np.exp(-distances / (2.0 * width**2)))

    value = (
        _off_diagonal_mean(kernel(_distances(estimates, estimates)))
        + _off_diagonal_mean(kernel(within))
        - 2.0 * float(kernel(_distances(estimates, references)).mean())
    )
    return value, width


def _distances(a: DoubleArray, b: DoubleArray) -> DoubleArray:
    """Squared Euclidean distances; shape (len(a), len(b))."""
    return np.asarray(np.sum((a[:, None] - b[None]) ** 2, axis=-1))


def _off_diagonal_mean(matrix: DoubleArray) -> float:
    count = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))
