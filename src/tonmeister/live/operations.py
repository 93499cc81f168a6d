"""The operation log: every move at the desk as a line of JSON, as it happens.

``operations.jsonl`` is what learning reads. The first line says the format; then one object a line: ``t_s`` (seconds of
the performance), ``strip``, ``control`` (``fader_db``, ``pan``, ``mute``, ``send_db:<bus>``), ``value``, and ``touch`` for
what a person did (true while the hand is on it, false when it is let go) or ``by`` for what a machine did.
``desk.jsonl`` beside it holds the rest: why, and what the desk itself did and said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

from tonmeister.decisions import AddSend, Decision, Mute, SetGain, SetPan
from tonmeister.errors import OutputError

__all__ = ["DESK", "OPERATIONS", "OperationLog", "control_name", "value_of", "with_value"]

FORMAT: Final = "tonmeister-oplog"
OPERATIONS: Final = "operations.jsonl"
DESK: Final = "desk.jsonl"


def control_name(decision: Decision) -> str:
    """What the log calls the control that a decision moves."""
    match decision:
        case SetGain():
            return "fader_db"
        case SetPan():
            return "pan"
        case Mute():
            return "mute"
        case AddSend(to=to):
            return f"send_db:{to}"
        case _:
            raise TypeError(f"{type(decision).__name__} is no live decision")


def value_of(decision: Decision) -> float:
    """The number a live decision puts a control to; 1 for muted."""
    match decision:
        case SetGain(gain_db=value) | SetPan(pan=value) | AddSend(gain_db=value):
            return value
        case Mute(muted=muted):
            return float(muted)
        case _:
            raise TypeError(f"{type(decision).__name__} is no live decision")


def with_value(decision: Decision, value: float) -> Decision:
    """The same live decision with another number; a mute stays what it is."""
    match decision:
        case SetGain() | AddSend():
            return replace(decision, gain_db=value)
        case SetPan():
            return replace(decision, pan=value)
        case _:
            return decision


class OperationLog:
    """Writes both files into a folder; without one it only takes note. Use it in a ``with`` statement."""

    def __init__(self, folder: Path | None, strips: Sequence[str], *, operator: str = "anon-1") -> None:
        self._folder = folder
        self._operations: TextIO | None = None
        self._desk: TextIO | None = None
        self._head = {
            "format": FORMAT,
            "schema_version": 1,
            "clock": "performance_s",
            "operator": operator,
            "strips": list(strips),
        }

    def __enter__(self) -> OperationLog:
        if self._folder is not None:
            try:
                self._operations = (self._folder / OPERATIONS).open("x", encoding="utf-8")
                self._desk = (self._folder / DESK).open("x", encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{self._folder}: cannot be written to ({error.strerror})") from None
            _put(self._operations, self._head)
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._operations, self._desk):
            if file is not None:
                file.close()

    def moved(self, time_s: float, decision: Decision) -> None:
        """An engine has moved a control, for a reason."""
        where = {"strip": decision.strip, "control": control_name(decision)}
        line = {"t_s": round(time_s, 6), **where, "value": value_of(decision), "by": decision.by}
        _put(self._operations, line)
        _put(self._desk, {**line, "reason": decision.reason.text})

    def touched(self, time_s: float, decision: Decision) -> None:
        """A person has moved a control."""
        line = {"strip": decision.strip, "control": control_name(decision), "value": value_of(decision)}
        _put(self._operations, {"t_s": round(time_s, 6), **line, "touch": True})

    def released(self, time_s: float, strip: str, control: str) -> None:
        """A person has let go of a control."""
        _put(
            self._operations,
            {"t_s": round(time_s, 6), "strip": strip, "control": control, "touch": False},
        )

    def said(self, time_s: float, text: str) -> None:
        """The desk has done or said something."""
        _put(self._desk, {"t_s": round(time_s, 6), "text": text})


def _put(file: TextIO | None, line: dict[str, Any]) -> None:
    """A line that is on the disk at once."""
    if file is not None:
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
