"""Delay and polarity between microphones of one source."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as scipy_signal

from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.dsp.correlation import best_lag
from tonmeister.features import MicrophonePair
from tonmeister.multitrack import Multitrack, Track

RATE = 44_100


def source(seed: int = 0, duration_s: float = 5.0) -> np.ndarray:
    """Colored noise in bursts."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(duration_s * RATE)) / RATE
    colored = scipy_signal.lfilter([1], [1, -0.95], rng.standard_normal(len(time)))
    return 0.05 * colored * np.exp(-(time % 0.7) / 0.1)


def delayed(signal: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([np.zeros(frames), signal])[: len(signal)]


def pairs(*signals: np.ndarray, groups: tuple[str | None, ...] | None = None) -> tuple[MicrophonePair, ...]:
    groups = groups or ("kit",) * len(signals)
    tracks = tuple(
        Track(name=f"t{i}", audio=Audio(np.atleast_2d(s), RATE), group=g)
        for i, (s, g) in enumerate(zip(signals, groups, strict=True))
    )
    return analyze(Multitrack("song", tracks, RATE)).pairs


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("frames", [1, 44, 300, 880])
def test_delay_and_polarity_are_exact(frames: int, inverted: bool) -> None:
    other = delayed(source(), frames) * (-0.4 if inverted else 0.4)
    (pair,) = pairs(source(), other)
    assert (pair.reference, pair.other) == ("t0", "t1")
    assert pair.delay_ms == frames * 1000 / RATE
    assert pair.inverted is inverted
    assert pair.correlation > 0.95


def test_the_earlier_track_is_the_reference() -> None:
    (pair,) = pairs(delayed(source(), 100), 0.5 * source())
    assert (pair.reference, pair.other) == ("t1", "t0")
    assert pair.delay_ms == 100 * 1000 / RATE


def test_inverted_without_delay() -> None:
    (pair,) = pairs(source(), -0.9 * source())
    assert pair.delay_ms == 0.0
    assert pair.inverted
    assert pair.correlation == pytest.approx(1.0)


def test_other_tone_and_some_noise_do_not_hide_the_delay() -> None:
    rng = np.random.default_rng(3)
    duller = scipy_signal.lfilter([0.5, 0.5], [1], delayed(source(), 60)) + 0.01 * rng.standard_normal(
        5 * RATE
    )
    (pair,) = pairs(source(), duller)
    assert pair.delay_ms == pytest.approx(60 * 1000 / RATE, abs=1000 / RATE)


def test_unrelated_tracks_are_no_pair() -> None:
    assert pairs(source(1), source(2)) == ()


def test_a_delay_beyond_20_ms_is_no_pair() -> None:
    assert pairs(source(), delayed(source(), 2000)) == ()


def test_a_pure_tone_is_ambiguous() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 200 * np.arange(3 * RATE) / RATE)
    assert pairs(tone, delayed(tone, 20) * 0.5) == ()


def test_only_within_a_group() -> None:
    other = 0.5 * delayed(source(), 50)
    assert pairs(source(), other, groups=("kick", "snare")) == ()
    assert pairs(source(), other, groups=(None, None)) == ()


def test_every_pair_of_three_is_named() -> None:
    found = pairs(source(), 0.5 * delayed(source(), 10), -0.5 * delayed(source(), 30))
    assert {(p.reference, p.other, p.inverted) for p in found} == {
        ("t0", "t1", False),
        ("t0", "t2", True),
        ("t1", "t2", True),
    }


def test_the_same_file_twice_is_a_duplicate_and_no_pair() -> None:
    assert pairs(source(), source()) == ()


def test_silence_is_no_pair() -> None:
    assert pairs(source(), 0 * source()) == ()


def test_lag_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((1, 4000)).astype(np.float32)
    second = np.roll(first, 37, axis=1) + 0.3 * rng.standard_normal((1, 4000)).astype(np.float32)
    lag = best_lag(first, second, max_lag_frames=200)
    assert lag is not None
    full = scipy_signal.correlate(second[0].astype(float), first[0].astype(float))
    lags = scipy_signal.correlation_lags(4000, 4000)
    norm = np.sqrt(np.sum(first.astype(float) ** 2) * np.sum(second.astype(float) ** 2))
    assert lag.frames == lags[np.argmax(np.abs(full))]
    assert lag.correlation == pytest.approx(full.max() / norm, rel=1e-6)
