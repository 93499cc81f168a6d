"""How the rules of the engine `textbook` are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Edition", "TextbookOptions"]

Edition = Literal["median", "Coryat", "Gibson", "Izhaki", "White"]


@dataclass(frozen=True, slots=True)
class TextbookOptions:
    """How the rules are read."""

    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={"help": "faithful: as in the paper, without reverb, targets from mix studies, and guards"},
    )
    features: Literal["aes", "jarp"] = field(
        default="aes",
        metadata={"help": "jarp: rules may read peak and RMS only, as in the first version of the system"},
    )
    edition: Edition = field(
        default="median",
        metadata={"help": "whose chart says which band a word means (median: of all authors)"},
    )
    rules: str = field(default="", metadata={"help": "path of a rule file to use instead of the shipped one"})
    without: str = field(
        default="",
        metadata={"help": "rules to leave out: ids, grades (R?) or parts of sources, separated by commas"},
    )
