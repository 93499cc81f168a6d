"""Solving: core-guided optimization, stopped by conflicts (the same on every machine), guarded by the clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tonmeister.engines.asp.facts import Facts
from tonmeister.engines.asp.program import Answer, Part, Statement, files_of, parts, program_text, switches
from tonmeister.engines.asp.trial import try_grounding
from tonmeister.engines.asp.unsat import explain_conflict
from tonmeister.engines.asp.user_rules import problem_in_words
from tonmeister.errors import BadInputError, MissingExtraError, TonmeisterError

if TYPE_CHECKING:
    import clingo

__all__ = ["Limits", "NothingFoundError", "Solution", "solve"]

_ARGUMENTS: Final = ("--heuristic=Domain", "--sign-def=rnd", "--parallel-mode=1")
"""One thread: several would make the answer depend on chance. The seed decides what is tried first."""
_CORES: Final = "--opt-strategy=usc,oll,stratify"
_DESCENT: Final = "--opt-strategy=bb,lin"
_LEAST_WAIT_S: Final = 0.01
_STEP_S: Final = 0.1
_OBJECTIVES: Final = (5, 4, 3, 2, 1)


class NothingFoundError(TonmeisterError):
    """Neither a mix nor a proof that there is none, within the limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop."""

    conflicts: int = 20_000
    """For each part; the answer found until then is taken."""
    seconds: float = 30.0
    """For everything together: a guard, which makes the result depend on the machine when it strikes."""


@dataclass(frozen=True)
class Solution:
    """The best answer found, and what is known about it."""

    answer: Answer
    cost: Mapping[int, int]
    """By priority; the highest priority counts first."""
    proved: bool
    """Whether no answer costs less."""
    conflicts: int
    stopped_by_clock: bool
    rules: int = 0
    """Size of the ground program."""
    grounding_s: float = 0.0
    solving_s: float = 0.0


@dataclass
class _Best:
    """The last model of a search."""

    symbols: list[Any] = field(default_factory=list)
    cost: dict[int, int] = field(default_factory=dict)
    found: bool = False

    def keep(self, model: Any) -> None:
        """Take a model over; the solver only shows better ones."""
        self.symbols, self.found = list(model.symbols(atoms=True)), True
        self.cost = dict(zip(model.priority, model.cost, strict=True))


@dataclass(frozen=True)
class _Search:
    """What one search needs beside its part."""

    facts: Facts
    off: frozenset[str]
    earlier: Sequence[Answer]
    limits: Limits
    seed: int
    deadline: float
    clock: Callable[[], float]

    @property
    def left_s(self) -> float:
        """Time left for everything."""
        return max(self.deadline - self.clock(), _LEAST_WAIT_S)


def solve(
    facts: Facts,
    *,
    off: frozenset[str] = frozenset(),
    statements: Sequence[Statement] = (),
    earlier: Sequence[Answer] = (),
    limits: Limits | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Solution:
    """The best mix that obeys every rule in force; rules in `off` are not.

    `earlier` are mixes that this one must differ from. Raises `BadInputError` when no mix obeys the rules, with the
    rules in conflict, and `TonmeisterError` when none was found within the limits.
    """
    limits = limits or Limits()
    search = _Search(facts, off, earlier, limits, seed, clock() + limits.seconds, clock)
    return _joined([_polished(part, search) for part in parts(statements)])


def _best_of(part: Part, search: _Search) -> Solution:
    """Core-guided first; where it found nothing at all within its conflicts, plain descent from any answer."""
    try:
        return _searched(part, search)
    except NothingFoundError:
        return replace(_searched(part, search, strategy=_DESCENT), proved=False)


def _polished(part: Part, search: _Search) -> Solution:
    """A part; where its optimum was not proved, the equalization is settled once more for the places found.

    Equalization costs least and is looked at last, so a search that is stopped leaves it undone.
    """
    found = _best_of(part, search)
    if found.proved or "pan" not in part.subjects or found.stopped_by_clock:
        return found
    places = "\n".join(f":- not at_pan({t},{p})." for t, p in sorted(found.answer.places.items()))
    again = _searched(part, search, fixed=places)
    better = again if list(again.cost.values()) < list(found.cost.values()) else found
    return replace(
        better, proved=False, conflicts=found.conflicts + again.conflicts,
        stopped_by_clock=again.stopped_by_clock, rules=found.rules,
        grounding_s=found.grounding_s + again.grounding_s, solving_s=found.solving_s + again.solving_s,
    )  # fmt: skip


def _searched(part: Part, search: _Search, *, fixed: str = "", strategy: str = _CORES) -> Solution:
    """The best answer of one search."""
    text = program_text(search.facts, part, search.off, search.earlier) + fixed + "\n"
    if part.statements and not fixed:
        try_grounding(files_of(part), text, seconds=search.left_s, statements=part.statements)
    started = search.clock()
    control = grounded(part, text, (*_ARGUMENTS, strategy, f"--seed={search.seed}"))
    grounding_s = search.clock() - started
    control.configuration.solve.solve_limit = str(search.limits.conflicts)  # type: ignore[union-attr]
    best = _Best()
    assumed = _assumed(switches(search.facts, part, search.off))
    with control.solve(assumptions=assumed, on_model=best.keep, async_=True) as handle:
        in_time = _waited(handle, search)
        if not in_time:
            handle.cancel()
        result = handle.get()
    if not best.found:
        raise _nothing_found(part, search, unsatisfiable=bool(result.unsatisfiable), in_time=in_time)
    statistics = control.statistics
    return Solution(
        _answer(best.symbols),
        best.cost,
        bool(result.exhausted),
        int(statistics["solving"]["solvers"]["conflicts"]),
        not in_time,
        int(statistics["problem"]["lp"]["rules"]),
        grounding_s,
        search.clock() - started - grounding_s,
    )


def _waited(handle: Any, search: _Search) -> bool:
    """Wait for the end of a search, in short steps so that an interruption is heeded; False when time is up."""
    while (left_s := search.left_s) > _LEAST_WAIT_S:
        if handle.wait(min(left_s, _STEP_S)):
            return True
    return bool(handle.wait(0.0))


def _nothing_found(part: Part, search: _Search, *, unsatisfiable: bool, in_time: bool) -> TonmeisterError:
    if unsatisfiable:
        return explain_conflict(search.facts, part, search.off, search.earlier)
    limits = search.limits
    why = f"{limits.conflicts} conflicts" if in_time else f"{limits.seconds:g} s"
    return NothingFoundError(
        f"no mix was found within {why}: raise --option conflicts=N or --option seconds=N, or use fewer rules"
    )


def grounded(part: Part, text: str, arguments: Sequence[str]) -> clingo.Control:
    """A solver with the program of one part."""
    library = clingo_library()
    messages: list[str] = []
    control: clingo.Control = library.Control(
        list(arguments), logger=lambda code, message: messages.append(message), message_limit=20
    )
    try:
        for file in files_of(part):
            control.load(file)
        control.add("base", [], text)
        control.ground([("base", [])])
    except RuntimeError as error:
        raise BadInputError(problem_in_words([*messages, str(error)], text, part.statements)) from None
    return control


def clingo_library() -> Any:
    """The module clingo; without it the extra is named."""
    try:
        import clingo
    except ImportError:
        raise MissingExtraError("engine 'asp'", extra="asp") from None
    return clingo


def _assumed(names: Sequence[str]) -> list[tuple[Any, bool]]:
    library = clingo_library()
    return [(library.Function("active", [library.parse_term(name)]), True) for name in names]


def _answer(symbols: Sequence[Any]) -> Answer:
    found: dict[str, dict[Any, int]] = {"at_level": {}, "at_pan": {}, "at_depth": {}, "cut": {}, "boost": {}}
    because: set[tuple[str, int, str]] = set()
    for symbol in symbols:
        arguments = symbol.arguments
        if symbol.name in ("at_level", "at_pan", "at_depth"):
            found[symbol.name][arguments[0].number] = arguments[1].number
        elif symbol.name in ("cut", "boost"):
            found[symbol.name][arguments[0].number, arguments[1].number] = arguments[2].number
        elif symbol.name == "because":
            because.add((arguments[0].name, arguments[1].number, arguments[2].name))
    tone = {**{k: -v for k, v in found["cut"].items()}, **found["boost"]}
    return Answer(found["at_level"], found["at_pan"], found["at_depth"], tone, frozenset(because))


def _joined(done: Sequence[Solution]) -> Solution:
    """The parts as one mix; costs of one priority add up."""
    cost: Counter[int] = Counter(dict.fromkeys(_OBJECTIVES, 0))
    levels: dict[int, int] = {}
    places: dict[int, int] = {}
    depths: dict[int, int] = {}
    tone: dict[tuple[int, int], int] = {}
    because: frozenset[tuple[str, int, str]] = frozenset()
    for solution in done:
        cost.update(solution.cost)
        answer = solution.answer
        levels.update(answer.levels)
        places.update(answer.places)
        depths.update(answer.depths)
        tone.update(answer.tone)
        because |= answer.because
    return Solution(
        Answer(levels, places, depths, dict(sorted(tone.items())), because),
        {priority: cost[priority] for priority in sorted(cost, reverse=True)},
        all(s.proved for s in done),
        sum(s.conflicts for s in done),
        any(s.stopped_by_clock for s in done),
        sum(s.rules for s in done),
        sum(s.grounding_s for s in done),
        sum(s.solving_s for s in done),
    )
