"""The usual spectrum of a mix, and how far a mix lies from it."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.dsp.bands import OCTAVE_HZ
from tonmeister.tonal_balance import target_density_db, target_third_octave_db, tolerance_db, tonal_balance


@pytest.mark.parametrize(
    ("hertz", "expected_db"),
    [(1000.0, 0.0), (4000.0, -9.5), (140.0, 13.5), (100.0, 13.5), (50.0, 13.5), (25.0, 1.5), (8000.0, -16.0)],
)
def test_the_curve_has_its_published_values(hertz: float, expected_db: float) -> None:
    assert float(target_density_db(np.array([hertz]))[0]) == pytest.approx(expected_db, abs=0.06)


def test_the_tolerance_is_narrow_in_the_middle() -> None:
    assert [tolerance_db(hz) for hz in (63.0, 1000.0, 16000.0)] == [5.0, 3.0, 5.0]


def test_a_mix_with_the_usual_spectrum_deviates_nowhere_at_any_level() -> None:
    for level_db in (-60.0, 0.0, 12.0):
        balance = tonal_balance(target_third_octave_db() + level_db)
        np.testing.assert_allclose(balance.deviation_db, 0.0, atol=1e-9)
        assert balance.outside == ()


def test_an_octave_that_is_too_loud_stands_out() -> None:
    spectrum = target_third_octave_db()
    spectrum[3:6] += 8.0
    balance = tonal_balance(spectrum)
    assert balance.outside == (63.0,)
    assert balance.deviation_db[OCTAVE_HZ.index(63.0)] == pytest.approx(8.0)


def test_silence_has_no_deviation() -> None:
    assert tonal_balance([-200.0] * 30).deviation_db == (None,) * 10
