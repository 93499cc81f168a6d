"""Laws of the analysis: blocks, threads and gain change nothing but what they must."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.analysis import analyze, measure
from tonmeister.analysis.recording import Recording
from tonmeister.analysis.tracks import TrackResult, track_result
from tonmeister.audio import Audio
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track

RATE = 22_050
"""Ten milliseconds are 220.5 frames here: cells of unequal length."""


def hits(seed: int = 0, channels: int = 2, seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Decaying bursts of noise over a soft tone, with half a second of digital silence at the end."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    time = np.arange(frames) / rate
    envelope = np.exp(-(time % 0.4) / 0.05)
    samples = 0.3 * rng.standard_normal((channels, frames)) * envelope + 0.02 * np.sin(2 * np.pi * 330 * time)
    samples[:, frames - rate // 2 :] = 0.0
    return np.clip(samples, -1, 1).astype(np.float32)


def song(*samples: np.ndarray, rate: int = RATE, group: str | None = None) -> Multitrack:
    tracks = tuple(Track(name=f"track {i}", audio=Audio(s, rate), group=group) for i, s in enumerate(samples))
    return Multitrack("song", tracks, rate)


def assert_same(one: object, other: object) -> None:
    """Equal to the last bit, through dataclasses, mappings and arrays."""
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        assert isinstance(other, tuple)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, TrackFeatures | MultitrackFeatures | TrackResult):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def recorded(samples: np.ndarray, blocks: Iterator[int] | None = None) -> TrackResult:
    recording = Recording("track", RATE, samples.shape[0], keep_excerpts=True)
    start = 0
    while start < samples.shape[1]:
        size = next(blocks) if blocks is not None else samples.shape[1]
        recording.update(samples[:, start : start + size])
        start += size
    return track_result("track", recording)


@given(data=st.data())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_blocks_of_any_size_give_the_same_bits(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9000), min_size=1, max_size=6))
    channels = data.draw(st.sampled_from([1, 2]))
    samples = hits(channels=channels)

    def cycle() -> Iterator[int]:
        while True:
            yield from (max(size, 40) for size in sizes)

    assert_same(recorded(samples, cycle()), recorded(samples))


def test_single_frames_give_the_same_bits() -> None:
    samples = hits(seconds=0.6)
    assert_same(recorded(samples, iter(lambda: 1, 0)), recorded(samples))


def test_mix_measurement_does_not_depend_on_blocks() -> None:
    samples = hits()
    pieces = [samples[:, start : start + 977] for start in range(0, samples.shape[1], 977)]
    assert measure(pieces, RATE, 2) == measure([samples], RATE, 2)


def test_threads_and_repetition_change_nothing() -> None:
    multitrack = song(hits(1), hits(2, channels=1), hits(1) * 0.5, group="kit")
    once = analyze(multitrack, threads=1)
    assert_same(analyze(multitrack, threads=2), once)
    assert_same(analyze(multitrack, threads=1), once)


SHIFTED = (
    "integrated_lufs", "max_momentary_lufs", "max_short_term_lufs", "true_peak_dbtp", "sample_peak_db",
    "peak_p999_db", "rms_db",
)  # fmt: skip
SHIFTED_SERIES = ("momentary_lufs", "level_db", "peak_level_db", "octave_db", "third_octave_db", "bark_db")
UNMOVED = (
    "crest_db", "active_ratio", "centroid_hz", "spread_hz", "flatness", "rolloff_hz", "flux",
    "low_energy_ratio", "onset_rate_hz", "width", "imbalance", "correlation",
)  # fmt: skip


@given(gain_db=st.floats(-25, 8))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_gain_shifts_levels_and_nothing_else(gain_db: float) -> None:
    samples = hits() * np.float32(0.2)
    plain = recorded(samples).features
    moved = recorded(samples * np.float32(10 ** (gain_db / 20))).features
    for name in SHIFTED:
        assert getattr(moved, name) - getattr(plain, name) == pytest.approx(gain_db, abs=1e-4), name
    for name in SHIFTED_SERIES:
        before, after = getattr(plain, name), getattr(moved, name)
        # what is at the floor stays there
        heard = before > -110
        np.testing.assert_allclose((after - before)[heard], gain_db, atol=2e-3, err_msg=name)
    for name in UNMOVED:
        assert getattr(moved, name) == pytest.approx(getattr(plain, name), rel=1e-3, abs=1e-6), name
    np.testing.assert_array_equal(moved.active, plain.active)
    np.testing.assert_array_equal(moved.onset_times_s, plain.onset_times_s)


def test_masking_does_not_depend_on_gain() -> None:
    quiet = analyze(song(hits(1), hits(2) * np.float32(0.05)))
    loud = analyze(song(hits(1), hits(2)))
    np.testing.assert_allclose(quiet.masking, loud.masking, atol=1e-4)


def test_exchanged_channels_mirror_the_image_only() -> None:
    samples = hits()
    samples[1] *= 0.5
    plain, mirrored = recorded(samples).features, recorded(samples[::-1].copy()).features
    assert mirrored.imbalance == pytest.approx(-plain.imbalance)
    assert mirrored.width == pytest.approx(plain.width)
    assert mirrored.integrated_lufs == pytest.approx(plain.integrated_lufs)


def test_mono_reads_like_the_same_signal_on_both_channels() -> None:
    samples = hits(channels=1)
    mono, double = recorded(samples).features, recorded(np.vstack([samples, samples])).features
    for name in (*SHIFTED, *SHIFTED_SERIES, "crest_db", "centroid_hz", "flux"):
        np.testing.assert_allclose(getattr(mono, name), getattr(double, name), atol=1e-3, err_msg=name)
