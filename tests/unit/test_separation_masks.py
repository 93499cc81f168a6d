"""Masks and the law of the remix, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makers_recordings import stems
from tonmeister.errors import BadInputError
from tonmeister.evaluation.separation import sdr_db
from tonmeister.separation.masks import (
    binary_mask,
    complement,
    hard,
    parse_rule,
    ratio_mask,
    shares_of,
    soft,
    soft_db,
    wiener_mask,
)
from tonmeister.separation.remix_law import (
    achieved_gain_db,
    allowed_gains_db,
    expected_sdr_db,
    expected_share,
    fader_db,
    share_reached,
)
from tonmeister.separation.wiener import wiener
from tonmeister.units import db_to_gain

SHARES = np.random.default_rng(0).random((3, 1, 40, 50), np.float32)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_more_confidence_never_takes_more_bins(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (hard(high)(SHARES) <= hard(low)(SHARES)).all()


def test_confidence_above_a_half_leaves_bins_and_below_it_shares_them() -> None:
    shares = np.concatenate([SHARES[:1], 1.0 - SHARES[:1]])
    assert set(np.unique(hard(0.7)(shares).sum(axis=0))) == {0.0, 1.0}
    assert set(np.unique(hard(0.3)(shares).sum(axis=0))) == {1.0, 2.0}


def test_complement_gives_the_rest_to_the_last() -> None:
    masks = complement(np.array([[0.25, 0.9], [0.3, 0.3], [0.0, 0.0]], np.float32))
    np.testing.assert_allclose(masks[-1], [0.45, 0.0], atol=1e-6)


@given(st.floats(-40.0, 20.0))
def test_soft_db_moves_bins_by_the_gain_to_the_power_of_the_share(gain_db: float) -> None:
    gain = db_to_gain(gain_db)
    masks = soft_db(gain)(SHARES)
    np.testing.assert_allclose(1.0 + (gain - 1.0) * masks, gain**SHARES, rtol=2e-3, atol=2e-4)
    assert masks.min() >= 0.0
    assert masks.max() <= 1.0


def test_soft_db_has_its_limits() -> None:
    assert soft_db(1.0)(SHARES) is SHARES
    np.testing.assert_allclose(soft_db(0.0)(SHARES), soft_db(0.01)(SHARES))


def test_rules_are_read_and_wrong_ones_named() -> None:
    assert parse_rule("soft") is soft
    np.testing.assert_array_equal(parse_rule("hard:0.7")(SHARES), hard(0.7)(SHARES))
    np.testing.assert_array_equal(parse_rule("hard")(SHARES), hard(0.5)(SHARES))
    with pytest.raises(BadInputError, match="did you mean 'hard'"):
        parse_rule("hart")
    for text in ("hard:2", "hard:x", "hard:"):
        with pytest.raises(BadInputError, match="between 0 and 1"):
            parse_rule(text)


def test_masks_of_magnitudes() -> None:
    target, others = np.array([2.0, 1.0, 0.0, 3.0], np.float32), np.array([1.0, 1.0, 0.0, 0.0], np.float32)
    np.testing.assert_array_equal(binary_mask(target, others), [1, 0, 0, 1])
    np.testing.assert_array_equal(binary_mask(target, others, 10.0), [0, 0, 0, 1])
    np.testing.assert_allclose(ratio_mask(target, others), [2 / 3, 1 / 2, 0, 1])
    np.testing.assert_allclose(ratio_mask(target, others, 2.0), [4 / 9, 1 / 4, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(wiener_mask(target, others, 2.0), [4 / 5, 1 / 2, 0, 1])
    np.testing.assert_allclose(shares_of(np.stack([target, others])).sum(axis=0), [1, 1, 0, 1])


def test_the_law_has_the_values_of_its_table() -> None:
    table = {3: (24.8, 15.5, 10.0, 5.8), 7: (28.8, 19.5, 14.0, 9.8), 11: (32.8, 23.5, 18.0, 13.8)}
    for separation_db, row in table.items():
        for change_db, value in zip((1, 3, 6, 12), row, strict=True):
            assert expected_sdr_db(change_db, separation_db) == pytest.approx(value, abs=0.051)
            assert expected_sdr_db(-change_db, separation_db) == pytest.approx(value, abs=0.051)
    assert expected_sdr_db(-300.0, 5.0) == pytest.approx(5.0, abs=0.01)
    assert expected_sdr_db(0.0, 5.0) == math.inf


def test_gains_that_keep_the_floor() -> None:
    assert allowed_gains_db(5.0) == pytest.approx((-4.0576, 4.0576), abs=1e-3)
    assert allowed_gains_db(16.0) == (-math.inf, math.inf)


@given(st.floats(0.0, 30.0), st.floats(0.05, 5.0), st.floats(-60.0, 40.0))
def test_the_guard_is_the_law_turned_around(separation_db: float, ratio: float, gain_db: float) -> None:
    low, high = allowed_gains_db(separation_db, ratio)
    margin = expected_sdr_db(gain_db, separation_db, ratio) - 15.0
    if abs(margin) > 1e-3:
        assert (low <= gain_db <= high) == (margin > 0.0)


@given(st.floats(-20.0, 20.0), st.floats(0.3, 1.0))
def test_faders_are_the_achieved_gain_turned_around(gain_db: float, share: float) -> None:
    fader = fader_db(gain_db, share)
    if fader > -60.0:
        assert achieved_gain_db(fader, share) == pytest.approx(gain_db, abs=1e-6)
    else:
        assert db_to_gain(gain_db) < 1.0 - 0.999 * share
    assert fader_db(0.0, share) == 0.0


def test_the_share_of_a_source_shows_in_its_track() -> None:
    """For masks that are the expected share of power: exactly on average, here over many bins."""
    random = np.random.default_rng(0)
    share = random.random(400_000)
    true = random.standard_normal(400_000) * np.sqrt(share)
    rest = random.standard_normal(400_000) * np.sqrt(1.0 - share)
    mixture = true + rest
    track = share * mixture
    found = expected_share(float(track @ track), float(track @ mixture))
    assert found == pytest.approx(share_reached(true[None], rest[None], track[None]), abs=0.01)
    assert expected_share(0.0, 0.0) == 1.0
    assert expected_share(0.1, 1.0) == 0.3


def test_the_law_holds_for_a_remix() -> None:
    """The exact identity within 0.01 dB, the estimate for unrelated sources within 0.3 dB, the gain that is reached."""
    made = {n: s.astype(np.float64) for n, s in stems(2.0).items()}
    true, rest = made["vocals"], made["drums"] + made["bass"]
    assert abs(np.vdot(true, rest)) < 0.05 * np.linalg.norm(true) * np.linalg.norm(rest)
    guess = 0.8 * true + 0.1 * rest + 0.01 * np.random.default_rng(0).standard_normal(true.shape)
    share = share_reached(true, rest, guess)
    ratio = float(np.sum(true**2) / np.sum(rest**2))
    for gain_db in (-12.0, -3.0, 3.0, 6.0):
        gain = db_to_gain(gain_db)
        remix, wanted = true + rest + (gain - 1.0) * guess, gain * true + rest
        exact = 10 * np.log10(np.sum(wanted**2) / ((gain - 1.0) ** 2 * np.sum((guess - true) ** 2)))
        assert sdr_db(wanted, remix) == pytest.approx(exact, abs=0.01)
        assert expected_sdr_db(gain_db, sdr_db(true, guess), ratio) == pytest.approx(exact, abs=0.3)
        reached = share_reached(true, rest, remix)
        assert achieved_gain_db(gain_db, share) == pytest.approx(20 * np.log10(reached), abs=0.05)
    assert share == pytest.approx(0.8, abs=0.01)
    assert achieved_gain_db(0.0, share) == 0.0


def test_the_wiener_filter_sends_a_source_to_its_place() -> None:
    random = np.random.default_rng(3)
    spectra = random.standard_normal((2, 30, 80)) + 1j * random.standard_normal((2, 30, 80))
    spectra *= np.linspace(0.2, 2.0, 80) * np.array([1.0, 0.7])[:, None, None]
    places = np.array([[1.0, 0.1], [0.3, 1.0]])
    true = (places[:, :, None, None] * spectra[:, None]).astype(np.complex64)
    mixture = true.sum(axis=0)
    rough = (0.7 * true + 0.3 * true[::-1]).astype(np.complex64)
    before = np.linalg.norm(rough - true)
    once, twice = (wiener(rough, mixture, rounds) for rounds in (1, 2))
    assert np.linalg.norm(once - true) < 0.6 * before
    assert np.linalg.norm(twice - true) < np.linalg.norm(once - true)
    np.testing.assert_allclose(once.sum(axis=0), mixture, atol=2e-3 * np.abs(mixture).max())
    assert wiener(rough, mixture, 0) is rough
    silent = np.zeros_like(mixture)
    assert np.isfinite(wiener(np.zeros_like(rough), silent)).all()
