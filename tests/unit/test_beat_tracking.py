"""Beats without a score: steady and drifting pulses, onsets, what has no beat."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.live.beats import BeatPosition, BeatTracker
from tonmeister.units import FloatArray

RATE = 16_000


def pulses(bpm: float, seconds: float, *, drift: float = 0.0) -> tuple[FloatArray, np.ndarray]:
    """Noise bursts on the beats, softer ones between them; (sound, times of the beats)."""
    random = np.random.default_rng(0)
    sound = 0.001 * random.standard_normal(int(seconds * RATE))
    burst = np.exp(-np.arange(800) / 160)
    times, at_s = [], 0.5
    while at_s < seconds - 0.5:
        beat_s = 60 / bpm * (1 + drift * np.sin(len(times) / 6))
        for when_s, level in ((at_s, 0.3), (at_s + beat_s / 2, 0.08)):
            k = int(when_s * RATE)
            sound[k : k + 800] += (level * burst * random.standard_normal(800))[: len(sound) - k]
        times.append(at_s)
        at_s += beat_s
    return sound[None].astype(np.float32), np.array(times)


def track(sound: FloatArray, block: int = 160) -> tuple[BeatTracker, list[BeatPosition]]:
    tracker = BeatTracker(RATE)
    return tracker, [tracker.update(sound[:, k : k + block]) for k in range(0, sound.shape[1], block)]


@pytest.mark.parametrize(("bpm", "drift"), [(90, 0.0), (120, 0.0), (128, 0.02), (150, 0.0)])
def test_the_next_beat_is_known_before_it_comes(bpm: float, drift: float) -> None:
    sound, beats = pulses(bpm, 20.0, drift=drift)
    _, positions = track(sound)
    late = [p for p in positions if p.time_s > 6]
    assert 60 / late[-1].beat_s == pytest.approx(bpm, rel=0.03)
    expected = [p.next_s for p in late if p.next_s < beats[-1]]
    assert all(p.next_s > p.time_s for p in late)
    wrong = [np.min(np.abs(beats - time_s)) for time_s in expected]
    assert np.median(wrong) < 0.035
    assert late[-1].confidence > 0.3


def test_beats_are_counted_one_by_one() -> None:
    sound, _beats = pulses(120, 16.0)
    _, positions = track(sound)
    early, late = (next(p for p in positions if p.time_s >= t) for t in (6.0, 14.0))
    assert late.beat - early.beat == pytest.approx(16.0, abs=0.2)


def test_upcoming_beats_have_growing_doubt() -> None:
    tracker, _ = track(pulses(120, 10.0)[0])
    ahead = tracker.upcoming(4)
    assert len(ahead) == 4
    assert np.allclose(np.diff([p.time_s for p in ahead]), 0.5, atol=0.02)
    assert np.all(np.diff([p.sd_s for p in ahead]) > 0)


def test_onsets_are_found_where_they_are() -> None:
    sound, beats = pulses(100, 10.0)
    tracker, _ = track(sound)
    found = np.array(tracker.onsets_s)
    nearest = [np.abs(found - t).min() for t in beats]
    assert np.median(nearest) < 0.015
    assert np.mean(np.array(nearest) < 0.03) > 0.95


def test_noise_and_silence_have_no_beat() -> None:
    random = np.random.default_rng(3)
    for sound in (np.zeros((1, 10 * RATE)), 0.1 * random.standard_normal((1, 10 * RATE))):
        tracker, positions = track(sound.astype(np.float32))
        assert positions[-1].confidence < 0.2
        assert tracker.upcoming(4) == []


def test_blocks_of_any_length_say_the_same() -> None:
    sound, _ = pulses(120, 8.0)
    whole, _ = track(sound)
    for block in (33, 4096):
        other, _ = track(sound, block)
        assert other.onsets_s == whole.onsets_s
        assert other.position == whole.position


def test_bad_samples_do_not_stop_it() -> None:
    sound, _ = pulses(120, 10.0)
    sound[:, 5 * RATE : 5 * RATE + 100] = np.nan
    tracker, positions = track(sound)
    assert 60 / positions[-1].beat_s == pytest.approx(120, rel=0.03)
    tracker.reset()
    assert np.isnan(tracker.position.next_s)
