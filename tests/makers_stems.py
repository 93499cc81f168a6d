"""Stem models with known weights, and pairs whose processing is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from tonmeister.effects.stem_model import KIND, PORTS
from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.model_files.card import ModelCard
from tonmeister.model_files.store import save_model
from tonmeister.training.stems.networks import Layers, onnx_network
from tonmeister.units import FloatArray

RATE = 44_100


def stem_model(
    path: Path, layers: Layers, profile: str = "improved", *, group: str = "bass", **settings: object
) -> str:
    """A model file with these layers; its domain is everything."""
    given, made = PORTS[profile]
    everything = {name: [-1e6, 0.0, 1e6] for name in NAMES}
    card = ModelCard(
        name=path.stem, kind=KIND, summary="for a test", licence="MIT", format="onnx", created="2026-11-29",
        recipe={}, training_data=(), metrics={}, limits=(), inputs=(given,), outputs=(made,),
        settings={
            "profile": profile, "stage": "stem", "group": group, "feature_ranges": everything, **settings
        },
    )  # fmt: skip
    save_model(path, onnx_network(layers, profile), card, overwrite=True)
    return str(path)


def random_layers(seed: int = 0, hidden: int = 24, scale: float = 0.3) -> Layers:
    """A small improved network that moves its gains a good deal."""
    rng = np.random.default_rng(seed)
    sizes = (320, hidden, hidden, 64)
    return [
        (
            (rng.standard_normal((b, a)) * scale / np.sqrt(a)).astype(np.float32) * (4 if b == 64 else 1),
            rng.standard_normal(b).astype(np.float32) * 0.1,
        )
        for a, b in itertools.pairwise(sizes)
    ]


def constant_layers(gains_db: FloatArray | float) -> Layers:
    """A network that always says these gains."""
    bias = np.arctanh(np.broadcast_to(np.asarray(gains_db, np.float64) / 18.0, (64,)))
    return [(np.zeros((64, 320), np.float32), bias.astype(np.float32))]


def plucked(seconds: float = 3.0, seed: int = 0, hertz: float = 110.0) -> FloatArray:
    """Decaying tones with overtones, some loud and some soft: (frames,)."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE)
    out = np.zeros(frames)
    time_s = np.arange(frames) / RATE
    for start in np.arange(0.0, seconds, 0.4):
        level = 0.3 * 10 ** (rng.uniform(-14, 0) / 20)
        after = np.maximum(time_s - start, 0.0)
        tone = sum(np.sin(2 * np.pi * hertz * k * after) / k for k in range(1, 9))
        out += level * tone * np.exp(-4 * after) * (time_s >= start)
    return (out + 1e-4 * rng.standard_normal(frames)).astype(np.float32)
