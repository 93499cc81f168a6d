"""Score, beat and engine together at the desk: moves wait for their place, and doubt is said aloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

import makers_performances as make
from makers import RATE, multitrack, noise
from makers_live import Scripted, performed
from tonmeister.audio import Audio
from tonmeister.decisions import Decision, Mute, SetGain
from tonmeister.engines.base import Heard, LiveMove, ScorePosition
from tonmeister.live.beat_ear import BeatEar
from tonmeister.live.causal import acts_at_events, start_mixer
from tonmeister.live.inputs import starting_plan
from tonmeister.live.planning import EventMoves
from tonmeister.live.score_ear import ScoreEar
from tonmeister.live.scores import Score, score_of_notes
from tonmeister.live.timing import Prediction, TimingOptions
from tonmeister.multitrack import Multitrack, Track
from tonmeister.render import render
from tonmeister.units import FloatArray

FADER = ("Piano", "gain_db")


def score_of(seed: int) -> Score:
    piece = make.piece(seed, bars=5)
    return score_of_notes("song", piece.notes, piece.tempi, [(0.0, "intro"), (12.0, "chorus")])


def band_playing(score: Score) -> Multitrack:
    """The two parts of a score, each on a track of its own."""
    tracks = []
    for name, part, role, instrument in (
        ("Lead Vox", "melody", "lead", "lead vocals"),
        ("Piano", "chords", "unknown", "piano"),
    ):
        notes = [note for note in score.notes if note.part == part]
        sound = make.perform(score_of_notes(part, notes, score.tempi), make.plain, seed=3).sound
        tracks.append(Track(name, audio=Audio(sound, make.RATE), instrument=instrument, role=role))
    return Multitrack("song", tuple(tracks), make.RATE)


def test_expert_and_score_sound_as_the_recorded_plan_is_rendered() -> None:
    score = score_of(1)
    song = band_playing(score)
    plan, said = starting_plan(song, None), []
    mixer = start_mixer("expert", {}, plan, song)
    ear = ScoreEar(score, make.RATE)
    mix, result = performed(song, plan, mixer, follower=ear, told=said.append, block=512, guard=False)
    assert said[0].startswith("following the score")
    assert not any("lost" in text or "doubtful" in text for text in said)
    assert result.moves > 0
    moved_s = [t for s in result.plan.strips for c in s.automation.values() for t in c.times_s if t > 0]
    assert min(moved_s) >= 2.0  # nothing is judged by the first moments, whatever place the score tells
    assert np.array_equal(mix, render(song, result.plan).samples)


def test_a_score_of_other_music_is_given_up_aloud_and_the_mix_goes_on() -> None:
    song = band_playing(score_of(2))
    plan, said = starting_plan(song, None), []
    mixer, ear = start_mixer("expert", {}, plan, song), ScoreEar(score_of(1), make.RATE)
    mix, result = performed(song, plan, mixer, follower=ear, told=said.append, block=512, guard=False)
    assert any(text.endswith("by ear alone") or "left out" in text for text in said)
    assert result.moves > 0
    assert np.array_equal(mix, render(song, result.plan).samples)


def test_a_place_whose_time_is_uncertain_when_it_is_near_is_not_told() -> None:
    """Players of whom nobody knows how long a beat is: the desk says so and does not wait for places."""
    score = score_of(1)
    song = band_playing(score)
    said: list[str] = []
    ear = ScoreEar(score, make.RATE, timing=TimingOptions(tempo_sd_s=0.5))
    performed(song, starting_plan(song, None), Scripted(), follower=ear, told=said.append, block=512)
    assert any(text.startswith("the time of the next place is uncertain") for text in said)


# ------------------------------------------------------------------ a place that is told by hand


class Places:
    """A follower that says what a test wants: one place that comes at 2 s."""

    place, reached = 1, 0

    def __init__(self, sd_s: float, confidence: Callable[[float], float | None] = lambda _: 1.0) -> None:
        self._sd_s, self._confidence, self._time_s = sd_s, confidence, 0.0

    def update(self, block: FloatArray) -> ScorePosition | None:
        self._time_s += len(block) / RATE
        confidence = self._confidence(self._time_s)
        self.place = self.reached = 1 if self._time_s >= 2.0 else 0
        if self._time_s < 2.0:
            self.place = 1
        expected_s = 2.0 if self.place > self.reached else None
        return None if confidence is None else ScorePosition(0.0, 0.0, confidence, "place", expected_s)

    def predictions(self) -> Mapping[int, Prediction]:
        return {1: Prediction(1, 2.0, self._sd_s)}

    def found(self, position: ScorePosition) -> str:
        return "found"

    def lost(self) -> str:
        return "lost: mixing by ear alone"


class Told(Scripted):
    """A scripted mixer that remembers what it is told about its moves."""

    def __init__(self, *script: tuple[float, LiveMove | Decision]) -> None:
        super().__init__(*script)
        self.stood: list[Decision] = []

    def stands(self, decision: Decision) -> None:
        self.stood.append(decision)


def fader_after(follower: Places, mixer: Scripted) -> tuple[np.ndarray, np.ndarray, list[str]]:
    song = multitrack(("Piano", noise(3 * RATE, seed=1, level=0.1)))
    said: list[str] = []
    _, result = performed(
        song, starting_plan(song, None), mixer, follower=follower, told=said.append, guard=False
    )
    curve = result.plan["Piano"].automation["gain_db"]
    return np.array(curve.times_s), np.array(curve.values), said


def test_a_move_ends_with_its_place_however_large_it_is() -> None:
    for gain_db in (-2.0, 6.0):
        times_s, values, _ = fader_after(Places(0.01), Scripted((0.5, SetGain("Piano", gain_db))))
        assert values[-1] == pytest.approx(gain_db)
        assert times_s[-1] == pytest.approx(2.0, abs=0.041)


def test_where_the_time_is_unsure_half_the_move_is_made_and_the_engine_told() -> None:
    mixer = Told((0.5, SetGain("Piano", -4.0)))
    times_s, values, _ = fader_after(Places(0.1), mixer)
    moving = times_s[np.flatnonzero(np.diff(values))]
    assert values[-1] == pytest.approx(-2.0)
    assert moving[0] < 1.75
    assert mixer.stood == [SetGain("Piano", -2.0)]


def test_a_mute_is_late_rather_than_early() -> None:
    times_s, values, _ = fader_after(Places(0.1), Scripted((0.5, Mute("Piano"))))
    begins_s = times_s[np.flatnonzero(np.diff(values))[0]]
    assert 2.0 <= begins_s < 2.2
    assert values[-1] < -60.0


def test_moves_for_a_place_that_is_lost_are_left_out_aloud() -> None:
    mixer = Told((0.5, SetGain("Piano", -4.0)))
    places = Places(0.01, lambda time_s: 1.0 if time_s < 1.0 else None)
    _, values, said = fader_after(places, mixer)
    assert (values == 0.0).all()
    assert said == ["found", "lost: mixing by ear alone; 1 moves that waited for their place are left out"]
    assert mixer.stood == [SetGain("Piano", 0.0)]


def test_two_seconds_of_doubt_hand_over_to_the_ear() -> None:
    places = Places(0.01, lambda time_s: 0.2)
    seen: list[bool] = []

    class Watching:
        def update(self, heard: Heard) -> Iterator[LiveMove]:
            seen.append(heard.position is not None)
            return iter(())

    _, _, said = fader_after(places, Watching())  # type: ignore[arg-type]
    assert seen[0]
    assert not seen[-1]
    assert said == ["found", "the place is too doubtful: mixing by ear alone"]


def test_a_control_moves_once_for_a_place_and_the_newest_wish_counts() -> None:
    moves, expected = EventMoves(), {1: Prediction(1, 2.0, 0.01)}
    assert moves.add(FADER, 1, LiveMove(SetGain("Piano", -1.0)), 0.1)
    assert moves.add(FADER, 1, LiveMove(SetGain("Piano", -2.0)), 0.1)
    assert moves.due(1.0, 0.05, expected, 0, 1.0) == []
    (due,) = moves.due(1.87, 0.05, expected, 0, 1.0)
    assert (due.move.decision, due.start_s) == (SetGain("Piano", -2.0), pytest.approx(1.9))
    assert moves.due(1.95, 0.05, expected, 1, 1.0) == []
    assert not moves.add(FADER, 1, LiveMove(SetGain("Piano", -3.0)), 0.1)


def test_moves_for_a_place_leapt_over_are_made_at_once() -> None:
    moves = EventMoves()
    moves.add(FADER, 1, LiveMove(SetGain("Piano", -1.0)), 0.1)
    assert [d.start_s for d in moves.due(1.0, 0.05, {}, 3, 1.0)] == [1.0]
    assert moves.give_up() == []


# ------------------------------------------------------------------ beats


def test_beats_are_places_where_there_is_no_score() -> None:
    """Clicks at 100 a minute: the next place is every fourth beat, told before it comes."""
    beat_s, seconds = 0.6, 14.0
    clicks = np.zeros(int(seconds * RATE), np.float32)
    for time_s in np.arange(0.3, seconds - 0.1, beat_s):
        at = int(time_s * RATE)
        clicks[at : at + 2000] += (
            0.5 * np.random.default_rng(1).standard_normal(2000) * np.exp(-np.arange(2000) / 300)
        )
    ear, coming = BeatEar(RATE), []
    for begin in range(0, len(clicks), 2205):
        where = ear.update(clicks[begin : begin + 2205])
        if where is not None and where.expected_s is not None:
            coming.append((ear.place, where.expected_s))
            assert where.expected_s > begin / RATE
    late = {place: time_s for place, time_s in coming if time_s > 8.0}
    assert len(late) >= 2
    assert np.diff(list(late.values())) == pytest.approx(4 * beat_s, abs=0.05)
    off = (np.array(list(late.values())) - 0.3 + beat_s / 2) % beat_s - beat_s / 2
    assert np.abs(off).max() < 0.06


def test_no_beat_in_noise_and_who_wants_one() -> None:
    ear = BeatEar(RATE)
    hiss = noise(5 * RATE, seed=1, level=0.1).samples[0]
    assert ear.update(hiss) is None
    song = multitrack(("Lead Vox", noise(RATE, seed=1)))
    plan = starting_plan(song, None)
    assert acts_at_events(start_mixer("expert+adaptive", {}, plan, song))
    assert not acts_at_events(start_mixer("adaptive", {}, plan, dataclasses.replace(song)))
