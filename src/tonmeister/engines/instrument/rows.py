"""The rows of the table of classes, and how they are read and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tonmeister.dsp.filter_design import SHAPES, Shape
from tonmeister.effects.equalizer import EqSection
from tonmeister.engines.instrument.numbers import number, spectrum_names
from tonmeister.errors import BadInputError, nearest
from tonmeister.vocabulary import INSTRUMENTS, ROLES

__all__ = ["PAN_MODES", "ClassRow", "EqRow", "LevelRow", "PanRow", "Reader", "Source"]

PAN_MODES: Final = ("fixed", "place", "spread", "side", "keep")
EVIDENCE: Final = ("P", "Pa", "C", "S", "M", "R")
_SOURCE_KEYS: Final = ("evidence", "source", "use")
_LEVELS_LU: Final = (-60.0, 24.0)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row comes from."""

    evidence: str
    text: str


@dataclass(frozen=True, slots=True)
class LevelRow:
    """How loud a class is."""

    relative_to: str
    by_role: Mapping[str, float]
    spread_lu: float
    """How much it differs between songs."""
    rest: bool
    """Whether it is a part of what is neither kick nor snare, which was measured as one."""
    source: Source


@dataclass(frozen=True, slots=True)
class PanRow:
    """Where a class goes."""

    mode: str
    positions: tuple[float, ...]
    width: float
    lone: float
    kit: bool
    source: Source


