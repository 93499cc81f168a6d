"""Onsets: every hit found, nothing else, within 25 ms."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack, Track

RATE = 44_100
TOLERANCE_S = 0.025


def analyzed(signal: np.ndarray) -> MultitrackFeatures:
    track = Track(name="t", audio=Audio(np.atleast_2d(signal), RATE))
    return analyze(Multitrack("song", (track,), RATE))


def onsets(signal: np.ndarray) -> np.ndarray:
    return analyzed(signal)["t"].onset_times_s


def placed(hit: np.ndarray, times_s: np.ndarray, duration_s: float) -> np.ndarray:
    signal = np.zeros(round(duration_s * RATE))
    for time_s in times_s:
        start = round(time_s * RATE)
        part = hit[: len(signal) - start]
        signal[start : start + len(part)] += part
    return signal


def drum(name: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    time = np.arange(round(0.6 * RATE)) / RATE
    if name == "click":
        return np.array([0.8, -0.8])
    if name == "kick":
        return 0.8 * np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-time / 0.02)))) * np.exp(-time / 0.12)
    if name == "snare":
        return (0.3 * rng.standard_normal(len(time)) + 0.4 * np.sin(2 * np.pi * 190 * time)) * np.exp(
            -time / 0.07
        )
    if name == "hat":
        return 0.2 * np.diff(rng.standard_normal(len(time) + 1)) * np.exp(-time / 0.025)
    return 0.3 * sum(np.sin(2 * np.pi * 110 * k * time) / k for k in range(1, 8)) * np.exp(-time / 0.3)


def assert_found(found: np.ndarray, expected: np.ndarray) -> None:
    assert len(found) == len(expected), (found, expected)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE_S)


@pytest.mark.parametrize("name", ["click", "kick", "snare", "hat", "string"])
def test_regular_hits(name: str) -> None:
    times_s = 0.203 + 0.25 * np.arange(16) if name != "string" else 0.203 + 0.5 * np.arange(10)
    assert_found(onsets(placed(drum(name), times_s, 6.0)), times_s)


@pytest.mark.parametrize("name", ["kick", "snare", "hat"])
def test_irregular_hits_of_uneven_level_over_soft_noise(name: str) -> None:
    rng = np.random.default_rng(5)
    times_s = np.cumsum(rng.uniform(0.15, 0.7, 16))
    signal = np.zeros(round((times_s[-1] + 1) * RATE))
    for time_s, level in zip(times_s, rng.uniform(0.4, 1.0, 16), strict=True):
        signal += level * placed(drum(name), np.array([time_s]), len(signal) / RATE)
    signal += 3e-4 * rng.standard_normal(len(signal))
    assert_found(onsets(signal), times_s)


@pytest.mark.parametrize("frequency_hz", [31.0, 41.2, 55.0, 110.0, 440.0, 5000.0])
def test_a_held_note_begins_once(frequency_hz: float) -> None:
    time = np.arange(4 * RATE) / RATE
    note = 0.3 * np.sign(np.sin(2 * np.pi * frequency_hz * time)) * np.minimum(time / 0.005, 1)
    found = onsets(np.concatenate([np.zeros(RATE // 2), note]))
    assert_found(found, np.array([0.5]))


def test_steady_noise_has_hardly_any() -> None:
    noise = 0.1 * np.random.default_rng(2).standard_normal(8 * RATE)
    assert len(onsets(noise)) <= 2


def test_rate_is_per_active_second() -> None:
    times_s = 0.1 + 0.25 * np.arange(16)
    signal = np.concatenate([placed(drum("snare"), times_s, 4.1), np.zeros(20 * RATE)])
    assert analyzed(signal)["t"].onset_rate_hz == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("tempo_bpm", [84.0, 100.0, 126.0])
def test_tempo_of_a_beat_is_estimated_and_not_claimed(tempo_bpm: float) -> None:
    times_s = 0.1 + 60 / tempo_bpm * np.arange(28)
    features = analyzed(placed(drum("kick"), times_s, times_s[-1] + 1))
    assert features.tempo_bpm is None
    assert features.extra["tempo_estimate_bpm"] == pytest.approx(tempo_bpm, rel=0.01)


def test_noise_has_no_tempo() -> None:
    noise = 0.1 * np.random.default_rng(2).standard_normal(10 * RATE)
    assert "tempo_estimate_bpm" not in analyzed(noise).extra
