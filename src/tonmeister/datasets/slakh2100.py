"""Slakh2100, redux and baby: ``{train,validation,test}/TrackNNNNN/`` with metadata.yaml, stems/Sxx.flac, mix.flac."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import Label, midi_program
from tonmeister.datasets.reading import inside, mapping, read_yaml, subfolders, text
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Excluded

__all__ = ["Slakh2100"]

_SPLITS: Final = {"train": "train", "validation": "valid", "test": "test", "omitted": "", "": ""}
_DRUMS: Final = 128


class Slakh2100:
    """MIDI songs rendered with sampled instruments, one mono track a part; no voices."""

    info: ClassVar = DatasetInfo(
        name="slakh2100",
        title="Slakh2100, redux and BabySlakh",
        licence="CC BY 4.0",
        citation="E. Manilow, G. Wichern, P. Seetharaman, J. Le Roux: Cutting Music Source Separation Some Slakh, WASPAA "
        "2019",
        url="http://www.slakh.com",
        looks_for="[{train,validation,test}/]TrackNNNNN/metadata.yaml",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for split, folder in self._folders:
            file = folder / "metadata.yaml"
            try:
                yield _song(folder, _SPLITS[split], mapping(read_yaml(file), str(file)))
            except BadInputError as error:
                yield DatasetSong("Slakh2100", folder.name, folder, _SPLITS[split], problem=str(error))


def _song_folders(path: Path) -> list[tuple[str, Path]]:
    found = [(s, f) for s in _SPLITS for f in subfolders(path / s) if (f / "metadata.yaml").is_file()]
    songs = [(split, folder) for split, folder in found if folder.name.startswith("Track")]
    return songs or (
        [("", path)] if path.name.startswith("Track") and (path / "metadata.yaml").is_file() else []
    )


def _song(folder: Path, split: str, data: Mapping[str, Any]) -> DatasetSong:
    stems = mapping(data.get("stems"), f"{folder / 'metadata.yaml'}: stems")
    audio = inside(folder, text(data.get("audio_dir")) or "stems")
    named: list[DatasetTrack] = []
    silent: list[Excluded] = []
    for key, entry in sorted(stems.items()):
        stem = mapping(entry, f"{folder / 'metadata.yaml'}: {key}")
        track = _track(_audio(inside(audio, key)), key, stem)
        if stem.get("audio_rendered") is False and not track.file.is_file():
            silent.append(Excluded(track.file.name, "was not rendered, says the metadata"))
        else:
            named.append(track)
    tracks, missing = there(named)
    mix = _audio(folder / "mix")
    return DatasetSong(
        dataset="Slakh2100",
        title=folder.name,
        folder=folder,
        split=split,
        tracks=tracks,
        mix=DatasetTrack("mix", mix, Label("mix")) if mix.is_file() else None,
        missing=(*missing, *silent),
        metadata={key: text(data[key]) for key in ("UUID", "overall_gain", "target_peak") if key in data},
    )


def _audio(stem: Path) -> Path:
    """FLAC as in the release, WAV in BabySlakh."""
    wav = stem.with_name(f"{stem.name}.wav")
    return wav if wav.is_file() else stem.with_name(f"{stem.name}.flac")


def _track(file: Path, key: str, stem: Mapping[str, Any]) -> DatasetTrack:
    word, program = text(stem.get("midi_program_name")), stem.get("program_num")
    number = _DRUMS if stem.get("is_drum") is True else program
    label = midi_program(number, word) if isinstance(number, int) else Label(word)
    kind = text(stem.get("inst_class"))
    return DatasetTrack(
        name=f"{key} {word}".strip(),
        file=file,
        label=label,
        remark=", ".join(filter(None, (kind and f"class {kind}", text(stem.get("plugin_name"))))),
    )
