"""Options of the baseline engines."""

from __future__ import annotations

from dataclasses import dataclass, field

from tonmeister.units import Range

__all__ = ["LoudnessOptions", "SumOptions"]

_TARGET: Range = Range(-70.0, 0.0, "LUFS")


@dataclass(frozen=True, slots=True)
class SumOptions:
    """The sum has nothing to choose."""


@dataclass(frozen=True, slots=True)
class LoudnessOptions:
    """What equal loudness aims at."""

    target: float = field(
        default=-23.0, metadata={"help": "loudness of the whole mix in LUFS (default: EBU R 128)"}
    )

    def __post_init__(self) -> None:
        _TARGET.check("target", self.target)
