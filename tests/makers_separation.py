"""Small separators with random weights in the true format, and sounds for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tonmeister.model_files.store import save_model
from tonmeister.separation.base import Framing
from tonmeister.separation.front_end import FrontEnd
from tonmeister.separation.network_model import NetworkModel, open_network
from tonmeister.training.separation.cards import separator_card
from tonmeister.training.separation.modules import onnx_bytes, rounded
from tonmeister.training.separation.networks import (
    Layers,
    deep_karaoke,
    fully_convolutional,
    mask_combiner,
    mask_network,
    web_remix,
)
from tonmeister.training.separation.patches import Scaling
from tonmeister.training.separation.presets import PRESETS, Preset
from tonmeister.training.separation.stems import STEMS, SongSources
from tonmeister.units import FloatArray

RATE = 8000
LONG = Framing(RATE, "hann", 256, 256, 64)
BANDS = 12


def tiny_preset(network: str) -> Preset:
    """The small preset of a network with a short transform and few bands."""
    small = PRESETS[network, "small"]
    front_end = FrontEnd(LONG, LONG.bins if network == "web-remix" else BANDS)
    return dataclasses.replace(
        small, front_end=front_end, branches=_branches(network), frames=_frames(network)
    )


def _frames(network: str) -> int:
    return {"deep-remix": 6, "web-remix": 1, "ensemble": 3, "ensemble-combiner": 9, "fcn": 9}[network]


def _branches(network: str) -> tuple[Layers, ...]:
    if network == "deep-remix":
        return (deep_karaoke(BANDS, 6, 9),)
    if network == "web-remix":
        return (web_remix(LONG.bins),) * 3
    if network == "ensemble":
        return (mask_network(3 * BANDS, len(STEMS) * BANDS, 8),) * 4
    if network == "ensemble-combiner":
        return (mask_combiner(7, 4, len(STEMS), BANDS, 8),)
    return (fully_convolutional(((2, 3, 3), (1, 5, 5))),)


def random_weights(branches: tuple[Layers, ...], seed: int = 0) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    made = {}
    for b, layers in enumerate(branches):
        for n, layer in enumerate(layers):
            fan = np.prod(layer.shape[1:])
            made[f"b{b}.l{n}.weight"] = rng.normal(0, 1.5 / np.sqrt(fan), layer.shape).astype(np.float32)
            made[f"b{b}.l{n}.bias"] = rng.normal(0, 0.3, layer.outputs).astype(np.float32)
    return made


def tiny_network(network: str, folder: Path) -> NetworkModel:
    """A model file with random weights, opened; an ensemble beside what combines it."""
    preset = tiny_preset(network)
    if network == "ensemble-combiner":
        ensemble = folder / "ensemble.onnx"
        base = open_network(ensemble) if ensemble.exists() else tiny_network("ensemble", folder)
        named = {"ensemble": "ensemble", "ensemble_sha256": base.model.card.sha256}
        preset = dataclasses.replace(preset, settings=named)
    bands = preset.front_end.bands
    scaling = Scaling(preset.feature, np.full(bands, -6, np.float32), np.full(bands, 2, np.float32))
    calibration = {"slope": 1.3, "offset": -0.2} if network == "deep-remix" else None
    card = separator_card(
        preset, SongSources(songs=1), scaling, {"command": "by hand"}, calibration=calibration, metrics={}
    )
    path = folder / f"{network}.onnx"
    save_model(path, onnx_bytes(preset.branches, rounded(random_weights(preset.branches))), card)
    return open_network(path)


def music(seconds: float = 4.0, *, seed: int = 0, rate: int = RATE) -> FloatArray:
    """Tones that come and go, and noise: (2, frames)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate)) / rate
    sound = 0.02 * rng.standard_normal((2, len(time_s)))
    for hertz in (110.0, 261.6, 700.0, 1900.0):
        swell = 0.1 * (1 + np.sin(2 * np.pi * (0.5 + rng.random()) * time_s))
        sound += rng.uniform(0.2, 1.0, (2, 1)) * swell * np.sin(2 * np.pi * hertz * time_s)
    return sound.astype(np.float32)
