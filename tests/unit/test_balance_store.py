"""What was scored is kept by content: found again, and only then."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from makers import band, write_folder
from tonmeister.audio import Audio
from tonmeister.evaluation.balance import evaluate_balance
from tonmeister.evaluation.balance_store import (
    ScoreStore,
    engine_digest,
    engine_files,
    song_digest,
    user_cache_folder,
)
from tonmeister.evaluation.pages import balance_page, balance_to_dict
from tonmeister.evaluation.songs import load_song
from tonmeister.loading import load_multitrack


@pytest.fixture
def song_folder(tmp_path: Path) -> Path:
    tracks = band(2.0)
    write_folder(tmp_path / "song" / "raw", tracks)
    gains = dict(zip(tracks, (0.5, 1.0, 0.8, 0.3, 0.4, 1.2), strict=True))
    moved = {n: Audio(a.samples * g, a.sample_rate) for n, a in tracks.items() for g in [gains[n]]}
    write_folder(tmp_path / "song" / "post", moved)
    return tmp_path / "song"


def test_a_kept_score_is_the_same_score(song_folder: Path, tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "cache")
    song = load_song(song_folder, store=store)
    first = evaluate_balance([song], ["loudness"], store=store)
    again = evaluate_balance([load_song(song_folder, store=store)], ["loudness"], store=store)
    plain = evaluate_balance([load_song(song_folder)], ["loudness"])
    for name, scores in first.items():
        assert again[name]["song"] == scores["song"]
        assert plain[name]["song"] == scores["song"]


def test_what_is_kept_is_used_and_a_new_engine_costs_only_itself(song_folder: Path, tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "cache")
    song = load_song(song_folder, store=store)
    evaluate_balance([song], [], store=store)
    files = set(store.folder.iterdir())
    marked = 0
    for path in files:
        data = json.loads(path.read_text())
        if "mae_lu" in data:
            path.write_text(json.dumps(data | {"mae_lu": 99.0}))
            marked += 1
    assert marked == 4
    table = evaluate_balance([song], ["sum+loudness"], store=store)
    assert {table[n]["song"].mae_lu for n in ("sum", "loudness", "adaptive", "random")} == {99.0}
    assert table["sum+loudness"]["song"].mae_lu < 99.0
    assert len(set(store.folder.iterdir()) - files) == 1


def test_a_damaged_file_counts_as_not_there(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.put("key", {"a": 1})
    assert store.get("key") == {"a": 1}
    (tmp_path / "key.json").write_text("{")
    assert store.get("key") is None
    assert store.get("other") is None


def test_a_folder_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ScoreStore(tmp_path / "file" / "cache").put("key", 1)


def test_the_digest_of_a_song_follows_its_content(song_folder: Path, tmp_path: Path) -> None:
    raw = load_multitrack(song_folder / "raw")
    same = load_multitrack(song_folder / "raw")
    assert song_digest(raw) == song_digest(same)
    turned = dataclasses.replace(raw.tracks[0], input_gain_db=1.0)
    assert song_digest(raw) != song_digest(dataclasses.replace(raw, tracks=(turned, *raw.tracks[1:])))
    assert song_digest(raw) != song_digest(load_multitrack(song_folder / "post"))
    named = dataclasses.replace(raw.tracks[0], instrument="bass")
    assert song_digest(raw) != song_digest(dataclasses.replace(raw, tracks=(named, *raw.tracks[1:])))


def test_the_digest_of_an_engine_follows_its_options() -> None:
    plain = engine_digest("adaptive", {}, 0)
    assert plain == engine_digest("adaptive", {}, 0)
    assert plain != engine_digest("adaptive", {"adaptive": {"panner": "bands"}}, 0)
    assert plain == engine_digest("adaptive", {"sum": {"a": "b"}}, 0)
    assert plain != engine_digest("adaptive", {}, 1)
    assert plain != engine_digest("loudness", {}, 0)


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "tonmeister"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache_folder() == Path.home() / ".cache" / "tonmeister"


def test_raw_tracks_are_scrambled_only_when_asked(song_folder: Path) -> None:
    kept = load_song(song_folder, scramble_db=12, scramble_all=False)
    assert {t.input_gain_db for t in kept.multitrack.tracks} == {0.0}
    moved = load_song(song_folder, scramble_db=12)
    assert len({t.input_gain_db for t in moved.multitrack.tracks}) > 1


def test_the_page_has_all_baselines_and_the_human_spread(song_folder: Path) -> None:
    song = load_song(song_folder)
    table = evaluate_balance([song], [])
    page, data = balance_page(table, [song]), balance_to_dict(table, [song])
    assert {str(r[0]).removesuffix(" (baseline)") for r in page.sections[0].rows} == {
        "sum", "loudness", "adaptive", "random",
    }  # fmt: skip
    assert "human against human" in page.notes[0]
    assert set(data["engines"]["sum"]) >= {"mae_lu", "rms_lu", "rank_correlation", "songs", "interval_lu"}
    maes = [r[1] for r in page.sections[0].rows]
    assert maes == sorted(maes)  # type: ignore[type-var]


def test_an_engine_is_known_by_all_its_files() -> None:
    assert {"engine.py", "rules.toml", "numbers.toml", "balance.py"} <= {
        p.name for p in engine_files("textbook")
    }
    assert {"mixing.lp", "solve.py"} <= {p.name for p in engine_files("asp")}
    assert [p.name for p in engine_files("loudness")] == ["baselines.py"]
