"""Songs with their consoles as the network sees both: what each track measures, and where its controls belong.

Two sources: synthesized songs, whose engineer's console is known, their tracks spoiled in known ways; and folders
with a person's mix, whose levels and pans are measured or unmixed, and whose inserts nobody knows. A song is
computed once and kept as an npz file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tonmeister.analysis.recording import BLOCK_FRAMES, Recording
from tonmeister.analysis.tracks import track_result
from tonmeister.decisions import AddInsert, Decision, SetPan
from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.predict.measures import BANDS, NUMBERS, Measures, measures, weighted_db
from tonmeister.errors import BadInputError, TonmeisterError
from tonmeister.features import TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.training.console.spoiling import Damage, draw_damage, through
from tonmeister.training.synthesis.engineer import Desk, DeskTrack
from tonmeister.training.synthesis.randomness import Seeds, song_seed
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, synthesize
from tonmeister.units import DoubleArray, FloatArray

if TYPE_CHECKING:
    from tonmeister.datasets.base import DatasetSong
    from tonmeister.evaluation.levels import Levels

__all__ = [
    "SHORT_S",
    "TARGETS",
    "ConsoleSong",
    "from_folder",
    "mixed_again",
    "of_synthesized",
    "spoiled",
    "synthesized",
]

SHORT_S: Final = 12.0
"""Length of a synthesized song: its console does not depend on it."""
TARGETS: Final = ("level_lu", "pan", "compressed", "threshold_lu", "ratio_log2", "reverberant", "send_db")
"""Where a track's controls belong, beside its tone curve; NaN where nobody knows.

Loudness in the mix, LU from any common level; distance of the pan from the center; whether there is a compressor, its
threshold against the loudness that enters it, log2 of its ratio; whether there is reverberation, and how far its
sound lies from the direct one.
"""
_MOST_BYTES: Final = 16 * 2**20
Told = Callable[[str], None]
_Found = tuple[str, Sequence[Path], Callable[[], "ConsoleSong"]]
"""Title, the files it depends on, and what reads it."""


@dataclass(frozen=True, eq=False)
class ConsoleSong:
    """One song: tracks in rows."""

    title: str
    tracks: tuple[Measures, ...]
    targets: DoubleArray
    """Shape (tracks, len(TARGETS))."""
    curves_db: DoubleArray
    """The tone wanted per third octave; shape (tracks, 30), NaN where nobody knows."""

    def save(self, path: Path) -> None:
        """To an npz file, complete or not at all."""
        words = np.array([[m.instrument, m.role, m.group] for m in self.tracks])
        arrays: dict[str, Any] = {
            "title": np.array(self.title), "words": words, "targets": self.targets, "curves": self.curves_db,
            "confidence": np.array([m.confidence for m in self.tracks]),
            "spectrum": np.array([m.spectrum_db for m in self.tracks]),
            "movement": np.array([m.movement_db for m in self.tracks]),
            "numbers": np.array([m.numbers for m in self.tracks]),
        }  # fmt: skip
        part = path.with_name(f".{path.name}.part-{os.getpid()}.npz")
        np.savez_compressed(part, **arrays)
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path) -> ConsoleSong:
        """From an npz file that `save` wrote."""
        if path.stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path}: larger than a song's measures can be: delete it")
        with np.load(path, allow_pickle=False) as file:
            rows = zip(file["words"], file["confidence"], file["spectrum"], file["movement"], file["numbers"],
                       strict=True)  # fmt: skip
            tracks = tuple(
                Measures(
                    str(words[0]), str(words[1]), float(sure), str(words[2]), spectrum, movement, numbers
                )
                for words, sure, spectrum, movement, numbers in rows
            )
            return cls(str(file["title"]), tracks, file["targets"], file["curves"])


# -------------------------------------------------------------------- synthesized


def synthesized(
    seed: int, indices: Sequence[int], cache: Path, midi: tuple[Path, ...], told: Told
) -> Iterator[ConsoleSong]:
    """Songs number `indices` of the stream of `seed`; those with fewer than two audible tracks are left out."""
    options = SynthesisOptions(duration_s=SHORT_S, midi=midi)
    for index in indices:
        number = song_seed(seed, index)
        key = f"console 1 {number} {SHORT_S} {sorted(path.name for path in midi)}"
        song = _cached(key, cache, partial(_synthesized, number, options))
        told(song.title)
        if len(song.tracks) > 1:
            yield song


def _synthesized(number: int, options: SynthesisOptions) -> ConsoleSong:
    return of_synthesized(synthesize(number, options))


def of_synthesized(song: SynthesizedSong) -> ConsoleSong:
    """The tracks spoiled and measured, and the console that makes the engineer's mix of them."""
    settings = _settings(song.desk.settings)
    rows, kept, curves = [], [], []
    for track, samples in spoiled(song):
        features = _measured(samples, song.sample_rate)
        if features.silent:
            continue
        own, damage = settings.get(track.name, {}), _damage(song, settings, track.name)
        kept.append(measures(track, features))
        wanted = _curve_db(own.get("equalizer"), song.sample_rate)
        curves.append(wanted - _curve_db(damage.tone, song.sample_rate))
        level = song.desk.targets_lu[track.name]
        rows.append(_targets(level, own, features, curves[-1], already=damage.compressor is not None))
    return ConsoleSong(
        f"{song.title} {song.seed}", tuple(kept), np.array(rows).reshape(-1, len(TARGETS)),
        np.array(curves).reshape(-1, BANDS),
    )  # fmt: skip


