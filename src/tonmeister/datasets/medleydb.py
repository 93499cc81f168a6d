"""MedleyDB 1 and 2: ``Audio/<Song>/<Song>_METADATA.yaml``, raw tracks, stems and the mix beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import Label, read_label
from tonmeister.datasets.reading import inside, mapping, read_yaml, subfolders, text
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import is_a

__all__ = ["MedleyDB"]

_SUFFIX = "_METADATA.yaml"


class MedleyDB:
    """Songs as recorded, with the stems and the mix that people made of them."""

    info: ClassVar = DatasetInfo(
        name="medleydb",
        title="MedleyDB 1 and 2",
        licence="CC BY-NC-SA 4.0, on request",
        citation="R. Bittner, J. Salamon, M. Tierney, M. Mauch, C. Cannam, J. P. Bello: MedleyDB: A Multitrack Dataset "
        "for Annotation-Intensive MIR Research, ISMIR 2014; R. Bittner, J. Wilkins, H. Yip, J. P. Bello: "
        "MedleyDB 2.0, ISMIR 2016",
        url="https://medleydb.weebly.com",
        looks_for="[Audio/]<Song>/<Song>_METADATA.yaml",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            try:
                yield _song(folder, mapping(read_yaml(_metadata(folder)), str(_metadata(folder))))
            except BadInputError as error:
                yield DatasetSong("MedleyDB", folder.name, folder, problem=str(error))


def _metadata(folder: Path) -> Path:
    return folder / f"{folder.name}{_SUFFIX}"


def _song_folders(path: Path) -> list[Path]:
    for root in (path / "Audio", path):
        if found := [folder for folder in subfolders(root) if _metadata(folder).is_file()]:
            return found
    return [path] if _metadata(path).is_file() else []


def _song(folder: Path, data: Mapping[str, Any]) -> DatasetSong:
    stem_folder = inside(folder, text(data.get("stem_dir")) or f"{folder.name}_STEMS")
    raw_folder = inside(folder, text(data.get("raw_dir")) or f"{folder.name}_RAW")
    raws: list[DatasetTrack] = []
    stems: list[DatasetTrack] = []
    for key, entry in sorted(mapping(data.get("stems"), f"{_metadata(folder)}: stems").items()):
        stem = mapping(entry, f"{_metadata(folder)}: {key}")
        component = text(stem.get("component"))
        stems.append(_track(stem_folder, stem, key, component))
        for number, raw in sorted(mapping(stem.get("raw") or {}, f"{_metadata(folder)}: {key} raw").items()):
            found = mapping(raw, f"{_metadata(folder)}: {key} {number}")
            raws.append(_track(raw_folder, found, f"{key} {number}", component, group=key))
    tracks, missing = there(raws)
    found_stems, missing_stems = there(stems)
    return DatasetSong(
        dataset="MedleyDB",
        title=text(data.get("title")) or folder.name,
        folder=folder,
        tracks=tracks or found_stems,
        stems=found_stems,
        mix=_mix(folder, data),
        missing=(*missing, *missing_stems),
        metadata={
            k: text(data[k])
            for k in ("artist", "album", "genre", "has_bleed", "instrumental", "origin")
            if k in data
        },
        notes=() if tracks else ("no raw tracks here: the stems stand for them",),
    )


def _track(
    folder: Path, entry: Mapping[str, Any], key: str, component: str, *, group: str | None = None
) -> DatasetTrack:
    word = text(entry.get("instrument"))
    label = _agreed(entry.get("instrument"), word)
    leads = component == "melody"
    if leads and label.instrument == "voice":
        label = Label(label.word, "lead_voice", mapped=True)
    return DatasetTrack(
        name=f"{key} {word}".strip(),
        file=inside(folder, text(entry.get("filename")) or "(no file name)"),
        label=label,
        role="lead" if leads and not is_a(label.instrument, "drums") else "",
        group=group,
        remark=f"component {component}" if component else "",
    )


def _agreed(written: Any, word: str) -> Label:
    """The label; of several that a stem may carry, the instrument that they agree on."""
    words = [text(w) for w in written] if isinstance(written, list) else [word]
    labels = [read_label("medleydb", w) for w in words]
    first = labels[0] if labels else Label(word)
    same = all(label.instrument == first.instrument for label in labels)
    return Label(word, first.instrument, first.mapped) if same else Label(word)


def _mix(folder: Path, data: Mapping[str, Any]) -> DatasetTrack | None:
    file = inside(folder, text(data.get("mix_filename")) or f"{folder.name}_MIX.wav")
    return DatasetTrack("mix", file, Label("mix")) if file.is_file() else None
