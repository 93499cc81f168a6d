"""A RIF-PRD interpreter: forward chaining over the rules of a document, slow and plain, as the meaning of rules.

The facts that a document states hold from the beginning; an unconditional ``Do`` is a rule like any other. A rule
instance is a rule with values for its variables. Until none is left, one is picked and its actions done:

1. refraction: an instance that was picked stays out until it has stopped matching once;
2. priority: only the instances with the highest priority stay in;
3. recency: of these, those that began to match last;
4. document order, then the order of the values' text: our fixed tie-break, so that every run is the same.

A rule whose instances never end is stopped after `most_firings`, and the message names the rules of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tonmeister.errors import BadInputError, nearest
from tonmeister.rif.ast import (
    Action,
    Assert,
    Atom,
    Const,
    Document,
    Execute,
    Frame,
    Member,
    Modify,
    New,
    Position,
    Retract,
    Subclass,
    Term,
    walk,
)
from tonmeister.rif.facts import MEMBERS, SUBCLASSES, Facts
from tonmeister.rif.matching import Binding, ground, solutions
from tonmeister.rif.problems import problem
from tonmeister.rif.rules import Rule, rules_of
from tonmeister.rif.values import Ground, canonical, shown

__all__ = ["MOST_FIRINGS", "Conflict", "Executor", "Firing", "Run", "run"]

MOST_FIRINGS: Final = 10_000

Executor: TypeAlias = Callable[[str, tuple[Ground, ...]], None]
"""What ``Execute`` calls: the IRI of the action and its arguments."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule instance that was picked, and what its actions said about slots: (object, key, value), None if removed."""

    rule: Rule
    binding: Mapping[str, Ground]
    writes: tuple[tuple[Ground, Ground, Ground], ...] = ()
    """What Modify and Assert put into slots."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules of one priority that modify one slot to different values; the later firing won."""

    subject: Ground
    key: Ground
    loser: Rule
    winner: Rule
    values: tuple[Ground, Ground]

    def __str__(self) -> str:
        what = f"{shown(self.subject)}[{shown(self.key)}]"
        lost, won = (shown(value) for value in self.values)
        return (
            f"{what}: {self.loser.place} says {lost} and {self.winner.place} says {won} at one priority "
            f"({self.winner.priority}): {won} stands, give one of them a higher priority"
        )


@dataclass(frozen=True)
class Run:
    """The outcome: the facts that hold now, what fired, what contradicted, and what could not be evaluated."""

    facts: Facts
    firings: tuple[Firing, ...]
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()


def run(
    rules: Document | Sequence[Rule],
    facts: Facts | None = None,
    *,
    execute: Mapping[str, Executor] | None = None,
    most_firings: int = MOST_FIRINGS,
) -> Run:
    """Fire rules until none is left; `facts` is changed in place and returned.

    `execute` holds what an Execute action may call, by IRI; anything else is a `BadInputError`, as is a loop of more
    than `most_firings`, a conclusion that is a constraint, and an action outside its domain.
    """
    every = rules_of(rules) if isinstance(rules, Document) else tuple(rules)
    for rule in every:
        _refuse_constraints(rule)
    interpreter = _Interpreter(every, Facts() if facts is None else facts, execute or {}, most_firings)
    return interpreter.run()


def _refuse_constraints(rule: Rule) -> None:
    if rule.constraints:
        text = f"{rule.name}: a constraint cannot be asserted: production rules state frames, memberships or atoms"
        raise problem(text, rule.constraints[0].position, rule.origin)


_Key = tuple[tuple[str, Ground], ...]


@dataclass
class _Matches:
    """The instances of one rule that match now: binding -> step at which it began to."""

    rule: Rule
    reads: frozenset[Ground | str]
    """What a change must be about to make a difference; empty with `reads_all`."""
    reads_all: bool
    since: dict[_Key, int] = field(default_factory=dict)
    picked: set[_Key] = field(default_factory=set)

    def concerned(self, changed: set[Ground | str]) -> bool:
        return self.reads_all or not self.reads.isdisjoint(changed)

    def refresh(self, found: Iterable[_Key], step: int) -> None:
        now = dict.fromkeys(found)
        self.since = {key: self.since.get(key, step) for key in now}
        self.picked &= now.keys()


