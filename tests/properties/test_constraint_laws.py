"""Laws of the constraint store: incremental work equals computing from nothing, whatever happened before."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tonmeister.units import Range

TRACKS = ("Kick", "Bass", "Voice", "Keys")
FEATURES = tuple(f"f{i}" for i in range(4))
PARAMETERS = tuple(f"p{i}" for i in range(6))


def _expression(random: random.Random, below: int) -> Expression:
    """Over features of the same track and the parameters before this one: no circles."""
    names = [*FEATURES, *PARAMETERS[:below]]
    left = Read("?t", random.choice(names))
    right: Expression = random.choice([Constant(random.uniform(-3, 3)), Read("?t", random.choice(names))])
    function = random.choice(["+", "-", "*", "min", "max"])
    return Call(function, (left, right))


def _store(seed: int) -> Store:
    chance = random.Random(seed)
    store = Store()
    store.define(*(Property(name, "feature") for name in FEATURES))
    behaviors = ("independent", "additive", "multiplicative")
    store.define(
        *(
            Property(n, default=0.5, range=Range(-50.0, 50.0), behavior=chance.choice(behaviors))
            for n in PARAMETERS
        )  # type: ignore[arg-type]
    )
    store.owner("Mix", {"bus"})
    for index, track in enumerate(TRACKS):
        store.owner(track, {"track", "even" if index % 2 else "odd"}, parent="Mix")
    for number in range(chance.randint(1, 14)):
        target = chance.randrange(len(PARAMETERS))
        test = Call(
            chance.choice(["<", ">", ">="]),
            (Read("?t", chance.choice(FEATURES)), Constant(chance.uniform(-2, 2))),
        )
        constraint = Directed(
            Read("?t", PARAMETERS[target]), _expression(chance, target), chance.choice([None, test]),
            chance.randint(0, 2), f"rule {number}",
        )  # fmt: skip
        store.add(Quantified((("?t", chance.choice(["track", "odd", "even"])),), constraint))
    if chance.random() < 0.5:
        limit = Inequality(Read("?t", "p5"), "<=", Call("+", (Read("?t", "f0"), Constant(1.0))), name="limit")
        store.add(Quantified((("?t", "track"),), limit))
    return store


moves = st.lists(
    st.tuples(
        st.sampled_from(TRACKS),
        st.sampled_from((*FEATURES, *PARAMETERS)),
        st.floats(-3.0, 3.0).map(lambda x: round(x, 3)),
        st.booleans(),
    ),
    max_size=15,
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), moved=moves)
def test_incremental_changes_equal_a_computation_from_nothing(
    seed: int, moved: list[tuple[str, str, float, bool]]
) -> None:
    store = _store(seed)
    for track, name, value, release in moved:
        if release:
            store.release((track, name))
        else:
            store.set((track, name), value)
    fresh = store.rebuilt()
    assert fresh.values() == store.values()
    assert {r.text for r in fresh.reports} == {r.text for r in store.reports}
    for track in TRACKS:
        assert fresh.effective(track, "p0") == store.effective(track, "p0")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), moved=moves)
def test_changes_tell_every_variable_that_differs(
    seed: int, moved: list[tuple[str, str, float, bool]]
) -> None:
    store = _store(seed)
    for track, name, value, _ in moved:
        before = store.values()
        told = store.set((track, name), value).values
        after = store.values()
        differing = {k: after.get(k) for k in {*before, *after} if before.get(k) != after.get(k)}
        assert {k: v for k, v in told.items() if before.get(k) != v} == differing


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_a_constant_sum_holds_through_any_moves_and_stays_when_rebuilt(seed: int) -> None:
    chance = random.Random(seed)
    store = Store()
    store.define(Property("level", default=0.0, range=Range(-60.0, 12.0)))
    for name in ("a", "b", "c"):
        store.owner(name, {"backing"})
    store.add(Equation(Total("sum", "?v", "backing", Read("?v", "level")), Constant(-18.0), name="sum"))
    for _ in range(40):
        moved = chance.choice("abc")
        wanted = chance.uniform(-10.0, 0.0)
        store.set((moved, "level"), wanted)
        levels = {n: store.number(n, "level") or 0.0 for n in "abc"}
        assert levels[moved] == wanted
        assert sum(levels.values()) == pytest.approx(-18.0, abs=1e-9)
    assert store.rebuilt().values() == store.values()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    features=st.lists(st.floats(-40, 0), min_size=2, max_size=6),
    limit=st.floats(-20, 20),
    fader=st.floats(-30, 10),
)
def test_an_inequality_holds_or_is_reported_and_lets_go_again(
    features: list[float], limit: float, fader: float
) -> None:
    store = Store()
    store.define(Property("lufs", "feature"), Property("gain", default=0.0, range=Range(-30.0, 10.0)))
    store.define(Property("limit", "feature"))
    store.owner("song")
    for index, lufs in enumerate(features):
        store.owner(f"t{index}", {"track"})
        store.set((f"t{index}", "lufs"), lufs)
    store.set(("song", "limit"), limit)
    loudness = Call("+", (Read("?t", "lufs"), Read("?t", "gain")))
    store.add(Quantified((("?t", "track"),), Inequality(loudness, "<=", Read("song", "limit"), name="limit")))
    store.set(("t0", "gain"), fader)
    broken = {
        member[0] for report in store.reports if report.constraint == "limit" for member in report.members
    }
    for index, lufs in enumerate(features):
        total = lufs + (store.number(f"t{index}", "gain") or 0.0)
        assert total <= limit + 1e-6 or f"t{index}" in broken
    store.set(("song", "limit"), 100.0)
    assert store.number("t0", "gain") == pytest.approx(fader)
    assert not store.reports
