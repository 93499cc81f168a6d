"""Saturation: unity for small signals, the curve for slow ones, no aliases for fast ones."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.effects.saturation import Saturation
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

RATE = 48000


def run(effect: Saturation, signal: FloatArray) -> FloatArray:
    processor = effect.processor()
    processor.prepare(RATE, 1, signal.shape[1])
    return processor.process(signal.copy())


def tone(frequency_hz: float, amplitude: float, frames: int = 2 * RATE) -> FloatArray:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(frames) / RATE))[None].astype(np.float32)


def spectrum_db(signal: FloatArray) -> DoubleArray:
    """Amplitudes of the last second at whole hertz, dB re full scale."""
    return np.asarray(
        20 * np.log10(np.abs(np.fft.rfft(signal[0, -RATE:].astype(np.float64))) * 2 / RATE + 1e-12)
    )


@pytest.mark.parametrize("drive_db", [-24.0, 0.0, 12.0, 36.0])
@pytest.mark.parametrize("frequency_hz", [100.0, 5000.0, 19000.0])
def test_small_signals_keep_their_level(drive_db: float, frequency_hz: float) -> None:
    small = 0.001 / db_to_gain(max(drive_db, 0.0))
    level = spectrum_db(run(Saturation(drive_db), tone(frequency_hz, small)))[int(frequency_hz)]
    assert level == pytest.approx(20 * np.log10(small), abs=0.01)


@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
def test_a_slow_signal_follows_the_curve(mix: float) -> None:
    drive = db_to_gain(12.0)
    wave = tone(50.0, 0.8, 6000)
    output = run(Saturation(12.0, mix), wave)[0, 62:]
    x = wave[0, : len(output)].astype(np.float64)
    wanted = (1 - mix) * x + mix * np.tanh(drive * x) / drive
    np.testing.assert_allclose(output[100:], wanted[100:], atol=1e-4)


@pytest.mark.parametrize("frequency_hz", [997.0, 4999.0])
def test_harmonics_are_odd_and_nothing_folds_back(frequency_hz: float) -> None:
    """Up to 0.453 of the rate, all that is no odd harmonic stays 80 dB below the tone."""
    level = spectrum_db(run(Saturation(12.0), tone(frequency_hz, 0.5)))[: int(0.453 * RATE)]
    f = int(frequency_hz)
    assert level[3 * f] > level[f] - 40.0
    harmonics = [n * f for n in range(1, len(level) // f + 1, 2)]
    rest = np.delete(level, [bin_ for h in harmonics for bin_ in (h - 1, h, h + 1)])
    assert rest.max() < level[f] - 80.0


def test_without_oversampling_the_bound_would_not_hold() -> None:
    """The test above can fail: the plain curve at the plain rate does."""
    drive = db_to_gain(12.0)
    plain = (np.tanh(drive * tone(4999.0, 0.5)) / drive).astype(np.float32)
    level = spectrum_db(plain)
    assert level[RATE - 5 * 4999] > level[4999] - 60.0
