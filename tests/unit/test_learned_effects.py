"""Learning a device: bringing the pair in time, fitting, judging, saving, and playing the model back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tonmeister.audio import Audio
from tonmeister.cli import run as run_verb
from tonmeister.effects.learned import Learned, WaveshaperProcessor
from tonmeister.effects.learned_files import load_device
from tonmeister.effects.waveshaper import Waveshaper
from tonmeister.errors import BadInputError, ModelError
from tonmeister.learned_effects.domain import domain_of, outside
from tonmeister.learned_effects.learn import LearnedEffect, _excerpts, _held_out, learn_effect, save_effect
from tonmeister.learned_effects.pair import aligned_pair
from tonmeister.learned_effects.system import PARTS, Excerpts, System
from tonmeister.learned_effects.verdict import Errors, Verdict, band
from tonmeister.units import DoubleArray, FloatArray

RATE = 16000


def notes(seconds: float = 2.6, seed: int = 1) -> DoubleArray:
    """Plucked tones of many levels and pitches."""
    rng, frames = np.random.default_rng(seed), round(seconds * RATE)
    sound = 1e-4 * rng.standard_normal(frames)
    at = 0
    while at < frames:
        length = min(round(RATE * rng.uniform(0.1, 0.3)), frames - at)
        time, pitch = np.arange(length) / RATE, rng.uniform(60.0, 600.0)
        tone = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 11))
        sound[at : at + length] += (
            10 ** (rng.uniform(-30, -6) / 20) * np.exp(-time * rng.uniform(2, 8)) * tone
        )
        at += length
    return sound


def audio(*channels: DoubleArray, rate: int = RATE) -> Audio:
    return Audio(np.asarray(np.stack(channels), np.float32), rate)


def model_of(effect: LearnedEffect) -> Waveshaper:
    model = effect.device.waveshaper
    assert model is not None
    return model


def device(x: DoubleArray) -> DoubleArray:
    """Filter, uneven curve, filter."""
    u = np.convolve(x, [0.5, 0.4, -0.2, 0.1])[: len(x)]
    bent = np.tanh(4.0 * u + 0.3) - np.tanh(0.3)
    return np.convolve(bent, [0.35, -0.25, 0.15, 0.05])[: len(x)]


@pytest.fixture(scope="module")
def learned() -> LearnedEffect:
    x = notes()
    return learn_effect(audio(x), audio(device(x)), oversampling=1)


@pytest.fixture(scope="module")
def model_path(learned: LearnedEffect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "pedal.npz"
    save_effect(learned, path, source="a test")
    return path


# ------------------------------------------------------------------ fitting


def test_a_filter_curve_filter_device_is_found(learned: LearnedEffect) -> None:
    errors = learned.verdict.errors
    assert errors.esr < 0.001
    assert errors.linear_esr > 10.0 * errors.esr
    assert errors.bypass_esr > 10.0 * errors.esr
    assert learned.verdict.word == "great"
    assert not learned.verdict.slow


def test_it_has_155_numbers_and_a_first_filter_of_size_one(learned: LearnedEffect) -> None:
    model = model_of(learned)
    assert sum(len(a) for a in model.arrays().values()) == 155
    assert np.linalg.norm(model.pre) == pytest.approx(1.0)


def test_the_model_holds_on_sound_it_never_met(learned: LearnedEffect) -> None:
    x = notes(1.0, seed=9)
    made = played(model_of(learned), x)
    wanted = np.roll(device(x), -round(learned.pair.delay_frames))
    made, wanted = made[200:-200], wanted[200:-200]
    shift = learned.pair.delay_frames - round(learned.pair.delay_frames)
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(len(wanted)) * shift)
    wanted = np.fft.irfft(np.fft.rfft(wanted) * turn, len(wanted))[100:-100]
    assert np.sum((made[100:-100] - wanted) ** 2) / np.sum(wanted**2) < 0.005


def played(model: Waveshaper, x: DoubleArray, rate: int = RATE) -> DoubleArray:
    processor = WaveshaperProcessor(Learned(), model)
    processor.prepare(rate, 1, len(x) + 1000)
    late = processor.latency_frames
    return processor.process(np.pad(x, (0, late)).astype(np.float32)[None])[0, late:].astype(np.float64)


def test_tanh_distortion_without_aliasing_is_found_with_oversampling() -> None:
    x = notes()
    size = 1 << 16
    spectrum = np.zeros(2 * size + 1, np.complex128)
    spectrum[: size // 2 + 1] = 4.0 * np.fft.rfft(x, size)
    bent = np.fft.rfft(np.tanh(6.0 * np.fft.irfft(spectrum, 4 * size))) / 4.0
    wet = np.fft.irfft(bent[: size // 2 + 1], size)[: len(x)]
    effect = learn_effect(audio(x), audio(wet), oversampling=2)
    assert effect.verdict.errors.esr < 0.002
    assert effect.verdict.errors.bypass_esr > 0.3


def test_the_equations_are_the_derivatives(learned: LearnedEffect) -> None:
    """One number moved a little moves the loss as J^T r says."""
    rng = np.random.default_rng(2)
    dry, wet = 0.1 * rng.standard_normal((2, 2, 4096))
    excerpts = Excerpts(dry, wet, 2)
    model = model_of(learned)
    start = System(model.pre, model.shaper, model.post, 3.0)
    start = start.with_numbers(start.numbers())
    _, error, _ = excerpts.normal_equations(start)
    base = excerpts.loss(start)
    for part in PARTS.values():
        for at in (part.start + 1, part.stop - 3):
            moved = start.numbers()
            step = 1e-6 * max(1.0, abs(moved[at]))
            moved[at] += step
            change = (excerpts.loss(start.with_numbers(moved)) - base) / step
            assert change == pytest.approx(-2.0 * error[at], rel=1e-2, abs=1e-6)


def briefly(steps: int) -> Callable[[str, float], None]:
    """Progress that interrupts after some steps."""
    calls = 0

    def told(stage: str, done: float) -> None:
        nonlocal calls
        assert stage == "learn"
        assert 0.0 <= done <= 1.0
        calls += 1
        if calls == steps:
            raise KeyboardInterrupt

    return told


def test_the_same_seed_learns_the_same() -> None:
    x = notes(1.6)
    first, again = (
        learn_effect(audio(x), audio(device(x)), oversampling=1, seed=4, progress=briefly(14))
        for _ in range(2)
    )
    for name, array in model_of(first).arrays().items():
        np.testing.assert_array_equal(array, model_of(again).arrays()[name])


def test_an_interrupt_keeps_the_best_so_far() -> None:
    x = notes(1.6)
    effect = learn_effect(audio(x), audio(device(x)), oversampling=1, progress=briefly(3))
    assert effect.course.interrupted
    assert effect.course.steps == 3
    assert effect.verdict.errors.esr < effect.verdict.errors.bypass_esr
    assert any("interrupted" in note for note in effect.notes())


def test_what_is_held_out_is_never_learned_from() -> None:
    x = np.arange(1, 60001) / 60001
    pair = aligned_pair(audio(x + notes(60000 / RATE)), audio(x + notes(60000 / RATE)))
    ramp = dataclasses.replace(pair, dry=x[None], wet=x[None])
    held = _held_out(60000, np.random.default_rng(5))
    assert held[1] == slice(54000, 60000)
    inside = {float(v) for part in held for v in x[part]}
    for dry, _ in _excerpts(ramp, held, np.random.default_rng(5)):
        assert not inside & set(dry.ravel().tolist())


def test_a_compressor_cannot_be_learned_and_is_told() -> None:
    x = notes()
    level, gain = 0.0, np.zeros(len(x))
    for n, value in enumerate(np.abs(x)):
        level += (value - level) * (0.02 if value > level else 0.0005)
        gain[n] = min(1.0, (0.02 / max(level, 1e-6)) ** 0.8)
    effect = learn_effect(audio(x), audio(x * gain), oversampling=1, progress=briefly(10))
    assert effect.verdict.slow
    assert any("compressor" in note for note in effect.notes())


def test_a_model_worse_than_doing_nothing_is_not_usable() -> None:
    worse = Verdict(Errors(esr=0.5, mae=0.1, bypass_esr=0.4, linear_esr=0.6), slow_share=0.0)
    assert not worse.usable
    assert any("doing nothing" in note for note in worse.notes())
    assert dataclasses.replace(worse, errors=Errors(0.3, 0.1, 0.4, 0.6)).usable
    assert not Verdict(Errors(0.05, 0.1, 0.4, 0.6), slow_share=0.9).usable


def test_bands() -> None:
    figures = (0.0, 0.01, 0.035, 0.1, 0.3)
    assert [band(f) for f in figures] == ["great", "not bad", "may do", "poor", "failed"]


# ------------------------------------------------------------------ bringing the pair together


@pytest.mark.parametrize("delay", [0, 37, -53])
def test_delay_is_found_either_way(delay: int) -> None:
    x = notes(2.0)
    pair = aligned_pair(audio(x), audio(np.roll(x, delay) * 0.5))
    assert pair.delay_frames == pytest.approx(delay, abs=0.02)
    assert pair.gain_db == pytest.approx(-6.02, abs=0.1)
    inner = slice(100, pair.frames - 100)
    np.testing.assert_allclose(pair.wet[0, inner], 0.5 * pair.dry[0, inner], atol=2e-3)


def test_a_fraction_of_a_frame_is_found() -> None:
    x = notes(2.0)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(x)) * 20.3)
    pair = aligned_pair(audio(x), audio(np.fft.irfft(np.fft.rfft(x) * turn, len(x))))
    assert pair.delay_frames == pytest.approx(20.3, abs=0.1)


def test_wrong_polarity_is_put_right_and_told() -> None:
    x = notes(2.0)
    pair = aligned_pair(audio(x), audio(-x))
    assert pair.inverted
    np.testing.assert_allclose(pair.wet, pair.dry, atol=1e-4)
    assert any("polarity" in note for note in pair.notes)


def test_unequal_lengths_and_another_rate_are_no_obstacle() -> None:
    x = notes(2.0)
    double = np.fft.irfft(np.append(2.0 * np.fft.rfft(x), np.zeros(len(x) // 2)), 2 * len(x))
    pair = aligned_pair(audio(x), audio(double[: -2 * 4000], rate=2 * RATE))
    assert pair.frames == pytest.approx(len(x) - 4000, abs=3)
    assert any(str(2 * RATE) in note for note in pair.notes)
    assert pair.coherence > 0.99


def test_stereo_and_mono() -> None:
    x, other = notes(1.6), notes(1.6, seed=8)
    assert aligned_pair(audio(x, x), audio(x)).notes == ()
    assert len(aligned_pair(audio(x, other), audio(x, other)).dry) == 2
    mixed = aligned_pair(audio(x), audio(x, 0.5 * x))
    assert len(mixed.dry) == len(mixed.wet) == 1
    assert any("2 channels" in note or "mean" in note for note in mixed.notes)
    with pytest.raises(BadInputError, match="cancel"):
        aligned_pair(audio(x), audio(x, -x))


def test_a_clipped_wet_file_is_told() -> None:
    x = notes(1.6)
    pair = aligned_pair(audio(x), audio(np.clip(20.0 * x, -1.0, 1.0)))
    assert any("full scale" in note for note in pair.notes)


NOTES = notes(1.6)
HOLED = np.where(np.arange(len(NOTES)) == 700, np.nan, NOTES)


@pytest.mark.parametrize(
    ("dry", "wet", "message"),
    [
        (NOTES, 0.0 * NOTES, "wet file is silent"),
        (0.0 * NOTES, NOTES, "dry file is silent"),
        (NOTES[:1600], NOTES[:1600], "duration_s=0.10"),
        (NOTES, NOTES[:1600], "wet file has duration_s=0.10"),
        (NOTES, HOLED, "no numbers"),
        (NOTES, np.random.default_rng(1).standard_normal(len(NOTES)), "coherence="),
        (NOTES, NOTES, "this is a bypass"),
    ],
)
def test_what_cannot_be_learned_is_refused(dry: DoubleArray, wet: DoubleArray, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        learn_effect(audio(dry), audio(wet), oversampling=1)


def test_too_little_sound_is_refused() -> None:
    x = NOTES.copy()
    x[4000:] = 0.0
    with pytest.raises(BadInputError, match="longer recording"):
        learn_effect(audio(x), audio(np.tanh(5.0 * x)), oversampling=1)


# ------------------------------------------------------------------ playing


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_blocks_never_change_the_sound(learned: LearnedEffect, factor: int) -> None:
    model = dataclasses.replace(model_of(learned), oversampling=factor)
    x = np.stack([notes(0.4), notes(0.4, seed=3)]).astype(np.float32)

    def cut(size: int) -> FloatArray:
        processor = WaveshaperProcessor(Learned(mix=0.8), model)
        processor.prepare(RATE, 2, size)
        parts = [processor.process(x[:, s : s + size].copy()) for s in range(0, x.shape[1], size)]
        return np.concatenate(parts, axis=1)

    whole = cut(x.shape[1])
    for size in (1, 64, 997):
        np.testing.assert_array_equal(cut(size), whole)


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("rate", [RATE, 44100, 11025])
def test_latency_is_true_to_the_frame(factor: int, rate: int) -> None:
    model = dataclasses.replace(Waveshaper.identity(), oversampling=factor, sample_rate=RATE)
    x = np.zeros(3000)
    x[1000] = 0.5
    assert int(np.argmax(np.abs(played(model, x, rate)))) == 1000


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_at_another_rate_the_filters_keep_their_response(learned: LearnedEffect, rate: int) -> None:
    straight = dataclasses.replace(model_of(learned), shaper=Waveshaper.identity().shaper, input_scale=1.0)
    responses = []
    for at in (RATE, rate):
        impulse = np.zeros(4096)
        impulse[2000] = 0.01
        heard = 100.0 * played(straight, impulse, at)
        frequency_hz = np.array([100.0, 1000.0, 3000.0, 6000.0])
        turn = np.exp(-2j * np.pi * np.outer(frequency_hz, np.arange(4096) - 2000) / at)
        responses.append(turn @ heard)
    np.testing.assert_allclose(responses[1], responses[0], atol=0.01 * np.abs(responses[0]).max())


def test_oversampling_keeps_a_hard_curve_from_folding() -> None:
    """A 5 kHz sine at -6 dB into a clipper: inharmonic energy falls by 20 dB and more."""
    numbers = Waveshaper.identity().shaper.copy()
    numbers[1] = 0.0
    numbers[2 + 9], numbers[2 + 15] = 12.5, -12.5
    numbers[0] = -0.5 * 6 * 0.08
    base = dataclasses.replace(Waveshaper.identity(), shaper=numbers)
    rate, frames, bin_ = 48000, 9600, 1001
    x = 0.5 * np.sin(2 * np.pi * bin_ / frames * np.arange(2 * frames))
    inharmonic = []
    for factor in (1, 4):
        made = played(dataclasses.replace(base, oversampling=factor), x, rate)[
            frames // 2 : frames // 2 + frames
        ]
        power = np.abs(np.fft.rfft(made)) ** 2
        harmonic = np.zeros(len(power), bool)
        harmonic[::bin_] = True
        audible = np.arange(len(power)) < 0.45 * frames
        inharmonic.append(power[~harmonic & audible].sum())
        assert power[bin_] > 100.0 * inharmonic[-1]
    assert 10.0 * np.log10(inharmonic[0] / inharmonic[1]) > 20.0


def test_silence_after_loud_sound_is_silent(learned: LearnedEffect) -> None:
    processor = WaveshaperProcessor(Learned(), model_of(learned))
    processor.prepare(RATE, 1, 8000)
    processor.process(np.full((1, 8000), 5.0, np.float32))
    rest = processor.process(np.zeros((1, 8000), np.float32))
    assert not rest[:, processor.latency_frames + 200 :].any()


def test_one_bad_sample_passes(learned: LearnedEffect) -> None:
    processor = WaveshaperProcessor(Learned(), model_of(learned))
    processor.prepare(RATE, 1, 4000)
    block = np.zeros((1, 4000), np.float32)
    block[0, 5] = np.nan
    assert np.isfinite(processor.process(block)[:, 500:]).all()


# ------------------------------------------------------------------ files


def test_a_saved_model_is_the_model(learned: LearnedEffect, model_path: Path) -> None:
    device, card = load_device(model_path)
    loaded = device.waveshaper
    assert loaded is not None
    for name, array in model_of(learned).arrays().items():
        np.testing.assert_array_equal(loaded.arrays()[name], array)
    assert loaded.settings() == model_of(learned).settings()
    assert card.settings["parameters"] == 155
    assert card.metrics["verdict"] == "great"
    assert len(card.settings["domain"]["level_db"]) == 5


@pytest.mark.parametrize(
    ("key", "value"), [("network", "magic"), ("oversampling", 3), ("sample_rate", 0), ("input_scale", -1.0)]
)
def test_a_card_with_other_settings_is_refused(
    model_path: Path, tmp_path: Path, key: str, value: object
) -> None:
    card = json.loads(model_path.with_suffix(".json").read_text("utf-8"))
    card["settings"][key] = value
    (tmp_path / "pedal.json").write_text(json.dumps(card), "utf-8")
    (tmp_path / "pedal.npz").write_bytes(model_path.read_bytes())
    with pytest.raises(ModelError, match=key):
        Learned(model=str(tmp_path / "pedal.npz")).processor()


def test_sound_unlike_that_it_learned_from_is_told() -> None:
    x = notes(2.0)[None]
    known = domain_of(x, RATE)
    assert outside(domain_of(x, RATE), known) == []
    assert any("louder" in note for note in outside(domain_of(40.0 * x, RATE), known))
    noise = 0.05 * np.random.default_rng(0).standard_normal(x.shape)
    assert any("brighter" in note for note in outside(domain_of(noise, RATE), known))
    assert "level_db" not in domain_of(0.0 * x, RATE)


# ------------------------------------------------------------------ verbs


Written = Callable[[str, DoubleArray], str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(name: str, samples: DoubleArray) -> str:
        soundfile.write(tmp_path / name, samples, RATE, subtype="FLOAT")
        return str(tmp_path / name)

    return write


def test_learn_and_apply(written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = notes(1.6)
    dry, wet, model = written("dry.wav", x), written("wet.wav", device(x)), str(tmp_path / "m.npz")
    assert run_verb(["learn-effect", dry, wet, "-o", model, "--oversampling", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"network", "esr", "bypass_esr", "linear_esr", "verdict"} <= set(told)
    assert told["esr"] < told["linear_esr"] < told["bypass_esr"] * 2
    assert run_verb(["learn-effect", dry, wet, "-o", model]) == 2
    made = str(tmp_path / "made.wav")
    assert run_verb(["apply-effect", dry, model, "-o", made, "--bits", "32f", "--json"]) == 0
    heard, rate = soundfile.read(made)
    assert (len(heard), rate) == (len(x), RATE)
    late = round(told["delay_frames"])
    wanted = np.roll(device(x), -late)[100:-100]
    assert np.sum((heard[100:-100] - wanted) ** 2) / np.sum(wanted**2) < 0.05


def test_it_is_an_insert_in_a_mix(written: Written, tmp_path: Path, model_path: Path) -> None:
    (tmp_path / "song").mkdir()
    for name, seed in (("song/Kick.wav", 1), ("song/Bass.wav", 2)):
        written(name, notes(1.2, seed=seed))
    song, plan = str(tmp_path / "song"), str(tmp_path / "mix.plan.json")
    moves = [f"Bass.learned.model={model_path}", "Bass.learned.mix=0.6"]
    asked = [word for move in moves for word in ("--set", move)]
    assert run_verb(["mix", song, "-o", str(tmp_path / "mix.wav"), "--engine", "sum", *asked]) == 0
    saved = json.loads(Path(plan).read_text("utf-8"))
    (insert,) = next(s["inserts"] for s in saved["strips"] if s["name"] == "Bass")
    assert insert["effect"]["kind"] == "learned"
    assert insert["effect"]["model"] == str(model_path)
    assert insert["effect"]["mix"] == 0.6
    again = str(tmp_path / "again.wav")
    assert run_verb(["render", song, plan, "-o", again]) == 0
    assert run_verb(["mix", song, "-o", str(tmp_path / "plain.wav"), "--engine", "sum"]) == 0
    first, second, plain = (soundfile.read(tmp_path / f"{n}.wav")[0] for n in ("mix", "again", "plain"))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - plain).max() > 0.01


def test_verbs_refuse_in_one_line(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = written("x.wav", notes(1.2))
    silent = written("silent.wav", 0.0 * notes(1.2))
    out = str(tmp_path / "m.npz")
    for arguments, word in (
        (["learn-effect", x, silent, "-o", out], "silent"),
        (["learn-effect", x, x, "-o", out], "bypass"),
        (["learn-effect", x, x, "-o", str(tmp_path / "m.onnx")], "npz"),
        (["learn-effect", x, x, "-o", out, "--network", "magic"], "waveshaper"),
        (["apply-effect", x, str(tmp_path / "none.npz"), "-o", str(tmp_path / "o.wav")], "no such model"),
    ):
        assert run_verb(arguments) == 2
        error = capsys.readouterr().err.strip()
        assert word in error
        assert len(error.splitlines()) <= 2
    assert not Path(out).exists()
