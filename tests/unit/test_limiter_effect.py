"""The limiter's law: no meter sees a peak above the ceiling, and what is below it comes out bit for bit."""

from __future__ import annotations

import numpy as np
import pyebur128
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.dsp.true_peak import every_meter, true_peaks
from tonmeister.effects.limiter import Limiter
from tonmeister.units import FloatArray, gain_to_db


def run(effect: Limiter, signal: FloatArray, sample_rate: int = 48000) -> tuple[FloatArray, int]:
    """The output with its tail, and the latency."""
    processor = effect.processor()
    processor.prepare(sample_rate, signal.shape[0], signal.shape[1] + 4000)
    padded = np.pad(signal, ((0, 0), (0, 4000))).astype(np.float32)
    return processor.process(padded), processor.latency_frames


def hot_signal(kind: str, seed: int, frames: int = 3000) -> FloatArray:
    rng, n = np.random.default_rng(seed), np.arange(frames)
    frequency = rng.uniform(0.0005, 0.49)
    signals = {
        "noise": rng.standard_normal((2, frames)),
        "signs": rng.choice([-1.0, 1.0], size=(2, frames)),
        "square": np.sign(np.sin(2 * np.pi * frequency * n + 0.1))[None],
        "sine": np.sin(2 * np.pi * frequency * n + rng.uniform(0, 6))[None],
        "quarter": np.sin(np.pi / 2 * n + np.pi / 4)[None],
        "clicks": (rng.random((1, frames)) < 0.01) * rng.standard_normal((1, frames)) * 5,
        "bursts": rng.standard_normal((2, frames))
        * rng.choice([0.0, 0.1, 1.0, 30.0], frames // 50).repeat(50),
        "step": np.where(n < frames // 2, 0.0, np.sin(np.pi / 2 * n + np.pi / 4))[None],
    }
    return np.asarray(signals[kind], np.float32)


HOT = ["noise", "signs", "square", "sine", "quarter", "clicks", "bursts", "step"]


@given(
    kind=st.sampled_from(HOT),
    seed=st.integers(0, 10**6),
    drive_db=st.floats(-6.0, 60.0),
    ceiling_dbtp=st.floats(-20.0, 0.0),
    release_ms=st.sampled_from([1.0, 20.0, 500.0]),
    lookahead_ms=st.sampled_from([1.0, 3.3, 10.0]),
    sample_rate=st.sampled_from([8000, 44100, 48000, 96000]),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_no_true_peak_passes_the_ceiling(
    kind: str,
    seed: int,
    drive_db: float,
    ceiling_dbtp: float,
    release_ms: float,
    lookahead_ms: float,
    sample_rate: int,
) -> None:
    """By our meter and by the table of BS.1770-4 annex 2."""
    signal = hot_signal(kind, seed) * np.float32(10 ** (drive_db / 20))
    output, _ = run(Limiter(ceiling_dbtp, release_ms, lookahead_ms), signal, sample_rate)
    assert gain_to_db(true_peaks(output).max()) <= ceiling_dbtp + 0.005
    annex_2 = [
        np.abs(np.convolve(row, taps)).max()
        for row in output.astype(np.float64)
        for taps in every_meter()[7:]
    ]
    assert gain_to_db(max(annex_2)) <= ceiling_dbtp + 0.005


@pytest.mark.parametrize("kind", HOT)
def test_libebur128_agrees(kind: str) -> None:
    output, _ = run(Limiter(-1.0, 1.0, 1.0), hot_signal(kind, 3) * np.float32(4.0))
    mode = pyebur128.MeasurementMode.MODE_TRUE_PEAK
    meter = pyebur128.R128State(output.shape[0], 48000, mode)
    meter.add_frames(np.ascontiguousarray(output.T).reshape(-1), output.shape[1])
    peaks = [pyebur128.get_true_peak(meter, channel) for channel in range(output.shape[0])]
    assert gain_to_db(max(peaks)) <= -1.0 + 0.05


@pytest.mark.parametrize("true_peak", [True, False])
@pytest.mark.parametrize("lookahead_ms", [1.0, 5.0, 10.0])
def test_below_the_ceiling_it_is_a_delay_bit_for_bit(true_peak: bool, lookahead_ms: float) -> None:
    noise = np.random.default_rng(1).standard_normal((2, 5000)).astype(np.float32)
    noise *= np.float32(
        0.85 / np.abs(np.stack([np.convolve(r, t) for r in noise for t in every_meter()])).max()
    )
    output, late = run(Limiter(-1.0, 50.0, lookahead_ms, true_peak), noise)
    np.testing.assert_array_equal(output[:, late : late + 5000], noise)
    assert not output[:, :late].any()


def test_it_returns_to_unity_after_a_peak() -> None:
    quiet = (0.1 * np.random.default_rng(1).standard_normal((1, 30000))).astype(np.float32)
    quiet[0, 100] = 10.0
    output, late = run(Limiter(-1.0, 5.0, 2.0), quiet)
    np.testing.assert_array_equal(output[0, 20000 + late : 30000 + late], quiet[0, 20000:30000])


def test_sample_peaks_only_when_asked() -> None:
    wave = hot_signal("quarter", 0)
    output, _ = run(Limiter(-6.0, true_peak=False), wave)
    assert np.abs(output).max() == pytest.approx(10 ** (-6 / 20), rel=1e-3)
    assert gain_to_db(true_peaks(output).max()) > -4.0


def test_it_takes_no_more_than_it_must() -> None:
    """A steady tone ends at the ceiling, not below."""
    wave = 4.0 * np.sin(2 * np.pi * 0.0123 * np.arange(20000))[None].astype(np.float32)
    output, _ = run(Limiter(-2.0, 1000.0, 5.0), wave)
    assert gain_to_db(np.abs(output[0, 5000:15000]).max()) == pytest.approx(-2.0, abs=0.02)


def test_release_is_a_time_constant() -> None:
    """A constant after a peak at ten times the ceiling: 1 - 0.9 exp(-t / release)."""
    signal = np.full((1, 20000), 0.5, np.float32)
    signal[0, 1000] = 10.0
    effect = Limiter(0.0, 50.0, 1.0, true_peak=False)
    output, late = run(effect, signal)
    gain = output[0, late:20000] / 0.5
    start = 1000 + 1  # the hold ends with the peak; the triangle centers the recovery later by half the fade
    at = start + 2400 + (late + 1) // 2
    assert gain[at] == pytest.approx(1.0 - 0.9 * np.exp(-1.0), abs=0.02)
