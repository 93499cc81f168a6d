"""Learning the bases of the separator `nmf`: patches of each stem, factorized.

W and H by the multiplicative updates of Lee & Seung (NIPS 2000) for the Kullback-Leibler divergence::

    H <- H * W^T (V / (W H)) / sum_rows W,   W <- W * (V / (W H)) H^T / sum_columns H

with the columns of W brought to a sum of 1 after every round.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.dsp.stft import Stft
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.separation.nmf import FRONT_END, KIND, activations, patches
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.separation.stems import STEMS, SongSources, StemSong, as_floats, stem_songs
from tonmeister.training.synthesis.soundfonts import find_soundfonts
from tonmeister.units import FloatArray

__all__ = ["factorized", "learn_bases", "train_bases"]

BASES: Final = 64
"""Of each stem; as many as Simpson, Roma & Plumbley's baseline is given here (1500 in their paper)."""
ROUNDS: Final = 100
_PATCHES: Final = 3000
_LEVEL_DB: Final = -60.0
"""Patches this far below the stem's loudest are not learned from."""
_TINY: Final = np.float32(1e-12)

Progress = Callable[[str, float], None]


def train_bases(
    sources: SongSources, output: Path, *, seed: int, command: str, overwrite: bool, progress: Progress
) -> ModelCard:
    """Learn from songs and write ``output`` (.npz) with its card, which tells the `command` that makes it again."""
    songs = stem_songs(sources, lambda done: progress("songs", done))
    bases = learn_bases(songs, seed, lambda done: progress("learning", done))
    weights = {name: found.astype(np.float16) for name, found in bases.items()}
    return save_model(output, weights, _card(sources, seed, command), overwrite=overwrite)


def learn_bases(songs: Sequence[StemSong], seed: int, told: Callable[[float], None]) -> dict[str, FloatArray]:
    """(bands * 20, 64) of each stem."""
    rng = np.random.default_rng(seed)
    bases: dict[str, FloatArray] = {}
    for number, stem in enumerate(STEMS):
        bases[stem] = factorized(_patches(songs, number, rng), BASES, rng, ROUNDS)
        told((number + 1) / len(STEMS))
    return bases


def _patches(songs: Sequence[StemSong], number: int, rng: np.random.Generator) -> FloatArray:
    """Columns drawn evenly from the sounding patches of all songs, each of sum 1."""
    each = max(_PATCHES // len(songs), 1) * 2
    drawn = [_drawn(as_floats(song[number]), each, rng) for song in songs]
    columns = np.concatenate(drawn, axis=1)
    chosen = rng.permutation(columns.shape[1])[:_PATCHES]
    return np.asarray(columns[:, chosen] / columns[:, chosen].sum(axis=0), np.float32)


def _drawn(sound: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    framing = FRONT_END.framing
    stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
    columns = patches(np.sqrt(FRONT_END.power(stft.forward(sound))))
    level = columns.sum(axis=0)
    sounding = np.flatnonzero(level > level.max() * 10 ** (_LEVEL_DB / 20))
    return columns[:, rng.permutation(sounding)[:count]]


def factorized(columns: FloatArray, count: int, rng: np.random.Generator, rounds: int) -> FloatArray:
    """W (rows, count) whose columns sum to 1."""
    bases: FloatArray = rng.random((columns.shape[0], count), np.float32) + np.float32(0.1)
    bases /= bases.sum(axis=0)
    found = activations(bases, columns, rounds=1)
    for _ in range(rounds):
        found = found * (bases.T @ (columns / np.maximum(bases @ found, _TINY)))
        bases = bases * ((columns / np.maximum(bases @ found, _TINY)) @ found.T)
        bases /= np.maximum(bases.sum(axis=0), _TINY)
    return bases


def _card(sources: SongSources, seed: int, command: str) -> ModelCard:
    fonts = find_soundfonts() if sources.soundfonts is None else sources.soundfonts
    kits = sources.drumkits or ()
    return ModelCard(
        name="separation-bases",
        kind=KIND,
        summary="spectral patches that voices, drums, basses and other instruments are made of",
        licence="MIT",
        format="npz",
        created=datetime.date.today().isoformat(),
        recipe={
            "command": command,
            "seed": seed,
            "songs": sources.songs,
            "seconds_each": sources.duration_s,
            "midi": [path.name for path in sources.midi],
        },
        training_data=(
            TrainingData("tonmeister train synthesize", "MIT", "songs with a synthetic singer"),
            *(TrainingData(f.name, licence_of(f), "notes") for f in _midi_folders(sources)),
            *(TrainingData(p.name, licence_of(p), "instruments and drums, played from notes") for p in fonts),
            *(TrainingData(p.name, licence_of(p), "recorded strokes of drums and percussion") for p in kits),
        ),
        metrics={},
        limits=(
            "A baseline: bases of 64 patches cannot tell a voice from an instrument that sounds like one.",
            "Learned from synthesized songs alone; real recordings differ. Figures stand in the benchmark of separation.",
        ),
        settings={"tracks": list(STEMS)},
    )


def _midi_folders(sources: SongSources) -> list[Path]:
    return sorted({path if path.is_dir() else path.parent for path in sources.midi})
