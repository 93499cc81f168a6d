"""From a measured number to a finding: membership of the two nearest bin centers.

    lambda_j = (c_{j+1} - x) / (c_{j+1} - c_j),   lambda_{j+1} = 1 - lambda_j,   elsewhere a small floor

so that a level at the edge of a bin does not chatter. What could not be measured (NaN) is no finding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.engines.expert.network import Node
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["FLOOR", "Bins", "Finding", "hard", "hardened", "likelihood", "soft"]

FLOOR: Final = 1e-3
"""Likelihood of the states a number does not lie beside."""

Finding = str | float | Sequence[float]
"""A state's name, a measured number, or a likelihood per state."""


@dataclass(frozen=True, slots=True)
class Bins:
    """How a measured number is read as states of a node."""

    node: str
    feature: str
    """Name of the measurement, with its unit."""
    centers: tuple[float, ...]
    source: str = ""
    grade: str = "R"

    def __post_init__(self) -> None:
        rising = all(b > a for a, b in zip(self.centers, self.centers[1:], strict=False))
        if len(self.centers) < 2 or not rising or not all(map(math.isfinite, self.centers)):
            raise BadInputError(f"{self.node}: centers={self.centers!r} must be two or more rising numbers")

    def soft(self, value: float) -> DoubleArray | None:
        """Likelihood per state, shape (states,); None for NaN."""
        return None if math.isnan(value) else soft(value, self.centers)


def soft(value: float, centers: Sequence[float]) -> DoubleArray:
    """Triangular membership of `value` between the neighbors among `centers`, shape (centers,)."""
    result = np.full(len(centers), FLOOR)
    inside = min(max(value, centers[0]), centers[-1])
    upper = min(max(int(np.searchsorted(centers, inside, side="right")), 1), len(centers) - 1)
    share = (inside - centers[upper - 1]) / (centers[upper] - centers[upper - 1])
    result[upper - 1] = max(1.0 - share, FLOOR)
    result[upper] = max(share, FLOOR)
    return result


def hard(node: Node, state: str) -> DoubleArray:
    """Certainty of one state, shape (states,)."""
    found = np.zeros(len(node.states))
    found[node.index(state)] = 1.0
    return found


def hardened(found: DoubleArray) -> DoubleArray:
    """A soft finding as certainty of its likeliest state (the profile ``faithful``)."""
    result = np.zeros_like(found)
    np.put_along_axis(result, np.argmax(found, axis=-1)[..., None], 1.0, axis=-1)
    return result


def likelihood(node: Node, finding: Finding, bins: Bins | None) -> DoubleArray | None:
    """A finding as a likelihood per state, shape (states,); None where nothing is known."""
    if isinstance(finding, str):
        return hard(node, finding)
    if isinstance(finding, (int, float)):
        if bins is None:
            raise BadInputError(f"{node.name}={finding!r}: it has no scale of numbers, give a state")
        return bins.soft(float(finding))
    found = np.asarray(finding, dtype=np.float64)
    if found.shape != (len(node.states),) or not np.isfinite(found).all() or (found < 0.0).any():
        raise BadInputError(f"{node.name}: a likelihood needs {len(node.states)} numbers, none negative")
    if not found.any():
        raise BadInputError(
            f"{node.name}: a finding that excludes every state: at least one must be possible"
        )
    return found
