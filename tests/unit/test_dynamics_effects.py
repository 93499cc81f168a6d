"""Compressor, gate and de-esser: static laws and time constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.dsp.dynamics import gain_curve_db, smooth_gain_db
from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.deesser import Deesser
from tonmeister.effects.gate import Gate
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

RATE = 48000


def run(effect: Effect, signal: FloatArray) -> FloatArray:
    processor = effect.processor()
    processor.prepare(RATE, signal.shape[0], signal.shape[1])
    return processor.process(signal.copy())


def gain_db(effect: Effect, levels_db: DoubleArray) -> DoubleArray:
    """Gain per frame on a signal of alternating sign whose magnitude follows `levels_db`."""
    signal = (10.0 ** (levels_db / 20.0) * np.where(np.arange(len(levels_db)) % 2, -1.0, 1.0))[None]
    signal = signal.astype(np.float32)
    return np.asarray(20.0 * np.log10(run(effect, signal)[0] / signal[0].astype(np.float64)))


def test_the_static_curve_by_hand() -> None:
    levels = np.array([-60.0, -20.0, -12.0, 0.0])
    np.testing.assert_allclose(gain_curve_db(levels, -20.0, 4.0, 0.0), [0, 0, -6, -15], atol=1e-12)
    knee = gain_curve_db(np.array([-25.0, -20.0, -15.0]), -20.0, 4.0, 10.0)
    np.testing.assert_allclose(knee, [0.0, -0.75 * 25 / 20, -3.75], atol=1e-12)


@given(
    st.floats(-80, 0), st.floats(1, 100), st.floats(0, 40),
    st.lists(st.floats(-200, 60), min_size=2, max_size=30),
)  # fmt: skip
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_curve_is_monotone_and_never_boosts(
    threshold_db: float, ratio: float, knee_db: float, levels: list[float]
) -> None:
    """Louder in is never quieter out, never by more than it came in, and the knee joins without a step."""
    level_db = np.sort(np.array(levels))
    gain = gain_curve_db(level_db, threshold_db, ratio, knee_db)
    assert (gain <= 0.0).all()
    output_steps = np.diff(level_db + gain)
    assert (output_steps >= -1e-9).all()
    assert (output_steps <= np.diff(level_db) + 1e-9).all()
    hard = gain_curve_db(level_db, threshold_db, ratio, 0.0)
    assert (np.abs(gain - hard) <= (1 - 1 / ratio) * knee_db / 8 + 1e-9).all()


@pytest.mark.parametrize("knee_db", [0.0, 12.0])
@pytest.mark.parametrize("level_db", [-50.0, -27.0, -24.0, -20.0, -3.0])
def test_the_compressor_settles_on_its_curve(level_db: float, knee_db: float) -> None:
    effect = Compressor(-24.0, 3.0, knee_db, attack_ms=1.0, release_ms=10.0, makeup_db=6.0)
    wanted = gain_curve_db(np.array([level_db]), -24.0, 3.0, knee_db)[0] + 6.0
    assert gain_db(effect, np.full(4000, level_db))[-1] == pytest.approx(wanted, abs=1e-4)


def test_attack_and_release_are_time_constants() -> None:
    """After one time constant 63 % of the step are done, up and down."""
    attack, release = 480, 2400
    effect = Compressor(-40.0, 2.0, attack_ms=10.0, release_ms=50.0)
    levels = np.concatenate((np.full(10 * attack, -10.0), np.full(10 * release, -60.0)))
    gain = gain_db(effect, levels)
    end = 10 * attack
    full = -15.0
    assert gain[attack - 1] == pytest.approx(full * (1 - np.exp(-1)), abs=0.01)
    assert gain[end - 1] == pytest.approx(full, abs=0.01)
    assert gain[end + release - 1] == pytest.approx(full * np.exp(-1), abs=0.01)
    assert gain[-1] == pytest.approx(0.0, abs=0.01)


def test_ballistics_predict_the_compressor() -> None:
    """The functions on plain levels are what the processor does."""
    levels = np.random.default_rng(1).choice([-60.0, -30.0, -8.0], size=20).repeat(300)
    effect = Compressor(-35.0, 5.0, 8.0, attack_ms=3.0, release_ms=20.0)
    predicted = smooth_gain_db(gain_curve_db(levels, -35.0, 5.0, 8.0), 3.0 * 48, 20.0 * 48)
    np.testing.assert_allclose(gain_db(effect, levels), predicted, atol=1e-4)
    assert smooth_gain_db(np.array([-6.0, 0.0, -3.0]), 0.0, 0.0).tolist() == [-6.0, 0.0, -3.0]


def test_below_the_threshold_not_a_bit_changes() -> None:
    noise = (0.01 * np.random.default_rng(2).standard_normal((2, 4000))).astype(np.float32)
    np.testing.assert_array_equal(run(Compressor(-10.0, 10.0), noise), noise)
    np.testing.assert_array_equal(run(Compressor(-60.0, 1.0, 6.0), noise), noise)
    np.testing.assert_array_equal(run(Deesser(5000.0, -6.0, 8.0), noise), noise)


def test_the_sidechain_filter_makes_it_deaf_to_bass_only() -> None:
    time = np.arange(24000) / RATE
    bass, voice = (
        (0.5 * np.sin(2 * np.pi * f * time))[None].astype(np.float32) for f in (40.0, 2000.0)
    )  # fmt: skip
    effect = Compressor(-30.0, 4.0, release_ms=50.0, sidechain_high_pass_hz=400.0)
    assert np.abs(run(effect, bass)[0, -2000:]).max() == pytest.approx(0.5, rel=0.01)
    assert np.abs(run(effect, voice)[0, -2000:]).max() < 0.2


def test_the_gate_opens_and_closes_with_hysteresis() -> None:
    """Between the two thresholds it stays as it was."""
    effect = Gate(-30.0, 100.0, 60.0, attack_ms=0.1, release_ms=1.0, hysteresis_db=6.0)
    levels = np.repeat([-33.0, -28.0, -33.0, -40.0, -33.0], 4800)
    gain = gain_db(effect, levels)[4799::4800]
    np.testing.assert_allclose(gain, [-60.0, 0.0, 0.0, -60.0, -60.0], atol=0.01)


@pytest.mark.parametrize("hold_ms", [0.0, 20.0, 50.0])
def test_the_gate_holds(hold_ms: float) -> None:
    """After a burst it stays open until the follower is below the threshold, and then for the hold."""
    effect = Gate(-40.0, 100.0, 60.0, attack_ms=0.1, hold_ms=hold_ms, release_ms=1.0)
    gain = gain_db(effect, np.repeat([-20.0, -100.0], [2400, 9600]))
    followed = 0.010 * RATE * np.log(10.0)  # 20 dB of fall at a time constant of 10 ms
    closed = 2400 + followed + hold_ms * RATE / 1000.0
    first = int(np.argmax(gain[2400:] < -0.01)) + 2400
    assert first == pytest.approx(closed, abs=6)
    assert gain[-1] == pytest.approx(-60.0, abs=0.01)


def test_the_expander_is_a_slope_down_to_its_range() -> None:
    effect = Gate(-40.0, 3.0, 30.0, attack_ms=0.1, release_ms=1.0)
    for level_db, wanted in ((-30.0, 0.0), (-45.0, -10.0), (-50.0, -20.0), (-80.0, -30.0)):
        assert gain_db(effect, np.full(9600, level_db))[-1] == pytest.approx(wanted, abs=0.02)


def test_gate_time_constants() -> None:
    effect = Gate(-40.0, 100.0, 40.0, attack_ms=5.0, release_ms=30.0)
    gain = gain_db(effect, np.repeat([-20.0, -100.0], [4800, 19200]))
    assert gain[239] == pytest.approx(-40.0 * np.exp(-1), abs=0.1)
    start = int(np.argmax(gain[4800:] < -1e-4)) + 4800
    assert gain[start + 1440] == pytest.approx(-40.0 * (1 - np.exp(-1)), abs=0.2)


@pytest.mark.parametrize("effect", [Gate(-40.0, 1.0, 40.0), Gate(-40.0, 10.0, 0.0)])
def test_a_gate_without_ratio_or_range_does_nothing(effect: Gate) -> None:
    noise = (0.01 * np.random.default_rng(2).standard_normal((2, 4000))).astype(np.float32)
    noise[:, 2000:] = 0.0
    np.testing.assert_array_equal(run(effect, noise), noise)


def tone_gain_db(effect: Effect, frequency_hz: float, amplitude: float) -> float:
    wave = amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(RATE // 2) / RATE)
    output = run(effect, wave[None].astype(np.float32))[0, RATE // 4 :]
    return float(10 * np.log10(np.mean(output.astype(np.float64) ** 2) / np.mean(wave[RATE // 4 :] ** 2)))


def test_the_deesser_turns_down_treble_only() -> None:
    effect = Deesser(5000.0, -40.0, 10.0, 12.0, attack_ms=0.1, release_ms=500.0)
    assert tone_gain_db(effect, 15000.0, 0.5) == pytest.approx(-12.0, abs=0.3)
    assert tone_gain_db(effect, 200.0, 0.5) == pytest.approx(0.0, abs=0.05)
    assert tone_gain_db(effect, 15000.0, db_to_gain(-45.0)) == pytest.approx(0.0, abs=1e-6)


def test_the_deesser_follows_the_curve() -> None:
    """12 dB above the threshold at 4:1 are 9 dB less."""
    effect = Deesser(2000.0, -30.0, 4.0, 48.0, attack_ms=0.05, release_ms=1000.0)
    assert tone_gain_db(effect, 15913.0, db_to_gain(-18.0)) == pytest.approx(-9.0, abs=0.4)
