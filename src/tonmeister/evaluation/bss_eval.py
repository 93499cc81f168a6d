"""BSS Eval version 4, images: SDR, ISR, SIR and SAR of separated sources, framewise with fixed filters.

Each estimate is split into the true image, its filtered (spatial) distortion, interference and artifacts, by
projection onto the references delayed by 0 to 511 frames. The filters are found once for the whole signal, the
energies frame by frame (1 s). Values in dB, higher is better; a frame in which any source is silent has none.

Vincent, Gribonval & Fevotte, IEEE TASLP 14(4), 2006; Stoeter, Liutkus & Ito, LVA/ICA 2018 (version 4). The
reference implementation is museval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray

__all__ = ["FILTER_FRAMES", "BssScores", "bss_eval"]

FILTER_FRAMES: Final = 512
BLOCK: Final = 1 << 15
"""Frames transformed at once for the correlations."""
RIDGE: Final = 1e-12
"""Added to the diagonal, relative to its mean: equal channels would make the system singular."""

Spectra = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class BssScores:
    """Values per source and frame, dB; shape (sources, frames), nan where a source is silent."""

    sdr_db: DoubleArray
    isr_db: DoubleArray
    sir_db: DoubleArray
    sar_db: DoubleArray


def bss_eval(references: DoubleArray, estimates: DoubleArray, *, window: int, hop: int) -> BssScores:
    """Of arrays (sources, channels, frames); windows of `window` frames every `hop`."""
    sources, frames = len(references), references.shape[-1]
    gram, crossed = _reference_correlations(references), _cross_correlations(references, estimates)
    length = _length(min(window, frames))
    everything = _responses(_filters(gram, crossed), length)
    alone = [
        _responses(_filters(gram[k : k + 1, :, :, k : k + 1], crossed[k : k + 1, :, :, k : k + 1]), length)
        for k in range(sources)
    ]
    starts = _starts(frames, window, hop)
    scores = np.full((4, sources, len(starts)), np.nan)
    for number, start in enumerate(starts):
        frame = slice(start, start + window)
        reference, estimate = references[..., frame], estimates[..., frame]
        if _all_sound(reference) and _all_sound(estimate):
            scores[..., number] = _frame_scores(reference, estimate, everything, alone)
    return BssScores(*scores)


def _starts(frames: int, window: int, hop: int) -> list[int]:
    """Beginnings of the windows; a signal that is shorter than one is one window."""
    if window >= frames:
        return [0]
    return [k * hop for k in range((frames - window + hop) // hop)]


def _all_sound(sources: DoubleArray) -> bool:
    return bool(np.any(sources.sum(axis=1) != 0.0, axis=-1).all())


def _length(frames: int) -> int:
    return 1 << int(frames + FILTER_FRAMES - 2).bit_length()


def _lagged_products(one: DoubleArray, other: DoubleArray) -> DoubleArray:
    """sum_n one_i[n] other_j[n + d] for d = 0 to L - 1; rows (n,) each; shape (i, j, L)."""
    total = np.zeros((len(one), len(other), BLOCK // 2 + 1), np.complex128)
    step = BLOCK - FILTER_FRAMES + 1
    for start in range(0, one.shape[1], step):
        first = np.fft.rfft(one[:, start : start + step], BLOCK)
        second = np.fft.rfft(other[:, start : start + BLOCK], BLOCK)
        for i, row in enumerate(np.conj(first)):
            total[i] += row * second
    return np.asarray(np.fft.irfft(total, BLOCK)[..., :FILTER_FRAMES])


def _reference_correlations(references: DoubleArray) -> DoubleArray:
    """Inner products of all delayed reference channels; shape (s, c, L, s, c, L).

    <x_i delayed by a, x_j delayed by b> depends on a - b only.
    """
    sources, channels, frames = references.shape
    rows = sources * channels
    products = _lagged_products(references.reshape(rows, frames), references.reshape(rows, frames))
    lags = np.subtract.outer(np.arange(FILTER_FRAMES), np.arange(FILTER_FRAMES)) + FILTER_FRAMES - 1
    gram = np.empty((rows, FILTER_FRAMES, rows, FILTER_FRAMES))
    for i in range(rows):
        for j in range(rows):
            gram[i, :, j, :] = np.concatenate((products[j, i, :0:-1], products[i, j]))[lags]
    return gram.reshape(sources, channels, FILTER_FRAMES, sources, channels, FILTER_FRAMES)


def _cross_correlations(references: DoubleArray, estimates: DoubleArray) -> DoubleArray:
    """Inner products of delayed references with the estimates; shape (s, c, L, s', c')."""
    sources, channels, frames = references.shape
    products = _lagged_products(references.reshape(-1, frames), estimates.reshape(-1, frames))
    return np.asarray(
        np.moveaxis(products, 1, 2).reshape(sources, channels, FILTER_FRAMES, sources, channels)
    )


def _filters(gram: DoubleArray, crossed: DoubleArray) -> DoubleArray:
    """Least-squares filters from all given references to each estimate; shape (s', c', s, c, L)."""
    shape = gram.shape[:3]
    size = int(np.prod(shape))
    matrix = gram.reshape(size, size)
    matrix = matrix + np.eye(size) * (RIDGE * float(np.trace(matrix)) / size)
    solved = np.linalg.solve(matrix, crossed.reshape(size, -1))
    return np.asarray(np.moveaxis(solved.reshape(*shape, *crossed.shape[3:]), (3, 4), (0, 1)))


def _responses(filters: DoubleArray, length: int) -> Spectra:
    """Frequency responses of the filters; shape (s', c', s, c, bins)."""
    return np.asarray(np.fft.rfft(filters, length))


def _frame_scores(
    reference: DoubleArray, estimate: DoubleArray, everything: Spectra, alone: list[Spectra]
) -> DoubleArray:
    """The four values of every source in one frame; shape (4, sources)."""
    frames = reference.shape[-1]
    out, length = frames + FILTER_FRAMES - 1, _length(frames)
    spectra = np.fft.rfft(reference, length)
    scores = np.empty((4, len(reference)))
    for k in range(len(reference)):
        true = np.pad(reference[k], ((0, 0), (0, FILTER_FRAMES - 1)))
        given = np.pad(estimate[k], ((0, 0), (0, FILTER_FRAMES - 1)))
        own = _projected(spectra[k : k + 1], alone[k][0], length, out)
        full = _projected(spectra, everything[k], length, out)
        scores[:, k] = _ratios(true, own - true, full - own, given - full)
    return scores


def _projected(spectra: Spectra, responses: Spectra, length: int, out: int) -> DoubleArray:
    """Filtered references added up; shape (channels, out)."""
    summed = [np.einsum("scf,scf->f", spectra, response) for response in responses]
    return np.asarray(np.fft.irfft(np.stack(summed), length)[:, :out])


def _ratios(
    true: DoubleArray, spatial: DoubleArray, interference: DoubleArray, artifacts: DoubleArray
) -> tuple[float, float, float, float]:
    return (
        _ratio_db(true, spatial + interference + artifacts),
        _ratio_db(true, spatial),
        _ratio_db(true + spatial, interference),
        _ratio_db(true + spatial + interference, artifacts),
    )


def _ratio_db(signal: DoubleArray, error: DoubleArray) -> float:
    wanted, wrong = float(np.sum(signal**2)), float(np.sum(error**2))
    return float(10.0 * np.log10(wanted / wrong)) if wrong > 0.0 and wanted > 0.0 else np.inf
