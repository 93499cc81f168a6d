"""`train stem` and `mix --engine autoencoder`, as they are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile

from makers_stems import RATE, plucked
from tonmeister.cli import run
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.stem_model import load_stem_model
from tonmeister.engines.autoencoder.targets import load_features
from tonmeister.training.stems import recipe
from tonmeister.training.stems.drafting import DraftOptions
from tonmeister.training.synthesis.acoustics import apply_effect


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six songs of a bass, raw and compressed."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(6):
        raw = plucked(2.0, seed=number)
        stem = apply_effect(Compressor(-30.0, 6.0, attack_ms=2.0), raw[None], RATE)[0]
        for name, sound in (("raw", raw), ("stem", stem)):
            (folder / name).mkdir(exist_ok=True)
            soundfile.write(str(folder / name / f"bass {number}.wav"), sound, RATE, subtype="FLOAT")
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == code
    return capsys.readouterr()


def test_a_network_of_your_own_is_trained_tested_and_mixed_with(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "models" / "stem-bass.onnx"
    model.parent.mkdir()
    asked = (
        "--group",
        "bass",
        "--data",
        pairs,
        "--steps",
        20,
        "--seeds",
        3,
        "--plots",
        tmp_path,
        "-o",
        model,
    )
    out, _ = said(capsys, "train", "stem", *asked, "--json")
    card = json.loads(out)["models"][0]["card"]
    assert (tmp_path / "stem-gains.png").stat().st_size > 5000
    losses = card["metrics"]["the same of every seed"]
    assert len(set(losses)) == 3
    assert card["metrics"]["loss on songs held out while learning"] == sorted(losses)[1]
    assert set(card["metrics"]["held-out songs"]["magnitude_mae"]) == {
        "identity", "group EQ", "oracle EQ", "network",
    }  # fmt: skip
    assert load_stem_model(model).group == "bass"
    assert [p.name for p in sorted(model.parent.iterdir())] == ["stem-bass.json", "stem-bass.onnx"]
    song = tmp_path / "song"
    song.mkdir()
    soundfile.write(str(song / "Bass.wav"), plucked(3.0, seed=9), RATE)
    soundfile.write(str(song / "Kick.wav"), plucked(3.0, seed=8, hertz=60.0), RATE)
    options = (
        "--option",
        f"models={model.parent}",
        "--option",
        "groups=bass",
        "--option",
        "balance=loudness",
    )
    said(capsys, "mix", song, "-o", tmp_path / "mix.wav", "--engine", "autoencoder", *options)
    assert (tmp_path / "mix.wav").is_file()
    assert "kick (Kick)" in json.dumps(json.loads((tmp_path / "mix.plan.json").read_text("utf-8")))


def test_features_of_your_own_are_learned_and_met(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Learned on basses that were compressed: a bass becomes one, a voice is not known."""
    model = tmp_path / "stem-features.npz"
    asked = (
        "--features",
        "--group",
        "bass",
        "--data",
        pairs,
        "--steps",
        30,
        "--plots",
        tmp_path,
        "-o",
        model,
    )
    card = json.loads(said(capsys, "train", "stem", *asked, "--json")[0])["models"][0]["card"]
    assert set(card["metrics"]) == {"bass"}
    assert (tmp_path / "stem-drafts.png").stat().st_size > 5000
    assert "--group bass --preset improved --features" in card["recipe"]["command"]
    song = tmp_path / "song"
    song.mkdir()
    soundfile.write(str(song / "Bass.wav"), plucked(2.0, seed=1), RATE)
    soundfile.write(str(song / "Lead Vox.wav"), plucked(3.0, seed=8, hertz=300.0), RATE)
    options = [f"--option={o}" for o in ("via=features", f"models={tmp_path}", "balance=loudness")]
    said(capsys, "mix", song, "-o", tmp_path / "mix.wav", "--engine", "autoencoder", *options)
    plan = json.loads((tmp_path / "mix.plan.json").read_text("utf-8"))
    notes = " ".join(plan["notes"])
    assert "finished bass" in notes + json.dumps(plan["decisions"])
    assert "Lead Vox: no targets, the model knows no vocals" in notes


def test_groups_that_were_learned_before_an_interrupt_are_written(pairs: Path, tmp_path: Path) -> None:
    for group in ("bass", "guitar"):
        for kind in ("raw", "stem"):
            (tmp_path / "data" / group / kind).mkdir(parents=True)
            for file in (pairs / kind).iterdir():
                shutil.copy(file, tmp_path / "data" / group / kind)
    options = recipe.RecipeOptions(
        groups=("bass", "guitar"),
        folders=(tmp_path / "data",),
        songs=0,
        keep_held=True,
        drafting=DraftOptions(20),
    )

    def told(stage: str, done: float) -> None:
        if stage == "analyzing guitar":
            raise KeyboardInterrupt

    material = recipe.gather(options, told)
    made = recipe.train_features(material, options, tmp_path / "f.npz", command="this test", progress=told)
    assert made.interrupted
    assert set(made.card.metrics) == {"bass"}
    assert set(load_features(tmp_path / "f.npz").predictors) == {"bass"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--group", "bass", "-o", "bass.onnx"), "nothing to learn from"),
        (("--group", "bass", "--songs", "3", "-o", "bass.npz"), ".onnx"),
        (("--features", "--songs", "3", "-o", "bass.onnx"), ".npz"),
        (("--group", "all", "--songs", "3", "-o", "all.onnx"), "folder"),
        (("--group", "drums", "--songs", "3", "-o", "bass.onnx"), "drums"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, "train", "stem", *arguments, code=2)
    assert word in err
    assert "Traceback" not in err


def test_a_group_without_pairs_is_named(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--group", "keys", "--data", pairs, "-o", tmp_path / "keys.onnx")
    _, err = said(capsys, "train", "stem", *asked, code=2)
    assert "group='keys'" in err
    assert not list(tmp_path.iterdir())
