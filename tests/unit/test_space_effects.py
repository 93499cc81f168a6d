"""Pan, width, echo and reverb."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as oracle

from tonmeister.effects.base import Effect
from tonmeister.effects.echo import Echo
from tonmeister.effects.pan import Pan
from tonmeister.effects.reverb import Reverb
from tonmeister.effects.width import Width
from tonmeister.errors import BadInputError
from tonmeister.strip import PAN_LAW, pan_gains
from tonmeister.units import DoubleArray, FloatArray

RATE = 44100


def run(effect: Effect, signal: FloatArray, sample_rate: int = RATE) -> FloatArray:
    processor = effect.processor()
    processor.prepare(sample_rate, signal.shape[0], signal.shape[1])
    return processor.process(signal.copy())


def noise(frames: int = 4000) -> FloatArray:
    return np.random.default_rng(9).standard_normal((2, frames)).astype(np.float32)


def test_the_pan_law_has_constant_power_and_a_unity_center() -> None:
    assert PAN_LAW == "constant power, 0 dB center"
    assert pan_gains(0.0) == (1.0, 1.0)
    for pan in np.linspace(-1, 1, 21):
        left, right = pan_gains(float(pan))
        assert left**2 + right**2 == pytest.approx(2.0)
        assert pan_gains(float(-pan)) == pytest.approx((right, left), abs=1e-12)
    np.testing.assert_array_equal(run(Pan(0.0), noise()), noise())
    hard = run(Pan(1.0), noise())
    np.testing.assert_allclose(hard[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(hard[1], np.sqrt(2) * noise()[1], rtol=1e-6)


def test_width_scales_the_difference_alone() -> None:
    signal = noise()
    mono = run(Width(0.0), signal)
    np.testing.assert_array_equal(mono[0], mono[1])
    np.testing.assert_allclose(mono[0], signal.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(run(Width(1.0), signal), signal)
    wide = run(Width(2.0), signal)
    np.testing.assert_allclose(wide.sum(axis=0), signal.sum(axis=0), atol=2e-6)
    np.testing.assert_allclose(wide[0] - wide[1], 2 * (signal[0] - signal[1]), atol=2e-6)


def test_mono_below_takes_the_bass_out_of_the_sides() -> None:
    time = np.arange(RATE) / RATE
    for frequency_hz, kept in ((30.0, 0.01), (3000.0, 1.0)):
        tone = np.sin(2 * np.pi * frequency_hz * time)
        output = run(Width(1.0, 300.0), np.stack([tone, -tone]).astype(np.float32))
        assert np.abs(output[0] - output[1])[RATE // 2 :].max() / 2.0 == pytest.approx(kept, rel=0.05)


@pytest.mark.parametrize("effect", [Pan(), Width(), Reverb(), Echo(ping_pong=True)])
def test_stereo_effects_refuse_mono(effect: Effect) -> None:
    assert effect.needs_stereo
    with pytest.raises(BadInputError, match="2 channels"):
        effect.processor().prepare(RATE, 1, 512)


def test_echo_repeats_on_time_and_decays() -> None:
    impulse = np.zeros((2, 5000), np.float32)
    impulse[0, 0] = 1.0
    repeats = run(Echo(10.0, 0.5, mix=0.5), impulse)
    assert repeats[0, 0] == 0.5
    assert not repeats[1].any()
    sums = [repeats[0, at : at + 441].sum() for at in (441, 882, 1323)]
    np.testing.assert_allclose(sums, [0.5, 0.25, 0.125], rtol=1e-3)
    assert not repeats[0, 1:441].any()


def test_echo_grows_duller() -> None:
    """Each trip through the feedback multiplies the spectrum by the one-pole low-pass."""
    impulse = np.zeros((1, 6000), np.float32)
    impulse[0, 0] = 1.0
    repeats = run(Echo(40.0, 0.8, 2000.0), impulse)[0]
    a = 1.0 - np.exp(-2 * np.pi * 2000.0 / RATE)
    wanted = 0.8 * oracle.lfilter([a], [1.0, a - 1.0], np.eye(1, 1000)[0])
    np.testing.assert_allclose(repeats[2 * 1764 : 2 * 1764 + 1000], wanted, atol=1e-6)


def test_ping_pong_goes_left_then_right() -> None:
    impulse = np.zeros((2, 3000), np.float32)
    impulse[1, 0] = 1.0
    out = run(Echo(10.0, 0.5, ping_pong=True), impulse)
    sums = out[:, 1:].reshape(2, -1)
    energy = [[np.abs(sums[c, at - 1 : at + 300]).sum() for at in (441, 882, 1323)] for c in (0, 1)]
    assert energy[0][0] == pytest.approx(0.5)
    assert energy[0][1] == energy[1][0] == energy[1][2] == 0.0
    assert energy[1][1] == pytest.approx(0.25, rel=0.01)
    assert energy[0][2] == pytest.approx(0.125, rel=0.01)


def room(effect: Reverb, seconds: float, sample_rate: int = RATE) -> DoubleArray:
    """Responses (inputs, outputs, frames)."""
    frames = int(seconds * sample_rate)
    responses = []
    for channel in range(2):
        impulse = np.zeros((2, frames), np.float32)
        impulse[channel, 0] = 1.0
        responses.append(run(effect, impulse, sample_rate))
    return np.array(responses, np.float64)


def decay_time_s(response: DoubleArray, sample_rate: int, band_hz: float) -> float:
    """Schroeder's backward integral in an octave band, the slope from -5 to -35 dB (ISO 3382: T30)."""
    edges = [band_hz / np.sqrt(2), min(band_hz * np.sqrt(2), 0.49 * sample_rate)]
    band = oracle.sosfiltfilt(oracle.butter(4, edges, "band", fs=sample_rate, output="sos"), response)
    left = np.cumsum(band[::-1] ** 2)[::-1]
    curve = 10 * np.log10(left / left[0])
    first, last = int(np.argmax(curve < -5)), int(np.argmax(curve < -35))
    slope = np.polyfit(np.arange(first, last), curve[first:last], 1)[0]
    return float(-60.0 / (slope * sample_rate))


