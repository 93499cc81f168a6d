"""What is asked of the solver of the engine `asp`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tonmeister.units import Range

__all__ = ["AspOptions"]

_MIXES: Range = Range(1, 16)
_SECONDS: Range = Range(0.1, 3600.0, "s")
_CONFLICTS: Range = Range(1, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class AspOptions:
    """What is asked of the solver."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={"help": "faithful: peak reference, levels and places only, as far as the paper is known"},
    )
    mixes: int = field(default=1, metadata={"help": "how many different mixes to find (1 to 16)"})
    take: int = field(default=1, metadata={"help": "which of them to use"})
    prefer: str = field(
        default="",
        metadata={"help": "wishes such as 'Guitar left; Kick louder than Bass', or a rule for clingo"},
    )
    forbid: str = field(default="", metadata={"help": "what must not be, in the same words"})
    rules: str = field(default="", metadata={"help": "path of a file with rules of your own (.lp)"})
    without: str = field(
        default="", metadata={"help": "rules to leave out, separated by commas (see 'tonmeister rules asp')"}
    )
    conflicts: int = field(
        default=20_000,
        metadata={"help": "conflicts after which the best answer found is taken, for each part"},
    )
    seconds: float = field(
        default=30.0,
        metadata={"help": "guard: stop after this time, although the result then depends on the machine"},
    )

    def __post_init__(self) -> None:
        _MIXES.check("mixes", self.mixes)
        Range(1, self.mixes).check("take", self.take)
        _SECONDS.check("seconds", self.seconds)
        _CONFLICTS.check("conflicts", self.conflicts)
