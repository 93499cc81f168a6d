"""Short-time spectra: what goes in comes out, at the ends as well, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from tonmeister.dsp.stft import Stft, StftAnalysis, StftSynthesis, window

FRAMINGS = [
    ("hann", 2048, 2048, 512),
    ("hann", 1024, 1024, 512),
    ("hann", 1000, 1024, 333),
    ("bartlett", 2049, 4096, 512),
    ("bartlett", 2049, 4096, 1024),
]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("kind", "limit_db"), [(np.float64, -120.0), (np.float32, -100.0)])
@pytest.mark.parametrize("frames", [1, 511, 512, 513, 9000])
def test_round_trip_at_the_ends_too(
    framing: tuple[str, int, int, int], kind: type, limit_db: float, frames: int
) -> None:
    stft = Stft.of(*framing)
    x = np.random.default_rng(frames).uniform(-1, 1, (2, frames)).astype(kind)
    y = stft.inverse(stft.forward(x), frames)
    assert y.dtype == kind
    assert y.shape == x.shape
    assert np.abs(x - y).max() < 10 ** (limit_db / 20)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(FRAMINGS), st.integers(1, 6000), st.integers(1, 3000), st.integers(1, 9))
def test_blocks_of_any_size_change_nothing(
    framing: tuple[str, int, int, int], frames: int, block: int, spectra_each: int
) -> None:
    stft = Stft.of(*framing)
    x = np.random.default_rng(0).standard_normal((1, frames))
    whole = stft.forward(x)
    analysis, synthesis = StftAnalysis(stft), StftSynthesis(stft)
    parts = [analysis.push(x[:, i : i + block]) for i in range(0, frames, block)] + [analysis.finish()]
    spectra = np.concatenate(parts, axis=-1)
    np.testing.assert_array_equal(spectra, whole)
    out = [
        synthesis.push(spectra[..., i : i + spectra_each]) for i in range(0, spectra.shape[-1], spectra_each)
    ]
    joined = np.concatenate([*out, synthesis.finish(frames)], axis=-1)
    np.testing.assert_allclose(joined, stft.inverse(whole, frames), atol=1e-12)


def test_spectra_are_those_of_scipy() -> None:
    x = np.random.default_rng(1).standard_normal(8192)
    ours = Stft.of("hann", 1024, 1024, 256).forward(x[None])[0]
    _, _, theirs = signal.stft(
        x, window=signal.get_window("hann", 1024), nperseg=1024, noverlap=768, boundary="zeros", padded=False
    )
    shared = min(ours.shape[1], theirs.shape[1])
    np.testing.assert_allclose(ours[:, :shared], theirs[:, :shared] * 512.0, atol=1e-9)


def test_the_triangle_adds_up_to_one_over_its_hop() -> None:
    for hop in (512, 1024):
        total = np.zeros(8 * 2048)
        for start in range(0, len(total) - 2049, hop):
            total[start : start + 2049] += window("bartlett", 2049) / window("bartlett", 2049).sum() * hop
        np.testing.assert_allclose(total[4096:-6144], 1.0, atol=1e-12)


def test_a_hop_that_leaves_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Stft.of("hann", 512, 512, 300)