class _Interpreter:
    """The facts, the conflict set, and the log of one run."""

    def __init__(
        self, rules: tuple[Rule, ...], facts: Facts, execute: Mapping[str, Executor], most_firings: int
    ) -> None:
        self._facts, self._execute, self._most = facts, execute, most_firings
        self._stated = [rule for rule in rules if rule.is_fact]
        self._matches = [_Matches(rule, *_reads(rule)) for rule in rules if not rule.is_fact]
        self._firings: list[Firing] = []
        self._notes: dict[str, None] = {}
        self._written: dict[tuple[Ground, Ground], tuple[Rule, Ground]] = {}
        self._conflicts: dict[str, Conflict] = {}

    def run(self) -> Run:
        for rule in self._stated:
            self._fire(rule, {})
        first = len(self._firings)
        self._refresh(self._matches)
        while (picked := self._pick()) is not None:
            if len(self._firings) - first >= self._most:
                raise self._endless()
            matches, key = picked
            matches.picked.add(key)
            self._facts.changed.clear()
            self._fire(matches.rule, dict(key))
            self._refresh([m for m in self._matches if m.concerned(self._facts.changed)])
        return Run(self._facts, tuple(self._firings), tuple(self._conflicts.values()), tuple(self._notes))

    # -------------------------------------------------------------- the conflict set

    def _refresh(self, concerned: Iterable[_Matches]) -> None:
        for matches in concerned:
            matches.refresh(self._instances(matches.rule), len(self._firings))

    def _instances(self, rule: Rule) -> Iterator[_Key]:
        labels = {v.label for v in rule.variables}

        def note(text: str) -> None:
            self._notes.setdefault(f"{rule.place}: {text}")

        for binding in solutions(rule.condition, {}, self._facts, note):
            yield tuple(sorted((k, v) for k, v in binding.items() if k in labels))

    def _pick(self) -> tuple[_Matches, _Key] | None:
        """Refraction, priority, recency, order."""
        candidates = [(m, key) for m in self._matches for key in m.since if key not in m.picked]
        if not candidates:
            return None
        return min(candidates, key=_precedence)

    def _endless(self) -> BadInputError:
        last = self._firings[-min(200, len(self._firings)) :]
        names = dict.fromkeys(firing.rule.place for firing in last)
        shown_names = ", ".join(list(names)[:6]) + (" ..." if len(names) > 6 else "")
        return BadInputError(
            f"the rules do not come to an end after {self._most} firings; these keep firing: {shown_names}: "
            "add a condition that becomes false"
        )

    # -------------------------------------------------------------- actions

    def _fire(self, rule: Rule, binding: dict[str, Ground]) -> None:
        values: dict[str, Ground] = dict(binding)
        writes: list[tuple[Ground, Ground, Ground]] = []
        try:
            if self._bind_actions(rule, values):
                for action in rule.actions.actions:
                    self._act(rule, action, values, writes)
                for item in rule.classes:
                    self._facts.add(Subclass(ground(item.sub, values), ground(item.sup, values)))
        except BadInputError as error:
            raise _located(rule, error) from None
        self._firings.append(Firing(rule, values, tuple(writes)))

    def _bind_actions(self, rule: Rule, values: dict[str, Ground]) -> bool:
        """Give the action variables values; without one the actions are left out, and that is noted."""
        for item in rule.actions.variables:
            if isinstance(item.binding, New):
                values[item.variable.label] = self._facts.new_object()
                continue
            found = next(solutions(item.binding, values, self._facts), None)
            if found is None or item.variable.label not in found:
                self._notes.setdefault(
                    f"{rule.place}: ?{item.variable.label} has no value, its actions were left out"
                )
                return False
            values.update(found)
        return True

    def _act(
        self, rule: Rule, action: Action, values: Binding, writes: list[tuple[Ground, Ground, Ground]]
    ) -> None:
        if isinstance(action, Execute):
            self._call(action, values)
        elif isinstance(action, Retract):
            self._retract(action, values)
        elif isinstance(action, Modify):
            frame = _ground_frame(action.target, values)
            self._facts.modify(frame)
            for subject, key, value in _triples(frame):
                self._remember(rule, subject, key, value)
                writes.append((subject, key, value))
        else:
            fact = _ground_fact(action, values)
            self._facts.add(fact)
            writes += _triples(fact) if isinstance(fact, Frame) else []

    def _retract(self, action: Retract, values: Binding) -> None:
        target = action.target
        if isinstance(target, Frame):
            self._facts.remove(_ground_frame(target, values))
        elif isinstance(target, Atom):
            self._facts.remove(_ground_atom(target, values))
        elif action.attribute is None:
            self._facts.remove_object(ground(target, values))
        else:
            self._facts.remove_attribute(ground(target, values), ground(action.attribute, values))

    def _call(self, action: Execute, values: Binding) -> None:
        name = action.target.op.value
        if name not in self._execute:
            known = nearest(name, list(self._execute)) or ": none is allowed" * (not self._execute)
            raise BadInputError(f"Execute: <{name}> is not an action this program has{known}")
        self._execute[name](name, tuple(ground(arg, values) for arg in action.target.args))

    def _remember(self, rule: Rule, subject: Ground, key: Ground, value: Ground) -> None:
        """Note a contradiction: another rule of the same priority modified this slot to something else."""
        before = self._written.get((subject, key))
        if (
            before is not None
            and before[0].priority == rule.priority
            and before[1] != value
            and before[0] is not rule
        ):
            conflict = Conflict(subject, key, before[0], rule, (before[1], value))
            self._conflicts.setdefault(
                f"{shown(subject)} {shown(key)} {before[0].order} {rule.order}", conflict
            )
        self._written[subject, key] = (rule, value)


