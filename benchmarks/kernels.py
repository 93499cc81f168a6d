"""A micro-benchmark per kernel: nanoseconds of processor time per frame, the best of several."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

FRAMES = 32768
REPEATS = 15


def measure_kernels() -> dict[str, float]:
    """Kernel -> nanoseconds per frame; also printed."""
    found = {}
    for name, call in _calls():
        call()
        found[name] = round(min(_timed(call) for _ in range(REPEATS)) / FRAMES * 1e9, 2)
        print(f"{name:<44}{found[name]:9.2f} ns per frame", flush=True)
    return found


def _timed(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _noise(channels: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((channels, FRAMES)).astype(np.float32) * np.float32(0.2)


def _calls() -> Iterator[tuple[str, Callable[[], object]]]:
    yield from _lanes()
    yield from _effects()
    yield from _meters()
    yield from _files()


def _lanes() -> Iterator[tuple[str, Callable[[], object]]]:
    from tonmeister.dsp import lane_kernels
    from tonmeister.effects.compressor import Compressor
    from tonmeister.effects.equalizer import EqSection, Equalizer
    from tonmeister.effects.filters import HighPass
    from tonmeister.fused.group import Edge, LaneGroup, Member
    from tonmeister.strip import Curve, Insert, Send, Strip

    eq = Equalizer(tuple(EqSection("peak", f, 3.0, 1.0) for f in (100.0, 400.0, 1500.0, 6000.0)))
    chain = (Insert("a", HighPass(60.0)), Insert("b", eq), Insert("c", Compressor(-24.0, 3.0, 6.0)))
    pans = {"pan": Curve((0.0, 100.0), (-1.0, 1.0))}
    strips = [Strip(str(k), inserts=chain, sends=(Send("bus", -12.0),), automation=pans) for k in range(8)]
    members = [Member(s, 1, 44100, FRAMES) for s in strips]
    group = LaneGroup(members, {s.name: [Edge(0, None), Edge(1, "bus")] for s in strips}, 44100, FRAMES)
    source, rows = _noise(8).reshape(-1), np.empty(8 * FRAMES, np.float32)
    buses, kept = np.zeros(4 * FRAMES), np.empty(0, np.float32)

    def run(stages: np.ndarray) -> None:
        rows[:] = source
        lane_kernels.run_lanes(rows, FRAMES, FRAMES, group._signs, stages, group._numbers, group._memory)

    def mix() -> None:
        lane_kernels.mix_lanes(
            rows, FRAMES, FRAMES, group._positions, group._strips, group._levels, group._edges, group._edge_gains,
            group._curve_starts, group.curve_times, group.curve_values, 44100, buses, kept,
        )  # fmt: skip

    yield "8 lanes: in and out", lambda: run(group._stages[:0])
    yield "8 lanes: five sections", lambda: run(group._stages[:1])
    yield "8 lanes: compressor", lambda: run(group._stages[1:])
    yield "8 lanes: five sections and compressor", lambda: run(group._stages)
    yield "8 strips: fader, moving pan, send, buses", mix


def _effects() -> Iterator[tuple[str, Callable[[], object]]]:
    from tonmeister.effects.deesser import Deesser
    from tonmeister.effects.gate import Gate
    from tonmeister.effects.limiter import Limiter
    from tonmeister.effects.reverb import Reverb
    from tonmeister.effects.saturation import Saturation

    effects = {
        "stereo: reverb": Reverb(decay_s=1.8),
        "stereo: limiter, sample peaks": Limiter(true_peak=False),
        "stereo: limiter, true peaks": Limiter(ceiling_dbtp=-10.0),
        "stereo: gate": Gate(threshold_db=-30.0, range_db=40.0, ratio=8.0),
        "stereo: de-esser": Deesser(threshold_db=-30.0, ratio=4.0),
        "stereo: saturation": Saturation(drive_db=6.0),
    }
    for name, effect in effects.items():
        processor = effect.processor()
        processor.prepare(44100, 2, FRAMES)
        source = _noise(2)
        yield name, lambda processor=processor, source=source: processor.process(source.copy())


def _meters() -> Iterator[tuple[str, Callable[[], object]]]:
    from tonmeister.analysis.meter import CellMeter, TruePeakMeter
    from tonmeister.analysis.mix import MixMeter
    from tonmeister.analysis.recording import Recording

    source = _noise(2)
    meters = {
        "stereo: K-weighting and levels": CellMeter(44100, 2),
        "stereo: mix meter, everything": MixMeter(44100, 2),
        "stereo: track analysis, everything": Recording("a", 44100, 2),
    }
    for name, meter in meters.items():
        yield name, lambda meter=meter: meter.update(source)
    yield "stereo: true peak", lambda: TruePeakMeter(2).update(source)


def _files() -> Iterator[tuple[str, Callable[[], object]]]:
    from tonmeister.audio import open_audio
    from tonmeister.audio_output import AudioWriter
    from tonmeister.dsp.pcm import open_quickly

    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "a.wav", np.empty((2, FRAMES), np.float32)
        with AudioWriter(path, 44100, 2) as writer:
            for _ in range(REPEATS + 2):
                writer.write(_noise(2))
        with open_quickly(path) as ours, open_audio(path) as theirs:
            yield "stereo: 24-bit WAV in, our decoding", lambda: ours.read_into(target)
            yield "stereo: 24-bit WAV in, libsndfile", lambda: theirs.read_into(target)
        with AudioWriter(Path(folder) / "b.wav", 44100, 2) as writer:
            source = _noise(2)
            yield "stereo: 24-bit WAV out, dither", lambda: writer.write(source)


if __name__ == "__main__":
    measure_kernels()
