"""The constraint store: who decides, who gives way, what is reported."""

from __future__ import annotations

import math

import pytest

from tonmeister.constraints import (
    Call,
    Constant,
    Directed,
    Equation,
    Expression,
    Inequality,
    Property,
    Quantified,
    Read,
    Store,
    Total,
)
from tonmeister.constraints.inversion import isolated, root
from tonmeister.constraints.state import State
from tonmeister.errors import BadInputError
from tonmeister.units import Range

X, Y, Z = (Read(name, "x") for name in "abc")


def call(function: str, *parts: Expression | float) -> Call:
    return Call(function, tuple(p if not isinstance(p, (int, float)) else Constant(float(p)) for p in parts))


def store(*, faithful: bool = False, low: float = -100.0, high: float = 100.0, **changes: object) -> Store:
    """Three owners a, b, c with a parameter x."""
    made = Store(faithful=faithful, **changes)  # type: ignore[arg-type]
    made.define(Property("x", default=0.0, range=Range(low, high)), Property("f", "feature"))
    for name in "abc":
        made.owner(name, {"all"})
    return made


def test_a_chain_follows_and_only_what_changed_is_told() -> None:
    chain = store()
    chain.add(Directed(Y, call("+", X, 1.0)), Directed(Z, call("*", Y, 2.0)))
    assert chain.set(("a", "x"), 3.0).values == {("a", "x"): 3.0, ("b", "x"): 4.0, ("c", "x"): 8.0}
    assert chain.set(("a", "x"), 3.0).values == {}


def test_only_dependents_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = store()
    wide.add(Directed(Y, call("+", X, 1.0)))
    for index in range(50):
        wide.owner(f"t{index}")
        wide.add(Directed(Read(f"t{index}", "x"), call("*", Z, float(index))))
    wide.get("a", "x")
    computed: list[int] = []
    original = State.computed

    def counted(self: State, number: int, told: object) -> object:
        computed.append(number)
        return original(self, number, told)  # type: ignore[arg-type]

    monkeypatch.setattr(State, "computed", counted)
    wide.set(("a", "x"), 1.0)
    assert len(computed) == 2


def test_the_higher_priority_wins_then_the_later_and_the_losers_are_known() -> None:
    rivals = store()
    rivals.add(
        Directed(X, Constant(1.0), priority=1, name="one"),
        Directed(X, Constant(2.0), priority=5, name="two"),
        Directed(X, Constant(3.0), priority=5, name="three"),
        Directed(X, Constant(9.0), call(">", Read("b", "f"), 0.0), priority=9, name="waiting"),
    )
    assert rivals.get("a", "x") == 3.0
    assert rivals.decided_by("a", "x") == "three"
    assert [name for name, _, _ in rivals.spoken("a", "x")] == ["three", "two", "one"]
    rivals.set(("b", "f"), 1.0)
    assert rivals.decided_by("a", "x") == "waiting"


def test_a_conditional_switches_and_an_unknown_feature_decides_nothing() -> None:
    bright = store()
    bright.add(
        Directed(X, Constant(1.0), call(">", Read("a", "f"), 0.5), name="bright"),
        Directed(X, Constant(-1.0), call("<=", Read("a", "f"), 0.5), name="dark"),
    )
    assert bright.get("a", "x") == 0.0
    assert bright.set(("a", "f"), 0.9).values["a", "x"] == 1.0
    assert bright.set(("a", "f"), 0.1).values["a", "x"] == -1.0
    changes = bright.set(("a", "f"), math.nan)
    assert bright.get("a", "x") == 0.0
    assert [r.kind for r in changes.reports] == ["ignored"]


def test_a_cross_fade() -> None:
    fade = Store()
    fade.define(Property("f", "feature"), Property("k", default=0.0, range=Range(0, 1)))
    fade.define(Property("a", default=0.0))
    fade.owner("t")
    f, k = Read("t", "f"), Read("t", "k")
    fade.add(
        Directed(Read("t", "a"), call("+", call("*", call("-", 1.0, f), call("-", 1.0, k)), call("*", f, k)))
    )
    fade.update({("t", "f"): 0.25, ("t", "k"): 1.0})
    assert fade.get("t", "a") == pytest.approx(0.25)
    assert fade.set(("t", "k"), 0.0).values["t", "a"] == pytest.approx(0.75)


