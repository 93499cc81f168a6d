"""The true-peak interpolator: ITU-R BS.1770-4, annex 2."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as oracle

from tonmeister.dsp.true_peak import (
    DELAY_FRAMES,
    TAPS,
    every_meter,
    interpolated_peaks,
    interpolator_gain,
    polyphase_4x,
    true_peaks,
)
from tonmeister.units import gain_to_db


def sine(cycles_per_frame: float, degrees: float, frames: int = 4000) -> np.ndarray:
    edges = np.minimum(1.0, np.minimum(np.arange(frames), np.arange(frames)[::-1]) / 200.0)
    wave = np.sin(2 * np.pi * cycles_per_frame * np.arange(frames) + np.radians(degrees))
    return (edges * wave)[None].astype(np.float32)


def test_a_quarter_rate_sine_between_its_samples() -> None:
    """The classic case: samples at +-0.707, the wave at 1."""
    wave = sine(0.25, 45.0)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=1e-3)
    assert gain_to_db(true_peaks(wave)[0]) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("cycles_per_frame", [0.01, 0.1, 0.2, 1 / 6, 0.33, 0.4, 0.42])
def test_every_phase_is_flat_and_on_time(cycles_per_frame: float) -> None:
    turns = np.exp(-2j * np.pi * cycles_per_frame * np.arange(TAPS))
    late = DELAY_FRAMES - np.arange(4) / 4.0
    wanted = np.exp(-2j * np.pi * cycles_per_frame * late)
    np.testing.assert_allclose(polyphase_4x() @ turns, wanted, atol=1.2e-3)


def test_against_another_interpolator() -> None:
    noise = np.random.default_rng(1).standard_normal((2, 5000))
    noise = oracle.sosfilt(oracle.butter(8, 0.6, output="sos"), noise).astype(np.float32)
    padded = np.pad(noise.astype(float), ((0, 0), (100, 100)))
    wanted = np.abs(oracle.resample_poly(padded, 4, 1, axis=1, window=("kaiser", 9.0))).max(axis=1)
    np.testing.assert_allclose(true_peaks(noise), wanted, rtol=2e-3)


def test_a_true_peak_is_never_below_the_sample_peak() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal((2, 300)).astype(np.float32)
        assert (true_peaks(noise) >= np.abs(noise).max(axis=1)).all()


def test_a_peak_at_the_edge_counts() -> None:
    edge = np.zeros((1, 64), np.float32)
    edge[0, 0] = edge[0, -1] = 0.5
    edge[0, -2] = -0.9
    assert true_peaks(edge)[0] == pytest.approx(0.9, rel=1e-6)
    edge[0, -1] = 1.0
    assert true_peaks(edge)[0] >= 1.0


def test_skipping_what_lies_below_the_floor_hides_nothing_above_it() -> None:
    rng = np.random.default_rng(2)
    levels = rng.choice([0.01, 0.1, 0.3, 1.0], size=40).repeat(100)
    padded = (rng.standard_normal((1, 4000)) * levels).astype(np.float32)
    coefficients = every_meter()
    gain = interpolator_gain(coefficients)
    full, some = np.empty((1, 4000 - TAPS + 1)), np.empty((1, 4000 - TAPS + 1))
    interpolated_peaks(padded, coefficients, gain, 0.0, full)
    interpolated_peaks(padded, coefficients, gain, 0.5, some)
    assert (some == 0.0).any()
    np.testing.assert_array_equal(some[full > 0.5], full[full > 0.5])
