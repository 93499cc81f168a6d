"""The operation log: what an engineer's hands did, as JSON lines; read strictly, because it teaches.

The first line names the format and the strips; then one object a line, in the order of time: ``t_s``, ``strip``,
``control``, ``value`` and ``touch`` (true while the hand is on the control, false when it lets go). Lines with ``by`` were
moved by a machine: they say where a control stands, and teach nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import Range

__all__ = ["CONTROLS", "FORMAT", "Move", "OperationLog", "load_oplog", "read_oplog", "save_oplog"]

FORMAT: Final = "tonmeister-oplog"
SCHEMA_VERSION: Final = 1
CLOCK: Final = "performance_s"
_MOST_BYTES: Final = 256 * 2**20
_KEYS: Final = ("t_s", "strip", "control", "value", "touch", "by")

CONTROLS: Final[Mapping[str, Range]] = {
    "fader_db": Range(-144.0, 24.0, "dB"),
    "pan": Range(-1.0, 1.0),
    "mute": Range(0.0, 1.0),
    "eq_low_db": Range(-24.0, 24.0, "dB"),
    "eq_lowmid_db": Range(-24.0, 24.0, "dB"),
    "eq_presence_db": Range(-24.0, 24.0, "dB"),
    "eq_air_db": Range(-24.0, 24.0, "dB"),
    "comp_ratio": Range(1.0, 100.0),
    "reverb_beats": Range(0.0, 64.0, "beats"),
}
"""Control -> range; ``send_db:<bus>`` may stand in a log as well, in the range of faders."""


@dataclass(frozen=True, slots=True)
class Move:
    """One line: a control at a time; `value` is None when a hand lets go without moving."""

    t_s: float
    strip: str
    control: str
    value: float | None
    touch: bool = True
    by: str = ""
    """Empty for a person, else who moved it."""


@dataclass(frozen=True)
class OperationLog:
    """A performance at the desk."""

    strips: tuple[str, ...]
    moves: tuple[Move, ...]
    operator: str = "anon-1"
    name: str = ""
    """Where it comes from, for a reader."""

    def shifted(self, lag_s: float) -> OperationLog:
        """The moves of persons, earlier by a reaction lag; nothing comes before 0."""
        moves = (
            m if m.by else Move(max(m.t_s - lag_s, 0.0), m.strip, m.control, m.value, m.touch, m.by)
            for m in self.moves
        )
        return OperationLog(self.strips, tuple(sorted(moves, key=lambda m: m.t_s)), self.operator, self.name)

    def track(self, strip: str, control: str) -> tuple[list[float], list[float]]:
        """Times and values of one control, in order."""
        mine = [m for m in self.moves if m.strip == strip and m.control == control and m.value is not None]
        return [m.t_s for m in mine], [float(m.value or 0.0) for m in mine]

    def handled(self, strip: str, control: str) -> bool:
        """Whether a person ever moved a control."""
        return any(
            not m.by and m.value is not None and (m.strip, m.control) == (strip, control) for m in self.moves
        )

    def onsets(self) -> list[float]:
        """When a person's hand began to move: a value after a pause of half a second on that control."""
        last: dict[tuple[str, str], float] = {}
        begun: list[float] = []
        for move in self.moves:
            if move.by or move.value is None:
                continue
            key = (move.strip, move.control)
            if move.t_s - last.get(key, -math.inf) > 0.5 and move.t_s > 0.0:
                begun.append(move.t_s)
            last[key] = move.t_s
        return begun