@pytest.mark.parametrize("sample_rate", [8000, 44100])
@pytest.mark.parametrize(("decay_s", "size"), [(0.3, 0.0), (0.5, 0.5), (1.0, 1.0), (2.0, 0.2), (3.0, 0.8)])
def test_the_room_decays_as_long_as_asked(decay_s: float, size: float, sample_rate: int) -> None:
    responses = room(Reverb(decay_s=decay_s, size=size, damping_hz=5000.0), 1.2 * decay_s, sample_rate)
    times = [decay_time_s(h, sample_rate, 1000.0) for row in responses for h in row]
    assert np.mean(times) == pytest.approx(decay_s, rel=0.05)
    assert times == pytest.approx([decay_s] * 4, rel=0.10)


def test_treble_decays_in_half_the_time_at_the_damping_frequency() -> None:
    responses = room(Reverb(decay_s=2.0, damping_hz=8000.0), 2.4)
    assert np.mean([decay_time_s(h, RATE, 8000.0) for h in responses[0]]) == pytest.approx(1.0, rel=0.1)
    assert decay_time_s(responses[0, 0], RATE, 125.0) < 3.2


@pytest.mark.parametrize(
    "effect", [Reverb(decay_s=0.4), Reverb(decay_s=2.0, size=1.0), Reverb(damping_hz=2000.0)]
)
def test_the_room_has_unit_energy(effect: Reverb) -> None:
    """Unrelated noise on two channels leaves with the power it came in with."""
    assert np.sum(room(effect, 2.0 * effect.decay_s) ** 2) / 2.0 == pytest.approx(1.0, abs=0.005)


def test_the_room_is_diffuse_and_wide() -> None:
    responses = room(Reverb(decay_s=1.5), 1.5)
    for row in responses:
        assert abs(np.corrcoef(row)[0, 1]) < 0.1
    tail = responses[0, 0, RATE // 4 : RATE // 2]
    envelope = np.exp(-6.9078 / 1.5 * np.arange(len(tail)) / RATE)
    assert oracle_kurtosis(tail / envelope) < 2.0


def oracle_kurtosis(values: DoubleArray) -> float:
    """0 for Gaussian noise, which a dense room's tail is like; large for single echoes."""
    centered = values - values.mean()
    return float(np.mean(centered**4) / np.mean(centered**2) ** 2 - 3.0)


def test_predelay_and_low_cut() -> None:
    late = room(Reverb(decay_s=0.5, predelay_ms=100.0), 0.5)
    soon = room(Reverb(decay_s=0.5), 0.5)
    assert not late[..., :4410].any()
    np.testing.assert_array_equal(late[..., 4410:], soon[..., : soon.shape[-1] - 4410])
    cut = room(Reverb(decay_s=0.5, low_cut_hz=500.0), 0.5)
    spectra = [np.abs(np.fft.rfft(h[0, 0]))[10:25].mean() for h in (soon, cut)]
    assert spectra[1] < 0.1 * spectra[0]


def test_the_mix_is_a_plain_sum() -> None:
    signal = noise()
    wet, both = run(Reverb(decay_s=0.5, mix=1.0), signal), run(Reverb(decay_s=0.5, mix=0.25), signal)
    np.testing.assert_allclose(both, 0.75 * signal + 0.25 * wet, atol=1e-5)
