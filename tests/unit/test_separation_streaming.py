"""Any estimator over any recording: tracks and residual add up, blocks change nothing, bad samples are named."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers import RATE
from makers_recordings import SHORT, Blockwise, Fixed, Halves, Smoothed, song
from tonmeister.audio import Audio, read_audio
from tonmeister.audio_output import write_audio
from tonmeister.dsp.stft import Stft
from tonmeister.errors import BadInputError, ModelError
from tonmeister.separation.base import RESIDUAL, Framing, MaskEstimator, Separator, WaveEstimator
from tonmeister.separation.streaming import StreamingSeparator, separated_blocks
from tonmeister.units import FloatArray

NULL = 10 ** (-90 / 20)
FOREIGN = Framing(RATE, "hann", 512, 512, 128)


def noise(channels: int, frames: int, seed: int = 0) -> FloatArray:
    return (0.2 * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


def tracks_of(estimator: Any, sound: FloatArray, rate: int = RATE, **how: Any) -> FloatArray:
    made = StreamingSeparator("test", estimator, **how).separate(Audio(sound, rate))
    return np.stack([t.audio.samples for t in made.tracks if t.audio is not None])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    "estimator", [Fixed(FOREIGN), Halves(), Halves(channels=1)], ids=["masks", "waves", "mono"]
)
def test_tracks_and_residual_add_up_at_any_rate_and_layout(rate: int, channels: int, estimator: Any) -> None:
    for frames in (1, 300, 20_000):
        sound = noise(channels, frames)
        made = tracks_of(estimator, sound, rate)
        assert made.shape == (3, channels, frames)
        assert np.abs(made.sum(axis=0, dtype=np.float64) - sound).max() < NULL


@pytest.mark.parametrize(
    "estimator", [Fixed(), Smoothed(), Blockwise(), Halves()], ids=["fixed", "smoothed", "blockwise", "waves"]
)
@pytest.mark.parametrize("rate", [RATE, 32_000])
def test_blocks_of_any_size_change_nothing(estimator: Any, rate: int) -> None:
    sound = noise(2, 50_000)
    whole = np.concatenate(list(separated_blocks(estimator, [sound], 2, rate)), axis=-1)
    cuts = [0, 1, 700, 701, 9000, 30_011, 50_000]
    blocks = [sound[:, a:b] for a, b in itertools.pairwise(cuts)]
    pieces = np.concatenate(list(separated_blocks(estimator, blocks, 2, rate)), axis=-1)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


def test_chunks_with_context_are_the_whole_file_at_once() -> None:
    sound = noise(2, 128 * 1000)
    stft = Stft.of(SHORT.window, SHORT.window_frames, SHORT.fft_frames, SHORT.hop_frames)
    spectrum = stft.forward(sound)
    at_once = stft.inverse(spectrum * Smoothed().masks(spectrum)[0], sound.shape[1])
    assert np.abs(tracks_of(Smoothed(), sound)[0] - at_once).max() < NULL


def test_faders_on_tracks_are_gains_on_bins() -> None:
    sound = noise(2, 30_000)
    stft = Stft.of(SHORT.window, SHORT.window_frames, SHORT.fft_frames, SHORT.hop_frames)
    spectrum = stft.forward(sound)
    masks = Fixed().masks(spectrum)
    low, high, residual = tracks_of(Fixed(), sound)
    for gain in (0.0, 0.5, 1.0, 2.0, 4.0):
        scaled = stft.inverse(spectrum * (1.0 + (gain - 1.0) * masks[0]), sound.shape[1])
        assert np.abs(gain * low + high + residual - scaled).max() < NULL


def test_masks_of_blocks_are_faded_in_straight_lines() -> None:
    quiet, loud = noise(1, 128 * 96, 1), 40.0 * noise(1, 128 * 96, 2)
    made = tracks_of(Blockwise(), np.concatenate([quiet, loud], axis=1))
    sound = made.sum(axis=0)
    share = [float((made[0, 0, a:b] ** 2).sum() / (sound[0, a:b] ** 2).sum()) ** 0.5
             for a, b in ((0, 3000), (128 * 70, 128 * 75), (128 * 85, 128 * 90), (128 * 120, 128 * 130))]  # fmt: skip
    assert share[0] > share[1] > share[2] > share[3]


def test_seams_of_waveforms_are_not_heard() -> None:
    sound = noise(2, 70_001)
    a, _b, residual = tracks_of(Halves(), sound)
    np.testing.assert_allclose(a, 0.3 * sound, atol=1e-6)
    np.testing.assert_allclose(residual, 0.1 * sound, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 40, 5_999, 6_000, 6_001, 10_500])
def test_a_wave_estimator_always_hears_whole_segments(frames: int) -> None:
    estimator = Halves()
    made = tracks_of(estimator, noise(1, frames))
    assert made.shape == (3, 1, frames)
    assert set(estimator.heard) == {(2, 6000)}


def test_low_frequency_effects_stay_in_the_residual() -> None:
    sound = noise(6, 8_000)
    for estimator in (Fixed(), Halves()):
        made = tracks_of(estimator, sound)
        assert not made[:2, 3].any()
        np.testing.assert_array_equal(made[2, 3], sound[3])
        assert all(made[0, c].any() for c in (0, 1, 2, 4, 5))


def test_surround_channels_take_the_masks_of_their_side() -> None:
    class Sides(Fixed):
        tracks = ("left",)

        def masks(self, spectrum: Any) -> FloatArray:
            assert spectrum.shape[0] == 2
            masks = np.zeros((1, *spectrum.shape), np.float32)
            masks[:, 0] = 1.0
            return masks

    sound = noise(6, 8_000)
    left = tracks_of(Sides(), sound)[0]
    for channel, share in ((0, 1.0), (1, 0.0), (2, 0.5), (4, 1.0), (5, 0.0)):
        np.testing.assert_allclose(left[channel], share * sound[channel], atol=1e-5)


def test_the_wiener_filter_keeps_the_sum() -> None:
    sound = noise(2, 60_000)
    made = tracks_of(Fixed(), sound, wiener_rounds=1)
    assert np.abs(made.sum(axis=0, dtype=np.float64) - sound).max() < NULL
    assert np.abs(made[0] - tracks_of(Fixed(), sound)[0]).max() > 1e-3


def test_silence_stays_silent() -> None:
    for estimator in (Fixed(), Smoothed(), Blockwise(), Halves()):
        assert not tracks_of(estimator, np.zeros((2, 9_000), np.float32), wiener_rounds=1).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_bad_sample_is_named_or_silenced(bad: float) -> None:
    sound = noise(2, 100_000)
    sound[1, 88_200] = sound[0, 90_000] = bad
    with pytest.raises(BadInputError, match=r"sample 88200 of channel 2 \(2\.000 s\) is not a number"):
        tracks_of(Fixed(), sound)
    made = tracks_of(Fixed(), sound, bad="zero").sum(axis=0)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made[0, :80_000], sound[0, :80_000], atol=1e-6)


def test_a_model_that_gives_no_numbers_is_refused() -> None:
    class Broken(Fixed):
        def masks(self, spectrum: Any) -> FloatArray:
            return super().masks(spectrum) * np.float32(np.nan)

    class BrokenWaves(Halves):
        def waves(self, segment: FloatArray) -> FloatArray:
            return super().waves(segment) * np.float32(np.inf)

    for estimator in (Broken(), BrokenWaves()):
        with pytest.raises(ModelError, match="not numbers"):
            tracks_of(estimator, noise(1, 4_000))


def test_no_samples_are_refused() -> None:
    with pytest.raises(BadInputError, match="holds no samples"):
        tracks_of(Fixed(), np.zeros((2, 0), np.float32))


def test_contracts_are_met() -> None:
    assert isinstance(StreamingSeparator("x", Fixed()), Separator)
    assert isinstance(Fixed(), MaskEstimator)
    assert isinstance(Halves(), WaveEstimator)
    assert not isinstance(Halves(), MaskEstimator)


def test_files_hold_what_memory_holds(tmp_path: Path) -> None:
    write_audio(tmp_path / "song.wav", song(1.5), subtype="24")
    audio = read_audio(tmp_path / "song.wav")
    separator, heard = StreamingSeparator("x", Fixed()), list[float]()
    made = separator.separate_file(tmp_path / "song.wav", tmp_path, progress=heard.append)
    assert made.names == ("low", "high", RESIDUAL)
    assert made.title == "song"
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    for track, there in zip(made.tracks, separator.separate(audio).tracks, strict=True):
        assert there.audio is not None
        np.testing.assert_array_equal(read_audio(track.sources[0].path).samples, there.audio.samples)
    with pytest.raises(BadInputError, match="exists already"):
        separator.separate_file(tmp_path / "song.wav", tmp_path)


def test_nothing_is_left_of_a_separation_that_fails(tmp_path: Path) -> None:
    sound = noise(2, 200_000)
    sound[0, 199_000] = np.nan
    write_audio(tmp_path / "song.wav", Audio(sound, RATE), subtype="32f")
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError, match="sample 199000"):
        StreamingSeparator("x", Fixed()).separate_file(tmp_path / "song.wav", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
