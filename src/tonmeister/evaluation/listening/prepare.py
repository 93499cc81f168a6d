"""From songs and engines to a blind test on disk.

    DIR/page/       what listeners get: listening.html and its files, opened in a browser
    DIR/webmushra/  the same test for webMUSHRA
    DIR/key.json    which version is whose; stays with the experimenter

Every engine mixes the whole song's plan; the same part of all mixes is rendered, faded, brought to one loudness
(nothing is limited) and written under a name that says nothing. One seed gives one test, byte for byte.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.audio import Audio, read_audio
from tonmeister.audio_output import check_writable, write_audio
from tonmeister.engines.base import decide_in_turn
from tonmeister.errors import BadInputError
from tonmeister.evaluation.listening.criteria import DEFAULT_CRITERION, criterion
from tonmeister.evaluation.listening.excerpts import (
    EXCERPT_S,
    MAX_LAG_S,
    Excerpt,
    Loudness,
    busiest_excerpt,
    common_lufs,
    faded,
    lag_frames,
    matched,
    measured,
)
from tonmeister.evaluation.listening.key import HUMAN, KEY_FILE, Condition, SongEntry, TestKey
from tonmeister.evaluation.listening.page import LEVEL_FILE, PAGE_FILE, write_page
from tonmeister.evaluation.listening.songs import (
    TestSong,
    excerpt_of_plan,
    load_test_song,
    plain_plan,
    read_human,
)
from tonmeister.evaluation.listening.webmushra import write_webmushra
from tonmeister.features import MultitrackFeatures
from tonmeister.hearing import TrackEar
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import Section
from tonmeister.units import FloatArray

__all__ = ["ALWAYS", "Prepared", "Settings", "prepare_test", "with_always"]

ALWAYS: Final = ("sum", "textbook")
"""Engines that are in every test: without them no result means anything."""
AUDIO_FORMATS: Final = ("wav", "flac")
_PARTS: Final = ("page", "webmushra", KEY_FILE)
_MOST_VERSIONS: Final = 12
"""Versions a page may hold before listeners tire (ITU-R BS.1534-3)."""
_LABEL_SIGNS: Final = "bcdfghjkmnpqrstvwxz23456789"
_LABEL_LENGTH: Final = 5
_LEVEL_S: Final = 10.0
_SAME_DB: Final = -60.0
"""Two versions whose difference lies this far below them are one version."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What kind of test."""

    engines: Sequence[str] = ALWAYS
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    excerpts: Mapping[str, Excerpt] = field(default_factory=dict)
    """By the song's folder name; the empty name is for all others."""
    seconds: float = EXCERPT_S
    criteria: Sequence[str] = (DEFAULT_CRITERION,)
    human: bool = True
    """Put a person's mix among the versions where there is one."""
    scramble_db: float = 0.0
    seed: int = 0
    audio_format: str = "wav"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A test on disk."""

    folder: Path
    key: TestKey
    lufs: float
    notes: tuple[str, ...]

    @property
    def page(self) -> Path:
        """What listeners open."""
        return self.folder / "page" / PAGE_FILE


@dataclass(frozen=True, slots=True)
class _Version:
    """One rendered excerpt, waiting on disk for its level."""

    song: str
    engine: str
    raw: Path
    sample_rate: int
    loudness: Loudness

    @property
    def what(self) -> str:
        return f"{self.song}, {self.engine}"


def with_always(engines: Sequence[str]) -> tuple[str, ...]:
    """The engines asked for and those that are always there, once each."""
    return tuple(dict.fromkeys((*engines, *ALWAYS)))


def prepare_test(
    songs: Sequence[Path],
    output: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Render, match, blind and write a test into `output`, which is made; nothing remains of a failed attempt.

    `progress` is told a song's name and how much of it is done. Raises `BadInputError` for songs that cannot be
    used, an output that holds a test already, an excerpt outside of its song.
    """
    output = Path(output)
    _check(songs, output, settings, overwrite)
    told = progress or (lambda name, done: None)
    with tempfile.TemporaryDirectory(prefix="tonmeister-") as scratch, _built(output) as built:
        rendered = _Rendered(Path(scratch))
        for number, folder in enumerate(songs, start=1):
            _render_song(f"s{number}", folder, settings, rendered, told)
        key, lufs = _write_audio(rendered, built / "page" / "audio", settings)
        write_page(built / "page", key)
        write_webmushra(built / "webmushra", key, built / "page")
        (built / KEY_FILE).write_text(key.to_json(), "utf-8", newline="\n")
    return Prepared(output, key, lufs, tuple(dict.fromkeys((*rendered.notes, *_sizes(key)))))


