"""Songs as four stems, vocals, drums, bass and other: synthesized, or read from datasets on disk.

A synthesized song is heard behind the console of the synthetic engineer, so its stems add up to a finished mix. Stems
are kept with 16 bits: one array of shape (stems, 2, frames) per song, in a folder when there is one for them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.datasets.base import DatasetSong, open_dataset
from tonmeister.datasets.four_stems import STEMS
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Track
from tonmeister.training.separation.melodies import sung_melody
from tonmeister.training.synthesis.randomness import song_seed
from tonmeister.training.synthesis.songs import SynthesisOptions, synthesize
from tonmeister.training.synthesis.voices import find_voices
from tonmeister.units import FloatArray
from tonmeister.vocabulary import is_a

__all__ = ["RATE_HZ", "STEMS", "SongSources", "StemSong", "as_floats", "stem_of", "stem_songs", "voice_songs"]

RATE_HZ: Final = 44_100
_LONGEST_S: Final = 60.0
"""Of a song on disk, that much from its middle is used."""
_MELODY_S: Final = 8.0
_PEAK: Final = 0.9
_PITCHED_PERCUSSION: Final = ("mallets", "timpani")

StemSong = NDArray[np.int16]
"""(stems in the order of `STEMS`, 2, frames); full scale is 32767."""
Told = Callable[[float], None]


@dataclass(frozen=True)
class SongSources:
    """What mixtures are made from."""

    songs: int = 200
    """How many are synthesized; those of seeds from 900 000 on are for evaluation."""
    seed: int = 1
    duration_s: float = 20.0
    midi: tuple[Path, ...] = ()
    soundfonts: tuple[Path, ...] | None = None
    drumkits: tuple[Path, ...] | None = None
    voices: tuple[Path, ...] = ()
    """Recordings in which somebody sings or speaks alone."""
    singers: int = 0
    """Synthetic voices that sing by themselves, besides those of the songs."""
    share_of_singers: float = 0.7
    data: tuple[Path, ...] = ()
    """Folders of datasets; songs that a dataset sets apart for testing are left out."""
    cache: Path | None = None
    """Folder where stems are kept between runs."""


def stem_of(instrument: str) -> str:
    """Which of the four stems an instrument of the vocabulary belongs to."""
    if is_a(instrument, "voice"):
        return "vocals"
    if is_a(instrument, "bass"):
        return "bass"
    if is_a(instrument, "drums") or is_a(instrument, "percussion"):
        return "other" if instrument in _PITCHED_PERCUSSION else "drums"
    return "other"


def stem_songs(sources: SongSources, told: Told | None = None) -> list[StemSong]:
    """All songs; raises `BadInputError` when there is none."""
    told = told or (lambda _done: None)
    made = []
    options = _synthesis(sources)
    for index in range(sources.songs):
        seed = song_seed(sources.seed, index)
        made.append(_kept(sources.cache, f"{seed} {options}", partial(_synthesized, seed, options)))
        told((index + 1) / sources.songs)
    for folder in sources.data:
        made += [_kept(sources.cache, key, make) for key, make in _dataset_songs(folder)]
    if not made:
        raise BadInputError("songs=0 and no dataset: there is nothing to learn from: give --songs or --data")
    return made


def voice_songs(sources: SongSources) -> list[list[StemSong]]:
    """Recorded voices, their pauses cut out, and synthetic ones, each (1, 2, frames); groups without any are left out."""
    recorded = [np.concatenate(v.phrases(RATE_HZ), axis=1) for v in find_voices(sources.voices)]
    sung = [
        sung_melody(song_seed(sources.seed, number), seconds=_MELODY_S, sample_rate=RATE_HZ)
        for number in range(sources.singers)
    ]
    return [[_as_shorts(_stereo(voice)[None]) for voice in group] for group in (recorded, sung) if group]


def as_floats(song: StemSong) -> FloatArray:
    """The stems as float32."""
    return np.asarray(song, np.float32) / np.float32(32767)


def _synthesis(sources: SongSources) -> SynthesisOptions:
    return SynthesisOptions(
        duration_s=sources.duration_s,
        sample_rate=RATE_HZ,
        midi=sources.midi,
        soundfonts=sources.soundfonts,
        drumkits=sources.drumkits,
        fewest_parts=3,
        most_parts=9,
        share_of_singers=sources.share_of_singers,
    )


def _synthesized(seed: int, options: SynthesisOptions) -> StemSong:
    song = synthesize(seed, options)
    return folded((t.instrument, t.processed) for t in song.tracks)


def folded(tracks: Iterable[tuple[str, FloatArray]]) -> StemSong:
    """(instrument, samples) added up to four stems."""
    parts = [(STEMS.index(stem_of(word)), _stereo(samples)) for word, samples in tracks]
    song = np.zeros((len(STEMS), 2, max(samples.shape[1] for _, samples in parts)), np.float32)
    for number, samples in parts:
        song[number, :, : samples.shape[1]] += samples
    return _as_shorts(song)


def _as_shorts(song: FloatArray) -> StemSong:
    """16 bits; the loudest stem's peak is `_PEAK`."""
    peak = float(np.abs(song).max(initial=0.0))
    return np.asarray(np.rint(song * (_PEAK * 32767 / max(peak, 1e-9))), np.int16)


def _stereo(samples: FloatArray) -> FloatArray:
    return np.broadcast_to(samples, (2, samples.shape[1])) if len(samples) == 1 else samples[:2]


def _dataset_songs(folder: Path) -> Iterator[tuple[str, Callable[[], StemSong]]]:
    """(what its cache is called by, how it is read) of every song that may be learned from."""
    for song in open_dataset(folder).songs():
        if song.split != "test" and not song.problem:
            yield f"{song.dataset} {song.folder} {song.title}", partial(_read, song)


def _read(song: DatasetSong) -> StemSong:
    return folded((track.instrument, _middle(track)) for track in song.stem_tracks or song.multitrack.tracks)


def _middle(track: Track) -> FloatArray:
    """At most `_LONGEST_S` from the middle of a track."""
    with track.open(RATE_HZ) as reader:
        samples = reader.read(track.frames_at(RATE_HZ))
    most = round(_LONGEST_S * RATE_HZ)
    first = max(0, (samples.shape[1] - most) // 2)
    return samples[:, first : first + most]


def _kept(cache: Path | None, key: str, make: Callable[[], StemSong]) -> StemSong:
    """What `make` gives, read from the cache when it is there."""
    if cache is None:
        return make()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"stems-{hashlib.sha256(key.encode()).hexdigest()[:20]}.npy"
    if not path.is_file():
        unfinished = path.with_suffix(f".part-{os.getpid()}.npy")
        np.save(unfinished, make())
        os.replace(unfinished, path)
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
