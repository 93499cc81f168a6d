"""The table of classes: read, checked, and with what a class leaves out taken from its parent."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.instrument.rows import ClassRow, EqRow, LevelRow, PanRow, Reader
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import parents

__all__ = ["FALLBACK", "LEAD", "SHIPPED", "ClassTable", "load_table"]

SHIPPED: Final = Path(__file__).with_name("instrument.toml")
FALLBACK: Final = "other"
LEAD: Final = "lead"
METERS: Final = ("bs1770", "iso226")
_SCHEMA: Final = 1
_LARGEST_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class ClassTable:
    """Every class by name, in the order of the file."""

    file: str
    status: str
    version: int
    meter: str
    rows: Mapping[str, ClassRow]
    corrections: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Meter -> class -> what it reads there minus what it reads on `meter`."""

    def lineage(self, name: str) -> Iterator[ClassRow]:
        """The class, its ancestors, and at last the class ``other``."""
        seen = []
        current: str | None = name
        while current is not None:
            seen.append(current)
            yield self.rows[current]
            current = self.rows[current].parent
        if FALLBACK not in seen:
            yield self.rows[FALLBACK]

    def level(self, name: str) -> LevelRow:
        """The level row of a class, inherited if need be."""
        return next(row.level for row in self.lineage(name) if row.level is not None)

    def pan(self, name: str) -> PanRow:
        """The pan row of a class, inherited if need be."""
        return next(row.pan for row in self.lineage(name) if row.pan is not None)

    def eq(self, name: str) -> EqRow:
        """The equalization of a class, inherited if need be."""
        return next(row.eq for row in self.lineage(name) if row.eq is not None)

    def group_of(self, name: str) -> str | None:
        """The group a class is mixed in, or None."""
        return next((row.name for row in self.lineage(name) if row.group), None)

    def class_of_instrument(self, instrument: str) -> str | None:
        """The class that has the instrument, or the nearest word above it."""
        for word in parents(instrument):
            for row in self.rows.values():
                if word in row.instruments:
                    return row.name
        return None

    def aliases(self) -> Mapping[str, str]:
        """Alias -> class."""
        return {alias: row.name for row in self.rows.values() for alias in row.aliases}

    def correction(self, name: str, meter: str) -> float:
        """By how much the loudness of a class on `meter` differs from that on the table's own, re the lead, LU."""
        if meter == self.meter:
            return 0.0
        shifts = self.corrections[meter]
        return next(shifts[row.name] for row in self.lineage(name) if row.name in shifts)

    def for_meter(self, meter: str) -> ClassTable:
        """The table, if its levels mean anything on this meter; a mismatch would raise the bass by 6 to 8 dB."""
        if meter != self.meter and meter not in self.corrections:
            raise BadInputError(
                f"{self.file}: meter={self.meter!r}, but the meter in use is {meter!r} and there is no "
                f"[correction.{meter}]: give --option meter={self.meter}, or add the corrections "
                "(rule instrument.level)"
            )
        return self


@cache
def load_table(path: Path = SHIPPED) -> ClassTable:
    """Read a table; raises `BadInputError` naming file, key and rule for anything that cannot be meant."""
    data = _parsed(path)
    reader = Reader(path.name)
    reader.known(data, ("meta", "correction", "class"), "")
    meta = reader.table(data, "meta")
    reader.known(meta, ("schema", "status", "version", "document", "meter"), "meta")
    if meta.get("schema") != _SCHEMA:
        raise reader.error(
            "meta.schema", f"={meta.get('schema')!r} is not the schema {_SCHEMA} of this version"
        )
    meter = reader.one_of("meta.meter", meta.get("meter"), METERS)
    rows = {name: reader.row(name, entry) for name, entry in reader.table(data, "class").items()}
    table = ClassTable(
        path.name,
        reader.one_of("meta.status", meta.get("status"), ("substitute", "published", "own")),
        int(meta.get("version", 1)),
        meter,
        rows,
        {name: reader.shifts(name, entry, rows) for name, entry in data.get("correction", {}).items()},
    )
    _check_tree(table, reader)
    return table


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise BadInputError(f"{path}: larger than 1 MiB, which no table of classes is: shorten it")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(f"{path}: is not valid TOML ({error}): correct that line") from None


def _check_tree(table: ClassTable, reader: Reader) -> None:
    """Parents exist and do not go round, ``other`` has everything, references lead somewhere."""
    fallback = table.rows.get(FALLBACK)
    if fallback is None or None in (fallback.level, fallback.pan, fallback.eq):
        raise reader.error(f"class.{FALLBACK}", " needs level, pan and eq: every class falls back to it")
    for name, row in table.rows.items():
        if row.parent is not None and row.parent not in table.rows:
            raise reader.missing(f"class.{name}.parent", row.parent, table.rows)
        _check_cycle(table, name, reader)
        for role, other in row.by_role.items():
            if other not in table.rows:
                raise reader.missing(f"class.{name}.by_role.{role}", other, table.rows)
    groups = [row.name for row in table.rows.values() if row.group]
    for name in table.rows:
        reference = table.level(name).relative_to
        if reference not in (LEAD, *groups):
            raise reader.missing(f"class.{name}.level.relative_to", reference, (LEAD, *groups))
    for meter, shifts in table.corrections.items():
        reader.one_of("correction", meter, METERS)
        if FALLBACK not in shifts:
            raise reader.error(f"correction.{meter}", f" needs a value for {FALLBACK!r}")


def _check_cycle(table: ClassTable, name: str, reader: Reader) -> None:
    seen = [name]
    while (parent := table.rows[seen[-1]].parent) is not None and parent in table.rows:
        if parent in seen:
            round_trip = " > ".join((*seen, parent))
            raise reader.error(f"class.{name}.parent", f"={parent!r} leads in a circle ({round_trip})")
        seen.append(parent)
