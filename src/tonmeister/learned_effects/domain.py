"""What sound a device was learned from, in percentiles, and whether another sound is like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["domain_of", "outside"]

_FRAME: Final = 2048
_MOST_FRAMES: Final = 4000
_QUIET_DB: Final = -70.0
_PERCENTILES: Final = (1, 5, 50, 95, 99)
_WORDS: Final = {"level_db": ("quieter", "louder", "dB"), "centroid_hz": ("darker", "brighter", "Hz"),
                 "crest_db": ("denser", "spikier", "dB")}  # fmt: skip
_SLACK: Final = {"level_db": 3.0, "centroid_hz": 200.0, "crest_db": 3.0}


def domain_of(samples: FloatArray | DoubleArray, sample_rate: int) -> dict[str, Any]:
    """Percentiles 1, 5, 50, 95, 99 of frame level, crest and centroid, and peak and level of the whole."""
    rows = _frames(samples)
    rms = np.sqrt(np.mean(rows**2, axis=1))
    heard = rows[rms > 10.0 ** (_QUIET_DB / 20.0)]
    peak = float(np.max(np.abs(samples), initial=0.0))
    whole = {"peak": peak, "rms_db": _db(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))}
    if not len(heard):
        return whole
    rms = np.sqrt(np.mean(heard**2, axis=1))
    power = np.abs(np.fft.rfft(heard * np.hanning(_FRAME))) ** 2
    frequency_hz = np.fft.rfftfreq(_FRAME, 1.0 / sample_rate)
    measures = {
        "level_db": 20.0 * np.log10(rms),
        "crest_db": 20.0 * np.log10(np.abs(heard).max(axis=1) / rms),
        "centroid_hz": power @ frequency_hz / power.sum(axis=1),
    }
    return whole | {
        k: [round(float(p), 3) for p in np.percentile(v, _PERCENTILES)] for k, v in measures.items()
    }


def outside(domain: Mapping[str, Any], learned: Mapping[str, Any]) -> list[str]:
    """How a sound differs from what was learned from: its middle lies beyond the 5th or 95th percentile."""
    found = []
    for name, (below, above, unit) in _WORDS.items():
        have, known = domain.get(name), learned.get(name)
        if not _percentiles(have) or not _percentiles(known):
            continue
        assert isinstance(have, list)
        assert isinstance(known, list)
        low, middle, high = known[1] - _SLACK[name], have[2], known[3] + _SLACK[name]
        if not low <= middle <= high:
            word = below if middle < low else above
            found.append(
                f"the sound is {word} than what the model learned from: {middle:.0f} {unit} against "
                f"{known[1]:.0f} to {known[3]:.0f}: it may not sound like the device"
            )
    return found


def _percentiles(value: object) -> bool:
    return isinstance(value, list) and len(value) == 5 and all(isinstance(v, (int, float)) for v in value)


def _frames(samples: FloatArray | DoubleArray) -> DoubleArray:
    """Frames (frames, 2048), evenly picked where there are many."""
    rows = [row[: len(row) // _FRAME * _FRAME].reshape(-1, _FRAME) for row in np.asarray(samples, np.float64)]
    together = np.concatenate(rows) if rows else np.zeros((0, _FRAME))
    return together[:: max(len(together) // _MOST_FRAMES, 1)]


def _db(value: float) -> float:
    return round(20.0 * float(np.log10(max(value, 1e-10))), 3)
