"""Stereo by frequency: side share, correlation, imbalance, and what is left when the mix is folded to mono.

Per octave, from mean bin powers of the whole mix (frames 4096, hop 2048, Hann): with the energies of left,
right and their product, side share = E(S) / (E(M) + E(S)), correlation = <L R> / sqrt(E_L E_R), and the change
of level in mono, where both loudspeakers play (L + R) / 2:

    10 log10( |L + R|^2 / (2 (|L|^2 + |R|^2)) )      0 dB for equal channels, -3.01 dB for independent ones
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.dsp.bands import OCTAVE_HZ, band_edges_hz
from tonmeister.evaluation.figures import Figure, Group, figure
from tonmeister.evaluation.fxnorm import panning_features
from tonmeister.evaluation.numbers import number
from tonmeister.evaluation.stft import hann, spectra
from tonmeister.units import DoubleArray, power_to_db

__all__ = ["StereoBand", "stereo_bands", "stereo_group", "stereo_warnings"]

FRAME: Final = 4096
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class StereoBand:
    """One octave, or the whole spectrum; None where the band is silent."""

    band: str
    side_share: float | None
    correlation: float | None
    imbalance: float | None
    """(right - left) / (right + left) in energy."""
    mono_change_db: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def stereo_bands(audio: Audio) -> tuple[StereoBand, ...]:
    """The whole spectrum, then each octave; of a stereo mix."""
    left, right, product = _bin_energies(audio)
    frequency = np.arange(FRAME // 2 + 1) * audio.sample_rate / FRAME
    edges = band_edges_hz(1)
    rows = [_band(ALL, *(float(v.sum()) for v in (left, right, product)))]
    for center, low, high in zip(OCTAVE_HZ, edges[:-1], edges[1:], strict=True):
        inside = (frequency >= low) & (frequency < high)
        rows.append(_band(f"{center:g} Hz", *(float(v[inside].sum()) for v in (left, right, product))))
    return tuple(rows)


def _bin_energies(audio: Audio) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Energies of left, right and of their product per bin, summed over time."""
    sums = np.zeros((3, FRAME // 2 + 1))
    channels = (spectra(c, FRAME, FRAME // 2, hann(FRAME), partial=True) for c in audio.samples)
    for left, right in zip(*channels, strict=True):
        sums[0] += np.sum(np.abs(left) ** 2, axis=0, dtype=np.float64)
        sums[1] += np.sum(np.abs(right) ** 2, axis=0, dtype=np.float64)
        sums[2] += np.sum((left * np.conj(right)).real, axis=0, dtype=np.float64)
    return sums[0], sums[1], sums[2]


def _band(name: str, left: float, right: float, product: float) -> StereoBand:
    total = left + right
    if total <= 0.0:
        return StereoBand(name, None, None, None, None)
    share = min(max(0.5 - product / total, 0.0), 1.0)
    both = math.sqrt(left * right)
    correlation = min(max(product / both, -1.0), 1.0) if both > 0 else 0.0
    return StereoBand(name, share, correlation, (right - left) / total, power_to_db(1.0 - share))


def stereo_group(audio: Audio, bands: tuple[StereoBand, ...]) -> Group:
    """Figures of the whole mix, the bass, and the panning spectrum."""
    whole = bands[0]
    lows = [b for b in bands[1:4] if b.correlation is not None]
    lowest = min((b.correlation for b in lows if b.correlation is not None), default=None)
    losses = [b.mono_change_db for b in bands[1:] if b.mono_change_db is not None]
    figures: list[Figure] = [
        figure("side_share", whole.side_share, "ratio", "neutral", _share_note(whole.side_share)),
        figure("imbalance", whole.imbalance, "ratio", "neutral", "0 is even; positive is right"),
        figure("correlation", whole.correlation, "ratio", "neutral"),
        figure("low_correlation", lowest, "ratio", "higher", "lowest of the octaves up to 125 Hz"),
        figure(
            "mono_change", whole.mono_change_db, "dB", "higher", "level when folded to mono; 0 is unchanged"
        ),
        figure("worst_mono_change", min(losses, default=None), "dB", "higher", "the octave that loses most"),
    ]
    for name, values in panning_features(audio.samples, audio.sample_rate).items():
        mean = float(values.mean()) if len(values) else None
        figures.append(figure(name, mean, "ratio", "neutral", "0 all in the center, 1 all at the sides"))
    return Group("stereo", "Stereo", "energies over the whole mix; panning spectrum: mean RMS per frame",
                 tuple(figures))  # fmt: skip


def _share_note(share: float | None) -> str:
    if share is None:
        return ""
    mono, wide = number("side_share", "near_mono"), number("side_share", "unusually_wide")
    if share < mono:
        return f"near mono: below {mono:g}"
    return f"unusually wide: above {wide:g}" if share > wide else f"usual: {mono:g} to {wide:g}"


def stereo_warnings(bands: tuple[StereoBand, ...]) -> list[str]:
    """What a listener in mono, or an engineer, should know."""
    said = []
    share = bands[0].side_share
    if share is not None and not _share_note(share).startswith("usual"):
        said.append(f"{share:.3f} of the energy is in the side: {_share_note(share)}")
    limit = number("mono_fold", "limit_db")
    lost = [b for b in bands[1:] if b.mono_change_db is not None and b.mono_change_db < limit]
    said += [f"{b.band}: the channels cancel in mono ({b.mono_change_db:+.1f} dB)" for b in lost]
    return said
