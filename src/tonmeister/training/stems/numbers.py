"""The numbers of ``stems.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["stem_numbers"]


def stem_numbers(table: str) -> Mapping[str, Any]:
    """One table of the file."""
    found: Mapping[str, Any] = _file()[table]
    return found


@lru_cache(maxsize=1)
def _file() -> Mapping[str, Any]:
    text = files("tonmeister.training.stems").joinpath("stems.toml").read_text("utf-8")
    return tomllib.loads(text)