def test_the_least_observed_unknown_gives_way() -> None:
    sums = store()
    sums.add(Equation(call("+", call("+", X, Y), Z), Constant(6.0), name="sum"))
    sums.add(Inequality(Y, "<=", Constant(90.0)), Inequality(Z, "<=", Constant(90.0)))
    sums.set(("c", "x"), 1.0)
    assert sums.get("c", "x") == 1.0
    assert sums.get("b", "x") == 0.0, "observed by one more constraint than a"
    assert sums.get("a", "x") == 5.0


def test_the_only_undefined_one_is_solved_for() -> None:
    undefined = Store()
    undefined.define(Property("x"))
    for name in "ab":
        undefined.owner(name)
    undefined.add(Equation(call("*", X, 3.0), Y))
    undefined.set(("b", "x"), 12.0)
    assert undefined.get("a", "x") == 4.0


def test_a_clipped_unknown_hands_the_rest_on_and_at_last_reports() -> None:
    sums = store(low=0.0, high=10.0)
    sums.add(Equation(Total("sum", "?t", "all", Read("?t", "x")), Constant(25.0), name="sum"))
    assert sorted(v for v in sums.values().values() if isinstance(v, float)) == [5.0, 10.0, 10.0]
    changes = sums.set(("a", "x"), 0.0)
    assert [r.constraint for r in changes.reports if r.kind == "not satisfiable"] == ["sum"]
    assert sums.set(("a", "x"), 8.0).reports == ()
    assert not sums.reports


def test_an_inequality_bends_only_as_long_as_it_must() -> None:
    bound = store()
    bound.add(Inequality(X, "<=", Read("b", "x"), free=X, name="below"))
    bound.update({("a", "x"): 7.0, ("b", "x"): 5.0})
    assert bound.get("a", "x") == 5.0
    assert bound.set(("b", "x"), 9.0).values["a", "x"] == 7.0


def test_out_of_range_is_clipped_and_reported() -> None:
    loud = store(high=12.0)
    loud.add(Directed(X, call("+", Y, 10.0), name="up"))
    changes = loud.set(("b", "x"), 5.0)
    assert loud.get("a", "x") == 12.0
    assert [(r.kind, r.constraint) for r in changes.reports] == [("not satisfiable", "up")]
    assert not loud.set(("b", "x"), 1.0).reports
    assert not loud.reports


def test_a_circle_that_does_not_settle_keeps_its_values_and_is_named() -> None:
    ring = Store()
    ring.define(Property("x", default=1.0))
    names = [f"n{i}" for i in range(5)]
    for name in names:
        ring.owner(name)
    for index, name in enumerate(names):
        ring.add(
            Directed(Read(name, "x"), call("+", Read(names[(index + 1) % 5], "x"), 1.0), name=f"c{index}")
        )
    assert set(ring.values().values()) == {1.0}
    (report,) = ring.reports
    assert report.kind == "cycle"
    assert {owner for owner, _ in report.members} == set(names)


def test_a_circle_that_settles_is_solved() -> None:
    ring = store()
    ring.add(Directed(X, call("+", call("*", Y, 0.5), 1.0)), Directed(Y, call("*", X, 0.5)))
    assert ring.get("a", "x") == pytest.approx(4.0 / 3.0, abs=1e-6)
    assert not ring.reports


def test_a_contradictory_pair_of_equations_stops_with_a_report() -> None:
    pair = store()
    pair.add(
        Equation(call("+", X, Y), Constant(1.0), name="one"),
        Equation(call("+", X, Y), Constant(2.0), name="two"),
    )
    pair.set(("a", "x"), 3.0)
    assert {r.kind for r in pair.reports} == {"not satisfiable"}


def test_what_a_person_sets_holds_until_released() -> None:
    desk = store()
    desk.add(Directed(Y, call("+", X, 1.0), name="rule"))
    desk.set(("b", "x"), 40.0)
    desk.set(("a", "x"), 5.0)
    assert (desk.get("b", "x"), desk.decided_by("b", "x")) == (40.0, "held")
    assert desk.release(("b", "x")).values == {("b", "x"): 6.0}


