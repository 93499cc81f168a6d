"""Songs whose human balance is known, in the layouts in which they come."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tonmeister.audio import AUDIO_SUFFIXES
from tonmeister.errors import BadInputError
from tonmeister.evaluation.balance_store import ScoreStore, digest, shared_source, song_digest
from tonmeister.evaluation.levels import Levels, measured_levels
from tonmeister.identification.identify import identified
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack
from tonmeister.unmixing import unmix

__all__ = ["Song", "load_song", "scrambled", "unmixed_levels"]


@dataclass(frozen=True)
class Song:
    """A song whose human balance is known."""

    name: str
    multitrack: Multitrack
    human: Levels
    kind: str
    """In words: where the human balance comes from."""


def load_song(
    folder: Path,
    *,
    scramble_db: float = 0.0,
    scramble_all: bool = True,
    seed: int = 0,
    store: ScoreStore | None = None,
) -> Song:
    """A song folder with a human reference.

    Three layouts: ``raw/`` beside ``post/`` (the same files before and after the human's console); ``raw/`` beside
    ``human_mix.*``, whose gains `unmix` finds; or a folder of stems whose plain sum is the human's mix, which needs
    `scramble_db`, the range of random gains that hide the answer. Without `scramble_all` raw tracks stay as they
    are. `store` keeps the human's levels. Raises `BadInputError` when no layout fits.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder: give the folder of a song")
    if (folder / "raw").is_dir() and (mixed := _mixed(folder)) is not None:
        raw = load_multitrack(folder / "raw")
        levels = (
            _post_levels(raw, mixed, folder, store) if mixed.is_dir() else unmixed_levels(raw, mixed, store)
        )
        hidden_db = scramble_db if scramble_all else 0.0
        kind = f"raw and {mixed.name}" + (f", scrambled ±{hidden_db:g} dB" if hidden_db > 0 else "")
        return Song(folder.name, scrambled(identified(raw), hidden_db, seed), levels, kind)
    stems = load_multitrack(folder)
    if scramble_db <= 0:
        raise BadInputError(
            f"{folder}: holds stems that carry the human's balance already, so faders up would be right: "
            "hide it with --scramble 12, or give a folder with raw/ and post/, or raw/ and human_mix.wav"
        )
    human = _human_levels(stems, store)
    return Song(
        folder.name,
        scrambled(identified(stems), scramble_db, seed),
        human,
        f"stems, scrambled ±{scramble_db:g} dB",
    )


def _human_levels(mixed: Multitrack, store: ScoreStore | None) -> Levels:
    key = store and digest(("levels", shared_source(), song_digest(mixed)))
    if store and key and (kept := store.get(key)):
        return Levels(kept["lufs"], kept["pan"])
    levels = measured_levels(mixed, {t.name: t.name for t in mixed.tracks})
    if store and key:
        store.put(key, dataclasses.asdict(levels))
    return levels


def _mixed(folder: Path) -> Path | None:
    """Where the human's balance is told: the folder ``post`` or, without it, the file ``human_mix``."""
    if (folder / "post").is_dir():
        return folder / "post"
    mixes = sorted(p for p in folder.glob("human_mix.*") if p.suffix.casefold() in AUDIO_SUFFIXES)
    return mixes[0] if mixes else None


def _post_levels(raw: Multitrack, folder: Path, song: Path, store: ScoreStore | None) -> Levels:
    post = load_multitrack(folder)
    paired, human = _paired(raw, post, song), _human_levels(post, store)
    lufs = {name: human.lufs[other] for name, other in paired.items()}
    return Levels(lufs, {name: human.pan[other] for name, other in paired.items()})


def unmixed_levels(raw: Multitrack, mix: Path, store: ScoreStore | None = None) -> Levels:
    """What the tracks measure, plus the gains that turn them into the mix."""
    found = unmix(raw, mix)
    if not found.recognized:
        raise BadInputError(f"{mix}: does not seem to be a mix of these tracks: {'; '.join(found.notes)}")
    plain = _human_levels(raw, store)
    lufs = {
        t.name: None if t.gain_db is None or (level := plain.lufs[t.name]) is None else level + t.gain_db
        for t in found.tracks
    }
    return Levels(lufs, {t.name: t.pan for t in found.tracks})


def _paired(raw: Multitrack, post: Multitrack, folder: Path) -> dict[str, str]:
    files = {t.file: t.name for t in post.tracks}
    if missing := [t.file for t in raw.tracks if t.file not in files]:
        raise BadInputError(f"{folder}/post has no {missing[0]!r}: raw/ and post/ must hold the same files")
    return {t.name: files[t.file] for t in raw.tracks}


def scrambled(multitrack: Multitrack, range_db: float, seed: int) -> Multitrack:
    """Every track at a random input gain, uniform within ±range_db."""
    if range_db <= 0:
        return multitrack
    gains = np.random.default_rng(seed).uniform(-range_db, range_db, len(multitrack.tracks))
    tracks = [
        dataclasses.replace(t, input_gain_db=t.input_gain_db + float(g))
        for t, g in zip(multitrack.tracks, gains, strict=True)
    ]
    return dataclasses.replace(multitrack, tracks=tuple(tracks))
