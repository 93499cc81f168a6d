"""Loudness, range and peaks against libebur128, and the weighting against scipy and the standard's table."""

from __future__ import annotations

import numpy as np
import pyebur128
import pytest
from scipy import signal as scipy_signal

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.dsp.loudness import (
    k_weighting_coefficients,
    k_weighting_power,
    k_weighting_response_db,
    loudness_range_lu,
)

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000)


def program(rate: int, channels: int, seconds: float = 6.0) -> np.ndarray:
    """Noise and a gliding tone that swell and pause: something for every gate."""
    rng = np.random.default_rng(rate + channels)
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.2 * np.sin(2 * np.pi * (100 + 300 * time) * time)
    noise = 0.1 * rng.standard_normal((channels, len(time)))
    loudness = np.where(time % 4 < 3, 0.1 + 0.9 * (0.5 - 0.5 * np.cos(time)), 1e-5)
    return ((tone + noise) * loudness).astype(np.float32)


def oracle(samples: np.ndarray, rate: int) -> pyebur128.R128State:
    mode = pyebur128.MeasurementMode
    flags = mode.MODE_I | mode.MODE_LRA | mode.MODE_SAMPLE_PEAK | mode.MODE_TRUE_PEAK
    state = pyebur128.R128State(samples.shape[0], rate, flags)
    interleaved = np.ascontiguousarray(samples.T).ravel()
    state.add_frames(interleaved, samples.shape[1])
    return state


def metered(samples: np.ndarray, rate: int) -> LoudnessMeter:
    meter = LoudnessMeter(rate, samples.shape[0])
    meter.update(samples)
    return meter


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_integrated_loudness_agrees(rate: int, channels: int) -> None:
    samples = program(rate, channels)
    expected = pyebur128.get_loudness_global(oracle(samples, rate))
    # libebur128 rounds 100 ms to whole frames, which matters at 11025 Hz only
    tolerance = 1e-6 if rate % 10 == 0 else 0.01
    assert metered(samples, rate).integrated_lufs == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_loudness_range_agrees(rate: int) -> None:
    samples = program(rate, 2, seconds=60.0)
    expected = pyebur128.get_loudness_range(oracle(samples, rate))
    meter = metered(samples, rate)
    # libebur128 takes one short-term value a second, the meter takes ten
    once_a_second = 10 ** ((meter.short_term_lufs()[::10] + 0.691) / 10)
    assert loudness_range_lu(once_a_second) == pytest.approx(expected, abs=1e-6)
    assert meter.loudness_range_lu == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
def test_peaks_agree(rate: int) -> None:
    # interpolators may differ near the Nyquist frequency, where none is exact
    low_pass = scipy_signal.butter(8, 0.36 * rate, fs=rate, output="sos")
    samples = scipy_signal.sosfilt(low_pass, program(rate, 2)).astype(np.float32)
    state, meter = oracle(samples, rate), metered(samples, rate)
    sample_peak = max(pyebur128.get_sample_peak(state, c) for c in range(2))
    true_peak = max(pyebur128.get_true_peak(state, c) for c in range(2))
    assert meter.sample_peak == pytest.approx(sample_peak, rel=1e-6)
    assert 20 * np.log10(meter.true_peak() / true_peak) == pytest.approx(0.0, abs=0.2)


def test_coefficients_at_48_khz_are_the_standards() -> None:
    shelf, high_pass = k_weighting_coefficients(48_000)
    table_1 = (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585)
    table_2 = (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621)
    np.testing.assert_allclose(shelf, table_1, atol=1e-12)
    np.testing.assert_allclose(high_pass, table_2, atol=1e-12)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_response_is_that_of_the_filters(rate: int) -> None:
    frequency_hz = np.geomspace(20, 0.45 * rate, 50)
    expected = np.ones(50)
    for b0, b1, b2, a1, a2 in k_weighting_coefficients(rate):
        _, response = scipy_signal.freqz([b0, b1, b2], [1, a1, a2], frequency_hz, fs=rate)
        expected *= np.abs(response) ** 2
    np.testing.assert_allclose(k_weighting_power(frequency_hz, rate), expected, rtol=1e-9)


def test_response_relative_to_1_khz() -> None:
    relative = k_weighting_response_db([31.5, 63, 100, 10_000]) - k_weighting_response_db(1000)
    np.testing.assert_allclose(relative, [-8.5, -3.4, -1.8, 3.3], atol=0.1)


@pytest.mark.parametrize("rate", [8000, 44100, 192_000])
def test_momentary_agrees_with_scipy(rate: int) -> None:
    samples = program(rate, 1, seconds=1.0).astype(np.float64)
    sections = [[b0, b1, b2, 1, a1, a2] for b0, b1, b2, a1, a2 in k_weighting_coefficients(rate)]
    weighted = scipy_signal.sosfilt(sections, samples[0])
    block = rate * 4 // 10
    starts = np.arange(0, len(weighted) - block + 1, rate // 10)
    expected = [-0.691 + 10 * np.log10(np.mean(weighted[s : s + block] ** 2)) for s in starts]
    meter = metered(samples.astype(np.float32), rate)
    np.testing.assert_allclose(meter.momentary_lufs(), expected, atol=1e-6)
