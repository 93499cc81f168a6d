"""The limits of the report (`numbers.toml`), each with its source."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["number"]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("tonmeister.evaluation").joinpath("numbers.toml").read_text("utf-8"))


def number(table: str, key: str) -> float:
    """One number, for example ``number("side_share", "near_mono")``."""
    return float(_data()[table][key])
