"""`tonmeister live` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from makers import Audio, band, write_folder
from tonmeister.audio import open_audio
from tonmeister.cli import run
from tonmeister.live import devices
from tonmeister.loading import load_multitrack
from tonmeister.plan_file import load_plan
from tonmeister.render import render
from tonmeister.units import FloatArray

SECONDS = 1.0


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "song", band(SECONDS))


@pytest.fixture
def plan(song: Path, tmp_path: Path) -> Path:
    path = tmp_path / "song.plan.json"
    assert run(["decide", str(song), "--engine", "textbook", "-o", str(path), "-q"]) == 0
    return path


def samples(path: Path) -> FloatArray:
    with open_audio(path) as reader:
        return reader.read(1 << 20)


def test_a_simulated_plan_is_the_rendered_file(song: Path, plan: Path, tmp_path: Path) -> None:
    live, offline = tmp_path / "live.wav", tmp_path / "offline.wav"
    assert run(["live", str(song), "--simulate", "--plan", str(plan), "-o", str(live), "-q"]) == 0
    assert run(["render", str(song), str(plan), "-o", str(offline), "-q"]) == 0
    assert live.read_bytes() == offline.read_bytes()


def test_what_is_reported(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "gig"
    words = ["live", str(song), "--simulate", "--engine", "adaptive", "--record", str(folder), "--json"]
    assert run(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema_version"] == 1
    assert said["tracks"] == 5
    assert said["played_s"] == pytest.approx(SECONDS)
    assert said["blocks"] * said["block_frames"] >= SECONDS * 44100
    assert said["block_cpu_us"]["longest"] >= said["block_cpu_us"]["mean"] > 0
    assert said["cpu_share"] > 0
    assert said["desk_latency_ms"] > 0  # the limiter that guards a desk without a plan
    assert sorted(p.name for p in folder.iterdir()) == [
        "desk.jsonl",
        "inputs",
        "mix.wav",
        "operations.jsonl",
        "plan.json",
    ]
    again = render(load_multitrack(folder / "inputs"), load_plan(folder / "plan.json")).samples
    assert np.array_equal(again, samples(folder / "mix.wav"))


def test_in_real_time_in_a_process_of_its_own(
    tmp_path: Path, plan: Path, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gig"
    words = ["live", str(song), "--simulate", "--real-time", "--plan", str(plan), "--record", str(folder)]
    assert run([*words, "--block", "1024", "--json", "--trim", "Bass-=5@0.2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["blocks"] >= SECONDS * 44100 / 1024
    mix = samples(folder / "mix.wav")
    assert mix.shape[1] >= SECONDS * 44100
    again = render(load_multitrack(folder / "inputs"), load_plan(folder / "plan.json")).samples
    assert np.array_equal(again[:, : mix.shape[1]], mix)
    assert '"strip": "Bass", "control": "fader_db", "value":' in (folder / "operations.jsonl").read_text(
        "utf-8"
    )


def test_files_may_be_named_one_by_one(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(song / "06_Lead Vox.wav"), str(song / "03_Bass.wav")]
    assert run(["live", *files, "--simulate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tracks"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["song"], "add --simulate"),
        ([], "no inputs"),
        (["--simulate"], "no inputs"),
        (["nowhere", "--simulate"], "no such file or folder"),
        (["Lead Vox=1", "--real-time"], "--real-time goes with --simulate"),
        (["Lead Vox=1", "-o", "mix.wav"], "-o goes with --simulate"),
        (["song", "--simulate", "--engine", "asp"], "cannot mix live"),
        (["song", "--simulate", "--engine", "adaptiv"], "did you mean 'adaptive'"),
        (["song", "--simulate", "--option", "width=1"], "--option is for an engine"),
        (["song", "--simulate", "--score", "song/06_Lead Vox.wav"], "--score is for an engine"),
        (["song", "--simulate", "--engine", "adaptive", "--score", "song/06_Lead Vox.wav"], "is no score"),
        (["song", "--simulate", "--record", "song"], "is not empty"),
        (["song", "song/06_Lead Vox.wav", "--simulate"], "one folder, or files"),
        (["Lead Vox=1", "--output-channels", "2"], "LEFT-RIGHT"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(
    words: list[str],
    said: str,
    song: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(song.parent)
    assert run(["live", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_a_channel_too_many_in_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "song", {"Surround.wav": Audio(np.zeros((6, 4410), np.float32), 44100)})
    assert run(["live", str(tmp_path / "song"), "--simulate"]) == 2
    assert "channels=6" in capsys.readouterr().err


class NoCards:
    """Looks like sounddevice on a machine without a sound card."""

    class default:  # noqa: N801
        device = (-1, -1)

    @staticmethod
    def query_hostapis() -> list[dict[str, str]]:
        return []

    query_devices = query_hostapis


def test_without_a_sound_card_simulation_is_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "sounddevice_module", lambda: NoCards)
    assert run(["live", "Lead Vox=1"]) == 2
    assert "plug one in, or play files with --simulate" in capsys.readouterr().err
    assert run(["live", "--devices"]) == 0
    assert "no audio device" in capsys.readouterr().err


def test_a_timed_hand_moves_a_fader_and_lets_go(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["live", str(song), "--simulate", "--engine", "sum", "-q"]
    free, trimmed = tmp_path / "free", tmp_path / "trimmed"
    assert run([*words, "--record", str(free)]) == 0
    assert run([*words, "--record", str(trimmed), "--trim", "Bass-=5@0.3"]) == 0
    at = load_plan(trimmed / "plan.json")["Bass"].automation["gain_db"]
    assert at.values[0] == 0.0
    assert at.values[-1] == pytest.approx(-5.0, abs=0.01)
    assert 0.3 <= max(t for t, v in zip(at.times_s, at.values, strict=True) if v == 0.0) < 0.5
    assert load_plan(free / "plan.json")["Bass"].automation["gain_db"].values == (0.0,)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--simulate", "--engine", "sum", "--trim", "Bass"], "trim='Bass'"),
        (["--simulate", "--engine", "sum", "--trim", "Base+=3@1"], "Bass"),
        (["--simulate", "--trim", "Bass+=3@1"], "--engine"),
        (["--trim", "Bass+=3@1"], "--simulate"),
    ],
)
def test_a_trim_that_cannot_be_is_refused(
    words: list[str], told: str, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["live", str(song), *words]) == 2
    assert told in capsys.readouterr().err
