"""Training a network on a lesson: its own rate and level, its twin beside it, the best so far, and the guard's bound."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio, AudioReader
from tonmeister.dsp.guarding import stray
from tonmeister.effects.learned_files import Device
from tonmeister.effects.network_player import guard_memory
from tonmeister.effects.networks import Network
from tonmeister.errors import BadInputError
from tonmeister.learned_effects.domain import domain_of
from tonmeister.learned_effects.fit import Progress
from tonmeister.learned_effects.learn import (
    Course,
    LearnedEffect,
    Lesson,
    fit_waveshaper,
    judged,
    plain_filter,
    played,
)
from tonmeister.learned_effects.pair import Pair
from tonmeister.units import DoubleArray

__all__ = ["CAFX_RATE", "Best", "Budget", "NetworkOptions", "Sounds", "learn_network"]

CAFX_RATE: Final = 16000
"""Of the paper."""
_DEVICE_LAG_FRAMES: Final = 16
"""As much of the wet file's lag stays in a network that cannot look ahead."""
_VALID: Final = 0.1
_BOUND_PERCENTILE: Final = 99.0
_BOUND_SLACK: Final = 2.0
_LEAST_BOUND: Final = 0.02
_FLOOR: Final = 1e-3
"""Of the mean energy: straying in what is 30 dB softer does not count."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network, how long, and from where it starts."""

    network: str = "lstm"
    minutes: float | None = None
    """Stop after so long; None takes the usual number of steps."""
    steps: int | None = None
    oversampling: int = 4
    """Of the twin."""
    faithful: bool = False
    """CAFx as published: random start, pretraining, absolute error alone."""


@dataclass(frozen=True, eq=False)
class Sounds:
    """What a network learns from and is stopped by: pieces (1, frames) each, float32, at its rate and level."""

    learned: list[tuple[DoubleArray, DoubleArray]]
    judged: list[tuple[DoubleArray, DoubleArray]]


class Budget:
    """Steps and minutes, whichever ends first; `done` goes from 0 to 1."""

    def __init__(self, steps: int, minutes: float | None, progress: Progress | None) -> None:
        self.steps, self.taken, self._progress = steps, 0, progress
        self._limit_s = None if minutes is None else 60.0 * minutes
        self._began = time.monotonic()

    @property
    def done(self) -> float:
        part = self.taken / self.steps
        if self._limit_s is not None:
            part = max(part, (time.monotonic() - self._began) / self._limit_s)
        return min(part, 1.0)

    def step(self) -> None:
        self.taken += 1
        if self._progress is not None:
            self._progress("learn", self.done)


class Best:
    """The best weights so far; `stale` counts the judgements since."""

    def __init__(self) -> None:
        self.loss, self.stale = np.inf, 0
        self.weights: dict[str, Any] | None = None

    def offer(self, loss: float, net: Any) -> None:
        if loss < self.loss:
            self.loss, self.stale = loss, 0
            self.weights = {k: v.detach().clone() for k, v in net.state_dict().items()}
        else:
            self.stale += 1


def learn_network(lesson: Lesson, options: NetworkOptions, progress: Progress | None = None) -> LearnedEffect:
    """An `lstm` or a `cafx` with its twin; an interrupt keeps the best so far. Needs the extra ``train``."""
    from tonmeister.training.effects.learn_cafx import train_cafx
    from tonmeister.training.effects.learn_lstm import train_lstm
    from tonmeister.training.torch_library import torch_module

    torch_module()
    trainers: dict[str, Callable[..., tuple[Network, Course]]] = {"lstm": train_lstm, "cafx": train_cafx}
    if options.network not in trainers:
        raise BadInputError(f"network={options.network!r}: give one of {', '.join(trainers)}")
    lesson = _lagging(lesson) if options.network == "lstm" else lesson
    inner = _at_rate(lesson, CAFX_RATE) if options.network == "cafx" else lesson
    twin, taps, fitted = fit_waveshaper(inner, options.oversampling, progress)
    if fitted.interrupted:
        raise KeyboardInterrupt
    scales = tuple(1.0 / max(float(np.abs(a).max()), 1e-9) for a in (inner.pair.dry, inner.pair.wet))
    network, course = trainers[options.network](_sounds(inner, *scales), options, lesson.seed, progress)
    network = dataclasses.replace(
        network, sample_rate=inner.pair.sample_rate, input_scale=scales[0], output_scale=1.0 / scales[1]
    )
    device = _guarded(Device(twin, network, treble_gain=_treble_gain(lesson.pair, network)), inner)
    if inner is not lesson:
        taps = plain_filter(lesson)
    domain = domain_of(lesson.pair.dry, lesson.pair.sample_rate)
    return LearnedEffect(device, lesson, judged(device, lesson, taps), course, domain)


