"""Good-sounds: ``sounds.json`` and ``takes.json`` beside ``good-sounds/sound_files/<pack>/<microphone>/NNNN.wav``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import read_label
from tonmeister.datasets.reading import LARGEST_INDEX_BYTES, inside, mapping, read_json, text
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Excluded

__all__ = ["GoodSounds"]


class GoodSounds:
    """Single notes and scales of twelve instruments; each sound is a song, each microphone a track."""

    info: ClassVar = DatasetInfo(
        name="good-sounds",
        title="Good-sounds",
        licence="CC BY-SA 4.0",
        citation="O. Romani Picas, H. Parra Rodriguez, D. Dabiri, H. Tokuda, W. Hariya, K. Oishi, X. Serra: A Real-Time "
        "System for Measuring Sound Goodness in Instrumental Sounds, AES 138 (2015)",
        url="https://zenodo.org/record/4588740",
        looks_for="sounds.json and takes.json beside [good-sounds/]sound_files/",
    )

    def __init__(self, path: Path) -> None:
        self._root = path

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return (path / "sounds.json").is_file() and (path / "takes.json").is_file()

    def songs(self) -> Iterator[DatasetSong]:
        sounds, takes = (self._index(name) for name in ("sounds.json", "takes.json"))
        audio = self._root / "good-sounds" if (self._root / "good-sounds").is_dir() else self._root
        of_sound: dict[str, list[Mapping[str, Any]]] = {}
        for key, entry in takes.items():
            take = mapping(entry, f"takes.json: {key}")
            of_sound.setdefault(text(take.get("sound_id")), []).append(take)
        for key, entry in sounds.items():
            try:
                yield _song(audio, key, mapping(entry, f"sounds.json: {key}"), of_sound.get(key, []))
            except BadInputError as error:
                yield DatasetSong("Good-sounds", f"sound {key}", audio, problem=str(error))

    def _index(self, name: str) -> Mapping[str, Any]:
        file = self._root / name
        return mapping(read_json(file, largest_bytes=LARGEST_INDEX_BYTES), str(file))


def _song(audio: Path, key: str, sound: Mapping[str, Any], takes: list[Mapping[str, Any]]) -> DatasetSong:
    label = read_label("good-sounds", text(sound.get("instrument")))
    named = [
        DatasetTrack(
            name=f"{label.word} {text(take.get('microphone'))}".strip(),
            file=inside(audio, text(take.get("filename"))),
            label=label,
            group=label.word if len(takes) > 1 else None,
            remark=f"microphone {text(take.get('microphone'))}",
        )
        for take in takes
    ]
    tracks, missing = there(named)
    kept = ("note", "octave", "dynamics", "player", "klass", "semitone")
    return DatasetSong(
        dataset="Good-sounds",
        title=f"{label.word} {key}",
        folder=audio,
        tracks=tracks,
        missing=missing if takes else (Excluded("takes.json", f"has no take of sound {key}"),),
        metadata={k: text(sound[k]) for k in kept if sound.get(k) is not None},
    )
