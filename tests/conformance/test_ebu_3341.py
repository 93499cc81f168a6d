"""EBU Tech 3341, table 1: the signals that its text describes, synthesised at 48 kHz.

Cases 7 and 8 are recordings and are not reproduced; 20 to 23 are represented by a band-limited burst whose
true peak lies between the samples at the four offsets of a quarter sample.
"""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.units import gain_to_db

RATE = 48_000
LOUDNESS = 0.1
TRUE_PEAK_ABOVE, TRUE_PEAK_BELOW = 0.2, 0.4


def tone(level_db: float, seconds: float, start: int = 0) -> np.ndarray:
    """One channel of a 1 kHz sine whose peak is `level_db`."""
    time = (start + np.arange(round(seconds * RATE))) / RATE
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * 1000 * time)


def sequence(*parts: tuple[float, float]) -> np.ndarray:
    """Tones (level_db, seconds) in a row, without a jump of phase."""
    start, pieces = 0, []
    for level_db, seconds in parts:
        pieces.append(tone(level_db, seconds, start))
        start += len(pieces[-1])
    return np.concatenate(pieces)


def metered(*channels: np.ndarray) -> LoudnessMeter:
    meter = LoudnessMeter(RATE, len(channels))
    meter.update(np.stack(channels).astype(np.float32))
    return meter


def stereo(signal: np.ndarray) -> LoudnessMeter:
    return metered(signal, signal)


@pytest.mark.parametrize(("case", "level_db"), [(1, -23.0), (2, -33.0)])
def test_cases_1_and_2_steady_tone(case: int, level_db: float) -> None:
    meter = stereo(tone(level_db, 20))
    assert meter.integrated_lufs == pytest.approx(level_db, abs=LOUDNESS)
    np.testing.assert_allclose(meter.momentary_lufs()[10:], level_db, atol=LOUDNESS)
    np.testing.assert_allclose(meter.short_term_lufs()[10:], level_db, atol=LOUDNESS)


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        (3, [(-36, 10), (-23, 60), (-36, 10)]),
        (4, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]),
        (5, [(-26, 20), (-20, 20.1), (-26, 20)]),
    ],
)
def test_cases_3_to_5_gates(case: int, parts: list[tuple[float, float]]) -> None:
    assert stereo(sequence(*parts)).integrated_lufs == pytest.approx(-23.0, abs=LOUDNESS)


def test_case_6_five_channels() -> None:
    front, center, back = tone(-28, 20), tone(-24, 20), tone(-30, 20)
    assert metered(front, front, center, back, back).integrated_lufs == pytest.approx(-23.0, abs=LOUDNESS)


def test_case_9_short_term_is_constant() -> None:
    meter = stereo(sequence(*[(-20.0, 1.34), (-30.0, 1.66)] * 5))
    np.testing.assert_allclose(meter.short_term_lufs(), -23.0, atol=LOUDNESS)


@pytest.mark.parametrize("segment", range(20))
def test_case_10_maximum_short_term(segment: int) -> None:
    signal = sequence((-200, segment * 0.15), (-23, 3), (-200, 1))
    assert stereo(signal).max_short_term_lufs == pytest.approx(-23.0, abs=LOUDNESS)


def test_case_11_live_short_term() -> None:
    meter, reached = LoudnessMeter(RATE, 2), []
    for segment in range(20):
        level_db = -38.0 + segment
        part = sequence((-200, segment * 0.15), (level_db, 3), (-200, 3 - segment * 0.15))
        meter.update(np.stack((part, part)).astype(np.float32))
        reached.append(meter.max_short_term_lufs)
    np.testing.assert_allclose(np.array(reached, float), np.arange(-38.0, -18.0), atol=LOUDNESS)


def test_case_12_momentary_is_constant() -> None:
    meter = stereo(sequence(*[(-20.0, 0.18), (-30.0, 0.22)] * 25))
    np.testing.assert_allclose(meter.momentary_lufs()[7:], -23.0, atol=LOUDNESS)


@pytest.mark.parametrize("segment", range(20))
def test_case_13_maximum_momentary(segment: int) -> None:
    signal = sequence((-200, segment * 0.02), (-23, 0.4), (-200, 1))
    assert stereo(signal).max_momentary_lufs == pytest.approx(-23.0, abs=LOUDNESS)


def test_case_14_live_momentary() -> None:
    meter, reached = LoudnessMeter(RATE, 2), []
    for segment in range(20):
        level_db = -38.0 + segment
        part = sequence((-200, segment * 0.02), (level_db, 0.4), (-200, 0.4 - segment * 0.02))
        meter.update(np.stack((part, part)).astype(np.float32))
        reached.append(meter.max_momentary_lufs)
    np.testing.assert_allclose(np.array(reached, float), np.arange(-38.0, -18.0), atol=LOUDNESS)


def assert_true_peak(meter: LoudnessMeter, expected_db: float) -> None:
    measured = meter.true_peak_dbtp()
    assert measured is not None
    assert expected_db - TRUE_PEAK_BELOW <= measured <= expected_db + TRUE_PEAK_ABOVE


@pytest.mark.parametrize(
    ("case", "divisor", "phase_deg", "amplitude"),
    [(15, 4, 0.0, 0.5), (16, 4, 45.0, 0.5), (17, 6, 60.0, 0.5), (18, 8, 67.5, 0.5), (19, 4, 45.0, 1.41)],
)
def test_cases_15_to_19_true_peak(case: int, divisor: int, phase_deg: float, amplitude: float) -> None:
    frames = np.arange(RATE)
    fade = np.clip(np.minimum(frames, frames[::-1]) / (0.05 * RATE), 0, 1)
    signal = amplitude * np.sin(2 * np.pi * frames / divisor + np.deg2rad(phase_deg)) * fade
    assert_true_peak(stereo(signal), gain_to_db(amplitude))


@pytest.mark.parametrize(("case", "offset"), [(20, 0.0), (21, 0.25), (22, 0.5), (23, 0.75)])
def test_cases_20_to_23_peaks_between_samples(case: int, offset: float) -> None:
    time = np.arange(2000) - 1000 + offset
    burst = np.cos(2 * np.pi * time / 6) * np.exp(-((time / 60) ** 2))
    assert_true_peak(stereo(burst), 0.0)