def spoiled(song: SynthesizedSong) -> Iterator[tuple[Track, FloatArray]]:
    """Each track of a song, and how it sounds once it is spoiled; (channels, frames)."""
    settings = _settings(song.desk.settings)
    for track in song.multitrack.tracks:
        damage = _damage(song, settings, track.name)
        yield track, through(song[track.name].raw, damage.effects, song.sample_rate)


def _damage(song: SynthesizedSong, settings: Mapping[str, dict[str, Any]], name: str) -> Damage:
    random = Seeds.of(song.seed).child("console").generator(name)
    return draw_damage(settings.get(name, {}).get("compressor"), random)


def _measured(samples: FloatArray, sample_rate: int) -> TrackFeatures:
    recording = Recording("track", sample_rate, len(samples), keep_excerpts=False)
    for start in range(0, samples.shape[1], BLOCK_FRAMES):
        recording.update(np.ascontiguousarray(samples[:, start : start + BLOCK_FRAMES]))
    return track_result("track", recording).features


def _settings(decisions: Sequence[Decision]) -> Mapping[str, dict[str, Any]]:
    """Track -> kind of insert or ``pan`` -> effect or place."""
    found: dict[str, dict[str, Any]] = {}
    for decision in decisions:
        if isinstance(decision, AddInsert):
            found.setdefault(decision.strip, {})[decision.slot] = decision.effect
        elif isinstance(decision, SetPan):
            found.setdefault(decision.strip, {})["pan"] = decision.pan
    return found


def _curve_db(effect: Effect | None, sample_rate: int) -> DoubleArray:
    if not isinstance(effect, Equalizer) or not effect.sections:
        return np.zeros(BANDS)
    centers = np.minimum(exact_centers_hz(3), 0.49 * sample_rate)
    return np.asarray(20.0 * np.log10(np.abs(effect.response(centers, sample_rate)) + 1e-12))


def _targets(
    level_lu: float, own: Mapping[str, Any], features: TrackFeatures, curve_db: DoubleArray, *, already: bool
) -> list[float]:
    """In the order of `TARGETS`."""
    compressor: Compressor | None = None if already else own.get("compressor")
    threshold = ratio = np.nan
    if compressor is not None:
        spectrum = np.asarray(features.third_octave_db, np.float64)
        changed = weighted_db(spectrum + curve_db) - weighted_db(spectrum)
        threshold = compressor.threshold_db - (features.integrated_lufs or 0.0) - float(changed)
        ratio = np.log2(compressor.ratio)
    return [
        level_lu, abs(own.get("pan", 0.0)), float(compressor is not None), threshold, ratio,
        *_room(own.get("reverb")),
    ]  # fmt: skip


def _room(reverb: Reverb | None) -> tuple[float, float]:
    """Whether there is reverberation, and how far its sound lies from the direct one, dB."""
    if reverb is None:
        return 0.0, np.nan
    return 1.0, 20.0 * float(np.log10(reverb.mix / (1.0 - reverb.mix)))


