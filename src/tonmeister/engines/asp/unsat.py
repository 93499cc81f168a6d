"""Why there is no mix: a smallest set of rules that cannot all hold, in words, and which of them to relax."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tonmeister.engines.asp.facts import Facts
from tonmeister.engines.asp.knowledge import known_rules
from tonmeister.engines.asp.program import Answer, Part, program_text, switches
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    import clingo

__all__ = ["NoSuchMixError", "explain_conflict"]

_CONFLICTS = "100000"


class NoSuchMixError(BadInputError):
    """The rules, and what was asked for, exclude one another."""

    def __init__(self, text: str, *, rules: Sequence[str], relaxing: Sequence[str]) -> None:
        super().__init__(text)
        self.rules = tuple(rules)
        """The rules in conflict: without any one of them this conflict is gone."""
        self.relaxing = tuple(relaxing)
        """Those of them whose absence alone makes a mix possible."""


def explain_conflict(
    facts: Facts, part: Part, off: frozenset[str], earlier: Sequence[Answer] = ()
) -> NoSuchMixError:
    """Shrink the solver's core to a smallest one, rule by rule, then try which rule to relax."""
    from tonmeister.engines.asp.solve import grounded

    text = program_text(facts, part, off, earlier)
    control = grounded(part, text, ("--opt-mode=ignore", "--parallel-mode=1"))
    control.configuration.solve.solve_limit = _CONFLICTS  # type: ignore[union-attr]
    every = switches(facts, part, off)
    core = _core(control, every)
    for name in list(core):
        smaller = [other for other in core if other != name]
        if _core(control, smaller) is not None:
            core = smaller
    relaxing = [name for name in core if _satisfiable(control, [r for r in every if r != name])]
    return NoSuchMixError(_in_words(core, relaxing, facts, part), rules=core, relaxing=relaxing)


def _core(control: clingo.Control, names: Sequence[str]) -> Any:
    """The names among the assumed ones that cannot all hold; None when they can (or nothing was found out)."""
    atoms = {name: _symbol(name) for name in names}
    literals = {control.symbolic_atoms[symbol].literal: name for name, symbol in atoms.items()}  # type: ignore[union-attr]
    with control.solve(assumptions=[(s, True) for s in atoms.values()], yield_=True) as handle:
        result = handle.get()
        if not result.unsatisfiable:
            return None
        return [literals[literal] for literal in handle.core() if literal in literals]


def _satisfiable(control: clingo.Control, names: Sequence[str]) -> bool:
    return bool(control.solve(assumptions=[(_symbol(name), True) for name in names]).satisfiable)


def _symbol(name: str) -> Any:
    import clingo

    return clingo.Function("active", [clingo.parse_term(name)])


def _in_words(core: Sequence[str], relaxing: Sequence[str], facts: Facts, part: Part) -> str:
    if not core:
        return (
            "no mix is possible: what was asked for contradicts the scales themselves, whatever the rules: "
            "leave out rules of your own one by one"
        )
    rules = "; ".join(f"{name}: {_says(name, facts, part)}" for name in core)
    ways = " or ".join(_way(name, facts, part) for name in relaxing)
    advice = ways or "give up more than one of them"
    return f"no mix obeys all of these rules ({rules}): {advice}"


def _base(name: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\w+)(?:\((\d+)\))?", name)
    assert match is not None
    return match[1], int(match[2]) if match[2] else None


def _says(name: str, facts: Facts, part: Part) -> str:
    rule, number = _base(name)
    wish = next((s for s in part.statements if s.switch == name), None)
    if wish is not None:
        return f"you asked: {wish.words}"
    text = known_rules()[rule].says
    if number is None:
        return text
    source = next(s for s in facts.sources if s.number == number)
    return f"{text} ({source.name!r})"


def _way(name: str, facts: Facts, part: Part) -> str:
    rule, number = _base(name)
    wish = next((s for s in part.statements if s.switch == name), None)
    if wish is not None:
        return f"leave out {wish.origin}"
    if number is not None:
        source = next(s for s in facts.sources if s.number == number)
        return f"{known_rules()[rule].relax} for {source.name!r}"
    return f"{known_rules()[rule].relax} (--option without={rule})"
