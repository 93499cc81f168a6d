"""How each network hears, is built and learns: the papers' way (`paper`) and ways that fit a small machine.

Sources: Simpson et al., arXiv:1504.04658 and the code released with it; Roma et al., Web Audio Conference 2016, and its
code; Grais et al., AES 140 (2016); Grais & Plumbley (2017). Where a paper is silent the choice is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tonmeister.errors import BadInputError, nearest
from tonmeister.separation.base import Framing
from tonmeister.separation.front_end import FrontEnd
from tonmeister.training.separation.networks import (
    FCN_PAPER,
    FCN_SMALL,
    Layers,
    deep_karaoke,
    fully_convolutional,
    mask_combiner,
    mask_network,
    web_remix,
)
from tonmeister.training.separation.stems import RATE_HZ, STEMS

__all__ = ["NETWORKS", "PRESETS", "TARGETS", "Learning", "Preset", "preset"]

Feature = Literal["log", "magnitude", "relative"]
Network = Literal["deep-remix", "web-remix", "ensemble", "ensemble-combiner", "fcn"]
NETWORKS: Final = ("deep-remix", "web-remix", "ensemble", "ensemble-combiner", "fcn")

_LONG: Final = Framing(RATE_HZ, "hann", 2048, 2048, 512)
_SHORT: Final = Framing(RATE_HZ, "hann", 1024, 1024, 512)
TARGETS: Final = ("binary", "ratio", "signal", "discriminative")
"""What the four nets of an ensemble are taught to give."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How fast, how long and towards what."""

    loss: str
    """``binary-mse`` (paper), ``binary-bce`` (weighted), ``ratio`` (weighted or not), ``four-masks``, ``combined`` or
    ``magnitude``."""
    optimizer: Literal["sgd", "adam", "adadelta"] = "adam"
    rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 1e-5
    batch: int = 100
    sweeps: int = 20
    patches: int = 15_000
    """In a sweep."""
    patience: int = 10
    """Sweeps without a better validation loss before it stops; the rate is halved after 4."""
    gain_db: float = 15.0
    """Each patch is heard up to that much louder or softer."""
    remixed: float = 0.75
    """Share of patches whose stems come from different places."""
    hidden: float = 0.2
    """Share of the features that is hidden from the network at a time."""
    energy_power: float = 0.3
    """Errors weigh by the mixture's energy to this power; 0: all alike."""


@dataclass(frozen=True)
class Preset:
    """One way to make one network."""

    network: Network
    name: str
    front_end: FrontEnd
    frames: int
    """Of a patch."""
    branches: tuple[Layers, ...]
    tracks: tuple[str, ...]
    feature: Feature
    learning: Learning
    wide: bool = False
    """Whether the first weights are drawn as the paper's library does."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What the estimator needs to know besides."""


def _deep_remix(name: str, bands: int, hidden: int, feature: Feature, learning: Learning) -> Preset:
    return Preset(
        "deep-remix", name, FrontEnd(_LONG, bands), 20, (deep_karaoke(bands, 20, hidden),),
        ("vocals", "accompaniment"), feature, learning, wide=feature == "magnitude",
    )  # fmt: skip


def _web_remix(name: str, feature: Feature, learning: Learning) -> Preset:
    tracks = ("drums", "bass", "vocals")
    return Preset(
        "web-remix", name, FrontEnd(_SHORT, _SHORT.bins), 1, (web_remix(_SHORT.bins),) * len(tracks),
        tracks, feature, learning, settings={"threshold": 0.2, "smoothing_frames": 20},
    )  # fmt: skip


def _ensemble(
    name: str,
    front_end: FrontEnd,
    frames: int,
    hidden: int,
    joint: bool,
    feature: Feature,
    learning: Learning,
) -> Preset:
    """One net per target, `joint` for all sources at once, else one per source; targets before sources."""
    sources = len(STEMS) if joint else 1
    net = mask_network(front_end.bands * frames, sources * front_end.bands, hidden)
    return Preset(
        "ensemble", name, front_end, frames, (net,) * (len(TARGETS) * len(STEMS) // sources), STEMS, feature,
        learning, settings={"targets": list(TARGETS)},
    )  # fmt: skip


def _combiner(
    name: str, front_end: FrontEnd, frames: int, masks: int, hidden: int, learning: Learning
) -> Preset:
    """For an ensemble of patches of `frames` frames: `masks` frames of its masks are combined."""
    net = mask_combiner(masks, len(TARGETS), len(STEMS), front_end.bands, hidden)
    return Preset("ensemble-combiner", name, front_end, frames + masks - 1, (net,), STEMS, "log", learning)


def _fcn(
    name: str, bands: int, filters: tuple[tuple[int, int, int], ...], feature: Feature, learning: Learning
) -> Preset:
    return Preset(
        "fcn", name, FrontEnd(_LONG, bands), 15, (fully_convolutional(filters),), ("vocals",), feature, learning
    )  # fmt: skip


def _as_published(learning: Learning) -> Learning:
    """Without anything that we add."""
    return replace(learning, gain_db=0.0, remixed=0.0, hidden=0.0, energy_power=0.0)


_ALL: Final = (
    _deep_remix(
        "paper", 1025, 20_500, "magnitude",
        _as_published(Learning("binary-mse", "sgd", 0.1, 0.5, 0.0, sweeps=100, patience=100)),
    ),
    _deep_remix("small", 96, 1024, "log", Learning("binary-bce")),
    _deep_remix("medium", 128, 2048, "log", Learning("binary-bce", sweeps=100)),
    _web_remix(
        "paper", "magnitude",
        _as_published(Learning("ratio", "adadelta", 1.0, 0.0, 1e-3, 200, 10, 90_000, 10)),
    ),
    _web_remix("small", "log", Learning("ratio", batch=200, sweeps=10, patches=60_000)),
    _ensemble(
        "paper", FrontEnd(_LONG, 1025), 1, 1025, False, "magnitude",
        _as_published(Learning("four-masks", sweeps=25, patches=300_000)),
    ),
    _ensemble("small", FrontEnd(_LONG, 256), 5, 512, True, "log", Learning("four-masks", sweeps=10, patches=60_000)),
    _combiner("small", FrontEnd(_LONG, 256), 5, 7, 512, Learning("combined", sweeps=12, patches=12_000, hidden=0.0)),
    _fcn("paper", 1025, FCN_PAPER, "magnitude", _as_published(Learning("magnitude", rate=1e-4, sweeps=25))),
    _fcn("small", 128, FCN_SMALL, "relative", Learning("magnitude", sweeps=25, patches=4_000)),
)  # fmt: skip

PRESETS: Final[Mapping[tuple[str, str], Preset]] = {(p.network, p.name): p for p in _ALL}
"""(network, preset) -> how it is made."""


def preset(network: str, name: str) -> Preset:
    """The preset of a network; raises `BadInputError` with those there are."""
    if network not in NETWORKS:
        raise BadInputError(
            f"network={network!r} is not known{nearest(network, list(NETWORKS))}: {', '.join(NETWORKS)}"
        )
    if (network, name) not in PRESETS:
        there = ", ".join(n for of, n in PRESETS if of == network)
        raise BadInputError(f"preset={name!r} is not one of {network}: give one of {there}")
    return PRESETS[network, name]
