"""Options of the engine `predict`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tonmeister.units import Range

__all__ = ["PredictOptions"]

_TAKES = Range(1, 1000)
_SHARE = Range(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """Which take, and how sure a move must be."""

    take: int = field(
        default=1,
        metadata={"help": "1 is the most probable console; others are drawn from what is left open"},
    )
    mixes: int = field(default=1, metadata={"help": "how many takes 'decide' makes"})
    confidence: float = field(
        default=0.2, metadata={"help": "moves less sure than this are left out (0 to 1)"}
    )
    model: str = field(
        default="predict",
        metadata={"help": "name of a shipped model, or an .onnx file from `train predict`"},
    )

    def __post_init__(self) -> None:
        _TAKES.check("take", self.take)
        _TAKES.check("mixes", self.mixes)
        _SHARE.check("confidence", self.confidence)
