"""Moves land with the music: never in the past, never twice, and closer than one who reacts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.errors import BadInputError
from tonmeister.live.scheduling import (
    BLIND_SD_S,
    RAMP_S,
    SHORTEST_RAMP_S,
    Action,
    MoveScheduler,
    ScheduledMove,
)
from tonmeister.live.timing import Prediction, TimingModel

LATENCY_S = 0.01
BLOCK_S = 0.003


def run(
    beats: list[float], heard_s: list[float | None], *, said_after_s: float, confidence: float = 1.0
) -> list[tuple[float, Action]]:
    """Events are heard `said_after_s` after they were, moves belong to each: (clock at the call, action)."""
    model, scheduler = TimingModel(beats, 0.5), MoveScheduler(LATENCY_S)
    for n in range(len(beats)):
        scheduler.add(ScheduledMove("fader", n))
    fired, n = [], 0
    end_s = max((t for t in heard_s if t is not None), default=0.0) + 1.0
    for now_s in np.arange(0.0, end_s, BLOCK_S):
        changed = now_s == 0.0
        while n < len(beats) and (heard_s[n] is None or heard_s[n] + said_after_s <= now_s):
            if heard_s[n] is not None:
                model.observe(n, heard_s[n])
                changed = True
            n += 1
        if changed:
            known = {p.event: p for p in model.predictions(16)}
            scheduler.replan(float(now_s), known, confidence=confidence)
        fired += [(float(now_s), action) for action in scheduler.due(float(now_s))]
    return fired


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0.1, 2.0), st.floats(0.02, 3.0), st.booleans()), min_size=2, max_size=30),
    st.floats(0.0, 0.3),
)
def test_nothing_is_scheduled_in_the_past_or_twice(
    steps: list[tuple[float, float, bool]], said_after_s: float
) -> None:
    """Any onsets: dropouts, tempo leaps, events that come all at once."""
    beats = np.cumsum([length for length, _, _ in steps]).tolist()
    times = np.cumsum([wait for _, wait, _ in steps]).tolist()
    heard = [None if lost else time for time, (_, _, lost) in zip(times, steps, strict=True)]
    fired = run(beats, heard, said_after_s=said_after_s)
    for now_s, action in fired:
        assert action.start_s <= now_s
        assert now_s - action.start_s <= BLOCK_S + 1e-9
        assert action.ramp_s >= SHORTEST_RAMP_S
    names = [(a.move.key, a.move.event) for _, a in fired]
    assert len(names) == len(set(names))


def test_moves_land_with_the_player_and_a_reaction_comes_late() -> None:
    """The simulated player of the timing model; a detector that says an onset 40 ms after it was."""
    said_after_s = 0.04
    landed, reacted = [], []
    for seed in range(4):
        random = np.random.default_rng(seed)
        lengths, times, beat_s = np.resize((1.0, 0.5, 0.5, 1.0), 119), [1.0], 0.5
        for length in lengths:
            times.append(times[-1] + length * beat_s + random.normal(0, 0.005))
            beat_s += random.normal(0, 0.003)
        beats = np.concatenate(([0.0], np.cumsum(lengths))).tolist()
        detected = (np.array(times) + random.normal(0, 0.012, 120)).tolist()
        for _, action in run(beats, detected, said_after_s=said_after_s):
            if action.move.event > 8:
                landed.append(action.start_s + action.ramp_s + LATENCY_S - times[action.move.event])
        reacted += [d + said_after_s + RAMP_S + LATENCY_S - t for d, t in zip(detected, times, strict=True)]
    assert len(landed) > 4 * 100
    assert np.median(np.abs(landed)) < 0.030
    assert abs(np.median(landed)) < 0.010
    assert np.median(reacted) == pytest.approx(said_after_s + RAMP_S + LATENCY_S, abs=0.01)
    assert np.median(np.abs(landed)) < 0.3 * np.median(np.abs(reacted))


def prediction(event: int, time_s: float, sd_s: float = 0.01) -> dict[int, Prediction]:
    return {event: Prediction(event, time_s, sd_s)}


def test_a_move_starts_before_its_event_by_ramp_and_latency() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("fader", 3))
    scheduler.replan(0.0, prediction(3, 1.0), confidence=1.0)
    assert scheduler.due(1.0 - RAMP_S - LATENCY_S - 1e-6) == []
    (action,) = scheduler.due(1.0 - RAMP_S - LATENCY_S + 1e-6)
    assert (action.ramp_s, action.scale) == (pytest.approx(RAMP_S, abs=1e-5), 1.0)
    assert scheduler.due(5.0) == []
    scheduler.add(ScheduledMove("fader", 3))
    scheduler.replan(1.0, prediction(3, 1.1), confidence=1.0)
    assert scheduler.due(1.2) == []


def test_what_is_late_starts_now_with_the_ramp_that_is_left() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("fader", 0))
    scheduler.replan(0.95, prediction(0, 1.0), confidence=1.0)
    (action,) = scheduler.due(0.95)
    assert (action.start_s, action.ramp_s) == (0.95, pytest.approx(0.04))
    scheduler.add(ScheduledMove("fader", 1))
    scheduler.replan(2.0, prediction(1, 1.95), confidence=1.0)
    assert scheduler.due(2.0)[0].ramp_s == SHORTEST_RAMP_S


def test_an_event_long_over_is_dropped_unless_it_holds() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("fader", 0))
    scheduler.add(ScheduledMove("mute", 0, holds=True))
    scheduler.replan(1.2, prediction(0, 1.0), confidence=1.0)
    assert [a.move.key for a in scheduler.due(1.2)] == ["mute"]
    assert [m.key for m in scheduler.dropped] == ["fader"]


def test_doubt_makes_moves_longer_and_smaller_then_none() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("fader", 0))
    scheduler.replan(0.0, prediction(0, 2.0, sd_s=0.1), confidence=1.0)
    (action,) = scheduler.due(1.9)
    assert (action.ramp_s, action.scale) == (pytest.approx(0.09), 0.5)
    scheduler.add(ScheduledMove("fader", 1))
    scheduler.replan(2.0, prediction(1, 4.0, sd_s=BLIND_SD_S + 0.01), confidence=1.0)
    assert scheduler.due(10.0) == []
    scheduler.replan(2.5, prediction(1, 4.0, sd_s=0.05), confidence=1.0)
    assert len(scheduler.due(4.0)) == 1


def test_low_confidence_hands_over_after_two_seconds_and_back() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("fader", 0))
    for now_s, confidence, reacting in (
        (0.0, 0.2, False),
        (1.9, 0.2, False),
        (2.1, 0.2, True),
        (2.2, 0.6, False),
    ):
        scheduler.replan(now_s, prediction(0, 9.0), confidence=confidence)
        assert scheduler.reacting is reacting
        if reacting:
            assert scheduler.due(9.0) == []
    assert len(scheduler.due(9.0)) == 1


def test_mutes_wait_for_the_entry_to_end() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    scheduler.add(ScheduledMove("mute", 2, is_mute=True, entry_ends=3))
    known = prediction(2, 1.0, 0.02) | prediction(3, 1.5, 0.02)
    scheduler.replan(0.0, known, confidence=1.0)
    assert scheduler.due(1.5 - LATENCY_S - 1e-6) == []
    assert len(scheduler.due(1.5)) == 1
    scheduler.add(ScheduledMove("mute", 5, is_mute=True))
    scheduler.replan(2.0, prediction(5, 3.0, 0.04), confidence=1.0)
    assert scheduler.due(3.0 + 0.04 - LATENCY_S - 1e-6) == []
    assert len(scheduler.due(3.03 + 1e-6)) == 1


def test_a_leap_of_the_band_leaves_what_was_passed() -> None:
    scheduler = MoveScheduler(LATENCY_S)
    for n in range(4):
        scheduler.add(ScheduledMove("fader", n, holds=n == 1))
    assert [m.event for m in scheduler.skip_to(3)] == [1]
    assert [m.event for m in scheduler.dropped] == [0, 2]


def test_the_latency_is_a_time() -> None:
    for latency in (-0.1, float("nan"), float("inf")):
        with pytest.raises(BadInputError, match="output_latency_s="):
            MoveScheduler(latency)
