"""The statistics of listening tests against scipy, and the laws they obey."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.evaluation.listening.statistics import (
    chi_squared_tail,
    friedman,
    holm,
    kendall_w,
    mean_interval,
    mean_ranks,
    signed_rank,
    student_quantile,
)

seeds = st.integers(0, 10_000)


def drawn(seed: int, *shape: int, values: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, values, shape).astype(float)


@given(seeds)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_friedman_agrees_with_scipy_with_many_ties(seed: int) -> None:
    scores = drawn(seed, 7, 5)
    found, oracle = friedman(scores), scipy.stats.friedmanchisquare(*scores.T)
    assert found.chi_squared == pytest.approx(oracle.statistic)
    assert found.p == pytest.approx(oracle.pvalue)


@given(seeds, st.integers(2, 20))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_signed_rank_is_exact_without_ties(seed: int, pairs: int) -> None:
    first, second = np.random.default_rng(seed).standard_normal((2, pairs))
    assert signed_rank(first, second).p == pytest.approx(scipy.stats.wilcoxon(first, second).pvalue)


@given(seeds)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_signed_rank_is_exact_with_ties_too(seed: int) -> None:
    differences = drawn(seed, 9, values=7) - 3.0
    differences = differences[differences != 0.0]
    if len(differences) == 0:
        return
    method = scipy.stats.PermutationMethod(n_resamples=100_000)  # all sign patterns
    oracle = scipy.stats.wilcoxon(differences, method=method).pvalue
    assert signed_rank(differences, np.zeros_like(differences)).p == pytest.approx(oracle)


def test_signed_rank_of_many_pairs_is_the_corrected_normal_approximation() -> None:
    first, second = drawn(3, 2, 90, values=30)
    oracle = scipy.stats.wilcoxon(first, second, correction=False, method="asymptotic").pvalue
    assert signed_rank(first, second).p == pytest.approx(oracle)


@given(seeds)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_swapping_the_two_turns_the_effect_and_keeps_the_p_value(seed: int) -> None:
    first, second = drawn(seed, 2, 12)
    one, other = signed_rank(first, second), signed_rank(second, first)
    assert one.p == pytest.approx(other.p)
    assert one.rank_biserial == pytest.approx(-other.rank_biserial)
    assert -1.0 <= one.rank_biserial <= 1.0


def test_equal_ratings_show_nothing() -> None:
    same = np.full((6, 3), 50.0)
    assert friedman(same).p == 1.0
    assert signed_rank(same[:, 0], same[:, 1]).p == 1.0
    assert kendall_w(same) is None


def test_agreement_is_one_when_all_order_alike_and_zero_when_they_cancel() -> None:
    alike = np.array([[1.0, 5.0, 9.0], [10.0, 50.0, 99.0], [0.0, 0.1, 0.2]])
    assert kendall_w(alike) == pytest.approx(1.0)
    assert kendall_w(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])) == pytest.approx(0.0)
    assert kendall_w(alike[:1]) is None


@given(seeds)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_agreement_follows_from_friedman(seed: int) -> None:
    scores = drawn(seed, 6, 4)
    found = friedman(scores)
    if found.chi_squared > 0:
        assert kendall_w(scores) == pytest.approx(found.chi_squared / (6 * 3))


def test_ranks_agree_with_scipy() -> None:
    scores = drawn(1, 20, 6, values=4)
    assert mean_ranks(scores) == pytest.approx(scipy.stats.rankdata(scores, axis=-1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_holm_raises_every_value_and_keeps_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(v <= a <= 1.0 for v, a in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert adjusted[order[0]] == pytest.approx(min(1.0, values[order[0]] * len(values)))


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 200])
def test_student_quantile_agrees_with_scipy(freedom: int) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-8)


@pytest.mark.parametrize("freedom", [1, 2, 5, 11])
@pytest.mark.parametrize("value", [0.001, 0.5, 3.0, 20.0, 90.0])
def test_chi_squared_tail_agrees_with_scipy(value: float, freedom: int) -> None:
    assert chi_squared_tail(value, freedom) == pytest.approx(scipy.stats.chi2.sf(value, freedom), rel=1e-9)


def test_interval_of_a_mean_is_student_s() -> None:
    values = np.random.default_rng(4).normal(3.0, 2.0, 9)
    oracle = scipy.stats.t.interval(0.95, 8, values.mean(), scipy.stats.sem(values))
    assert mean_interval(values) == pytest.approx(oracle)
    assert mean_interval(values[:1]) is None
