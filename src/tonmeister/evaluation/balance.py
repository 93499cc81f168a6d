"""Balance: how far an engine's track levels are from a person's, on songs with a human mix.

Conventions
-----------
A level is the integrated loudness (ITU-R BS.1770-4, gated, so: while active) of one track as it stands in the
mix, behind its fader, pan and bus. Only differences between tracks mean anything, so the mean error over the
tracks of a song is removed ("offset removed"). Errors are estimate minus reference, in LU.

Metrics
-------
* mean absolute error and root mean square error of the relative levels, LU (0 is perfect);
* Spearman's rank correlation of the levels (1 is perfect);
* mean absolute pan error (0 is perfect; pan from the measured energy ratio, p = 2/pi * asin((R-L)/(R+L))).

Intervals are 95 % bootstrap percentiles over the tracks of all songs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.engines.base import decide_in_turn
from tonmeister.errors import BadInputError
from tonmeister.evaluation.balance_store import (
    ScoreStore,
    digest,
    engine_digest,
    song_digest,
)
from tonmeister.evaluation.levels import Levels, engine_levels
from tonmeister.evaluation.songs import Song
from tonmeister.hearing import TrackEar
from tonmeister.identification.identify import settled
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.units import DoubleArray

__all__ = ["BASELINES", "HUMAN_SPREAD_LU", "BalanceScore", "evaluate_balance", "score"]

BASELINES: Final = ("sum", "loudness", "adaptive", "random")
HUMAN_SPREAD_LU: Final = "±2.5 (drum bus) to ±4 (bass between songs)"
"""Human against human: spread of level targets between engineers and songs.

