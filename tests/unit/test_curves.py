"""Thinned automation: few points, never farther from the original than asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.engines.curves import thin, to_curve


def _worst(times: np.ndarray, values: np.ndarray, kept: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.max(np.abs(np.interp(times, *kept) - values)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.sampled_from([0.01, 0.1, 1.0]),
    st.sampled_from([0.05, 0.3, 3.0]),
)
def test_dropped_points_stay_within_the_tolerance(
    seed: int, count: int, tolerance: float, step: float
) -> None:
    random = np.random.default_rng(seed)
    times = np.cumsum(random.uniform(0.01, 0.2, count))
    values = np.cumsum(random.normal(0.0, step, count))
    kept = thin(times, values, tolerance)
    assert _worst(times, values, kept) <= tolerance * (1 + 1e-9)
    assert kept[0][0] == times[0]
    assert kept[0][-1] == times[-1]
    assert np.all(np.diff(kept[0]) > 0) or count == 1


def test_a_straight_line_needs_its_two_ends() -> None:
    times = np.arange(5000) * 0.1
    assert len(thin(times, 0.3 * times - 2.0, 0.1)[0]) == 2


def test_a_corner_is_kept() -> None:
    times = np.arange(2001) * 0.01
    kept, values = thin(times, np.abs(times - 10.0), 0.01)
    assert len(kept) <= 4
    assert np.min(np.abs(kept - 10.0)) <= 0.02
    assert values[0] == pytest.approx(10.0)


def test_a_slow_ride_is_thinned_hard() -> None:
    times = np.arange(3000) * 0.1
    ride = 6.0 * np.sin(2 * np.pi * times / 60.0)
    kept = thin(times, ride, 0.1)
    assert len(kept[0]) < 100
    assert _worst(times, ride, kept) <= 0.1 + 1e-9


def test_none_and_one_point() -> None:
    assert len(thin([], [], 0.1)[0]) == 0
    assert thin([2.0], [3.0], 0.1)[1].tolist() == [3.0]


def test_rounding_for_the_reader_costs_no_accuracy() -> None:
    random = np.random.default_rng(1)
    times = np.arange(1000) * 0.1
    values = np.cumsum(random.normal(0.0, 0.2, 1000))
    curve = to_curve(times, values, 0.1)
    assert _worst(times, values, (np.array(curve.times_s), np.array(curve.values))) <= 0.1 + 1e-9
    assert all(round(value, 3) == value for value in curve.values)