def test_effective_values_down_three_levels_of_buses() -> None:
    tree = Store()
    tree.define(Property("gain", default=0.0, behavior="additive"))
    tree.define(Property("amplitude", default=1.0, behavior="multiplicative"))
    tree.define(Property("reverb", default=0.0, behavior="multiplicative"))
    tree.owner("master")
    tree.owner("drums", parent="master")
    tree.owner("snare", parent="drums")
    for owner, gain in (("master", -1.0), ("drums", -3.0), ("snare", 2.0)):
        tree.set((owner, "gain"), gain)
        tree.set((owner, "amplitude"), 10.0 ** (gain / 20.0))
    tree.set(("snare", "reverb"), 0.5)
    assert tree.effective("snare", "gain") == pytest.approx(-2.0)
    assert tree.effective("snare", "amplitude") == pytest.approx(10.0 ** (-2.0 / 20.0))
    assert tree.effective("snare", "reverb") == 0.5, "what nobody set on the buses is neutral"
    tree.set(("drums", "gain"), 0.0)
    assert tree.effective("snare", "gain") == pytest.approx(1.0)


def test_unset_values_of_a_parent_count_as_they_are_in_faithful() -> None:
    tree = Store(faithful=True)
    tree.define(Property("reverb", default=0.0, behavior="multiplicative"))
    tree.owner("master")
    tree.owner("snare", parent="master")
    tree.set(("snare", "reverb"), 0.5)
    assert tree.effective("snare", "reverb") == 0.0


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (call("+", X, 3.0), Constant(5.0), 2.0),
        (call("-", 3.0, X), Constant(5.0), -2.0),
        (call("/", 8.0, X), Constant(2.0), 4.0),
        (call("*", call("-", X, 1.0), 2.0), call("+", Y, 4.0), 3.0),
        (call("log10", X), Constant(2.0), 100.0),
        (call("pow10", call("/", X, 20.0)), Constant(10.0), 20.0),
        (call("exp", X), Constant(math.e), 1.0),
        (call("power", X, 2.0), Constant(49.0), 7.0),
        (call("clamp", X, -1.0, 1.0), Constant(0.5), 0.5),
    ],
)
def test_operations_are_undone(left: Expression, right: Expression, expected: float) -> None:
    solved = isolated(left, right, X)
    assert solved is not None
    one = store(low=-1000.0, high=1000.0)
    one.add(Directed(Z, solved))
    assert one.get("c", "x") == pytest.approx(expected)


def test_only_the_improved_solver_finds_roots_of_what_occurs_twice() -> None:
    twice = Equation(call("+", call("*", X, X), X), Constant(6.0), name="quadratic")
    improved, faithful = store(low=0.0, high=10.0), store(low=0.0, high=10.0, faithful=True)
    for one in (improved, faithful):
        one.add(twice)
    assert isolated(twice.left, twice.right, X) is None
    assert improved.get("a", "x") == pytest.approx(2.0)
    assert [r.constraint for r in faithful.reports] == ["quadratic"]


def test_roots_stay_between_their_bounds_or_are_none() -> None:
    assert root(lambda x: x**3 - 8.0, -5.0, 5.0, 0.0) == pytest.approx(2.0)
    assert root(lambda x: x * x + 1.0, -5.0, 5.0, 0.0) is None


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (Directed(Read("a", "f"), Constant(1.0)), "features are measured"),
        (Directed(Read("?t", "x"), Constant(1.0)), "not bound"),
        (Directed(Read("a", "y"), Constant(1.0)), "no property 'y'"),
        (Directed(Read("d", "x"), Constant(1.0)), "no owner 'd'"),
        (
            Quantified((("?t", "all"),), Directed(Read("?t", "x"), Total("som", "?u", "all", X))),
            "no fold 'som'",
        ),
    ],
)
def test_constraints_about_what_is_not_there_are_refused(constraint: object, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        store().add(constraint)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="no function"):
        Call("sine", (X,))


def test_two_bounds_of_one_name_are_reported_apart() -> None:
    bound = store(low=0.0)
    bound.add(
        Inequality(X, "<=", Constant(-1.0), name="rule"), Inequality(Y, "<=", Constant(5.0), name="rule")
    )
    assert [r.members for r in bound.reports if "broken" in r.text] == [(("a", "x"),)]
    bound.set(("b", "x"), 3.0)
    assert [r.members for r in bound.reports if "broken" in r.text] == [(("a", "x"),)]
