"""What a layout's channels amount to: against the stereo mix, in loudness and peaks, in the low channel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.dsp.biquad import filter_cascade
from tonmeister.dsp.filter_design import butterworth
from tonmeister.spatial.bus import STEREO_ROWS
from tonmeister.spatial.layouts import Layout
from tonmeister.units import DoubleArray, FloatArray, gain_to_db, power_to_db

__all__ = ["LayoutChecks", "LayoutMeter"]

_LOW_HZ: Final = 200.0


@dataclass(frozen=True, slots=True)
class LayoutChecks:
    """Measured on what was written; None where there is nothing to measure."""

    layout: str
    mode: str
    channels: tuple[str, ...]
    frames: int
    stereo_frames: int
    null_peak_dbfs: float | None
    """Largest sample of the downmix less the stereo mix through the same gain and limiter; None for ears and objects."""
    null_rms_dbfs: float | None
    mono_null_peak_dbfs: float | None
    stereo_lufs: float | None
    downmix_lufs: float | None
    mono_loss_lu: float | None
    """How much softer the downmix is in mono than the stereo mix in mono."""
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    """Over all channels."""
    downmix_true_peak_dbtp: float | None
    lfe_above_200_hz_db: float | None
    """Energy of the LFE above 200 Hz over all of it; None when it is silent or there is none."""
    gain_db: float = 0.0
    """Of the loudness stage: by how much the stereo mix was raised before it was compared."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "channels": list(self.channels)}


class LayoutMeter:
    """Takes stacks (stereo mix, then loudspeakers) block by block."""

    def __init__(
        self, layout: Layout, sample_rate: int, *, ears: bool = False, compared: bool = True
    ) -> None:
        """With `ears` the channels behind the stereo mix are two ears; `compared` says that a downmix is to equal it."""
        self._layout, self._ears, self._compared = layout, ears, compared and not ears
        self._peak = self._mono_peak = self._energy = 0.0
        self._frames = 0
        self._stereo = LoudnessMeter(sample_rate, 2, peaks=False)
        self._downmix = LoudnessMeter(sample_rate, 2)
        self._monos = [LoudnessMeter(sample_rate, 1, dual_mono=True, peaks=False) for _ in range(2)]
        self._high_pass = butterworth("high_pass", _LOW_HZ, 8, sample_rate)
        self._state = np.zeros((1, len(self._high_pass), 2))
        self._low: DoubleArray = np.zeros(2)

    def update(self, stack: FloatArray) -> None:
        """Take the next (2 + channels, frames)."""
        stereo = stack[:STEREO_ROWS]
        self._frames += stack.shape[1]
        self._stereo.update(stereo)
        if self._ears:
            return
        downmix = (self._layout.downmix @ stack[STEREO_ROWS : STEREO_ROWS + self._layout.channels]).astype(
            np.float32
        )
        self._downmix.update(downmix)
        left_out = downmix.astype(np.float64) - stereo
        self._peak = max(self._peak, float(np.abs(left_out).max(initial=0.0)))
        self._mono_peak = max(self._mono_peak, float(np.abs(left_out.mean(axis=0)).max(initial=0.0)))
        self._energy += float((left_out**2).mean(axis=0).sum())
        for meter, signal in zip(self._monos, (stereo, downmix), strict=True):
            meter.update(signal.mean(axis=0, keepdims=True))
        lfe = self._layout.index("LFE1")
        if lfe is not None:
            low = np.ascontiguousarray(stack[STEREO_ROWS + lfe][None])
            high = np.empty_like(low)
            filter_cascade(low, high, self._high_pass, self._state)
            self._low += [float((s.astype(np.float64) ** 2).sum()) for s in (low, high)]

    def result(self, mode: str, **measured: Any) -> LayoutChecks:
        """All checks; `measured` are those of the whole file (loudness, peak, frames, gain)."""
        total, above = self._low
        one, other = (m.integrated_lufs for m in self._monos)
        shown = not self._ears
        return LayoutChecks(
            layout="binaural" if self._ears else self._layout.name,
            mode=mode,
            channels=("left ear", "right ear") if self._ears else self._layout.labels,
            frames=self._frames,
            null_peak_dbfs=gain_to_db(self._peak) if self._compared else None,
            null_rms_dbfs=power_to_db(self._energy / max(self._frames, 1)) if self._compared else None,
            mono_null_peak_dbfs=gain_to_db(self._mono_peak) if self._compared else None,
            stereo_lufs=self._stereo.integrated_lufs,
            downmix_lufs=self._downmix.integrated_lufs if shown else None,
            mono_loss_lu=one - other if one is not None and other is not None else None,
            downmix_true_peak_dbtp=self._downmix.true_peak_dbtp() if shown else None,
            lfe_above_200_hz_db=power_to_db(above / total) if total > 0 else None,
            **measured,
        )
