"""The reference: read at the song's rate, checked, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.analysis import measure
from tonmeister.analysis.mix import MixMeasurement
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.mix_metrics import read_mix
from tonmeister.multitrack import Multitrack

__all__ = ["Reference", "read_reference"]

_SHORTEST_S: Final = 1.0
"""Less says nothing about a balance."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A finished mix to come close to."""

    name: str
    path: Path
    audio: Audio
    """Two channels at the song's rate."""
    measured: MixMeasurement
    mono: bool
    """Whether the file has one channel, or two that are alike: nothing is then learned about width."""


def read_reference(path: Path, multitrack: Multitrack) -> Reference:
    """Raises `BadInputError` for what cannot be a reference of these tracks."""
    path = Path(path)
    if not path.is_file():
        raise BadInputError(f"{path}: no such file: give the reference mix")
    for track in multitrack.tracks:
        if any(source.path.resolve() == path.resolve() for source in track.sources):
            raise BadInputError(
                f"{path}: is the track {track.name!r} itself: give a finished mix, or take it out of the folder"
            )
    audio = read_mix(path, multitrack.sample_rate)
    if audio.duration_s < _SHORTEST_S:
        raise BadInputError(
            f"{path}: lasts {audio.duration_s:.2f} s: a reference needs at least {_SHORTEST_S:g} s"
        )
    stereo = audio if audio.channels == 2 else Audio(np.repeat(audio.samples, 2, axis=0), audio.sample_rate)
    measured = measure([stereo.samples], stereo.sample_rate, 2)
    if measured.integrated_lufs is None:
        raise BadInputError(f"{path}: nothing in it is loud enough to be measured: give another reference")
    alike = audio.channels == 1 or bool(np.array_equal(audio.samples[0], audio.samples[1]))
    return Reference(path.name, path, stereo, measured, alike)
