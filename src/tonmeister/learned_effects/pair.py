"""A recording before and behind a device, brought together: channels, delay, polarity; or refused with a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.audio import Audio, AudioReader
from tonmeister.dsp.correlation import best_lag
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, FloatArray, gain_to_db

__all__ = ["Pair", "aligned_pair"]

SHORTEST_S: Final = 1.0
"""Held out and learned from, less tells nothing about 155 numbers."""
LONGEST_DELAY_S: Final = 1.0
COMPARED_S: Final = 60.0
LEAST_COHERENCE: Final = 0.1
_SILENT: Final = 1e-5
_FULL_SCALE: Final = 0.9999
_WINDOW_FRAMES: Final = 2048


@dataclass(frozen=True, eq=False)
class Pair:
    """Dry and wet of one length, float64 (channels, frames); the wet one in time and with the dry one's polarity."""

    dry: DoubleArray
    wet: DoubleArray
    sample_rate: int
    delay_frames: float = 0.0
    """By how much the wet file lagged."""
    inverted: bool = False
    gain_db: float = 0.0
    """Level of the wet file above the dry one's; stays in."""
    coherence: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        return int(self.dry.shape[1])


def aligned_pair(dry: Audio, wet: Audio) -> Pair:
    """Two recordings as a pair to learn from.

    Another sample rate of the wet file is converted. Raises `BadInputError` for what is silent, too short, not finite,
    or two recordings that have nothing to do with one another.
    """
    notes: list[str] = []
    if wet.sample_rate != dry.sample_rate:
        notes.append(f"the wet file was converted from {wet.sample_rate} to {dry.sample_rate} Hz")
        wet = _converted(wet, dry.sample_rate)
    for name, audio in (("dry", dry), ("wet", wet)):
        _check(name, audio)
    x, y = _channels(dry.samples, wet.samples, notes)
    if (clipped := _clipped(y)) > 2:
        notes.append(
            f"the wet file stands at full scale in {clipped} places: what the device did above is not in it"
        )
    coherence, delay, sign, x, y = _best_together(x, y, dry.sample_rate)
    if sign < 0:
        notes.append("the wet file has the opposite polarity: learned with polarity put right")
    if coherence < LEAST_COHERENCE:
        raise BadInputError(
            f"coherence={coherence:.3f} of the two files is below {LEAST_COHERENCE}: the wet file does not seem to be "
            "the dry one behind a device: give the two files of one recording"
        )
    gain_db = gain_to_db(_rms(y)) - gain_to_db(_rms(x))
    return Pair(x, y, dry.sample_rate, delay, sign < 0, gain_db, coherence, tuple(notes))


def _converted(audio: Audio, sample_rate: int) -> Audio:
    with AudioReader.from_memory(audio, sample_rate) as reader:
        blocks = list(reader.blocks(1 << 16))
    if not blocks:
        raise BadInputError("the wet file is empty: give the recording behind the device")
    return Audio(np.concatenate(blocks, axis=1), sample_rate)


def _check(name: str, audio: Audio) -> None:
    if not np.isfinite(audio.samples).all():
        raise BadInputError(f"the {name} file holds values that are no numbers: export it again")
    if audio.duration_s < SHORTEST_S:
        raise BadInputError(
            f"the {name} file has duration_s={audio.duration_s:.2f}: at least {SHORTEST_S:g} s are needed, and a minute "
            "is better"
        )
    if _rms(audio.samples) < _SILENT:
        raise BadInputError(f"the {name} file is silent: there is nothing to learn from")


def _channels(dry: FloatArray, wet: FloatArray, notes: list[str]) -> tuple[DoubleArray, DoubleArray]:
    """The same number of channels in both; float64."""
    x, y = _plain(dry), _plain(wet)
    if len(x) != len(y):
        notes.append(f"{len(x)} different channels dry, {len(y)} wet: learned from the mean of each")
        x, y = x.mean(axis=0, keepdims=True), y.mean(axis=0, keepdims=True)
        for name, mean in (("dry", x), ("wet", y)):
            if _rms(mean) < _SILENT:
                raise BadInputError(f"the channels of the {name} file cancel out: give a mono file")
    return x, y


def _plain(samples: FloatArray) -> DoubleArray:
    """One channel where all are the same."""
    same = all(np.array_equal(samples[0], row) for row in samples[1:])
    return np.asarray(samples[:1] if same else samples, np.float64)


def _clipped(samples: DoubleArray) -> int:
    """How many runs of at least three frames stand at full scale."""
    high = np.abs(samples) >= _FULL_SCALE
    runs = high[:, 2:] & high[:, 1:-1] & high[:, :-2]
    return int(np.count_nonzero(runs[:, 1:] & ~runs[:, :-1]))


