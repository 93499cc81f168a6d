"""How the rules of the engine `semantic` are chosen and read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["SemanticOptions"]


@dataclass(frozen=True, slots=True)
class SemanticOptions:
    """Which rules, for which system."""

    rules: str = field(
        default="",
        metadata={
            "help": "path of a rule document or of a folder of them (RIF) instead of the shipped library"
        },
    )
    capabilities: str = field(
        default="",
        metadata={
            "help": "path of a capability file (Turtle): only rules that this system can carry out are used"
        },
    )
    profile: Literal["improved", "faithful"] = field(
        default="improved",
        metadata={
            "help": "faithful: what rules set is set, and nothing else; no inequalities, no relative levels"
        },
    )
