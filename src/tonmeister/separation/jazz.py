"""The soloist and the band: a network of highway layers gives the soloist's magnitudes in the middle of the recording.

With X the channels' spectra, M = (L + R) / 2 and S what the network gives for M::

    S_c = q_c S,   R_c = max(|X_c| - S_c, 0),   solo_c = S_c^a / (S_c^a + R_c^a) X_c,   a = 1.3

and the accompaniment is the complement, so the two add up to the recording. S comes from the middle: a soloist on the
left is heard there at half its magnitude. So q_c asks how much of the channel the soloist has where it stands alone,
q_c = sqrt(Phi_cc / Phi_MM) over bins with S > 0.7 |M|, smoothed over 300 ms, 0 to 2; q = 1 is the published form.

`JazzPaper` is the published arrangement: a mono soloist with the phase of M, placed where the recording has it by least
squares, the accompaniment by masks with q = 1, and what both leave as residual.

Mimilakis, Cano, Abesser & Schuller, WIMP (2016), from the authors' code as described; q is our addition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np

from tonmeister.dsp.highway import highway_layers
from tonmeister.errors import ModelError
from tonmeister.model_files.card import read_card
from tonmeister.model_files.store import Model, load_model
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.front_end import FLOOR, FrontEnd
from tonmeister.separation.masks import wiener_mask
from tonmeister.units import FloatArray

__all__ = [
    "ALPHA", "FRONT_END", "KIND", "JazzPaper", "JazzSolo", "SmallNetwork", "SoloNetwork", "WideNetwork", "from_arrays",
    "from_file",
    "image_gains", "log_power", "paper", "small",
]  # fmt: skip

KIND: Final = "jazz-solo"
ALPHA: Final = 1.3
"""Exponent of the masks; 1.33 in the first release."""
CONTEXT: Final = 3
"""Frames on either side that the small network hears."""
FRONT_END: Final = FrontEnd(Framing(44_100, "bartlett", 2049, 4096, 512), 256, "mid")
_DOMINANT: Final = 0.7
_SMOOTH_S: Final = 0.3
_MOST: Final = 2.0
_HALF: Final = round(_SMOOTH_S * 44_100 / 512 / 2)
_PAPER_LAYERS: Final = 5
_TINY: Final = 1e-20


class SoloNetwork(Protocol):
    """Gives the soloist's magnitudes (bins, frames) in the middle (bins, frames) of a recording."""

    def __call__(self, middle: Spectrum) -> FloatArray: ...


def log_power(spectrum: Spectrum) -> FloatArray:
    """What the small network hears of (channels, bins, frames): log10 of the middle's band powers, (frames, bands)."""
    return np.asarray(np.log10(np.maximum(FRONT_END.power(spectrum), np.float32(FLOOR))), np.float32)


class SmallNetwork:
    """Band powers of seven frames to a mask of 256 bands: S = mask |M|."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, middle: Spectrum) -> FloatArray:
        features = log_power(middle[None])
        padded = np.pad(features, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * CONTEXT + 1, axis=0)
        rows = np.ascontiguousarray(np.swapaxes(views, 1, 2)).reshape(len(features), -1)
        masks = np.clip(self._model.run({"features": rows})["masks"], 0.0, 1.0)
        return np.asarray(FRONT_END.spread(masks) * np.abs(middle), np.float32)


class WideNetwork:
    """Five highway layers over all bins, one frame at a time: magnitudes to magnitudes, a full-scale sine at 0.5."""

    def __init__(self, arrays: list[FloatArray]) -> None:
        self._layers = highway_layers(arrays)
        self._scale = np.float32(1.0 / FRONT_END.stft.window.sum())

    def __call__(self, middle: Spectrum) -> FloatArray:
        h = np.ascontiguousarray(np.abs(middle).T) * self._scale
        for layer in self._layers:
            h = layer(h)
        return np.asarray(np.maximum(h.T, 0.0) / self._scale, np.float32)


class JazzSolo:
    """Tracks ``solo`` and ``accompaniment`` by masks that add up to one."""

    tracks = ("solo", "accompaniment")
    framing = FRONT_END.framing
    context_frames = CONTEXT + _HALF

    def __init__(self, network: SoloNetwork, *, panned: bool = True) -> None:
        self._network, self._panned = network, panned

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """One pair of masks for each channel."""
        solo = self._network(spectrum.mean(axis=0))
        gains = image_gains(spectrum, solo) if self._panned else np.ones((len(spectrum), 1), np.float32)
        mask = _mask(gains[:, None, :] * solo, spectrum)
        return np.stack([mask, 1.0 - mask])


def _mask(solo: FloatArray, spectrum: Spectrum) -> FloatArray:
    """S^a / (S^a + R^a) with R = max(|X| - S, 0)."""
    magnitude = np.abs(spectrum)
    solo = np.broadcast_to(solo, magnitude.shape)
    return wiener_mask(solo, np.maximum(magnitude - solo, 0.0), ALPHA)


def image_gains(spectrum: Spectrum, solo: FloatArray) -> FloatArray:
    """q: the soloist's gain in each channel against the middle, (channels, frames); 1 where it never stands alone."""
    middle = np.abs(spectrum.mean(axis=0))
    alone = solo > _DOMINANT * middle
    shape = np.hanning(2 * _HALF + 3)[1:-1]

    def smoothed(power: FloatArray) -> FloatArray:
        return np.asarray(
            np.convolve((power * alone).sum(axis=0), shape, mode="full")[_HALF : -_HALF or None]
        )

    own = np.stack([smoothed(np.abs(channel) ** 2) for channel in spectrum])
    reference = smoothed(middle**2)
    heard = reference > _TINY
    ratio = np.where(heard, own, 1.0) / np.where(heard, reference, 1.0)
    return np.asarray(np.clip(np.sqrt(ratio), 0.0, _MOST), np.float32)


