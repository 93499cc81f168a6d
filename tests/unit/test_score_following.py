"""Following performances whose times are known: tempo curves, wrong notes, leaps, other music, silence, bad blocks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import makers_performances as make
from makers_performances import RATE, Played
from tonmeister.errors import BadInputError
from tonmeister.live.following_features import DIMENSIONS, FollowingFeatures, hop_frames
from tonmeister.live.reference import Reference, reference_of_recording, reference_of_score
from tonmeister.live.score_following import Follower, FollowerOptions, ScorePosition
from tonmeister.live.scores import Score
from tonmeister.units import FloatArray

CURVES = ("plain", "slower", "faster", "accelerando", "ritardando", "rubato")


@cache
def reference(seed: int) -> tuple[Score, Reference]:
    score = make.piece(seed)
    return score, reference_of_score(score, RATE)


@cache
def played_plainly() -> Played:
    return make.perform(make.piece(1), make.plain)


def follower(seed: int = 1, **options: object) -> Follower:
    score, known = reference(seed)
    return Follower(score, RATE, reference=known, options=FollowerOptions(**options))  # type: ignore[arg-type]


def follow(with_: Follower, sound: FloatArray, block: int = 512) -> list[ScorePosition]:
    return [with_.update(sound[:, k : k + block]) for k in range(0, sound.shape[1], block)]


def errors_ms(with_: Follower, played: Played) -> np.ndarray:
    return np.array(
        [1000 * (o.time_s - played.times_s[o.beat]) for o in with_.observed if o.beat in played.times_s]
    )


def assert_followed(with_: Follower, played: Played, *, share: float = 0.97) -> None:
    wrong = np.abs(errors_ms(with_, played))
    assert len(wrong) >= share * len(played.times_s)
    assert np.median(wrong) < 50
    assert np.percentile(wrong, 95) < 200


# ------------------------------------------------------------------ how well


@pytest.mark.parametrize("curve", CURVES)
def test_tempo_curves_are_followed(curve: str) -> None:
    found = follower()
    played = make.perform(found.score, getattr(make, curve))
    follow(found, played.sound)
    assert_followed(found, played)
    assert found.position.mode in ("following", "ended")


def test_the_best_path_alone_follows_too_and_less_well() -> None:
    played = make.perform(make.piece(1), make.rubato)
    all_paths, best_path = follower(), follower(method="warping")
    for each in (all_paths, best_path):
        follow(each, played.sound)
    assert np.median(np.abs(errors_ms(best_path, played))) < 150
    wrong = [np.percentile(np.abs(errors_ms(each, played)), 95) for each in (all_paths, best_path)]
    assert wrong[0] < wrong[1]


def test_wrong_notes_do_not_matter() -> None:
    found = follower(2)
    played = make.perform(found.score, make.rubato, wrong=0.1, jitter_s=0.015)
    follow(found, played.sound)
    assert_followed(found, played)


def test_a_skipped_bar_is_caught_up_within_five_seconds() -> None:
    found = follower(3)
    played = make.perform(found.score, make.plain, skip=(16.0, 20.0))
    follow(found, played.sound)
    leap_s = played.times_s[20.0]
    after = {o.beat: o.time_s for o in found.observed if o.time_s > leap_s + 5.0}
    assert len(after) > 10
    assert max(abs(time_s - played.times_s[beat]) for beat, time_s in after.items()) < 0.2


def test_events_are_expected_before_they_are_heard() -> None:
    found = follower()
    played = make.perform(found.score, make.accelerando)
    follow(found, played.sound)
    ahead = [
        abs(o.expected_s - played.times_s[o.beat])
        for o in found.observed
        if o.expected_s is not None and o.event > 4
    ]
    assert np.median(ahead) < 0.030
    said_after_s = [o.said_s - played.times_s[o.beat] for o in found.observed]
    assert np.median(said_after_s) > 0.0


def test_predictions_come_in_order_with_growing_doubt() -> None:
    found = follower()
    played = played_plainly()
    follow(found, played.sound[:, : 8 * RATE])
    ahead = found.upcoming(6)
    assert [p.event for p in ahead] == list(range(found.position.event + 1, found.position.event + 7))
    assert np.all(np.diff([p.time_s for p in ahead]) > 0)
    assert np.all(np.diff([p.sd_s for p in ahead]) > 0)
    for p in ahead:
        assert p.time_s == pytest.approx(played.times_s[found.score.events[p.event].beat], abs=0.1)


def test_a_rehearsal_can_be_the_reference() -> None:
    score = make.piece(1)
    rehearsal, played = make.perform(score, make.slower, seed=5), make.perform(score, make.rubato, seed=6)
    ties = np.array([(time_s, beat) for beat, time_s in rehearsal.times_s.items()])
    start = round((rehearsal.times_s[0.0] - 0.02) * RATE)
    ties[:, 0] -= start / RATE
    known = reference_of_recording(rehearsal.sound[:, start:], RATE, ties)
    found = Follower(score, RATE, reference=known)
    follow(found, played.sound)
    assert_followed(found, played, share=0.9)


# ------------------------------------------------------------------ laws


def test_blocks_of_any_length_say_the_same() -> None:
    played = played_plainly()
    sound = played.sound[:, : 6 * RATE]
    whole = follower()
    follow(whole, sound)
    for block in (64, 333, 5000):
        found = follower()
        follow(found, sound, block)
        assert found.observed == whole.observed
        assert found.position == whole.position


def test_what_comes_later_is_never_read() -> None:
    found, cut = follower(), follower()
    played = make.perform(found.score, make.rubato)
    frames = 5 * RATE
    changed = played.sound.copy()
    changed[:, frames:] = np.random.default_rng(0).standard_normal(changed[:, frames:].shape)
    assert follow(found, played.sound[:, :frames]) == follow(cut, changed[:, :frames])


def test_reset_forgets_the_performance() -> None:
    found = follower()
    played = played_plainly().sound[:, : 5 * RATE]
    first = follow(found, played)
    found.reset()
    assert follow(found, played) == first


def test_gain_and_channels_do_not_matter() -> None:
    found, loud = follower(), follower()
    played = played_plainly()
    follow(found, played.sound)
    follow(loud, np.repeat(4 * played.sound, 2, axis=0))
    assert [o.event for o in loud.observed] == [o.event for o in found.observed]
    assert np.allclose([o.time_s for o in loud.observed], [o.time_s for o in found.observed], atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_rows_at_any_rate(rate: int) -> None:
    features = FollowingFeatures(rate)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    rows, silent = features.update(tone[None])
    assert rows.shape == (rate // hop_frames(rate), DIMENSIONS)
    assert int(rows[-1, :-12].argmax()) == 69 - 36
    assert not silent[5:].any()
    assert np.all(np.linalg.norm(rows, axis=1) <= 1 + 1e-9)


# ------------------------------------------------------------------ what is not as it should be


def test_silence_before_the_first_note_is_waited_out() -> None:
    found = follower()
    played = make.perform(found.score, make.plain, lead_s=8.0)
    quiet = np.where(np.arange(played.sound.shape[1]) < 7.9 * RATE, 0.0, played.sound).astype(np.float32)
    positions = follow(found, quiet)
    assert {p.mode for p in positions if p.time_s < 7.9} == {"waiting"}
    assert found.upcoming(1) == [] or positions[-1].mode == "following"
    assert_followed(found, played)


def test_a_pause_holds_the_place_and_lowers_the_confidence() -> None:
    found = follower()
    played = played_plainly()
    at = round((played.times_s[20.0] - 0.01) * RATE)
    before, rest = played.sound[:, :at], played.sound[:, at:]
    follow(found, before)
    at_rest = found.position
    pause = follow(found, np.zeros((1, 4 * RATE), np.float32))
    assert pause[-1].confidence < 0.3 < at_rest.confidence
    assert abs(pause[-1].beat - at_rest.beat) < 1.5
    follow(found, rest)
    assert found.position.confidence > 0.5
    late = [o.time_s - played.times_s[o.beat] - 4.0 for o in found.observed if o.beat > 26]
    assert len(late) > 10
    assert np.median(np.abs(late)) < 0.05


@pytest.mark.parametrize("what", ["another piece", "noise", "a hum"])
def test_other_sounds_are_noticed_and_handed_over(what: str) -> None:
    found = follower(1)
    random = np.random.default_rng(0)
    times = np.arange(20 * RATE) / RATE
    sound = {
        "another piece": lambda: make.perform(make.piece(9), make.plain).sound,
        "noise": lambda: random.standard_normal((1, 20 * RATE)).astype(np.float32) * 0.1,
        "a hum": lambda: (0.1 * np.sin(2 * np.pi * 50 * times) + 0.05 * np.sin(2 * np.pi * 150 * times))[
            None
        ],
    }[what]().astype(np.float32)
    positions = follow(found, sound)
    late = [p for p in positions if p.time_s > 8]
    assert np.median([p.confidence for p in late]) < 0.3
    assert any(p.mode == "lost" for p in late)
    lost = next(p for p in positions if p.mode == "lost")
    assert lost.time_s < 12


def test_applause_after_the_music_does_not_keep_the_confidence() -> None:
    found = follower()
    played = played_plainly()
    cut = played.sound[:, : round(played.times_s[24.0] * RATE)]
    clapping = np.random.default_rng(1).standard_normal((1, 8 * RATE)).astype(np.float32) * 0.1
    follow(found, cut)
    assert found.position.confidence > 0.9
    follow(found, clapping)
    assert found.position.confidence < 0.3
    assert found.position.mode == "lost"
    assert found.upcoming(3) == []


def test_bad_samples_are_silence_and_the_rest_goes_on() -> None:
    found = follower()
    played = played_plainly()
    sound = played.sound.copy()
    for start_s in (4.0, 9.0):
        sound[:, round(start_s * RATE) : round((start_s + 0.02) * RATE)] = np.nan
    sound[0, 7 * RATE] = np.inf
    positions = follow(found, sound)
    assert all(np.isfinite([p.beat, p.confidence, p.sd_beats]).all() for p in positions)
    assert_followed(found, played)


def test_empty_blocks_and_empty_scores() -> None:
    found = follower()
    assert found.update(np.zeros((2, 0), np.float32)).mode == "waiting"
    with pytest.raises(BadInputError, match="holds no notes"):
        Follower(Score("nothing", ()), RATE)
