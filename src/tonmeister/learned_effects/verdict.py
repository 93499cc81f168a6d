"""How good a learned effect is: error against doing nothing and against a plain filter, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.evaluation.spectral_losses import mr_stft
from tonmeister.units import DoubleArray

__all__ = ["BANDS", "Errors", "Verdict", "band", "error_to_signal", "errors_of", "slow_share"]

BANDS: Final = ((0.01, "great"), (0.035, "not bad"), (0.1, "may do"), (0.3, "poor"))
"""Error-to-signal ratio below -> word; bands of the Neural Amp Modeler."""
FAILED: Final = "failed"
SLOW_SHARE: Final = 0.5
"""More than this of the error is a gain that moves slowly: not a matter of the curve."""
_SLOW_FRAME_S: Final = 0.02
_SLOW_FLOOR: Final = 0.003


def band(esr: float) -> str:
    """The word for an error-to-signal ratio."""
    return next((word for limit, word in BANDS if esr < limit), FAILED)


def error_to_signal(wet: DoubleArray, made: DoubleArray) -> float:
    """ESR = sum (y - y')^2 / sum y^2."""
    return float(np.sum((wet - made) ** 2) / max(float(np.sum(wet**2)), 1e-30))


@dataclass(frozen=True, slots=True)
class Errors:
    """On sound that was held out."""

    esr: float
    mae: float
    """Mean absolute error re full scale."""
    bypass_esr: float
    linear_esr: float
    """Of the best filter of 64 taps without a curve."""
    mr_stft: float = float("nan")
    """Spectral convergence and log magnitude over three resolutions (`evaluation.spectral_losses`)."""
    twin_esr: float | None = None
    """Of the waveshaper that was fitted beside a network."""


def errors_of(
    wet: DoubleArray,
    made: DoubleArray,
    dry: DoubleArray,
    linear: DoubleArray,
    twin: DoubleArray | None = None,
) -> Errors:
    """All figures of one stretch of sound; arrays (channels, frames)."""
    spectral = [mr_stft(*(a.astype(np.float32) for a in rows)).total for rows in zip(wet, made, strict=True)]
    return Errors(
        error_to_signal(wet, made),
        float(np.mean(np.abs(wet - made))),
        error_to_signal(wet, dry),
        error_to_signal(wet, linear),
        float(np.mean(spectral)),
        None if twin is None else error_to_signal(wet, twin),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures and what they come to."""

    errors: Errors
    slow_share: float
    """Which part of the error a slowly moving gain would take away."""

    @property
    def word(self) -> str:
        return band(self.errors.esr)

    @property
    def slow(self) -> bool:
        """Whether the device moves its gain over time, as a compressor does."""
        return self.slow_share > SLOW_SHARE and self.errors.esr > _SLOW_FLOOR

    @property
    def usable(self) -> bool:
        """Whether the model is worth saving: better than doing nothing, and of a device it can be a model of."""
        return not self.slow and self.errors.esr < self.errors.bypass_esr

    def notes(self) -> list[str]:
        """What a person should know besides the word."""
        found, e = [], self.errors
        if self.slow:
            found.append(
                f"{self.slow_share:.0%} of the error is a gain that moves slowly: a compressor or a modulation effect "
                "cannot be learned so"
            )
        if e.esr >= e.bypass_esr:
            found.append("doing nothing comes nearer to the wet file than this model")
        elif e.linear_esr < 1.2 * e.esr:
            found.append(
                "a plain filter does as well: the device hardly bends the sound, or what it does is not a curve"
            )
        if e.twin_esr is not None and e.twin_esr <= e.esr:
            found.append(
                f"--network waveshaper does as well (ESR {e.twin_esr:.4f}), holds better on other sound and costs less"
            )
        return found

    def metrics(self) -> dict[str, Any]:
        """For a card."""
        e = self.errors
        figures = {"esr": e.esr, "bypass_esr": e.bypass_esr, "linear_esr": e.linear_esr, "mae": e.mae,
                   "mr_stft": e.mr_stft, "twin_esr": e.twin_esr}  # fmt: skip
        known = {k: float(f"{v:.4g}") for k, v in figures.items() if v is not None and np.isfinite(v)}
        return known | {"verdict": self.word}


def slow_share(wet: DoubleArray, made: DoubleArray, sample_rate: int) -> float:
    """Which part of the error goes when each 20 ms of what was made get the gain that fits best, smoothed over 60 ms.

    0 to 1. A curve's own error changes sign within a period; that of a moving gain keeps it.
    """
    frame = max(round(_SLOW_FRAME_S * sample_rate), 1)
    count = wet.shape[1] // frame
    if count < 6:
        return 0.0
    y, x = (a[:, : count * frame].reshape(len(a), count, frame) for a in (wet, made))
    cross, power = (y * x).sum(axis=2), (x * x).sum(axis=2)
    kernel = np.ones(3)
    smooth = [np.stack([np.convolve(row, kernel, "same") for row in a]) for a in (cross, power)]
    gain = smooth[0] / np.maximum(smooth[1], 1e-20)
    error = float(np.sum((y - x) ** 2))
    left = float(np.sum((y - gain[..., None] * x) ** 2))
    return max(1.0 - left / error, 0.0) if error > 0.0 else 0.0
