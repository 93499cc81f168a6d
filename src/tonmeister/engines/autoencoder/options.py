"""Options of the engine `autoencoder`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tonmeister.units import Range

__all__ = ["AutoencoderOptions"]

_AMOUNT = Range(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class AutoencoderOptions:
    """Which stems become what, and by which means."""

    via: Literal["network", "features"] = field(
        default="network",
        metadata={
            "help": "features: an equalizer and a compressor that meet predicted features, to be edited"
        },
    )
    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={"help": "faithful: spectrum for spectrum as in 2017; needs models of your own"},
    )
    amount: float = field(default=1.0, metadata={"help": "how much of what the networks say (0 to 1)"})
    groups: str = field(
        default="bass,guitar,vocals,keys", metadata={"help": "which stems are worked on, separated by commas"}
    )
    balance: Literal["textbook", "instrument", "loudness"] = field(
        default="textbook", metadata={"help": "whose levels and places, where no engine came before"}
    )
    models: str = field(
        default="",
        metadata={"help": "folder with stem-GROUP.onnx or stem-features.npz of your own (from `train stem`)"},
    )

    def __post_init__(self) -> None:
        _AMOUNT.check("amount", self.amount)
