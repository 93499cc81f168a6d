"""Measurements of a finished mix."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tonmeister.analysis import measure
from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.analysis.mix import MixMeter
from tonmeister.errors import AudioFileError, BadInputError

RATE = 48_000


def stereo_noise(seconds: float = 4.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((2, round(seconds * RATE)))).astype(np.float32)


def test_known_numbers_of_a_sine_in_phase() -> None:
    sine = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE) / RATE)).astype(np.float32)
    found = measure([np.stack([sine, sine])], RATE, 2)
    assert found.integrated_lufs == pytest.approx(-6.02, abs=0.02)
    assert found.rms_db == pytest.approx(-9.03, abs=0.01)
    assert found.crest_db == pytest.approx(3.01, abs=0.01)
    assert found.plr_lu == pytest.approx(0.0, abs=0.03)
    assert found.loudness_range_lu == pytest.approx(0.0, abs=0.05)
    assert found.side_share == pytest.approx(0.0, abs=1e-9)
    assert found.correlation == pytest.approx(1.0)
    assert found.third_octave_db[16] == pytest.approx(-6.02, abs=0.02)
    assert found.duration_s == 5.0


def test_width_of_independent_channels() -> None:
    found = measure([stereo_noise()], RATE, 2)
    assert found.width == pytest.approx(1.0, abs=0.03)
    assert found.side_share == pytest.approx(0.5, abs=0.01)


def test_opposed_channels_have_all_their_energy_in_the_side() -> None:
    noise = stereo_noise()[:1]
    found = measure([np.concatenate([noise, -noise])], RATE, 2)
    assert found.side_share == pytest.approx(1.0)
    assert found.correlation == pytest.approx(-1.0)


def test_mono_counts_once() -> None:
    sine = (np.sin(2 * np.pi * 997 * np.arange(RATE) / RATE)).astype(np.float32)
    found = measure([sine[None]], RATE, 1)
    assert found.integrated_lufs == pytest.approx(-3.01, abs=0.01)
    assert found.width is None


@pytest.mark.parametrize("frames", [0, 1, 100, 96_000])
def test_silence_is_none_and_still_json(frames: int) -> None:
    found = measure([np.zeros((2, frames), np.float32)], RATE, 2)
    assert found.integrated_lufs is None
    assert found.true_peak_dbtp is None
    assert found.plr_lu is None
    assert found.width is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_to_dict_is_plain_data() -> None:
    data = measure([stereo_noise()], RATE, 2).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert len(data["third_octave_db"]) == 30


def test_clipping_is_counted() -> None:
    noise = stereo_noise()
    noise[0, 500:520] = 1.0
    assert measure([noise], RATE, 2).clipped_runs == 1


def test_nan_is_an_error() -> None:
    noise = stereo_noise()
    noise[1, RATE] = np.nan
    with pytest.raises(AudioFileError, match=r"1\.000 s"):
        measure([noise], RATE, 2)


def test_the_result_may_be_read_twice_and_ends_the_signal() -> None:
    meter = MixMeter(RATE, 2)
    meter.update(stereo_noise())
    assert meter.result() is meter.result()
    with pytest.raises(BadInputError, match="new MixMeter"):
        meter.update(stereo_noise())


@pytest.mark.parametrize("block", [1, 64, 441, 997, 65536])
def test_sums_are_those_of_all_samples_whatever_the_blocks(block: int) -> None:
    """The last cell of 10 ms is not full: it counts all the same, and blocks change no bit."""
    rng = np.random.default_rng(9)
    samples = (0.2 * rng.standard_normal((2, 30 * 441 + 17)) + np.array([[0.01], [-0.03]])).astype(np.float32)
    samples[1] += 0.4 * samples[0]
    samples[0, -5] = 1.5  # in the last cell
    exact = samples.astype(np.float64)
    results = []
    for size in (block, samples.shape[1]):
        meter = LoudnessMeter(RATE, 2)
        for start in range(0, samples.shape[1], size):
            meter.update(samples[:, start : start + size])
        results.append((*meter.energies, *meter.sums, meter.product, meter.sample_peak))
    assert results[0] == results[1]
    expected = (*(exact**2).sum(1), *exact.sum(1), (exact[0] * exact[1]).sum(), 1.5)
    np.testing.assert_allclose(results[0], expected, rtol=1e-6)
