"""The curve of a learned waveshaper."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.dsp import saaf
from tonmeister.units import DoubleArray


@pytest.fixture(scope="module")
def bent() -> DoubleArray:
    rng = np.random.default_rng(3)
    return np.concatenate([[0.2, 1.3], rng.standard_normal(saaf.INTERVALS)])


def by_basis(x: DoubleArray, numbers: DoubleArray) -> DoubleArray:
    value = numbers[0] + numbers[1] * x
    for k in range(saaf.INTERVALS):
        value = value + numbers[2 + k] * saaf.basis(x, k)
    return np.asarray(value)


X = np.linspace(-3.0, 3.0, 6001)


def test_it_has_27_numbers_and_starts_as_the_identity() -> None:
    assert saaf.NUMBERS == 27 == len(saaf.identity())
    np.testing.assert_allclose(saaf.curve(X, saaf.identity()), X, atol=1e-12)


def test_the_table_is_the_basis(bent: DoubleArray) -> None:
    np.testing.assert_allclose(saaf.curve(X, bent), by_basis(X, bent), atol=1e-9)


def test_value_and_slope_are_continuous_at_every_joint(bent: DoubleArray) -> None:
    joints, step = np.asarray(np.linspace(-1.0, 1.0, saaf.INTERVALS + 1), np.float64), 1e-6
    left, at, right = (saaf.curve(joints + s, bent) for s in (-step, 0.0, step))
    assert np.abs(right - left).max() < 1e-4
    np.testing.assert_allclose((right - at) / step, (at - left) / step, atol=1e-4)


def test_the_curvature_is_the_number_of_the_interval(bent: DoubleArray) -> None:
    middles, step = -1.0 + 0.08 * (np.arange(25) + 0.5), 0.01
    left, at, right = (saaf.curve(np.asarray(middles + s, np.float64), bent) for s in (-step, 0.0, step))
    np.testing.assert_allclose((right - 2.0 * at + left) / step**2, bent[2:], atol=1e-8)


def test_it_goes_on_straight_outside(bent: DoubleArray) -> None:
    for outside in (np.linspace(-50.0, -1.0, 99), np.linspace(1.0, 50.0, 99)):
        assert np.abs(np.diff(saaf.curve(outside, bent), 2)).max() < 1e-9


def test_slope_is_the_derivative(bent: DoubleArray) -> None:
    by_steps = (saaf.curve(X + 1e-6, bent) - saaf.curve(X - 1e-6, bent)) / 2e-6
    np.testing.assert_allclose(saaf.slope(X, bent), by_steps, atol=1e-4)
    by_sum = bent[1] + sum(bent[2 + k] * saaf.slope_basis(X, k) for k in range(25))
    np.testing.assert_allclose(saaf.slope(X, bent), by_sum, atol=1e-9)


def test_what_is_no_number_stays_none_and_huge_values_stay_finite(bent: DoubleArray) -> None:
    assert np.isnan(saaf.curve(np.array([np.nan]), bent)).all()
    assert np.isfinite(saaf.curve(np.array([-1e30, 1e30]), bent)).all()
