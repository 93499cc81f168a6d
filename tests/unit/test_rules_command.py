"""``tonmeister rules`` and what the answer-set engine adds to `mix` and `decide`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("clingo")

from makers import band, write_folder
from tonmeister.cli import run
from tonmeister.plan_file import load_plan


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("work") / "song", band(1.2))


@pytest.fixture(scope="module")
def plan(song: Path) -> Path:
    path = song.parent / "song.json"
    assert run(["decide", str(song), "--engine", "asp", "-o", str(path), "--quiet"]) == 0
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == code
    return capsys.readouterr()


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    data = json.loads(said(capsys, *arguments, "--json", code=code)[0])
    assert data["schema_version"] == 1
    return dict(data)


def test_the_rules_are_listed_with_source_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "rules", "asp")
    assert "lead_on_top" in out
    assert "Perez Gonzalez" in out
    rules = {r["name"]: r for r in told(capsys, "rules", "asp")["rules"]}
    assert rules["balance"]["priority"] == 4
    assert rules["lead_centered"]["hard"]
    assert all(r["source"] and r["says"] for r in rules.values())


def test_the_plan_of_the_engine_breaks_no_hard_rule(
    song: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = told(capsys, "rules", "asp", "--check", plan, song, "--strict")
    assert judged["broken"] == []
    assert {f["name"] for f in judged["findings"]} >= {"lead_on_top", "balance"}


def test_a_plan_that_breaks_rules_is_told_which_and_by_whom(
    song: Path, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    moves = ["--set", "Lead Vox.pan=0.8", "--set", "Kick.gain_db=12"]
    said(capsys, "decide", song, "--engine", "sum", *moves, "-o", other, "--quiet")
    judged = told(capsys, "rules", "asp", "--check", other, song, "--strict", code=1)
    assert {"lead_centered", "lead_on_top", "headroom"} <= set(judged["broken"])
    finding = next(f for f in judged["findings"] if f["name"] == "lead_centered")
    assert finding["details"] == ["Lead Vox is not in the center"]
    out, _ = said(capsys, "rules", "asp", "--check", other, song)
    assert "hard rules broken" in out


@pytest.mark.parametrize("arguments", [["rules", "apg"], ["rules", "asp", "--check", "nothing.json", "."]])
def test_what_is_not_there_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, *arguments, code=2)


def test_several_mixes_are_saved_beside_the_first_with_the_sheets(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets = ["--text-plan", tmp_path / "song.txt", "--csound", tmp_path / "song.csd"]
    data = told(
        capsys,
        "decide",
        song,
        "--engine",
        "asp",
        "--option",
        "mixes=3",
        "-o",
        tmp_path / "song.json",
        *sheets,
    )
    paths = [tmp_path / "song.json", *map(Path, data["other_plans"])]
    assert [p.name for p in paths] == ["song.json", "song.2.json", "song.3.json"]
    consoles = [[(s.gain_db, s.pan) for s in load_plan(p).strips] for p in paths]
    assert consoles[0] != consoles[1] != consoles[2] != consoles[0]
    text = (tmp_path / "song.txt").read_text("utf-8")
    assert "Mix 1 of 3" in text
    assert "asp.lead_on_top: The lead is louder than every other track." in text
    assert "<CsScore>" in (tmp_path / "song.csd").read_text("utf-8")


def test_wishes_have_options_of_their_own(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "mine.lp"
    rules.write_text(':- name(T,"Snare"), at_depth(T,R), R > 1.\n', "utf-8")
    said(
        capsys, "decide", song, "--engine", "asp", "--forbid", "Lead Vox dry", "--prefer", "Snare at C", "--rules", rules,
        "-o", tmp_path / "song.json",
    )  # fmt: skip
    plan = load_plan(tmp_path / "song.json")
    assert plan["Lead Vox"].sends
    assert plan.options["forbid"] == "Lead Vox dry"
    _, error = said(
        capsys,
        "decide",
        song,
        "--engine",
        "asp",
        "--forbid",
        "Kick center",
        "-o",
        tmp_path / "no.json",
        code=2,
    )
    assert "core_centered" in error
    assert not (tmp_path / "no.json").exists()
    _, error = said(
        capsys, "decide", song, "--engine", "sum", "--prefer", "x left", "-o", tmp_path / "no.json", code=2
    )
    assert "no option 'prefer'" in error


def test_the_same_seed_gives_the_same_plan(song: Path, plan: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    assert run(["decide", str(song), "--engine", "asp", "-o", str(again), "--quiet"]) == 0
    assert again.read_bytes() == plan.read_bytes()


def test_a_mix_can_be_written_as_a_sheet(song: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "mix.txt"
    arguments = [
        "mix",
        str(song),
        "--engine",
        "loudness",
        "-o",
        str(tmp_path / "mix.wav"),
        "--text-plan",
        str(sheet),
        "-q",
    ]
    assert run(arguments) == 0
    assert "loudness.fader" in sheet.read_text("utf-8")


def test_without_the_solver_the_engine_is_unavailable_and_the_rules_still_judge(
    song: Path, plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "clingo", None)
    rows = {row["name"]: row for row in told(capsys, "engines")["engines"]}
    assert "tonmeister[asp]" in rows["asp"]["unavailable"]
    assert rows["textbook"]["unavailable"] == ""
    _, error = said(capsys, "decide", song, "--engine", "asp", "-o", song.parent / "none.json", code=2)
    assert "pip install 'tonmeister[asp]'" in error
    assert told(capsys, "rules", "asp", "--check", plan, song)["broken"] == []
