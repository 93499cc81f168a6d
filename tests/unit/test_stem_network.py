"""The effect `stem` and its networks: sizes, laws of streaming, limits, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from makers_stems import RATE, constant_layers, plucked, random_layers, stem_model
from tonmeister.dsp import band_shaping, erb_bands
from tonmeister.dsp.erb_bands import band_edges_hz, band_gains_to_bins, band_weights, centers_hz
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.errors import BadInputError, ModelError
from tonmeister.units import FloatArray


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stem models")


@pytest.fixture(scope="module")
def moving(folder: Path) -> str:
    return stem_model(folder / "moving.onnx", random_layers())


def run(effect: StemNetwork, signal: FloatArray, block: int, rate: int = RATE) -> tuple[FloatArray, int]:
    processor = effect.processor()
    processor.prepare(rate, len(signal), block)
    parts = [
        processor.process(signal[:, at : at + block].copy()).copy() for at in range(0, signal.shape[1], block)
    ]
    return np.concatenate(parts, axis=1), processor.latency_frames


def noise(frames: int, channels: int = 2, seed: int = 1) -> FloatArray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


# ---------------------------------------------------------------- bands


def test_bands_cover_the_spectrum_and_none_is_narrower_than_two_bins() -> None:
    edges = band_edges_hz()
    assert len(edges) == 65
    assert edges[0] == 30.0
    assert edges[-1] == 22_050.0
    weights = band_weights(2048, RATE)
    assert weights.sum(1).min() > 1.999
    inside = np.arange(1025) * RATE / 2048
    np.testing.assert_allclose(weights.sum(0)[(inside > 60) & (inside < 22_000)], 1.0, atol=1e-5)


def test_gains_between_the_centers_are_straight_lines_in_decibels() -> None:
    gains = np.random.default_rng(0).standard_normal(64)
    hertz = np.arange(1025) * RATE / 2048
    np.testing.assert_allclose(
        band_gains_to_bins(2048, RATE) @ gains, np.interp(hertz, centers_hz(), gains), atol=1e-5
    )


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("block", [1, 64, 65, 997, 8192])
def test_blocks_never_change_the_sound(moving: str, block: int) -> None:
    signal = noise(9000)
    effect = StemNetwork(moving, input_gain_db=4.0)
    np.testing.assert_array_equal(run(effect, signal, block)[0], run(effect, signal, 9000)[0])


def test_reset_and_repeat(moving: str) -> None:
    signal = noise(7000)
    processor = StemNetwork(moving).processor()
    processor.prepare(RATE, 2, 7000)
    first = processor.process(signal.copy()).copy()
    processor.reset()
    np.testing.assert_array_equal(processor.process(signal.copy()), first)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_without_gains_the_input_comes_back_after_the_reported_latency(moving: str, rate: int) -> None:
    frame = {8000: 512, 44_100: 2048, 48_000: 2048, 96_000: 4096}[rate]
    signal = noise(4 * frame)
    made, late = run(StemNetwork(moving, amount=0.0), signal, 1000, rate)
    assert late == frame - 1 + 2 * frame // 4
    np.testing.assert_allclose(made[:, late:], signal[:, :-late], atol=1e-6)
    assert not made[:, : late - 1].any() or np.abs(made[:, : late - 1]).max() < 1e-6


def test_an_impulse_says_the_latency(moving: str) -> None:
    signal = np.zeros((1, 9000), np.float32)
    signal[0, 3000] = 1.0
    made, late = run(StemNetwork(moving, amount=0.0), signal, 64)
    assert int(np.argmax(np.abs(made[0]))) - 3000 == late == 2047 + 2 * 512


def test_silence_stays_silence(moving: str) -> None:
    assert not run(StemNetwork(moving), np.zeros((2, 9000), np.float32), 512)[0].any()


def test_equal_channels_stay_equal_and_sound_as_one(moving: str) -> None:
    mono = noise(9000, 1)
    made = run(StemNetwork(moving), np.repeat(mono, 2, axis=0), 9000)[0]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_allclose(made[0], run(StemNetwork(moving), mono, 9000)[0][0], atol=1e-6)


def test_both_channels_get_the_same_gains(moving: str) -> None:
    mono = noise(12_000, 1)
    made = run(StemNetwork(moving), np.concatenate([mono, mono / 4]), 12_000)[0]
    np.testing.assert_allclose(4 * made[1], made[0], rtol=1e-4, atol=1e-6)


def test_the_gains_are_those_the_network_says(folder: Path) -> None:
    wanted = np.where(centers_hz() < 1000, -6.0, 3.0).astype(np.float32)
    effect = StemNetwork(stem_model(folder / "two.onnx", constant_layers(wanted)))
    time_s = np.arange(RATE) / RATE
    for hertz, gain_db in ((200.0, -6.0), (4000.0, 3.0)):
        tone = (0.2 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)[np.newaxis]
        made, gains = predicted_gains(effect, tone, RATE)
        level_db = 20 * np.log10(made[0, 20_000:30_000].std() / tone[0, 20_000:30_000].std())
        assert level_db == pytest.approx(gain_db, abs=0.05)
        np.testing.assert_allclose(gains[60], wanted, atol=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_gains_are_bounded_whatever_comes(folder: Path, seed: int) -> None:
    model = stem_model(folder / f"wild{seed}.onnx", random_layers(seed, scale=50.0))
    loud = noise(9000, seed=seed) * np.float32(1000.0)
    _, free = predicted_gains(StemNetwork(model, max_boost_db=18.0), loud, RATE)
    assert np.abs(free).max() <= 18.0 + 1e-4
    assert np.abs(free).max() > 10.0
    _, limited = predicted_gains(StemNetwork(model, max_boost_db=6.0, max_cut_db=3.0), loud, RATE)
    assert limited.max() <= 6.0 + 1e-4
    assert limited.min() >= -3.0 - 1e-4


def test_amount_scales_the_gains(moving: str) -> None:
    signal = plucked(1.0)[np.newaxis]
    _, whole = predicted_gains(StemNetwork(moving, max_boost_db=18.0), signal, RATE)
    _, half = predicted_gains(StemNetwork(moving, amount=0.5, max_boost_db=18.0), signal, RATE)
    np.testing.assert_allclose(half, whole / 2, atol=1e-3)


# ---------------------------------------------------------------- faithful


def test_a_faithful_network_that_copies_gives_the_input_back(folder: Path) -> None:
    eye = [(np.eye(1025, dtype=np.float32), np.zeros(1025, np.float32))]
    effect = StemNetwork(stem_model(folder / "copy.onnx", eye, "faithful"))
    signal = noise(9000)
    made, late = run(effect, signal, 700)
    assert late == 2047
    np.testing.assert_allclose(made[:, late:], signal[:, :-late], atol=1e-5)


def test_a_faithful_model_says_which_rates_it_takes(folder: Path) -> None:
    eye = [(np.eye(1025, dtype=np.float32), np.zeros(1025, np.float32))]
    effect = StemNetwork(stem_model(folder / "copy.onnx", eye, "faithful"))
    with pytest.raises(BadInputError, match=r"96000.*44100 and 48000 Hz"):
        effect.processor().prepare(96_000, 1, 64)


# ---------------------------------------------------------------- files


def test_foreign_cut_off_and_study_models_are_refused(folder: Path, tmp_path: Path) -> None:
    good = Path(stem_model(tmp_path / "good.onnx", constant_layers(1.0)))
    good.write_bytes(good.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cut off"):
        StemNetwork(str(good)).processor().prepare(RATE, 1, 64)
    released = stem_model(tmp_path / "released.onnx", constant_layers(1.0), as_released=True)
    with pytest.raises(ModelError, match="--as-released"):
        StemNetwork(released).processor().prepare(RATE, 1, 64)
    strange = stem_model(tmp_path / "strange.onnx", constant_layers(1.0), stage="other")
    with pytest.raises(ModelError, match="stage='other'"):
        StemNetwork(strange).processor().prepare(RATE, 1, 64)
    with pytest.raises(ModelError, match="neither shipped nor a file"):
        StemNetwork("stem-bas").processor().prepare(RATE, 1, 64)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_bins_go_to_bands_and_back_as_the_whole_matrices_say(rate: int) -> None:
    length = erb_bands.frame_length(rate)
    rng = np.random.default_rng(0)
    spectra = (rng.standard_normal((2, length // 2 + 1, 2)) @ [1, 1j]).astype(np.complex64)
    powers = np.empty(erb_bands.BANDS, np.float32)
    to_bands = erb_bands.band_weights(length, rate)
    band_shaping.band_powers(spectra, *erb_bands.two_of_each_bin(to_bands.T), powers)
    np.testing.assert_allclose(powers, to_bands @ np.abs(spectra.mean(0)) ** 2, rtol=1e-4)
    values, bins = (
        rng.standard_normal(erb_bands.BANDS).astype(np.float32),
        np.empty(length // 2 + 1, np.float32),
    )
    to_bins = erb_bands.band_gains_to_bins(length, rate)
    band_shaping.of_each_bin(values, *erb_bands.two_of_each_bin(to_bins), bins)
    np.testing.assert_allclose(bins, to_bins @ values, atol=1e-5)