def _check(songs: Sequence[Path], output: Path, settings: Settings, overwrite: bool) -> None:
    if settings.audio_format not in AUDIO_FORMATS:
        raise BadInputError(
            f"format={settings.audio_format!r} is not known: give one of {', '.join(AUDIO_FORMATS)}"
        )
    for name in settings.criteria:
        criterion(name)
    names = [Path(song).resolve().name for song in songs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadInputError(
            f"two songs are called {twice[0]!r}: results name songs by their folder: rename one"
        )
    if unknown := [name for name in settings.excerpts if name and name not in names]:
        raise BadInputError(f"--excerpt names {unknown[0]!r}, which is none of the songs: {', '.join(names)}")
    if output.is_file():
        raise BadInputError(f"{output}: is a file: give a folder")
    if not overwrite and (there := [output / part for part in _PARTS if (output / part).exists()]):
        raise BadInputError(f"{there[0]}: exists already: give another folder or --overwrite")
    above = output
    while not above.exists() and above != above.parent:
        above = above.parent
    check_writable(above)


@contextmanager
def _built(output: Path) -> Iterator[Path]:
    """A hidden folder whose parts take their places in `output` when all is done."""
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".tonmeister-", dir=output) as folder:
            yield Path(folder)
            for part in _PARTS:
                _replace(Path(folder) / part, output / part)
    except BaseException:
        for folder_made in made:
            with suppress(OSError):  # not empty: somebody else put something there
                folder_made.rmdir()
        raise


def _replace(new: Path, old: Path) -> None:
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)
    new.rename(old)


class _Rendered:
    """All versions of all songs, and what was noticed on the way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.versions: list[_Version] = []
        self.songs: dict[str, SongEntry] = {}
        self.notes: list[str] = []

    def add(self, song: str, engine: str, samples: FloatArray, sample_rate: int, title: str) -> None:
        samples = faded(samples, sample_rate)
        loudness = measured(samples, sample_rate, f"{title}, {engine}")
        raw = self._folder / f"{len(self.versions)}.npy"
        np.save(raw, samples, allow_pickle=False)
        self.versions.append(_Version(song, engine, raw, sample_rate, loudness))


def _render_song(song_id: str, folder: Path, settings: Settings, rendered: _Rendered, told: Progress) -> None:
    song = load_test_song(folder, scramble_db=settings.scramble_db, seed=settings.seed)
    multitrack, rate = song.multitrack, song.multitrack.sample_rate
    told(song.name, 0.0)
    features = analyze(multitrack, progress=lambda _, done: told(song.name, 0.5 * done))
    if not features.audible:
        raise BadInputError(f"{folder}: every track is silent: there is nothing to listen to")
    human = song.human if settings.human else None
    excerpt = _excerpt(song, features, settings)
    section = Section(round(excerpt.start_s * rate), max(round(excerpt.seconds * rate), 1))
    engines = with_always(settings.engines)
    for number, engine in enumerate(engines):
        plan = _plan(multitrack, features, engine, settings)
        rendered.add(song_id, engine, excerpt_of_plan(multitrack, plan, section), rate, song.name)
        told(song.name, 0.5 + 0.5 * (number + 1) / (len(engines) + 1))
    if human is not None:
        rendered.add(song_id, HUMAN, _aligned_human(song, section, rendered.notes), rate, song.name)
    elif settings.human:
        rendered.notes.append(
            f"{song.name}: no mix by a person was found (human_mix.*, post/ or a print): the engines are compared "
            "among themselves"
        )
    rendered.songs[song_id] = SongEntry(
        song.name, round(excerpt.start_s, 3), round(excerpt.seconds, 3), rate, human.kind if human else None
    )
    rendered.notes += _alike(rendered.versions, song_id, song.name)
    told(song.name, 1.0)


def _excerpt(song: TestSong, features: MultitrackFeatures, settings: Settings) -> Excerpt:
    """The part asked for, else the busiest one that the person's mix has, too."""
    rate = song.multitrack.sample_rate
    frames = song.multitrack.frames
    if settings.human and song.human is not None:
        frames = min(frames, song.human.frames_at(rate))
    end_s = frames / rate
    asked = settings.excerpts.get(song.name, settings.excerpts.get(""))
    if asked is None:
        return busiest_excerpt(features, seconds=settings.seconds, end_s=end_s)
    if asked.start_s + asked.seconds > end_s + 0.1:
        raise BadInputError(
            f"{song.name}: the excerpt ends at {asked.start_s + asked.seconds:g} s, behind the end of the song "
            f"({end_s:.1f} s): start earlier or take less"
        )
    return asked


def _plan(multitrack: Multitrack, features: MultitrackFeatures, engine: str, settings: Settings) -> MixPlan:
    """What one engine decides, or several joined by ``+`` in turn."""
    ear = TrackEar(multitrack, features)
    decisions, _ = decide_in_turn(
        engine.split("+"), settings.options, multitrack, features, seed=settings.seed, ear=ear
    )
    return plain_plan(multitrack).with_decisions(decisions)


