"""How the engine `expert` decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ExpertOptions"]


@dataclass(frozen=True, slots=True)
class ExpertOptions:
    """How the network is read."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={"help": "faithful: hard findings, no soundcheck levels, no hysteresis, no cost of moves"},
    )
    model: str = field(
        default="",
        metadata={
            "help": "path of a model (.json, .bif, other formats with the extra expert) or of rules (.toml)"
        },
    )
    sections: str = field(
        default="",
        metadata={"help": "where the parts begin: 'verse 0, chorus 32.5', or a label file; '' finds them"},
    )
    choose: Literal["mean", "utility"] = field(
        default="mean",
        metadata={"help": "faders at the posterior's mean, or at the step of the highest expected utility"},
    )
    delivery: Literal["unknown", "streaming", "broadcast", "stage"] = field(
        default="unknown", metadata={"help": "where the mix goes, if that is known"}
    )
    moves: bool = field(
        default=True, metadata={"help": "let faders move from section to section; no: one level for the song"}
    )
