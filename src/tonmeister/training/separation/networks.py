"""The networks of the papers as lists of layers: what they are made of, and how many weights that is.

    deep_karaoke   20 frames -> s(W1 u + b1 - 6) -> s(W2 h + b2)                    (Simpson et al., 2015)
    web_remix      one frame -> s(W1 u + b1) -> W2 h + b2, one net per instrument    (Roma et al., WAC 2016)
    mask_network   some frames -> three rectified layers -> s(W h + b)               (Grais et al., 2016)
    mask_combiner  masks of several networks -> one rectified layer -> W h + b      (after Grais et al., 2016)
    fully_convolutional   15 frames -> six convolutions, each rectified             (Grais & Plumbley, 2017)

Nothing here is allocated: the paper's Deep Karaoke has 840 million weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "FCN_PAPER",
    "FCN_SMALL",
    "Activation",
    "Convolution",
    "Dense",
    "Layer",
    "Layers",
    "deep_karaoke",
    "fully_convolutional",
    "mask_combiner",
    "mask_network",
    "weight_count",
    "web_remix",
]

Activation = Literal["linear", "relu", "sigmoid"]
PAPER_BIAS: Final = 6.0
"""How far the first layer's sigmoid is shifted: arXiv:1502.04042, arXiv:1504.04658."""


@dataclass(frozen=True, slots=True)
class Dense:
    """activation(W x + b + shift), W of shape (outputs, inputs)."""

    inputs: int
    outputs: int
    activation: Activation
    shift: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.outputs, self.inputs)


@dataclass(frozen=True, slots=True)
class Convolution:
    """activation(W * x + b) over frames and bands, zeros around: W (outputs, inputs, frames, bands), both odd."""

    inputs: int
    outputs: int
    frames: int
    bands: int
    activation: Activation = "relu"
    shift: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.outputs, self.inputs, self.frames, self.bands)


Layer = Dense | Convolution
Layers = tuple[Layer, ...]

FCN_PAPER: Final = ((12, 15, 39), (22, 9, 19), (32, 5, 5), (22, 9, 19), (12, 15, 39), (1, 15, 1025))
"""(filters, frames, bins) of each layer; for 15 frames of 1025 bins."""
FCN_SMALL: Final = ((12, 7, 7), (22, 5, 5), (32, 3, 3), (22, 5, 5), (12, 7, 7), (1, 15, 33))
"""The same for 128 bands; ours."""


def deep_karaoke(bins: int, frames: int, hidden: int, bias: float = PAPER_BIAS) -> Layers:
    """A patch of frames in, the chance that the voice dominates out."""
    size = bins * frames
    return (Dense(size, hidden, "sigmoid", shift=-bias), Dense(hidden, size, "sigmoid"))


def web_remix(bins: int) -> Layers:
    """A frame in, the share of one instrument out."""
    return (Dense(bins, bins, "sigmoid"), Dense(bins, bins, "linear"))


def mask_network(inputs: int, outputs: int, hidden: int) -> Layers:
    """Some frames in, masks of the middle one out."""
    widths = (inputs, hidden, hidden, hidden)
    rectified = tuple(Dense(a, b, "relu") for a, b in itertools.pairwise(widths))
    return (*rectified, Dense(hidden, outputs, "sigmoid"))


def mask_combiner(frames: int, targets: int, sources: int, bands: int, hidden: int) -> Layers:
    """Masks of one source over some frames, the mixture and which source it is in, a correction per band out."""
    inputs = (frames * targets + 1) * bands + sources
    return (Dense(inputs, hidden, "relu"), Dense(hidden, bands, "linear"))


def fully_convolutional(filters: Sequence[tuple[int, int, int]]) -> Layers:
    """Magnitudes of a patch in, those of one source out."""
    inputs = (1, *(count for count, _, _ in filters))
    return tuple(Convolution(n, *filter_) for n, filter_ in zip(inputs, filters, strict=False))


def weight_count(layers: Layers) -> int:
    """Weights and biases."""
    total = 0
    for layer in layers:
        size = layer.outputs
        for length in layer.shape[1:]:
            size *= length
        total += size + layer.outputs
    return total
