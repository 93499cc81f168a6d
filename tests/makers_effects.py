"""Learned networks with random or known numbers, for tests that train nothing."""

from __future__ import annotations

import numpy as np

from tonmeister.dsp import cafx, saaf
from tonmeister.effects.learned_files import Device
from tonmeister.effects.networks import CafxNetwork, LstmNetwork
from tonmeister.effects.waveshaper import AHEAD_FRAMES, TAPS, Waveshaper
from tonmeister.units import DoubleArray, FloatArray


def cafx_weights(seed: int = 0, size: float = 0.1) -> dict[str, FloatArray]:
    """Numbers of the right shapes; the curves are lines."""
    rng = np.random.default_rng(seed)
    weights = {
        name: (size * rng.standard_normal(shape)).astype(np.float32) for name, shape in cafx.SHAPES.items()
    }
    weights["curves"] = np.tile(saaf.identity(), (cafx.CHANNELS, 1)).astype(np.float32)
    return weights


def cafx_network(seed: int = 0, **settings: float) -> CafxNetwork:
    return CafxNetwork(cafx_weights(seed), 16000, **settings)


def lstm_network(seed: int = 0, rate: int = 44100, size: float = 0.3) -> LstmNetwork:
    rng = np.random.default_rng(seed)
    weights = {
        name: (size * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in LstmNetwork.shapes.items()
    }
    return LstmNetwork(weights, rate)


def straight_cafx() -> CafxNetwork:
    """Which only passes sound: the network itself says nothing, the dry path everything."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in cafx.SHAPES.items()}
    return CafxNetwork(weights, 16000, dry_gain=1.0)


def straight_lstm(rate: int = 44100) -> LstmNetwork:
    """Whose units say nothing."""
    return LstmNetwork({n: np.zeros(s, np.float32) for n, s in LstmNetwork.shapes.items()}, rate)


def tanh_twin(rate: int, drive: float = 4.0) -> Waveshaper:
    """tanh(drive x) as a waveshaper without filters."""
    x = np.linspace(-1.0, 1.0, 4001)
    columns = np.stack([np.ones_like(x), x, *(saaf.basis(x, k) for k in range(saaf.INTERVALS))])
    numbers: DoubleArray = np.linalg.lstsq(columns.T, np.tanh(drive * x), rcond=None)[0]
    impulse = np.zeros(TAPS)
    impulse[AHEAD_FRAMES] = 1.0
    return Waveshaper(impulse, numbers, impulse.copy(), 1.0, 2, rate)


def guarded(network: CafxNetwork | LstmNetwork, bound: float = 0.05) -> Device:
    return Device(tanh_twin(network.sample_rate), network, bound, 1e-9)
