"""A store of features and parameters in which constraints are kept true, whatever changes.

    features        observed; constraints read them and never write them
    parameters      have a default, a range, and a way to combine along the hierarchy of owners
    directed        target == value: the winner of priority, then of the order added, decides
    inequality      a bound on the parameter that gives way; it returns as soon as the bound lets it
    equation        when broken, solved for one unknown: an undefined one, else the least observed one among those
                    that did not just change

On a change only what depends on it is computed again, each variable once, in the order of the dependencies. Around a
circle values are passed at most `rounds` times; if they do not settle, its members keep the values they had and the
circle is reported. What a person sets on a driven parameter holds until it is released.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tonmeister.constraints.expressions import Key, Read, Value
from tonmeister.constraints.grounding import Ground, grounded
from tonmeister.constraints.model import Changes, Constraint, Property, Report
from tonmeister.constraints.network import Network
from tonmeister.constraints.settling import Settling
from tonmeister.constraints.state import State, same
from tonmeister.errors import BadInputError, nearest

__all__ = ["Store"]

ROUNDS = 100


class Store:
    """See the module; `faithful` has no inverse functions, no root finding, and counts unset values as they are."""

    def __init__(self, *, tolerance: float = 1e-9, rounds: int = ROUNDS, faithful: bool = False) -> None:
        self.tolerance, self.rounds, self.faithful = tolerance, rounds, faithful
        self._properties: dict[str, Property] = {}
        self._owners: dict[str, frozenset[str]] = {}
        self._parents: dict[str, str] = {}
        self._constraints: list[Constraint] = []
        self._base: dict[Key, Value] = {}
        self._held: set[Key] = set()
        self._state: State | None = None

    # ------------------------------------------------------------------ definitions

    def define(self, *properties: Property) -> None:
        """Make properties known; every owner has each of them."""
        for one in properties:
            if one.behavior != "independent" and isinstance(one.default, str):
                raise BadInputError(f"property {one.name!r} is a word: words do not add or multiply")
            self._properties[one.name] = one
        self._state = None

    def owner(self, name: str, classes: Iterable[str] = (), *, parent: str | None = None) -> None:
        """Add an owner of features and parameters (a track, a bus, the song) below `parent`."""
        if name.startswith("?"):
            raise BadInputError(f"owner {name!r}: names with a question mark are variables")
        if parent is not None:
            self._parents[name] = parent
            if name in self._above(parent) or name == parent:
                raise BadInputError(f"owner {name!r} cannot stand below itself: give another parent")
        self._owners[name] = frozenset(classes)
        self._state = None

    def add(self, *constraints: Constraint) -> None:
        """Add constraints; errors in them are raised now."""
        for _ in self._grounded(constraints):
            pass  # speaks up about what nobody knows
        self._constraints += constraints
        self._state = None

    # ------------------------------------------------------------------ values

    @property
    def owners(self) -> Mapping[str, frozenset[str]]:
        """Owners with their classes."""
        return self._owners

    @property
    def reports(self) -> tuple[Report, ...]:
        """What cannot be kept at the moment."""
        reports = self._ready().reports
        return tuple(reports[key] for key in sorted(reports, key=repr))

    def get(self, owner: str, name: str) -> Value:
        """The value of a property of an owner."""
        return self._value(self._checked(Read(owner, name)))

    def number(self, owner: str, name: str) -> float | None:
        """The value if it is a number."""
        value = self.get(owner, name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def effective(self, owner: str, name: str) -> Value:
        """Product or sum of the value over the owner and its ancestors."""
        return self._value(self._checked(Read(owner, name, effective=True)))

    def values(self) -> dict[Key, Value]:
        """All known values of variables that constraints speak about or somebody has set."""
        state = self._ready()
        spoken = {
            (read.owner, read.property): value
            for read, value in zip(state.network.reads, state.values, strict=True)
            if not read.effective
        }
        alone = {key: self._alone(Read(*key)) for key in self._base if key not in spoken}
        return {key: value for key, value in {**spoken, **alone}.items() if value is not None}

    def decided_by(self, owner: str, name: str) -> str | None:
        """Name of the directed constraint that gives a parameter its value now; ``held`` when a person does."""
        read = self._checked(Read(owner, name))
        self._value(read)
        if (owner, name) in self._held:
            return "held"
        state = self._ready()
        number = state.network.numbers.get(read)
        return None if number is None else state.winners[number]

    def spoken(self, owner: str, name: str) -> tuple[tuple[str, int, Value], ...]:
        """(name, priority, value wanted) of every directed constraint that speaks now, the winner first."""
        read = self._checked(Read(owner, name))
        self._value(read)
        state = self._ready()
        drivers = state.network.drivers.get(state.network.numbers.get(read, -1), [])
        found = ((d.name, d.order[0], state.spoken(d)) for d in drivers)
        return tuple(
            (constraint, priority, value) for constraint, priority, value in found if value is not None
        )

    # ------------------------------------------------------------------ changes

    def set(self, name: Key, value: Value) -> Changes:
        """Change one feature or parameter and whatever depends on it."""
        return self.update({name: value})

    def update(self, values: Mapping[Key, Value]) -> Changes:
        """Change several at once: the constraints see them together."""
        network = (state := self._ready()).network
        for key in values:
            self._checked(Read(*key))
        reports: list[Report] = []
        loose: dict[Key, Value] = {}
        starts = []
        for key, given in values.items():
            value = _cleaned(key, given, reports)
            number = network.numbers.get(Read(*key))
            if number is None and not same(self._base.get(key, self._properties[key[1]].default), value, 0.0):
                loose[key] = value
            self._base[key] = value
            if number is not None:
                starts.append(number)
                if number in network.drivers:
                    self._held.add(key)
        changes = self._settled(state, starts, touched=frozenset(starts))
        return Changes({**loose, **changes.values}, (*reports, *changes.reports))

    def release(self, name: Key) -> Changes:
        """Let the constraints have a parameter again that somebody has set."""
        state = self._ready()
        read = self._checked(Read(*name))
        if name not in self._held:
            return Changes()
        self._held.discard(name)
        self._base.pop(name, None)
        return self._settled(state, [state.network.numbers[read]])

    def rebuilt(self) -> Store:
        """The same definitions and settings in a new store, computed from nothing: what incremental work must equal."""
        other = Store(tolerance=self.tolerance, rounds=self.rounds, faithful=self.faithful)
        other._properties, other._owners = dict(self._properties), dict(self._owners)
        other._parents, other._constraints = dict(self._parents), list(self._constraints)
        other._base, other._held = dict(self._base), set(self._held)
        if self._state is not None:
            other._rebuild(self._state.network.reads)
        return other

    # ------------------------------------------------------------------ the machine

    def _grounded(self, constraints: Iterable[Constraint]) -> Iterable[Ground]:
        for constraint in constraints:
            yield from grounded(constraint, self._owners, self._properties)

    def _above(self, owner: str) -> tuple[str, ...]:
        chain: list[str] = []
        while (parent := self._parents.get(owner)) is not None and parent not in chain:
            chain.append(parent)
            owner = parent
        return tuple(chain)

    def _checked(self, read: Read) -> Read:
        if read.owner not in self._owners:
            raise BadInputError(f"there is no owner {read.owner!r}{nearest(read.owner, list(self._owners))}")
        if read.property not in self._properties:
            close = nearest(read.property, list(self._properties))
            raise BadInputError(f"there is no property {read.property!r}{close}")
        return read

    def _value(self, read: Read) -> Value:
        state = self._ready()
        number = state.network.numbers.get(read)
        return self._alone(read) if number is None else state.values[number]

    def _alone(self, read: Read) -> Value:
        """A variable that no constraint speaks about."""
        kind = self._properties[read.property]
        if not read.effective or kind.behavior == "independent":
            value = self._base.get((read.owner, read.property), kind.default)
            clips = kind.range is not None and isinstance(value, float)
            return kind.range.clip(value) if clips else value  # type: ignore[union-attr, arg-type]
        state = self._rebuild((*self._ready().network.reads, read))
        return state.values[state.network.numbers[read]]

    def _ready(self) -> State:
        """The compiled state, made again after a change of definitions."""
        return self._state or self._rebuild([Read(*key) for key in self._base])

    def _rebuild(self, wanted: Iterable[Read]) -> State:
        known = [read for read in wanted if read.owner in self._owners]
        ground = list(self._grounded(self._constraints))
        network = Network.of(ground, self._properties, self._above, wanted=known, faithful=self.faithful)
        state = self._state = State(
            network, self._properties, self._base, self._held, self.tolerance, self.rounds, self.faithful
        )
        everything = sorted(range(len(network.reads)), key=lambda n: (network.ranks[n], n))
        self._settled(state, everything, equations=range(len(network.equations)))
        return state

    def _settled(
        self,
        state: State,
        starts: Iterable[int],
        *,
        touched: frozenset[int] = frozenset(),
        equations: Iterable[int] = (),
    ) -> Changes:
        settling = Settling(state, touched)
        for number in starts:
            settling.queue(number)
        for number in equations:
            settling.queue_equation(number)
        settling.settle()
        return Changes(state.changed(settling.before), settling.reports)


def _cleaned(key: Key, value: Value, reports: list[Report]) -> Value:
    """Numbers as floats; what is not a number is nothing known."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if math.isfinite(value):
        return float(value)
    reports.append(Report("ignored", "", f"{key[0]}.{key[1]}={value} is not a number: left out", (key,)))
    return None
