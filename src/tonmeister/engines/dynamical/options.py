"""Options of the engine `dynamical`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tonmeister.units import Range

__all__ = ["DynamicalOptions"]

_SMOOTHNESS = Range(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class DynamicalOptions:
    """What the rides follow and how calm they are."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={"help": "improved: both ways in time, limited in range and speed; faithful: as learned"},
    )
    model: str = field(
        default="dynamical",
        metadata={"help": "name of a shipped model, or a .npz file from `train dynamical`"},
    )
    smoothness: float = field(
        default=0.5, metadata={"help": "0 follows the model closely, 1 hardly moves (0 to 1)"}
    )

    def __post_init__(self) -> None:
        _SMOOTHNESS.check("smoothness", self.smoothness)
