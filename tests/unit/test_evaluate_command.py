"""The verb ``evaluate`` from the command line: subjects, JSON keys, reports, errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from makers import band, noise, write_folder
from makers_mixes import song
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.cli.evaluate import SUBJECTS


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path: Path, audio: Audio) -> str:
    soundfile.write(str(path), audio.samples.T, audio.sample_rate)
    return str(path)


def test_help_lists_the_subjects(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in SUBJECTS)


def test_an_unknown_subject_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "ballance"]) == 2
    assert "did you mean 'balance'" in capsys.readouterr().err


def test_alignment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("0,1.0\n1,2.0\n")
    (tmp_path / "b.csv").write_text("0,1.03\n1,2.03\n")
    files = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert run(["evaluate", "alignment", *files, "--json", "--report", str(tmp_path / "out")]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["median_ms"] == pytest.approx(30.0)
    assert data["p95_ms"] == pytest.approx(30.0)
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == data
    assert run(["evaluate", "alignment", *files, "--report", str(tmp_path / "out")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_separation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stems = {"vocals.wav": noise(22_050, seed=1), "drums.wav": noise(22_050, seed=2)}
    folder = write_folder(tmp_path / "a", stems)
    assert run(["evaluate", "separation", str(folder), str(folder), "--json"]) == 0
    tracks = json.loads(capsys.readouterr().out)["tracks"]
    assert {name: t["sdr_db"] for name, t in tracks.items()} == {"vocals": 200.0, "drums": 200.0}
    assert all("si_sdr_db" in t for t in tracks.values())


def test_mix_with_reference_and_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix, reference = write(tmp_path / "mix.wav", song(1.5)), write(tmp_path / "ref.wav", song(1.5, seed=1))
    tracks = write_folder(tmp_path / "tracks", band(1.0))
    arguments = ["evaluate", "mix", mix, "--reference", reference, "--tracks", str(tracks)]
    assert run([*arguments, "--json", "--report", str(tmp_path / "out")]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["groups"]) >= {
        "facts", "tonal_balance", "stereo", "spectral_losses", "console_loss", "diff_mst", "fxnorm_spectral",
    }  # fmt: skip
    figure = data["groups"]["console_loss"]["figures"]["console_loss"]
    assert figure["value"] > 0
    assert figure["better"] == "lower"
    assert next(iter(data["masking"]["tracks"])) == "Lead Vox"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Masking matrix" in page
    assert "What services do to it" in page


def test_mix_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "mix", write(tmp_path / "mix.wav", song(1.0))]) == 0
    text = capsys.readouterr().out
    assert "integrated_lufs" in text
    assert "spotify" in text


def test_a_plan_needs_its_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.json").write_text("{}")
    mix = write(tmp_path / "mix.wav", song(1.0))
    assert run(["evaluate", "mix", mix, "--plan", str(tmp_path / "p.json")]) == 2
    assert "--tracks" in capsys.readouterr().err


def test_balance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "stems", band(1.0))
    arguments = ["evaluate", "balance", str(folder), "--engines", "loudness"]
    assert run(arguments) == 2
    assert "--scramble" in capsys.readouterr().err
    assert run([*arguments, "--scramble", "12", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert set(first["engines"]) == {"sum", "loudness", "adaptive", "random"}
    assert set(first["engines"]["sum"]["songs"]) == {"stems"}
    assert run([*arguments, "--scramble", "12", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert run([*arguments, "--scramble", "12", "--json", "--no-cache"]) == 0
    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--engines", "textbok"], "did you mean 'textbook'"),
        (["--engines", ","], "names no engine"),
        (["--engines", "loudness", "--option", "nothing=1"], "has no option 'nothing'"),
    ],
)
def test_bad_engines_are_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], why: str
) -> None:
    assert run(["evaluate", "balance", str(tmp_path), *more]) == 2
    assert why in capsys.readouterr().err