class JazzPaper:
    """The published arrangement, four seconds at a time."""

    tracks = ("solo", "accompaniment")
    sample_rate = 44_100
    channels = 2
    segment_frames = 4 * 44_100

    def __init__(self, network: SoloNetwork) -> None:
        self._network = network

    def waves(self, segment: FloatArray) -> FloatArray:
        stft, frames = FRONT_END.stft, segment.shape[1]
        spectrum = stft.forward(segment)
        middle = spectrum.mean(axis=0)
        magnitude = self._network(middle)
        phase = middle / np.maximum(np.abs(middle), np.float32(_TINY))
        mono = stft.inverse(magnitude * phase, frames)
        rest = 1.0 - _mask(magnitude[None], spectrum)
        return np.stack([_placed(segment, mono), stft.inverse(rest * spectrum, frames)]).astype(np.float32)


def _placed(segment: FloatArray, mono: FloatArray) -> FloatArray:
    """b_c s: the mono soloist at the gains (0 to 2) it has in each channel, found second by second and joined."""
    block, frames = JazzPaper.sample_rate, len(mono)
    starts = np.arange(0, max(frames - block // 2, 1), block)
    found = []
    for start in starts:
        s = mono[start : start + block].astype(np.float64)
        shared = segment[:, start : start + block].astype(np.float64) @ s
        found.append(np.clip(shared / max(float(s @ s), _TINY), 0.0, _MOST))
    centers = starts + block / 2
    gains = [np.interp(np.arange(frames), centers, channel) for channel in np.array(found).T]
    return np.asarray(np.stack(gains) * mono, np.float32)


def small() -> JazzSolo:
    """The shipped network."""
    return JazzSolo(SmallNetwork(load_model("jazz-solo", kind=KIND)))


def paper() -> JazzPaper:
    """The published arrangement around the shipped network."""
    return JazzPaper(SmallNetwork(load_model("jazz-solo", kind=KIND)))


def from_file(path: Path) -> JazzSolo | None:
    """A network from its file: one of ours with its card, or published weights as plain arrays; None for other kinds."""
    if path.suffix not in (".onnx", ".npz") or not path.is_file():
        return None
    if not path.with_suffix(".json").exists():
        return from_arrays(path)
    if read_card(path.with_suffix(".json")).kind != KIND:
        return None
    return JazzSolo(SmallNetwork(load_model(path, kind=KIND)))


def from_arrays(path: Path) -> JazzSolo | None:
    """A network of published size from an .npz of twenty arrays in the order Wh, bh, Wt, bt of each layer.

    The arrays are named so that their names sort in that order (``arr_00`` to ``arr_19``; NumPy's own ``arr_0`` to
    ``arr_19`` are understood). None for another kind of file; pickled arrays are refused.
    """
    if path.suffix != ".npz":
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            names = sorted(data.files, key=lambda name: (len(name), name))
            arrays = [data[name] for name in names]
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(
            f"{path}: is not a file of plain arrays ({error}): convert the weights again"
        ) from None
    bins = FRONT_END.framing.bins
    shapes = [(bins, bins), (bins,)] * (2 * _PAPER_LAYERS)
    if [a.shape for a in arrays] != shapes:
        return None
    if not all(np.isfinite(a).all() for a in arrays):
        raise ModelError(f"{path}: holds weights that are not numbers: convert the weights again")
    return JazzSolo(WideNetwork(arrays))
