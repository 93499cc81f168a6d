"""What the engine `jazz` leaves to its user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from tonmeister.errors import BadInputError, nearest

__all__ = ["BLOCKS", "JazzOptions"]

BLOCKS: Final = ("hps", "camts", "caeq", "cadsp", "ae", "tfsp")
"""Blocks of the chain of 2015, in its order."""


@dataclass(frozen=True, slots=True)
class JazzOptions:
    """Who plays the solo, how the network's answer is read, which blocks work beside it."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={
            "help": "improved weighs frames by energy and stays silent when unsure; faithful is as published"
        },
    )
    solo: str = field(
        default="",
        metadata={"help": "name of the soloist's track (default: 'solo', else the lead, else the busiest)"},
    )
    blocks: str = field(
        default="",
        metadata={"help": "blocks of the 2015 chain, with commas: hps, camts, caeq, cadsp, ae, tfsp; or all"},
    )
    style: Literal["none", "early-jazz"] = field(
        default="none", metadata={"help": "early-jazz turns all blocks on: for old mono recordings"}
    )
    model: str = field(
        default="jazz-pan",
        metadata={"help": "network that decides: a shipped one or a file (.onnx, or .npz as published)"},
    )

    def __post_init__(self) -> None:
        for name in self.chosen:
            if name not in BLOCKS:
                raise BadInputError(
                    f"blocks={self.blocks!r}: {name!r} is not a block{nearest(name, list(BLOCKS))}: "
                    f"give some of {', '.join(BLOCKS)}, or all"
                )

    @property
    def chosen(self) -> tuple[str, ...]:
        """The blocks that work."""
        if self.style == "early-jazz" or self.blocks.strip().casefold() == "all":
            return BLOCKS
        return tuple(word.strip().casefold() for word in self.blocks.split(",") if word.strip())
