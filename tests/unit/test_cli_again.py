"""The call on a model's card makes the same call again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from tonmeister.cli import options as given
from tonmeister.cli.again import call_again

_told: list[str] = []
_seen: list[dict[str, Any]] = []


@click.group()
def program() -> None:
    pass


@program.group()
def train() -> None:
    pass


@train.command("thing")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--font", "fonts", type=click.Path(path_type=Path), multiple=True)
@click.option("--songs", type=int, default=7)
@click.option("--rate", type=float, default=0.5)
@click.option("--name", type=str)
@click.option("--quick", is_flag=True)
@click.option("--rooms/--no-rooms", default=True)
@click.option("--cache", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path))
@given.common
def thing(settings: dict[str, Any], **asked: Any) -> None:
    _told.append(call_again())
    _seen.append({k: v for k, v in asked.items() if k != "cache"})


def _call(*words: str) -> tuple[str, dict[str, Any]]:
    result = CliRunner().invoke(program, ["train", "thing", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return _told[-1], _seen[-1]


def test_the_call_made_again_is_the_same_call() -> None:
    words = (
        "in",
        "--font",
        "A b.sf2",
        "--font",
        "c.sf2",
        "--name",
        "it's",
        "--quick",
        "--no-rooms",
        "-o",
        "m.onnx",
    )
    told, seen = _call(*words, "--cache", "somewhere", "--quiet")
    assert told.startswith("tonmeister train thing ")
    assert "--songs 7" in told
    assert "somewhere" not in told
    assert "quiet" not in told
    again, seen_again = _call(*shlex.split(told)[3:])
    assert again == told
    assert seen_again == seen


def test_files_are_told_by_their_names() -> None:
    told, _ = _call(
        "/home/me/songs", "--font", "/usr/share/A.sf2", "-o", "/tmp/m.onnx", "--name", "/home/me/base.onnx"
    )
    assert "/home" not in told
    assert "/usr" not in told
    assert "--font A.sf2" in told
    assert "--name base.onnx" in told  # a name or a file, as some options take
    assert "--output m.onnx" in told
    assert "songs" in shlex.split(told)
