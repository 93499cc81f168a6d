"""What `analyze` says about signals whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as scipy_signal

from tonmeister.analysis import analyze
from tonmeister.analysis.activity import bridge, hysteresis
from tonmeister.audio import Audio
from tonmeister.dsp.bands import BARK_EDGES_HZ, OCTAVE_HZ, band_edges_hz
from tonmeister.errors import AudioFileError
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track

RATE = 44_100


def song(*signals: np.ndarray, rate: int = RATE, group: str | None = None) -> MultitrackFeatures:
    tracks = tuple(
        Track(name=f"t{i}", audio=Audio(np.atleast_2d(s), rate), group=group) for i, s in enumerate(signals)
    )
    return analyze(Multitrack("song", tracks, rate))


def only(signal: np.ndarray, rate: int = RATE) -> TrackFeatures:
    return song(signal, rate=rate)["t0"]


def seconds(duration_s: float, rate: int = RATE) -> np.ndarray:
    return np.arange(round(duration_s * rate)) / rate


def sine(
    frequency_hz: float, duration_s: float = 2.0, amplitude: float = 0.5, rate: int = RATE
) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency_hz * seconds(duration_s, rate))


def noise(duration_s: float = 4.0, amplitude: float = 0.1, channels: int = 1, seed: int = 0) -> np.ndarray:
    return amplitude * np.random.default_rng(seed).standard_normal((channels, round(duration_s * RATE)))


def db_sum(levels_db: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(10 ** (levels_db.astype(float) / 10))))


def test_levels_of_a_sine() -> None:
    track = only(sine(1000, amplitude=0.5))
    assert track.sample_peak_db == pytest.approx(-6.02, abs=0.01)
    assert track.true_peak_dbtp == pytest.approx(-6.02, abs=0.01)
    assert track.rms_db == pytest.approx(-9.03, abs=0.01)
    assert track.crest_db == pytest.approx(3.01, abs=0.01)
    # 997 Hz at 0 dBFS on one channel reads -3.01 LUFS; from two speakers 3.01 more
    assert track.integrated_lufs == pytest.approx(-6.02, abs=0.02)
    np.testing.assert_allclose(track.level_db, -9.03, atol=0.05)
    assert track.active.all()
    assert track.active_ratio == 1.0
    assert track.width is None
    assert track.frames == 2 * RATE


@pytest.mark.parametrize("frequency_hz", [125.0, 440.0, 1000.0, 3000.0, 9000.0])
def test_a_sine_lies_in_its_bands_with_all_its_power(frequency_hz: float) -> None:
    track = only(sine(frequency_hz))
    bus_db = track.rms_db + 3.01
    assert track.octave_db.max() == pytest.approx(bus_db, abs=0.2)
    assert OCTAVE_HZ[int(track.octave_db.argmax())] == min(
        OCTAVE_HZ, key=lambda center: abs(np.log(center / frequency_hz))
    )
    band = int(np.searchsorted(BARK_EDGES_HZ, frequency_hz)) - 1
    assert int(track.bark_db.argmax()) == band
    assert db_sum(track.third_octave_db) == pytest.approx(bus_db, abs=0.02)


def test_white_noise_fills_bands_by_their_width() -> None:
    track = only(noise(channels=2, duration_s=8))
    expected = 10 * np.log10(np.diff(band_edges_hz(3)) / (RATE / 2)) + track.rms_db + 3.01
    np.testing.assert_allclose(track.third_octave_db[10:-1], expected[10:-1], atol=0.4)
    np.testing.assert_allclose(track.third_octave_db[:10], expected[:10], atol=2.5)
    bark = 10 * np.log10(np.diff(BARK_EDGES_HZ) / (RATE / 2)) + track.rms_db + 3.01
    np.testing.assert_allclose(track.bark_db, bark, atol=0.7)
    assert track.low_energy_ratio == pytest.approx(130 / 22_000, rel=0.15)


def test_loudness_follows_from_the_third_octaves() -> None:
    from tonmeister.dsp.bands import exact_centers_hz
    from tonmeister.dsp.loudness import k_weighting_power

    track = only(scipy_signal.lfilter([1], [1, -0.97], noise(amplitude=0.02)))
    weighted = 10 ** (track.third_octave_db.astype(float) / 10) * k_weighting_power(exact_centers_hz(3))
    assert -0.691 + 10 * np.log10(weighted.sum()) == pytest.approx(track.integrated_lufs, abs=0.15)


def test_shape_of_noise_and_tone() -> None:
    hiss, tone = only(noise()), only(sine(2000))
    assert hiss.centroid_hz == pytest.approx((20 + 20_000) / 2, rel=0.02)
    assert hiss.spread_hz == pytest.approx(19_980 / np.sqrt(12), rel=0.03)
    assert hiss.flatness == pytest.approx(np.exp(-0.5772), abs=0.03)
    assert hiss.rolloff_hz == pytest.approx(0.85 * RATE / 2, rel=0.03)
    assert tone.centroid_hz == pytest.approx(2000, rel=0.02)
    assert tone.rolloff_hz == pytest.approx(2000, abs=25)
    assert tone.flatness < 1e-3
    assert tone.flux < 0.05 < hiss.flux < 1.0


def test_low_energy() -> None:
    assert only(sine(60)).low_energy_ratio > 0.95
    assert only(sine(600)).low_energy_ratio < 0.01


def test_spectrum_is_of_the_sounding_time_only() -> None:
    burst = np.concatenate([sine(1000, 1.0), np.zeros(5 * RATE)])
    track, steady = only(burst), only(sine(1000, 1.0))
    assert track.octave_db[5] == pytest.approx(steady.octave_db[5], abs=0.5)
    assert track.rms_db == pytest.approx(steady.rms_db, abs=0.5)
    assert track.active_ratio == pytest.approx(1 / 6, abs=0.02)


def test_a_single_hit_is_active_for_about_its_length() -> None:
    signal = np.zeros(8 * RATE)
    hit = noise(0.15, amplitude=0.2)[0]
    signal[3 * RATE : 3 * RATE + len(hit)] = hit
    active = np.flatnonzero(only(signal).active) / 100
    assert 2.94 <= active[0] <= 3.0
    assert 3.13 <= active[-1] <= 3.22


def test_a_rhythm_is_active_throughout_and_a_rest_is_not() -> None:
    time = seconds(6)
    playing = noise(6)[0] * np.exp(-(time % 0.3) / 0.03)
    playing[2 * RATE : 4 * RATE] = 0.0
    active = only(playing).active
    assert active[:185].all()
    assert not active[230:395].any()
    assert active[418:580].all()


def test_bleed_20_lu_down_does_not_open_the_gate() -> None:
    signal = noise(6)[0]
    signal[2 * RATE : 4 * RATE] *= 0.07
    active = only(signal).active
    assert not active[210:390].any()


def test_hysteresis_needs_the_upper_threshold_to_open() -> None:
    level = np.array([-27.0, -24.0, -27.0, -29.0, -31.0, -27.0, -24.0])
    np.testing.assert_array_equal(hysteresis(level, -25, -30), [0, 1, 1, 1, 0, 0, 1])


def test_bridge_closes_short_gaps_only() -> None:
    gate = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1, 0], bool)
    np.testing.assert_array_equal(bridge(gate, 2), [0, 1, 1, 1, 1, 0, 0, 0, 1, 0])


def test_stereo_measures() -> None:
    left, right = noise(seed=1)[0], noise(seed=2)[0]
    independent = only(np.stack([left, right]))
    assert independent.width == pytest.approx(1.0, abs=0.05)
    assert independent.correlation == pytest.approx(0.0, abs=0.02)
    assert independent.imbalance == pytest.approx(0.0, abs=0.02)
    same = only(np.stack([left, left]))
    assert same.width == pytest.approx(0.0, abs=1e-9)
    assert same.correlation == pytest.approx(1.0)
    opposed = only(np.stack([left, -left]))
    assert opposed.correlation == pytest.approx(-1.0)
    assert opposed.width >= 100
    one_sided = only(np.stack([left, 0 * left]))
    assert one_sided.imbalance == pytest.approx(-1.0)
    assert one_sided.correlation == 0.0
    uneven = only(np.stack([left, 0.5 * left]))
    assert uneven.imbalance == pytest.approx((0.25 - 1) / 1.25)
    assert uneven.width == pytest.approx((0.5 / 1.5) ** 2)


def test_dc_of_the_worse_channel() -> None:
    track = only(np.stack([noise(1)[0] + 0.01, noise(1, seed=1)[0] - 0.05]))
    assert track.dc == pytest.approx(-0.05, abs=0.002)


def test_clipped_runs_and_where_they_are() -> None:
    signal = sine(100, 2.0, amplitude=0.5)
    signal[1000:1003] = 1.0
    signal[30_000:30_010] = -1.0
    signal[40_000:40_002] = 1.0  # two samples are no run
    track = only(np.stack([signal, 0.5 * signal]))
    assert track.clipped_runs == 2
    assert track.clipped_at_s == pytest.approx((1000 / RATE, 30_000 / RATE))


def test_a_run_may_cross_a_block() -> None:
    signal = np.zeros(70_000)
    signal[65_535:65_538] = 1.0
    assert only(signal).clipped_runs == 1


def test_only_a_hundred_positions_are_kept() -> None:
    signal = np.tile([1.0] * 5 + [0.0] * 45, 500)
    track = only(signal)
    assert track.clipped_runs == 500
    assert len(track.clipped_at_s) == 100


def test_duplicates_and_checksums() -> None:
    one, other = noise(1)[0], noise(1, seed=3)[0]
    features = song(one, other, one, 0 * one, 0 * one)
    assert features.duplicates == (("t0", "t2"),)
    assert features["t0"].checksum != features["t1"].checksum
    assert features["t0"].checksum == features["t2"].checksum


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused_by_name_and_place(bad: float) -> None:
    signal = noise(3)[0]
    signal[2 * RATE] = bad
    with pytest.raises(AudioFileError, match=r"t0.*2\.000 s.*not a finite number"):
        only(signal)


@pytest.mark.parametrize("frames", [0, 1, 2, 40, 441, 5000, 17_000])
@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("channels", [1, 2])
def test_short_tracks_are_measured_as_if_silence_followed_and_silent_ones_say_none(
    frames: int, level: float, channels: int
) -> None:
    samples = level * noise(1, amplitude=1, channels=channels)[:, :frames]
    track = only(samples)
    padded = only(np.pad(samples, ((0, 0), (0, 40 * (RATE // 100) - frames))))
    assert track.silent == (padded.integrated_lufs is None)
    if not track.silent:
        assert track.integrated_lufs == pytest.approx(padded.integrated_lufs, abs=0.2)
        assert track.max_momentary_lufs == pytest.approx(padded.max_momentary_lufs, abs=0.2)
    assert track.loudness_range_lu is None
    assert len(track.active) == len(track.level_db) == len(track.peak_level_db) == -(-frames * 100 // RATE)
    assert (track.sample_peak_db is None) == (level == 0 or frames == 0)
    assert (track.rms_db is None) == (track.sample_peak_db is None)
    assert np.isfinite(track.third_octave_db).all()


def test_silence_of_some_length() -> None:
    features = song(np.zeros((2, 3 * RATE)), noise(3)[0])
    track = features["t0"]
    for name in ("integrated_lufs", "max_short_term_lufs", "true_peak_dbtp", "rms_db", "crest_db",
                 "centroid_hz", "flux", "width", "correlation", "low_energy_ratio"):  # fmt: skip
        assert getattr(track, name) is None, name
    assert track.active_ratio == 0.0
    assert track.onset_rate_hz == 0.0
    assert (track.third_octave_db == -200).all()
    assert not features.masking.any()
    assert features.audible == ("t1",)


def test_no_tracks_at_all() -> None:
    features = analyze(Multitrack("empty", (), RATE))
    assert features.duration_s == 0.0
    assert features.masking.shape == (0, 0, 24)


def test_rates_from_8_to_192_khz() -> None:
    for rate in (8000, 11_025, 96_000, 192_000):
        track = only(sine(1000, 1.0, rate=rate), rate=rate)
        assert track.integrated_lufs == pytest.approx(-6.02, abs=0.05)
        assert track.octave_db.argmax() == 5
        assert track.centroid_hz == pytest.approx(1000, rel=0.05)


def test_progress_ends_at_one_and_never_falls() -> None:
    told: list[tuple[str, float]] = []
    tracks = tuple(Track(name=n, audio=Audio(noise(3), RATE)) for n in ("a", "b"))
    analyze(
        Multitrack("song", tracks, RATE), threads=2, progress=lambda name, done: told.append((name, done))
    )
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {name for name, _ in told} == {"a", "b"}


def test_features_are_measured_at_the_song_s_rate() -> None:
    track = Track(name="slow", audio=Audio(sine(1000, 2.0, rate=22_050)[None], 22_050))
    features = analyze(Multitrack("song", (track,), RATE))
    assert features["slow"].sample_rate == RATE
    assert features["slow"].frames == pytest.approx(2 * RATE, abs=2)
    assert features["slow"].integrated_lufs == pytest.approx(-6.02, abs=0.05)
