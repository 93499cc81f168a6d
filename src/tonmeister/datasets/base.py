"""The contract of a dataset: where its songs are, what their tracks are called there and here.

A reader is one file with a class: `info` (name, licence, citation), `recognizes` (a look at the tree, no audio read)
and `songs`, which yields one song after the other. Nothing is downloaded, and no audio is read before it is asked for.
A song whose metadata is damaged is still listed, with its ``problem``; `DatasetSong.multitrack` then raises it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Protocol

from tonmeister.audio import probe
from tonmeister.datasets.labels import Label
from tonmeister.errors import AudioFileError, BadInputError, nearest
from tonmeister.multitrack import Excluded, Multitrack, SourceFile, Track
from tonmeister.naming import usual_role

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "DatasetSong",
    "DatasetTrack",
    "dataset_type",
    "open_dataset",
    "unique_names",
]

SPLITS: Final = ("train", "valid", "test", "")
"""What a song is for, by its dataset's own division; '' where there is none."""

DATASETS: Final[Mapping[str, str]] = {
    "synthesized": "tonmeister.datasets.synthesized:Synthesized",
    "medleydb": "tonmeister.datasets.medleydb:MedleyDB",
    "musdb18": "tonmeister.datasets.musdb18:Musdb18",
    "musdb18-hq": "tonmeister.datasets.musdb18_hq:Musdb18HQ",
    "dsd100": "tonmeister.datasets.dsd100:Dsd100",
    "moisesdb": "tonmeister.datasets.moisesdb:MoisesDB",
    "slakh2100": "tonmeister.datasets.slakh2100:Slakh2100",
    "enst-drums": "tonmeister.datasets.enst_drums:EnstDrums",
    "good-sounds": "tonmeister.datasets.good_sounds:GoodSounds",
    "irmas": "tonmeister.datasets.irmas:Irmas",
    "nsynth": "tonmeister.datasets.nsynth:NSynth",
    "rock-band": "tonmeister.datasets.rock_band:RockBand",
    "mixing-secrets": "tonmeister.datasets.mixing_secrets:MixingSecrets",
    "plain": "tonmeister.datasets.plain:PlainFolders",
}
"""Name of the layout -> its reader, the particular before the general: detection takes the first that fits."""


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """Where a dataset comes from and what may be done with it."""

    name: str
    title: str
    licence: str
    citation: str
    url: str
    looks_for: str
    """The files by which the layout is recognized, below the folder that is given."""
    is_solo: bool = True
    """Whether a track holds one instrument alone; where it does not, the label is the loudest of several."""


@dataclass(frozen=True)
class DatasetTrack:
    """A track as the dataset has it: the file, the dataset's label, and what that is called here."""

    name: str
    file: Path
    label: Label
    role: str = ""
    """Where the dataset says it; else what the instrument usually does."""
    stream: int = 0
    channels: tuple[int, ...] = ()
    """Of a file with many; empty: all."""
    group: str | None = None
    remark: str = ""
    """What else the dataset says, for the reader."""

    def open(self, dataset: str, *, title: str) -> Track:
        """The track with its file's header read; the sound itself stays on disk."""
        source = SourceFile(self.file, probe(self.file, stream=self.stream), self.stream, self.channels)
        if source.channels > 2:
            raise AudioFileError(
                f"{self.file}: channels={source.channels}: a track of {title} is mono or stereo"
            )
        return Track(
            name=self.name,
            sources=(source,),
            instrument=self.label.instrument,
            role=self.role or usual_role(self.label.instrument),
            confidence=1.0 if self.label.mapped else 0.0,
            evidence=self._evidence(dataset),
            group=self.group,
        )

    def _evidence(self, dataset: str) -> str:
        said = f"{dataset} calls it {self.label.word!r}" if self.label.word else f"{dataset} says nothing"
        unknown = "" if self.label.mapped else ", for which there is no word here"
        return said + unknown + (f"; {self.remark}" if self.remark else "")


