"""What every effect promises, whatever it does: see `tonmeister.effects.base`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.effects import EFFECTS, effect_from_dict, effect_to_dict, effect_type
from tonmeister.effects.base import Effect, LinearEffect
from tonmeister.errors import BadInputError
from tonmeister.units import FloatArray

WORKING: dict[str, dict[str, Any]] = {
    "gain": {"gain_db": -7.3},
    "pan": {"pan": -0.4},
    "alignment": {"inverted": True, "delay_ms": 3.7},
    "high_pass": {"cutoff_hz": 80.0, "order": 4},
    "low_pass": {"cutoff_hz": 3000.0, "order": 2},
    "equalizer": {
        "sections": [
            {"shape": "high_pass", "frequency_hz": 40.0},
            {"shape": "low_shelf", "frequency_hz": 120.0, "gain_db": 4.0},
            {"shape": "peak", "frequency_hz": 900.0, "gain_db": -6.0, "q": 4.0},
            {"shape": "high_shelf", "frequency_hz": 6000.0, "gain_db": 5.0},
            {"shape": "low_pass", "frequency_hz": 15000.0},
        ]
    },
    "compressor": {
        "threshold_db": -30.0, "ratio": 4.0, "knee_db": 6.0, "attack_ms": 2.0, "release_ms": 40.0,
        "makeup_db": 5.0, "sidechain_high_pass_hz": 90.0,
    },
    "gate": {
        "threshold_db": -20.0, "ratio": 8.0, "range_db": 50.0, "attack_ms": 0.5, "hold_ms": 5.0,
        "release_ms": 10.0, "hysteresis_db": 4.0,
    },
    "deesser": {"frequency_hz": 3000.0, "threshold_db": -40.0, "ratio": 5.0, "range_db": 12.0},
    "saturation": {"drive_db": 14.0, "mix": 0.7},
    "learned": {"input_gain_db": 6.0, "output_gain_db": -2.0, "mix": 0.7},
    "stem": {"output_gain_db": -6.0},
    "width": {"width": 1.6, "mono_below_hz": 150.0},
    "band_pan": {"pan_250": -0.5, "pan_1000": 0.7, "pan_8000": -0.2},
    "panorama": {"width": 1.7},
    "exciter": {"cutoff_hz": 2000.0, "drive_db": 20.0, "mix_db": -3.0},
    "reverb": {"decay_s": 0.4, "predelay_ms": 11.0, "low_cut_hz": 100.0, "size": 0.3, "mix": 0.5},
    "echo": {"time_ms": 23.0, "feedback": 0.6, "damping_hz": 3000.0, "mix": 0.5, "ping_pong": True},
    "limiter": {"ceiling_dbtp": -14.0, "release_ms": 20.0, "lookahead_ms": 2.0},
}  # fmt: skip
"""Each effect hard at work on the signal below."""

UNTOUCHED: dict[str, dict[str, Any]] = {
    "gain": {},
    "pan": {},
    "alignment": {},
    "high_pass": {"cutoff_hz": 10.0},
    "low_pass": {"cutoff_hz": 20000.0},
    "equalizer": {"sections": [{"gain_db": 0.0}]},
    "compressor": {"threshold_db": 0.0, "ratio": 100.0},
    "gate": {"threshold_db": -100.0, "range_db": 96.0, "ratio": 100.0, "attack_ms": 0.01},
    "deesser": {"threshold_db": 0.0, "ratio": 100.0},
    "saturation": {"drive_db": -24.0},
    "learned": {},
    "stem": {},
    "width": {},
    "band_pan": {},
    "panorama": {},
    "exciter": {"mix_db": -96.0},
    "reverb": {"mix": 0.0},
    "echo": {"mix": 0.0},
    "limiter": {"ceiling_dbtp": 0.0},
}
"""Each effect as close to doing nothing as it gets, while it runs."""

KINDS = sorted(EFFECTS)
LINKED = {"compressor", "gate", "deesser", "limiter", "width", "panorama", "reverb", "echo"}
"""Those in which one channel may touch another."""
LOUDEST = 4096


def make(kind: str, parameters: dict[str, dict[str, Any]] = WORKING) -> Effect:
    return effect_from_dict({"kind": kind, **parameters[kind]})


def music(frames: int, channels: int = 2, seed: int = 5) -> FloatArray:
    """Noise whose level jumps between silence and nearly full scale, on a low sine."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([0.0, 0.003, 0.05, 0.25], size=frames // 300 + 1).repeat(300)[:frames]
    tone = 0.1 * np.sin(2 * np.pi * 0.002 * np.arange(frames))
    return np.asarray(rng.standard_normal((channels, frames)) * steps + tone * (steps > 0), np.float32)


def run(effect: Effect, signal: FloatArray, block: int | None = None, sample_rate: int = 48000) -> FloatArray:
    processor = effect.processor()
    size = block or signal.shape[1]
    processor.prepare(sample_rate, signal.shape[0], size)
    parts = [
        processor.process(signal[:, at : at + size].copy()).copy() for at in range(0, signal.shape[1], size)
    ]
    return np.concatenate(parts, axis=1)


