"""Laws of the masking matrix."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.dsp.masking import hidden_shares, masking_thresholds, spreading_db
from tonmeister.multitrack import Multitrack, Track

RATE = 44_100


def matrix(*signals: np.ndarray) -> np.ndarray:
    tracks = tuple(Track(name=f"t{i}", audio=Audio(np.atleast_2d(s), RATE)) for i, s in enumerate(signals))
    return analyze(Multitrack("song", tracks, RATE)).masking


def tone(frequency_hz: float, duration_s: float = 2.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE)) / RATE)


def noise(seed: int, duration_s: float = 2.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * RATE))


def bark_of(frequency_hz: float) -> int:
    return int(np.searchsorted(BARK_EDGES_HZ, frequency_hz)) - 1


def test_shape_range_and_diagonal() -> None:
    shares = matrix(noise(1), noise(2), tone(1000))
    assert shares.shape == (3, 3, 24)
    assert (shares >= 0).all()
    assert (shares <= 1).all()
    assert not shares[np.arange(3), np.arange(3)].any()


def test_the_closer_tone_masks_more_and_the_far_one_not_at_all() -> None:
    band = bark_of(1000)
    shares = matrix(tone(1000), tone(1060), tone(1250), tone(6000))[0, 1:, band]
    assert shares[0] > 0.2
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 1e-3


def test_masking_reaches_further_up_than_down() -> None:
    shares = matrix(tone(1000), tone(1360))
    assert shares[1, 0, bark_of(1360)] > 3 * shares[0, 1, bark_of(1000)]


def test_a_narrow_sound_is_hidden_less_by_a_broad_one_of_equal_loudness() -> None:
    shares = matrix(tone(1000), noise(1))
    assert shares[0, 1, bark_of(1000)] < 0.1


def test_tracks_that_take_turns_do_not_mask() -> None:
    rest = np.zeros(2 * RATE)
    turns = matrix(np.concatenate([noise(1), rest]), np.concatenate([rest, noise(2)]))
    together = matrix(noise(1), noise(2))
    assert together[0, 1].min() > 0.2
    assert turns[0, 1].max() < 0.1


def test_what_the_other_plays_in_the_rests_does_not_count() -> None:
    """Only the time in which the hidden track sounds counts."""
    rest = np.zeros(4 * RATE)
    shares = matrix(np.concatenate([tone(1000), rest]), np.concatenate([tone(1000), noise(1, 4.0)]))
    assert shares[0, 1, bark_of(1000)] > 0.2


def test_a_track_shorter_than_the_others() -> None:
    shares = matrix(noise(1, 1.0), noise(2, 4.0))
    assert shares[0, 1].min() > 0.2
    assert 0.02 < shares[1, 0].mean() < shares[0, 1].mean() / 2


def test_louder_maskers_hide_more() -> None:
    rng = np.random.default_rng(0)
    powers = rng.random((50, 24)).astype(np.float32)
    masker = rng.random((50, 24)).astype(np.float32)
    shares = np.zeros((4, 24))
    thresholds = np.stack([masking_thresholds(masker * np.float32(g)) for g in (0.0, 0.5, 1.0, 1000.0)])
    hidden_shares(powers, thresholds, shares)
    assert not shares[0].any()
    assert (np.diff(shares, axis=0) > 0).all()
    np.testing.assert_allclose(shares[-1], 1.0, atol=1e-6)


def test_spreading_has_its_published_shape() -> None:
    """Schroeder, Atal & Hall: 0 dB at the masker, slopes towards +25 and -10 dB per Bark."""
    np.testing.assert_allclose(spreading_db(np.array([0.0])), 0.0, atol=0.01)
    far = np.diff(spreading_db(np.array([-11.0, -10.0, 10.0, 11.0])))
    assert far[0] == pytest.approx(25, abs=0.2)
    assert far[2] == pytest.approx(-10, abs=0.2)
