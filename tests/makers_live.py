"""Makers for the tests of the live desk: a small band, scripted engines, a simulated performance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from makers import RATE, multitrack, noise, plan_for
from tonmeister.audio import Audio
from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, Mute, SetGain, SetOutput, SetPan
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.filters import HighPass
from tonmeister.effects.limiter import Limiter
from tonmeister.effects.reverb import Reverb
from tonmeister.effects.saturation import Saturation
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.live.show import Show
from tonmeister.live.simulate import Performance, simulate
from tonmeister.live.sources import FileInputs
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER
from tonmeister.units import FloatArray


def small_band(seconds: float = 1.0) -> Multitrack:
    """Four tracks, one of them stereo, one shorter than the others, one the lead."""
    frames = int(seconds * RATE)
    song = multitrack(
        ("Kick", noise(frames, seed=1, level=0.2)),
        ("Keys", noise(frames, 2, seed=2, level=0.1)),
        ("Guitar", noise(frames // 2, seed=3, level=0.1)),
        ("Lead Vox", noise(frames, seed=4, level=0.15)),
    )
    roles = {"Lead Vox": "lead"}
    tracks = tuple(dataclasses.replace(t, role=roles.get(t.name, t.role)) for t in song.tracks)
    return dataclasses.replace(song, tracks=tracks)


def full_plan(song: Multitrack) -> MixPlan:
    """Every kind of thing a desk has: fused and other inserts, latency, a bus, a return, sends, a muted strip."""
    decisions: list[Decision] = [
        AddBus("Drums"),
        AddBus("Room", "return"),
        SetOutput("Kick", "Drums"),
        AddInsert("Kick", HighPass(cutoff_hz=40.0)),
        AddInsert("Kick", Compressor(threshold_db=-20.0, ratio=3.0)),
        AddInsert("Keys", Saturation()),
        AddInsert("Drums", Compressor(threshold_db=-18.0, ratio=2.0)),
        AddInsert("Room", Reverb(decay_s=0.4)),
        AddInsert(MASTER, Limiter(lookahead_ms=1.5)),
        AddSend("Lead Vox", "Room", -12.0),
        AddSend("Keys", "Room", -15.0, pre_fader=True),
        SetGain("Guitar", -4.0),
        SetGain("Keys", -6.0),
        SetPan("Guitar", -0.4),
        Mute("Guitar"),
    ]
    plan = plan_for(song, decisions)
    roles = {t.name: t.role for t in song.tracks}
    records = tuple(dataclasses.replace(r, role=roles[r.name]) for r in plan.tracks)
    return dataclasses.replace(plan, tracks=records)


class Scripted:
    """A mixer that makes given moves once the performance has come to a time."""

    def __init__(self, *script: tuple[float, LiveMove | Decision]) -> None:
        self._script = list(script)

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        while self._script and self._script[0][0] <= heard.time_s + 1e-9:
            _, move = self._script.pop(0)
            yield move if isinstance(move, LiveMove) else LiveMove(move)


def busy_script() -> Scripted:
    """Moves of every kind, some of them overtaking others."""
    return Scripted(
        (0.1, SetGain("Kick", -9.0)),
        (0.2, SetGain("Kick", 3.0)),
        (0.2, SetPan("Lead Vox", 0.6)),
        (0.2, Mute("Guitar", False)),
        (0.3, AddSend("Lead Vox", "Room", -3.0)),
        (0.3, LiveMove(SetGain("Keys", -1.0), at_s=0.7, ramp_s=0.25)),
        (0.4, Mute("Keys", True)),
        (0.5, SetGain("Drums", -2.0)),
        (0.6, Mute("Keys", False)),
    )


def performed(
    song: Multitrack, plan: MixPlan, mixer: Any = None, *, block: int = 128, moves: bool = True, **how: Any
) -> tuple[FloatArray, Performance]:
    """A simulated performance: its mix (2, frames) and what came of it."""
    show = Show(plan, block, moves=moves, frames=song.frames)
    blocks: list[FloatArray] = []
    with FileInputs(song) as inputs:
        result = simulate(show, inputs, mixer, take=blocks.append, **how)
    return np.concatenate(blocks, axis=1), result


def with_sound(song: Multitrack, name: str, change: Callable[[FloatArray], FloatArray]) -> Multitrack:
    """The song with other sound on one track."""
    tracks = []
    for track in song.tracks:
        if track.name == name:
            assert track.audio is not None
            sound = change(track.audio.samples.copy())
            track = dataclasses.replace(track, audio=Audio(sound, RATE))
        tracks.append(track)
    return dataclasses.replace(song, tracks=tuple(tracks))
