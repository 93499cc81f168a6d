"""One change on its way through a network: what depends on it is computed again, equations are balanced."""

from __future__ import annotations

from heapq import heappop, heappush

from tonmeister.constraints.expressions import Value
from tonmeister.constraints.inversion import root
from tonmeister.constraints.model import Report
from tonmeister.constraints.network import Balanced
from tonmeister.constraints.state import ReportKey, State, same

__all__ = ["Settling"]


class Settling:
    """One change on its way through the network."""

    def __init__(self, state: State, touched: frozenset[int]) -> None:
        self._state, self._network, self._touched = state, state.network, touched
        self.before: dict[int, Value] = {}
        self._heap: list[tuple[int, int]] = []
        self._waiting: set[int] = set()
        self._equations: list[tuple[int, int, int]] = []
        self._equations_waiting: set[int] = set()
        self._rounds: dict[int, int] = {}
        self._equation_rounds: dict[int, int] = {}
        self._given_up: set[int] = set()
        self._solved: set[int] = set()
        self._new: dict[ReportKey, Report] = {}

    @property
    def reports(self) -> tuple[Report, ...]:
        """What this change could not keep."""
        return tuple(self._new.values())

    def report(self, key: ReportKey, report: Report) -> None:
        self._state.reports[key] = self._new[key] = report

    def forget(self, key: ReportKey) -> None:
        self._state.reports.pop(key, None)
        self._new.pop(key, None)

    def queue(self, number: int) -> None:
        if number not in self._waiting and number not in self._given_up:
            self._waiting.add(number)
            heappush(self._heap, (self._network.ranks[number], number))

    def queue_equation(self, number: int) -> None:
        if number not in self._equations_waiting:
            self._equations_waiting.add(number)
            priority, order = self._network.equations[number].order
            heappush(self._equations, (-priority, order, number))

    def settle(self) -> None:
        """Until nothing waits: variables in order, then the equations that are broken."""
        while self._heap or self._equations:
            if self._heap:
                _, number = heappop(self._heap)
                self._waiting.discard(number)
                self._recompute(number)
            else:
                number = heappop(self._equations)[2]
                self._equations_waiting.discard(number)
                self._balance(number)

    def _recompute(self, number: int) -> None:
        state, circle = self._state, self._network.circles[number]
        old, was_unset = state.values[number], number not in self._network.chains and state.unset(number)
        new = state.computed(number, self)
        self.before.setdefault(number, old)
        unset = number not in self._network.chains and state.unset(number)
        if same(old, new, state.tolerance if circle else 0.0) and was_unset == unset:
            return
        if circle:
            self._rounds[number] = self._rounds.get(number, 0) + 1
            if self._rounds[number] > state.rounds:
                self._give_up(circle)
                return
        state.values[number] = new
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        for after in self._network.dependents[number]:
            self.queue(after)
        for equation in self._network.equations_of.get(number, ()):
            self.queue_equation(equation)

    def _give_up(self, circle: tuple[int, ...]) -> None:
        """The members of a circle keep the values they had."""
        self._given_up.update(circle)
        reads = [self._network.reads[n] for n in circle]
        for number in circle:
            self._state.values[number] = self.before.get(number, self._state.values[number])
        names = ", ".join(f"{r.owner}.{r.property}" for r in reads)
        text = f"values that go round in a circle do not settle within {self._state.rounds} rounds: {names}"
        members = tuple((r.owner, r.property) for r in reads)
        names_of = {d.name for n in circle for d in self._network.drivers.get(n, ())}
        self.report(("cycle", circle), Report("cycle", ", ".join(sorted(names_of)), text, members))
        for number in circle:
            self._pass_on(number)

    # Equations

    def _balance(self, number: int) -> None:
        equation, state = self._network.equations[number], self._state
        key = ("equation", number)
        self.forget(key)
        if state.held_back(equation.condition) or self._holds(equation):
            return
        self._equation_rounds[number] = self._equation_rounds.get(number, 0) + 1
        if self._equation_rounds[number] > state.rounds:
            self._say_broken(key, equation, f"does not settle within {state.rounds} rounds")
            return
        for unknown in self._candidates(equation):
            self._solve(equation, unknown)
            if self._holds(equation):
                return
        self._say_broken(key, equation, "cannot be met within the ranges")

    def _say_broken(self, key: ReportKey, equation: Balanced, what: str) -> None:
        reads = [self._network.reads[n] for n in equation.variables]
        members = tuple((r.owner, r.property) for r in reads)
        text = f"{equation.name or 'an equation'} {what}"
        self.report(key, Report("not satisfiable", equation.name, text, members))

    def _holds(self, equation: Balanced) -> bool:
        difference = equation.difference(self._state.values)
        return isinstance(difference, (int, float)) and abs(difference) <= self._state.tolerance

    def _candidates(self, equation: Balanced) -> list[int]:
        """Who may give way: first what is undefined, then what did not change, of these the least observed first."""
        state, network = self._state, self._network
        free = [
            n
            for n in equation.solutions
            if n not in self._touched and state.winners[n] is None
            and (network.reads[n].owner, network.reads[n].property) not in state.held
        ]  # fmt: skip
        undefined = [n for n in free if state.values[n] is None]
        if undefined:
            return undefined if len(undefined) == 1 else []
        if state.faithful:
            free = [n for n in free if n not in self._solved]
        ordered = sorted(free, key=lambda n: (n in self._solved, network.observers[n], n))
        return ordered[:1] if state.faithful else ordered

    def _solve(self, equation: Balanced, unknown: int) -> None:
        state, read = self._state, self._network.reads[unknown]
        solution = equation.solutions[unknown]
        wanted: Value = solution(state.values) if solution is not None else None
        if wanted is None and not state.faithful:
            wanted = self._found(equation, unknown)
        if not isinstance(wanted, (int, float)):
            return
        allowed = state.properties[read.property].range
        value = float(wanted) if allowed is None else allowed.clip(float(wanted))
        self._solved.add(unknown)
        state.base[(read.owner, read.property)] = value
        self._recompute(unknown)

    def _found(self, equation: Balanced, unknown: int) -> float | None:
        state, read = self._state, self._network.reads[unknown]
        allowed = state.properties[read.property].range
        if allowed is None:
            return None

        def difference(x: float) -> float | None:
            result = state.with_value(unknown, x, equation.difference)
            return float(result) if isinstance(result, (int, float)) else None

        now = state.values[unknown]
        near = float(now) if isinstance(now, (int, float)) else allowed.minimum
        return root(difference, allowed.minimum, allowed.maximum, near)
