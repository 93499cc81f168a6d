"""The separators for jazz: framing, masks, images, streaming, weights made elsewhere."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tonmeister.audio import Audio
from tonmeister.dsp.highway import HighwayLayer, highway_layers
from tonmeister.dsp.stft import Stft
from tonmeister.errors import ModelError
from tonmeister.separation.base import MaskEstimator, Spectrum
from tonmeister.separation.jazz import (
    FRONT_END,
    JazzPaper,
    JazzSolo,
    WideNetwork,
    from_arrays,
    image_gains,
    small,
)
from tonmeister.separation.pitch_informed import PitchInformed, melody
from tonmeister.separation.processes import process_for
from tonmeister.separation.streaming import StreamingSeparator
from tonmeister.units import FloatArray

RATE = 44_100


def tone(hertz: float, seconds: float = 1.5, overtones: int = 8) -> FloatArray:
    """A tone with overtones that fall by 6 dB an octave, swelling and fading; shape (n,)."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * h * time) / h for h in range(1, overtones + 1))
    return np.asarray(0.2 * wave * np.hanning(len(time)), np.float32)


def noise(seconds: float = 1.5, seed: int = 1, level: float = 0.05) -> FloatArray:
    """(2, n)."""
    shape = (2, round(seconds * RATE))
    return np.asarray(level * np.random.default_rng(seed).standard_normal(shape), np.float32)


def truth(solo: FloatArray) -> FloatArray:
    """The soloist's magnitudes in the middle, known."""
    return (
        np.abs(FRONT_END.stft.forward(solo)).mean(axis=0)
        if len(solo) == 1
        else np.abs(FRONT_END.stft.forward(solo.mean(0, keepdims=True))[0])
    )


class Knowing:
    """A network that has heard the soloist before; answers in the order it is asked, whole recordings only."""

    def __init__(self, solo: FloatArray) -> None:
        self._magnitudes = truth(solo)

    def __call__(self, middle: Spectrum) -> FloatArray:
        assert middle.shape == self._magnitudes.shape
        return np.asarray(self._magnitudes, np.float32)


def half(middle: Spectrum) -> FloatArray:
    """Half of everything is the soloist."""
    return np.asarray(0.5 * np.abs(middle), np.float32)


def db(sound: FloatArray) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-30))


# ------------------------------------------------------------------ framing


@pytest.mark.parametrize("hop", [512, 1024])
def test_the_published_windows_add_up_to_one(hop: int) -> None:
    window = np.bartlett(2049)
    weights = np.zeros(2049 + 20 * hop)
    for start in range(0, 20 * hop, hop):
        weights[start : start + 2049] += hop * window / window.sum()
    inside = weights[2049 : 20 * hop - hop]
    assert np.abs(inside - 1.0).max() < 1e-12
    stft = Stft.of("bartlett", 2049, 4096, hop)
    signal = np.random.default_rng(0).standard_normal((1, 20_000))
    error = stft.inverse(stft.forward(signal), signal.shape[1]) - signal
    assert 20 * np.log10(np.abs(error).max()) < -120


def test_a_sine_of_full_scale_is_heard_at_one_half() -> None:
    time = np.arange(RATE)
    sine = np.sin(2 * np.pi * 100 * time / 4096)[None]
    spectrum = FRONT_END.stft.forward(sine)[0]
    assert np.abs(spectrum[100, 40]) / FRONT_END.stft.window.sum() == pytest.approx(0.5, abs=1e-6)


# ------------------------------------------------------------------ masks and images


def test_tracks_and_residual_are_the_recording() -> None:
    mix = noise() + np.stack([tone(440), 0.3 * tone(440)])
    for estimator in (JazzSolo(half), JazzPaper(half), PitchInformed()):
        made = StreamingSeparator("x", estimator).separate(Audio(mix, RATE))
        total = np.sum([track.audio.samples for track in made.tracks if track.audio], axis=0)
        assert np.abs(total - mix).max() < 10 ** (-90 / 20)
        assert made.names == ("solo", "accompaniment", "residual")


def left_in_the_accompaniment(solo: FloatArray, band: FloatArray, *, panned: bool) -> float:
    """How far the accompaniment's error is below the soloist, dB; lower is better."""
    process = process_for(JazzSolo(Knowing(solo), panned=panned), 2)
    parts = [process.push(solo + band), process.finish()]
    accompaniment = np.concatenate(parts, axis=-1)[1]
    return db(accompaniment - band) - db(solo)


def test_a_soloist_at_the_side_is_taken_out_of_the_accompaniment() -> None:
    """Spec C6: alone, at most -40 dB are left; with q = 1 half of it stays."""
    solo = np.stack([tone(330), np.zeros_like(tone(330))])
    silent = np.zeros_like(solo)
    assert left_in_the_accompaniment(solo, silent, panned=True) <= -40.0
    assert left_in_the_accompaniment(solo, silent, panned=False) == pytest.approx(-6.0, abs=0.2)


def test_knowing_the_place_is_never_worse() -> None:
    """Spec C6: with a band as loud, never worse than q = 1, and 6 dB better on average."""
    gains = []
    for seed, hertz in enumerate((220.0, 350.0, 523.0)):
        band = noise(seed=seed)
        solo = np.stack([tone(hertz), np.zeros_like(tone(hertz))])
        band *= np.float32(10 ** ((db(solo) - db(band)) / 20))
        plain, panned = (left_in_the_accompaniment(solo, band, panned=p) for p in (False, True))
        assert panned <= plain + 0.1
        gains.append(plain - panned)
    assert np.mean(gains) >= 6.0


