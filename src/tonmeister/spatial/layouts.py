"""Loudspeaker layouts: names, directions and order of their channels.

Azimuth is in degrees, positive to the left, 0 in front; elevation is positive upward. Layouts have the names, the
nominal directions and the channel order of ITU-R BS.2051; ``quad`` is the 2/2 layout of BS.775. Channels are in that
order everywhere; a plain WAV file has its own order, which its channel mask states (see `wave_order`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import DoubleArray

__all__ = ["BINAURAL", "DOWNMIX_GAIN", "LAYOUTS", "LAYOUT_NAMES", "Layout", "Speaker", "direction", "layout"]

DOWNMIX_GAIN: Final = 0.5**0.5
"""Of center and surrounds in a stereo downmix (ITU-R BS.775), -3 dB."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One channel: its BS.2051 label, its direction, its bit in the channel mask of a WAV file."""

    label: str
    azimuth_deg: float
    elevation_deg: float
    mask: int
    wave_name: str

    @property
    def lfe(self) -> bool:
        """Whether it is the channel of low effects, which no direction belongs to."""
        return self.label.startswith("LFE")


def _speaker(label: str, mask: int, wave_name: str) -> Speaker:
    """The direction stands in the label: M+030 is 30 degrees to the left in the middle layer, U is 30 degrees up."""
    azimuth_deg = 0.0 if label.startswith("LFE") else float(label[1:])
    return Speaker(label, azimuth_deg, 30.0 if label.startswith("U") else 0.0, mask, wave_name)


_FRONT: Final = (_speaker("M+030", 0x1, "FL"), _speaker("M-030", 0x2, "FR"))
_CENTER: Final = (_speaker("M+000", 0x4, "FC"), _speaker("LFE1", 0x8, "LFE"))
_SURROUND: Final = (_speaker("M+110", 0x200, "SL"), _speaker("M-110", 0x400, "SR"))
_SIDE: Final = (_speaker("M+090", 0x200, "SL"), _speaker("M-090", 0x400, "SR"))
_BACK: Final = (_speaker("M+135", 0x10, "BL"), _speaker("M-135", 0x20, "BR"))
_REAR: Final = (_speaker("M+110", 0x10, "BL"), _speaker("M-110", 0x20, "BR"))


def _top(front: str, back: str) -> tuple[Speaker, ...]:
    return (
        _speaker(f"U+{front}", 0x1000, "TFL"),
        _speaker(f"U-{front}", 0x4000, "TFR"),
        _speaker(f"U+{back}", 0x8000, "TBL"),
        _speaker(f"U-{back}", 0x20000, "TBR"),
    )


def direction(azimuth_deg: float, elevation_deg: float) -> DoubleArray:
    """Unit vector (x front, y left, z up) of a direction."""
    azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    level = np.cos(elevation)
    return np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])


@dataclass(frozen=True)
class Layout:
    """Loudspeakers in order; the first two are always the left and right of stereo."""

    name: str
    itu: str
    """Name in ITU-R BS.2051 (upper + middle + lower layer)."""
    speakers: tuple[Speaker, ...]

    @property
    def channels(self) -> int:
        return len(self.speakers)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(s.label for s in self.speakers)

    def index(self, label: str) -> int | None:
        """The channel with a label; None where the layout has none."""
        return self.labels.index(label) if label in self.labels else None

    @cached_property
    def directions(self) -> DoubleArray:
        """Unit vectors (channels, 3); zeros for LFE."""
        rows = [np.zeros(3) if s.lfe else direction(s.azimuth_deg, s.elevation_deg) for s in self.speakers]
        return np.array(rows)

    @cached_property
    def downmix(self) -> DoubleArray:
        """(2, channels): Lo = L + k C + k (every other channel on the left), Ro likewise, k = 0.7071; LFE is left out."""
        matrix = np.zeros((2, self.channels))
        matrix[0, 0] = matrix[1, 1] = 1.0
        for channel, speaker in enumerate(self.speakers[2:], 2):
            if not speaker.lfe:
                matrix[:, channel] = DOWNMIX_GAIN * np.array(
                    [speaker.azimuth_deg >= 0, speaker.azimuth_deg <= 0]
                )
        return matrix

    def surrounds(self, side: int) -> tuple[int, ...]:
        """Channels on one side (1 left, -1 right) behind or above the front ones."""
        return tuple(
            channel
            for channel, speaker in enumerate(self.speakers[2:], 2)
            if not speaker.lfe and speaker.azimuth_deg * side > 0
        )

    @property
    def loudness_weights(self) -> DoubleArray:
        """Of each channel in the loudness: 1.41 at 60 to 120 degrees in the middle layer, LFE 0 (ITU-R BS.1770-4)."""
        sides = [60.0 <= abs(s.azimuth_deg) <= 120.0 and abs(s.elevation_deg) < 30.0 for s in self.speakers]
        return np.array(
            [0.0 if s.lfe else 1.41 if side else 1.0 for s, side in zip(self.speakers, sides, strict=True)]
        )

    @property
    def channel_mask(self) -> int:
        """dwChannelMask of a WAV file with these channels."""
        return sum(s.mask for s in self.speakers)

    @property
    def wave_order(self) -> NDArray[np.intp]:
        """Which channel comes at each place of a WAV file: by rising bit of the mask, so backs before sides."""
        return np.argsort([s.mask for s in self.speakers], kind="stable")


BINAURAL: Final = "binaural"
"""Two channels for headphones: the layout 7.1.4 heard through a model of the head."""

LAYOUTS: Final[Mapping[str, Layout]] = {
    made.name: made
    for made in (
        Layout("stereo", "0+2+0", _FRONT),
        Layout("quad", "2/2 (BS.775)", (*_FRONT, *_REAR)),
        Layout("5.1", "0+5+0", (*_FRONT, *_CENTER, *_SURROUND)),
        Layout("7.1", "0+7+0", (*_FRONT, *_CENTER, *_SIDE, *_BACK)),
        Layout("5.1.4", "4+5+0", (*_FRONT, *_CENTER, *_SURROUND, *_top("030", "110"))),
        Layout("7.1.4", "4+7+0", (*_FRONT, *_CENTER, *_SIDE, *_BACK, *_top("045", "135"))),
    )
}
LAYOUT_NAMES: Final[Sequence[str]] = (*LAYOUTS, BINAURAL)
"""What ``--layout`` takes."""


def layout(name: str) -> Layout:
    """A layout by its name; for ``binaural`` the loudspeakers that are heard through the head."""
    if name == BINAURAL:
        return LAYOUTS["7.1.4"]
    if name not in LAYOUTS:
        raise BadInputError(
            f"layout={name!r} is not known{nearest(name, list(LAYOUT_NAMES))}: give one of {', '.join(LAYOUT_NAMES)}"
        )
    return LAYOUTS[name]
