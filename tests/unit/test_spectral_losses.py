"""Spectral losses: zero for the same, growing with the fault, as their formulas say."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import scipy.signal

from makers_mixes import RATE, louder, panned, rises, song, tilted, wider
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.console_loss import (
    a_weighting_taps,
    console_loss,
    mel_filters,
)
from tonmeister.evaluation.spectral_losses import (
    FFT_SETS,
    Resolution,
    fft_set,
    mr_stft,
    stereo_losses,
    stft_loss,
    sum_difference,
)

SONG = song()


def spectrogram(signal: np.ndarray, resolution: Resolution) -> np.ndarray:
    """By scipy: unscaled, not centered, the last frame filled up."""
    transform = scipy.signal.ShortTimeFFT(
        scipy.signal.get_window("hann", resolution.window), resolution.hop, RATE, mfft=resolution.fft
    )
    missing = -(len(signal) - resolution.window) % resolution.hop
    padded = np.pad(signal.astype(np.float64), (0, missing))
    count = (len(padded) - resolution.window) // resolution.hop + 1
    first = -(-transform.m_num_mid // resolution.hop)
    shifted = np.pad(padded, (first * resolution.hop - transform.m_num_mid, 0))
    return np.abs(transform.stft(shifted, p0=first, p1=first + count)).T


@pytest.mark.parametrize("resolution", [Resolution(1024, 256, 1024), Resolution(1024, 120, 600)])
def test_formulas_against_scipy(resolution: Resolution) -> None:
    a, b = SONG.samples[0, :30_000], tilted(SONG, 1.0).samples[0, :30_000]
    one, other = spectrogram(a, resolution), spectrogram(b, resolution)
    found = stft_loss(a, b, resolution)
    assert found.convergence == pytest.approx(np.linalg.norm(one - other) / np.linalg.norm(one), rel=1e-4)
    assert found.log_magnitude == pytest.approx(
        np.abs(np.log(one + 1e-4) - np.log(other + 1e-4)).mean(), rel=1e-4
    )
    assert found.total == pytest.approx(found.convergence + found.log_magnitude)


def test_the_epsilon_is_inside_the_logarithm() -> None:
    silence, sound = np.zeros(8192, np.float32), SONG.samples[0, :8192]
    assert math.isfinite(stft_loss(sound, silence, Resolution(1024, 256, 1024)).total)
    assert stft_loss(silence, sound, Resolution(1024, 256, 1024)).convergence == math.inf
    assert stft_loss(silence, silence, Resolution(1024, 256, 1024)).total == 0.0


def test_mean_over_resolutions() -> None:
    a, b = SONG.samples[0], tilted(SONG, 1.0).samples[0]
    single = [stft_loss(a, b, r).total for r in FFT_SETS["mix"]]
    assert mr_stft(a, b).total == pytest.approx(np.mean(single))
    assert [r.fft for r in FFT_SETS["mix"]] == [4096, 1024, 256]
    assert [(r.fft, r.hop, r.window) for r in FFT_SETS["speech"]] == [
        (1024, 120, 600), (2048, 240, 1200), (512, 50, 240),
    ]  # fmt: skip


def test_the_same_is_perfect_and_exchanged_channels_cost_nothing() -> None:
    exchanged = SONG.samples[::-1]
    assert sum_difference(SONG.samples, SONG.samples).total == 0.0
    assert sum_difference(SONG.samples, exchanged).total == pytest.approx(0.0, abs=1e-6)
    found = stereo_losses(SONG.samples, exchanged)
    assert found.left.total > 0.1


def test_an_inverted_channel_is_caught() -> None:
    inverted = SONG.samples * np.array([[1], [-1]], np.float32)
    found = stereo_losses(SONG.samples, inverted)
    assert found.left.total == found.right.total == 0.0
    assert found.sum.total > 0.5
    assert found.difference.total > 0.5


@pytest.mark.parametrize("loss", ["sum_difference", "console"])
def test_monotone_in_every_fault(loss: str) -> None:
    short = song(1.0)

    def value(other: Audio) -> float:
        if loss == "console":
            return console_loss(short, other).total
        return sum_difference(short.samples, other.samples).total

    assert rises([value(louder(short, g)) for g in (0, 1, 3, 6)])
    assert rises([value(tilted(short, s)) for s in (0, 0.5, 1, 2)])
    assert rises([value(panned(short, p)) for p in (0, 0.1, 0.3, 0.6)])
    assert rises([value(wider(short, w)) for w in (1, 1.5, 2.5, 4)])


def test_reference_first() -> None:
    softer = louder(SONG, -6.0206)
    assert sum_difference(SONG.samples, softer.samples).sum.convergence == pytest.approx(0.5, rel=1e-3)
    assert sum_difference(softer.samples, SONG.samples).sum.convergence == pytest.approx(1.0, rel=1e-3)


def test_unequal_lengths_and_unknown_sets_are_refused() -> None:
    with pytest.raises(BadInputError, match="one length"):
        sum_difference(SONG.samples, SONG.samples[:, :-1])
    with pytest.raises(BadInputError, match="did you mean 'mix'"):
        fft_set("mixx")


def test_mel_filters_are_those_of_librosa() -> None:
    ours = mel_filters(30_000, 1024, 96)
    theirs = librosa.filters.mel(sr=30_000, n_fft=1024, n_mels=96)
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_a_weighting_is_the_least_squares_fit() -> None:
    """The fit of 101 taps to the bilinear A-weighting by scipy's solver."""
    poles = np.array([20.598997, 107.65265, 737.86223, 12194.217]) * 2 * np.pi
    numerator = [poles[3] ** 2 * 10 ** (1.9997 / 20), 0, 0, 0, 0]
    denominator = np.poly(-np.array([poles[0], poles[0], poles[1], poles[2], poles[3], poles[3]]))
    digital = scipy.signal.bilinear(numerator, denominator, fs=30_000)
    frequency, response = scipy.signal.freqz(*digital, worN=512, fs=30_000)
    taps = scipy.signal.firls(101, frequency, np.abs(response), fs=30_000)
    ours, theirs = (np.abs(scipy.signal.freqz(t, worN=512)[1]) for t in (a_weighting_taps(30_000), taps))
    assert np.abs(ours - theirs).max() < 0.01
    at_1k = np.interp(1000.0, frequency, ours)
    assert 20 * np.log10(at_1k) == pytest.approx(0.0, abs=0.2)


def test_console_loss_parts() -> None:
    mono = SONG.samples.mean(0, keepdims=True).repeat(2, axis=0)
    perfect = console_loss(SONG, SONG)
    assert (perfect.lr, perfect.mid, perfect.side) == (0.0, 0.0, 0.0)
    folded = console_loss(SONG, type(SONG)(mono, RATE))
    assert folded.mid == pytest.approx(0.0, abs=1e-3)
    assert folded.side > 2.0 > folded.lr
    assert folded.total == pytest.approx(0.5 * folded.lr + 0.25 * folded.mid + 0.25 * folded.side)
