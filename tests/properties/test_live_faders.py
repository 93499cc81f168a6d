"""Safe limits of the moving controls, for any orders in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.live.faders import Control, Faders, controls_of
from tonmeister.strip import Curve, Send, Strip

RATE = 48000
CONTROLS = (
    Control("Kick", "gain_db", -6.0),
    Control("Kick", "pan", 0.0),
    Control("Lead", "gain_db", 0.0),
    Control("Lead", "send:Room", -12.0),
)
TICK_S = 0.02


def faders(**how: frozenset[str]) -> Faders:
    return Faders(CONTROLS, RATE, leads=frozenset({"Lead"}), **how)


def run(desk: Faders, ticks: int) -> np.ndarray:
    """Levels after each tick, (ticks + 1, controls)."""
    levels = [desk.values[:, -1].copy()]
    for _ in range(ticks):
        desk.tick()
        levels.append(desk.values[:, -1].copy())
    return np.array(levels)


ORDERS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(-96.0, 24.0), st.integers(1, 48000), st.integers(0, 30)),
    max_size=12,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ORDERS)
def test_no_engine_moves_faster_or_farther_than_allowed(orders: list[tuple[int, float, int, int]]) -> None:
    desk = faders()
    levels = [desk.values[:, -1].copy()]
    for index, value, ramp, ticks in orders:
        desk.move(index, value / 24.0 if index == 1 else value, ramp)
        levels += list(run(desk, ticks)[1:])
    steps = np.abs(np.diff(np.array(levels), axis=0))
    assert (steps[:, [0, 2, 3]] <= 12.0 * TICK_S + 1e-9).all()
    assert (steps[:, 1] <= 0.5 * TICK_S + 1e-9).all()
    assert np.max(levels) <= 10.0 + 1e-9
    assert (np.array(levels)[:, 2] >= -6.0 - 1e-9).all()  # the lead's floor


def test_a_move_takes_its_ramp_where_the_limits_allow() -> None:
    desk = faders()
    desk.move(0, -5.0, round(0.2 * RATE))
    levels = run(desk, 12)[:, 0]
    np.testing.assert_allclose(levels[:11], np.linspace(-6.0, -5.0, 11))
    assert levels[11] == levels[12] == -5.0


def test_a_line_once_begun_is_not_changed() -> None:
    desk = faders()
    desk.move(0, 6.0, 1)
    run(desk, 3)
    before = desk.values[:, 3:].copy()
    desk.move(0, -20.0, 1)
    run(desk, 3)
    np.testing.assert_array_equal(desk.values[:, :-3], before)


def test_hold_keeps_everything_where_it_is() -> None:
    desk = faders()
    desk.move(0, 6.0, 1)
    run(desk, 5)
    desk.held = True
    levels = run(desk, 5)
    assert (levels == levels[0]).all()
    desk.held = False
    assert run(desk, 1)[1, 0] > levels[0, 0]


def test_bypass_goes_back_to_the_start_and_returns_to_the_engine() -> None:
    desk = faders()
    desk.move(0, 0.0, 1)
    desk.move(1, 0.4, 1)
    run(desk, 60)
    desk.bypassed = True
    assert run(desk, 60)[-1].tolist() == [c.start for c in CONTROLS]
    desk.bypassed = False
    assert run(desk, 60)[-1, :2].tolist() == [0.0, 0.4]


def test_a_mute_fades_and_is_off() -> None:
    desk = faders()
    desk.mute(0, True)
    levels = run(desk, 20)[:, 0]
    assert (np.diff(levels) <= 0).all()
    assert levels[-1] == -96.0
    desk.mute(0, False)
    assert run(desk, 20)[-1, 0] == -6.0


def test_a_muted_strip_keeps_following_its_fader() -> None:
    desk = faders(muted=frozenset({"Kick"}))
    assert run(desk, 1)[:, 0].tolist() == [-96.0, -96.0]
    desk.move(0, -3.0, 1)
    run(desk, 60)
    desk.mute(0, False)
    assert run(desk, 20)[-1, 0] == -3.0


def test_a_duck_is_fast_and_its_end_is_slow() -> None:
    desk = faders()
    desk.duck(2, -18.0)
    assert run(desk, 4)[-1, 2] == pytest.approx(-18.0)
    desk.duck(2, 0.0)
    levels = run(desk, 100)[:, 2]
    assert np.diff(levels).max() <= 12.0 * TICK_S + 1e-9
    assert levels[-1] == 0.0


def test_a_person_goes_where_no_engine_may() -> None:
    desk = faders()
    desk.move(2, -40.0, 1, by_hand=True)
    levels = run(desk, 100)[:, 2]
    assert levels[-1] == -40.0
    assert np.abs(np.diff(levels)).max() > 12.0 * TICK_S


def test_controls_start_where_the_plan_stands() -> None:
    strip = Strip(
        "Keys", gain_db=-3.0, pan=0.2, sends=(Send("Room", -9.0),),
        automation={"pan": Curve((0.0, 1.0), (-0.5, 0.5))},
    )  # fmt: skip
    assert [(c.parameter, c.start) for c in controls_of([strip])] == [
        ("gain_db", -3.0), ("pan", -0.5), ("send:Room", -9.0),
    ]  # fmt: skip
