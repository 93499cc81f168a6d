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
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.engines import load_engine
from tonmeister.errors import BadInputError
from tonmeister.evaluation.balance_store import (
    ScoreStore,
    digest,
    engine_digest,
    shared_source,
    song_digest,
)
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack, Track, TrackReader
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.render import BLOCK_FRAMES, BlockReader, render_blocks
from tonmeister.strip import MASTER
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "BASELINES",
    "BalanceScore",
    "HUMAN_SPREAD_LU",
    "Levels",
    "PlanMeters",
    "Song",
    "engine_levels",
    "evaluate_balance",
    "load_song",
    "measured_levels",
    "score",
]

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
class Levels:
    """Measured levels and positions of tracks in a mix; None where a track is silent."""

    lufs: Mapping[str, float | None]
    pan: Mapping[str, float | None]


@dataclass(frozen=True)
class Song:
    """A song whose human balance is known."""

    name: str
    multitrack: Multitrack
    human: Levels
    kind: str
    """In words: where the human balance comes from."""


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


def load_song(
    folder: Path,
    *,
    scramble_db: float = 0.0,
    scramble_all: bool = True,
    seed: int = 0,
    store: ScoreStore | None = None,
) -> Song:
    """A song folder with a human reference.

    Two layouts: ``raw/`` beside ``post/`` (the same files before and after the human's console), or a folder of
    stems whose plain sum is the human's mix; the latter needs `scramble_db`, the range of random gains that
    hide the answer. Without `scramble_all` raw tracks stay as they are. `store` keeps the human's levels.
    Raises `BadInputError` when neither layout fits.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder: give the folder of a song")
    if (folder / "raw").is_dir() and (folder / "post").is_dir():
        raw, post = load_multitrack(folder / "raw"), load_multitrack(folder / "post")
        paired = _paired(raw, post, folder)
        human = _human_levels(post, store)
        levels = Levels(
            {r: human.lufs[p] for r, p in paired.items()}, {r: human.pan[p] for r, p in paired.items()}
        )
        hidden_db = scramble_db if scramble_all else 0.0
        kind = "raw and post" + (f", scrambled ±{hidden_db:g} dB" if hidden_db > 0 else "")
        return Song(folder.name, _scrambled(raw, hidden_db, seed), levels, kind)
    stems = load_multitrack(folder)
    if scramble_db <= 0:
        raise BadInputError(
            f"{folder}: holds stems that carry the human's balance already, so faders up would be right: "
            "hide it with --scramble 12, or give a folder with raw/ and post/"
        )
    human = _human_levels(stems, store)
    return Song(
        folder.name, _scrambled(stems, scramble_db, seed), human, f"stems, scrambled ±{scramble_db:g} dB"
    )


def _human_levels(mixed: Multitrack, store: ScoreStore | None) -> Levels:
    key = store and digest(("levels", shared_source(), song_digest(mixed)))
    if store and key and (kept := store.get(key)):
        return Levels(kept["lufs"], kept["pan"])
    levels = measured_levels(mixed, {t.name: t.name for t in mixed.tracks})
    if store and key:
        store.put(key, dataclasses.asdict(levels))
    return levels


def _paired(raw: Multitrack, post: Multitrack, folder: Path) -> dict[str, str]:
    files = {t.file: t.name for t in post.tracks}
    if missing := [t.file for t in raw.tracks if t.file not in files]:
        raise BadInputError(f"{folder}/post has no {missing[0]!r}: raw/ and post/ must hold the same files")
    return {t.name: files[t.file] for t in raw.tracks}


def _scrambled(multitrack: Multitrack, range_db: float, seed: int) -> Multitrack:
    """Every track at a random input gain, uniform within ±range_db."""
    if range_db <= 0:
        return multitrack
    gains = np.random.default_rng(seed).uniform(-range_db, range_db, len(multitrack.tracks))
    tracks = [
        dataclasses.replace(t, input_gain_db=float(g)) for t, g in zip(multitrack.tracks, gains, strict=True)
    ]
    return dataclasses.replace(multitrack, tracks=tuple(tracks))


def measured_levels(multitrack: Multitrack, names: Mapping[str, str]) -> Levels:
    """Levels of tracks as they are, each as it sounds on a stereo bus."""

    def one(name: str) -> tuple[float | None, float | None]:
        meter = _PlaceMeter(multitrack.sample_rate)
        for block in multitrack[name].blocks(multitrack.sample_rate, BLOCK_FRAMES):
            meter.update(block if block.shape[0] == 2 else np.repeat(block, 2, axis=0))
        return meter.lufs, meter.pan

    with ThreadPoolExecutor() as pool:
        found = dict(zip(names, pool.map(one, names.values()), strict=True))
    return Levels({n: v[0] for n, v in found.items()}, {n: v[1] for n, v in found.items()})


class _PlaceMeter:
    """Loudness and left-right position of a stereo signal."""

    def __init__(self, sample_rate: int) -> None:
        self._loudness = LoudnessMeter(sample_rate, 2)

    def update(self, block: FloatArray) -> None:
        self._loudness.meter.update(np.ascontiguousarray(block, np.float32))  # without the true peak

    @property
    def lufs(self) -> float | None:
        return self._loudness.integrated_lufs

    @property
    def pan(self) -> float | None:
        left, right = self._loudness.meter.cells()[:, :, 1].sum(0)
        total = left + right
        return float(2 / math.pi * np.arcsin(np.clip((right - left) / total, -1, 1))) if total > 0 else None


def engine_levels(
    multitrack: Multitrack, plans: Mapping[str, MixPlan], *, progress: Callable[[float], None] | None = None
) -> dict[str, Levels]:
    """What each plan makes of each track's level and position; the audio is read once for all plans.

    A track on a bus gets the bus's change of loudness (fader, effects) added to its own.
    """
    meters = {name: PlanMeters(plan) for name, plan in plans.items()}
    with ExitStack() as stack:
        shared = {
            t.name: stack.enter_context(_Shared(t, multitrack.sample_rate, len(plans)))
            for t in multitrack.tracks
        }
        renders = [
            stack.enter_context(
                closing(
                    render_blocks(multitrack, plan, taps=meters[name].take, open_track=_opener(shared, index))
                )
            )
            for index, (name, plan) in enumerate(plans.items())
        ]
        done = 0
        for blocks in zip(*renders, strict=True):
            done += blocks[0].shape[1]
            if progress:
                progress(done / multitrack.frames)
    return {name: meter.levels(multitrack.names) for name, meter in meters.items()}


def _opener(
    shared: Mapping[str, _Shared], index: int
) -> Callable[[Track], AbstractContextManager[BlockReader]]:
    @contextmanager
    def open_track(track: Track) -> Iterator[BlockReader]:
        yield _View(shared[track.name], index)

    return open_track


class _Shared:
    """One reader for several renders that advance about together: each block is decoded once.

    Renders read ahead on threads of their own, all in blocks of one length; a block is kept until the last of
    them has taken it.
    """

    def __init__(self, track: Track, sample_rate: int, readers: int) -> None:
        self._reader: TrackReader = track.open(sample_rate)
        self._next = [0] * readers
        self._decoded = 0
        self._blocks: dict[int, FloatArray] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> _Shared:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._reader.close()

    def read(self, index: int, frames: int) -> FloatArray:
        with self._lock:
            number = self._next[index]
            self._next[index] += 1
            if number == self._decoded:
                self._blocks[number] = self._reader.read(frames)
                self._decoded += 1
            block = self._blocks[number]
            if number < min(self._next):
                del self._blocks[number]
        return block.copy()


@dataclass(frozen=True, slots=True)
class _View:
    shared: _Shared
    index: int

    def read(self, frames: int) -> FloatArray:
        return self.shared.read(self.index, frames)


class PlanMeters:
    """Meters behind every strip of a plan, and on what enters every bus."""

    def __init__(self, plan: MixPlan) -> None:
        self._plan = plan
        self._out = {s.name: _PlaceMeter(plan.sample_rate) for s in plan.strips if s.name != MASTER}
        self._fed = {s.output for s in plan.strips if s.output not in ("", MASTER)}
        self._in = {name: _PlaceMeter(plan.sample_rate) for name in self._fed}
        self._sums: dict[str, DoubleArray] = {}

    def take(self, name: str, block: FloatArray) -> None:
        if name == MASTER:
            return
        self._out[name].update(block)
        if name in self._sums:
            self._in[name].update(self._sums.pop(name).astype(np.float32))
        bus = self._plan[name].output
        if bus in self._fed:
            held = self._sums.get(bus)
            if held is None or held.shape != block.shape:
                held = np.zeros(block.shape)
            self._sums[bus] = held + block

    def levels(self, tracks: Sequence[str]) -> Levels:
        lufs = {name: self._in_the_mix(name) for name in tracks}
        return Levels(lufs, {name: self._out[name].pan for name in tracks})

    def strip_lufs(self, tracks: Sequence[str]) -> dict[str, float | None]:
        """Loudness behind each track's own strip, before its bus."""
        return {name: self._out[name].lufs for name in tracks}

    def _in_the_mix(self, name: str) -> float | None:
        level = self._out[name].lufs
        bus = self._plan[name].output
        while level is not None and bus in self._fed:
            entering, leaving = self._in[bus].lufs, self._out[bus].lufs
            if entering is None or leaving is None:
                return None
            level += leaving - entering
            bus = self._plan[bus].output
        return level


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
    features = analyze(song.multitrack)
    records = [TrackRecord(t.name, t.file, t.instrument, t.role) for t in song.multitrack.tracks]
    plans = {
        name: MixPlan.of(
            [
                decision
                for part in name.split("+")
                for decision in load_engine(part, options.get(part), seed=seed).decide(
                    song.multitrack, features
                )
            ],
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
