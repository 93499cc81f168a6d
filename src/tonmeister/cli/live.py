"""``tonmeister live``: mix a running performance, or play files through the same desk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.base import CausalMixer
    from tonmeister.live.controller import ScoreFollower
    from tonmeister.live.recorder import Recorder
    from tonmeister.live.show import Show
    from tonmeister.live.timed_hands import TimedHands
    from tonmeister.plan import MixPlan

__all__ = ["command"]


@click.command(
    "live",
    epilog=given.examples(
        "tonmeister live --devices",
        "tonmeister live 'Kick=1' 'Bass=2' 'Keys=3-4' 'Lead Vox=5' --engine adaptive --record tonight/",
        "tonmeister live --plan soundcheck.plan.json --engine adaptive --input-device 'USB Mixer'",
        "tonmeister live song/ --simulate --engine adaptive -o mix.wav",
        "tonmeister live song/ --simulate --engine dynamical --trim 'Lead Vox+=3@12' --real-time",
        "tonmeister live song/ --simulate --plan song.plan.json -o same-as-render.wav",
    ),
)
@click.argument("inputs", nargs=-1)
@click.option("--plan", type=given.existing_file, metavar="PLAN.json",
              help="How the desk stands at the start. [default: faders at unity, a limiter]")  # fmt: skip
@click.option("--engine", metavar="NAME",
              help="Who moves the controls; several, joined by +, in turn. [default: nobody but you]")  # fmt: skip
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE",
              help="Option of the engine (see 'tonmeister engines').")  # fmt: skip
@click.option("--score", type=given.existing_file, metavar="FILE",
              help="Follow this score (MusicXML or MIDI), so that the engine knows where the music is.")  # fmt: skip
@click.option("--record", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the inputs, the mix, every move, and a plan that repeats it, in a new folder.")  # fmt: skip
@click.option("--simulate", is_flag=True,
              help="INPUTS are a folder or files; play them through the desk as fast as it goes.")  # fmt: skip
@click.option(
    "--real-time", is_flag=True, help="With --simulate: at the pace of a sound card, in its own process."
)
@click.option("--trim", "trims", multiple=True, metavar="STRIP+=DB@SECONDS",
              help="With --simulate: a hand on a fader at that time, for a second (STRIP=DB@SECONDS: to DB).")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT.wav",
              help="With --simulate: write the mix there.")  # fmt: skip
@given.bits_option
@click.option("--devices", is_flag=True, help="List the audio devices and end.")
@click.option(
    "--input-device", metavar="NAME|NUMBER", help="Where the sound comes in. [default: the system's]"
)
@click.option("--output-device", metavar="NAME|NUMBER", help="Where the mix goes. [default: the system's]")
@click.option("--output-channels", default="1-2", show_default=True, metavar="LEFT-RIGHT",
              help="Channels of the output device.")  # fmt: skip
@click.option("--rate", type=click.IntRange(8000, 192000), metavar="HZ",
              help="Sample rate of the device. [default: the plan's, else 48000]")  # fmt: skip
@click.option("--block", "block_frames", type=click.IntRange(16, 2048), default=128, show_default=True,
              metavar="FRAMES", help="Frames the desk computes at a time.")  # fmt: skip
@click.option("--guard/--no-guard", default=True, show_default=True,
              help="Duck a strip in which a narrow tone keeps rising (feedback).")  # fmt: skip
@given.seed_option
@given.recursive_option
@given.overwrite_option
@given.common
def command(inputs: tuple[str, ...], settings: dict[str, Any], **asked: Any) -> None:
    """Mix the INPUTS of a sound card while they play: NAME=CHANNEL or NAME=LEFT-RIGHT for each.

    With --simulate INPUTS are files, and what is heard is the same as it would be live, bit for bit each time.
    """
    from tonmeister.cli.screen import Screen

    screen = Screen.of(settings)
    if asked["devices"]:
        _list_devices(screen)
        return
    _check(asked)
    if asked["simulate"] and not asked["real_time"]:
        _simulated(inputs, screen, asked)
    else:
        _live(inputs, screen, asked)


def _check(asked: Mapping[str, Any]) -> None:
    """Refuse what does not go together, and outputs that exist."""
    from tonmeister.audio_output import check_output
    from tonmeister.live.recorder import check_folder

    if asked["real_time"] and not asked["simulate"]:
        raise BadInputError("--real-time goes with --simulate: a sound card is in real time anyway")
    if asked["output"] and (not asked["simulate"] or asked["real_time"]):
        raise BadInputError("-o goes with --simulate alone: use --record to keep a performance")
    if asked["output"]:
        check_output(asked["output"], overwrite=asked["overwrite"], subtype=asked["bits"])
    if asked["trims"] and not asked["simulate"]:
        raise BadInputError("--trim goes with --simulate: at a sound card use your own hands")
    if asked["options"] and not asked["engine"]:
        raise BadInputError("--option is for an engine: give --engine too")
    if asked["score"] and not asked["engine"]:
        raise BadInputError("--score is for an engine that follows it: give --engine too")
    if asked["record"]:
        check_folder(asked["record"])


def _list_devices(screen: Screen) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.live.devices import list_devices

    devices = list_devices()
    columns = ("number", "device", "by way of", "inputs", "outputs", "Hz", "")
    rows = [
        (str(d.index), d.name, d.host, str(d.inputs), str(d.outputs), str(d.sample_rate),
         "the system's" if d.is_default else "")
        for d in devices
    ]  # fmt: skip
    if devices:
        screen.show(table(columns, rows, right=("number", "inputs", "outputs", "Hz")))
    else:
        screen.say("there is no audio device on this machine: play files with --simulate")
    if screen.as_json:
        screen.json({"devices": [dataclasses.asdict(d) for d in devices]})


# ------------------------------------------------------------------ what is on the desk


def _plan(asked: Mapping[str, Any]) -> MixPlan | None:
    from tonmeister.plan_file import load_plan

    return load_plan(asked["plan"]) if asked["plan"] else None


def _show_of_files(inputs: Sequence[str], asked: Mapping[str, Any]) -> tuple[Show, Any]:
    from tonmeister.live.inputs import file_multitrack, starting_plan
    from tonmeister.live.show import Show

    song = file_multitrack([Path(p) for p in inputs], recursive=asked["recursive"])
    plan = starting_plan(song, _plan(asked), seed=asked["seed"])
    moves = asked["engine"] is not None or asked["real_time"]
    return Show(plan, asked["block_frames"], moves=moves, frames=song.frames), song


def _mixer(show: Show, asked: Mapping[str, Any]) -> CausalMixer | None:
    from tonmeister.live.causal import start_mixer

    if asked["engine"] is None:
        return None
    options = given.parse_options(asked["options"])
    return start_mixer(asked["engine"], options, show.plan, show.multitrack, seed=asked["seed"])


def _hands(show: Show, asked: Mapping[str, Any]) -> TimedHands | None:
    from tonmeister.live.timed_hands import TimedHands, parse_trim

    if not asked["trims"]:
        return None
    if not show.moves:
        raise BadInputError("--trim needs a desk that moves: give --engine or --real-time too")
    return TimedHands([parse_trim(text) for text in asked["trims"]], show)


def _follower(
    show: Show, asked: Mapping[str, Any], mixer: CausalMixer | None, screen: Screen
) -> ScoreFollower | None:
    """Who says where the music is: the score, else the beat for an engine that acts at events."""
    if asked["score"]:
        from tonmeister.live.score_ear import ear_of

        ear = ear_of(asked["score"], show.sample_rate)
        for note in ear.score.notes_to_reader:
            screen.say(note)
        return ear
    from tonmeister.live.causal import acts_at_events

    if not acts_at_events(mixer):
        return None
    from tonmeister.live.beat_ear import BeatEar

    return BeatEar(show.sample_rate)


def _warm_ears(screen: Screen, show: Show) -> None:
    """Compile what listens; the audio process warms itself up."""
    import numpy as np

    from tonmeister.cli.kernels import are_cold, cache_folder
    from tonmeister.live.hearing import Hearing

    if are_cold(cache_folder()):
        screen.say("preparing the sound kernels, once on this machine (up to a minute)")
    hearing = Hearing(show)
    hearing.update(np.random.default_rng(0).standard_normal((show.lanes, show.sample_rate), np.float32) * 0.1)
    hearing.recent(1.0)


def _warm(screen: Screen, show: Show) -> None:
    """Compile what is not compiled yet before anything is timed or heard."""
    from tonmeister.cli.kernels import are_cold, cache_folder
    from tonmeister.live.audio_process import warm_up

    if are_cold(cache_folder()):
        screen.say("preparing the sound kernels, once on this machine (up to a minute)")
    warm_up(show)


# ------------------------------------------------------------------ files, faster than real time


def _simulated(inputs: Sequence[str], screen: Screen, asked: Mapping[str, Any]) -> None:
    import time

    from tonmeister.cli.live_report import report
    from tonmeister.cli.screen import when_interrupted
    from tonmeister.live.recorder import Recorder
    from tonmeister.live.simulate import simulate
    from tonmeister.live.sources import FileInputs

    show, song = _show_of_files(inputs, asked)
    mixer, hands = _mixer(show, asked), _hands(show, asked)
    follower = _follower(show, asked, mixer, screen)
    _warm(screen, show)
    notes = list(song.notes)
    told = _teller(screen, notes)
    left = f"the recording in {asked['record']} is complete" if asked["record"] else "nothing was written"
    with when_interrupted(left), ExitStack() as stack:
        source = stack.enter_context(FileInputs(song))
        recorder = None
        if asked["record"]:
            recorder = stack.enter_context(Recorder(show, asked["record"], latency_frames=_latency(show)))
        take = stack.enter_context(_writer(asked, show))
        bars = stack.enter_context(screen.progress())
        performance = simulate(
            show, source, mixer, follower=follower, guard=asked["guard"], take=take, recorder=recorder,
            told=told, progress=lambda done: bars("render", done), engine=asked["engine"] or "",
            clock_ns=time.thread_time_ns, act=hands,
        )  # fmt: skip
    report(screen, show, performance.gauges, asked, performance.moves, performance.latency_frames, notes)


def _latency(show: Show) -> int:
    from tonmeister.live.core import LiveCore

    return LiveCore(show, show.link(bytearray(show.link_bytes))).latency_frames


@contextmanager
def _writer(asked: Mapping[str, Any], show: Show) -> Iterator[Any]:
    """Takes the mix into the file asked for, as `render` would write it."""
    if not asked["output"]:
        yield None
        return
    from tonmeister.audio_output import AudioWriter

    with AudioWriter(
        asked["output"], show.sample_rate, 2, subtype=asked["bits"], frames=show.frames,
        overwrite=asked["overwrite"], title=show.plan.title, dither_seed=show.plan.seed,
    ) as writer:  # fmt: skip
        yield writer.write


def _teller(screen: Screen, notes: list[str]) -> Any:
    def tell(text: str) -> None:
        notes.append(text)
        screen.say(text)

    return tell


# ------------------------------------------------------------------ in real time


def _live(inputs: Sequence[str], screen: Screen, asked: Mapping[str, Any]) -> None:
    from tonmeister.cli.live_report import report
    from tonmeister.live.desk import Desk
    from tonmeister.live.recorder import Recorder

    show, device = _show_and_device(inputs, asked)
    mixer, hands = _mixer(show, asked), _hands(show, asked)
    follower = _follower(show, asked, mixer, screen)
    screen.say("getting ready: everything is compiled and warmed up before the first sound")
    _warm_ears(screen, show)
    late = _latency(show)
    notes: list[str] = []
    with ExitStack() as stack:
        recorder: Recorder | None = None
        if asked["record"]:
            recorder = stack.enter_context(Recorder(show, asked["record"], latency_frames=late))
        desk = stack.enter_context(
            Desk(show, device, mixer, follower=follower, guard=asked["guard"], recorder=recorder,
                 told=_teller(screen, notes), engine=asked["engine"] or "", act=hands)
        )  # fmt: skip
        interrupted = _attend(desk, screen)
        desk.finish()
        played = desk.gauges.position > 0
        if played:
            report(screen, show, desk.gauges, asked, desk.controller.moves, late, notes)
        if interrupted:
            raise KeyboardInterrupt(_left(asked["record"]) if played else "nothing was played")


def _left(record: Path | None) -> str:
    """What an interrupted performance leaves."""
    kept = f"the recording in {record} is complete" if record else "nothing was recorded"
    return f"the desk was closed in order; {kept}"


def _show_and_device(inputs: Sequence[str], asked: Mapping[str, Any]) -> tuple[Show, dict[str, Any]]:
    if asked["simulate"]:
        show, _ = _show_of_files(inputs, asked)
        return show, {"kind": "files", "paths": list(inputs), "recursive": asked["recursive"]}
    from tonmeister.live.devices import chosen_devices
    from tonmeister.live.inputs import card_inputs, card_multitrack, starting_plan
    from tonmeister.live.show import Show

    if path := next((text for text in inputs if Path(text).exists()), None):
        raise BadInputError(
            f"{path}: is a file or folder: add --simulate to play it, or name inputs of the sound card, "
            "for example 'Lead Vox=1'"
        )
    plan = _plan(asked)
    wanted = card_inputs(inputs, plan)
    rate = asked["rate"] or (plan.sample_rate if plan else 48000)
    channels = [c for each in wanted for c in each.channels]
    left, right = _pair(asked["output_channels"])
    source, sink = chosen_devices(
        asked["input_device"], asked["output_device"], max(channels), max(left, right)
    )
    song = card_multitrack(wanted, rate, title=plan.title if plan else "live")
    show = Show(starting_plan(song, plan, seed=asked["seed"]), asked["block_frames"])
    device = {
        "kind": "card",
        "input_device": source.index,
        "output_device": sink.index,
        "input_channels": channels,
        "output_channels": [left, right],
    }
    return show, device


def _pair(text: str) -> tuple[int, int]:
    left, _, right = text.partition("-")
    if not (left.isdecimal() and right.isdecimal() and int(left) and int(right) and left != right):
        raise BadInputError(f"--output-channels {text!r}: write LEFT-RIGHT counted from 1, for example 1-2")
    return int(left), int(right)


def _attend(desk: Any, screen: Screen) -> bool:
    """Run the desk to its end, with meters and keys on a terminal; True when it was interrupted."""
    interrupted = False
    with ExitStack() as stack:
        watch = stack.enter_context(_watched(desk, screen))
        while desk.runs:
            try:
                desk.step()
                watch()
            except KeyboardInterrupt:
                interrupted = True
                desk.stop()
    return interrupted


@contextmanager
def _watched(desk: Any, screen: Screen) -> Iterator[Any]:
    """A function to call now and then, which shows the meters and minds the keys."""
    import sys

    if screen.quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.live import Live

    from tonmeister.live.meters import Hands, key_presses, screenful

    hands = Hands(desk.show, desk.controller, desk.gauges, desk.stop)
    with (
        key_presses() as pressed,
        Live(console=screen.console(sys.stderr), auto_refresh=False, transient=True) as view,
    ):
        turns = 0

        def watch() -> None:
            nonlocal turns
            for key in pressed():
                hands.press(key)
            turns += 1
            if turns % 10 == 1:
                view.update(screenful(desk.show, desk.gauges, desk.controller, hands), refresh=True)

        yield watch
