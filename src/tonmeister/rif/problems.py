"""How a mistake in a rule document is told: file, line, column, the construct, the rule broken, what to do."""

from __future__ import annotations

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Position

__all__ = ["DEEPEST", "LARGEST_BYTES", "MOST_NODES", "problem", "refuse_size"]

LARGEST_BYTES = 4 << 20
"""A rule document is text that people write: four megabytes are a mistake or an attack."""
DEEPEST = 60
"""Levels of nesting."""
MOST_NODES = 100_000
"""Elements or tokens of one document."""


def problem(text: str, position: Position | None = None, origin: str = "") -> BadInputError:
    """``origin:line:column: text``."""
    where = f"{position.line}:{position.column}" if position else ""
    place = ":".join(part for part in (origin, where) if part)
    return BadInputError(f"{place}: {text}" if place else text)


def refuse_size(size: int, origin: str) -> None:
    """Raise if a document of `size` bytes is too large to be read."""
    if size > LARGEST_BYTES:
        raise problem(f"{size} bytes are too many: a rule document has at most {LARGEST_BYTES}", None, origin)
