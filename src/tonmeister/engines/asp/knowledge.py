"""What the engine knows, read from the files beside it: rules, numbers, and what each kind of source wants.

Rules live in the ``.lp`` files, each with a block of comments that begins with ``%% name:``. Numbers stand in
``numbers.toml``, kinds of sources in ``classes.toml``; every entry names its source and grade.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.vocabulary import parents

__all__ = [
    "PROGRAM_FILES",
    "Kind",
    "KnownRule",
    "RoleLevel",
    "kind_of",
    "known_rules",
    "number",
    "numbers",
    "program_path",
    "role_level",
    "role_of",
    "role_step",
    "rule_names",
    "whole",
    "whole_kit",
]

PROGRAM_FILES: Final = ("mixing.lp", "levels.lp", "panorama.lp", "depth.lp", "equalization.lp")
_HERE: Final = Path(__file__).parent
_HEAD: Final = re.compile(r"^%% (\w+): (hard|preference (\d+) cost (\d+)), (\w+)$")
_FIELD: Final = re.compile(r"^%% (says|source|evidence|relax): (.+)$")


@dataclass(frozen=True, slots=True)
class KnownRule:
    """One rule of the knowledge base, for solver and reader."""

    name: str
    hard: bool
    about: str
    """``level``, ``pan``, ``depth`` or ``equalization``."""
    says: str
    source: str
    evidence: str
    relax: str = ""
    """What giving up a hard rule means, in words."""
    priority: int = 0
    cost: int = 0
    """Of a preference: its level of priority (higher is heeded first) and the cost per unit."""
    file: str = ""


def program_path() -> Path:
    """The file that includes all others."""
    return _HERE / PROGRAM_FILES[0]


@cache
def known_rules() -> Mapping[str, KnownRule]:
    """Every rule by its name, in the order of the files."""
    found = (rule for file in PROGRAM_FILES for rule in _rules_of(file))
    return {rule.name: rule for rule in found}


def _rules_of(file: str) -> Iterator[KnownRule]:
    lines = (_HERE / file).read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if head := _HEAD.match(line):
            name, kind, priority, cost, about = head.groups()
            fields = dict(_fields(lines, index + 1))
            yield KnownRule(
                name, kind == "hard", about, **fields, priority=int(priority or 0), cost=int(cost or 0), file=file
            )  # fmt: skip


def _fields(lines: list[str], start: int) -> Iterator[tuple[str, str]]:
    for line in lines[start:]:
        match = _FIELD.match(line)
        if match is None:
            return
        yield match[1], match[2]


def rule_names(text: str, what: str) -> frozenset[str]:
    """Rule names separated by commas; an unknown one is an error."""
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name not in known_rules():
            raise BadInputError(f"{what}={name!r}: there is no such rule{nearest(name, list(known_rules()))}")
    return names


# Numbers


@cache
def _numbers() -> Mapping[str, tuple[float, ...]]:
    data = tomllib.loads((_HERE / "numbers.toml").read_text(encoding="utf-8"))
    return {v["id"]: tuple(map(float, _listed(v["value"]))) for v in data["value"]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def numbers(name: str) -> tuple[float, ...]:
    """All numbers of an entry."""
    return _numbers()[name]


def number(name: str) -> float:
    """The number of an entry that has one."""
    (single,) = numbers(name)
    return single


def whole(name: str) -> int:
    """The number of an entry that counts something."""
    return round(number(name))


# Kinds of sources


@dataclass(frozen=True, slots=True)
class Kind:
    """What the tables want for an instrument, whatever its role."""

    level_lu: float | None
    """Against the lead, or against the whole kit; None leaves it to the role."""
    level_spread_lu: float
    """How much that differs between songs."""
    of_kit: bool
    """Whether the level is against the kit."""
    of_rest: bool
    """Whether it is part of the rest of the kit, which was measured as one."""
    level_class: str
    """The word of the table's row: tracks with one word share the level."""
    level_source: str
    at: int | None
    """One wanted spot on the panning scale..."""
    width: int
    """...or a distance from the center on either side."""
    width_of_several: int
    core: bool
    """Whether it is never panned."""
    place_source: str
    depth: int
    dry: bool
    """Whether it never goes to the room."""
    depth_source: str


@cache
def kind_of(instrument: str) -> Kind:
    """The rows for an instrument: its own, else those of the nearest word above it, else those of ``other``."""
    level_word, level = _row("level", instrument)
    _, place = _row("place", instrument)
    _, depth = _row("depth", instrument)
    width = int(place.get("width", 0))
    return Kind(
        level_lu=float(level["value"]) if level else None,
        level_spread_lu=float(level.get("spread", 0.0)),
        of_kit=level.get("relative_to") == "drums",
        of_rest=level.get("part") == "rest",
        level_class=level_word,
        level_source=level.get("source", ""),
        at=place.get("at"),
        width=width,
        width_of_several=int(place.get("width_of_several", width)),
        core=bool(place.get("core", False)),
        place_source=place["source"],
        depth=int(depth["value"]),
        dry=bool(depth.get("dry", False)),
        depth_source=depth["source"],
    )


@dataclass(frozen=True, slots=True)
class RoleLevel:
    """What a role says about a level."""

    level_lu: float
    spread_lu: float
    source: str


@cache
def role_level(row: str) -> RoleLevel:
    """Against the lead; `row` is a role, or ``lead voice``."""
    found = _tables()["role_level"][row]
    return RoleLevel(float(found["value"]), float(found["spread"]), str(found["source"]))


@cache
def whole_kit() -> RoleLevel:
    """The level of the kit as one, against the lead."""
    found = _tables()["level"]["whole kit"]
    return RoleLevel(float(found["value"]), float(found["spread"]), str(found["source"]))


@cache
def role_of(instrument: str, role: str) -> str:
    """The role, or, for a foreground track that holds the background by nature, that."""
    _, row = _row("acts_as", instrument)
    return str(row["value"]) if row and role == "foreground" else role


@cache
def role_step(role: str) -> RoleLevel:
    """Against equal loudness: the first guess for a track of that role."""
    found = _tables()["role_step"][role]
    return RoleLevel(float(found["value"]), float(found["spread"]), str(found["source"]))


def _row(table: str, instrument: str) -> tuple[str, Mapping[str, Any]]:
    rows = _tables()[table]
    word = next((w for w in (*parents(instrument), "other") if w in rows), "")
    return word, rows.get(word, {})


@cache
def _tables() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    data = tomllib.loads((_HERE / "classes.toml").read_text(encoding="utf-8"))
    return {
        table: {word: row for row in rows for word in row["classes"]}
        for table, rows in data.items()
        if table != "meta"
    }
