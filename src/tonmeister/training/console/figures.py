"""How good a console predictor is on songs it has never met: levels beside the baselines, and whether its spreads hold.

The songs come from a stream of seeds of their own (`TEST_SEED`), their tracks spoiled and scrambled, their true levels
those behind the synthetic engineer's strips. Synthetic figures only: real mixes are another matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.engines.predict.measures import columns
from tonmeister.engines.predict.model import ConsoleModel
from tonmeister.engines.predict.outputs import CONTROLS, WANTED
from tonmeister.evaluation.balance import BalanceScore, evaluate_balance
from tonmeister.evaluation.levels import Levels, PlaceMeter
from tonmeister.evaluation.songs import Song, scrambled
from tonmeister.multitrack import Multitrack, Track
from tonmeister.training.console.learning import control_targets
from tonmeister.training.console.songs import SHORT_S, ConsoleSong, spoiled
from tonmeister.training.synthesis.randomness import song_seed
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, synthesize
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["ENGINES", "TEST_SEED", "balance_figures", "control_figures"]

TEST_SEED: Final = 900_000
"""Streams from here on are for tests alone."""
ENGINES: Final = ("predict", "textbook", "textbook+predict")
_SCRAMBLE_DB: Final = 12.0
_NINETY: Final = 1.645


def balance_figures(
    model: Path, count: int, midi: tuple[Path, ...], progress: Callable[[float], None]
) -> dict[str, dict[str, float]]:
    """Engine or baseline -> errors of levels and pans over `count` test songs."""
    songs = []
    for index in range(count):
        options = SynthesisOptions(duration_s=SHORT_S, midi=midi)
        song = synthesize(song_seed(TEST_SEED, index), options)
        if len(song.tracks) > 1:
            songs.append(_song(song, index))
        progress(0.5 * (index + 1) / count)
    done: list[str] = []

    def told(name: str, share: float) -> None:
        if share >= 1.0 and name not in done:
            done.append(name)
        progress(0.5 + 0.5 * len(done) / len(songs))

    own = {"predict": {"model": str(model)}}
    table = evaluate_balance(songs, ENGINES, options=own, progress=told)
    return {name: _figures(scores["all"]) for name, scores in table.items()}


def _figures(score: BalanceScore) -> dict[str, float]:
    return {
        "mae_lu": round(score.mae_lu, 2), "low_lu": round(score.interval_lu[0], 2),
        "high_lu": round(score.interval_lu[1], 2), "rank_correlation": round(score.rank_correlation, 3),
        "pan_mae": round(score.pan_mae, 3), "tracks": score.tracks,
    }  # fmt: skip


def _song(song: SynthesizedSong, index: int) -> Song:
    """Spoiled and scrambled tracks, and where the engineer's mix has them."""
    tracks = tuple(
        Track(
            t.name, audio=Audio(samples, song.sample_rate), instrument=t.instrument, role=t.role,
            confidence=t.confidence, evidence=t.evidence, group=t.group,
        )
        for t, samples in spoiled(song)
    )  # fmt: skip
    multitrack = Multitrack(song.title, tracks, song.sample_rate, tempo_bpm=song.tempo_bpm)
    human = _levels({t.name: t.processed for t in song.tracks}, song.sample_rate)
    name = f"test {index}"
    return Song(name, scrambled(multitrack, _SCRAMBLE_DB, TEST_SEED + index), human, "synthesized")


def _levels(outputs: dict[str, FloatArray], sample_rate: int) -> Levels:
    lufs: dict[str, float | None] = {}
    pans: dict[str, float | None] = {}
    for name, sound in outputs.items():
        meter = PlaceMeter(sample_rate)
        meter.update(sound)
        lufs[name], pans[name] = meter.lufs, meter.pan
    return Levels(lufs, pans)


def control_figures(model: ConsoleModel, songs: Iterable[ConsoleSong]) -> dict[str, Any]:
    """Per control: how far off, against the mean of all songs; and how often the truth lies where it is said to.

    ``explained`` is the share of the variance that the prediction takes away; ``within_1`` should be 0.683 and
    ``within_1.645`` 0.9.
    """
    errors, spreads, targets = ([] for _ in range(3))
    right: list[DoubleArray] = []
    for song in songs:
        mean, spread, wanted = _said(model, song)
        aim, there = control_targets(song)
        errors.append(aim - mean)
        spreads.append(spread)
        targets.append(aim)
        right.append(np.where(np.isfinite(there), (wanted > 0.5) == (there > 0.5), np.nan))
    return {
        **_per_control(np.concatenate(errors), np.concatenate(spreads), np.concatenate(targets)),
        **{name: {"right": round(float(np.nanmean(column)), 3)}
           for name, column in zip(WANTED, np.concatenate(right).T, strict=True)},
    }  # fmt: skip


def _said(model: ConsoleModel, song: ConsoleSong) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    found = model.model.run({"columns": columns(song.tracks)[:, model.inputs].astype(np.float32)})
    mean, spread, wanted = (np.asarray(found[k], np.float64) for k in ("mean", "spread", "wanted"))
    mean[:, 0] -= mean[:, 0].mean()
    return mean, spread, wanted


def _per_control(errors: DoubleArray, spreads: DoubleArray, targets: DoubleArray) -> dict[str, Any]:
    table = {}
    for i, name in enumerate(CONTROLS):
        known = np.isfinite(targets[:, i])
        if known.sum() < 2:
            continue
        error, spread, target = errors[known, i], spreads[known, i], targets[known, i]
        z = np.abs(error) / spread
        table[name] = {
            "mae": round(float(np.abs(error).mean()), 3),
            "mae_of_the_mean": round(float(np.abs(target - target.mean()).mean()), 3),
            "explained": round(1.0 - float(np.mean(error**2) / np.var(target)), 3),
            "within_1": round(float((z < 1.0).mean()), 3),
            "within_1.645": round(float((z < _NINETY).mean()), 3),
            "tracks": int(known.sum()),
        }
    return table