def _aligned_human(song: TestSong, section: Section, notes: list[str]) -> FloatArray:
    """The person's mix of this part, moved to where the tracks are."""
    assert song.human is not None
    rate = song.multitrack.sample_rate
    plain = excerpt_of_plan(song.multitrack, plain_plan(song.multitrack), section)
    lag = lag_frames(plain, read_human(song.human, rate, section), rate)
    if lag is None:
        notes.append(
            f"{song.name}: whether {song.human.kind} is in step with the tracks could not be seen: listen for jumps"
        )
        lag = 0
    if abs(lag) >= MAX_LAG_S * rate:
        lag = 0
    if lag:
        notes.append(
            f"{song.name}: {song.human.kind} is {1000 * lag / rate:+.1f} ms late against the tracks: put in step"
        )
    return read_human(song.human, rate, Section(section.start + lag, section.frames))


def _alike(versions: Sequence[_Version], song_id: str, title: str) -> list[str]:
    """Versions that are the same sound once they are equally loud."""
    mine = [v for v in versions if v.song == song_id]
    return [
        f"{title}: {one.engine} and {other.engine} are the same sound here: listeners cannot tell them apart"
        for index, one in enumerate(mine)
        for other in mine[index + 1 :]
        if _difference_db(np.load(one.raw), np.load(other.raw)) < _SAME_DB
    ]


def _difference_db(one: FloatArray, other: FloatArray) -> float:
    """Energy of what remains of `other` once the best gain of `one` is taken away, against `other`."""
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    energy = float(b @ b)
    rest = energy - float(a @ b) ** 2 / max(float(a @ a), 1e-30)
    return 10.0 * float(np.log10(max(rest, 1e-12 * energy) / energy))


def _write_audio(rendered: _Rendered, folder: Path, settings: Settings) -> tuple[TestKey, float]:
    """Write all versions equally loud under names drawn by lot; returns the key and the loudness."""
    folder.mkdir(parents=True)
    lufs = common_lufs([version.loudness for version in rendered.versions])
    random = np.random.default_rng([settings.seed, len(rendered.versions)])
    labels = _labels(random, len(rendered.versions))
    named = {f"{v.song}-{label}": v for v, label in zip(rendered.versions, labels, strict=True)}
    found: dict[str, Condition] = {}
    digest = hashlib.blake2b(digest_size=5)
    for name, version in sorted(named.items()):  # so that times of files tell nothing either
        found[name] = _written(version, folder / f"{name}.{settings.audio_format}", lufs)
        digest.update((folder / f"{name}.{settings.audio_format}").read_bytes())
    _write_level(folder.parent / LEVEL_FILE, rendered.versions[0].sample_rate, lufs)
    names = tuple(criterion(name).name for name in settings.criteria)
    digest.update(repr((settings.seed, names)).encode())
    return TestKey(digest.hexdigest(), settings.seed, names, rendered.songs, found), lufs


def _labels(random: np.random.Generator, count: int) -> list[str]:
    labels: dict[str, None] = {}
    while len(labels) < count:
        labels["".join(random.choice(list(_LABEL_SIGNS), _LABEL_LENGTH))] = None
    return list(labels)


def _written(version: _Version, path: Path, lufs: float) -> Condition:
    samples, gain_db = matched(np.load(version.raw), version.sample_rate, lufs, version.what)
    write_audio(path, Audio(samples, version.sample_rate), subtype="PCM_24")
    heard = measured(read_audio(path).samples, version.sample_rate, version.what)
    return Condition(
        version.song,
        version.engine,
        f"audio/{path.name}",
        round(gain_db, 3),
        round(heard.lufs, 3),
        round(heard.true_peak_dbtp, 3),
    )


def _write_level(path: Path, sample_rate: int, lufs: float) -> None:
    """Pink noise at the loudness of the test, to set the volume by before anything is judged."""
    frames = round(_LEVEL_S * sample_rate)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(frames))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    spectrum[: round(20 * _LEVEL_S)] = 0.0
    noise = np.repeat(np.fft.irfft(spectrum, frames)[None], 2, axis=0).astype(np.float32)
    samples, _ = matched(faded(noise, sample_rate), sample_rate, lufs, "level check")
    write_audio(path, Audio(samples, sample_rate), subtype="PCM_24")


def _sizes(key: TestKey) -> list[str]:
    counts = {key.songs[song].title: len(key.versions(song)) for song in key.songs}
    return [
        f"{title}: {count} versions on one page are more than listeners judge well (at most {_MOST_VERSIONS})"
        for title, count in counts.items()
        if count > _MOST_VERSIONS
    ]
