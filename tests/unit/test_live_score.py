"""A score at the desk: places are told a moment before they come, and moves arrive with the music."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from makers import RATE, multitrack
from makers_live import performed
from tonmeister.audio import Audio
from tonmeister.decisions import SetGain
from tonmeister.engines.base import Heard, LiveMove, ScorePosition
from tonmeister.live.inputs import starting_plan
from tonmeister.live.score_ear import ScoreEar
from tonmeister.live.scores import Score, ScoreNote
from tonmeister.multitrack import Multitrack
from tonmeister.units import FloatArray

BEAT_S = 0.4
PITCHES = (60, 64, 67, 72, 62, 65, 69, 74, 59, 62, 67, 71, 60, 67, 64, 72)


@pytest.fixture(scope="module")
def score() -> Score:
    notes = tuple(ScoreNote(float(k), 1.0, pitch) for k, pitch in enumerate(PITCHES))
    return Score("scale", notes, markers=((0.0, "verse"), (8.0, "chorus")))


def note(pitch: int) -> FloatArray:
    times_s = np.arange(round(BEAT_S * RATE)) / RATE
    hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hz * k * times_s) / k for k in range(1, 5))
    return (0.2 * np.exp(-3.0 * times_s) * tone).astype(np.float32)


@pytest.fixture(scope="module")
def performance() -> Multitrack:
    """The score as written, a little slower, after a breath of silence."""
    silence = np.zeros(round(0.3 * RATE), np.float32)
    sound = np.concatenate([silence, *(note(pitch) for pitch in PITCHES)])
    return multitrack(("Piano", Audio(sound[np.newaxis], RATE)))


class AtEveryPlace:
    """Moves a fader at each new place of the score."""

    def __init__(self) -> None:
        self.told: list[tuple[float, ScorePosition]] = []

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        where = heard.position
        if where is not None and (not self.told or where.event != self.told[-1][1].event):
            self.told.append((heard.time_s, where))
            yield LiveMove(SetGain("Piano", -0.2 * len(self.told)), ramp_s=0.1)


def test_places_are_told_before_they_come(performance: Multitrack, score: Score) -> None:
    mixer, said = AtEveryPlace(), []
    plan = starting_plan(performance, None)
    _, result = performed(
        performance, plan, mixer, follower=ScoreEar(score, RATE), told=said.append, block=1000, guard=False
    )
    assert said[0].startswith("following the score")
    places = {where.event: (at_s, where) for at_s, where in mixer.told}
    told_s, chorus = places["chorus 8"]
    begins_s = 0.3 + 8 * BEAT_S
    assert chorus.expected_s is not None
    assert told_s < begins_s
    assert chorus.expected_s == pytest.approx(begins_s, abs=0.06)
    times_s = np.array(result.plan["Piano"].automation["gain_db"].times_s)
    assert np.abs(times_s - begins_s).min() < 0.06  # the move ends where the chorus begins


def test_without_the_music_of_the_score_there_is_no_place(score: Score) -> None:
    ear = ScoreEar(score, RATE)
    assert all(ear.update(np.zeros(2205, np.float32)) is None for _ in range(10))
