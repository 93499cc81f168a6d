"""The networks of learned effects as they play: arithmetic, streaming, rates, silence, the guard, and their files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import makers_effects as make
from tonmeister.cli import run as run_verb
from tonmeister.dsp import cafx, lstm, saaf
from tonmeister.effects.learned import Learned, device_processor
from tonmeister.effects.learned_files import Device, load_device
from tonmeister.effects.networks import CafxNetwork, LstmNetwork, Network
from tonmeister.effects.rate_bridge import RateBridge
from tonmeister.errors import BadInputError, ModelError
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.units import DoubleArray, FloatArray

BLOCKS = (1, 64, 65, 997)


def noise(frames: int, channels: int = 1, seed: int = 3, size: float = 0.2) -> FloatArray:
    return (size * np.random.default_rng(seed).standard_normal((channels, frames))).astype(np.float32)


def through(
    device: Device, x: FloatArray, rate: int, block: int | None = None, **effect: Any
) -> tuple[FloatArray, int]:
    """What comes out, and how late it is."""
    processor = device_processor(Learned(**effect), device)
    size = block or x.shape[1]
    processor.prepare(rate, len(x), size)
    parts = [processor.process(x[:, s : s + size].copy()) for s in range(0, x.shape[1], size)]
    return np.concatenate(parts, axis=1), processor.latency_frames


# ------------------------------------------------------------------ the arithmetic of CAFx


def test_cafx_has_602176_numbers_by_stage() -> None:
    size = {name: int(np.prod(shape)) for name, shape in cafx.SHAPES.items()}
    assert size["bank"] + size["bank_bias"] == 8320
    assert size["envelope"] + size["envelope_bias"] == 16512
    assert size["local"] + size["local_bias"] == 532480
    assert size["shared.weight"] + size["shared.bias"] == 4160
    assert sum(n for name, n in size.items() if name.startswith("dense")) == 37248
    assert size["curves"] == 3456
    assert sum(size.values()) == 602176 == make.cafx_network().parameters


def test_lstm_has_1233_numbers() -> None:
    assert make.lstm_network().parameters == 1233


def test_synthesis_is_the_adjoint_of_the_bank() -> None:
    weights = make.cafx_weights()
    weights["bank_bias"][:] = 0.0
    x, z = noise(1024)[0], noise(128, 1024)
    forward = np.sum(cafx.bands(x, weights).astype(float) * z)
    backward = np.sum(x.astype(float) * cafx.synthesis(z, weights["bank"]))
    assert forward == pytest.approx(backward, rel=1e-5)


def test_with_impulses_bank_and_synthesis_are_128_times_the_identity() -> None:
    weights = make.cafx_weights()
    weights["bank"][:] = np.arange(64) == 31
    weights["bank_bias"][:] = 0.0
    x = noise(1024)[0]
    np.testing.assert_allclose(
        cafx.synthesis(cafx.bands(x, weights), weights["bank"]), 128.0 * x, rtol=1e-5, atol=1e-5
    )


def test_pooling_keeps_the_first_of_the_greatest_at_its_place() -> None:
    slow = noise(1024, 128)
    slow[5, 32:48] = 0.25
    values, at = cafx.pool(slow)
    there = cafx.unpool(values, at).T.reshape(128, 64, 16)
    assert (np.count_nonzero(there, axis=2) == 1).all()
    np.testing.assert_allclose(
        there.max(axis=2), cafx.softplus(slow.reshape(128, 64, 16).max(axis=2)), rtol=1e-6
    )
    assert at[5, 2] == 0
    np.testing.assert_array_equal(there.argmax(axis=2), slow.reshape(128, 64, 16).argmax(axis=2))


def test_envelopes_are_each_channels_own_taps() -> None:
    weights = make.cafx_weights()
    net, residual = cafx.Cafx.of(weights), noise(128, 1024)
    found = cafx.envelopes(residual, net)
    level = np.abs(residual[:, 7].astype(float))
    padded = np.pad(level, (63, 64))
    wanted = [padded[n : n + 128] @ weights["envelope"][7] for n in range(1024)] + weights["envelope_bias"][7]
    np.testing.assert_allclose(found[7], wanted, atol=1e-5)


def test_the_chain_is_the_stages_in_order() -> None:
    weights = make.cafx_weights()
    net, x = cafx.Cafx.of(weights), noise(1024)[0]
    residual = cafx.bands(x, weights)
    values, at = cafx.pool(cafx.envelopes(residual, net))
    inside = cafx.unpool(cafx.latent(values, weights), at) * residual
    wanted = cafx.synthesis(cafx.dense(inside, weights), weights["bank"])
    np.testing.assert_allclose(cafx.run_frame(x, net), wanted, rtol=1e-4, atol=1e-5)


def test_the_curves_of_the_network_are_saaf() -> None:
    numbers = np.random.default_rng(1).standard_normal((128, 27))
    tables = np.stack([saaf.table(row) for row in numbers]).astype(np.float32)
    values = (2.0 * np.random.default_rng(2).standard_normal((50, 128))).astype(np.float32)
    bent = values.copy()
    cafx.bend(bent, tables)
    for c in (0, 50, 127):
        np.testing.assert_allclose(bent[:, c], saaf.curve(values[:, c].astype(float), numbers[c]), atol=1e-4)


def test_tanh_is_tanh() -> None:
    x = np.concatenate([np.linspace(-12.0, 12.0, 4001), [-1e30, 1e30]])
    np.testing.assert_allclose([lstm.tanh(v) for v in x], np.tanh(x), atol=1e-7)


# ------------------------------------------------------------------ streaming


CASES = [
    (make.guarded(make.lstm_network()), 44100),
    (make.guarded(make.lstm_network()), 48000),
    (make.guarded(make.cafx_network()), 16000),
    (make.guarded(make.cafx_network()), 44100),
]


@pytest.mark.parametrize(("device", "rate"), CASES, ids=["lstm", "lstm 48k", "cafx", "cafx 44.1k"])
def test_blocks_never_change_the_sound_and_reset_is_new(device: Device, rate: int) -> None:
    x = noise(5000, 2)
    whole, _ = through(device, x, rate, mix=0.8)
    for block in BLOCKS:
        if block > 1:
            np.testing.assert_array_equal(through(device, x, rate, block, mix=0.8)[0], whole)
    single = x[:, :1500]
    np.testing.assert_array_equal(through(device, single, rate, 1, mix=0.8)[0], whole[:, :1500])
    processor = device_processor(Learned(mix=0.8), device)
    processor.prepare(rate, 2, 5000)
    processor.process(noise(5000, 2, seed=9))
    processor.reset()
    np.testing.assert_array_equal(processor.process(x.copy()), whole)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("network", [make.straight_cafx(), make.straight_lstm()], ids=["cafx", "lstm"])
def test_latency_is_true_to_the_frame(network: Network, rate: int) -> None:
    """Through a network that passes everything an impulse comes out where it went in, and whole."""
    x = np.zeros((1, 9000), np.float32)
    x[0, 2500] = 0.5
    made, late = through(Device(None, network), x, rate)
    assert int(np.argmax(np.abs(made[0]))) == 2500 + late
    if network.sample_rate <= rate:
        assert made[0, 2500 + late] == pytest.approx(0.5, abs=1e-6)
        made[0, 2500 + late] = 0.0
        assert np.abs(made).max() < 1e-6


def test_latencies_are_those_that_are_documented() -> None:
    for device, rate, effect, wanted in (
        (Device(None, make.straight_lstm()), 44100, {}, 0),
        (make.guarded(make.straight_lstm()), 44100, {"guard": False}, 0),
        (make.guarded(make.straight_lstm()), 44100, {}, 94),
        (Device(None, make.straight_cafx()), 16000, {}, 1023),
        (make.guarded(make.straight_cafx()), 16000, {}, 1023),
    ):
        assert through(device, noise(10), rate, **effect)[1] == wanted


def test_treble_passes_beside_a_network_of_a_low_rate() -> None:
    time = np.arange(12000) / 48000
    x = (0.2 * np.sin(2 * np.pi * 12000 * time) + 0.2 * np.sin(2 * np.pi * 1000 * time))[None]
    silent = dataclasses.replace(make.straight_cafx(), dry_gain=0.0)
    heard = {}
    for full_band in (True, False):
        made, _ = through(Device(None, silent), x.astype(np.float32), 48000, full_band=full_band)
        spectrum = np.abs(np.fft.rfft(made[0, 6000:10800])) / 2400
        heard[full_band] = spectrum[1200], spectrum[100]
    assert heard[True][0] == pytest.approx(0.2, rel=0.01)
    assert heard[False][0] < 1e-5
    assert max(heard[True][1], heard[False][1]) < 1e-4


def test_each_channel_is_a_processor_of_its_own() -> None:
    x = noise(3000, 2)
    for device, rate in CASES[:3]:
        both, _ = through(device, x, rate)
        for channel in range(2):
            alone, _ = through(device, x[channel : channel + 1], rate)
            np.testing.assert_array_equal(alone[0], both[channel])


@pytest.mark.parametrize(("device", "rate"), CASES, ids=["lstm", "lstm 48k", "cafx", "cafx 44.1k"])
def test_silence_is_silent_before_and_after_sound(device: Device, rate: int) -> None:
    processor = device_processor(Learned(), device)
    processor.prepare(rate, 1, 24000)
    assert np.abs(processor.process(np.zeros((1, 6000), np.float32))).max() < 1e-7
    processor.process(noise(3000, size=1.0))
    rest = processor.process(np.zeros((1, 24000), np.float32))
    assert np.abs(rest[:, processor.latency_frames + 12000 :]).max() < 1e-5


@pytest.mark.parametrize(("device", "rate"), CASES, ids=["lstm", "lstm 48k", "cafx", "cafx 44.1k"])
def test_no_bad_sample_lives_on_and_it_is_counted(device: Device, rate: int) -> None:
    x = noise(9000)
    x[0, 100], x[0, 2000] = np.nan, np.inf
    processor = device_processor(Learned(), device)
    processor.prepare(rate, 1, 9000)
    assert np.isfinite(processor.process(x)).all()
    assert any("2 frames were no numbers" in note for note in processor.notes())  # type: ignore[attr-defined]
    assert np.isfinite(processor.process(noise(4000, size=30.0))).all()


def test_the_lstm_of_another_rate_is_the_same_device() -> None:
    time = np.arange(8000)
    sines = {r: (0.3 * np.sin(2 * np.pi * 300 * time / r)).astype(np.float32)[None] for r in (44100, 48000)}
    device = Device(None, make.lstm_network())
    levels = []
    for rate, x in sines.items():
        made, late = through(device, x, rate)
        levels.append(np.sqrt(np.mean(made[0, late + 2000 : late + 2000 + 10 * rate // 300] ** 2)))
    assert levels[1] == pytest.approx(levels[0], rel=1e-3)


@pytest.mark.parametrize(("outer", "inner"), [(44100, 16000), (16000, 44100), (48000, 44100), (8000, 16000)])
def test_there_and_back_at_another_rate_is_a_delay(outer: int, inner: int) -> None:
    time = np.arange(4000) - 1500
    width = 0.3 * min(inner / outer, 1.0)
    x: DoubleArray = (np.sinc(width * time) * np.hanning(4000))[None]
    bridge, made = RateBridge(outer, inner, 1, 0), []
    for start in range(0, 4000, 371):
        block = x[:, start : start + 371]
        made.append(bridge.raise_(bridge.lower(block), block.shape[1]))
    back = np.concatenate(made, axis=1)[:, bridge.latency_frames :]
    np.testing.assert_allclose(back, x[:, : back.shape[1]], atol=1e-4)


# ------------------------------------------------------------------ the guard


def straying(network: Network, rate: int, bound: float) -> tuple[FloatArray, list[str], FloatArray]:
    """Through a network beside a twin that it is nothing like; what is said; and the twin alone."""
    device = dataclasses.replace(make.guarded(network), bound=bound)  # type: ignore[arg-type]
    x = noise(12000, size=0.3)
    processor = device_processor(Learned(), device)
    processor.prepare(rate, 1, 12000)
    made = processor.process(x.copy())[:, processor.latency_frames :]
    assert device.waveshaper is not None
    alone, late = through(Device(device.waveshaper), x, rate)
    return made, list(processor.notes()), alone[:, late:]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("network", "rate"),
    [(make.lstm_network(size=2.0), 44100), (make.cafx_network(), 16000)],
    ids=["lstm", "cafx"],
)
def test_a_network_that_strays_gives_way_to_its_twin_and_says_so(network: Network, rate: int) -> None:
    made, notes, alone = straying(network, rate, 0.01)
    part = slice(4000, 10000)
    np.testing.assert_allclose(made[:, part], alone[:, part], atol=1e-4)
    assert any("its waveshaper twin played" in note for note in notes)


def test_a_network_within_its_bound_plays_and_says_nothing() -> None:
    made, notes, alone = straying(make.straight_lstm(), 44100, 100.0)
    assert notes == []
    assert np.abs(made[:, 4000:10000] - alone[:, 4000:10000]).max() > 0.1


# ------------------------------------------------------------------ files


def saved(path: Path, device: Device, **settings: Any) -> Path:
    card = ModelCard(
        "pedal", "learned_effect", "a test", "MIT", "npz", "2026-11-29", {}, (TrainingData("x", "y", "z"),), {}, (),
        settings={**device.settings(), **settings},
    )  # fmt: skip
    save_model(path, device.arrays(), card)
    return path


@pytest.mark.parametrize(
    "network", [make.cafx_network(dry_gain=0.5), make.lstm_network()], ids=["cafx", "lstm"]
)
def test_a_saved_network_plays_as_before(tmp_path: Path, network: CafxNetwork | LstmNetwork) -> None:
    device = make.guarded(dataclasses.replace(network, input_scale=2.0, output_scale=0.3))
    found, _ = load_device(saved(tmp_path / "m.npz", device))
    x = noise(3000)
    for a, b in zip(through(found, x, 44100), through(device, x, 44100), strict=True):
        np.testing.assert_array_equal(a, b)
    effect = Learned(model=str(tmp_path / "m.npz"))
    assert effect.processor().__class__.__name__ == "NetworkProcessor"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network", "magic"),
        ("sample_rate", 1),
        ("input_scale", "much"),
        ("bound", None),
        ("treble_gain", 1e9),
    ],
)
def test_a_card_with_other_settings_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = saved(tmp_path / "m.npz", make.guarded(make.lstm_network()), **{key: value})
    with pytest.raises(ModelError, match=key):
        load_device(path)


def test_damaged_foreign_and_oversized_files_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.npz", make.guarded(make.lstm_network()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cut off"):
        load_device(path)
    path.write_bytes(bytes(len(whole)))
    with pytest.raises(ModelError, match="checksum"):
        load_device(path)
    path.write_bytes(bytes(9 << 20))
    with pytest.raises(ModelError, match="more than a model"):
        load_device(path)
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    card["settings"]["network"] = "cafx"
    path.write_bytes(whole)
    path.with_suffix(".json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(ModelError, match="no array"):
        load_device(path)


def test_flags_are_checked() -> None:
    with pytest.raises(BadInputError, match="guard"):
        Learned(guard=1)  # type: ignore[arg-type]


# ------------------------------------------------------------------ verbs


@pytest.fixture
def song(tmp_path: Path) -> Path:
    (tmp_path / "song").mkdir()
    for number, name in enumerate(("Kick", "Bass")):
        soundfile.write(
            tmp_path / "song" / f"{name}.wav", noise(12000, seed=number)[0], 16000, subtype="FLOAT"
        )
    return tmp_path / "song"


def test_mix_and_apply_effect_tell_when_the_twin_played(
    tmp_path: Path, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(
        saved(tmp_path / "m.npz", dataclasses.replace(make.guarded(make.lstm_network(size=2.0)), bound=0.01))
    )
    asked = [
        "mix",
        str(song),
        "-o",
        str(tmp_path / "mix.wav"),
        "--engine",
        "sum",
        "--set",
        f"Bass.learned.model={model}",
    ]
    assert run_verb(asked) == 0
    assert "Bass: learned.model" in capsys.readouterr().err
    sound = str(song / "Bass.wav")
    assert run_verb(["apply-effect", sound, model, "-o", str(tmp_path / "made.wav"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert any("waveshaper twin played" in note for note in told["notes"])
    assert told["network"] == "lstm"
    heard, rate = soundfile.read(tmp_path / "made.wav")
    assert (len(heard), rate) == (12000, 16000)
