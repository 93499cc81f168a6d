"""How late a mix is against its tracks, and whether its polarity is theirs.

For every lag the tracks are fitted to the mix by least squares, and the lag that explains most is taken:

    explained(d) = b(d)' G^-1 b(d) / |v|^2,     b_k(d) = sum_n u_k[n] v[n + d],     G_kl = sum_n u_k[n] u_l[n]

(u tracks, v mix). Unlike the lag of the mix against the plain sum of the tracks, this does not depend on how the
tracks were turned up, nor on the polarity of any of them. First differences flatten the spectra and so sharpen
the peak. Only the loudest stretches of a few parts of the song are used, so memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.multitrack import Multitrack, Track
from tonmeister.units import DoubleArray, FloatArray
from tonmeister.unmixing.reading import MixSource, checked, filled

__all__ = ["MAX_DELAY_S", "Alignment", "align"]

MAX_DELAY_S: Final = 1.0
STRETCH_S: Final = 4.0
PARTS: Final = 3
"""The loudest stretch of each third of the song is looked at."""
CERTAIN_SHARE: Final = 0.5
"""Explaining half of the mix's energy leaves no doubt, even where loops repeat and lags rival."""
LEAST_SHARE: Final = 0.03
STANDS_OUT: Final = 1.5
"""Below that share a lag still counts when it explains this many times more than any lag elsewhere."""
NEIGHBORHOOD_S: Final = 0.003
_PARTS: Final = np.linspace(-0.5, 0.5, 101)
_NEIGHBORS: Final = 64
WHOLE_FRAME: Final = 0.05
"""A lag this close to a whole number of frames is that number."""
_RIDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Alignment:
    """The mix lags its tracks by `delay_frames` (negative: leads)."""

    delay_frames: float
    inverted: bool
    explained: float
    """Share of the mix's energy (of its first differences) that the tracks explain at the best lag, 0 to 1."""
    certain: bool
    """Whether the tracks were recognized in the waveform of the mix at all."""
    best_frames: float
    """The delay that explains most; differs from `delay_frames` where that was given."""

    @property
    def best_taken(self) -> bool:
        """Whether the mix is read at the best delay, to half a frame."""
        return abs(self.best_frames - self.delay_frames) <= 0.5


def align(
    multitrack: Multitrack, mix: MixSource, *, threads: int, delay_frames: float | None = None
) -> Alignment:
    """Find delay and polarity of `mix`, or, where the delay is given, its polarity and whether it fits.

    Raises `BadInputError` when the mix is silent.
    """
    rate = multitrack.sample_rate
    length = int(STRETCH_S * rate)
    heard = _loudest(mix, rate, length, delay_frames or 0.0)
    indices = sorted(heard)
    with ThreadPoolExecutor(threads, thread_name_prefix="unmix") as pool:
        jobs = [pool.submit(_stretches_of, t, rate, length, indices) for t in multitrack.tracks]
        tracks = np.stack([job.result() for job in jobs])
    mixed = np.diff(np.stack([heard[i] for i in indices]).astype(np.float64))
    return _best(np.diff(tracks), mixed, rate, delay_frames)


def _middle(block: FloatArray) -> FloatArray:
    return np.asarray(block.mean(axis=0))


def _loudest(mix: MixSource, rate: int, length: int, delay_frames: float) -> Mapping[int, FloatArray]:
    """The loudest stretch of each part of the mix, by its number on a grid of stretches."""
    energies = [
        float(np.sum(np.square(np.diff(_middle(block)), dtype=np.float64)))
        for block in mix.blocks(rate, length, delay_frames)
    ]
    if not any(energies):
        raise BadInputError(f"{mix.name}: silent, so no track can be found in it: give the finished mix")
    parts = np.array_split(np.arange(len(energies)), min(PARTS, len(energies)))
    wanted = {int(part[np.argmax(np.asarray(energies)[part])]) for part in parts}
    stretches = enumerate(mix.blocks(rate, length, delay_frames))
    return {i: _middle(block) for i, block in stretches if i in wanted and energies[i] > 0}


