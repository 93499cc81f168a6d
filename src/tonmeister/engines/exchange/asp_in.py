"""Rules for the engine `asp` (clingo) as rule documents.

Both languages speak of the same tracks. What both can say: which instrument or role is meant, at which place a track
stands (``tm:panPosition`` is a tenth of the solver's scale), how much of it goes to the room (``tm:sendGain`` is
20 log10(depth / 10)), and that it stays dry (``tm:reverbActive``, depth 0). A wish costs something for each step away from
what it wants; a demand is a constraint and can never be broken, which a document says by a very high priority.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.asp.knowledge import known_rules, number, program_path
from tonmeister.engines.exchange.report import Exchanged, LeftOut, Unsayable
from tonmeister.engines.exchange.writing import class_of, described, document_of, frame, grouped, word
from tonmeister.engines.exchange.writing import number as decimal
from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.rif.ast import (
    And,
    Do,
    Document,
    Forall,
    Formula,
    Implies,
    Member,
    Modify,
    Not,
    Or,
    Sentence,
    Term,
    Var,
    string,
)
from tonmeister.rif.rules import conjuncts
from tonmeister.vocabulary import INSTRUMENTS, ROLES, parents

__all__ = ["DEMAND", "WISHES", "asp_document", "asp_shipped"]

WISHES: Final = 5
"""Priority of a person's wishes in the solver; a document's priority adds to it."""
DEMAND: Final = 1000
"""Priority in a document of what the solver may never break."""

_TRACK: Final = Var("track")
_TAG: Final = re.compile(r"(not )?(instrument|role)\((\w+),(\w+)\)")
_ANSWER: Final = re.compile(r"(at_pan|at_depth)\((\w+),([A-Z]\w*)\)")
_DIFFERS: Final = re.compile(r"(?P<either>\|)?(?P<variable>[A-Z]\w*)\|? (?:!=|>) (?P<wanted>-?\d+)")
_COST: Final = re.compile(
    r"\|\((?P<variable>[A-Z]\w*)(?P<sign>[-+])(?P<wanted>\d+)\)\||\|\(\|(?P<either>[A-Z]\w*)\|-(?P<out>\d+)\)\||"
    r"(?P<plain>[A-Z]\w*)|\|(?P<center>[A-Z]\w*)\|"
)
_TOLD: Final = re.compile(r"^%+\s*(name|says|source|evidence):\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class _Statement:
    """One rule of the file: what its comments say, its body, and for a wish its cost and priority."""

    told: Mapping[str, str]
    body: tuple[str, ...]
    cost: str | None
    priority: int
    text: str


def asp_document(path: Path) -> Exchanged[Document]:
    """A rule file (``.lp``) as a rule document; what has no words there is listed with the reason."""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path}: {getattr(error, 'strerror', None) or error}: give a rule file"
        ) from None
    made: list[tuple[str, int, Sentence]] = []
    kept: list[str] = []
    left_out: list[LeftOut] = []
    for index, statement in enumerate(_statements(text, str(path)), 1):
        name = statement.told.get("name") or f"{path.stem}.{index}"
        try:
            made.append(_rule(name, statement, path.name))
            kept.append(name)
        except Unsayable as reason:
            left_out.append(LeftOut(name, f"{statement.text}: {reason}"))
    document = document_of(path.stem, f"Rules of {path.name} for the engine asp", grouped(_merged(made)))
    return Exchanged(document, tuple(dict.fromkeys(kept)), tuple(left_out))


def _merged(made: list[tuple[str, int, Sentence]]) -> list[tuple[str, int, Sentence]]:
    """Statements of one name differ in the instrument or role only: one rule with an Or, if they stand together."""
    merged: list[tuple[str, int, Sentence]] = []
    for heading, priority, rule in made:
        last = merged[-1][2] if merged else None
        joined = _joined(last, rule) if last is not None and merged[-1][1] == priority else None
        if joined is not None:
            merged[-1] = (heading, priority, joined)
        else:
            merged.append((heading, priority, rule))
    return merged


def _joined(first: Sentence, second: Sentence) -> Sentence | None:
    """One rule of two that differ in a single condition, which becomes an Or; None for any others."""
    if not (isinstance(first, Forall) and isinstance(second, Forall) and first.name == second.name):
        return None
    one, other = first.body, second.body
    if not (isinstance(one, Implies) and isinstance(other, Implies) and one.conclusion == other.conclusion):
        return None
    ours, theirs = list(conjuncts(one.condition)), list(conjuncts(other.condition))
    differing = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
    if len(ours) != len(theirs) or len(differing) != 1:
        return None
    (at,) = differing
    known = ours[at]
    ours[at] = Or((*(known.formulas if isinstance(known, Or) else (known,)), theirs[at]))
    condition = ours[0] if len(ours) == 1 else And(tuple(ours))
    return Forall(
        first.variables, first.patterns, Implies(condition, one.conclusion), metadata=first.metadata
    )


# ------------------------------------------------------------------ reading the solver's language


def _statements(text: str, origin: str) -> list[_Statement]:
    """Every statement with the comments above it."""
    try:
        from clingo import ast
    except ImportError:
        raise MissingExtraError("reading rules of the engine 'asp'", extra="asp") from None
    told: dict[str, str] = {}
    found: list[_Statement] = []
    messages: list[str] = []

    def take(node: Any) -> None:
        if node.ast_type == ast.ASTType.Comment:
            if match := _TOLD.match(str(node)):
                if match[1] == "name":
                    told.clear()
                told[match[1]] = match[2]
        elif node.ast_type != ast.ASTType.Program:
            found.append(_statement(node, ast.ASTType, dict(told)))

    try:
        ast.parse_string(text, take, logger=lambda code, message: messages.append(message))
    except RuntimeError:
        raise BadInputError(
            f"{origin}: {(messages or ['syntax error'])[0].strip()}: correct the rule"
        ) from None
    return found


def _statement(node: Any, kinds: Any, told: dict[str, str]) -> _Statement:
    body = tuple(str(literal) for literal in getattr(node, "body", ()))
    shown = " ".join(str(node).split())
    if node.ast_type == kinds.Minimize:
        level = str(node.priority)
        return _Statement(told, body, str(node.weight), int(level) - WISHES if level.isdigit() else -1, shown)
    if node.ast_type == kinds.Rule and str(node.head) == "#false":
        return _Statement(told, body, None, DEMAND, shown)
    return _Statement(told, (), None, -1, shown)


def _rule(name: str, statement: _Statement, file: str) -> tuple[str, int, Sentence]:
    if statement.priority < 0 or not statement.body:
        raise Unsayable("only demands (:-) and wishes (:~, priority 5 or higher) say something about a mix")
    tags: list[Formula] = []
    answers: dict[str, str] = {}
    wanted: tuple[str, int, bool] | None = None
    tracks: set[str] = set()
    for literal in statement.body:
        if match := _TAG.fullmatch(literal):
            tags.append(_tag(*match.groups()))
            tracks.add(match[3])
        elif match := _ANSWER.fullmatch(literal):
            answers[match[3]] = match[1]
            tracks.add(match[2])
        elif match := re.fullmatch(r"track\((\w+)\)", literal):
            tracks.add(match[1])
        elif (match := _DIFFERS.fullmatch(literal)) and statement.cost is None:
            wanted = match["variable"], int(match["wanted"]), match["either"] is not None
        else:
            raise Unsayable(f"{literal} has no words in rule documents")
    if statement.cost is not None:
        wanted = _wanted(statement.cost)
    if wanted is None or wanted[0] not in answers or len(tracks) != 1 or len(answers) != 1:
        raise Unsayable("it does not say what one track should have")
    slots = _slots(answers[wanted[0]], wanted[1], either=wanted[2])
    return "", statement.priority, _forall(name, tags, slots, statement.told, file)


def _tag(negated: str | None, kind: str, _: str, value: str) -> Formula:
    if kind == "instrument":
        if value not in INSTRUMENTS:
            raise Unsayable(f"{value} is no instrument")
        formula: Formula = Member(_TRACK, class_of(value))
    else:
        if value not in ROLES:
            raise Unsayable(f"{value} is no role")
        formula = frame(_TRACK, {"role": word(value)})
    return Not(formula) if negated else formula


def _wanted(cost: str) -> tuple[str, int, bool]:
    """(variable, wanted step, on either side) of a cost like ``|P-3|``."""
    match = _COST.fullmatch(cost)
    if match is None:
        raise Unsayable(f"the cost {cost} is not the distance from a wanted step")
    if match["either"]:
        return match["either"], int(match["out"]), True
    if match["variable"]:
        sign = 1 if match["sign"] == "-" else -1
        return match["variable"], sign * int(match["wanted"]), False
    return match["plain"] or match["center"], 0, False


def _slots(answer: str, step: int, *, either: bool) -> dict[str, Term]:
    if answer == "at_pan":
        position = decimal(step / number("pan.scale"))
        return {
            "panPosition": position,
            "panMode": string("place" if either else "fixed"),
            "panWidth": decimal(0),
        }
    if step == 0:
        return {"reverbActive": decimal(0)}
    return {"sendGain": decimal(round(20.0 * math.log10(step / number("depth.scale")), 2))}


def _forall(
    name: str,
    tags: list[Formula],
    slots: dict[str, Term],
    told: Mapping[str, str],
    file: str,
    *,
    own: bool = False,
) -> Forall:
    metadata = described(
        name, source=told.get("source", file), evidence=told.get("evidence", "R"),
        comment=told.get("says", f"Rule {name}."), own=own,
    )  # fmt: skip
    block = Do((Modify(frame(_TRACK, slots)),))
    pattern = Member(_TRACK, class_of("track"))
    if not tags:
        return Forall((_TRACK,), (pattern,), block, metadata=metadata)
    condition = tags[0] if len(tags) == 1 else And(tuple(tags))
    return Forall((_TRACK,), (pattern,), Implies(condition, block), metadata=metadata)


# ------------------------------------------------------------------ what the engine itself knows


def asp_shipped() -> Exchanged[Document]:
    """The engine's tables of places and depths as a rule document.

    Its logic weighs combinations of tracks against each other, and its levels are means of two estimates: neither is a
    rule about one track, and they are listed as left out.
    """
    tables = tomllib.loads(program_path().with_name("classes.toml").read_text(encoding="utf-8"))
    made = [
        (f"asp.{table}.{instrument}", instrument, row, slots)
        for table in ("place", "depth")
        for row in tables[table]
        for instrument in row["classes"]
        if (slots := _row(row, table)) and instrument in INSTRUMENTS
    ]
    rules = [_shipped(*entry) for entry in sorted(made, key=lambda entry: _depth(entry[1]))]
    left_out = [*_logic(), *_levels(tables)]
    document = document_of("asp", "Places and depths of the engine asp", grouped(rules), own=True)
    return Exchanged(document, tuple(name for name, *_ in made), tuple(left_out))


def _depth(instrument: str) -> int:
    return len(parents(instrument))


def _row(row: Mapping[str, Any], table: str) -> dict[str, Term]:
    if table == "depth":
        return _slots("at_depth", int(row["value"]), either=False)
    if "at" in row:
        return _slots("at_pan", int(row["at"]), either=False)
    scale = number("pan.scale")
    several = int(row.get("width_of_several", row["width"]))
    return {
        "panPosition": decimal(row["width"] / scale), "panMode": string("place"), "panWidth": decimal(several / scale),
    }  # fmt: skip


def _shipped(
    name: str, instrument: str, row: Mapping[str, Any], slots: dict[str, Term]
) -> tuple[str, int, Sentence]:
    """The nearest word of the tree decides: the deeper it lies, the higher its priority."""
    told = {"source": str(row["source"]), "evidence": str(row["evidence"])}
    kind = "stands" if "panPosition" in slots else "is heard in the room"
    told["says"] = f"How {instrument.replace('_', ' ')} {kind}."
    rule = _forall(name, [Member(_TRACK, class_of(instrument))], slots, told, "classes.toml", own=True)
    return "", _depth(instrument), rule


def _logic() -> Iterator[LeftOut]:
    for rule in known_rules().values():
        yield LeftOut(
            f"asp.{rule.name}", "it is about combinations of tracks, which the solver searches through"
        )


def _levels(tables: Mapping[str, Any]) -> Iterator[LeftOut]:
    for row in tables["level"]:
        reason = "a level is the mean of the table and of equal loudness, which is no value a rule sets"
        yield LeftOut(f"asp.level.{row['classes'][0]}", reason)
