"""ENST-Drums: ``drummer_N/audio/<channel>/<take>.wav``, one folder a microphone, ``dry_mix`` and ``wet_mix`` beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import Label, read_label
from tonmeister.datasets.reading import audio_files, subfolders

__all__ = ["EnstDrums"]

CHANNELS: Final = ("kick", "snare", "hi-hat", "tom_1", "tom_2", "tom_3", "overhead_L", "overhead_R")
_MIXES: Final = ("dry_mix", "wet_mix")
_ELSE: Final = (*_MIXES, "accompaniment")


class EnstDrums:
    """Drum kits through up to eight microphones, with an engineer's dry and wet mix of them."""

    info: ClassVar = DatasetInfo(
        name="enst-drums",
        title="ENST-Drums",
        licence="research only, on request from the authors",
        citation="O. Gillet, G. Richard: ENST-Drums: An Extensive Audio-Visual Database for Drum Signals Processing, ISMIR "
        "2006",
        url="https://perso.telecom-paristech.fr/grichard/ENST-drums/",
        looks_for="drummer_N/audio/{kick,snare,...}/<take>.wav",
    )

    def __init__(self, path: Path) -> None:
        self._drummers = _drummers(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_drummers(path))

    def songs(self) -> Iterator[DatasetSong]:
        for drummer in self._drummers:
            audio = drummer / "audio"
            channels = [f.name for f in subfolders(audio) if f.name not in _ELSE]
            for take in _takes(audio, channels):
                yield _song(drummer, channels, take)


def _drummers(path: Path) -> list[Path]:
    for root in (path, path / "ENST-drums-public"):
        if found := [f for f in subfolders(root) if f.name.startswith("drummer_") and (f / "audio").is_dir()]:
            return found
    return []


def _takes(audio: Path, channels: list[str]) -> list[str]:
    return sorted({file.name for channel in channels for file in audio_files(audio / channel)})


def _song(drummer: Path, channels: list[str], take: str) -> DatasetSong:
    audio = drummer / "audio"
    ordered = sorted(channels, key=lambda c: (CHANNELS.index(c) if c in CHANNELS else len(CHANNELS), c))
    tracks, missing = there([_track(audio / channel / take, channel) for channel in ordered])
    mixes = {kind: audio / kind / take for kind in _MIXES}
    stems, _ = there([DatasetTrack(k, f, Label(k, "drums", mapped=True)) for k, f in mixes.items()])
    name = Path(take).stem
    backing = audio / "accompaniment" / take
    return DatasetSong(
        dataset="ENST-Drums",
        title=f"{drummer.name} {name}",
        folder=drummer,
        tracks=tracks,
        stems=stems,
        mix=next((s for s in reversed(stems)), None),
        missing=missing,
        metadata={"take": name, "drummer": drummer.name}
        | ({"accompaniment": str(backing)} if backing.is_file() else {}),
    )


def _track(file: Path, channel: str) -> DatasetTrack:
    group = "overheads" if channel.startswith("overhead") else None
    return DatasetTrack(channel.replace("_", " "), file, read_label("enst-drums", channel), group=group)
