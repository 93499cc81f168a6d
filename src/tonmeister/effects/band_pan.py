"""Band pan: every octave stands at a place of its own; what is below 200 Hz stays in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.panning import pan_gains
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_stereo
from tonmeister.effects.short_time import Change, ShortTimeProcessor, bin_hz
from tonmeister.units import Range

__all__ = ["BAND_PAN_HZ", "BandPan"]

BAND_PAN_HZ: Final = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
"""Centers of the octaves."""
_CENTER_BELOW_HZ: Final = 200.0
_PLACE: Final = Range(-1.0, 1.0)


@dataclass(frozen=True)
class BandPan(Parameters):
    """Six octaves and their pans, -1 left to 1 right; places in between are joined in straight lines over octaves."""

    kind: ClassVar[str] = "band_pan"
    needs_stereo: ClassVar[bool] = True
    pan_250: float = parameter(0.0, _PLACE)
    pan_500: float = parameter(0.0, _PLACE)
    pan_1000: float = parameter(0.0, _PLACE)
    pan_2000: float = parameter(0.0, _PLACE)
    pan_4000: float = parameter(0.0, _PLACE)
    pan_8000: float = parameter(0.0, _PLACE)

    @property
    def pans(self) -> tuple[float, ...]:
        """In the order of `BAND_PAN_HZ`."""
        return (self.pan_250, self.pan_500, self.pan_1000, self.pan_2000, self.pan_4000, self.pan_8000)

    def processor(self) -> Processor:
        return ShortTimeProcessor(self._prepared)

    def _prepared(self, sample_rate: int, channels: int) -> Change:
        check_stereo(self.kind, channels)
        hertz = np.maximum(bin_hz(sample_rate), 1.0)
        places = np.interp(np.log2(hertz), np.log2(BAND_PAN_HZ), self.pans)
        places[hertz < _CENTER_BELOW_HZ] = 0.0
        gains: NDArray[Any] = np.array([pan_gains(float(place)) for place in places]).T
        return lambda spectrum: spectrum * gains
