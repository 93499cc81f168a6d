"""A listening test without sound: a key, and files of answers as the page writes them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from tonmeister.evaluation.listening.answers import COLUMNS
from tonmeister.evaluation.listening.key import Condition, SongEntry, TestKey

ENGINES = ("sum", "textbook", "adaptive", "human")


def key_of(
    songs: int = 2, engines: Sequence[str] = ENGINES, criteria: Sequence[str] = ("Preference",)
) -> TestKey:
    entries = {f"s{n}": SongEntry(f"song {n}", 1.0, 25.0, 48000) for n in range(1, songs + 1)}
    conditions = {
        f"{song}-v{number}": Condition(song, engine, f"audio/{song}-v{number}.wav", 0.0, -23.0, -6.0)
        for song in entries
        for number, engine in enumerate(engines)
    }
    return TestKey("abc123", 0, tuple(criteria), entries, conditions)


def write_answers(
    path: Path, key: TestKey, score: Callable[[str, str], float], *, listener: str = "Ann", seed: int = 1
) -> Path:
    """Answers of one listener; `score` gets song and engine."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for criterion in key.criteria:
            for name, condition in key.conditions.items():
                row = {"test": key.test, "listener": listener, "seed": seed, "song": condition.song,
                       "criterion": criterion, "condition": name,
                       "score": score(condition.song, condition.engine), "comment": ""}  # fmt: skip
                writer.writerow(row)
    return path
