"""How the engine `instrument` reads its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tonmeister.units import Range

__all__ = ["InstrumentOptions", "MeterName", "Perspective"]

MeterName = Literal["auto", "bs1770", "iso226"]
Perspective = Literal["auto", "audience", "drummer"]
_PHON: Range = Range(40.0, 80.0, "phon")


@dataclass(frozen=True, slots=True)
class InstrumentOptions:
    """How the tables are read."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={
            "help": "faithful: levels before equalization, every track at its full target, as in the paper"
        },
    )
    meter: MeterName = field(
        default="auto",
        metadata={"help": "loudness by equal-loudness contours (iso226, which auto means) or by BS.1770"},
    )
    phon: float = field(
        default=70.0, metadata={"help": "loudness level of the contour, 40 to 80 phon (meter iso226)"}
    )
    kit_perspective: Perspective = field(
        default="auto",
        metadata={
            "help": "whose left the kit's left is (auto: as the overheads have the hi-hat, else audience)"
        },
    )
    table: str = field(default="", metadata={"help": "path of a table to use instead of the shipped one"})

    def __post_init__(self) -> None:
        _PHON.check("phon", self.phon)

    @property
    def improved(self) -> bool:
        return self.profile == "improved"

    @property
    def meter_name(self) -> Literal["bs1770", "iso226"]:
        """The meter in use."""
        return "iso226" if self.meter == "auto" else self.meter
