"""Cross-spectra of the kit: against SciPy, in bounded memory, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from makers import noise, tone
from tonmeister.analysis import analyze
from tonmeister.analysis.cross_power import MOMENT_S, MOMENTS, Moments, cross_power, moment_starts
from tonmeister.analysis.tracks import loud_frames
from tonmeister.audio import Audio
from tonmeister.dsp.bands import band_edges_hz
from tonmeister.multitrack import Multitrack, Track

RATE = 44_100


def kit(*samples: np.ndarray, instrument: str = "snare") -> Multitrack:
    made = tuple(
        Track(f"T{n}", audio=Audio(s.astype(np.float32), RATE), instrument=instrument)
        for n, s in enumerate(samples)
    )
    return Multitrack("kit", made, RATE)


def test_cross_spectra_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    common = random.standard_normal(3 * RATE)
    one, other = common + random.standard_normal(3 * RATE), 0.5 * common + random.standard_normal(3 * RATE)
    found = cross_power({"a": one[None].astype(np.float32), "b": other[None].astype(np.float32)}, RATE)
    hz, expected = scipy.signal.csd(one, other, RATE, nperseg=4096, detrend=False)
    edges = band_edges_hz(3)
    for band in range(14, 28):
        inside = (hz >= edges[band]) & (hz < edges[band + 1])
        density = expected[inside].real.mean() * (edges[band + 1] - edges[band])
        assert found.third_octave[0, 0, 1, band].real == pytest.approx(density, rel=0.08)


def test_copies_are_coherent_and_opposites_negative() -> None:
    samples = noise(RATE, 1).samples
    found = analyze(kit(samples, samples * 2, -samples), threads=1).cross_power
    assert found is not None
    assert found.names == ("T0", "T1", "T2")
    side = found.third_octave[0].real[:, :, 10:25]
    np.testing.assert_allclose(side[0, 1], 2 * side[0, 0], rtol=1e-4)
    np.testing.assert_allclose(side[0, 2], -side[0, 0], rtol=1e-4)
    np.testing.assert_array_equal(found.third_octave[0], found.third_octave[1])


def test_diagonals_are_the_band_powers() -> None:
    samples = np.concatenate((noise(RATE, 1, seed=1).samples, noise(RATE, 1, seed=2).samples))
    features = analyze(kit(samples, samples[::-1]), threads=1)
    assert features.cross_power is not None
    both = features.cross_power.third_octave[:, 0, 0].real.sum(0)
    np.testing.assert_allclose(10 * np.log10(both[8:29]), features["T0"].third_octave_db[8:29], atol=0.4)
    left, right = features.cross_power.third_octave[:, 0, 1]
    np.testing.assert_allclose(left, right.conj(), rtol=1e-6)


def test_the_same_moments_are_kept_of_every_track_whatever_the_blocks() -> None:
    frames = 100 * RATE
    starts, length = moment_starts(frames, RATE)
    assert (len(starts), length) == (MOMENTS, int(MOMENT_S * RATE))
    assert starts[0] >= 0
    assert starts[-1] + length <= frames
    samples = np.arange(40 * RATE, dtype=np.float32)[None]
    kept = []
    for block in (1000, 65536):
        moments = Moments(RATE, 1, frames)
        for start in range(0, samples.shape[1], block):
            moments.update(samples[:, start : start + block])
        kept.append(moments.samples)
    np.testing.assert_array_equal(kept[0], kept[1])
    inside = [n for n, start in enumerate(starts) if start + length <= samples.shape[1]]
    for n in inside:
        np.testing.assert_array_equal(
            kept[0][0, n * length : (n + 1) * length], starts[n] + np.arange(length)
        )
    assert not kept[0][0, (inside[-1] + 2) * length :].any()


def test_only_kits_of_several_pieces_are_compared() -> None:
    samples = noise(RATE, 1).samples
    assert analyze(kit(samples, samples, instrument="piano"), threads=1).cross_power is None
    assert analyze(kit(samples), threads=1).cross_power is None


def test_loud_frames_leave_out_tails_and_silence() -> None:
    powers = 2 * 10 ** (np.array([-20.0, -20.0, -45.0, -55.0, -80.0, -200.0]) / 10)
    np.testing.assert_array_equal(loud_frames(powers.astype(np.float32)), [1, 1, 1, 0, 0, 0])
    assert not loud_frames(np.zeros(5, np.float32)).any()
    gated = analyze(kit(tone(1000, 1).samples), threads=1)["T0"].gated_third_octave_db
    assert gated is not None
    assert int(np.argmax(gated)) == 16