def _best_together(
    x: DoubleArray, y: DoubleArray, sample_rate: int
) -> tuple[float, float, float, DoubleArray, DoubleArray]:
    """Coherence, delay, sign, and both in time, with that delay of the likely ones that makes them most alike."""
    tried = []
    for delay, sign in _delays(x, y, sample_rate):
        pair = _together(x, y * sign, delay, sample_rate)
        tried.append((_coherence(*pair), delay, sign, *pair))
    return max(tried, key=lambda found: found[0])


def _delays(x: DoubleArray, y: DoubleArray, sample_rate: int) -> list[tuple[float, float]]:
    """By how many frames y may lag x, with which sign: as the treble says, as the bass says, and in time."""
    frames = min(max(x.shape[1], y.shape[1]), round(COMPARED_S * sample_rate))
    first, second = (_fitted(a, frames).astype(np.float32) for a in (x, y))
    farthest = min(round(LONGEST_DELAY_S * sample_rate), frames // 2)
    found = []
    if (lag := best_lag(first, second, max_lag_frames=farthest)) is not None:
        found.append((lag.frames, -1.0 if lag.correlation < 0 else 1.0))
    found.append(_strongest(first, second, farthest))
    fine = [(lag + _fraction(first, second * np.float32(sign), lag), sign) for lag, sign in found]
    return [*fine, (0.0, fine[0][1])]


def _strongest(first: FloatArray, second: FloatArray, farthest: int) -> tuple[int, float]:
    """The lag of the largest correlation of the signals as they are, and its sign."""
    size = 1 << (first.shape[1] + farthest).bit_length()
    spectra = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    lags = np.fft.irfft(spectra.sum(axis=0), size)
    near = np.concatenate((lags[-farthest:], lags[: farthest + 1]))
    index = int(np.argmax(np.abs(near)))
    return index - farthest, 1.0 if near[index] >= 0 else -1.0


def _fitted(samples: DoubleArray, frames: int) -> DoubleArray:
    held = samples[:, :frames]
    return np.pad(held, ((0, 0), (0, frames - held.shape[1])))


def _fraction(first: FloatArray, second: FloatArray, lag: int) -> float:
    """The top of a parabola through the correlation of the differences at the peak and beside it."""
    a, b = np.diff(first), np.diff(second)
    before, at, behind = (_product(a, b, lag + step) for step in (-1, 0, 1))
    bend = before - 2.0 * at + behind
    return float(np.clip(0.5 * (before - behind) / bend, -0.5, 0.5)) if bend < 0.0 else 0.0


def _product(a: FloatArray, b: FloatArray, lag: int) -> float:
    first = a[:, max(-lag, 0) : a.shape[1] - max(lag, 0)]
    second = b[:, max(lag, 0) : b.shape[1] - max(-lag, 0)]
    return float(np.sum(first * second, dtype=np.float64))


def _together(
    x: DoubleArray, y: DoubleArray, delay: float, sample_rate: int
) -> tuple[DoubleArray, DoubleArray]:
    """Both without the delay, of the length they have in common."""
    whole = round(delay)
    x, y = x[:, max(-whole, 0) :], y[:, max(whole, 0) :]
    frames = min(x.shape[1], y.shape[1])
    if frames < SHORTEST_S * sample_rate:
        raise BadInputError(
            f"the files have only {frames / sample_rate:.2f} s in common: at least {SHORTEST_S:g} s are needed"
        )
    return np.ascontiguousarray(x[:, :frames]), _earlier(y[:, :frames], delay - whole)


def _earlier(y: DoubleArray, frames: float) -> DoubleArray:
    """Moved ahead by a fraction of a frame, by turning the phases."""
    if abs(frames) < 1e-3:
        return np.ascontiguousarray(y)
    size = 1 << (y.shape[1] + 256).bit_length()
    turned = np.fft.rfft(y, size) * np.exp(2j * np.pi * np.fft.rfftfreq(size) * frames)
    return np.ascontiguousarray(np.fft.irfft(turned, size)[:, : y.shape[1]])


def _coherence(x: DoubleArray, y: DoubleArray) -> float:
    """|Sxy|^2 / (Sxx Syy), averaged over frequency with the weight of Syy."""
    window = np.hanning(_WINDOW_FRAMES)
    cross = np.zeros(_WINDOW_FRAMES // 2 + 1, np.complex128)
    powers = np.zeros((2, len(cross)))
    for start in range(0, x.shape[1] - _WINDOW_FRAMES, _WINDOW_FRAMES // 2):
        a, b = (np.fft.rfft(s[:, start : start + _WINDOW_FRAMES] * window) for s in (x, y))
        cross += (np.conj(a) * b).sum(axis=0)
        powers[0] += (np.abs(a) ** 2).sum(axis=0)
        powers[1] += (np.abs(b) ** 2).sum(axis=0)
    heard = powers.min(axis=0) > 0.0
    part = np.abs(cross[heard]) ** 2 / powers[0, heard]
    return float(part.sum() / max(powers[1].sum(), 1e-30))


def _rms(samples: FloatArray | DoubleArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
