"""``tonmeister rules export`` and ``rules import``: what is written where, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("clingo")

from makers_rif import document
from tonmeister.cli import run
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.rif.files import read_rules


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == code
    return capsys.readouterr()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "own.rifps"
    path.write_text(
        document(
            "(* ex:place *) Forall ?t such that ( ?t # tm:Kick ) ( Do( Modify( ?t[tm:panPosition -> 0] ) ) )"
            "(* ex:fader *) Forall ?t such that ( ?t # tm:Kick ) ( Do( Modify( ?t[tm:gain -> 3] ) ) )"
        )
    )
    return path


def test_an_engine_is_exported_in_both_notations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("textbook.rif", "textbook.rifps"):
        _, err = said(capsys, "rules", "export", "textbook", "-o", tmp_path / name)
        assert "98 of 98 rules" in err
    assert read_rules(tmp_path / "textbook.rif") == read_rules(tmp_path / "textbook.rifps")


def test_without_an_output_the_document_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "rules", "export", "asp")
    assert "Document(" in out
    assert "left out asp.kept_level" in err
    told = json.loads(said(capsys, "rules", "export", "asp", "--json")[0])
    assert told["text"] == out
    assert told["left_out"][0]["reason"]


def test_a_table_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "rules", "export", "textbook", "-o", tmp_path / "a.rif", "--without", "R?")
    told = json.loads(
        said(capsys, "rules", "import", tmp_path / "a.rif", "-o", tmp_path / "a.toml", "--json")[0]
    )
    assert told["left_out"] == []
    assert "textbook.kick.comp" not in told["kept"]
    assert len(RuleSet.load(tmp_path / "a.toml").rules) == len(RuleSet.shipped().without(["R?"]).rules)


def test_a_survey_says_which_engine_knows_which_rule(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, "rules", "import", rules, "--json")[0])
    first, second = told["rules"]
    assert first == {"rule": "place", "textbook": None, "asp": None}
    assert "tm:gain" in second["textbook"]
    out, _ = said(capsys, "rules", "import", rules)
    assert "2 rules" in out


def test_what_is_left_out_is_told_on_the_way(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, "rules", "import", rules, "-o", tmp_path / "own.lp")
    assert "left out fader: tm:gain" in err
    assert "1 of 2 rules" in err
    assert "at_pan(T,P)" in (tmp_path / "own.lp").read_text()
    out, _ = said(capsys, "rules", "import", rules, "--to", "textbook")
    assert 'id = "place"' in out


def test_nothing_is_overwritten_unless_asked(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.toml"
    there.write_text("precious")
    _, err = said(capsys, "rules", "import", rules, "-o", there, code=1)
    assert "already there" in err
    assert there.read_text() == "precious"
    said(capsys, "rules", "import", rules, "-o", there, "--overwrite", "--quiet")
    assert "place" in there.read_text()


def test_wrong_usage(rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'textbook'" in said(capsys, "rules", "export", "textbok", code=2)[1]
    assert "names no notation" in said(capsys, "rules", "export", "asp", "-o", tmp_path / "a.doc", code=2)[1]
    assert "names no engine" in said(capsys, "rules", "import", rules, "-o", tmp_path / "a.doc", code=2)[1]
    rules.write_text(rules.read_text().replace("Modify( ?t[tm:gain", "Modify( ?u[tm:gain"))
    assert "?u is not declared" in said(capsys, "rules", "import", rules, code=2)[1]
    rules.write_text(
        document("(* ex:fader *) Forall ?t such that ( ?t # tm:Kick ) ( Do( Modify( ?t[tm:gain -> 3] ) ) )")
    )
    assert "none of the rules" in said(capsys, "rules", "import", rules, "--to", "textbook", code=1)[1]