def test_a_soloist_in_the_middle_has_unity_in_both_channels() -> None:
    spectrum = FRONT_END.stft.forward(np.stack([tone(440), tone(440)]))
    gains = image_gains(spectrum.astype(np.complex64), truth(tone(440)[None]).astype(np.float32))
    assert np.allclose(gains, 1.0, atol=1e-3)


def test_what_is_out_of_phase_is_accompaniment() -> None:
    mix = np.stack([tone(440), -tone(440)])
    process = process_for(JazzSolo(half), 2)
    solo, accompaniment = np.concatenate([process.push(mix), process.finish()], axis=-1)
    assert not np.isnan(solo).any()
    assert db(solo) < -100
    assert np.abs(accompaniment - mix).max() < 1e-5


@pytest.mark.parametrize("estimator", [JazzSolo(half), PitchInformed()], ids=["jazz", "pitch"])
def test_pieces_or_the_whole_make_the_same_tracks(estimator: MaskEstimator) -> None:
    """In the middle of a recording longer than a chunk; below -90 dBFS."""
    mix = np.tile(noise(2.0) + np.stack([tone(440, 2.0), 0.5 * tone(440, 2.0)]), 3)
    whole = estimator.masks(_spectrum(estimator, mix)) * _spectrum(estimator, mix)
    framing = estimator.framing
    stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
    expected = stft.inverse(whole, mix.shape[1])
    process = process_for(estimator, 2)
    blocks = [process.push(mix[:, at : at + 7001]) for at in range(0, mix.shape[1], 7001)]
    made = np.concatenate([*blocks, process.finish()], axis=-1)
    assert np.abs(made - expected).max() < 10 ** (-90 / 20)


def _spectrum(estimator: MaskEstimator, mix: FloatArray) -> Spectrum:
    framing = estimator.framing
    stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
    return np.asarray(stft.forward(mix), np.complex64)


# ------------------------------------------------------------------ networks


def test_a_closed_gate_lets_all_through() -> None:
    rng = np.random.default_rng(3)
    layer = HighwayLayer(
        rng.standard_normal((8, 8)).astype(np.float32),
        rng.standard_normal(8).astype(np.float32),
        np.zeros((8, 8), np.float32),
        np.full(8, -1e4, np.float32),
    )
    h = rng.standard_normal((5, 8)).astype(np.float32)
    np.testing.assert_array_equal(layer(h), h)


def test_layers_are_read_in_the_published_order() -> None:
    arrays = [np.full((2, 2), 1.0), np.full(2, 2.0), np.full((2, 2), 3.0), np.full(2, 4.0)]
    (layer,) = highway_layers(arrays)
    assert (layer.wh[0, 0], layer.bh[0], layer.wt[0, 0], layer.bt[0]) == (1.0, 2.0, 3.0, 4.0)


def test_the_shipped_network_separates_on_its_own_terms() -> None:
    """A melody over noise: what is called solo has more of the melody than the recording has."""
    melody_line = np.concatenate([tone(h, 0.5) for h in (440, 494, 523, 587, 659)])
    mix = noise(2.5, level=0.02) + melody_line
    process = process_for(small(), 2)
    solo, _ = np.concatenate([process.push(mix), process.finish()], axis=-1)
    assert np.isfinite(solo).all()
    assert db(solo - melody_line) < db(mix - melody_line)


def test_converted_weights_of_published_size_are_read(tmp_path: Path) -> None:
    """Closed gates throughout: the network gives back its input, so all is solo."""
    bins = FRONT_END.framing.bins
    square, row = np.zeros((bins, bins), np.float16), np.zeros(bins, np.float16)
    layer = (square, row, square, np.full(bins, -1e4, np.float16))
    path = tmp_path / "weights.npz"
    np.savez_compressed(path, *(layer * 5))
    estimator = from_arrays(path)
    assert estimator is not None
    spectrum = _spectrum(estimator, np.repeat(noise(0.3)[:1], 2, axis=0))
    solo, rest = estimator.masks(spectrum)
    assert (solo[np.abs(spectrum) > 1e-3] > 0.99).all()
    assert np.abs(solo + rest - 1.0).max() < 1e-6
    assert WideNetwork([a.astype(np.float32) for a in layer])(spectrum[0]) == pytest.approx(
        np.abs(spectrum[0]), rel=1e-4, abs=1e-3
    )


def test_pickled_weights_are_refused_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, weights=np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="plain arrays"):
        from_arrays(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelError, match="plain arrays"):
        from_arrays(path)
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_arrays_of_something_else_are_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(3))
    assert from_arrays(path) is None
    assert from_arrays(tmp_path / "model.onnx") is None


# ------------------------------------------------------------------ the melody


@pytest.mark.parametrize("hertz", [196.0, 440.0, 880.0])
def test_the_melody_is_found_under_noise(hertz: float) -> None:
    stft = Stft.of("hann", 4096, 4096, 1024)
    magnitude = np.abs(stft.forward(noise(level=0.01)[:1] + tone(hertz))[0])
    path = melody(magnitude)
    heard = path[path >= 0]
    assert len(heard) > 0.6 * len(path)
    found = 130.0 * 2.0 ** (np.median(heard) / 48)
    assert 1200 * abs(np.log2(found / hertz)) < 50


def test_silence_has_no_melody() -> None:
    assert (melody(np.zeros((2049, 20), np.float32)) == -1).all()
    masks = PitchInformed().masks(np.zeros((2, 2049, 20), np.complex64))
    assert not masks[0].any()