def channel_counts(effect: Effect) -> tuple[int, ...]:
    return (2,) if effect.needs_stereo else (1, 2)


def test_every_effect_is_here() -> None:
    assert set(EFFECTS) == set(WORKING) == set(UNTOUCHED)


@pytest.mark.parametrize("kind", KINDS)
def test_the_effect_works_on_the_test_signal(kind: str) -> None:
    signal = music(9000)
    assert np.abs(run(make(kind), signal) - signal).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_never_change_the_sound(kind: str) -> None:
    for channels in channel_counts(make(kind)):
        signal = music(9000, channels)
        whole = run(make(kind), signal)
        assert whole.dtype == np.float32
        assert whole.shape == signal.shape
        for block in (1, 7, 64, 997, 4096):
            np.testing.assert_array_equal(run(make(kind), signal, block), whole, err_msg=f"blocks of {block}")


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_changing_sizes_and_views(kind: str) -> None:
    """A block may be shorter than announced, empty, and a view into a larger array."""
    signal = music(6000)
    processor = make(kind).processor()
    processor.prepare(48000, 2, 1024)
    parts, at = [], 0
    for size in (1024, 3, 0, 500, 1, 1024, 1024, 1024, 700, 700):
        parts.append(processor.process(signal[:, at : at + size].copy()[:, :]).copy())
        at += size
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), run(make(kind), signal))
    view = np.zeros((2, 9000), np.float32)
    view[:, 1000:7000] = signal
    processor = make(kind).processor()
    processor.prepare(48000, 2, 6000)
    np.testing.assert_array_equal(processor.process(view[:, 1000:7000]), run(make(kind), signal))


@pytest.mark.parametrize("kind", KINDS)
def test_silence_stays_silence(kind: str) -> None:
    assert not run(make(kind), np.zeros((2, 5000), np.float32), 512).any()


@pytest.mark.parametrize("kind", KINDS)
def test_reset_is_a_fresh_start(kind: str) -> None:
    signal = music(4000)
    processor = make(kind).processor()
    processor.prepare(48000, 2, 4000)
    first = processor.process(signal.copy()).copy()
    processor.process(music(4000, seed=8))
    processor.reset()
    np.testing.assert_array_equal(processor.process(signal.copy()), first)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processors_share_nothing(kind: str) -> None:
    signal = music(3000)
    effect = make(kind)
    one, other = effect.processor(), effect.processor()
    for processor in (one, other):
        processor.prepare(48000, 2, 3000)
    other.process(music(3000, seed=3))
    np.testing.assert_array_equal(one.process(signal.copy()), run(effect, signal))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"low_pass"}))  # which is a lag by its nature
@pytest.mark.parametrize("sample_rate", [8000, 48000, 192000])
def test_latency_is_true(kind: str, sample_rate: int) -> None:
    """The output of an effect that does next to nothing fits the input best at the reported lag."""
    effect = make(kind, UNTOUCHED)
    rng = np.random.default_rng(2)
    noise = 0.1 * rng.standard_normal((2, 6000))
    signal = np.stack([np.convolve(row, np.hanning(11) / 5.0, "same") for row in noise]).astype(np.float32)
    processor = effect.processor()
    processor.prepare(sample_rate, 2, 6000)
    late = processor.latency_frames
    assert late == int(late) >= 0
    output = processor.process(signal.copy())
    size = 1 << 14
    spectra = np.fft.rfft(output, size) * np.conj(np.fft.rfft(signal, size))
    assert int(np.argmax(np.fft.irfft(spectra, size).sum(axis=0))) == late
    error = output[:, late + 50 :] - signal[:, 50 : 6000 - late]
    if kind != "high_pass":  # whose phase is not that of a delay
        assert np.abs(error).max() < 1e-3


@pytest.mark.parametrize("kind", sorted(set(KINDS) - LINKED))
def test_channels_do_not_touch_one_another(kind: str) -> None:
    signal = music(5000)
    other = signal.copy()
    other[1] = music(5000, 1, seed=77)[0]
    np.testing.assert_array_equal(run(make(kind), signal)[0], run(make(kind), other)[0])
    swapped = run(make(kind), signal[::-1].copy())[::-1]
    if kind not in ("pan", "band_pan"):
        np.testing.assert_array_equal(swapped, run(make(kind), signal))


@pytest.mark.parametrize("kind", ["compressor", "gate", "limiter"])
def test_linked_channels_get_one_gain(kind: str) -> None:
    """A copy at a sixteenth of the level in the other channel stays a sixteenth, whichever side is loud."""
    loud = music(6000, 1)
    signal = np.concatenate((loud, loud / np.float32(16.0)))
    output = run(make(kind), signal)
    np.testing.assert_allclose(output[1] * 16.0, output[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(run(make(kind), signal[::-1].copy())[::-1], output)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100, 96000, 192000])
