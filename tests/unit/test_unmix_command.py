"""``tonmeister unmix`` on files: the JSON that scripts rely on, and a plan that renders the mix again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from makers import RATE, noise, write_folder
from tonmeister.audio import Audio, read_audio
from tonmeister.cli import run

GAINS = {"01_Kick.wav": 0.5, "02_Bass.wav": 1.0, "03_Lead Vox.wav": 0.25}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tracks = {name: noise(2 * RATE, seed=index) for index, name in enumerate(GAINS)}
    total = sum(gain * tracks[name].samples for name, gain in GAINS.items())
    write_folder(tmp_path, {"final.wav": Audio(np.repeat(total, 2, axis=0), RATE)}, "FLOAT")
    return write_folder(tmp_path / "song", tracks, "FLOAT")


def test_json_is_what_scripts_rely_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unmix", str(folder), str(folder.parent / "final.wav"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    assert data["mode"] == "coherent"
    assert data["residual_db"] < -60
    assert data["delay_ms"] == 0
    assert data["inverted"] is False
    for track in data["tracks"]:
        assert track["gain_db"] == pytest.approx(20 * np.log10(GAINS[track["file"]]), abs=0.01)
        assert track["pan"] == pytest.approx(0.0, abs=1e-3)
        assert track["confidence"] > 0.9
        assert len(track["curve"]["gain_db"]) == len(data["time_s"])


def test_plan_renders_the_mix(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, again = tmp_path / "human.plan.json", tmp_path / "again.wav"
    mix = tmp_path / "final.wav"
    assert run(["unmix", str(folder), str(mix), "-o", str(plan)]) == 0
    table = capsys.readouterr().out
    assert "Lead Vox" in table
    assert "-12.0" in table
    assert run(["render", str(folder), str(plan), "-o", str(again), "--bits", "32f", "-q"]) == 0
    wanted, made = read_audio(mix).samples, read_audio(again).samples
    assert np.abs(made - wanted).max() < 1e-3
    assert run(["explain", str(plan)]) == 0
    assert "waveform of the mix" in capsys.readouterr().out


def test_existing_plan_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    plan = tmp_path / "human.plan.json"
    plan.write_text("mine")
    assert run(["unmix", str(folder), str(tmp_path / "final.wav"), "-o", str(plan)]) == 2
    assert plan.read_text() == "mine"


def test_mix_that_lies_among_the_tracks_is_not_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = folder / "04_Everything.wav"
    inside.write_bytes((tmp_path / "final.wav").read_bytes())
    assert run(["unmix", str(folder), str(inside), "--json"]) == 0
    out = capsys.readouterr()
    assert [t["file"] for t in json.loads(out.out)["tracks"]] == list(GAINS)
    assert "is the mix" in out.err