def _precedence(candidate: tuple[_Matches, _Key]) -> tuple[int, int, int, tuple[str, ...]]:
    matches, key = candidate
    values = tuple(shown(value) for _, value in key)
    return -matches.rule.priority, -matches.since[key], matches.rule.order, values


def _located(rule: Rule, error: BadInputError) -> BadInputError:
    position: Position | None = rule.position
    return problem(f"{rule.name}: {error}", position, rule.origin)


def _reads(rule: Rule) -> tuple[frozenset[Ground | str], bool]:
    """What the condition looks at; and whether that is anything at all (a variable as the key of a slot)."""
    found: set[Ground | str] = set()
    for node in walk(rule.condition):
        if isinstance(node, Frame):
            if not node.slots or not all(isinstance(key, Const) for key, _ in node.slots):
                return frozenset(), True
            found |= {canonical(key) for key, _ in node.slots if isinstance(key, Const)}
        elif isinstance(node, Atom):
            found.add(canonical(node.op))
        elif isinstance(node, Member):
            found |= {MEMBERS, SUBCLASSES}
        elif isinstance(node, Subclass):
            found.add(SUBCLASSES)
    return frozenset(found), False


def _ground_frame(frame: Frame, values: Binding) -> Frame:
    return Frame(
        ground(frame.object, values), tuple((ground(k, values), ground(v, values)) for k, v in frame.slots)
    )


def _ground_atom(atom: Atom, values: Binding) -> Atom:
    return Atom(atom.op, tuple(ground(arg, values) for arg in atom.args))


def _ground_fact(action: Assert, values: Binding) -> Frame | Member | Atom:
    target = action.target
    if isinstance(target, Frame):
        return _ground_frame(target, values)
    if isinstance(target, Member):
        return Member(ground(target.instance, values), ground(target.cls, values))
    return _ground_atom(target, values)


def _triples(frame: Frame) -> list[tuple[Ground, Ground, Ground]]:
    def known(term: Term) -> Ground:
        return ground(term, {})

    return [(known(frame.object), known(key), known(value)) for key, value in frame.slots]
