"""What the engines predict against what the effects do."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.dsp.bands import band_edges_hz
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.gain import Gain
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.prediction import (
    compressor_change_db,
    filter_change_db,
    predicted_lufs,
    reverb_change_db,
)

RATE = 48_000
HOP = RATE // 100


def signal(seconds: float = 3.0, *, seed: int = 0) -> np.ndarray:
    """Noise in strokes that die away."""
    random = np.random.default_rng(seed)
    beat = np.arange(int(seconds * RATE)) % (RATE // 2) / RATE
    return (0.3 * np.exp(-6 * beat) * random.standard_normal(len(beat))).astype(np.float32)


def levels(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hops = x[: len(x) // HOP * HOP].reshape(-1, HOP).astype(np.float64)
    rms, peak = np.sqrt(np.mean(hops**2, axis=1)), np.abs(hops).max(axis=1)
    return 20 * np.log10(np.maximum(rms, 1e-10)), 20 * np.log10(np.maximum(peak, 1e-10))


def third_octaves(x: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.rfft(x.astype(np.float64))) ** 2
    frequency_hz = np.fft.rfftfreq(len(x), 1 / RATE)
    bands = np.searchsorted(band_edges_hz(3), frequency_hz) - 1
    found = np.array([power[bands == b].sum() for b in range(30)])
    return 10 * np.log10(np.maximum(found, 1e-30))


def power_db(x: np.ndarray) -> float:
    return 10 * np.log10(float(np.mean(x.astype(np.float64) ** 2)))


def processed(effect, x: np.ndarray) -> np.ndarray:
    processor = effect.processor()
    processor.prepare(RATE, 1, len(x))
    return processor.process(x[None].copy())[0]


@pytest.mark.parametrize(
    "effect",
    [
        HighPass(300.0, order=4),
        Equalizer((EqSection("peak", 500.0, 6.0, 1.0), EqSection("high_shelf", 5000.0, -6.0, 0.7))),
        Gain(-4.0),
    ],
)
def test_filters_change_the_power_as_predicted(effect) -> None:
    x = signal()
    predicted = filter_change_db(third_octaves(x), [effect], RATE, weighted=False)
    assert predicted == pytest.approx(power_db(processed(effect, x)) - power_db(x), abs=0.2)


def test_filters_change_the_loudness_in_closed_form() -> None:
    spectrum = np.full(30, -200.0)
    spectrum[16] = -20.0  # 1 kHz only: the weighting cancels
    boost = Equalizer((EqSection("peak", 1000.0, 6.0, 0.3),))
    assert filter_change_db(spectrum, [boost], RATE) == pytest.approx(6.0, abs=0.15)
    assert filter_change_db(spectrum, [boost, Gain(-6.0)], RATE) == pytest.approx(0.0, abs=0.15)
    assert filter_change_db(spectrum, [], RATE) == 0.0


def test_weighting_makes_the_bass_count_less() -> None:
    flat, cut = np.zeros(30), HighPass(100.0, order=4)
    assert filter_change_db(flat, [cut], RATE) > filter_change_db(flat, [cut], RATE, weighted=False)


@pytest.mark.parametrize("ratio", [2.0, 4.6, 20.0])
@pytest.mark.parametrize(("attack_ms", "release_ms"), [(1.0, 100.0), (20.0, 200.0), (50.0, 1000.0)])
def test_compressors_change_the_level_as_predicted(ratio: float, attack_ms: float, release_ms: float) -> None:
    x = signal()
    compressor = Compressor(-24.0, ratio, 6.0, attack_ms, release_ms)
    actual = power_db(processed(compressor, x)) - power_db(x)
    assert actual < -0.5
    assert compressor_change_db(compressor, *levels(x)) == pytest.approx(actual, abs=0.5, rel=0.1)


def test_a_compressor_predicts_tones_and_makeup() -> None:
    x = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    compressor = Compressor(-20.0, 4.0, 0.0, 5.0, 200.0, makeup_db=3.0)
    actual = power_db(processed(compressor, x)) - power_db(x)
    assert compressor_change_db(compressor, *levels(x)) == pytest.approx(actual, abs=0.3)


def test_gain_before_the_compressor_counts() -> None:
    level, peak = levels(signal())
    compressor = Compressor(-24.0, 4.0, 6.0, 10.0, 100.0)
    assert compressor_change_db(compressor, level, peak, gain_db=-60.0) == 0.0
    shifted = compressor_change_db(compressor, level + 6, peak + 6)
    assert compressor_change_db(compressor, level, peak, gain_db=6.0) == pytest.approx(shifted)


def test_a_filter_in_the_detector_spares_the_bass() -> None:
    spectrum = np.full(30, -60.0)
    spectrum[4] = -10.0
    level, peak = levels(signal())
    plain = Compressor(-24.0, 4.0, 0.0, 10.0, 100.0)
    spared = Compressor(-24.0, 4.0, 0.0, 10.0, 100.0, sidechain_high_pass_hz=400.0)
    assert compressor_change_db(spared, level, peak, third_octave_db=spectrum) > compressor_change_db(
        plain, level, peak
    )


def test_rooms_are_as_loud_as_predicted() -> None:
    random = np.random.default_rng(3)
    x = (0.1 * random.standard_normal((2, 2 * RATE))).astype(np.float32)
    reverb = Reverb(decay_s=0.6, damping_hz=5000.0, low_cut_hz=200.0)
    processor = reverb.processor()
    processor.prepare(RATE, 2, x.shape[1])
    wet = processor.process(x.copy())[:, RATE:]
    from scipy.signal import welch

    frequency_hz, dry_power = welch(x[0], RATE, nperseg=8192)
    _, wet_power = welch(wet, RATE, nperseg=8192)
    bands = np.searchsorted(band_edges_hz(3), frequency_hz) - 1
    spectrum = 10 * np.log10([max(dry_power[bands == b].sum(), 1e-20) for b in range(30)])
    from tonmeister.dsp.loudness import k_weighting_power

    weights = k_weighting_power(frequency_hz, RATE)
    actual = 10 * np.log10((weights * wet_power.mean(0)).sum() / (weights * dry_power).sum())
    assert reverb_change_db(spectrum, reverb, RATE) == pytest.approx(actual, abs=1.0)


def test_sums_add_powers_where_tracks_sound_together() -> None:
    early, late = np.full(50, -20.0, np.float32), np.full(50, -20.0, np.float32)
    early[25:], late[:25] = -200.0, -200.0
    assert predicted_lufs([early, early], [0.0, 0.0]) == pytest.approx(-20.0 + 3.01, abs=0.01)
    assert predicted_lufs([early, late], [0.0, 0.0]) == pytest.approx(-20.0, abs=0.01)
    assert predicted_lufs([early], [6.0]) == pytest.approx(-14.0, abs=0.01)
    assert predicted_lufs([np.full(50, -200.0, np.float32)], [0.0]) is None
