"""Panorama: every bin moves away from the middle, or toward it.

The panning index of a bin is the angle theta = atan2(|R|, |L|) - 45 degrees; it becomes theta' = w theta, at most 45
degrees, and the bin keeps its power and the phases of its channels::

    |L'| = p cos(theta' + 45 deg),  |R'| = p sin(theta' + 45 deg),  p^2 = |L|^2 + |R|^2

After the block TFSP of Matz, Cano & Abesser, ISMIR 2015, as reconstructed; a mono signal stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_stereo
from tonmeister.effects.short_time import Change, ShortTimeProcessor
from tonmeister.units import Range

__all__ = ["Panorama"]

_TINY: Final = 1e-30


@dataclass(frozen=True)
class Panorama(Parameters):
    """How far apart bins stand: below 1 closer together, 1 as they were, above 1 farther."""

    kind: ClassVar[str] = "panorama"
    needs_stereo: ClassVar[bool] = True
    width: float = parameter(1.0, Range(0.5, 2.0))

    def processor(self) -> Processor:
        return ShortTimeProcessor(self._prepared)

    def _prepared(self, sample_rate: int, channels: int) -> Change:
        check_stereo(self.kind, channels)
        width = self.width

        def change(spectrum: NDArray[Any]) -> NDArray[Any]:
            magnitude = np.abs(spectrum)
            power = np.hypot(magnitude[0], magnitude[1])
            turned = np.clip(
                width * (np.arctan2(magnitude[1], magnitude[0]) - np.pi / 4), -np.pi / 4, np.pi / 4
            )
            wanted = power * np.stack([np.cos(turned + np.pi / 4), np.sin(turned + np.pi / 4)])
            return np.asarray(wanted * _directions(spectrum, magnitude))

        return change


def _directions(spectrum: NDArray[Any], magnitude: NDArray[Any]) -> NDArray[Any]:
    """Unit phasors; a silent channel borrows the other's."""
    heard = magnitude > _TINY
    phasors = np.where(heard, spectrum, 0.0) / np.where(heard, magnitude, 1.0)
    return np.where(heard, phasors, phasors[::-1])
