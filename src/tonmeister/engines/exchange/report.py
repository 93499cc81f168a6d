"""What became of the rules on their way from one language to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Exchanged", "LeftOut", "Unsayable"]

_T = TypeVar("_T")


class Unsayable(Exception):  # noqa: N818 - never leaves this package
    """A rule, or a part of it, that the other language has no words for."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule that was not taken over, or only in part."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exchanged(Generic[_T]):
    """The rules in their new language: `result` is a document or a text; the names of those kept; what is missing."""

    result: _T
    kept: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
