"""The networks that play a device: what each keeps in its file, and how its sound streams without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from tonmeister.dsp import cafx, lstm
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["NETWORKS", "CafxNetwork", "LstmNetwork", "Network", "Stream"]

HOP: Final = cafx.FRAME // 2
_REST_S: Final = 2.0
"""How long an LSTM hears silence before it counts as at rest."""


class Stream(Protocol):
    """A network with its state, at its own rate."""

    latency_frames: int

    def process(self, block: DoubleArray) -> DoubleArray:
        """(channels, frames) in and out, late by `latency_frames`."""
        ...

    def reset(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Network:
    """y = output_scale net(input_scale x): what all networks have in common."""

    name: ClassVar[str]
    shapes: ClassVar[Mapping[str, tuple[int, ...]]]

    weights: Mapping[str, FloatArray]
    sample_rate: int
    input_scale: float = 1.0
    output_scale: float = 1.0

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(int(w.size) for w in self.weights.values())

    def stream(self, channels: int) -> Stream:
        """Its state for so many channels, all with the same numbers."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What goes onto the card."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "weights"}


@dataclass(frozen=True, eq=False)
class LstmNetwork(Network):
    """16 units and the input beside them; 1,233 numbers."""

    name: ClassVar[str] = "lstm"
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "weight_ih": (64, 1),
        "weight_hh": (64, 16),
        "bias_ih": (64,),
        "bias_hh": (64,),
        "dense.weight": (1, 16),
        "dense.bias": (1,),
    }

    def stream(self, channels: int) -> Stream:
        return _LstmStream(self, channels)


class _LstmStream:
    """Starts at rest, and what it says at rest is taken away: no step at the start, silence stays silent."""

    latency_frames = 0

    def __init__(self, network: LstmNetwork, channels: int) -> None:
        w = {name: np.asarray(value, np.float64) for name, value in network.weights.items()}
        self._from_input = w["weight_ih"][:, 0].copy()
        self._from_state = np.ascontiguousarray(w["weight_hh"].T)
        self._bias = w["bias_ih"] + w["bias_hh"]
        self._out = np.append(w["dense.weight"][0], w["dense.bias"])
        self._gates = np.zeros(len(self._bias))
        self._scales = network.input_scale, network.output_scale
        self._state = np.zeros((1, 2, len(self._from_state)))
        silence = np.zeros((1, round(_REST_S * network.sample_rate)))
        self._run(silence)
        self._out[-1] -= silence[0, -1]
        self._rest = np.repeat(self._state, channels, axis=0)
        self.reset()

    def reset(self) -> None:
        self._state = self._rest.copy()

    def process(self, block: DoubleArray) -> DoubleArray:
        out = self._scales[0] * block
        self._run(out)
        bad = ~np.isfinite(self._state).all(axis=(1, 2))
        self._state[bad] = self._rest[bad]
        return np.asarray(self._scales[1] * out)

    def _run(self, block: DoubleArray) -> None:
        lstm.run(block, self._from_input, self._from_state, self._bias, self._out, self._state, self._gates)


@dataclass(frozen=True, eq=False)
class CafxNetwork(Network):
    """Frames of 1024, half of each the next one's; 602,176 numbers and a dry path."""

    name: ClassVar[str] = "cafx"
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = cafx.SHAPES

    dry_gain: float = 0.0

    def stream(self, channels: int) -> Stream:
        return _CafxStream(self, channels)

    def settings(self) -> dict[str, Any]:
        framing = {"frame": cafx.FRAME, "hop": HOP, "window_in": "none", "window_out": "hann"}
        return {**super().settings(), **framing, "silence": "subtracted"}


class _CafxStream:
    """Collects hops; each completes a frame, whose output is weighted by a Hann window and added up."""

    latency_frames = cafx.FRAME - 1

    def __init__(self, network: CafxNetwork, channels: int) -> None:
        self._net = cafx.Cafx.of(network.weights)
        self._network, self._channels = network, channels
        self._window = cafx.window()
        self._silence = cafx.run_frame(np.zeros(cafx.FRAME, np.float32), self._net)
        self.reset()

    def reset(self) -> None:
        """The first frame begins half a frame before the sound."""
        self._frame = np.zeros((self._channels, cafx.FRAME))
        self._filled = HOP
        self._sum = np.zeros((self._channels, cafx.FRAME))
        self._ready = np.zeros((self._channels, HOP))

    def process(self, block: DoubleArray) -> DoubleArray:
        out = np.empty(block.shape)
        at = 0
        while at < block.shape[1]:
            took = min(cafx.FRAME - self._filled, block.shape[1] - at)
            self._frame[:, self._filled : self._filled + took] = block[:, at : at + took]
            self._filled += took
            said = self._filled - HOP
            full = self._filled == cafx.FRAME
            # the frame that is now complete makes the sample of this very moment known
            out[:, at : at + took - full] = self._ready[:, said - took + 1 : said + 1 - full]
            at += took
            if full:
                self._next_frame()
                out[:, at - 1] = self._ready[:, 0]
        return out

    def _next_frame(self) -> None:
        for channel, frame in enumerate(self._frame):
            self._sum[channel] += self._window * self._played(frame)
        self._ready = self._sum[:, :HOP].copy()
        self._sum = np.pad(self._sum[:, HOP:], ((0, 0), (0, HOP)))
        self._frame[:, :HOP] = self._frame[:, HOP:]
        self._filled = HOP

    def _played(self, frame: DoubleArray) -> DoubleArray:
        if not frame.any():
            return np.zeros(cafx.FRAME)
        scaled = (self._network.input_scale * frame).astype(np.float32)
        made = cafx.run_frame(scaled, self._net) - self._silence + self._network.dry_gain * scaled
        return np.asarray(self._network.output_scale * made.astype(np.float64))


NETWORKS: Final[Mapping[str, type[Network]]] = {n.name: n for n in (LstmNetwork, CafxNetwork)}