def _lagging(lesson: Lesson) -> Lesson:
    """The wet sound as late again as the device itself made it, up to 16 frames: an LSTM cannot look ahead."""
    pair = lesson.pair
    lag = int(np.clip(round(pair.delay_frames), 0, _DEVICE_LAG_FRAMES))
    wet = np.pad(pair.wet, ((0, 0), (lag, 0)))[:, : pair.frames]
    return dataclasses.replace(lesson, pair=dataclasses.replace(pair, wet=wet))


def _at_rate(lesson: Lesson, rate: int) -> Lesson:
    pair = lesson.pair
    if pair.sample_rate == rate:
        return lesson
    dry, wet = (_converted(a, pair.sample_rate, rate) for a in (pair.dry, pair.wet))
    frames = min(dry.shape[1], wet.shape[1])
    ratio = rate / pair.sample_rate
    held = tuple(slice(int(h.start * ratio), min(int(h.stop * ratio) + 1, frames)) for h in lesson.held)
    inner = dataclasses.replace(pair, dry=dry[:, :frames], wet=wet[:, :frames], sample_rate=rate)
    return dataclasses.replace(lesson, pair=inner, held=held)


def _converted(samples: DoubleArray, from_rate: int, to_rate: int) -> DoubleArray:
    with AudioReader.from_memory(Audio(samples.astype(np.float32), from_rate), to_rate) as reader:
        return np.concatenate(list(reader.blocks(1 << 16)), axis=1).astype(np.float64)


def _sounds(lesson: Lesson, in_scale: float, out_scale: float) -> Sounds:
    """Pieces between what is held out; the tail of each is what the learning is stopped by."""
    pair, edges = lesson.pair, [0]
    for part in sorted(lesson.held, key=lambda h: h.start):
        edges += [part.start, part.stop]
    edges.append(pair.frames)
    found = Sounds([], [])
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        middle = end - int(_VALID * (end - begin))
        for channel in range(len(pair.dry)):
            x, y = in_scale * pair.dry[channel], out_scale * pair.wet[channel]
            for into, (a, b) in ((found.learned, (begin, middle)), (found.judged, (middle, end))):
                if b - a >= 2048:
                    into.append((x[a:b].astype(np.float32), y[a:b].astype(np.float32)))
    if not found.learned or not found.judged:
        raise BadInputError("too little sound is left to learn from: give a longer recording of the device")
    return found


def _treble_gain(pair: Pair, network: Network) -> float:
    """What the device does to treble that the network does not know: the gain that fits best up there."""
    half = network.sample_rate * 7 / 16
    frequency_hz = np.fft.rfftfreq(pair.frames, 1.0 / pair.sample_rate)
    above = frequency_hz > half
    if not above.any() or pair.sample_rate <= network.sample_rate:
        above = frequency_hz >= 0.0
    x, y = (np.fft.rfft(a)[:, above] for a in (pair.dry, pair.wet))
    power = float(np.sum(np.abs(x) ** 2))
    gain = float(np.sum((np.conj(x) * y).real)) / power if power > 0.0 else 1.0
    return float(np.clip(gain, 0.0, 100.0))


def _guarded(device: Device, lesson: Lesson) -> Device:
    """How far the device itself strays from the twin on sound that was held out: so far, twice, a network may stray.

    The twin stays if it is worth playing.
    """
    pair = lesson.pair
    assert device.waveshaper is not None
    twin = lesson.held_out(played(Device(device.waveshaper), pair.dry, pair.sample_rate))
    wet, dry = lesson.held_out(pair.wet).copy(), lesson.held_out(pair.dry)
    if np.sum((twin - wet) ** 2) >= np.sum((dry - wet) ** 2):
        return dataclasses.replace(device, waveshaper=None)
    memory = guard_memory(pair.sample_rate)
    floor = _FLOOR * float(np.mean(twin**2)) / (1.0 - memory)
    found = np.empty(wet.shape)
    for channel in range(len(wet)):
        stray(wet[channel], twin[channel].copy(), floor, memory, found[channel])
    loud = np.abs(twin) > 0.1 * np.sqrt(np.mean(twin**2))
    top = float(np.percentile(found[loud], _BOUND_PERCENTILE)) if loud.any() else 0.0
    return dataclasses.replace(device, bound=max(_BOUND_SLACK * top, _LEAST_BOUND), floor=max(floor, 1e-12))