De Man, Leonard, King & Reiss, ISMIR 2014 (late-breaking); De Man & Reiss, DAFx-17, figure 4.
"""
_RANDOM_CONSOLES: Final = 10
_RANDOM_RANGE_DB: Final = 12.0
_BOOTSTRAP: Final = 2000
_DRAW: Final = ", console "
"""Between a track and the number of the random console."""


@dataclass(frozen=True)
class BalanceScore:
    """One engine on one or several songs."""

    mae_lu: float
    rms_lu: float
    rank_correlation: float
    pan_mae: float
    tracks: int
    interval_lu: tuple[float, float] = (math.nan, math.nan)
    errors_lu: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a correlation that does not exist is null."""
        data = dataclasses.asdict(self)
        data["interval_lu"] = [_finite(v) for v in self.interval_lu]
        return {k: _finite(v) if isinstance(v, float) else v for k, v in data.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BalanceScore:
        """What `to_dict` made."""
        low, high = (math.nan if v is None else float(v) for v in data["interval_lu"])
        return cls(
            mae_lu=data["mae_lu"],
            rms_lu=data["rms_lu"],
            rank_correlation=math.nan if data["rank_correlation"] is None else data["rank_correlation"],
            pan_mae=data["pan_mae"],
            tracks=data["tracks"],
            interval_lu=(low, high),
            errors_lu=data["errors_lu"],
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def score(reference: Levels, estimate: Levels, *, seed: int = 0) -> BalanceScore:
    """Compare the levels an engine gives with a person's; tracks silent in either are left out."""
    names = [n for n, v in reference.lufs.items() if v is not None and estimate.lufs.get(n) is not None]
    if len(names) < 2:
        raise BadInputError(f"{len(names)} audible tracks in common: a balance needs two")
    wanted = np.array([reference.lufs[n] for n in names], dtype=float)
    given = np.array([estimate.lufs[n] for n in names], dtype=float)
    errors = given - wanted
    errors -= errors.mean()
    pans = [abs(_place(estimate, n) - _place(reference, n)) for n in names]
    return _score_of(
        dict(zip(names, errors.tolist(), strict=True)),
        _rank_correlation(wanted, given),
        float(np.mean(pans)),
        seed,
    )


def _place(levels: Levels, name: str) -> float:
    return levels.pan.get(name) or 0.0


def _score_of(errors_lu: Mapping[str, float], rank: float, pan_mae: float, seed: int) -> BalanceScore:
    values = np.array(list(errors_lu.values()))
    return BalanceScore(
        mae_lu=float(np.abs(values).mean()),
        rms_lu=float(np.sqrt(np.mean(values**2))),
        rank_correlation=rank,
        pan_mae=pan_mae,
        tracks=len(values),
        interval_lu=_bootstrap(_by_track(errors_lu), seed),
        errors_lu=errors_lu,
    )


def _by_track(errors_lu: Mapping[str, float]) -> DoubleArray:
    """Mean magnitude per track: several random consoles of one track are not independent."""
    tracks: dict[str, list[float]] = {}
    for name, error in errors_lu.items():
        tracks.setdefault(name.split(_DRAW)[0], []).append(abs(error))
    return np.array([np.mean(values) for values in tracks.values()])


def _rank_correlation(a: DoubleArray, b: DoubleArray) -> float:
    """Spearman's rho: Pearson's correlation of the ranks, ties sharing their mean rank."""
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    spread = float(np.std(ranks_a) * np.std(ranks_b))
    return (
        float(np.mean((ranks_a - ranks_a.mean()) * (ranks_b - ranks_b.mean())) / spread)
        if spread > 0
        else math.nan
    )


def _ranks(values: DoubleArray) -> DoubleArray:
    below = (values[:, None] > values[None, :]).sum(axis=1)
    same = (values[:, None] == values[None, :]).sum(axis=1)
    return np.asarray(below + (same - 1) / 2.0)


def _bootstrap(values: DoubleArray, seed: int) -> tuple[float, float]:
    draws = np.random.default_rng(seed).integers(0, len(values), (_BOOTSTRAP, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def evaluate_balance(
    songs: Sequence[Song],
    engines: Sequence[str],
    *,
    options: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
    store: ScoreStore | None = None,
) -> dict[str, dict[str, BalanceScore]]:
    """Scores by engine, then by song name; the row ``all`` pools the tracks of all songs.

    The baselines are always there, whatever is asked for. ``random`` is the mean over ten random consoles.
    What `store` holds already is not computed again.
    """
    names = tuple(dict.fromkeys((*engines, *BASELINES)))
    if doubled := [s.name for s in songs if [o.name for o in songs].count(s.name) > 1]:
        raise BadInputError(f"two songs are called {doubled[0]!r}: rename one of the folders")
    table: dict[str, dict[str, BalanceScore]] = {name: {} for name in names}
    for song in songs:
        told = (lambda done, name=song.name: progress(name, done)) if progress else None
        for name, result in _kept_or_scored(song, names, options or {}, seed, told, store).items():
            table[name][song.name] = result
    for scores in table.values():
        scores["all"] = _pooled(scores, seed)
    return table


def _kept_or_scored(
    song: Song,
    names: Sequence[str],
    options: Mapping[str, Mapping[str, str]],
    seed: int,
    progress: Callable[[float], None] | None,
    store: ScoreStore | None,
) -> dict[str, BalanceScore]:
    if store is None:
        return _song_scores(song, names, options, seed, progress)
    sound = (song_digest(song.multitrack), repr(sorted(song.human.lufs.items())), repr(song.human.pan))
    keys = {name: digest((*sound, engine_digest(name, options, seed))) for name in names}
    kept = {name: BalanceScore.from_dict(data) for name in names if (data := store.get(keys[name]))}
    missing = [name for name in names if name not in kept]
    if missing:
        needed = dict.fromkeys((*missing, "sum") if "random" in missing else missing)
        for name, result in _song_scores(song, tuple(needed), options, seed, progress).items():
            kept[name] = result
            store.put(keys[name], result.to_dict())
    if progress:
        progress(1.0)
    return {name: kept[name] for name in names}


def _song_scores(
    song: Song,
    names: Sequence[str],
    options: Mapping[str, Mapping[str, str]],
    seed: int,
    progress: Callable[[float], None] | None,
) -> dict[str, BalanceScore]:
    multitrack, features = settled(song.multitrack, analyze(song.multitrack))
    song = dataclasses.replace(song, multitrack=multitrack)
    ear = TrackEar(multitrack, features)
    records = [TrackRecord(t.name, t.file, t.instrument, t.role) for t in song.multitrack.tracks]
    plans = {
        name: MixPlan.of(
            decide_in_turn(name.split("+"), options, song.multitrack, features, seed=seed, ear=ear)[0],
            title=song.name,
            sample_rate=song.multitrack.sample_rate,
            tracks=records,
        )
        for name in names
        if name != "random"
    }
    levels = engine_levels(song.multitrack, plans, progress=progress)
    scores = {name: score(song.human, levels[name], seed=seed) for name in plans}
    if "random" in names:
        scores["random"] = _random_score(song, levels["sum"], seed)
    return scores


def _random_score(song: Song, faders_up: Levels, seed: int) -> BalanceScore:
    """Mean over random consoles: faders uniform within ±12 dB, pans uniform from left to right."""
    random = np.random.default_rng(seed)
    drawn = [score(song.human, _random_levels(faders_up, random)) for _ in range(_RANDOM_CONSOLES)]
    errors = {
        f"{name}{_DRAW}{number}": error
        for number, one in enumerate(drawn)
        for name, error in one.errors_lu.items()
    }
    ranks, pans = [d.rank_correlation for d in drawn], [d.pan_mae for d in drawn]
    return dataclasses.replace(
        _score_of(errors, float(np.mean(ranks)), float(np.mean(pans)), seed), tracks=drawn[0].tracks
    )


def _random_levels(levels: Levels, random: np.random.Generator) -> Levels:
    lufs = {
        n: None if v is None else v + float(random.uniform(-_RANDOM_RANGE_DB, _RANDOM_RANGE_DB))
        for n, v in levels.lufs.items()
    }
    return Levels(lufs, {n: float(random.uniform(-1, 1)) for n in levels.pan})


def _pooled(scores: Mapping[str, BalanceScore], seed: int) -> BalanceScore:
    """All tracks of all songs together; rank correlation and pan error are means over songs."""
    errors = {f"{song}/{name}": e for song, s in scores.items() for name, e in s.errors_lu.items()}
    ranks = [s.rank_correlation for s in scores.values() if math.isfinite(s.rank_correlation)]
    pooled = _score_of(
        errors,
        float(np.mean(ranks)) if ranks else math.nan,
        float(np.mean([s.pan_mae for s in scores.values()])),
        seed,
    )
    return dataclasses.replace(pooled, tracks=sum(s.tracks for s in scores.values()))
