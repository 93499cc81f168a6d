"""NSynth: ``nsynth-{train,valid,test}/examples.json`` and ``audio/<note>.wav``, one note a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import Label, read_label
from tonmeister.datasets.reading import LARGEST_INDEX_BYTES, inside, mapping, read_json, subfolders, text
from tonmeister.errors import BadInputError

__all__ = ["NSynth"]


class NSynth:
    """Single notes of sampled instruments, 4 s at 16 kHz."""

    info: ClassVar = DatasetInfo(
        name="nsynth",
        title="NSynth",
        licence="CC BY 4.0",
        citation="J. Engel, C. Resnick, A. Roberts, S. Dieleman, M. Norouzi, D. Eck, K. Simonyan: Neural Audio Synthesis of "
        "Musical Notes with WaveNet Autoencoders, ICML 2017",
        url="https://magenta.tensorflow.org/datasets/nsynth",
        looks_for="nsynth-{train,valid,test}/examples.json beside audio/",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            file = folder / "examples.json"
            notes = mapping(read_json(file, largest_bytes=LARGEST_INDEX_BYTES), str(file))
            split = next((s for s in ("train", "valid", "test") if folder.name.endswith(s)), "")
            for name, entry in notes.items():
                yield _note(folder, split, name, entry)


def _folders(path: Path) -> list[Path]:
    found = (path, *subfolders(path))
    return [f for f in found if (f / "examples.json").is_file() and (f / "audio").is_dir()]


def _note(folder: Path, split: str, name: str, entry: Any) -> DatasetSong:
    try:
        note = mapping(entry, f"{folder / 'examples.json'}: {name}")
        file = inside(folder / "audio", f"{name}.wav")
    except BadInputError as error:
        return DatasetSong("NSynth", name, folder, split, problem=str(error))
    label = _label(note)
    tracks, missing = there([DatasetTrack(label.word, file, label, remark=text(note.get("instrument_str")))])
    kept = ("pitch", "velocity", "instrument_source_str", "instrument_str", "qualities_str")
    metadata = {k: text(note[k]) for k in kept if k in note}
    return DatasetSong("NSynth", name, folder, split, tracks=tracks, missing=missing, metadata=metadata)


def _label(note: Mapping[str, Any]) -> Label:
    """The family; a synthetic or electronic bass is a synth bass."""
    word = text(note.get("instrument_family_str"))
    if word == "bass" and text(note.get("instrument_source_str")) in ("synthetic", "electronic"):
        return Label(word, "synth_bass", mapped=True)
    return read_label("nsynth", word)
