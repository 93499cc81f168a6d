"""``tonmeister train synthesize``: folders that every other verb reads, and its manners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from makers_synthesis import write_midi
from tonmeister.cli import run

FAST = ["--no-soundfonts", "--no-drumkits", "--duration", "2", "--rate", "22050"]


def made(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert run(["train", "synthesize", "-o", str(folder), *FAST, "--json", *more]) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_a_song_folder_holds_the_whole_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = made(tmp_path / "songs", capsys, "--songs", "2", "--seed", "3")
    assert [Path(s["folder"]).name for s in told["songs"]] == ["song-000000", "song-000001"]
    folder = tmp_path / "songs" / "song-000000"
    song = json.loads((folder / "song.json").read_text("utf-8"))
    assert song["schema_version"] == 1
    total = 0.0
    for track in song["tracks"]:
        assert {"instrument", "family", "role", "provenance", "recording", "track"} <= set(track)
        info = soundfile.info(str(folder / track["file"]))
        assert (info.subtype, info.frames, info.channels) == ("PCM_24", 44_100, track["channels"])
        assert (folder / "dry" / track["file"]).is_file()
        total = total + soundfile.read(str(folder / "processed" / track["file"]))[0]
    mix, _ = soundfile.read(str(folder / song["mix"]))
    assert np.abs(total - mix).max() < 4e-6
    assert set(json.loads((folder / "notes.json").read_text("utf-8"))) == {t["track"] for t in song["tracks"]}
    assert not [p for p in (tmp_path / "songs").iterdir() if p.name.startswith(".")]


def test_the_true_plan_renders_the_mix_from_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, capsys, "--seed", "5", "--raw-only", "--format", "flac")
    folder, again = tmp_path / "song-000000", tmp_path / "again.wav"
    assert not (folder / "dry").exists()
    assert run(["render", str(folder), str(folder / "true.plan.json"), "-o", str(again), "--quiet"]) == 0
    mix, rendered = soundfile.read(str(folder / "mix.flac"))[0], soundfile.read(str(again))[0]
    assert np.abs(mix - rendered).max() < 1e-5


def test_the_same_seed_writes_the_same_song(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "a", capsys, "--seed", "8", "--songs", "2")
    made(tmp_path / "b", capsys, "--seed", "8", "--start", "1")
    one, other = (tmp_path / name / "song-000001" for name in "ab")
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert all((one / f).read_bytes() == (other / f).read_bytes() for f in files)


def test_nothing_is_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, capsys)
    before = (tmp_path / "song-000000" / "song.json").read_bytes()
    assert run(["train", "synthesize", "-o", str(tmp_path), *FAST, "--seed", "1"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "song-000000" / "song.json").read_bytes() == before
    made(tmp_path, capsys, "--seed", "1", "--overwrite")
    assert (tmp_path / "song-000000" / "song.json").read_bytes() != before


def test_a_folder_that_is_no_song_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song-000000").mkdir()
    (tmp_path / "song-000000" / "diary.txt").write_text("mine", "utf-8")
    assert run(["train", "synthesize", "-o", str(tmp_path), *FAST, "--overwrite"]) == 2
    assert "is not replaced" in capsys.readouterr().err
    assert (tmp_path / "song-000000" / "diary.txt").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--soundfont", "FONT"], "contradict each other"),
        (["--drumkit", "."], "contradict each other"),
        (["--duration", "0"], "duration_s=0.0 is out of range"),
        (["--style", "popp"], "did you mean 'pop'"),
        (["--faults", "2"], "faults=2.0 is out of range"),
        (["--midi", "EMPTY"], "holds no MIDI file"),
        (["--voices", "EMPTY"], "holds no audio file"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    (tmp_path / "font.sf2").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    places = {"FONT": str(tmp_path / "font.sf2"), "EMPTY": str(tmp_path / "empty")}
    words = [places.get(a, a) for a in arguments]
    assert run(["train", "synthesize", "-o", str(tmp_path / "out"), *FAST, *words]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


def test_songs_come_from_midi(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(tmp_path / "tune.mid")
    told = made(tmp_path / "songs", capsys, "--midi", str(tmp_path / "tune.mid"), "--songs", "4")
    assert "tune" in {s["title"] for s in told["songs"]}
