"""Which piece of the kit a drum track is, from what its hits measure: Gaussian class models, after a thesis.

    p(class | x) ~ prior N(x; mean, covariance),   x in logits and octaves (see drum_types.toml)

A few simple measures of loud stretches: the share of energy below 150 Hz, the spectral centroid, how fast a hit falls
by 20 dB, onsets per second, flatness from 2 to 10 kHz, the strongest partial, the number of channels.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.identification.log_mel import RATE_HZ
from tonmeister.identification.numbers import number
from tonmeister.identification.patches import Patch
from tonmeister.units import DoubleArray

__all__ = ["DrumMeasures", "drum_piece", "drum_posterior", "measured"]

HOP_FRAMES: Final = 320
"""10 ms."""
_WINDOW: Final = 4096
_LOW_HZ: Final = 150.0
_FLAT_HZ: Final = (2000.0, 10_000.0)
_FALL_DB: Final = 20.0
_RISE_DB: Final = 6.0
_AUDIBLE_DB: Final = 30.0
_LEAST_SHARE: Final = 0.002
_MOST_SHARE: Final = 0.98
"""Shares beyond these say nothing more: a single tone below 150 Hz has all of its energy there."""


@dataclass(frozen=True, slots=True)
class DrumMeasures:
    """What a drum track's loud stretches measure."""

    low_share: float
    centroid_hz: float
    t20_s: float
    onset_rate_hz: float
    flatness: float
    partial_hz: float
    channels: int


def drum_posterior(measures: DrumMeasures) -> dict[str, float]:
    """Probability of each piece of the kit, given that it is one."""
    point = _scaled(measures)
    logs = {name: math.log(model.prior) + model.log_density(point) for name, model in _models().items()}
    top = max(logs.values())
    raised = {name: math.exp(value - top) for name, value in logs.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}


def drum_piece(posterior: Mapping[str, float]) -> str:
    """The most probable piece; ``drums`` when none is probable enough."""
    best = max(posterior, key=posterior.__getitem__)
    return best if posterior[best] >= number("drum_type.least_posterior") else "drums"


def measured(patches: Sequence[Patch], channels: int) -> DrumMeasures | None:
    """The measures of stretches at `RATE_HZ`; None without any sound."""
    mono = [patch.samples.mean(axis=0) if patch.samples.any() else patch.samples[0] for patch in patches]
    mono = [samples for samples in mono if len(samples) >= HOP_FRAMES and samples.any()]
    if not mono:
        return None
    power = np.sum([_power(samples) for samples in mono], axis=0)
    hz = np.fft.rfftfreq(_WINDOW, 1.0 / RATE_HZ)
    flat = power[(hz >= _FLAT_HZ[0]) & (hz <= _FLAT_HZ[1])] + 1e-20
    envelopes = [_envelope_db(samples) for samples in mono]
    onsets = [_onsets(envelope) for envelope in envelopes]
    seconds = sum(len(envelope) for envelope in envelopes) * HOP_FRAMES / RATE_HZ
    falls = [
        fall
        for env, starts in zip(envelopes, onsets, strict=True)
        for n in starts
        if (fall := _fall_s(env, n))
    ]
    return DrumMeasures(
        low_share=float(power[hz < _LOW_HZ].sum() / power.sum()),
        centroid_hz=float((hz * power).sum() / power.sum()),
        t20_s=float(np.median(falls)) if falls else seconds / len(mono),
        onset_rate_hz=sum(map(len, onsets)) / seconds,
        flatness=float(np.exp(np.log(flat).mean()) / flat.mean()),
        partial_hz=float(hz[1 + int(np.argmax(power[1:]))]),
        channels=channels,
    )


def _power(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> DoubleArray:
    """Power spectrum summed over windows; shape (2049,)."""
    padded = np.pad(samples.astype(np.float64), (0, max(_WINDOW - len(samples), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: _WINDOW // 2]
    return np.asarray((np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) ** 2).sum(axis=0))


def _envelope_db(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> DoubleArray:
    """Level every 10 ms, dB."""
    steps = len(samples) // HOP_FRAMES
    energy = (
        np.square(samples[: steps * HOP_FRAMES].astype(np.float64)).reshape(steps, HOP_FRAMES).mean(axis=1)
    )
    return np.asarray(10.0 * np.log10(energy + 1e-12))


def _onsets(envelope_db: DoubleArray) -> list[int]:
    """Steps at which the level rises by 6 dB over what came before, within 30 dB of the loudest."""
    floor = float(envelope_db.max()) - _AUDIBLE_DB
    found: list[int] = []
    for n in range(len(envelope_db)):
        before = envelope_db[max(n - 3, 0) : n]
        rises = n == 0 or envelope_db[n] > before.max() + _RISE_DB
        if envelope_db[n] > floor and rises and (not found or n - found[-1] > 5):
            found.append(n)
    return found


def _fall_s(envelope_db: DoubleArray, start: int) -> float | None:
    """Time from the peak of a hit until it is 20 dB down; None when the next one comes before."""
    peak = start + int(np.argmax(envelope_db[start : start + 5]))
    below = np.flatnonzero(envelope_db[peak:] < envelope_db[peak] - _FALL_DB)
    return float(below[0]) * HOP_FRAMES / RATE_HZ if len(below) else None


# ------------------------------------------------------------------ the models


@dataclass(frozen=True)
class _Model:
    prior: float
    mean: DoubleArray
    precision: DoubleArray
    log_norm: float

    def log_density(self, point: DoubleArray) -> float:
        apart = point - self.mean
        return self.log_norm - 0.5 * float(apart @ self.precision @ apart)


def _scaled(measures: DrumMeasures) -> DoubleArray:
    low, centroid, t20, rate, flatness, partial, channels = astuple(measures)
    return np.array(
        [
            _logit(low),
            math.log2(max(centroid, 20.0) / 1000.0),
            math.log2(min(max(t20, 0.01), 5.0)),
            math.log2(min(max(rate, 0.1), 20.0)),
            _logit(flatness),
            math.log2(max(partial, 20.0) / 1000.0),
            min(channels, 2),
        ]
    )


def _logit(share: float) -> float:
    held = min(max(share, _LEAST_SHARE), _MOST_SHARE)
    return math.log(held / (1.0 - held))


@cache
def _models() -> Mapping[str, _Model]:
    data = tomllib.loads(Path(__file__).with_name("drum_types.toml").read_text(encoding="utf-8"))
    count = len(data["features"]["names"])
    correlation = np.eye(count)
    correlation[np.triu_indices(count, 1)] = data["features"]["correlation"]
    correlation = correlation + correlation.T - np.eye(count)
    return {name: _model(entry, correlation) for name, entry in data["class"].items()}


def _model(entry: Mapping[str, object], correlation: DoubleArray) -> _Model:
    deviations = np.array(entry["sd"], dtype=np.float64)
    covariance = correlation * np.outer(deviations, deviations)
    log_norm = -0.5 * float(np.linalg.slogdet(2.0 * math.pi * covariance)[1])
    prior = float(str(entry["prior"]))
    precision = np.asarray(np.linalg.inv(covariance), np.float64)
    return _Model(prior, np.array(entry["mean"], dtype=np.float64), precision, log_norm)
