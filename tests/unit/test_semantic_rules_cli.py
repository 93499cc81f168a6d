"""``tonmeister rules check`` and ``select``, and the options `semantic` gives to the deciding verbs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rdflib")
pytest.importorskip("pyshacl")

from makers import band, write_folder
from makers_semantic import EVERYTHING, capabilities, rule, write
from tonmeister.cli import run
from tonmeister.plan_file import load_plan


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("work") / "song", band(1.2))


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == code
    return capsys.readouterr()


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    data = json.loads(said(capsys, *arguments, "--json", code=code)[0])
    assert data["schema_version"] == 1
    return dict(data)


def test_a_good_document_is_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, rule("good", "", "Modify(?t[tm:pan -> 0.5])"))
    found = told(capsys, "rules", "check", path)
    assert (found["rules"], found["errors"]) == (1, 0)
    texts = {f["text"] for f in found["findings"]}
    assert "a rule should say where it comes from: dcterms:source" in texts


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ((rule("a", "", "Modify(?t[tm:crest -> 1.0])"),), "features are measured"),
        ((rule("a", "", "Modify(?t[tm:pan -> ?d])", values="?d"),), "?d"),
        ((rule("a", "", 'Modify(?t[tm:gain -> "loud"])'),), "tm:gain is a number"),
        (
            (
                rule("a", "?t[tm:role -> tm:lead]", "Modify(?t[tm:role -> tm:background])"),
                rule("b", "?t[tm:role -> tm:background]", "Modify(?t[tm:role -> tm:lead])"),
            ),
            "firings",
        ),
        (
            (
                rule("a", "?t[tm:gain -> ?x]", "Modify(?t[tm:ride -> External(func:numeric-subtract(1.0 ?x))])",
                     values="?x"),
                rule("b", "?t[tm:ride -> ?x]", "Modify(?t[tm:gain -> External(func:numeric-add(?x 0.5))])",
                     values="?x"),
            ),
            "circle",
        ),
    ],
)  # fmt: skip
def test_errors_are_found_and_end_with_one(
    rules: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "rules", "check", write(tmp_path, *rules), code=1)
    assert any(f["severity"] == "error" and text in f["text"] for f in found["findings"]), found


def test_contradictions_and_strangers_are_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path,
        rule("bright", "And( ?t[tm:crest -> ?c] External(pred:numeric-greater-than(?c 10.0)) )",
             "Modify(?t[tm:pan -> 1.0])", values="?c"),
        rule("loud", "And( ?t[tm:rms -> ?c] External(pred:numeric-greater-than(?c -20.0)) )",
             "Modify(?t[tm:pan -> -1.0])", values="?c"),
        rule("nobody", "And( ?t # tm:Kick ?t # tm:Snare )", "Modify(?t[tm:pan -> 0.0])"),
        rule("strange", "", "Modify(?t[tm:sparkle -> 1.0])"),
    )  # fmt: skip
    findings = told(capsys, "rules", "check", path)["findings"]
    texts = [f["text"] for f in findings]
    assert any("bright says 1, loud says -1, both at priority 0" in t for t in texts)
    assert any("speaks about nobody" in t for t in texts)
    assert any("tm:sparkle (unknown to every ontology)" in t for t in texts)


def test_malformed_files_end_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.rif"
    path.write_text("<Document", encoding="utf-8")
    _, err = said(capsys, "rules", "check", path, code=2)
    assert "own.rif" in err


def test_select_says_which_rules_run_and_why_not_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        rule("squash", "?t # tm:Kick", "Modify(?t[tm:compressorRatio -> 4.0])"),
        rule("loud", "?t[afv:Loudness -> ?l]", "Modify(?t[tm:pan -> 0.1])", values="?l"),
    )
    desk = capabilities(tmp_path, *(o for o in EVERYTHING if o != "CompressorEffect"), label="my desk")
    whole = told(capsys, "rules", "select", path)
    assert len(whole["kept"]) == 2
    assert list(whole["substitutes"].values()) == ["urn:tonmeister:mix#loudness"]
    poor = told(capsys, "rules", "select", path, "--capabilities", desk)
    assert poor["system"] == "my desk"
    assert [d["missing"] for d in poor["dropped"]] == [["urn:tonmeister:mix#compressorRatio"]]
    out, _ = said(capsys, "rules", "select", path, "--capabilities", desk)
    assert "needs tm:compressorRatio" in out
    assert "1 of 2 rules run on my desk" in out


def test_decide_takes_rules_and_capabilities(
    tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    write(
        folder,
        rule("aside", "", "Modify(?t[tm:pan -> 0.5])"),
        rule("squash", "", "Modify(?t[tm:compressorRatio -> 4.0])"),
    )
    desk = capabilities(tmp_path, *(o for o in EVERYTHING if o != "CompressorEffect"))
    plan = tmp_path / "plan.json"
    _, err = said(
        capsys,
        "decide",
        tracks,
        "--engine",
        "semantic",
        "--rules",
        folder,
        "--capabilities",
        desk,
        "-o",
        plan,
    )
    assert "rule#squash: left out, it needs tm:compressorRatio" in err
    strips = [s for s in load_plan(plan).strips if s.kind == "track"]
    assert [s.pan for s in strips] == [0.5] * len(strips)
    assert not any(s.inserts for s in strips)


def test_an_engine_without_the_option_says_so(tracks: Path, tmp_path: Path) -> None:
    desk = capabilities(tmp_path)
    assert run(["decide", str(tracks), "--engine", "sum", "--capabilities", str(desk), "-o", "x.json"]) == 2


@pytest.mark.parametrize("missing", ["rdflib", "reasonable"])
def test_without_the_extra_one_line_names_it(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    _, err = said(capsys, "rules", "select", code=2)
    assert "pip install 'tonmeister[semantic]'" in err
    assert len(err.strip().splitlines()) == 1