def test_hot_signals_at_any_rate_stay_finite(kind: str, sample_rate: int) -> None:
    rng = np.random.default_rng(4)
    signal = (1000.0 * rng.choice([-1.0, 1.0], size=(2, 4000))).astype(np.float32)
    output = run(make(kind), signal, 1024, sample_rate)
    assert np.isfinite(output).all()
    assert np.abs(output).max() < 1e6


@pytest.mark.parametrize("kind", KINDS)
def test_states_come_to_rest(kind: str) -> None:
    """After a long silence no number in any state is denormal, and the output is exactly zero."""
    processor = make(kind).processor()
    processor.prepare(8000, 2, 8000)
    processor.process(music(8000))
    for _ in range(14):
        output = processor.process(np.zeros((2, 8000), np.float32))
    assert not output.any()
    tiny = np.finfo(np.float64).tiny
    for array in arrays_in(processor):
        values = np.abs(array[np.nonzero(array)])
        assert (values > tiny).all()
    signal = music(3000)
    again = processor.process(signal.copy())
    assert np.isfinite(again).all()


def arrays_in(thing: object) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Every float array an object holds, also inside the plain objects it holds."""
    found = []
    for value in vars(thing).values():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            found.append(value)
        elif type(value).__module__.startswith("tonmeister") and hasattr(value, "reset"):
            found.extend(arrays_in(value))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_out_of_range_is_named(kind: str) -> None:
    for name, allowed in effect_type(kind).ranges().items():
        for wrong in (allowed.minimum - 1.0, allowed.maximum + 1.0, float("nan"), "much"):
            with pytest.raises(BadInputError, match=rf"{kind}\.{name}"):
                effect_from_dict({"kind": kind, **WORKING[kind], name: wrong})
    with pytest.raises(BadInputError, match="colour"):
        effect_from_dict({"kind": kind, "colour": 1.0})


def test_every_number_is_a_checked_parameter() -> None:
    for kind in KINDS:
        cls = effect_type(kind)
        numbers = {f.name for f in dataclasses.fields(cls) if f.type == "float"}
        assert numbers == set(cls.ranges()), kind


@pytest.mark.parametrize("kind", KINDS)
def test_an_effect_is_frozen_and_can_be_a_key(kind: str) -> None:
    effect: Any = make(kind)
    assert effect == make(kind)
    assert hash(effect) == hash(make(kind))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(effect, dataclasses.fields(effect)[0].name, None)


@st.composite
def effects(draw: st.DrawFn) -> Effect:
    """Any effect with any parameters it allows."""
    kind = draw(st.sampled_from(KINDS))
    if kind == "equalizer":
        sections = draw(st.lists(_any_values("tonmeister.effects.equalizer:EqSection"), max_size=8))
        return effect_from_dict({"kind": kind, "sections": sections})
    return effect_from_dict({"kind": kind, **draw(_any_values(EFFECTS[kind]))})


def _any_values(path: str) -> st.SearchStrategy[dict[str, Any]]:
    import importlib

    module, _, name = path.partition(":")
    cls = getattr(importlib.import_module(module), name)
    values: dict[str, st.SearchStrategy[Any]] = {
        key: st.floats(allowed.minimum, allowed.maximum) for key, allowed in cls.ranges().items()
    }
    for field in dataclasses.fields(cls):
        if field.type == "bool":
            values[field.name] = st.booleans()
        elif field.name == "order":
            values[field.name] = st.sampled_from([2, 4])
        elif field.name == "shape":
            values[field.name] = st.sampled_from(["peak", "low_shelf", "high_shelf", "high_pass", "low_pass"])
    return st.fixed_dictionaries(values)


@given(effects())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_plain_data_round_trip(effect: Effect) -> None:
    data = effect_to_dict(effect)
    assert effect_from_dict(json.loads(json.dumps(data))) == effect
    assert json.loads(json.dumps(data)) == data


@given(effects(), st.sampled_from([8000, 44100, 192000]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_parameters_run_at_any_rate(effect: Effect, sample_rate: int) -> None:
    if effect.kind == "reverb":
        effect = dataclasses.replace(effect, decay_s=min(effect.decay_s, 1.0))  # type: ignore[attr-defined,type-var]
    output = run(effect, music(800), 300, sample_rate)
    assert np.isfinite(output).all()
    assert not run(effect, np.zeros((2, 300), np.float32), None, sample_rate).any()


LINEAR = [kind for kind in KINDS if isinstance(make(kind), LinearEffect)]


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_a_linear_effect_does_what_its_response_says(kind: str, sample_rate: int) -> None:
    """The transform of the impulse response is `response`."""
    effect: Any = make(kind)
    frames = 1 << 16
    impulse = np.zeros((1, frames), np.float32)
    impulse[0, 0] = 1.0
    measured = np.fft.rfft(run(effect, impulse, None, sample_rate)[0].astype(np.float64))
    said = effect.response(np.fft.rfftfreq(frames, 1.0 / sample_rate), sample_rate)
    np.testing.assert_allclose(measured, said, atol=2e-6 * max(1.0, np.abs(said).max()))


def test_which_effects_are_linear() -> None:
    assert LINEAR == ["alignment", "equalizer", "gain", "high_pass", "low_pass"]
