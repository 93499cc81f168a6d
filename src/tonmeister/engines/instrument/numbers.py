"""The constants and spectra that belong to no class, each with its source in the files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tonmeister.units import DoubleArray

__all__ = ["class_spectrum_db", "contour_rows", "number", "spectrum_names"]

_HERE = Path(__file__).parent


def number(name: str) -> float:
    """The value called `name`."""
    return _numbers()[name]


@cache
def _numbers() -> Mapping[str, float]:
    return {record["id"]: float(record["value"]) for record in _read("numbers.toml")["value"]}


@cache
def contour_rows() -> DoubleArray:
    """Hertz, exponent, magnitude and threshold of the equal-loudness contours; shape (29, 4)."""
    return np.array(_read("iso226.toml")["contour"]["rows"], dtype=np.float64)


@cache
def class_spectrum_db(name: str) -> DoubleArray:
    """Third-octave spectrum of finished stems, dB re total power; shape (30,)."""
    return np.array(_read("spectra.toml")["spectrum"][name], dtype=np.float64)


@cache
def spectrum_names() -> tuple[str, ...]:
    """The spectra there are."""
    return tuple(_read("spectra.toml")["spectrum"])


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / file).read_text(encoding="utf-8"))
