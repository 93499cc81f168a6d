"""How good a separator is expected to be, for what is decided on its tracks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from tonmeister.separation.streaming import StreamingSeparator

__all__ = ["expected_sdr"]


def expected_sdr(separator: StreamingSeparator) -> Mapping[str, float]:
    """Median SDR, dB, by track: what the estimator says of itself (``expected_sdr_db``), else what was measured here."""
    said: Mapping[str, float] | None = getattr(separator.estimator, "expected_sdr_db", None)
    return said if said is not None else _measured().get(separator.name, {})


@cache
def _measured() -> Mapping[str, Mapping[str, float]]:
    text = files("tonmeister.separation").joinpath("expected.toml").read_text(encoding="utf-8")
    return {name: dict(tracks) for name, tracks in tomllib.loads(text).items()}
