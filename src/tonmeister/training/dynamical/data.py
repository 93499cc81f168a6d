"""Songs to learn from: band powers of every track before and behind the console, window by window, cached per song.

Three sources: synthesized songs, whose console is known; folders with ``raw/`` and ``post/`` (the same tracks as a
person mixed them); and tracks with a finished mix, whose gains `unmix` finds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.engines.dynamical.engine import equal_loudness_db, frames_of
from tonmeister.engines.dynamical.frames import active, column_names, group_powers, observations
from tonmeister.engines.dynamical.groups import SCHEMES, Scheme, grouped
from tonmeister.engines.dynamical.model import Normalization, SongScale, normalized
from tonmeister.engines.dynamical.state_space import StateSpace, smoothed
from tonmeister.errors import BadInputError
from tonmeister.features import FRAME_HOP_S, MultitrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.training.dynamical.learning import TrainingSong
from tonmeister.training.synthesis.songs import SynthesizedSong
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "SongFrames",
    "frames_behind_console",
    "frames_of_mix",
    "frames_of_synthesized",
    "scrambled",
    "training_song",
]

_MOST_BYTES: Final = 64 * 2**20
_WALK: Final = 0.03
"""Steps of a gain over the noise of its estimate, in power (notes on Scott et al. 2011, 4.3)."""
_LEAST_DB2: Final = 0.01


@dataclass(frozen=True, eq=False)
class SongFrames:
    """What learning needs of one song, and nothing audible."""

    title: str
    artist: str
    tracks: tuple[Track, ...]
    """Names, instruments and roles; no audio."""
    equal_lufs: Mapping[str, float]
    """Loudness of each track."""
    raw: Mapping[str, FloatArray]
    """Band powers as recorded, (windows, 30)."""
    mixed: Mapping[str, FloatArray]
    """Band powers as in the mix, (windows, 30)."""
    doubt: DoubleArray | None = None
    """How much less than usual the gains of a window are to be trusted (1: as usual); None where they are known."""
    source: str = ""
    """Where the song is from, for figures apart."""

    def save(self, path: Path) -> None:
        """To an npz file, complete or not at all."""
        words = np.array([[t.name, t.instrument, t.role] for t in self.tracks])
        arrays: dict[str, Any] = {"title": np.array([self.title, self.artist, self.source]), "words": words}
        arrays["lufs"] = np.array([self.equal_lufs[t.name] for t in self.tracks])
        arrays["doubt"] = np.zeros(0) if self.doubt is None else self.doubt
        for kind, frames in (("raw", self.raw), ("mixed", self.mixed)):
            arrays |= {f"{kind}{i}": frames[t.name] for i, t in enumerate(self.tracks)}
        partial = path.with_name(f".{path.name}.part-{os.getpid()}.npz")
        np.savez_compressed(partial, **arrays)
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> SongFrames:
        """From an npz file that `save` wrote."""
        if path.stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path}: larger than a song's frames can be: delete it")
        with np.load(path, allow_pickle=False) as file:
            title, artist, source = (str(word) for word in [*file["title"], ""][:3])
            tracks = tuple(Track(str(n), instrument=str(i), role=str(r)) for n, i, r in file["words"])
            raw = {t.name: file[f"raw{i}"] for i, t in enumerate(tracks)}
            mixed = {t.name: file[f"mixed{i}"] for i, t in enumerate(tracks)}
            lufs = {t.name: float(v) for t, v in zip(tracks, file["lufs"], strict=True)}
            doubt = file["doubt"] if len(file["doubt"]) else None
            return cls(title, artist, tracks, lufs, raw, mixed, doubt, source)


def frames_behind_console(
    raw: Multitrack, mixed: Multitrack, *, artist: str = "", source: str = ""
) -> SongFrames:
    """The same tracks before and behind a console, matched by name."""
    before = analyze(raw)
    after = before if mixed is raw else analyze(mixed)
    if missing := [name for name in raw.names if name not in after.tracks]:
        raise BadInputError(
            f"{mixed.title}: has no track {missing[0]!r}: both folders must hold the same files"
        )
    frames = {name: frames_of(after, name) for name in raw.names}
    return replace(_song(raw, before, frames, artist), source=source)


def frames_of_synthesized(song: SynthesizedSong) -> SongFrames:
    """A synthesized song; its true gains are those of its console."""
    from tonmeister.audio import Audio

    outputs = tuple(Track(t.name, audio=Audio(t.processed, song.sample_rate)) for t in song.tracks)
    mixed = Multitrack(song.title, outputs, song.sample_rate)
    return frames_behind_console(
        song.multitrack, mixed, artist=f"synthesized {song.seed}", source="synthesized"
    )


def frames_of_mix(multitrack: Multitrack, mix: Path, *, artist: str = "") -> SongFrames:
    """Tracks and their finished mix: gains over time by `unmix`, their doubt from its residual."""
    from tonmeister.unmixing import unmix

    features, found = analyze(multitrack), unmix(multitrack, mix)
    if not found.recognized:
        raise BadInputError(f"{mix}: does not seem to be a mix of these tracks: {'; '.join(found.notes)}")
    mixed = {}
    for name in multitrack.names:
        frames, curve = frames_of(features, name), found[name].curve_db
        known = np.isfinite(curve)
        gains = (
            np.interp(np.arange(len(frames)), np.flatnonzero(known), curve[known]) if known.any() else -60.0
        )
        mixed[name] = (frames * 10.0 ** (np.broadcast_to(gains, len(frames)) / 10.0)[:, None]).astype(
            np.float32
        )
    residual = np.where(np.isfinite(found.residual), found.residual, 1.0)
    doubt = residual / max(float(np.median(residual)), 1e-9)
    return _song(multitrack, features, mixed, artist, doubt)


def _song(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    mixed: Mapping[str, FloatArray],
    artist: str,
    doubt: DoubleArray | None = None,
) -> SongFrames:
    audible = [t for t in multitrack.tracks if not features[t.name].silent]
    if not audible:
        raise BadInputError(f"{multitrack.title}: every track is silent: there is nothing to learn from")
    return SongFrames(
        multitrack.title,
        artist,
        tuple(Track(t.name, instrument=t.instrument, role=t.role) for t in audible),
        {t.name: features[t.name].integrated_lufs or 0.0 for t in audible},
        {t.name: frames_of(features, t.name) for t in audible},
        {t.name: np.asarray(mixed[t.name], np.float32) for t in audible},
        doubt,
    )


@dataclass(frozen=True)
class _Loudness:
    integrated_lufs: float


def training_song(
    song: SongFrames, scheme: Scheme, columns: Sequence[str], normalization: Normalization = "song"
) -> TrainingSong:
    """Weights in dB re the loudness-normalized group (0 on average over the song and the group), and features; per window.

    What is learned is the ride; the groups' levels stand apart in `TrainingSong.levels`. Features are normalized per song,
    so that the offset of the song, the main enemy of the system, is gone (unless `normalization` is ``set``).
    """
    members = grouped(song.tracks, scheme)
    equal_db = equal_loudness_db(members, {n: _Loudness(v) for n, v in song.equal_lufs.items()})  # type: ignore[arg-type]
    powers = group_powers(song.raw, members, equal_db)
    heard = group_powers(song.mixed, members, {})
    windows = min(powers.shape[1], heard.shape[1])
    powers, heard = powers[:, :windows], heard[:, :windows]
    sounds = active(powers) & (heard.sum(-1).T > 1e-12)
    ratio = heard.sum(-1).T / np.maximum(powers.sum(-1).T, 1e-20)
    weights = np.where(sounds, 10.0 * np.log10(np.maximum(ratio, 1e-9)), np.nan)
    if song.doubt is not None:
        weights = _smoothed(weights, song.doubt[:windows])
    weights = weights - np.nanmean(weights) if np.isfinite(weights).any() else weights
    levels = _column_means(weights)
    groups = SCHEMES[scheme]
    features, papers = (observations(powers, groups, c) for c in (columns, column_names(groups)))
    return TrainingSong(
        song.title, weights - np.where(np.isfinite(levels), levels, 0.0),
        normalized(features, normalization, SongScale.of(features)), song.artist or song.title, levels,
        normalized(papers, normalization, SongScale.of(papers)), song.source,
    )  # fmt: skip


RIDE_MEMORY_S: Final = 10.0
RIDE_CALM_S: Final = 1.5
"""A hand is slow: what is quicker than this is smoothed away."""


def scrambled(song: SongFrames, scheme: Scheme, range_db: float, seed: int) -> SongFrames:
    """The song with every group of raw tracks ridden at random, so that the answer is the ride that undoes it.

    For mixes whose faders stand still and for stems that sum to the mix. The ride is noise with a memory of
    `RIDE_MEMORY_S`, half of `range_db` its standard deviation, kept within ±`range_db`, 0 on average; nobody's hand.
    """
    raw = dict(song.raw)
    for group, names in grouped(song.tracks, scheme).items():
        random = np.random.default_rng([seed, *song.title.encode(), *group.encode()])
        windows = max((len(raw[name]) for name in names), default=0)
        gain = 10.0 ** (_random_ride(windows, range_db, random) / 10.0)
        for name in names:
            raw[name] = (raw[name] * gain[: len(raw[name]), None]).astype(np.float32)
    return replace(song, raw=raw)


def _random_ride(windows: int, range_db: float, random: np.random.Generator) -> DoubleArray:
    if not windows:
        return np.zeros(0)
    keep = np.exp(-FRAME_HOP_S / RIDE_MEMORY_S)
    reach = round(RIDE_CALM_S / FRAME_HOP_S)
    value, walk = 0.0, np.empty(windows + 2 * reach)
    for t, step in enumerate(random.standard_normal(len(walk))):
        value = step if t == 0 else keep * value + np.sqrt(1.0 - keep * keep) * step
        walk[t] = value
    window = np.hanning(2 * reach + 3)[1:-1]
    ride = 0.5 * range_db * np.convolve(walk, window / window.sum(), mode="valid")
    return np.asarray(np.clip(ride - ride.mean(), -range_db, range_db))


def _column_means(values: DoubleArray) -> DoubleArray:
    """Means over the frames in which there is something; NaN where there never is."""
    counts = np.isfinite(values).sum(0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)


def _smoothed(weights: DoubleArray, doubt: DoubleArray) -> DoubleArray:
    """A random walk seen through noise, per group; missing stays missing."""
    out = weights.copy()
    for k in range(weights.shape[1]):
        z = weights[:, k]
        steps = np.diff(z)
        if not np.isfinite(steps).any():
            continue
        noise = max(float(np.nanvar(steps)) / 2.0, _LEAST_DB2)
        start = float(np.nanmean(z[np.isfinite(z)][:3]))
        walk = StateSpace(
            np.eye(1),
            np.eye(1),
            np.array([[_WALK * noise]]),
            np.array([[noise]]),
            np.array([start]),
            np.array([[25.0]]),
        )
        scale = np.interp(np.arange(len(z)), np.arange(len(doubt)), doubt) if len(doubt) else np.ones(len(z))
        path = smoothed(walk, z[:, None], noise * scale[:, None, None]).means[:, 0]
        out[:, k] = np.where(np.isfinite(z), path, np.nan)
    return out


def cached(key: str, folder: Path, make: Any) -> SongFrames:
    """The song of `key` from `folder`, made and kept there if it is new."""
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
    if path.is_file():
        return SongFrames.load(path)
    folder.mkdir(parents=True, exist_ok=True)
    song: SongFrames = make()
    song.save(path)
    return song


def enough(songs: Sequence[TrainingSong]) -> None:
    """Raise `BadInputError` unless there are two songs with sound in tracks and mix, so that one can be left out."""
    if silent := [s.title for s in songs if not np.isfinite(s.weights).any()]:
        raise BadInputError(f"{silent[0]}: no track is heard in the mix: leave this song out")
    titles = [s.title for s in songs]
    if twice := [t for t in titles if titles.count(t) > 1]:
        raise BadInputError(f"{twice[0]}: two songs have this name: give one another, or leave it out")
    artists = {s.artist or s.title for s in songs}
    if len(artists) < 2:
        of = f" by one artist ({artists.pop()})" if len(songs) > 1 else ""
        raise BadInputError(
            f"songs={len(songs)}{of} are too few: to test what is learned, one artist's must be left out: give more"
        )