def mixed_again(song: ConsoleSong, random: np.random.Generator) -> ConsoleSong:
    """A synthesized song on another day: the same engineer's levels, places and rooms, drawn anew.

    These do not depend on how a track sounds, only on what it is. A person's mix stays as it is.
    """
    if not np.isfinite(song.targets[:, TARGETS.index("compressed")]).all():
        return song
    stereo = NUMBERS.index("stereo")
    tracks = tuple(
        DeskTrack(str(i), m.instrument, m.role, np.zeros((1 + (m.numbers[stereo] > 0.5), 0), np.float32))
        for i, m in enumerate(song.tracks)
    )
    desk = Desk(song.title, 48_000, 120.0, tracks, Seeds.of(int(random.integers(2**40))))
    settings, targets = _settings(desk.settings), song.targets.copy()
    for i, track in enumerate(tracks):
        own = settings.get(track.name, {})
        targets[i, :2] = desk.targets_lu[track.name], abs(own.get("pan", 0.0))
        targets[i, -2:] = _room(own.get("reverb"))
    return replace(song, targets=targets)


# -------------------------------------------------------------------- a person's mixes


def from_folder(folder: Path, cache: Path, told: Told, notes: list[str]) -> Iterator[ConsoleSong]:
    """Every song below `folder` with a person's mix; what cannot be used is said.

    Songs with ``raw/`` and ``post/`` or ``human_mix.*``; where there are none, those of a published layout
    (`datasets`) that has the mix beside the tracks.
    """
    songs = list(_with_raw(folder)) or list(_of_layout(folder, notes))
    for title, files, make in songs:
        key = "\n".join(f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
        try:
            made = _cached(f"console 1 {key}", cache, make)
            told(title)
            if len(made.tracks) > 1:
                yield made
        except TonmeisterError as error:
            notes.append(f"{title}: left out, {error}")
    if not songs:
        notes.append(
            f"{folder}: holds no song with raw/ and post/ or human_mix.wav, and none of a known layout with its mix"
        )


def _with_raw(folder: Path) -> Iterator[_Found]:
    for song in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        if (song / "raw").is_dir():
            files = sorted(p for p in song.rglob("*") if p.is_file())
            yield song.name, files, partial(_of_folder, song)


def _of_layout(folder: Path, notes: list[str]) -> Iterator[_Found]:
    from tonmeister.datasets.base import open_dataset

    try:
        dataset = open_dataset(folder)
    except BadInputError:  # said by `from_folder`
        return
    for song in dataset.songs():
        if song.problem or song.mix is None:
            notes.append(f"{song.title}: left out, {song.problem or 'there is no mix beside its tracks'}")
            continue
        files = [*(t.file for t in song.tracks), song.mix.file]
        yield song.title, files, partial(_of_song, song)


def _of_folder(folder: Path) -> ConsoleSong:
    from tonmeister.evaluation.songs import load_song

    song = load_song(folder)
    return _mixed_by_a_person(song.name, song.multitrack, song.human)


def _of_song(song: DatasetSong) -> ConsoleSong:
    from tonmeister.evaluation.songs import unmixed_levels

    assert song.mix is not None
    return _mixed_by_a_person(song.title, song.multitrack, unmixed_levels(song.multitrack, song.mix.file))


def _mixed_by_a_person(title: str, song: Multitrack, human: Levels) -> ConsoleSong:
    """Levels and places of the person's mix; inserts stay unknown."""
    from tonmeister.analysis import analyze
    from tonmeister.identification.identify import settled

    multitrack, features = settled(song, analyze(song))
    names = [t.name for t in multitrack.tracks if human.lufs.get(t.name) is not None]
    names = [name for name in names if not features[name].silent]
    targets = np.full((len(names), len(TARGETS)), np.nan)
    targets[:, 0] = [human.lufs[name] for name in names]
    targets[:, 1] = [abs(human.pan.get(name) or 0.0) for name in names]
    kept = tuple(measures(multitrack[name], features[name]) for name in names)
    return ConsoleSong(title, kept, targets, np.full((len(names), BANDS), np.nan))


def _cached(key: str, cache: Path, make: Callable[[], ConsoleSong]) -> ConsoleSong:
    path = cache / f"{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        make().save(path)
    return ConsoleSong.load(path)
