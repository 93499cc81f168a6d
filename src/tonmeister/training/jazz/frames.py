"""What the networks learn from: band spectra of pieces, with what belongs to the soloist.

The separator hears the middle of the mix; its answer for a band is right when the alpha-Wiener mask behind it is the
gain that leaves the least error of the soloist's spectrum S in the mixture M::

    w(b,t) = Re sum_k P(b,k) S conj M / sum_k P(b,k) |M|^2,   limited to 0..1

The network that places hears the soloist as separated: mask times |M|.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.engines.jazz.placement import stereo_gains
from tonmeister.separation.bands import pooling
from tonmeister.separation.jazz import FRONT_END, log_power
from tonmeister.training.jazz.labels import label, solo_gains
from tonmeister.training.jazz.pieces import RATE_HZ, SOLOISTS, JazzPiece, PieceOptions, make_piece
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["RATIO_DB", "SoloFrames", "engineered", "mixture_frames", "solo_frames"]

RATIO_DB: Final = 9.0
"""The soloist is moved by up to so much against the band."""
_TINY: Final = 1e-20


@dataclass(frozen=True, eq=False)
class SoloFrames:
    """Frames of many mixtures, one after the other."""

    features: NDArray[np.float16]
    """What the network hears, (frames, bands)."""
    gains: NDArray[np.float16]
    """Best gain of each band, (frames, bands)."""
    borders: NDArray[np.int64]
    """First frame of each mixture, and the end of the last."""
    places: DoubleArray
    """Of each mixture: where the engineer puts the soloist (theta, degrees), the gain that gets there from what is heard
    in the middle, loudness of the mixture (LUFS), number of the instrument; NaN where that cannot be said."""

    @classmethod
    def joined(cls, parts: Sequence[SoloFrames]) -> SoloFrames:
        lengths = np.concatenate([np.diff(p.borders) for p in parts])
        return cls(
            np.concatenate([p.features for p in parts]),
            np.concatenate([p.gains for p in parts]),
            np.concatenate([[0], np.cumsum(lengths)]),
            np.concatenate([p.places for p in parts]),
        )

    def part(self, start: int, stop: int) -> SoloFrames:
        """The mixtures from `start` to before `stop`."""
        first, last = self.borders[start], self.borders[stop]
        borders = self.borders[start : stop + 1] - first
        return SoloFrames(self.features[first:last], self.gains[first:last], borders, self.places[start:stop])

    def save(self, path: Path) -> None:
        np.savez(path, features=self.features, gains=self.gains, borders=self.borders, places=self.places)

    @classmethod
    def load(cls, path: Path) -> SoloFrames:
        with np.load(path, allow_pickle=False) as data:
            return cls(data["features"], data["gains"], data["borders"], data["places"])


def solo_frames(seeds: Sequence[int], options: PieceOptions, told: Callable[[float], None]) -> SoloFrames:
    """Frames of the pieces of `seeds`, each as it is and once more with the soloist moved."""
    parts: list[SoloFrames] = []
    for number, seed in enumerate(seeds):
        piece = make_piece(seed, options)
        offset_db = float(Seeds.of(seed).generator("ratio").uniform(-RATIO_DB, RATIO_DB))
        truth = engineered(piece)
        for gain_db in (0.0, offset_db):
            parts.append(_mixture_frames(piece, gain_db, truth))
        told((number + 1) / len(seeds))
    return SoloFrames.joined(parts)


def engineered(piece: JazzPiece) -> tuple[float, float] | None:
    """The soloist's gains in the engineer's mix."""
    left, right = stereo_gains(piece.theta_deg, float(np.sqrt(2.0)))
    image = np.concatenate([piece.solo * np.float32(left), piece.solo * np.float32(right)])
    return solo_gains(image + piece.accompaniment, piece.solo, piece.band, RATE_HZ)


def _mixture_frames(piece: JazzPiece, gain_db: float, truth: tuple[float, float] | None) -> SoloFrames:
    """Frames of one mixture, the soloist `gain_db` louder than the engineer wanted."""
    image = piece.solo_image * np.float32(db_to_gain(gain_db))
    features, gains = mixture_frames(image, piece.accompaniment)
    meter = LoudnessMeter(RATE_HZ, 2, peaks=False)
    meter.update(image + piece.accompaniment)
    place = np.full((1, 4), np.nan)
    if truth is not None and meter.integrated_lufs is not None and piece.instrument in SOLOISTS:
        heard_gain = float(np.mean(piece.image_gains)) * db_to_gain(gain_db)
        number = SOLOISTS.index(piece.instrument)
        place[0] = (*label(truth, heard_gain), meter.integrated_lufs, number)
    return SoloFrames(features, gains, np.array([0, len(features)]), place)


def mixture_frames(solo: FloatArray, band: FloatArray) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Features and best gains (frames, bands) of a mixture of a soloist's image and the band, (2, frames) each."""
    stft = FRONT_END.stft
    s, a = (stft.forward(x.mean(0, keepdims=True)) for x in (solo, band))
    mixture = s + a
    pool = pooling(FRONT_END.bands, FRONT_END.framing.bins, RATE_HZ)
    power = (np.abs(mixture[0]) ** 2).T @ pool.T
    shared = (s[0] * np.conj(mixture[0])).real.T @ pool.T
    gains = np.clip(shared / np.maximum(power, _TINY), 0.0, 1.0)
    return log_power(mixture).astype(np.float16), gains.astype(np.float16)
