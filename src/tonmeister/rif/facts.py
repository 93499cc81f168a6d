"""What holds: frames, memberships, subclasses and atoms, in the order in which they were asserted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tonmeister.rif.ast import Atom, Const, Frame, List, Member, Subclass
from tonmeister.rif.values import Ground, canonical

__all__ = ["MEMBERS", "SUBCLASSES", "Facts"]

MEMBERS: Final = "#"
SUBCLASSES: Final = "##"
"""What a change is about, when it is not about a slot or a relation (see `Facts.changed`)."""

_Key = tuple[Ground, Ground]


class Facts:
    """A set of ground facts that can be asked and changed.

    `changed` collects what was touched since it was last cleared: the key of a slot, the name of a relation,
    `MEMBERS` or `SUBCLASSES`.
    """

    def __init__(self, facts: Iterable[Frame | Member | Subclass | Atom] = ()) -> None:
        self._slots: dict[Ground, dict[Ground, dict[Ground, None]]] = {}
        self._holders: dict[Ground, dict[Ground, None]] = {}
        self._classes: dict[Ground, dict[Ground, None]] = {}
        self._above: dict[Ground, dict[Ground, None]] = {}
        self._atoms: dict[Ground, dict[tuple[Ground, ...], None]] = {}
        self._new = 0
        self.changed: set[Ground | str] = set()
        for fact in facts:
            self.add(fact)

    # -------------------------------------------------------------- asking

    def values(self, subject: Ground, key: Ground) -> tuple[Ground, ...]:
        """The values of a slot, oldest first."""
        return tuple(self._slots.get(canonical(subject), {}).get(canonical(key), ()))

    def slots(
        self, subject: Ground | None = None, key: Ground | None = None
    ) -> Iterator[tuple[Ground, Ground, Ground]]:
        """(object, key, value) of every slot, of one object, of one key, or both."""
        if subject is None and key is not None:
            subjects: Iterable[Ground] = tuple(self._holders.get(key, ()))
        else:
            subjects = tuple(self._slots) if subject is None else (subject,)
        for one in subjects:
            held = self._slots.get(one, {})
            for name in tuple(held) if key is None else (key,):
                for value in tuple(held.get(name, ())):
                    yield one, name, value

    def members(self, instance: Ground | None = None) -> Iterator[tuple[Ground, Ground]]:
        """(instance, class), with every class above the one stated."""
        for one in tuple(self._classes) if instance is None else (instance,):
            stated = tuple(self._classes.get(one, ()))
            every = dict.fromkeys(c for s in stated for c in (s, *self._ancestors(s)))
            yield from ((one, cls) for cls in every)

    def subclasses(self) -> Iterator[tuple[Ground, Ground]]:
        """(class, class above it), near and far."""
        for one in tuple(self._above):
            yield from ((one, upper) for upper in self._ancestors(one))

    def atoms(self, op: Ground) -> tuple[tuple[Ground, ...], ...]:
        """The arguments for which a relation holds."""
        return tuple(self._atoms.get(op, ()))

    def _ancestors(self, cls: Ground) -> dict[Ground, None]:
        found: dict[Ground, None] = {}
        waiting = list(self._above.get(cls, ()))
        while waiting:
            upper = waiting.pop(0)
            if upper not in found:
                found[upper] = None
                waiting += self._above.get(upper, ())
        return found

    def all(self) -> Iterator[Frame | Member | Subclass | Atom]:
        """Every fact that was stated."""
        yield from (Frame(o, ((k, v),)) for o, k, v in self.slots())
        yield from (Member(one, cls) for one, held in self._classes.items() for cls in held)
        yield from (Subclass(one, upper) for one, held in self._above.items() for upper in held)
        yield from (_atom(op, args) for op, held in self._atoms.items() for args in held)

    def __contains__(self, fact: object) -> bool:
        if isinstance(fact, Frame):
            return all(canonical(v) in self.values(_ground(fact.object), _ground(k)) for k, v in _pairs(fact))
        if isinstance(fact, Member):
            return (canonical(_ground(fact.instance)), canonical(_ground(fact.cls))) in set(self.members())
        if isinstance(fact, Atom):
            return tuple(canonical(_ground(a)) for a in fact.args) in self.atoms(canonical(fact.op))
        return isinstance(fact, Subclass) and (_ground(fact.sub), _ground(fact.sup)) in set(self.subclasses())

    # -------------------------------------------------------------- changing

    def add(self, fact: Frame | Member | Subclass | Atom) -> None:
        """Assert a ground fact; one that holds already changes nothing."""
        if isinstance(fact, Frame):
            for key, value in _pairs(fact):
                self._add_slot(canonical(_ground(fact.object)), canonical(key), canonical(value))
        elif isinstance(fact, Member):
            self._put(self._classes, canonical(_ground(fact.instance)), canonical(_ground(fact.cls)), MEMBERS)
        elif isinstance(fact, Subclass):
            self._put(self._above, canonical(_ground(fact.sub)), canonical(_ground(fact.sup)), SUBCLASSES)
        else:
            args = tuple(canonical(_ground(arg)) for arg in fact.args)
            held = self._atoms.setdefault(canonical(fact.op), {})
            if args not in held:
                held[args] = None
                self.changed.add(canonical(fact.op))

    def _put(self, table: dict[Ground, dict[Ground, None]], one: Ground, other: Ground, about: str) -> None:
        held = table.setdefault(one, {})
        if other not in held:
            held[other] = None
            self.changed.add(about)

    def _add_slot(self, subject: Ground, key: Ground, value: Ground) -> None:
        held = self._slots.setdefault(subject, {}).setdefault(key, {})
        if value not in held:
            held[value] = None
            self._holders.setdefault(key, {})[subject] = None
            self.changed.add(key)

    def remove(self, fact: Frame | Atom) -> None:
        """Retract an atom, or each slot of a frame."""
        if isinstance(fact, Atom):
            args = tuple(canonical(_ground(arg)) for arg in fact.args)
            if args in self._atoms.get(canonical(fact.op), {}):
                del self._atoms[canonical(fact.op)][args]
                self.changed.add(canonical(fact.op))
            return
        for key, value in _pairs(fact):
            self._remove_slot(canonical(_ground(fact.object)), canonical(key), canonical(value))

    def _remove_slot(self, subject: Ground, key: Ground, value: Ground) -> None:
        held = self._slots.get(subject, {}).get(key, {})
        if value in held:
            del held[value]
            self.changed.add(key)
            if not held:
                self._forget(subject, key)

    def _forget(self, subject: Ground, key: Ground) -> None:
        self._slots.get(subject, {}).pop(key, None)
        self._holders.get(key, {}).pop(subject, None)

    def remove_attribute(self, subject: Ground, key: Ground) -> None:
        """Retract all values of one attribute of an object."""
        subject, key = canonical(subject), canonical(key)
        if self._slots.get(subject, {}).get(key):
            self.changed.add(key)
        self._forget(subject, key)

    def remove_object(self, subject: Ground) -> None:
        """Retract all slots and memberships of an object."""
        subject = canonical(subject)
        for key in tuple(self._slots.get(subject, ())):
            self.remove_attribute(subject, key)
        if self._classes.pop(subject, None):
            self.changed.add(MEMBERS)

    def modify(self, frame: Frame) -> None:
        """For each key: retract all its values, then assert those of the frame; the same values change nothing."""
        subject = canonical(_ground(frame.object))
        wanted: dict[Ground, dict[Ground, None]] = {}
        for key, value in _pairs(frame):
            wanted.setdefault(canonical(key), {})[canonical(value)] = None
        for key, values in wanted.items():
            if set(self.values(subject, key)) != set(values):
                self.remove_attribute(subject, key)
                for value in values:
                    self._add_slot(subject, key, value)

    def new_object(self) -> Const:
        """A local name that nothing has yet."""
        from tonmeister.rif.names import LOCAL

        self._new += 1
        return Const(f"new.{self._new}", LOCAL)


def _ground(term: object) -> Ground:
    assert isinstance(term, (Const, List)), f"{term!r} is not ground"
    return term


def _pairs(frame: Frame) -> Iterator[tuple[Ground, Ground]]:
    return ((_ground(key), _ground(value)) for key, value in frame.slots)


def _atom(op: Ground, args: tuple[Ground, ...]) -> Atom:
    assert isinstance(op, Const)
    return Atom(op, args)
