"""When is next: doubt that grows and is honest, missing events, habits from rehearsals, the plain fallback."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.errors import BadInputError
from tonmeister.live.timing import Habit, PlainPeriod, TimingModel, TimingOptions, learn_habits

LENGTHS = (1.0, 0.5, 0.5, 1.0)


def player(seed: int, events: int = 200, beat_s: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(beats, true times, detected times) of the simulated player: tempo 3 ms/beat, event 5 ms, detector 12 ms."""
    random = np.random.default_rng(seed)
    lengths = np.resize(LENGTHS, events - 1)
    times = [0.0]
    for length in lengths:
        times.append(times[-1] + length * beat_s + random.normal(0, 0.005))
        beat_s += random.normal(0, 0.003)
    true = np.array(times)
    beats = np.concatenate(([0.0], np.cumsum(lengths)))
    return beats, true, true + random.normal(0, 0.012, events)


def looking_ahead(steps: tuple[int, ...]) -> dict[int, tuple[float, float]]:
    """Steps -> (predicted sd, real sd) in ms over six players, a filter that starts at 0.6 s per beat."""
    said: dict[int, list[float]] = {k: [] for k in steps}
    real: dict[int, list[float]] = {k: [] for k in steps}
    for seed in range(6):
        beats, true, detected = player(seed)
        model = TimingModel(beats.tolist(), 0.6)
        for n, time_s in enumerate(detected):
            model.observe(n, float(time_s))
            ahead = model.predictions(max(steps))
            for k in steps:
                if n >= 20 and len(ahead) >= k:
                    said[k].append(ahead[k - 1].sd_s)
                    real[k].append(ahead[k - 1].time_s - true[n + k])
    return {k: (1000 * float(np.median(said[k])), 1000 * float(np.std(real[k]))) for k in steps}


def test_predicted_doubt_grows_and_is_honest() -> None:
    found = looking_ahead((1, 4, 8))
    assert found[1][0] < found[4][0] < found[8][0]
    for predicted_ms, real_ms in found.values():
        assert 0.6 <= real_ms / predicted_ms <= 1.2
    for k, expected_ms in ((1, 13), (4, 27), (8, 51)):
        assert found[k][0] == pytest.approx(expected_ms, rel=0.15)


def test_a_steady_player_is_predicted_exactly() -> None:
    beats = np.arange(0.0, 40.0)
    model = TimingModel(beats.tolist(), 0.6)
    for n in range(30):
        model.observe(n, 2.0 + 0.45 * n)
    assert model.beat_s == pytest.approx(0.45, abs=1e-4)
    for ahead in model.predictions(5):
        assert ahead.time_s == pytest.approx(2.0 + 0.45 * ahead.event, abs=2e-3)


def test_missing_events_are_stepped_over_and_earlier_ones_ignored() -> None:
    beats = np.arange(0.0, 40.0)
    model = TimingModel(beats.tolist(), 0.5)
    for n in (0, 1, 2, 6, 7, 8, 12, 13):
        model.observe(n, 0.5 * n)
    assert (model.event, model.beat_s) == (13, pytest.approx(0.5, abs=1e-3))
    before = model.time_s
    model.observe(9, 100.0)
    model.observe(99, 100.0)
    model.observe(14, float("nan"))
    assert (model.event, model.time_s) == (13, before)
    assert len(model.predictions(1000)) == 26


def test_nothing_is_predicted_before_something_was_heard() -> None:
    model = TimingModel([0.0, 1.0], 0.5)
    assert model.predictions(3) == []
    model.observe(0, 1.0)
    assert [p.event for p in model.predictions(3)] == [1]
    model.reset()
    assert (model.event, model.predictions(1)) == (-1, [])


def test_a_leap_keeps_the_tempo() -> None:
    model = TimingModel(np.arange(0.0, 100.0).tolist(), 0.6)
    for n in range(20):
        model.observe(n, 0.4 * n)
    model.jump(60, 30.0)
    assert model.beat_s == pytest.approx(0.4, abs=0.01)
    assert model.predictions(1)[0].time_s == pytest.approx(30.4, abs=0.02)


def test_rubato_makes_it_livelier_and_calm_playing_calms_it() -> None:
    beats = np.arange(0.0, 120.0)
    tempo = np.where(beats < 60, 0.5 + 0.08 * np.sin(2 * np.pi * beats / 12), 0.5)
    times = np.concatenate(([0.0], np.cumsum(tempo[:-1])))
    model = TimingModel(beats.tolist(), 0.5)
    said = []
    for n, time_s in enumerate(times):
        model.observe(n, float(time_s))
        said += [p.sd_s for p in model.predictions(1)]
    assert np.mean(said[30:60]) > 1.3 * np.mean(said[100:])


def test_habits_from_rehearsals_are_expected() -> None:
    beats = list(map(float, range(20)))

    def rehearsal(seed: int) -> dict[int, float]:
        random = np.random.default_rng(seed)
        return {n: 0.5 * n + (0.1 if n == 10 else 0.0) + random.normal(0, 0.004) for n in range(20)}

    habits = learn_habits(beats, [rehearsal(s) for s in range(8)])
    assert habits[10].tau_s == pytest.approx(0.08, abs=0.02)
    assert abs(habits[5].tau_s) < 0.01
    assert learn_habits(beats, [rehearsal(0)]) == {}
    knowing, not_knowing = (TimingModel(beats, 0.5, habits=h) for h in (habits, None))
    for n in range(10):
        knowing.observe(n, 0.5 * n)
        not_knowing.observe(n, 0.5 * n)
    assert (
        abs(knowing.predictions(1)[0].time_s - 5.1)
        < 0.04
        < 0.08
        < abs(not_knowing.predictions(1)[0].time_s - 5.1)
    )


def test_a_habit_may_bring_its_own_variance() -> None:
    options = TimingOptions()
    free = TimingModel([0.0, 1.0, 2.0], 0.5, habits={1: Habit(tau_variance=0.04)}, options=options)
    free.observe(0, 0.0)
    assert free.predictions(1)[0].sd_s > 0.2


def test_beats_must_rise() -> None:
    for beats in ([], [1.0, 1.0], [2.0, 1.0]):
        with pytest.raises(BadInputError, match="rising beats"):
            TimingModel(beats, 0.5)


def test_the_plain_period_finds_the_tempo() -> None:
    period = PlainPeriod(0.6)
    first = period.observe(0.45, 1.0)
    # by hand: P- = 1.03, k = 1.03 / (1.03 + 0.0213), p = 0.6 + k (0.45 - 0.6)
    assert first == pytest.approx(0.6 + 1.03 / 1.0513 * (0.45 - 0.6))
    for length in LENGTHS * 10:
        period.observe(0.45 * length, length)
    assert period.beat_s == pytest.approx(0.45, abs=1e-6)