@dataclass(frozen=True)
class DatasetSong:
    """One song of a dataset; audio headers are read when `multitrack` or `stem_tracks` is asked for."""

    dataset: str
    title: str
    folder: Path
    split: str = ""
    tracks: tuple[DatasetTrack, ...] = ()
    """The raw tracks, or the stems where there is nothing rawer."""
    stems: tuple[DatasetTrack, ...] = ()
    """Processed groups of tracks that sum to about the mix, where the dataset has both."""
    mix: DatasetTrack | None = None
    missing: tuple[Excluded, ...] = ()
    """Files that the metadata names and that are not there, or are not to be mixed."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str = ""
    """Why the song cannot be used, where its metadata is damaged."""
    loader: Callable[[], Multitrack] | None = field(default=None, repr=False, compare=False)
    """Reads the song where it needs more than its tracks, as a plain folder does."""

    @cached_property
    def multitrack(self) -> Multitrack:
        """The song with lazy tracks, instruments and roles from the dataset's labels.

        Raises `BadInputError` when the song is damaged or no track is left, `AudioFileError` for unreadable audio.
        """
        if self.loader is not None:
            return self.loader()
        tracks = self._opened(self.tracks)
        if not tracks:
            raise BadInputError(f"{self.folder}: {self.title!r} has no track to mix: {self._why_empty()}")
        return Multitrack(
            title=self.title,
            tracks=tracks,
            sample_rate=_majority_rate(tracks),
            folder=self.folder,
            references=self._opened((self.mix,)) if self.mix else (),
            excluded=self.missing,
            notes=self.notes,
            tempo_bpm=self._tempo_bpm,
            genre=self.metadata.get("genre", ""),
        )

    @property
    def _tempo_bpm(self) -> float | None:
        try:
            tempo = float(self.metadata.get("tempo_bpm", ""))
        except ValueError:
            return None
        return tempo if 10 <= tempo <= 999 else None

    @cached_property
    def stem_tracks(self) -> tuple[Track, ...]:
        """The stems with lazy audio; empty where the dataset has none."""
        return self._opened(self.stems)

    def _opened(self, tracks: Sequence[DatasetTrack]) -> tuple[Track, ...]:
        if self.problem:
            raise BadInputError(self.problem)
        return tuple(track.open(self.dataset, title=self.title) for track in tracks)

    def _why_empty(self) -> str:
        named = "; ".join(f"{m.file} ({m.why})" for m in self.missing[:5])
        return f"missing {named}" if named else "its folder is empty"

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Labels of the song's tracks for which there is no word here."""
        words = (t.label.word for t in (*self.tracks, *self.stems) if not t.label.mapped)
        return tuple(dict.fromkeys(words))


class Dataset(Protocol):
    """A folder that follows one layout."""

    info: ClassVar[DatasetInfo]

    def __init__(self, path: Path) -> None: ...

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether the tree at `path` follows this layout; looks at names only."""
        ...

    def songs(self) -> Iterator[DatasetSong]:
        """Every song, in the order of the folders."""
        ...


def dataset_type(name: str) -> type[Dataset]:
    """The reader of a layout, by its name."""
    if name not in DATASETS:
        raise BadInputError(
            f"layout={name!r} is not known{nearest(name, list(DATASETS))}: {', '.join(DATASETS)}"
        )
    module, _, attribute = DATASETS[name].partition(":")
    found: type[Dataset] = getattr(importlib.import_module(module), attribute)
    return found


def open_dataset(path: Path, layout: str | None = None) -> Dataset:
    """The dataset at `path`, whose layout is recognized when it is not given.

    Raises `BadInputError` when nothing fits, with every layout and what was looked for.
    """
    path = Path(path)
    if not path.is_dir():
        raise BadInputError(f"{path}: is no folder: give the folder that the dataset was unpacked into")
    if layout is not None:
        return _expected(dataset_type(layout), path)
    for name in DATASETS:
        if (reader := dataset_type(name)).recognizes(path):
            return reader(path)
    lines = "; ".join(f"{name}: {dataset_type(name).info.looks_for}" for name in DATASETS)
    raise BadInputError(f"{path}: follows no layout that is known, looked for {lines}")


def _expected(reader: type[Dataset], path: Path) -> Dataset:
    if not reader.recognizes(path):
        fitting = [name for name in DATASETS if dataset_type(name).recognizes(path)]
        hint = (
            f"it looks like {fitting[0]}" if fitting else "give the folder that the dataset was unpacked into"
        )
        raise BadInputError(f"{path}: is not {reader.info.name}, looked for {reader.info.looks_for}: {hint}")
    return reader(path)


def unique_names(tracks: Sequence[DatasetTrack]) -> tuple[DatasetTrack, ...]:
    """The tracks with a number behind names that come again."""
    from dataclasses import replace

    taken: set[str] = set()
    made = []
    for track in tracks:
        name, number = track.name, 2
        while name.casefold() in taken:
            name, number = f"{track.name} {number}", number + 1
        taken.add(name.casefold())
        made.append(replace(track, name=name))
    return tuple(made)


def there(tracks: Sequence[DatasetTrack]) -> tuple[tuple[DatasetTrack, ...], tuple[Excluded, ...]]:
    """The tracks whose files exist, under unique names, and the others."""
    found = [track for track in tracks if track.file.is_file()]
    lost = [track for track in tracks if not track.file.is_file()]
    return unique_names(found), tuple(
        Excluded(t.file.name, "the metadata names it, no such file") for t in lost
    )


def _majority_rate(tracks: Sequence[Track]) -> int:
    from tonmeister.loading.load import majority_rate

    return majority_rate(tracks)
