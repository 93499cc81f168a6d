"""What the engine `adaptive` leaves to its user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tonmeister.units import Range

__all__ = ["AdaptiveOptions"]

_LEAD_BOOST = Range(-24.0, 24.0, "dB")
_WIDTH = Range(0.0, 10.0)


@dataclass(frozen=True, slots=True)
class AdaptiveOptions:
    """What the low-level mixer leaves to its user."""

    lead_boost_db: float = field(
        default=2.0, metadata={"help": "leads above the average, dB (Mansbridge, Finn & Reiss 2012: 2)"}
    )
    panner: Literal["centroid", "bands", "none"] = field(
        default="centroid",
        metadata={"help": "pan by spectral centroid (Mansbridge 2012), by dominant bands "
                          "(Perez Gonzalez 2010), or not at all: centroid, bands, none"},
    )  # fmt: skip
    width: float = field(
        default=5.0, metadata={"help": "width of the centroid panner, 0 to 10 (Mansbridge 2012: 5)"}
    )
    balance: bool = field(
        default=True, metadata={"help": "even out left and right after panning by centroid (Mansbridge 2012)"}
    )
    bank: Literal["first", "second"] = field(
        default="first", metadata={"help": "filter bank of the bands panner: first, second"}
    )
    compressor: bool = field(
        default=False, metadata={"help": "compress with times from the crest factor (Giannoulis 2013)"}
    )
    equalizer: bool = field(
        default=False, metadata={"help": "bring octaves toward equal loudness (Perez Gonzalez 2009)"}
    )

    def __post_init__(self) -> None:
        _LEAD_BOOST.check("lead_boost_db", self.lead_boost_db)
        _WIDTH.check("width", self.width)
