"""How identification is scored, where truth comes from, and the verbs that show it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from tonmeister.cli import run
from tonmeister.errors import BadInputError
from tonmeister.evaluation.identification import accuracy, evaluate_identification, labelled_tracks
from tonmeister.evaluation.spectral_statistics import fit_centroids, load_centroids, statistics
from tonmeister.identification.log_mel import BANDS, PATCH_STEPS
from tonmeister.model_files.shipped import SHIPPED

CLASSES = ("kick", "snare", "crash", "conga", "piano", "unknown")
RATE = 44_100


def test_accuracy_counts_leaves_families_and_paths() -> None:
    figures = accuracy(
        [
            ("kick", "kick", "drums"),
            ("snare", "kick", "drums"),
            ("piano", "kick", "drums"),
            ("guitar", "piano", "keys"),
        ],
        CLASSES,
    )
    assert figures.leaf == pytest.approx(1 / 3)
    assert figures.leaves == 3
    assert figures.family == pytest.approx(2 / 4)
    assert figures.tree == pytest.approx((1 + 0.5 + 0 + 0) / 4)


def test_relatives_and_no_single_instrument_have_their_right_answers() -> None:
    answers = [
        ("china", "crash", "drums"),
        ("djembe", "conga", "percussion"),
        ("ambience", "unknown", "unknown"),
    ]
    figures = accuracy(answers, CLASSES)
    assert (figures.leaf, figures.family, figures.tree) == (1.0, 1.0, 1.0)
    assert accuracy([], CLASSES).family is None


def _hits(path: Path, low: bool) -> None:
    """A kick, or a hi-hat of square waves with no common pitch."""
    t = np.arange(RATE // 4) / RATE
    if low:
        hit = np.sin(2 * np.pi * (50 * t + 3 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.09)
    else:
        metal = sum(
            np.sign(np.sin(2 * np.pi * hz * t + hz)) for hz in (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
        )
        noise = 0.7 * np.random.default_rng(1).standard_normal(len(t))
        high = scipy.signal.butter(4, 7000, "high", fs=RATE, output="sos")
        hit = 0.3 * scipy.signal.sosfilt(high, metal + noise) * np.exp(-t / 0.05)
    soundfile.write(path, 0.3 * np.tile(hit, 24), RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, low in (("Kick.wav", True), ("Hi Hat.wav", False), ("Blub.wav", True)):
        _hits(tmp_path / name, low)
    return tmp_path


def test_truth_comes_from_names_where_there_is_no_table(folder: Path) -> None:
    assert {t.track.name: t.truth for t in labelled_tracks(folder)} == {"Kick": "kick", "Hi Hat": "hihat"}


def test_truth_comes_from_the_table_and_the_finer_word_wins(folder: Path) -> None:
    (folder / "labels.csv").write_text(
        "file,instrument\nKick.wav,drums\nHi Hat.wav,percussion\nBlub.wav,unknown\n", "utf-8"
    )
    truths = {t.track.name: t.truth for t in labelled_tracks(folder)}
    assert truths == {"Kick.wav": "kick", "Hi Hat.wav": "percussion", "Blub.wav": "unknown"}


def test_a_table_may_not_reach_outside_its_folder(folder: Path) -> None:
    inside = folder / "in"
    inside.mkdir()
    (inside / "labels.csv").write_text("file,instrument\n../Kick.wav,kick\n", "utf-8")
    with pytest.raises(BadInputError, match="not in that folder"):
        labelled_tracks(inside)


def test_a_folder_of_unknown_names_says_what_to_do(tmp_path: Path) -> None:
    _hits(tmp_path / "Blub.wav", True)
    with pytest.raises(BadInputError, match=r"labels\.csv"):
        labelled_tracks(tmp_path)


def test_evaluation_hears_kick_and_hat(folder: Path) -> None:
    result = evaluate_identification([folder])
    assert {a.truth: a.family_said for a in result.answers} == {"kick": "drums", "hihat": "drums"}
    ours, baseline = result.groups()["all"]
    assert ours.family == 1.0
    assert ours.tracks == baseline.tracks == 2


def test_the_verb_prints_tables_and_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "identification", str(folder)]) == 0
    assert "classifier" in capsys.readouterr().out
    assert run(["evaluate", "identification", str(folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["groups"]["all"]) == {"classifier", "baseline"}
    assert len(data["files"]) == 2
    assert run(["evaluate", "identification", str(folder), "--model", "nothing"]) == 2


def test_the_verb_models_lists_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    shown = capsys.readouterr().out
    assert run(["models", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in data["models"]] == list(SHIPPED)
    for card in data["models"]:
        assert card["name"] in shown
        assert card["licence"] in shown


def test_statistics_tell_low_from_high_and_steady_from_struck() -> None:
    low, high, struck = (np.zeros((BANDS, PATCH_STEPS), np.float32) for _ in range(3))
    low[2:6], high[50:60], struck[20:30, ::16] = 1.0, 1.0, 1.0
    a, b, c = statistics(low), statistics(high), statistics(struck)
    assert a[0] < b[0]
    assert a[4] > 0.4 > b[4]
    assert c[8] > a[8]
    assert np.isfinite(statistics(np.zeros((BANDS, PATCH_STEPS), np.float32))).all()


def test_the_nearest_mean_is_found() -> None:
    rng = np.random.default_rng(0)
    low, high = (np.zeros((BANDS, PATCH_STEPS), np.float32) for _ in range(2))
    low[2:6], high[50:60] = 1.0, 1.0
    pictures = [np.clip(p + 0.1 * rng.random(p.shape), 0, 1).astype(np.float32) for p in (low, high) * 6]
    fitted = fit_centroids(pictures[:10], np.arange(10) % 2, ("bass", "hihat"))
    assert fitted.nearest(pictures[10:11]) == "bass"
    assert fitted.nearest(pictures[11:12]) == "hihat"
    assert len(load_centroids().classes) == len(load_centroids().centers)
