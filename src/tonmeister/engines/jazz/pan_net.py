"""The network that hears the soloist and says where to put it and how loud.

It hears spectra of the soloist's middle one by one and votes for one of 19 angles and one of 21 gains; the votes of all
frames make one answer. ``faithful`` adds up the probabilities and takes the highest. ``improved`` averages the logarithms
of the probabilities, weighted by the frames' energy, sharpens them (a number from the model's card), and takes the
expected value around the likeliest class; the entropy H of the pooled answer says how sure it is::

    p_k ~ exp( a sum_t e_t log p_tk / sum_t e_t ),   value = sum_k p_k v_k,   confidence = 1 - H(p) / log n

What it knows of is timbre and strength: a mono signal has no place, so the answer is taste, not measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.highway import HighwayLayer, highway_layers
from tonmeister.dsp.stft import Stft
from tonmeister.engines.jazz.placement import ANGLES_DEG, CLASSES, GAINS
from tonmeister.errors import ModelError
from tonmeister.model_files.store import Model, load_model
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["KIND", "RATE_HZ", "Answer", "PanNetwork", "Placed", "load_pan_network", "powers", "pooled"]

KIND: Final = "jazz-pan"
RATE_HZ: Final = 44_100
_STFT: Final = Stft.of("bartlett", 2049, 4096, 512)
_FULL_SCALE: Final = float(_STFT.window.sum()) / 2
_LAYERS: Final = 2
_TINY: Final = 1e-20
_BATCH: Final = 512
_NEIGHBORS: Final = 2

Profile = Literal["improved", "faithful"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One quantity: its value, how sure it is, and the probability of every class."""

    value: float
    confidence: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """What the network wants: an angle (degrees, positive to the right) and a linear gain (see `placement`)."""

    theta_deg: Answer
    gain: Answer


class PanNetwork(Protocol):
    """Votes of frames."""

    sharpness: Mapping[str, float]

    def votes(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logarithms of probabilities (frames, 19) and (frames, 21) of powers (frames, bins), a full-scale sine at 1."""


class SmallPanNetwork:
    """The small network: bands and two softmax heads, all inside the model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        given = model.card.settings.get("sharpness", {})
        self.sharpness: Mapping[str, float] = {
            name: float(given.get(name, 1.0)) for name in ("angle", "gain")
        }

    def votes(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        made = self._model.run({"power": power})
        return made["angles"], made["gains"]


class WidePanNetwork:
    """The published network: magnitudes of all bins, one softmax over forty classes."""

    sharpness: Mapping[str, float] = {"angle": 1.0, "gain": 1.0}

    def __init__(self, layers: list[HighwayLayer], weight: FloatArray, bias: FloatArray) -> None:
        self._layers, self._weight, self._bias = layers, weight, bias

    def votes(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        h = np.sqrt(power) * np.float32(0.5)  # a sine of full scale stood at 0.5
        for layer in self._layers:
            h = layer(h)
        scores = h @ self._weight + self._bias
        scores = scores - scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return logs[:, : len(ANGLES_DEG)], logs[:, len(ANGLES_DEG) :]


def powers(middle: FloatArray) -> FloatArray:
    """Powers (frames, bins) of a mono signal (n,) at `RATE_HZ`, a full-scale sine at 1."""
    spectrum = _STFT.forward(middle[None])[0]
    return np.ascontiguousarray((np.abs(spectrum.T) / np.float32(_FULL_SCALE)) ** 2, np.float32)


def pooled(network: PanNetwork, power: FloatArray, profile: Profile, gate_db: float) -> Placed | None:
    """One answer of the frames that are not more than `-gate_db` below the loudest; None in silence."""
    energy = power.sum(axis=1, dtype=np.float64)
    loudest = float(energy.max(initial=0.0))
    if loudest <= _TINY:
        return None
    counted = (
        np.ones(len(energy), bool) if profile == "faithful" else energy > loudest * db_to_gain(gate_db) ** 2
    )
    angles, gains = _votes(network, power[counted])
    if profile == "faithful":
        return Placed(_most_votes(angles, ANGLES_DEG), _most_votes(gains, GAINS))
    weight = energy[counted] / energy[counted].sum()
    return Placed(
        _expected(weight @ angles * network.sharpness["angle"], ANGLES_DEG),
        _expected(weight @ gains * network.sharpness["gain"], GAINS),
    )


def _votes(network: PanNetwork, power: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    parts = [network.votes(power[i : i + _BATCH]) for i in range(0, len(power), _BATCH)]
    angles, gains = (np.concatenate(half).astype(np.float64) for half in zip(*parts, strict=True))
    return angles, gains


def _most_votes(logs: DoubleArray, values: DoubleArray) -> Answer:
    total = np.exp(logs).sum(axis=0)
    shares = total / max(float(total.sum()), _TINY)
    return Answer(float(values[int(np.argmax(shares))]), _sureness(shares), _plain(shares))


def _expected(logs: DoubleArray, values: DoubleArray) -> Answer:
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    return Answer(_near_the_best(shares, values), _sureness(shares), _plain(shares))


def _near_the_best(shares: DoubleArray, values: DoubleArray) -> float:
    """Expected value over the likeliest class and its neighbors: between two opinions there is nothing to expect."""
    best = int(np.argmax(shares))
    here = slice(max(best - _NEIGHBORS, 0), best + _NEIGHBORS + 1)
    return float(shares[here] @ values[here] / shares[here].sum())


def _sureness(shares: DoubleArray) -> float:
    entropy = -float(np.sum(shares * np.log(np.maximum(shares, _TINY))))
    return max(1.0 - entropy / float(np.log(len(shares))), 0.0)


def _plain(shares: DoubleArray) -> tuple[float, ...]:
    return tuple(float(p) for p in shares)


def load_pan_network(name_or_path: str) -> PanNetwork:
    """The shipped network, one with a card, or an .npz of ten arrays in the published order; never a pickle."""
    path = Path(name_or_path)
    if path.suffix == ".npz" and path.is_file() and not path.with_suffix(".json").exists():
        return _published(path)
    return SmallPanNetwork(load_model(name_or_path, kind=KIND))


def _published(path: Path) -> PanNetwork:
    try:
        with np.load(path, allow_pickle=False) as data:
            names = sorted(data.files, key=lambda name: (len(name), name))
            arrays: list[NDArray[Any]] = [data[name] for name in names]
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(
            f"{path}: is not a file of plain arrays ({error}): convert the weights again"
        ) from None
    bins = _STFT.bins
    shapes = [(bins, bins), (bins,)] * (2 * _LAYERS) + [(bins, CLASSES), (CLASSES,)]
    if [a.shape for a in arrays] != shapes or not all(np.isfinite(a).all() for a in arrays):
        raise ModelError(
            f"{path}: holds {len(arrays)} arrays that are not those of the network: give Wh, bh, Wt, bt of two layers of "
            f"{bins} and W, b of {CLASSES} classes"
        )
    return WidePanNetwork(
        highway_layers(arrays[: 4 * _LAYERS]), arrays[-2].astype(np.float32), arrays[-1].astype(np.float32)
    )
