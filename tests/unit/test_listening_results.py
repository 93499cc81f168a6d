"""Answers of listeners: what is refused, and what is made of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from makers_listening import key_of, write_answers
from tonmeister.cli import run
from tonmeister.errors import BadInputError
from tonmeister.evaluation.listening.answers import COLUMNS, read_answers, trial_id
from tonmeister.evaluation.listening.key import read_key
from tonmeister.evaluation.listening.report import listening_page
from tonmeister.evaluation.listening.results import CriterionResult, judge

TASTE = {"human": 80.0, "textbook": 60.0, "adaptive": 50.0, "sum": 20.0}


def by_taste(song: str, engine: str) -> float:
    return TASTE[engine]


def noisy(folder: Path, listeners: int, *, songs: int = 3) -> list[Path]:
    key, random = key_of(songs), np.random.default_rng(1)
    return [
        write_answers(
            folder / f"{n}.csv",
            key,
            lambda song, engine: float(np.clip(0.5 * TASTE[engine] + 20 + random.normal(0, 4), 0, 100)),
            listener=f"listener {n}",
            seed=n,
        )
        for n in range(listeners)
    ]


def judged(paths: list[Path], songs: int = 3, **how: str) -> CriterionResult:
    key = key_of(songs)
    return judge(read_answers(paths, key), key, **how).criteria[0]  # type: ignore[arg-type]


def test_what_the_page_saves_is_read_back(tmp_path: Path) -> None:
    key = key_of()
    answers = read_answers([write_answers(tmp_path / "a.csv", key, by_taste)], key)
    assert {(r.song, r.engine): r.score for r in answers.ratings} == {
        (song, engine): score for song in key.songs for engine, score in TASTE.items()
    }
    assert answers.notes == ()


def test_listeners_with_other_scales_agree_after_centering(tmp_path: Path) -> None:
    key = key_of()
    paths = [
        write_answers(tmp_path / "a.csv", key, by_taste, listener="Ann"),
        write_answers(tmp_path / "b.csv", key, lambda s, e: TASTE[e] - 20, listener="Bob"),
    ]
    result = judge(read_answers(paths, key), key).criteria[0]
    assert [c.name for c in result.conditions] == ["human", "textbook", "adaptive", "sum"]
    centered = {c.name: c.centered_mean for c in result.conditions}
    assert centered == pytest.approx({name: score - 52.5 for name, score in TASTE.items()})
    assert result.conditions[0].mean == pytest.approx(70.0)
    assert result.conditions[0].interval == pytest.approx((27.5, 27.5))
    assert result.agreement.overall == pytest.approx(1.0)
    assert dict(result.agreement.by_song) == pytest.approx({"song 1": 1.0, "song 2": 1.0})


def test_a_clear_preference_is_found_and_its_direction_is_right(tmp_path: Path) -> None:
    result = judged(noisy(tmp_path, 8))
    assert result.friedman is not None
    assert result.friedman.p < 1e-6
    pair = next(p for p in result.pairs if (p.first, p.second) == ("human", "sum"))
    assert pair.p_holm < 0.001
    assert pair.rank_biserial == pytest.approx(1.0)
    assert pair.mean_difference == pytest.approx(30.0, abs=3.0)
    assert all(p.p_holm >= p.p for p in result.pairs)


def test_the_interval_contains_the_truth_and_listeners_as_blocks_are_stricter(tmp_path: Path) -> None:
    paths = noisy(tmp_path, 8)
    pages, listeners = judged(paths, blocks="pages"), judged(paths, blocks="listeners")
    low, high = pages.conditions[0].interval or (0.0, 0.0)
    assert low < 0.5 * (80 - 52.5) < high
    assert (pages.blocks, listeners.blocks) == (24, 8)
    assert min(p.p for p in listeners.pairs) == pytest.approx(2.0**-7)
    assert min(p.p for p in pages.pairs) == pytest.approx(2.0**-23)


def test_one_listener_is_said_aloud(tmp_path: Path) -> None:
    key = key_of()
    result = judge(read_answers([write_answers(tmp_path / "a.csv", key, by_taste)], key), key)
    assert result.listeners == 1
    assert result.criteria[0].agreement.overall is None
    assert any(note.startswith("one listener") for note in result.notes)
    assert any("no pair can reach" in note for note in result.notes)


def test_one_page_has_no_interval(tmp_path: Path) -> None:
    key = key_of(1)
    result = judge(read_answers([write_answers(tmp_path / "a.csv", key, by_taste)], key), key)
    assert result.criteria[0].conditions[0].interval is None
    assert result.criteria[0].friedman is None


def test_a_version_that_only_some_songs_have_does_not_move_the_others(tmp_path: Path) -> None:
    whole = key_of()
    conditions = {n: c for n, c in whole.conditions.items() if (c.song, c.engine) != ("s2", "human")}
    key = dataclasses.replace(whole, conditions=conditions)
    result = judge(read_answers([write_answers(tmp_path / "a.csv", key, by_taste)], key), key)
    centered = {c.name: c.centered_mean for c in result.criteria[0].conditions}
    mean = (60 + 50 + 20) / 3
    assert centered == pytest.approx({name: score - mean for name, score in TASTE.items()})
    assert result.criteria[0].friedman is not None
    assert result.criteria[0].friedman.conditions == 3
    assert any("human: not on every song" in note for note in result.notes)


def test_the_same_file_twice_counts_once_and_a_change_of_mind_is_refused(tmp_path: Path) -> None:
    key = key_of()
    path = write_answers(tmp_path / "a.csv", key, by_taste)
    once, twice = read_answers([path], key), read_answers([path, path], key)
    assert once.ratings == twice.ratings
    assert "count once" in twice.notes[0]
    other = write_answers(tmp_path / "b.csv", key, lambda song, engine: 1.0)
    with pytest.raises(BadInputError, match=r"b\.csv: line 2: .*rated .* twice"):
        read_answers([path, other], key)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("score", "101", "no number from 0 to 100"),
        ("score", "-1", "no number from 0 to 100"),
        ("score", "nan", "no number from 0 to 100"),
        ("score", "", "no number from 0 to 100"),
        ("score", "loud", "no number from 0 to 100"),
        ("condition", "s1-v9", "not in the key"),
        ("song", "s2", "is of the song"),
        ("criterion", "Clarity", "was not asked"),
        ("test", "zzz", "give its own key"),
    ],
)
def test_answers_that_cannot_be_are_refused_by_line(
    tmp_path: Path, column: str, value: str, words: str
) -> None:
    key = key_of()
    path = write_answers(tmp_path / "a.csv", key, by_taste)
    lines = path.read_text("utf-8").splitlines()
    cells = lines[1].split(",")
    cells[COLUMNS.index(column)] = value
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]), "utf-8")
    with pytest.raises(BadInputError, match="line 2") as refused:
        read_answers([path], key)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column"),
        ("a,b\n1,2\n", "no column 'test'"),
        (",".join(COLUMNS), "no ratings"),
        (",".join(COLUMNS) + "\nabc123,Ann,1\n", "3 cells in place of"),
        (",".join(COLUMNS) + ",score\n", "a column twice"),
        (",".join(COLUMNS) + '\nabc123,"Ann\n', "is no CSV"),
    ],
)
def test_files_that_are_no_answers_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=words):
        read_answers([path], key_of())


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("test,müller\n".encode("latin-1"))
    with pytest.raises(BadInputError, match="UTF-8"):
        read_answers([path], key_of())


def test_files_saved_again_by_a_spreadsheet_are_read(tmp_path: Path) -> None:
    key = key_of()
    path = write_answers(tmp_path / "a.csv", key, by_taste)
    again = tmp_path / "b.csv"
    again.write_text(
        "\ufeff" + path.read_text("utf-8").replace(",", ";") + "\r\n;;;\r\n".replace(";", ""), "utf-8"
    )
    assert read_answers([again], key).ratings == read_answers([path], key).ratings


def test_a_remark_with_quotes_and_lines_survives(tmp_path: Path) -> None:
    key = key_of(1)
    path = write_answers(tmp_path / "a.csv", key, by_taste)
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1] + '"so ""wide"",\nand loud"']), "utf-8")
    result = judge(read_answers([path], key), key)
    assert result.comments == (("song 1", "Preference", 'so "wide",\nand loud'),)


def test_results_of_webmushra_are_read_with_the_reference_as_the_plain_sum(tmp_path: Path) -> None:
    key = key_of()
    names = {c.engine: n for n, c in key.conditions.items() if c.song == "s1"}
    rows = ["session_test_id,listener,trial_id,rating_stimulus,rating_score,rating_time,rating_comment"]
    rows += [f"abc123,Ann,{trial_id('s1', 'Preference')},{names['human']},90,1000,"]
    rows += [f"abc123,Ann,{trial_id('s1', 'Preference')},reference,10,1000,"]
    path = tmp_path / "mushra.csv"
    path.write_text("\n".join(rows), "utf-8")
    answers = read_answers([path], key)
    assert {(r.listener, r.engine): r.score for r in answers.ratings} == {
        ("Ann", "human"): 90.0, ("Ann", "sum"): 10.0,
    }  # fmt: skip
    assert "1 pages are rated in part" in answers.notes[0]
    path.write_text(rows[0] + "\nabc123,Ann,s9-preference,reference,10,1000,\n", "utf-8")
    with pytest.raises(BadInputError, match="trial_id='s9-preference'"):
        read_answers([path], key)


def test_every_table_fits_its_columns(tmp_path: Path) -> None:
    key = key_of()
    result = judge(read_answers([write_answers(tmp_path / "a.csv", key, by_taste)], key), key)
    page = listening_page(result)
    assert [s.title for s in page.sections] == ["Preference", "Preference: pairs", "Preference: agreement"]
    assert all(len(row) == len(s.columns) for s in page.sections for row in s.rows)


def test_the_command_prints_json_writes_a_report_and_a_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.json"
    key.write_text(key_of(3).to_json(), "utf-8")
    files = [str(path) for path in noisy(tmp_path, 3)]
    command = ["evaluate", "listening-results", *files, "--key", str(key), "--json"]
    plot, report = tmp_path / "scores.svg", tmp_path / "report"
    assert run([*command, "--report", str(report), "--plot", str(plot)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    assert data["listeners"] == 3
    assert set(data["criteria"]["Preference"]["conditions"]) == set(TASTE)
    assert json.loads((report / "report.json").read_text("utf-8")) == data
    assert plot.read_text("utf-8").count("adaptive") >= 1
    assert run([*command, "--plot", str(plot)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_key_comes_back_as_it_was_written_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(key_of().to_json(), "utf-8")
    assert read_key(path) == key_of()
    for text in ("", "[]", "{}", '{"kind": 3}', key_of().to_json().replace('"song": "s2"', '"song": "s7"')):
        path.write_text(text, "utf-8")
        with pytest.raises(BadInputError, match="not the key of a listening test"):
            read_key(path)
