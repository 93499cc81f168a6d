"""The limits and the clockwork of the live desk (`limits.toml`), each number with its source."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["limit"]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("tonmeister.live").joinpath("limits.toml").read_text("utf-8"))


def limit(table: str, key: str) -> float:
    """One number, for example ``limit("fader", "rate_db_per_s")``."""
    return float(_data()[table][key])
