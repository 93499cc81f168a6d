"""Separation by rank: accompaniment is a low-rank spectrogram, the voice is sparse on top of it.

Of the magnitudes M (bins, frames) of a block: minimize |L|_* + lambda |S|_1 under L + S = M, with
lambda = 1 / sqrt(max(bins, frames)), by the inexact augmented Lagrange multiplier method::

    L = D_{1/mu}(M - S + Y / mu)      singular values shrunk by 1 / mu
    S = shrink(M - L + Y / mu, lambda / mu)
    Y = Y + mu (M - L - S),  mu = rho mu

Huang, Chen, Smaragdis & Hasegawa-Johnson, ICASSP 2012; Lin, Chen & Ma, arXiv:1009.5055. The singular vectors come from
the smaller Gram matrix, which is symmetric and cheap.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.masks import shares_of
from tonmeister.units import FloatArray

__all__ = ["Rpca", "low_rank_and_sparse"]

_RATE: Final = 22_050
_RHO: Final = 1.5
_START: Final = 1.25
"""mu begins at this over the largest singular value; both from Lin, Chen & Ma."""
_MOST_STEPS: Final = 40
_CLOSE: Final = 1e-4


class Rpca:
    """Tracks ``vocals`` and ``accompaniment``, from the middle of the recording, in blocks of 12 s."""

    tracks = ("vocals", "accompaniment")
    framing = Framing(_RATE, "hann", 1024, 1024, 512)
    context_frames = 0
    block_frames = 12 * _RATE // 512

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """One pair of masks for all channels."""
        magnitude = np.abs(spectrum).max(axis=0)
        low_rank, sparse = low_rank_and_sparse(magnitude)
        return shares_of(np.abs(np.stack([sparse, low_rank])), 2.0)[:, None]


def low_rank_and_sparse(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """L and S with L + S = `matrix` to one part in ten thousand."""
    norm = float(np.linalg.norm(matrix))
    if norm == 0.0:
        return np.zeros_like(matrix), np.zeros_like(matrix)
    weight = 1.0 / np.sqrt(max(matrix.shape))
    largest = float(np.sqrt(np.linalg.eigvalsh(_gram(matrix))[-1]))
    multiplier = matrix / max(largest, float(np.abs(matrix).max()) / weight)
    mu, sparse = _START / largest, np.zeros_like(matrix)
    for _ in range(_MOST_STEPS):
        low_rank = _shrunk_rank(matrix - sparse + multiplier / mu, 1.0 / mu)
        loose = matrix - low_rank + multiplier / mu
        sparse = np.sign(loose) * np.maximum(np.abs(loose) - weight / mu, 0.0)
        error = matrix - low_rank - sparse
        multiplier, mu = multiplier + mu * error, mu * _RHO
        if np.linalg.norm(error) < _CLOSE * norm:
            break
    return low_rank.astype(np.float32), sparse.astype(np.float32)


def _gram(matrix: FloatArray) -> FloatArray:
    return matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix


def _shrunk_rank(matrix: FloatArray, threshold: float) -> FloatArray:
    """U max(s - threshold, 0) V^T, as a projection of the matrix on its singular vectors."""
    values, vectors = np.linalg.eigh(_gram(matrix))
    singular = np.sqrt(np.maximum(values, 0.0))
    kept = singular > threshold
    basis = vectors[:, kept]
    projector = (basis * (1.0 - threshold / singular[kept])) @ basis.T
    shrunk = projector @ matrix if matrix.shape[0] <= matrix.shape[1] else matrix @ projector
    return np.asarray(shrunk, np.float32)
