"""Whether a stem is like those a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.engines.cited import cited_values
from tonmeister.units import DoubleArray

__all__ = ["Fit", "fit_to", "number", "numbers"]


def numbers(id: str) -> tuple[float, ...]:
    """The numbers of an entry of ``numbers.toml``."""
    return cited_values(__package__)[id].numbers


def number(id: str) -> float:
    """The number of an entry that has one."""
    (single,) = numbers(id)
    return single


@dataclass(frozen=True, slots=True)
class Fit:
    """How near a stem is to what was trained on."""

    outside: float
    """Share of the measures that lie outside the training range."""
    farthest: tuple[str, ...]
    """The measures that are farthest outside, at most three."""

    @property
    def amount(self) -> float:
        """1 inside, falling to a half between `domain.partly` and `domain.far`, 0 beyond."""
        partly, far = number("domain.partly"), number("domain.far")
        if self.outside >= far:
            return 0.0
        return 1.0 if self.outside <= partly else 1.0 - 0.5 * (self.outside - partly) / (far - partly)

    @property
    def text(self) -> str:
        """For a reason."""
        words = ", ".join(name.replace("_", " ").replace(".", " ") for name in self.farthest)
        told = f" ({words})" if words else ""
        return f"{self.outside:.0%} of its measures lie outside the training range{told}"


def fit_to(values: DoubleArray, ranges: Mapping[str, Sequence[float]]) -> Fit:
    """Compare measures (129,) with the 1st, 50th and 99th percentiles on a model's card."""
    margin = number("domain.margin")
    beyond: dict[str, float] = {}
    for name, value in zip(NAMES, values.tolist(), strict=True):
        low, _, high = ranges.get(name, (value, value, value))
        width = max(high - low, 1e-9)
        beyond[name] = max(low - value, value - high) / width
    outside = [n for n, b in beyond.items() if b > margin]
    farthest = sorted(outside, key=lambda n: -beyond[n])[:3]
    return Fit(len(outside) / len(NAMES), tuple(farthest))