@dataclass(frozen=True, slots=True)
class EqRow:
    """The coarse equalization of a class."""

    high_pass_hz: float | None
    sections: tuple[EqSection, ...]
    spectrum: str | None
    """The spectrum of finished stems that it leads to, if one is known."""
    source: Source


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class; None is taken from the parent."""

    name: str
    parent: str | None
    group: bool = False
    instruments: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    by_role: Mapping[str, str] = field(default_factory=dict)
    level: LevelRow | None = None
    pan: PanRow | None = None
    eq: EqRow | None = None


class Reader:
    """Checks values and says which file, key and rule a wrong one belongs to."""

    def __init__(self, file: str) -> None:
        self._file = file

    def error(self, key: str, text: str, rule: str = "") -> BadInputError:
        """A message that names file, key and, if there is one, the rule."""
        return BadInputError(f"{self._file}: {key}{text}{f' (rule {rule})' if rule else ''}")

    def missing(self, key: str, word: str, known: Iterable[str]) -> BadInputError:
        """A word that leads nowhere."""
        return self.error(
            key, f"={word!r} is not there{nearest(word, list(known))}: add it or correct the word"
        )

    def known(self, entry: Mapping[str, Any], keys: Collection[str], where: str, rule: str = "") -> None:
        """Refuse a key that nothing reads."""
        for key in entry:
            if key not in keys:
                hint = nearest(key, list(keys)) or f": use {', '.join(keys)}"
                raise self.error(f"{where}.{key}".lstrip("."), f" is not known{hint}", rule)

    def table(self, entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """A table that must be there."""
        value = entry.get(key)
        if not isinstance(value, dict):
            raise self.error(key, f"={value!r} is no table: write [{key}]")
        return value

    def one_of(self, key: str, value: object, words: Collection[str], rule: str = "") -> str:
        """A word of a list."""
        if not isinstance(value, str) or value not in words:
            hint = nearest(str(value), list(words)) or f": use one of {', '.join(words)}"
            raise self.error(key, f"={value!r} is not known{hint}", rule)
        return value

    def number(self, key: str, value: object, low: float, high: float, rule: str) -> float:
        """A number within bounds."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.error(key, f"={value!r} is out of range: give {low:g} to {high:g}", rule)
        return float(value)

    def row(self, name: str, entry: object) -> ClassRow:
        """One class."""
        where = f"class.{name}"
        if not isinstance(entry, dict):
            raise self.error(where, f"={entry!r} is no table: write [{where}]")
        self.known(
            entry,
            ("parent", "group", "instruments", "aliases", "by_role", "level", "pan", "eq"),
            where,
            f"instrument.{name}",
        )
        by_role = entry.get("by_role", {})
        for role in by_role:
            self.one_of(f"{where}.by_role", role, ROLES)
        return ClassRow(
            name=name,
            parent=entry.get("parent"),
            group=bool(entry.get("group", False)),
            instruments=tuple(
                self.one_of(f"{where}.instruments", word, INSTRUMENTS)
                for word in entry.get("instruments", ())
            ),
            aliases=tuple(map(str, entry.get("aliases", ()))),
            by_role=by_role,
            level=self._level(name, entry["level"]) if "level" in entry else None,
            pan=self._pan(name, entry["pan"]) if "pan" in entry else None,
            eq=self._eq(name, entry["eq"]) if "eq" in entry else None,
        )

    def shifts(self, meter: str, entry: Mapping[str, Any], classes: Collection[str]) -> dict[str, float]:
        """Corrections of one meter by class."""
        where = f"correction.{meter}"
        self._source(where, entry, "instrument.level")
        self.known(entry, (*classes, *_SOURCE_KEYS), where, "instrument.level")
        return {
            name: self.number(f"{where}.{name}", value, -24.0, 24.0, f"instrument.level.{name}")
            for name, value in entry.items()
            if name not in _SOURCE_KEYS
        }

    def _source(self, where: str, entry: Mapping[str, Any], rule: str) -> Source:
        for key in ("evidence", "source"):
            if not isinstance(entry.get(key), str) or not entry[key]:
                raise self.error(f"{where}.{key}", " is missing: say where the row comes from", rule)
        return Source(self.one_of(f"{where}.evidence", entry["evidence"], EVIDENCE, rule), entry["source"])

    def _level(self, name: str, entry: Mapping[str, Any]) -> LevelRow:
        where, rule = f"class.{name}.level", f"instrument.level.{name}"
        self.known(entry, ("relative_to", "target_lu", "spread", "part", *_SOURCE_KEYS), where, rule)
        target = entry.get("target_lu")
        by_role = target if isinstance(target, dict) else dict.fromkeys(ROLES, target)
        for role in (*by_role, *ROLES):
            self.one_of(f"{where}.target_lu", role, ROLES, rule)
        levels = {
            role: self.number(f"{where}.target_lu", by_role.get(role), *_LEVELS_LU, rule) for role in ROLES
        }
        spread_lu = self.number(f"{where}.spread", entry.get("spread", 0.0), 0.0, 24.0, rule)
        rest = "part" in entry and self.one_of(f"{where}.part", entry["part"], ("rest",), rule) == "rest"
        source = self._source(where, entry, rule)
        return LevelRow(str(entry.get("relative_to")), levels, spread_lu, rest, source)

    def _pan(self, name: str, entry: Mapping[str, Any]) -> PanRow:
        where, rule = f"class.{name}.pan", f"instrument.pan.{name}"
        self.known(
            entry, ("mode", "position", "positions", "width", "lone", "kit", *_SOURCE_KEYS), where, rule
        )
        positions = entry.get("positions", [entry.get("position", 0.0)])
        return PanRow(
            mode=self.one_of(f"{where}.mode", entry.get("mode"), PAN_MODES, rule),
            positions=tuple(self.number(f"{where}.position", p, -1.0, 1.0, rule) for p in positions),
            width=self.number(f"{where}.width", entry.get("width", 0.0), 0.0, 1.0, rule),
            lone=self.number(f"{where}.lone", entry.get("lone", 0.0), 0.0, 1.0, rule),
            kit=bool(entry.get("kit", False)),
            source=self._source(where, entry, rule),
        )

    def _eq(self, name: str, entry: Mapping[str, Any]) -> EqRow:
        where, rule = f"class.{name}.eq", f"instrument.eq.{name}"
        self.known(entry, ("high_pass_hz", "sections", "spectrum", *_SOURCE_KEYS), where, rule)
        sections = entry.get("sections", [])
        if len(sections) > number("eq.most_sections"):
            raise self.error(
                f"{where}.sections",
                f" holds {len(sections)}: coarse is {number('eq.most_sections'):g} at most",
                rule,
            )
        high_pass = entry.get("high_pass_hz")
        spectrum = entry.get("spectrum")
        return EqRow(
            high_pass_hz=None
            if high_pass is None
            else self.number(f"{where}.high_pass_hz", high_pass, 10.0, 1000.0, rule),
            sections=tuple(self._section(f"{where}.sections", section, rule) for section in sections),
            spectrum=None
            if spectrum is None
            else self.one_of(f"{where}.spectrum", spectrum, spectrum_names(), rule),
            source=self._source(where, entry, rule),
        )

    def _section(self, where: str, entry: Mapping[str, Any], rule: str) -> EqSection:
        self.known(entry, ("shape", "hz", "q", "db"), where, rule)
        shapes = [shape for shape in SHAPES if "pass" not in shape]
        shape: Any = self.one_of(f"{where}.shape", entry.get("shape"), shapes, rule)
        most_db = number("eq.most_db")
        made: Shape = shape
        return EqSection(
            shape=made,
            frequency_hz=self.number(f"{where}.hz", entry.get("hz"), 20.0, 20000.0, rule),
            gain_db=self.number(f"{where}.db", entry.get("db"), -most_db, most_db, rule),
            q=self.number(f"{where}.q", entry.get("q"), 0.1, number("eq.most_q"), rule),
        )