def read_oplog(text: str, name: str = "") -> OperationLog:
    """Read a log; the first line that is wrong is named with its number."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise BadInputError("the log is empty: its first line must name the format")
    strips, operator = _header(_object(*lines[0]))
    moves: list[Move] = []
    for number, line in lines[1:]:
        move = _move(_object(number, line), strips, number)
        if moves and move.t_s < moves[-1].t_s:
            raise BadInputError(
                f"line {number}: t_s={move.t_s:g} comes after {moves[-1].t_s:g}: lines must be in the order of time"
            )
        moves.append(move)
    if not moves:
        raise BadInputError("the log holds no operation: record some moves")
    return OperationLog(strips, tuple(moves), operator, name)


def _object(number: int, line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line, parse_constant=_refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInputError(f"line {number}: is not JSON ({error})") from None
    except BadInputError as error:
        raise BadInputError(f"line {number}: {error}") from None
    if not isinstance(found, Mapping):
        raise BadInputError(f"line {number}: is no object: write {{...}}")
    return found


def _refuse(word: str) -> float:
    raise BadInputError(f"{word} is not a number a log may hold")


def _header(data: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    if data.get("format") != FORMAT:
        raise BadInputError(f"line 1: format={data.get('format')!r}: an operation log says {FORMAT!r}")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise BadInputError(
            f"line 1: schema_version={data.get('schema_version')!r}: this reads {SCHEMA_VERSION}"
        )
    if data.get("clock", CLOCK) != CLOCK:
        raise BadInputError(f"line 1: clock={data['clock']!r}: give seconds of the performance, {CLOCK!r}")
    strips = data.get("strips")
    if not isinstance(strips, list) or not strips or not all(isinstance(s, str) and s for s in strips):
        raise BadInputError("line 1: strips must be a list of names")
    if len(set(strips)) < len(strips):
        raise BadInputError("line 1: two strips have one name")
    return tuple(strips), str(data.get("operator", "anon-1"))


def _move(data: Mapping[str, Any], strips: Sequence[str], number: int) -> Move:
    for key in ("t_s", "strip", "control"):
        if key not in data:
            raise BadInputError(f"line {number}: {key} is missing")
    strip, control, value = data["strip"], data["control"], data.get("value")
    if strip not in strips:
        raise BadInputError(f"line {number}: strip={strip!r} is not known{nearest(str(strip), list(strips))}")
    allowed = CONTROLS["fader_db"] if str(control).startswith("send_db:") else CONTROLS.get(str(control))
    if allowed is None:
        raise BadInputError(
            f"line {number}: control={control!r} is not known{nearest(str(control), list(CONTROLS))}"
        )
    time_s = _finite(data["t_s"], number, "t_s")
    if time_s < 0.0:
        raise BadInputError(f"line {number}: t_s={time_s:g} is before the beginning")
    if value is None and data.get("touch", True):
        raise BadInputError(
            f"line {number}: value is missing: only a line with touch = false may leave it out"
        )
    if value is not None:
        value = float(value) if isinstance(value, bool) else _finite(value, number, "value")
        if value not in allowed:
            raise BadInputError(f"line {number}: {control}={value:g} is out of range: give {allowed}")
    return Move(time_s, strip, control, value, bool(data.get("touch", True)), str(data.get("by", "")))


def _finite(value: Any, number: int, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadInputError(f"line {number}: {name}={value!r} is not a number")
    return float(value)


def load_oplog(path: Path) -> OperationLog:
    """Read a log file."""
    from tonmeister.engines.expert.files import read_text

    try:
        return read_oplog(read_text(path, _MOST_BYTES), path.name)
    except BadInputError as error:
        raise BadInputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def save_oplog(log: OperationLog, path: Path, *, overwrite: bool = False) -> None:
    """Write a log file."""
    from tonmeister.engines.expert.files import write_text

    write_text(path, oplog_text(log), overwrite=overwrite)


def oplog_text(log: OperationLog) -> str:
    """The inverse of `read_oplog`."""
    head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "clock": CLOCK, "operator": log.operator,
            "strips": list(log.strips)}  # fmt: skip
    return "".join(
        json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        for line in (head, *map(_line, log.moves))
    )


def _line(move: Move) -> dict[str, Any]:
    line: dict[str, Any] = {"t_s": round(move.t_s, 6), "strip": move.strip, "control": move.control}
    if move.value is not None:
        line["value"] = move.value
    return {**line, "by": move.by} if move.by else {**line, "touch": move.touch}


def made_log(strips: Iterable[str], moves: Iterable[Move], name: str) -> OperationLog:
    """A log from a converter: in order, checked like one that was read."""
    ordered = OperationLog(tuple(strips), tuple(sorted(moves, key=lambda m: m.t_s)), name=name)
    if not ordered.moves:
        raise BadInputError(f"{name}: holds no move of a control that can be learned")
    return read_oplog(oplog_text(ordered), name)
