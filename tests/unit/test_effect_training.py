"""Training networks of learned effects: the torch twins, made-up notes and devices, IDMT folders, interrupts, the verbs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tonmeister.cli import run as run_verb
from tonmeister.dsp import cafx as playing
from tonmeister.dsp import saaf
from tonmeister.effects.networks import LstmNetwork
from tonmeister.errors import BadInputError
from tonmeister.learned_effects import fit
from tonmeister.learned_effects.learn import Lesson, lesson_of
from tonmeister.learned_effects.pair import Pair
from tonmeister.training.effects import learn_cafx, learning
from tonmeister.training.effects.devices import DEVICES
from tonmeister.training.effects.idmt import read_idmt, split_by_note
from tonmeister.training.effects.learning import NetworkOptions, Sounds, learn_network
from tonmeister.training.effects.lessons import lesson_of_device, lesson_of_idmt
from tonmeister.training.effects.notes import INSTRUMENTS, note, notes

torch = pytest.importorskip("torch")
from tonmeister.training.effects.cafx import CafxStages, build_cafx  # noqa: E402
from tonmeister.training.effects.lstm import build_lstm, lstm_loss  # noqa: E402

RATE = 8000


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and a short search for the waveshaper beside each network."""
    torch.set_num_threads(1)
    for name, count in (("STARTS", 2), ("TURNS", 1), ("FIRST_STEPS", 1), ("MOST_STEPS", 2)):
        monkeypatch.setattr(fit, name, count)


def numbers_of(net: object) -> dict[str, np.ndarray]:
    return {k: v.detach().numpy() for k, v in net.state_dict().items() if k != "dry_gain"}  # type: ignore[attr-defined]


# ------------------------------------------------------------------ the networks


def test_every_stage_of_cafx_has_the_published_size() -> None:
    parameters = dict(build_cafx(0).named_parameters())
    sizes = {stage: sum(parameters[n].numel() for n in names) for stage, names in CafxStages.items()}
    assert sizes == {
        "1a": 8320, "1c": 16512, "2a": 532480, "2b": 4160, "3c dense": 37248, "3c curves": 3456,
    }  # fmt: skip
    assert {k: tuple(v.shape) for k, v in parameters.items() if k != "dry_gain"} == dict(playing.SHAPES)


def test_torch_and_numpy_play_the_same_and_agree_on_ties() -> None:
    net = build_cafx(1)
    with torch.no_grad():
        net.curves[:, 2:] += torch.randn(128, 25)
        net.envelope[3:6] = 0.0
    x = (0.3 * np.random.default_rng(0).standard_normal(1024)).astype(np.float32)
    made = playing.run_frame(x, playing.Cafx.of(numbers_of(net)))
    with torch.no_grad():
        wanted = net.network(torch.from_numpy(x)[None])[0].numpy()
        _, hot = net.pooled(net.bands(torch.from_numpy(x)[None]))
    apart = np.abs(made - wanted) / np.abs(wanted).max()
    assert np.quantile(apart, 0.9) < 1e-5
    assert apart.max() < 1e-3  # where rounding alone decides which of two places is the greatest
    assert (hot[0, 3:6, :, 0] == 1.0).all()
    assert (hot.sum(-1) == 1.0).all()


