"""The law of the live desk: what is played equals the offline render, bit for bit, whatever the blocks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from makers_live import Scripted, busy_script, full_plan, performed, small_band
from tonmeister.audio import open_audio
from tonmeister.decisions import Automate, SetGain
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.live.causal import start_mixer
from tonmeister.live.controller import Controller
from tonmeister.live.recorder import Recorder
from tonmeister.live.show import Show
from tonmeister.live.simulate import simulate
from tonmeister.live.sources import FileInputs
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.plan_file import load_plan, plan_from_dict, plan_to_json
from tonmeister.render import render
from tonmeister.strip import Curve


@pytest.fixture(scope="module")
def song() -> Multitrack:
    return small_band()


@pytest.fixture(scope="module")
def plan(song: Multitrack) -> MixPlan:
    return full_plan(song)


@pytest.mark.parametrize("block", [64, 441, 1000])
def test_a_fixed_plan_sounds_as_it_is_rendered(song: Multitrack, plan: MixPlan, block: int) -> None:
    mix, _ = performed(song, plan, block=block, moves=False)
    assert np.array_equal(mix, render(song, plan).samples)


def test_a_fixed_plan_keeps_its_own_automation(song: Multitrack, plan: MixPlan) -> None:
    moving = plan.with_decisions([Automate("Kick", "gain_db", Curve((0.0, 0.5), (-20.0, 0.0)))])
    mix, _ = performed(song, moving, moves=False)
    assert np.array_equal(mix, render(song, moving).samples)


@pytest.mark.parametrize("block", [64, 128, 1000, 2048])
def test_a_performance_equals_the_render_of_its_recorded_decisions(
    song: Multitrack, plan: MixPlan, block: int
) -> None:
    mix, result = performed(song, plan, busy_script(), block=block)
    again = plan_from_dict(json.loads(plan_to_json(result.plan)))
    assert result.moves == 9
    assert np.array_equal(mix, render(song, again).samples)
    assert not np.allclose(mix, render(song, plan).samples, atol=1e-3)


def test_blocks_do_not_change_a_performance(song: Multitrack, plan: MixPlan) -> None:
    mixes = [performed(song, plan, busy_script(), block=block)[0] for block in (32, 480, 2048)]
    assert np.array_equal(mixes[0], mixes[1])
    assert np.array_equal(mixes[0], mixes[2])


def test_hands_on_the_faders_are_recorded_too(song: Multitrack, plan: MixPlan) -> None:
    def hands() -> Iterator[None]:
        controller = yield
        for act in (
            lambda c: c.touch(SetGain("Kick", 6.0)),
            lambda c: c.bypass(True),
            lambda c: c.panic(True),
            lambda c: c.panic(False),
            lambda c: c.bypass(False),
            lambda c: c.hold(True),
        ):
            act(controller)
            controller = yield

    person = hands()
    next(person)

    def act(controller: Controller) -> None:
        with contextlib.suppress(StopIteration):
            person.send(controller)  # type: ignore[arg-type]

    mix, result = performed(song, plan, Scripted((0.1, SetGain("Keys", 2.0))), act=act)
    assert np.array_equal(mix, render(song, result.plan).samples)


def test_nothing_moving_is_the_plan_to_the_last_bits(song: Multitrack, plan: MixPlan) -> None:
    mix, result = performed(song, plan)
    assert np.array_equal(mix, render(song, result.plan).samples)
    np.testing.assert_allclose(mix, render(song, plan).samples, atol=1e-6)


class Spy:
    """Remembers what it was told, and asks for a measurement."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, dict[str, float | None], float | None]] = []

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        lately = heard.recent(0.5)
        self.heard.append((heard.time_s, dict(heard.momentary_lufs), lately["Kick"].integrated_lufs))
        return iter(())


def test_a_mixer_hears_the_past_and_nothing_else(song: Multitrack, plan: MixPlan) -> None:
    full, cut = Spy(), Spy()
    performed(song, plan, full)
    shorter = small_band(0.5)
    performed(shorter, full_plan(shorter), cut)
    count = len(cut.heard)
    assert count == 5
    assert [h[0] for h in full.heard] == pytest.approx([0.1 * k for k in range(1, len(full.heard) + 1)])
    # the kick of the shorter song is the beginning of the other's: the same random numbers
    assert [h[1]["Kick"] for h in full.heard[:count]] == [h[1]["Kick"] for h in cut.heard]
    assert [h[2] for h in full.heard[:count]] == [h[2] for h in cut.heard]


@pytest.mark.parametrize("engine", ["adaptive", "loudness+adaptive"])
def test_an_engine_that_is_asked_again_moves_only_what_it_heard(engine: str) -> None:
    song = small_band(6.0)
    plan = full_plan(song)
    mix, result = performed(song, plan, start_mixer(engine, {}, plan, song), block=1000)
    assert result.moves > 0
    assert np.array_equal(mix, render(song, result.plan).samples)
    first_moves = [t for s in result.plan.strips for c in s.automation.values() for t in c.times_s[1:2]]
    assert min(first_moves) >= 4.0  # it has heard four seconds by then


def test_a_recording_can_be_rendered_again(song: Multitrack, plan: MixPlan, tmp_path: Path) -> None:
    show = Show(plan, 256, frames=song.frames)
    folder = tmp_path / "gig"
    with FileInputs(song) as inputs, Recorder(show, folder, latency_frames=_late(show)) as recorder:
        simulate(show, inputs, busy_script(), recorder=recorder, engine="adaptive")
    recorded = load_multitrack(folder / "inputs")
    assert recorded.names == song.names
    with open_audio(folder / "mix.wav") as reader:
        mix = reader.read(1 << 20)
    assert np.array_equal(render(recorded, load_plan(folder / "plan.json")).samples, mix)
    lines = [json.loads(line) for line in (folder / "operations.jsonl").read_text("utf-8").splitlines()]
    assert lines[0]["format"] == "tonmeister-oplog"
    assert lines[1] == {
        "t_s": 0.1, "strip": "Kick", "control": "fader_db", "value": -9.0, "by": "user",
    }  # fmt: skip
    assert [line["t_s"] for line in lines[1:]] == sorted(line["t_s"] for line in lines[1:])


def test_an_interrupted_performance_is_complete_up_to_there(
    song: Multitrack, plan: MixPlan, tmp_path: Path
) -> None:
    show = Show(plan, 256, frames=song.frames)

    def interrupt(done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    folder = tmp_path / "gig"
    with (
        pytest.raises(KeyboardInterrupt),
        FileInputs(song) as inputs,
        Recorder(show, folder, latency_frames=_late(show)) as recorder,
    ):
        simulate(show, inputs, busy_script(), recorder=recorder, progress=interrupt)
    recorded = load_multitrack(folder / "inputs")
    with open_audio(folder / "mix.wav") as reader:
        mix = reader.read(1 << 20)
    assert 0.5 * song.frames < mix.shape[1] < 0.6 * song.frames
    again = render(recorded, load_plan(folder / "plan.json")).samples
    assert np.array_equal(again[:, : mix.shape[1]], mix)


def _late(show: Show) -> int:
    from tonmeister.live.core import LiveCore

    return LiveCore(show, show.link(bytearray(show.link_bytes))).latency_frames
