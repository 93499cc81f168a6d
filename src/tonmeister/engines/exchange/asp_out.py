"""Rule documents as rules for the engine `asp`, for those it has words for (see `asp_in`).

What a document sets becomes a wish: it costs one for each step away. The solver satisfies wishes of a higher priority
first, so that the more particular rule wins, as in a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonmeister.engines.asp.knowledge import number
from tonmeister.engines.exchange.asp_in import DEMAND, WISHES
from tonmeister.engines.exchange.report import Exchanged, LeftOut, Unsayable
from tonmeister.engines.exchange.textbook_out import DEFAULT_RULE
from tonmeister.engines.exchange.writing import RULE
from tonmeister.engines.semantic.terms import instrument_of, local_name
from tonmeister.rif.ast import And, Const, Document, Formula, Frame, Member, Modify, Not, Or, Term, Var
from tonmeister.rif.names import RDFS, SOURCE, TM
from tonmeister.rif.rules import Rule, rules_of
from tonmeister.rif.text_writer import formula_text, term_text
from tonmeister.rif.values import canonical, is_number, number_of
from tonmeister.vocabulary import ROLES

__all__ = ["asp_program"]

_CENTER: Final = ("fixed", "side")
_MOST_ALTERNATIVES: Final = 200
_WORD: Final = re.compile(r"\W+")


def asp_program(document: Document) -> Exchanged[str]:
    """The text of a rule file (``.lp``); what the solver cannot say is listed with the reason."""
    blocks, kept, left_out = [], [], []
    found: list[tuple[Rule, str, list[tuple[str, str, str]]]] = []
    for rule in rules_of(document):
        name = rule.name.removeprefix(RULE).rpartition("#")[2] or rule.name
        try:
            found.append((rule, name, _statements(rule, name)))
            kept.append(name)
        except Unsayable as reason:
            left_out.append(LeftOut(name, str(reason)))
    levels = _levels([rule for rule, *_ in found])
    for rule, name, statements in found:
        blocks.append("\n".join(_block(rule, name, statements, levels[rule.priority])))
    text = "% Wishes: 1 for each step away from what a rule wants.\n\n" + "\n\n".join(blocks) + "\n"
    return Exchanged(text, tuple(kept), tuple(left_out))


def _levels(rules: list[Rule]) -> dict[int, int]:
    """Priorities of the document -> those of the solver, from the wishes of a person upward."""
    priorities = sorted({rule.priority for rule in rules if rule.priority < DEMAND})
    return {priority: WISHES + index for index, priority in enumerate(priorities)} | {DEMAND: WISHES}


def _block(rule: Rule, name: str, statements: list[tuple[str, str, str]], level: int) -> Iterator[str]:
    metadata = rule.metadata

    def said(key: str, otherwise: str) -> str:
        text = (metadata.value(key) if metadata else None) or otherwise
        return " ".join(text.split())

    yield f"%% name: {name}"
    yield f"%% says: {said(RDFS + 'comment', f'Rule {name}.')}"
    yield f"%% source: {said(SOURCE, rule.origin or 'rule document')}"
    yield f"%% evidence: {said(TM + 'evidence', 'R')}"
    term = "r_" + _WORD.sub("_", name)
    for body, cost, broken in statements:
        if rule.priority >= DEMAND:
            yield f":- {body}, {broken}."
        else:
            yield f":~ {body}. [{cost}@{level},{term},T]"


def _statements(rule: Rule, name: str) -> list[tuple[str, str, str]]:
    """(body, cost, what breaks it) for each alternative of the condition."""
    if rule.constraints or rule.classes or rule.actions.variables:
        raise Unsayable(
            "a step of level, an equalizer or a constraint: only a place or the amount of reverb can be wished"
        )
    if name.startswith(DEFAULT_RULE):
        raise Unsayable("a default of a processor: the solver inserts none")
    subject, wanted = _wanted(rule)
    bodies = _all_of(rule.condition.formulas, subject)
    answer, cost, broken = wanted
    return [(", ".join([*_safe(body), answer]), cost, broken) for body in bodies]


def _safe(body: list[str]) -> list[str]:
    """Each literal once; ``track(T)`` only where nothing else says what T is."""
    own = [literal for literal in dict.fromkeys(body) if literal != "track(T)"]
    return own if any(not literal.startswith("not ") for literal in own) else ["track(T)", *own]


def _all_of(formulas: tuple[Formula, ...], subject: str) -> list[list[str]]:
    """The alternatives of a conjunction."""
    bodies: list[list[str]] = [[]]
    for formula in formulas:
        bodies = [[*body, *more] for body in bodies for more in _literals(formula, subject)]
        if len(bodies) > _MOST_ALTERNATIVES:
            raise Unsayable("more alternatives than a person would write")
    return bodies


def _literals(formula: Formula, subject: str) -> list[list[str]]:
    """The alternatives of one condition, each a list of literals."""
    if isinstance(formula, Or):
        return [literals for part in formula.formulas for literals in _literals(part, subject)]
    if isinstance(formula, And):
        return _all_of(formula.formulas, subject)
    if isinstance(formula, Not):
        inner = _literals(formula.formula, subject)
        if any(len(literals) != 1 for literals in inner):
            raise Unsayable(f"{formula_text(formula)} is too much for one negation")
        return [[f"not {literals[0]}" for literals in inner]]
    if isinstance(formula, Member) and _is(formula.instance, subject):
        cls = _local(formula.cls)
        if cls == "Track":
            return [["track(T)"]]
        if cls in instrument_of():
            return [[f"instrument(T,{instrument_of()[cls]})"]]
    if isinstance(formula, Frame) and _is(formula.object, subject) and len(formula.slots) == 1:
        key, value = formula.slots[0]
        if _local(key) == "role" and _local(value) in ROLES:
            return [[f"role(T,{_local(value)})"]]
    raise Unsayable(f"{formula_text(formula)}: the solver knows instruments and roles, not that")


def _wanted(rule: Rule) -> tuple[str, tuple[str, str, str]]:
    """The variable that is meant, and (answer, cost, what breaks it)."""
    slots: dict[str, Term] = {}
    subjects = set()
    for action in rule.actions.actions:
        if not isinstance(action, Modify) or not isinstance(action.target.object, Var):
            raise Unsayable(f"{type(action).__name__}: a wish says where a track stands")
        subjects.add(action.target.object.label)
        slots.update({_local(key): value for key, value in action.target.slots})
    if len(subjects) != 1:
        raise Unsayable("a wish is about one track")
    return subjects.pop(), _answer(slots)


def _answer(slots: dict[str, Term]) -> tuple[str, str, str]:
    if "panPosition" in slots:
        return _place(slots)
    if set(slots) == {"reverbActive"} and _number(slots["reverbActive"]) == 0:
        return "at_depth(T,R)", "R", "R > 0"
    if set(slots) == {"sendGain"}:
        return _depth(_number(slots["sendGain"]))
    names = ", ".join(f"tm:{name}" for name in slots)
    raise Unsayable(f"{names}: only a place or the amount of reverb can be wished")


def _place(slots: dict[str, Term]) -> tuple[str, str, str]:
    mode = slots.get("panMode")
    how = mode.value if isinstance(mode, Const) else "fixed"
    step = _number(slots["panPosition"]) * number("pan.scale")
    if abs(step - round(step)) > 1e-9:
        raise Unsayable(
            f"the place {term_text(slots['panPosition'])} lies between two steps of the solver's scale"
        )
    if how in _CENTER or (step == 0 and how == "place"):
        return (
            "at_pan(T,P)",
            f"|P-{round(step)}|" if step >= 0 else f"|P+{-round(step)}|",
            f"P != {round(step)}",
        )
    if how != "place" or _number(slots.get("panWidth", _ZERO)) != 0:
        raise Unsayable("several side by side: the solver finds their places itself")
    return "at_pan(T,P)", f"||P|-{round(step)}|", f"|P| != {round(step)}"


def _depth(gain_db: float) -> tuple[str, str, str]:
    """The step of depth nearest to a send: depth = 10 * 10^(gain / 20)."""
    scale = number("depth.scale")
    step = round(scale * 10.0 ** (gain_db / 20.0))
    if not 1 <= step <= scale:
        raise Unsayable(f"a send of {gain_db:g} dB lies outside the solver's scale of depth")
    return "at_depth(T,R)", f"|R-{step}|", f"R != {step}"


_ZERO: Final = Const("0", "http://www.w3.org/2001/XMLSchema#integer")


def _number(term: Term) -> float:
    if not isinstance(term, Const) or not is_number(canonical(term)):
        raise Unsayable(f"{term_text(term)}: the solver knows fixed steps, no expressions")
    return float(number_of(term))


def _is(term: Term, label: str) -> bool:
    return isinstance(term, Var) and term.label == label


def _local(term: Term) -> str:
    return (local_name(term.value) or "") if isinstance(term, Const) else ""
