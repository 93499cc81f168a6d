"""The verbs on a small song: what they write, what they print, what they refuse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from makers import RATE, band, tone, write_folder
from tonmeister.audio import probe, read_audio
from tonmeister.cli import run
from tonmeister.plan_file import load_plan

SECONDS = 1.6


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "song"
    extra = {"07_Click.wav": tone(1000, SECONDS), "Rough Mix.wav": tone(440, SECONDS, channels=2)}
    return write_folder(folder, band(SECONDS) | extra)


@pytest.fixture(scope="module")
def mixed(song: Path) -> Path:
    """A folder with mix.wav and mix.plan.json, made with the engine `loudness`."""
    output = song.parent / "mix.wav"
    assert run(["mix", str(song), "-o", str(output), "--engine", "loudness", "--quiet"]) == 0
    return song.parent


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == code
    return capsys.readouterr()


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The one JSON object of a verb."""
    data = json.loads(said(capsys, *arguments, "--json")[0])
    assert data["schema_version"] == 1
    return dict(data)


def test_mix_prints_what_was_done_and_where_it_is(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.wav"
    out, err = said(capsys, "mix", song, "-o", output, "--engine", "adaptive")
    for words in ("Kick", "lead voice, lead", "integrated loudness", "LUFS", "dBTP", "octave Hz", "-14.0"):
        assert words in out
    assert "note: " in err
    assert "Rough Mix.wav" in err
    assert "Click" in err
    assert f"mix: {output}" in err
    assert f"plan: {tmp_path / 'a.plan.json'}" in err
    assert load_plan(tmp_path / "a.plan.json").engine == "adaptive"


def test_the_default_engine_is_the_textbook(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = told(capsys, "mix", song, "--dry-run")
    assert data["engine"] == "textbook"


def test_the_json_of_a_mix_keeps_its_contract(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.wav"
    data = told(capsys, "mix", song, "-o", output, "--engine", "loudness", "--target", "-16")
    assert data["output"] == str(output)
    assert data["plan"] == str(tmp_path / "a.plan.json")
    assert data["after"]["integrated_lufs"] == pytest.approx(-16.0, abs=0.1)
    assert data["before"]["integrated_lufs"] > data["after"]["integrated_lufs"]
    assert data["target_lufs"] == -16.0
    assert {t["name"] for t in data["tracks"]} == {"Kick", "Snare", "Bass", "Gtr", "Lead Vox"}
    assert all(
        {"file", "name", "instrument", "role", "gain_db", "pan", "reason"} <= t.keys() for t in data["tracks"]
    )
    assert len(data["tonal_balance"]["after_db"]) == 10
    assert any("Click" in note for note in data["notes"])


def test_the_default_name_says_title_engine_and_target(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said(capsys, "mix", song, "--engine", "sum", "--quiet")
    said(capsys, "mix", song, "--engine", "sum", "--target", "-20", "--preview", "0.2:1", "--quiet")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "song_mix_sum_-20LUFS_preview.plan.json",
        "song_mix_sum_-20LUFS_preview.wav",
        "song_mix_sum_streaming.plan.json",
        "song_mix_sum_streaming.wav",
    ]


def test_a_dry_run_writes_nothing(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(
        capsys,
        "mix",
        song,
        "-o",
        tmp_path / "a.wav",
        "--engine",
        "loudness",
        "--dry-run",
        "--stems",
        tmp_path / "s",
    )
    assert "Lead Vox" in out
    assert "nothing was rendered or written" in err
    assert list(tmp_path.iterdir()) == []
    assert told(capsys, "mix", song, "--engine", "loudness", "--dry-run")["output"] is None


def test_a_persons_moves_and_locks_are_in_the_plan(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "p.json"
    said(
        capsys, "decide", song, "--engine", "loudness", "-o", plan, "--set", "Lead Vox.gain_db=-3.5",
        "--set", "lead vox.gain_db+=1", "--set", "Kick.muted=yes", "--lock", "Bass",
    )  # fmt: skip
    decided = load_plan(plan)
    assert decided["Lead Vox"].gain_db == -2.5
    assert decided["Kick"].muted
    assert decided["Bass"].gain_db == 0.0
    assert decided["Gtr"].gain_db != 0.0
    assert decided.before == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "Leed Vox.gain_db=1"], ["'Leed Vox'", "'Lead Vox'"]),
        (["--set", "Lead Vox.gian_db=1"], ["'gian_db'", "'gain_db'"]),
        (["--set", "Lead Vox.gain_db=100"], ["out of range", "-96 to 24 dB"]),
        (["--lock", "Bas"], ["'Bas'", "'Bass'"]),
        (["--preview", "99:1"], ["99.0 s", "end of the song"]),
        (["--preview", "one:two"], ["START:SECONDS"]),
        (["--preview", "0:0"], ["START:SECONDS"]),
        (["--bits", "24", "-o", "a.mp3"], ["MP3", "'24'"]),
        (["-o", "a.doc"], ["'.doc'", ".wav"]),
        (["-o", "no/such/folder/a.wav"], ["no such folder"]),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2_and_leaves_nothing(
    arguments: list[str], words: list[str], song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    out, err = said(capsys, "mix", song, "--engine", "loudness", *arguments, code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_not_overwritten_unless_asked(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, plan = tmp_path / "a.wav", tmp_path / "a.plan.json"
    asked = ("mix", song, "-o", output, "--engine", "loudness")
    output.write_text("mine")
    assert "--overwrite" in said(capsys, *asked, code=2)[1]
    output.rename(plan)
    assert "a.plan.json" in said(capsys, *asked, code=2)[1]
    assert plan.read_text() == "mine"
    assert not output.exists()
    said(capsys, *asked, "--overwrite")
    assert load_plan(plan).engine == "loudness"
    assert probe(output).frames == round(SECONDS * RATE)


def test_a_folder_that_takes_no_files_is_said_before_any_work(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert str(file) in said(capsys, "mix", song, "-o", file / "a.wav", code=2)[1]


def test_stems_add_up_to_the_mix_without_its_loudness_stage(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = told(
        capsys, "mix", song, "-o", tmp_path / "a.wav", "--engine", "loudness", "--stems", tmp_path / "stems",
        "--target", "none", "--bits", "32f",
    )  # fmt: skip
    stems = [read_audio(Path(path)).samples.astype(np.float64) for path in data["stems"]]
    assert len(stems) == 5
    np.testing.assert_allclose(sum(stems), read_audio(tmp_path / "a.wav").samples, atol=1e-6)


def test_a_preview_is_that_part_of_the_song(
    mixed: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "render", song, mixed / "mix.plan.json", "-o", tmp_path / "all.wav", "--bits", "32f")
    said(
        capsys, "render", song, mixed / "mix.plan.json", "-o", tmp_path / "part.wav", "--bits", "32f",
        "--preview", "0.5:0.7",
    )  # fmt: skip
    whole, part = read_audio(tmp_path / "all.wav").samples, read_audio(tmp_path / "part.wav").samples
    assert part.shape[1] == round(0.7 * RATE)
    np.testing.assert_allclose(part, whole[:, RATE // 2 : RATE // 2 + part.shape[1]], atol=2e-3)


def test_a_preview_meets_the_target_by_itself(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(
        capsys, "mix", song, "-o", tmp_path / "a.wav", "--engine", "loudness", "--preview", "0.5:0.8"
    )
    assert "preview" in err
    assert probe(tmp_path / "a.wav").frames == round(0.8 * RATE)


def test_the_same_seed_gives_the_same_bytes(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bytes_with(name: str, seed: int) -> bytes:
        output = tmp_path / name
        said(capsys, "mix", song, "-o", output, "--engine", "loudness", "--seed", seed, "--bits", "16")
        return output.read_bytes()

    first = bytes_with("1.wav", 7)
    assert bytes_with("2.wav", 7) == first
    assert bytes_with("3.wav", 8) != first


def test_a_plan_is_gone_on_from(
    mixed: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = load_plan(mixed / "mix.plan.json")
    data = told(
        capsys, "mix", song, "-o", tmp_path / "b.wav", "--plan", mixed / "mix.plan.json",
        "--set", "Lead Vox.gain_db+=2", "--target", "-18",
    )  # fmt: skip
    again = load_plan(tmp_path / "b.plan.json")
    assert again["Lead Vox"].gain_db == pytest.approx(earlier["Lead Vox"].gain_db + 2.0)
    assert again["Kick"].gain_db == earlier["Kick"].gain_db
    assert again.target_lufs == -18.0
    assert data["after"]["integrated_lufs"] == pytest.approx(-18.0, abs=0.1)


def test_a_plan_keeps_its_target_when_none_is_asked_for(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "mix", song, "-o", tmp_path / "a.wav", "--engine", "sum", "--target", "podcast")
    data = told(capsys, "mix", song, "-o", tmp_path / "b.wav", "--plan", tmp_path / "a.plan.json")
    assert data["target_lufs"] == -16.0
    assert data["after"]["integrated_lufs"] == pytest.approx(-16.0, abs=0.1)


def test_deciding_again_keeps_what_a_person_did(
    mixed: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "a.plan.json"
    said(
        capsys,
        "mix",
        song,
        "-o",
        tmp_path / "a.wav",
        "--plan",
        mixed / "mix.plan.json",
        "--set",
        "Kick.pan=-0.4",
    )
    said(
        capsys, "mix", song, "-o", tmp_path / "b.wav", "--plan", base, "--engine", "sum", "--lock", "Bass",
    )  # fmt: skip
    earlier, again = load_plan(base), load_plan(tmp_path / "b.plan.json")
    assert again.engine == "sum"
    assert again["Kick"].pan == -0.4
    assert again["Bass"].gain_db == earlier["Bass"].gain_db != 0.0
    assert again["Snare"].gain_db == 0.0 != earlier["Snare"].gain_db


def test_options_need_an_engine_when_a_plan_is_kept(
    mixed: Path, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("mix", song, "--plan", mixed / "mix.plan.json", "--option", "target=-20")
    assert "--engine" in said(capsys, *arguments, code=2)[1]


def test_render_gives_the_bytes_of_the_mix_again(
    mixed: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = told(capsys, "render", song, mixed / "mix.plan.json", "-o", tmp_path / "again.wav")
    assert data["plan"] == str(mixed / "mix.plan.json")
    samples = [soundfile.read(path, dtype="int32")[0] for path in (tmp_path / "again.wav", mixed / "mix.wav")]
    np.testing.assert_array_equal(samples[0], samples[1])


def test_render_refuses_other_tracks(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_folder(tmp_path / "other", {"Flute.wav": tone(500, 1.0)})
    err = said(capsys, "render", other, mixed / "mix.plan.json", "-o", tmp_path / "a.wav", code=2)[1]
    assert "other tracks" in err
    assert not (tmp_path / "a.wav").exists()


def test_analyze_says_what_each_track_is(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = told(capsys, "analyze", song)
    tracks = {t["name"]: t for t in data["tracks"]}
    assert {t["instrument"] for t in tracks.values()} >= {"kick", "snare", "bass", "lead_voice"}
    assert tracks["Lead Vox"]["role"] == "lead"
    assert tracks["Bass"]["dbtp"] == pytest.approx(-6.02, abs=0.1)
    assert tracks["Bass"]["lufs"] < 0
    assert "Gtr L" in tracks["Gtr"]["file"]
    assert {"confidence", "evidence", "lra_lu", "crest_db", "active_ratio", "faults"} <= tracks["Kick"].keys()
    assert [e["file"] for e in data["excluded"]] == ["07_Click.wav"]
    assert [r["file"] for r in data["references"]] == ["Rough Mix.wav"]
    assert {"pairs", "duplicates", "notes"} <= data.keys()
    out, err = said(capsys, "analyze", song)
    assert "lead voice" in out
    assert "Click" in err


def test_analyze_reports_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clipped = tone(200, 0.6, level=2.0)
    silent = tone(200, 0.6, level=0.0)
    shifted = type(clipped)(tone(200, 0.6, level=0.2).samples + 0.1, RATE)
    clean = type(clipped)(clipped.samples.clip(-1.0, 1.0), RATE)
    song = write_folder(tmp_path / "s", {"A.wav": clean, "B.wav": silent, "C.wav": shifted})
    found = {t["name"]: " ".join(t["faults"]) for t in told(capsys, "analyze", song)["tracks"]}
    assert "clipped" in found["A"]
    assert found["B"] == "silent"
    assert "DC offset +0.1" in found["C"]


def test_explain_gives_every_move_its_reason(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = load_plan(mixed / "mix.plan.json")
    data = told(capsys, "explain", mixed / "mix.plan.json")
    assert [s["strip"] for s in data["strips"]] == [s.name for s in plan.strips]
    moves = [m for s in data["strips"] for m in s["moves"]]
    assert len(moves) == len(plan.log)
    keys = {"move", "reason", "source", "evidence", "confidence", "rule", "by", "overruled"}
    assert all(keys <= m.keys() for m in moves)
    out, _ = said(capsys, "explain", mixed / "mix.plan.json")
    for entry in plan.log:
        assert entry.decision.reason.rule in out


def test_explain_shows_one_track_and_what_was_overruled(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "p.json"
    said(capsys, "decide", song, "--engine", "loudness", "-o", plan, "--set", "Kick.gain_db=-3")
    short, _ = said(capsys, "explain", plan, "--track", "kick")
    full, _ = said(capsys, "explain", plan, "--track", "kick", "--all")
    assert "fader -3.0 dB" in short
    assert "Snare" not in short
    assert "overruled (decided later by a person): fader" in short
    assert "Equal loudness" not in short
    assert "Equal loudness" in full
    assert "'Kick'" in said(capsys, "explain", plan, "--track", "Kik", code=2)[1]


def test_explain_wraps_to_the_width_of_the_terminal(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    out, _ = said(capsys, "explain", mixed / "mix.plan.json")
    assert max(map(len, out.splitlines())) <= 50


@pytest.mark.parametrize("text", ["{}", "not json", '{"schema_version": 99}'])
def test_what_is_no_plan_is_exit_code_2(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    err = said(capsys, "explain", path, code=2)[1]
    assert str(path) in err
    assert err.count("\n") == 1


def test_plots_are_written(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    asked = ("mix", song, "--engine", "adaptive", "--plots", tmp_path / "plots")
    data = told(capsys, *asked, "-o", tmp_path / "a.wav")
    paths = [Path(path) for path in data["plots"]]
    names = ["automation.png", "levels.png", "masking.png", "pan.png", "spectrum.png"]
    assert sorted(p.name for p in paths) == names
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)
    assert sorted((tmp_path / "plots").iterdir()) == sorted(paths)
    assert "--overwrite" in said(capsys, *asked, "-o", tmp_path / "b.wav", code=2)[1]


def test_plots_without_matplotlib_name_the_extra_before_any_work(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    err = said(capsys, "mix", song, "-o", tmp_path / "a.wav", "--plots", tmp_path / "plots", code=2)[1]
    assert "pip install 'tonmeister[plots]'" in err
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "mix", song, "-o", tmp_path / "a.wav", "--engine", "sum", "-q") == ("", "")
    assert (tmp_path / "a.wav").exists()


def test_tracks_in_subfolders_are_taken_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "s", {"Kick.wav": tone(60, 0.6)})
    write_folder(tmp_path / "s" / "more", {"Flute.wav": tone(600, 0.6)})
    assert len(told(capsys, "analyze", tmp_path / "s")["tracks"]) == 1
    assert len(told(capsys, "analyze", tmp_path / "s", "--recursive")["tracks"]) == 2
