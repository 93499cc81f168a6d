"""What goes wrong at a gig, and what the desk does about it; devices are simulated."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from makers import RATE, plan_for, tone
from makers_live import Scripted, full_plan, performed, small_band, with_sound
from tonmeister.decisions import AddInsert, Lock, Mute, SetGain, SetPan
from tonmeister.effects.gain import Gain
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.errors import BadInputError, PlanError
from tonmeister.live.audio_process import play, warm_up
from tonmeister.live.clock import CountingClock
from tonmeister.live.controller import Controller
from tonmeister.live.core import LiveCore
from tonmeister.live.devices import (
    CardSettings,
    DeviceLostError,
    FileDevice,
    SoundCard,
    chosen_devices,
    list_devices,
)
from tonmeister.live.inputs import CardInput, card_inputs, card_multitrack, starting_plan
from tonmeister.live.link import Do, Gauges, State
from tonmeister.live.meters import Hands, headline, keys_of, screenful
from tonmeister.live.recorder import Recorder
from tonmeister.live.ring import Arena
from tonmeister.live.show import Show
from tonmeister.live.simulate import simulate
from tonmeister.live.sources import FileInputs, MemoryInputs
from tonmeister.multitrack import Multitrack
from tonmeister.render import render
from tonmeister.units import FloatArray


@pytest.fixture(scope="module")
def song() -> Multitrack:
    return small_band()


# ------------------------------------------------------------------ inputs that fail


def with_nan(sound: FloatArray) -> FloatArray:
    sound[:, 10_000] = np.nan
    sound[:, 12_000] = np.inf
    return sound


def test_an_input_that_is_no_number_is_shut_and_the_others_play_on() -> None:
    song = small_band(1.6)
    plan = full_plan(song)
    said: list[str] = []
    mix, _ = performed(with_sound(song, "Keys", with_nan), plan, block=100, told=said.append)
    assert np.isfinite(mix).all()
    assert said == [
        "Keys: impossible samples (no numbers, or far beyond full scale) at 0.23 s: shut",
        "Keys: the input is well again",
    ]

    def shut(sound: FloatArray) -> FloatArray:
        back = 12_000 + RATE
        back += -back % 100
        sound[:, 10_000:back] = 0.0
        sound[:, back : back + 100] *= np.linspace(0.0, 1.0, 100, dtype=np.float32)
        return sound

    expected, _ = performed(with_sound(song, "Keys", shut), plan, block=100)
    assert np.array_equal(mix, expected)


def test_a_mix_that_is_no_number_is_silenced_and_said(song: Multitrack) -> None:
    said: list[str] = []
    loud = plan_for(song, [AddInsert("Kick", Gain(24.0), slot=str(k)) for k in range(33)])
    mix, _ = performed(song, loud, told=said.append)
    assert not mix.any()
    assert any("the mix was not a number" in text for text in said)


def test_a_shorter_file_is_followed_by_silence(song: Multitrack) -> None:
    plan = full_plan(song).with_decisions([Mute("Guitar", False)])
    mix, _ = performed(song, plan, moves=False)
    assert mix.shape[1] == song.frames
    assert np.array_equal(mix, render(song, plan).samples)


# ------------------------------------------------------------------ the feedback guard


def howl(sound: FloatArray) -> FloatArray:
    """A tone that grows by 40 dB a second out of the noise."""
    times_s = np.arange(sound.shape[1]) / RATE
    growth = 10.0 ** (np.minimum(40.0 * times_s - 60.0, -3.0) / 20.0)
    return (sound * 0.02 + growth * np.sin(2 * np.pi * 1234.0 * times_s)).astype(np.float32)


def test_a_rising_narrow_tone_is_caught_and_let_go() -> None:
    song = small_band(6.0)
    frames = round(1.5 * RATE)

    def burst(sound: FloatArray) -> FloatArray:
        sound[:, :frames] = howl(sound[:, :frames])
        return sound

    said: list[str] = []
    plan = starting_plan(song, None)
    _, result = performed(with_sound(song, "Lead Vox", burst), plan, block=1000, told=said.append)
    assert said[0].startswith("Lead Vox: feedback at 12")
    assert said[-1] == "Lead Vox: feedback is over"
    fader = result.plan["Lead Vox"].automation["gain_db"]
    assert min(fader.values) == pytest.approx(-18.0)
    assert fader.times_s[1] < 1.4
    assert fader.values[-1] == pytest.approx(0.0)
    others = [s for s in result.plan.strips if s.name not in ("Lead Vox",)]
    assert all(len(s.automation["gain_db"].times_s) == 1 for s in others)


def steady(sound: FloatArray) -> FloatArray:
    return tone(440.0, sound.shape[1] / RATE, level=0.3).samples[:, : sound.shape[1]]


def chord(sound: FloatArray) -> FloatArray:
    """A swelling note with harmonics: music."""
    times_s = np.arange(sound.shape[1]) / RATE
    rise = np.minimum(times_s, 1.0)
    note = sum(np.sin(2 * np.pi * 220.0 * k * times_s) / k for k in range(1, 7))
    return np.asarray((0.2 * rise * note)[np.newaxis], np.float32)


@pytest.mark.parametrize("sound", [steady, chord])
def test_music_is_not_taken_for_feedback(sound: Callable[[FloatArray], FloatArray]) -> None:
    song = small_band(1.5)
    said: list[str] = []
    performed(with_sound(song, "Lead Vox", sound), starting_plan(song, None), block=1000, told=said.append)
    assert said == []


# ------------------------------------------------------------------ what an engine may do


def test_an_engine_may_not_touch_what_is_locked_or_held_by_hand(song: Multitrack) -> None:
    plan = full_plan(song).with_decisions([Lock("Kick"), Lock("Keys", "pan")])
    script = Scripted(
        (0.1, SetGain("Kick", 5.0)),
        (0.1, SetPan("Keys", 1.0)),
        (0.3, SetGain("Lead Vox", 5.0)),
    )

    def hands(controller: Controller) -> None:
        if controller.time_s == pytest.approx(0.2):
            controller.touch(SetGain("Lead Vox", -3.0))

    _, result = performed(song, plan, script, act=hands)
    assert result.moves == 0
    assert result.plan["Lead Vox"].automation["gain_db"].values[-1] == pytest.approx(-3.0)


def test_a_strip_that_is_released_belongs_to_the_engine_again(song: Multitrack) -> None:
    script = Scripted((0.3, SetGain("Lead Vox", 1.0)))

    def hands(controller: Controller) -> None:
        if controller.time_s == pytest.approx(0.1):
            controller.touch(SetGain("Lead Vox", -1.0))
        if controller.time_s == pytest.approx(0.2):
            controller.release("Lead Vox")

    _, result = performed(song, full_plan(song), script, act=hands)
    assert result.moves == 1


def test_what_cannot_be_done_live_is_said_once(song: Multitrack) -> None:
    said: list[str] = []
    script = Scripted(
        (0.1, AddInsert("Kick", Gain(3.0))),
        (0.2, AddInsert("Kick", Gain(4.0))),
        (0.2, SetGain("Nobody", 0.0)),
        (0.3, Mute("Lead Vox", True)),
    )
    _, result = performed(song, full_plan(song), script, told=said.append)
    assert result.moves == 0
    assert said == [
        "Kick: insert:gain cannot change while the desk plays: left as it is",
        "Nobody: there is no gain_db on this desk: left alone",
        "Lead Vox: leads, and is not muted by an engine",
    ]


def test_the_sound_goes_on_when_an_engine_fails(song: Multitrack) -> None:
    class Broken:
        def update(self, heard: Heard) -> list[LiveMove]:
            raise ZeroDivisionError("oh")

    said: list[str] = []
    mix, _ = performed(song, full_plan(song), Broken(), told=said.append)
    assert mix.shape[1] == song.frames
    assert said == ["the engine failed (ZeroDivisionError: oh): from here on nobody moves the controls"]


def test_moves_with_a_time_arrive_then_and_never_begin_in_the_past(song: Multitrack) -> None:
    show = Show(full_plan(song), 128, frames=song.frames)
    link = show.link(bytearray(show.link_bytes))
    script = Scripted(
        (0.1, LiveMove(SetGain("Kick", -0.5), at_s=0.6, ramp_s=0.1)),
        (0.1, LiveMove(SetGain("Keys", -5.5), at_s=0.05, ramp_s=0.1)),
    )
    controller = Controller(show, link, script)
    hops = 2
    for _ in range(hops):
        controller.hear(np.zeros((show.lanes + 2, controller.hop_frames), np.float32))
    on_time, late = link.orders.take(), link.orders.take()
    assert on_time is not None
    assert late is not None
    assert on_time.frame + on_time.frames == pytest.approx(0.6 * RATE, abs=1)
    assert late.frame == hops * controller.hop_frames + show.reaction_frames


def test_the_log_of_a_performance_can_be_learned_from(song: Multitrack, tmp_path: Path) -> None:
    from tonmeister.engines.expert.oplog import load_oplog

    show = Show(full_plan(song), 256, frames=song.frames)
    script = Scripted((0.3, SetGain("Kick", 1.0, by="adaptive")), (0.4, Mute("Guitar", False, by="adaptive")))

    def hands(controller: Controller) -> None:
        if controller.time_s == pytest.approx(0.1):
            controller.touch(SetGain("Lead Vox", -1.0))
        if controller.time_s == pytest.approx(0.2):
            controller.release("Lead Vox")
            controller.hold(True)
            controller.hold(False)

    with FileInputs(song) as inputs, Recorder(show, tmp_path / "gig") as recorder:
        simulate(show, inputs, script, recorder=recorder, act=hands)
    log = load_oplog(tmp_path / "gig" / "operations.jsonl")
    assert [(m.t_s, m.strip, m.control, m.value, m.touch if not m.by else m.by) for m in log.moves] == [
        (0.1, "Lead Vox", "fader_db", -1.0, True),
        (0.2, "Lead Vox", "fader_db", None, False),
        (0.3, "Kick", "fader_db", 1.0, "adaptive"),
        (0.4, "Guitar", "mute", 0.0, "adaptive"),
    ]
    assert '"hold on"' in (tmp_path / "gig" / "desk.jsonl").read_text("utf-8")


# ------------------------------------------------------------------ devices


def gauges_of(tracks: int = 1) -> Gauges:
    return Gauges(Arena(bytearray(1 << 17)), tracks, 0)


def test_blocks_that_take_too_long_are_counted() -> None:
    clock, gauges = CountingClock(), gauges_of()
    sound = np.zeros((1, 480), np.float32)
    slow = iter([0.0, 0.0, 0.0035, 0.0, 0.0])

    def process(inputs: FloatArray, output: FloatArray) -> None:
        clock.spend(next(slow))

    FileDevice(MemoryInputs(sound), 96, 48000, clock).run(process, gauges)
    assert gauges.misses == 1


def test_a_device_that_is_unplugged_is_waited_for_and_the_desk_goes_on(song: Multitrack) -> None:
    plan = full_plan(song)
    show = Show(plan, 128, moves=False, frames=song.frames)
    link = show.link(bytearray(show.link_bytes))
    core = LiveCore(show, link)
    sound = lanes_of(song)
    played: list[FloatArray] = []

    def process(inputs: FloatArray, output: FloatArray) -> None:
        core.process(inputs, output)
        played.append(output.copy())

    clock, said, tries = CountingClock(), [], []
    files = FileDevice(
        MemoryInputs(sound), 128, RATE, clock, more_frames=core.latency_frames, fails_at=20_000
    )

    def open_device() -> FileDevice:
        tries.append(clock.now_s())
        if len(tries) in (2, 3):
            raise DeviceLostError("still nothing")
        return files

    play(process, open_device, link.gauges, clock, said.append)
    assert said == [
        "the device was unplugged: the desk keeps its state and tries again every second",
        "the audio device is back",
    ]
    assert np.diff(tries)[1:].tolist() == pytest.approx([1.0, 1.0])
    assert link.gauges.state == State.ENDED
    mix = np.concatenate(played, axis=1)[:, core.latency_frames :][:, : song.frames]
    assert np.array_equal(mix, render(song, plan).samples)


def lanes_of(song: Multitrack) -> FloatArray:
    rows = []
    for track in song.tracks:
        assert track.audio is not None
        samples = track.audio.samples
        rows.append(np.pad(samples, ((0, 0), (0, song.frames - samples.shape[1]))))
    return np.concatenate(rows).astype(np.float32)


class Library:
    """Looks like sounddevice."""

    class PortAudioError(Exception):
        pass

    class CallbackAbort(Exception):  # noqa: N818
        pass

    def __init__(self, *cards: dict[str, Any], refuses: bool = False) -> None:
        self._cards, self._refuses = cards, refuses
        self.default = SimpleNamespace(device=(0, 0) if cards else (-1, -1))
        self.opened: dict[str, Any] = {}
        self.script: Callable[[Library], None] = lambda library: None

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": "JACK"}]

    def query_devices(self) -> list[dict[str, Any]]:
        return [{"hostapi": 0, "default_samplerate": 48000.0, **card} for card in self._cards]

    def Stream(self, **how: Any) -> Library:  # noqa: N802
        if self._refuses:
            raise self.PortAudioError("Device unavailable")
        self.opened = how
        return self

    latency = (0.005, 0.006)

    def __enter__(self) -> Library:
        self.script(self)
        return self

    def __exit__(self, *_: object) -> None:
        pass


CARD = {"name": "USB Mixer", "max_input_channels": 8, "max_output_channels": 2}
HEADSET = {"name": "Headset", "max_input_channels": 1, "max_output_channels": 2}


def test_devices_are_found_by_number_and_by_name() -> None:
    library = Library(HEADSET, CARD)
    assert [d.name for d in list_devices(library)] == ["Headset", "USB Mixer"]
    for wanted in ("1", "usb"):
        source, _ = chosen_devices(wanted, None, 8, 2, library)
        assert source.name == "USB Mixer"
    assert chosen_devices(None, None, 1, 2, library)[0].name == "Headset"


@pytest.mark.parametrize(
    ("cards", "wanted", "inputs", "said"),
    [
        ((), None, 1, "no audio device on this machine: plug one in, or play files with --simulate"),
        ((HEADSET,), None, 4, "'Headset' has 1 inputs and channel 4 is wanted"),
        ((HEADSET, CARD), "USB Mixr", 1, "did you mean 'USB Mixer'"),
        ((CARD, CARD), "USB", 1, "give its number"),
        (({**CARD, "max_input_channels": 0},), None, 1, "no audio device with inputs"),
    ],
)
def test_devices_that_cannot_do_are_refused(
    cards: tuple[dict[str, Any], ...], wanted: str | None, inputs: int, said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        chosen_devices(wanted, None, inputs, 2, Library(*cards))


def card(library: Library) -> SoundCard:
    return SoundCard(CardSettings(1, 1, (3, 1), (2, 1), 48000, 4), library)


def test_a_sound_card_hands_over_the_channels_of_the_map() -> None:
    library, gauges = Library(CARD), gauges_of()
    seen: list[FloatArray] = []

    def process(inputs: FloatArray, output: FloatArray) -> None:
        seen.append(inputs.copy())
        output[0], output[1] = 0.1, 0.2

    out = np.ones((4, 2), np.float32)

    def play_one(library: Library) -> None:
        block = np.arange(12, dtype=np.float32).reshape(4, 3)
        library.opened["callback"](block, out, 4, None, "input overflow")
        gauges.stop()

    library.script = play_one
    card(library).run(process, gauges)
    assert library.opened["channels"] == (3, 2)
    assert seen[0].tolist() == [[2, 5, 8, 11], [0, 3, 6, 9]]
    np.testing.assert_allclose(out, [[0.2, 0.1]] * 4)
    assert gauges.dropouts == 1
    assert gauges.device_latency_ms == pytest.approx(11.0)


def test_a_card_that_ends_by_itself_is_lost() -> None:
    library = Library(CARD)
    library.script = lambda lib: lib.opened["finished_callback"]()
    with pytest.raises(DeviceLostError, match="stopped"):
        card(library).run(lambda inputs, output: None, gauges_of())
    with pytest.raises(DeviceLostError, match="Device unavailable"):
        card(Library(CARD, refuses=True)).run(lambda inputs, output: None, gauges_of())


def test_an_error_in_the_callback_ends_the_stream_and_is_raised() -> None:
    library = Library(CARD)

    def fail(inputs: FloatArray, output: FloatArray) -> None:
        raise ValueError("broken")

    def play_one(lib: Library) -> None:
        with pytest.raises(lib.CallbackAbort):
            lib.opened["callback"](np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32), 4, None, None)
        lib.opened["finished_callback"]()

    library.script = play_one
    with pytest.raises(ValueError, match="broken"):
        card(library).run(fail, gauges_of())


# ------------------------------------------------------------------ what stands on the desk


def test_inputs_are_named_with_their_channels() -> None:
    assert card_inputs(["Kick=1", "Keys=3-4", "Lead Vox"], None) == [
        CardInput("Kick", (1,)), CardInput("Keys", (3, 4)), CardInput("Lead Vox", (5,)),
    ]  # fmt: skip
    song = card_multitrack(card_inputs(["Kick=1", "Lead Vox=2"], None), 48000)
    assert [(t.instrument, t.role) for t in song.tracks] == [("kick", "foreground"), ("lead_voice", "lead")]


def test_without_names_the_plan_says_what_is_there(song: Multitrack) -> None:
    found = card_inputs([], full_plan(song))
    assert found == [
        CardInput("Kick", (1,)), CardInput("Keys", (2, 3)), CardInput("Guitar", (4,)),
        CardInput("Lead Vox", (5,)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "with_plan", "said"),
    [
        ([], False, "no inputs"),
        (["Kick=0"], False, "counted from 1"),
        (["Keys=3-5"], False, "neighboring"),
        (["Kick=1", "Kick=2"], False, "two inputs are called 'Kick'"),
        (["Kick=1-2"], True, "1 channels in the plan and 2 here"),
        (["Kik=1"], True, "did you mean 'Kick'"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused(
    song: Multitrack, texts: list[str], with_plan: bool, said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        card_inputs(texts, full_plan(song) if with_plan else None)


def test_a_plan_for_other_inputs_or_another_rate_is_refused(song: Multitrack) -> None:
    inputs = card_multitrack(card_inputs(["Kick=1"], None), RATE)
    with pytest.raises(PlanError, match="for other tracks"):
        starting_plan(inputs, full_plan(song))
    faster = card_multitrack(card_inputs([], full_plan(song)), 48000)
    with pytest.raises(BadInputError, match="44100 Hz"):
        starting_plan(faster, full_plan(song))


def test_a_block_too_large_to_react_is_refused(song: Multitrack) -> None:
    with pytest.raises(BadInputError, match="16 to 2048"):
        Show(full_plan(song), 4096)


def test_a_show_goes_to_the_other_process_and_back(song: Multitrack) -> None:
    show = Show(full_plan(song), 256, frames=1000)
    again = Show.from_dict(show.to_dict())
    assert again.plan.strips == show.plan.strips
    assert dataclasses.replace(again, plan=show.plan) == show
    warm_up(again)


# ------------------------------------------------------------------ hands and eyes


def test_keys_move_hold_mute_and_stop(song: Multitrack) -> None:
    show = Show(full_plan(song), 128)
    link = show.link(bytearray(show.link_bytes))
    link.gauges.levels[:] = show.faders().level()
    controller, stopped = Controller(show, link, None), []
    hands = Hands(show, controller, link.gauges, lambda: stopped.append(True))
    for key in keys_of("\x1b[B\x1b[C\x1b[Cxrhmbzq"):
        hands.press(key)
    orders = []
    while (order := link.orders.take()) is not None:
        orders.append((Do(order.kind).name, show.controls[order.index].strip, order.value))
    assert orders == [
        ("HAND", "Keys", -5.0), ("HAND", "Keys", -4.0), ("MUTE", "Keys", 1.0),
        ("HOLD", "master", 1.0), ("PANIC", "master", 1.0), ("BYPASS", "master", 1.0),
    ]  # fmt: skip
    assert controller.touched == set()
    assert stopped == [True]


def test_the_screen_shows_every_strip_and_what_is_on(song: Multitrack) -> None:
    from rich.console import Console

    show = Show(full_plan(song), 128)
    link = show.link(bytearray(show.link_bytes))
    controller = Controller(show, link, None)
    hands = Hands(show, controller, link.gauges, lambda: None)
    controller.hold(True)
    out = io.StringIO()
    Console(file=out, width=120).print(screenful(show, link.gauges, controller, hands))
    text = out.getvalue()
    for word in ("Kick", "Keys", "Guitar", "Lead Vox", "mix", "HELD", "starting", "hold all"):
        assert word in text
    assert headline(show, link.gauges, controller).startswith("0:00.0  starting")