def _stretches_of(track: Track, rate: int, length: int, indices: Sequence[int]) -> FloatArray:
    """The same stretches of a track; (stretches, frames), silence behind its end."""
    kept = np.zeros((len(indices), length), np.float32)
    with track.open(rate) as reader:
        for index in range(indices[-1] + 1):
            block = checked(track.file, filled(reader, length))
            if index in indices:
                kept[indices.index(index)] = _middle(block)
    return kept


def _best(tracks: FloatArray, mixed: DoubleArray, rate: int, given: float | None) -> Alignment:
    """Alignment of `tracks` (tracks, stretches, frames) and `mixed` (stretches, frames)."""
    energies = np.einsum("ksn,ksn->k", tracks, tracks, dtype=np.float64)
    heard = energies > 0
    unknown = Alignment(given or 0.0, False, 0.0, False, given or 0.0)
    if not heard.any():
        return unknown
    reach = int(MAX_DELAY_S * rate)
    scaled = _Scaled.of(tracks[heard], energies[heard], mixed, reach)
    explained = scaled.explained(scaled.crossed)
    at = int(np.argmax(explained))
    elsewhere = np.abs(np.arange(len(explained)) - at) > NEIGHBORHOOD_S * rate
    share, rival = float(explained[at]), float(explained[elsewhere].max())
    certain = share > CERTAIN_SHARE or share > max(LEAST_SHARE, STANDS_OUT * rival)
    if not certain:
        return unknown
    found = (given or 0.0) + at - reach + scaled.part_of_frame(at)
    return Alignment(found if given is None else given, scaled.inverted(at), min(share, 1.0), certain, found)


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The equations of all lags, of tracks scaled to unit energy."""

    gram: DoubleArray
    """(tracks, tracks)."""
    crossed: DoubleArray
    """(tracks, lags)."""
    mix: float

    @classmethod
    def of(cls, tracks: FloatArray, energies: DoubleArray, mixed: DoubleArray, reach: int) -> _Scaled:
        scale = 1.0 / np.sqrt(energies)
        flat = tracks.reshape(len(tracks), -1).astype(np.float64) * scale[:, None]
        gram = flat @ flat.T + _RIDGE * np.eye(len(flat))
        return cls(gram, _crossed(tracks, mixed, reach) * scale[:, None], float(np.sum(np.square(mixed))))

    def explained(self, crossed: DoubleArray) -> DoubleArray:
        """Share of the mix explained at each lag, (lags,)."""
        return np.asarray(np.einsum("kd,kd->d", crossed, np.linalg.solve(self.gram, crossed)) / self.mix)

    def inverted(self, at: int) -> bool:
        """Whether most of what the tracks add up to is inverted."""
        gains = np.linalg.solve(self.gram, self.crossed[:, at])
        return bool(np.sum(np.sign(gains) * np.square(gains)) < 0)

    def part_of_frame(self, at: int) -> float:
        """How far from a whole frame, -0.5 to 0.5, the share is highest.

        Cross-correlations are band-limited as the signals are, so sinc interpolation gives them in between.
        """
        reach = min(_NEIGHBORS, at, self.crossed.shape[1] - 1 - at)
        places = np.arange(-reach, reach + 1)
        weights = np.sinc(_PARTS[None, :] - places[:, None]) * np.hanning(2 * reach + 3)[1:-1, None]
        shares = self.explained(self.crossed[:, at + places] @ weights)
        part = float(_PARTS[int(np.argmax(shares))])
        return part if abs(part) > WHOLE_FRAME else 0.0


def _crossed(tracks: FloatArray, mixed: DoubleArray, reach: int) -> DoubleArray:
    """Cross-correlations (tracks, lags from -reach to reach), added up over the stretches."""
    length = 1 << (mixed.shape[1] + reach).bit_length()
    spectra = np.fft.rfft(mixed, length)
    return np.stack([_lags(track, spectra, length, reach) for track in tracks])


def _lags(track: FloatArray, spectra: np.ndarray, length: int, reach: int) -> DoubleArray:
    product = np.zeros(length // 2 + 1, np.complex128)
    for samples, spectrum in zip(track, spectra, strict=True):
        product += np.conj(np.fft.rfft(samples.astype(np.float64), length)) * spectrum
    lags = np.fft.irfft(product, length)
    return np.concatenate((lags[-reach:], lags[: reach + 1]))
