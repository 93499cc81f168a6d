"""The constants of identification, each with its source in the file beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["number"]


def number(name: str) -> float:
    """The value called `name`."""
    return _numbers()[name]


@cache
def _numbers() -> Mapping[str, float]:
    data = tomllib.loads(Path(__file__).with_name("numbers.toml").read_text(encoding="utf-8"))
    return {record["id"]: float(record["value"]) for record in data["value"]}
