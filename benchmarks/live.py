"""How long a block takes at the live desk: 28 tracks with full chains, a reverb and a limiter, at 48 kHz.

    python benchmarks/live.py [--seconds 20] [--blocks 128,512] [--engine expert] [--write]

Processor time of the audio side, block by block, as files are played through the desk faster than real time. "Over" are
blocks that took longer than they last: at a sound card each would have been a deadline missed. "Wall" is the same by the
clock on the wall, which a machine that is busy with other work makes worse. "Ears and engine" is the control side.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import song as standard  # noqa: E402

from tonmeister.live.audio_process import warm_up  # noqa: E402
from tonmeister.live.causal import start_mixer  # noqa: E402
from tonmeister.live.meters import cpu_share  # noqa: E402
from tonmeister.live.show import Show  # noqa: E402
from tonmeister.live.simulate import simulate  # noqa: E402
from tonmeister.live.sources import MemoryInputs  # noqa: E402
from tonmeister.plan_file import load_plan  # noqa: E402

RATE = 48000


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--blocks", default="128,512")
    parser.add_argument("--engine", default="expert")
    parser.add_argument("--write", action="store_true", help="write LIVE.md")
    asked = parser.parse_args()
    text = "\n".join(report(asked.seconds, [int(b) for b in asked.blocks.split(",")], asked.engine))
    print(text)
    if asked.write:
        (HERE / "LIVE.md").write_text(text + "\n", "utf-8")


def report(seconds: float, blocks: list[int], engine: str) -> Iterator[str]:
    """The table as Markdown."""
    before = os.getloadavg()[0]
    yield "# Blocks of the live desk\n"
    yield f"`python benchmarks/live.py --seconds {seconds:g} --write`: 28 tracks (32 channels), {seconds:g} s at 48 kHz,"
    yield "per track two filters, an equalizer of four bands, a compressor, a send; a reverb, a limiter.\n"
    yield "| block | lasts | clock | mean | 50 % | 99 % | 99.9 % | longest | over | share of one core | ears and engine |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        standard.RATE = RATE
        tracks = standard.make_song(Path(folder) / "song", seconds=seconds)
        plan = load_plan(standard.make_plan(tracks, Path(folder) / "song.plan.json", seconds=seconds))
        lanes = sound(tracks)
    for frames in blocks:
        show = Show(plan, frames, frames=lanes.shape[1])
        warm_up(show)
        for name, clock in (("processor", time.thread_time_ns), ("wall", time.perf_counter_ns)):
            yield row(show, lanes, name, clock, engine)
    cores = os.cpu_count()
    yield f"\nThe engine is `{engine}`. {platform.machine()}, {cores} cores, Python {platform.python_version()};"
    yield f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after: above {cores} the machine was busy with"
    yield "other work, and the times by the wall count that work too."


def sound(folder: Path) -> np.ndarray:
    """All tracks as lanes, (lanes, frames)."""
    import soundfile

    files = [soundfile.read(str(p), dtype="float32", always_2d=True)[0].T for p in sorted(folder.iterdir())]
    return np.ascontiguousarray(np.concatenate(files))


def row(show: Show, lanes: np.ndarray, name: str, clock: Callable[[], int], engine: str) -> str:
    """One performance."""
    mixer = start_mixer(engine, {}, show.plan, show.multitrack)
    begin = time.thread_time()
    gauges = simulate(show, MemoryInputs(lanes), mixer, guard=True, clock_ns=clock).gauges
    used_s = time.thread_time() - begin
    lasts_us = 1e6 * show.block_frames / RATE
    parts = [f"{gauges.percentile_us(p):.0f}" for p in (0.5, 0.99, 0.999)]
    over = f"{gauges.over(lasts_us)} of {gauges.blocks}"
    others = (used_s - gauges.cpu_us / 1e6) / (lanes.shape[1] / RATE) if name == "processor" else None
    cells = [
        str(show.block_frames), f"{lasts_us:.0f} us", name, f"{gauges.cpu_us / gauges.blocks:.0f}", *parts,
        f"{gauges.longest_us:.0f}", over, f"{cpu_share(show, gauges):.0%}",
        f"{others:.0%} of one core" if others is not None else "",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
