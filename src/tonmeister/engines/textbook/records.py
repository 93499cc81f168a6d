"""What a rule is: words of the rule language, actions, rules, and findings about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tonmeister.engines.textbook.expressions import Expression
from tonmeister.engines.textbook.parameters import PROCESSORS
from tonmeister.vocabulary import INSTRUMENTS, ROLES, parents

__all__ = ["EVIDENCE", "PROFILES", "STAGES", "TAGS", "TIMES", "Action", "Finding", "Rule"]

STAGES: Final = ("tags", "high_pass", "dynamics", "tone", "balance", "pan", "drum_bus", "mix_bus", "space")
"""The order in which a mix is decided."""

EVIDENCE: Final[Mapping[str, float]] = {
    "P": 0.9, "C": 0.9, "Pa": 0.7, "S": 0.7, "M": 0.8, "R": 0.5, "R?": 0.4,
}  # fmt: skip
"""Grade -> confidence: paper, code, abstract, secondary, measured, reconstruction, unchecked recollection."""

PROFILES: Final = ("improved", "faithful")
SECTIONS: Final = ("single", "several")
TAGS: Final[Mapping[str, tuple[str, ...] | None]] = {
    "instrument": INSTRUMENTS,
    "role": ROLES,
    "genre": None,
    "kind": None,
    "section": SECTIONS,
    "processor": PROCESSORS,
}
"""Tag lists a rule may have, and the closed list of words of each (None: any word)."""

TIMES: Final[Mapping[str, float]] = {"tau": 1.0, "63": 1.0, "10-90": 1.0 / 2.2}
"""Definition of a time constant -> factor to tau. The 10 to 90 % time of a one-pole smoother is ln 9 = 2.2 tau."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a rule does: a verb, what it is done to, and how much."""

    verb: str
    target: str
    amount: Expression | None = None
    """Value of ``set`` (in the parameter's unit) or position of ``pan``."""
    level_db: float = 0.0
    """Decibels of ``offset`` and ``word``."""
    time: str = "tau"
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of mixing knowledge with its source."""

    id: str
    source: str
    evidence: str
    stage: str
    comment: str
    tags: Mapping[str, tuple[str, ...]]
    when: tuple[Expression, ...]
    do: tuple[Action, ...]
    profiles: tuple[str, ...] = PROFILES
    disputed: bool = False
    """Contradicted by later studies: shipped for the record, off."""
    position: int = 0

    @property
    def confidence(self) -> float:
        """How far the grade of the evidence carries, 0 to 1."""
        return EVIDENCE[self.evidence]

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Sort key: stage, number of tag lists, depth of the instrument, position in the file."""
        depth = max((len(parents(i)) for i in self.tags["instrument"]), default=0)
        named = sum(1 for key, words in self.tags.items() if words and key != "processor")
        return STAGES.index(self.stage), named + bool(self.tags["processor"]), depth, self.position

    @property
    def reads(self) -> frozenset[str]:
        """Every measured name the rule reads."""
        expressions = [*self.when, *(a.amount for a in self.do if a.amount is not None)]
        return frozenset().union(*(e.reads for e in expressions))

    @property
    def targets(self) -> frozenset[str]:
        """What its ``set`` actions decide alone (EQ sections add up and are not among them)."""
        return frozenset(a.target for a in self.do if a.verb == "set" and a.target != "equalizer.section_db")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `RuleSet.check` noticed: an ``error`` (the file does not load) or a ``note``."""

    severity: str
    rule: str
    text: str
