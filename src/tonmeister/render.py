"""The renderer: a plan and its tracks become sound, block by block, in bounded memory.

Laws. The output does not depend on block size, number of threads or order of tracks; a unity plan is the plain
sum; stems sum to the pre-master bus; parallel paths are aligned for the latency of their effects; the output has
the length of the longest track and starts where the tracks start.

Blocks are float32 (channels, frames). Buses add up in float64, in an order fixed by strip names, and hand on
float32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator

import numpy as np

from tonmeister.audio import Audio
from tonmeister.console import BlockReader, Console, OpenTrack, Section, Sink, dropped
from tonmeister.errors import PlanError
from tonmeister.multitrack import Multitrack
from tonmeister.plan import LOUDNESS_SLOT, MixPlan
from tonmeister.strip import MASTER, Strip
from tonmeister.strip_processor import StripProcessor
from tonmeister.units import FloatArray

__all__ = [
    "BLOCK_FRAMES",
    "BlockReader",
    "OpenTrack",
    "Section",
    "Sink",
    "on_time",
    "process_strip",
    "render",
    "render_blocks",
    "split_master",
]

BLOCK_FRAMES = 32768


def render(multitrack: Multitrack, plan: MixPlan, *, threads: int | None = None) -> Audio:
    """The whole mix in memory: stereo float32 (2, frames) at the multitrack's rate."""
    blocks = list(render_blocks(multitrack, plan, threads=threads))
    samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0), np.float32)
    return Audio(samples, multitrack.sample_rate)


def render_blocks(
    multitrack: Multitrack,
    plan: MixPlan,
    *,
    threads: int | None = None,
    block_frames: int = BLOCK_FRAMES,
    section: Section | None = None,
    stems: Sink | None = None,
    taps: Sink | None = None,
    plain_sum: Sink | None = None,
    open_track: OpenTrack | None = None,
    fused: bool = True,
    remark: Callable[[str], None] | None = None,
) -> Generator[FloatArray, None, None]:
    """The mix in blocks (2, <= block_frames).

    `stems` gets what each strip feeds the master, `taps` the output of every strip behind its fader and pan,
    `plain_sum` the tracks as they are, added up; all aligned with the mix. `open_track` may supply the audio
    from elsewhere than the tracks' own files. `remark` is told at the end what inserts have to say. Without
    `fused` every strip runs by itself, slowly: the measure of what is right.
    Raises `PlanError` when the plan is not for these tracks.
    """
    check_belongs(multitrack, plan)
    if plan.sample_rate != multitrack.sample_rate:
        raise PlanError(
            f"the plan is for {plan.sample_rate} Hz and the tracks are at {multitrack.sample_rate} Hz: decide again"
        )
    console = Console(multitrack, plan, threads, block_frames, section or Section(), open_track, fused=fused)
    with console:
        yield from console.run(stems=stems, taps=taps, plain_sum=plain_sum)
        if remark is not None:
            for note in console.notes():
                remark(note)


def check_belongs(multitrack: Multitrack, plan: MixPlan) -> None:
    """Raise `PlanError` when plan and folder do not hold the same tracks."""
    wanted, there = {t.name for t in plan.tracks}, set(multitrack.names)
    if missing := sorted(wanted - there):
        raise PlanError(
            f"the plan is for other tracks: {_some(missing)} not in the folder: give the folder it was made for, "
            "or decide again"
        )
    if extra := sorted(there - wanted):
        raise PlanError(
            f"the plan does not know {_some(extra)}: decide again, or take the file out of the folder"
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def split_master(plan: MixPlan) -> tuple[MixPlan, Strip]:
    """The plan up to the loudness stage of its master, and the rest of the master as a strip of its own.

    Rendering the first and then `process_strip` with the second equals rendering the whole plan, so a loudness
    target can be searched without rendering the tracks again.
    """
    master = plan[MASTER]
    slots = [i.slot for i in master.inserts]
    at = slots.index(LOUDNESS_SLOT) if LOUDNESS_SLOT in slots else len(slots)
    head = Strip(MASTER, kind="master", output="", inserts=master.inserts[:at])
    rest = dataclasses.replace(master, inserts=master.inserts[at:])
    strips = tuple(head if s.kind == "master" else s for s in plan.strips)
    return dataclasses.replace(plan, strips=strips), rest


def process_strip(
    strip: Strip, blocks: Iterable[FloatArray], sample_rate: int, *, block_frames: int = BLOCK_FRAMES
) -> Iterator[FloatArray]:
    """Run a stereo signal through one strip, its latency removed, its length kept."""
    processor = StripProcessor(strip, 2, sample_rate, block_frames)
    return on_time(
        lambda block: processor.process(block).output, blocks, processor.latency_frames, 2, block_frames
    )


def on_time(
    process: Callable[[FloatArray], FloatArray],
    blocks: Iterable[FloatArray],
    latency_frames: int,
    channels: int,
    block_frames: int = BLOCK_FRAMES,
) -> Iterator[FloatArray]:
    """What a process that is late makes of blocks, its latency removed, their length kept."""
    late, owed = latency_frames, 0
    for block in blocks:
        owed += block.shape[1]
        late, out = dropped(late, process(block))
        owed -= out.shape[1]
        if out.shape[1]:
            yield out
    while owed > 0:
        late, out = dropped(late, process(np.zeros((channels, min(owed + late, block_frames)), np.float32)))
        owed -= out.shape[1]
        yield out