def test_curves_begin_as_the_identity_and_their_gradients_are_right() -> None:
    from tonmeister.training.effects.cafx import _curve

    bent = _curve(torch)
    x = torch.linspace(-3, 3, 600, dtype=torch.double).reshape(200, 3)
    line = torch.tensor(np.tile(saaf.identity(), (3, 1)))
    torch.testing.assert_close(bent(x, line), x)
    inputs = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    curves = torch.randn(3, 27, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(bent, (inputs, curves))


def test_cafx_can_begin_by_passing_its_input() -> None:
    net = build_cafx(0, passing=True)
    x = 0.2 * torch.randn(3, 1024)
    with torch.no_grad():
        made = net(x)[:, 64:-64]
    assert float(((made - x[:, 64:-64]) ** 2).sum() / (x**2).sum()) < 0.02
    assert float(net(torch.zeros(1, 1024)).detach().abs().max()) == 0.0


def test_pretraining_learns_to_give_back_noise() -> None:
    net, random = build_cafx(0), np.random.default_rng(0)

    def batch() -> tuple[object, object]:
        both = random.standard_normal((2, 4, 1024)).astype(np.float32) * 0.2
        return torch.from_numpy(both[0]), torch.from_numpy(both[1])

    first = learn_cafx.pretrain(net, batch, 1)
    assert learn_cafx.pretrain(net, batch, 25) < 0.6 * first


def test_the_best_curve_is_that_of_least_squares() -> None:
    x = np.random.default_rng(0).uniform(-1.0, 1.0, 8000).astype(np.float32)
    sounds = Sounds([(x, np.tanh(6.0 * x).astype(np.float32))], [])
    at = np.linspace(-0.9, 0.9, 200)
    np.testing.assert_allclose(saaf.curve(at, learn_cafx.best_curve(sounds)), np.tanh(6.0 * at), atol=0.01)


def test_the_lstm_streams_as_it_learned() -> None:
    net = build_lstm(0)
    weights = {k.removeprefix("units.").removesuffix("_l0"): v for k, v in numbers_of(net).items()}
    assert {k: v.shape for k, v in weights.items()} == dict(LstmNetwork.shapes)
    x = np.random.default_rng(1).standard_normal(6000).astype(np.float32) * 0.3
    stream = LstmNetwork(weights, 16000).stream(1)
    made = np.concatenate(
        [stream.process(x[None, s : s + 700].astype(float)) for s in range(0, 6000, 700)], axis=1
    )
    with torch.no_grad():
        settled, _ = net(torch.cat([torch.zeros(32000), torch.from_numpy(x)])[None])
    wanted = settled[0, 32000:].numpy() - settled[0, 31999].item()
    np.testing.assert_allclose(made[0], wanted, atol=1e-5)


def test_the_lstm_loss_is_zero_for_the_same_and_sees_an_offset() -> None:
    x = torch.randn(2, 500)
    assert float(lstm_loss(x, x)) == 0.0
    assert float(lstm_loss(x + 0.3, x)) > float(lstm_loss(x + 0.1, x)) > 0.0


# ------------------------------------------------------------------ notes and devices


@pytest.mark.parametrize("instrument", sorted(INSTRUMENTS))
def test_notes_are_finite_loud_as_asked_and_follow_from_the_seed(instrument: str) -> None:
    played = [note(instrument, 0.3, RATE, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(played[0], played[1])
    assert not np.array_equal(played[0], played[2])
    for seed in range(6):
        peak = np.abs(note(instrument, 0.3, RATE, np.random.default_rng(seed))).max()
        assert peak == 0.0 or 0.009 < peak <= 1.0


def test_devices_bend_without_folding() -> None:
    frames, bin_ = 4096, 1501
    x = 0.9 * np.sin(2 * np.pi * bin_ / frames * np.arange(frames))
    for name in ("tanh", "diode"):
        power = np.abs(np.fft.rfft(DEVICES[name](np.tile(x, 3), RATE)[frames : 2 * frames])) ** 2
        power[[0, bin_]] = 0.0
        assert power.max() < 1e-5 * frames**2


def test_the_equalizer_is_linear_and_the_others_are_not() -> None:
    x = notes({"bass": 2}, 0.2, RATE, np.random.default_rng(0)).reshape(-1)
    for name, device in DEVICES.items():
        same = np.allclose(device(2.0 * x, RATE), 2.0 * device(x, RATE), atol=1e-6)
        assert same == (name == "equalizer")


def test_no_note_that_is_judged_by_is_learned_from() -> None:
    lesson = lesson_of_device("tanh", sample_rate=RATE, learned=8, held=4, seed=3)
    (held,) = lesson.held
    assert lesson.pair.frames - held.start == 4 * round(0.7 * RATE)
    sounds = learning._sounds(lesson, 1.0, 1.0)
    pieces = [dry for dry, _ in (*sounds.learned, *sounds.judged)]
    np.testing.assert_array_equal(np.concatenate(pieces), lesson.pair.dry[0, : held.start].astype(np.float32))


# ------------------------------------------------------------------ IDMT


@pytest.fixture
def idmt(tmp_path: Path) -> Path:
    """Eight notes as the data set lays them out, untreated and through a distortion of two settings."""
    random = np.random.default_rng(0)
    for number in range(8):
        dry = notes({"guitar": 1}, 0.4, RATE, random)[0] + 1e-4 * random.standard_normal(round(0.4 * RATE))
        for folder, setting, sound in (
            ("NoFX", "1111", dry), ("Distortion", "4411", np.tanh(4 * dry)), ("Distortion", "4412", np.tanh(9 * dry)),
        ):  # fmt: skip
            path = (
                tmp_path
                / "Gitarre monophon"
                / "Samples"
                / folder
                / f"G61-{40 + number}200-{setting}-{number}.wav"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, RATE, subtype="FLOAT")
    return tmp_path


def test_idmt_notes_are_paired_and_split_by_note(idmt: Path) -> None:
    pairs = read_idmt(idmt, "distortion")
    assert len(pairs) == 16
    assert {p.setting for p in pairs} == {"1", "2"}
    sides = split_by_note(pairs, np.random.default_rng(0))
    names = [{p.note for p in side} for side in sides]
    assert [len(side) for side in names] == [6, 1, 1]
    assert len(names[0] | names[1] | names[2]) == 8
    lesson = lesson_of_idmt(idmt, "Distortion", "2")
    assert lesson.pair.coherence > 0.5
    assert lesson.held[0].stop == lesson.pair.frames


def test_what_idmt_has_not_is_refused(idmt: Path, tmp_path: Path) -> None:
    for effect, setting, word in (("Overdrive", None, "Overdrive"), ("Distortion", "7", "setting 7")):
        with pytest.raises(BadInputError, match=word):
            read_idmt(idmt, effect, setting)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="NoFX"):
        read_idmt(tmp_path / "empty", "Distortion")


# ------------------------------------------------------------------ learning


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of_device("soft clip", sample_rate=RATE, learned=5, held=2)


def interrupting(steps: int) -> Callable[[str, float], None]:
    """Progress that interrupts so many steps after the network began, when the bar starts over."""
    last, count = 0.0, 0

    def told(stage: str, done: float) -> None:
        nonlocal last, count
        count = count + 1 if count or done < last else 0
        last = done
        if count == steps:
            raise KeyboardInterrupt

    return told


@pytest.mark.parametrize("network", ["lstm", "cafx"])
def test_an_interrupt_keeps_the_best_so_far(
    network: str, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn_cafx, "OURS", dataclasses.replace(learn_cafx.OURS, batch=2))
    fresh = dataclasses.replace(lesson, generator=np.random.default_rng(1))
    options = NetworkOptions(network, steps=400, oversampling=1)
    effect = learn_network(fresh, options, interrupting(2))
    assert effect.course.interrupted
    assert effect.course.steps <= 4
    assert any("interrupted" in n for n in effect.notes())
    assert effect.device.guard is not None
    assert np.isfinite(effect.verdict.errors.esr)


def test_without_progress_the_published_training_slows_down_three_times_and_ends(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = dataclasses.replace(
        learn_cafx.PUBLISHED, batch=2, rate=0.0, curve_rate=0.0, judge_every=1, patience=2
    )
    monkeypatch.setattr(learn_cafx, "PUBLISHED", stuck)
    monkeypatch.setattr(learn_cafx, "PRETRAIN_STEPS", 1)
    fresh = dataclasses.replace(lesson, generator=np.random.default_rng(1))
    options = NetworkOptions("cafx", steps=50, oversampling=1, faithful=True)
    effect = learn_network(fresh, options)
    assert effect.course.steps == 8
    assert effect.course.recipe["profile"] == "faithful"


def test_an_interrupt_before_the_network_began_ends_it(lesson: Lesson) -> None:
    def told(stage: str, done: float) -> None:
        raise KeyboardInterrupt

    fresh = dataclasses.replace(lesson, generator=np.random.default_rng(1))
    with pytest.raises(KeyboardInterrupt):
        learn_network(fresh, NetworkOptions("lstm", oversampling=1), told)


def test_an_lstm_hears_the_lag_that_its_device_made() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 9000))
    pair = Pair(sound, sound.copy(), RATE, delay_frames=5.2)
    moved = learning._lagging(Lesson(pair, (), 0, np.random.default_rng(0))).pair
    np.testing.assert_array_equal(moved.wet[:, 5:], pair.wet[:, :-5])
    far = dataclasses.replace(pair, delay_frames=400.0)
    moved = learning._lagging(Lesson(far, (), 0, np.random.default_rng(0))).pair
    np.testing.assert_array_equal(moved.wet[:, 16:], pair.wet[:, :-16])


def test_train_effect_writes_a_model_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "m.npz")
    asked = ["train", "effect", "--device", "tanh", "--network", "lstm", "--rate", "8000", "--notes", "8",
             "--steps", "2", "-o", out, "--json"]  # fmt: skip
    assert run_verb(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"network", "esr", "bypass_esr", "linear_esr", "twin_esr", "mae", "mr_stft", "verdict"} <= set(
        told
    )
    assert set(told["unseen"]) == set(INSTRUMENTS)
    for row in told["unseen"].values():
        assert row["delivered_esr"] <= row["bypass_esr"]
    card = json.loads(Path(out).with_suffix(".json").read_text("utf-8"))
    assert card["settings"]["network"] == "lstm"
    assert card["settings"]["parameters"] == 1233
    assert run_verb(asked) == 2


def test_verbs_refuse_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "m.npz")
    dry = str(tmp_path / "x.wav")
    soundfile.write(dry, 0.1 * np.random.default_rng(0).standard_normal(RATE * 2), RATE)
    for arguments, word in (
        (["train", "effect", "-o", out], "--device"),
        (["train", "effect", "--device", "tanh", "-o", str(tmp_path / "m.onnx")], "npz"),
        (["train", "effect", "--data", str(tmp_path), "--effect", "Distortion", "-o", out], "NoFX"),
        (["learn-effect", dry, dry, "-o", out, "--minutes", "2"], "--minutes"),
        (["learn-effect", dry, dry, "-o", out, "--network", "lstm"], "bypass"),
    ):
        assert run_verb(arguments) == 2
        assert word in capsys.readouterr().err
    assert not Path(out).exists()


def test_a_lesson_of_two_files_is_that_of_the_waveshaper() -> None:
    from tonmeister.audio import Audio

    x = notes({"guitar": 4}, 0.5, RATE, np.random.default_rng(2)).reshape(1, -1)
    lesson = lesson_of(Audio(x.astype(np.float32), RATE), Audio(np.tanh(4 * x).astype(np.float32), RATE), 0)
    assert len(lesson.held) == 2
