"""Bands of one frame of a spectrum and back, where a bin lies in two neighboring bands at most (`erb_bands`)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import FloatArray

__all__ = ["band_powers", "follow", "of_each_bin"]


@kernel
def band_powers(spectra: NDArray[Any], first: NDArray[Any], shares: FloatArray, powers: FloatArray) -> None:
    """powers[b] = sum over bins of their share in band b times |mean over channels of the spectra|^2.

    `spectra` (channels, bins); bin k has `shares[0, k]` in the band `first[k]` and `shares[1, k]` in the next.
    """
    channels, bins = spectra.shape
    powers[:] = 0.0
    for k in range(bins):
        real, imaginary = spectra[0, k].real, spectra[0, k].imag
        for channel in range(1, channels):
            real += spectra[channel, k].real
            imaginary += spectra[channel, k].imag
        power = (real * real + imaginary * imaginary) / (channels * channels)
        powers[first[k]] += shares[0, k] * power
        powers[first[k] + 1] += shares[1, k] * power


@kernel
def of_each_bin(values: FloatArray, first: NDArray[Any], shares: FloatArray, out: FloatArray) -> None:
    """out[k] = shares[0, k] values[first[k]] + shares[1, k] values[first[k] + 1]: bands interpolated to bins."""
    for k in range(len(out)):
        out[k] = shares[0, k] * values[first[k]] + shares[1, k] * values[first[k] + 1]


@kernel
def follow(
    now_db: FloatArray, wanted_db: FloatArray, amount: float, low_db: float, high_db: float, keep: float,
    still_db: float,
) -> None:  # fmt: skip
    """now += (1 - keep) (amount wanted, from low to high, - now); what is smaller than `still_db` is nothing."""
    for band in range(len(now_db)):
        wanted = min(max(amount * wanted_db[band], low_db), high_db)
        moved = now_db[band] + (1.0 - keep) * (wanted - now_db[band])
        now_db[band] = moved if abs(moved) >= still_db else 0.0
