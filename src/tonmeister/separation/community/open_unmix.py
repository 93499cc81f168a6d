"""Open-Unmix: one network per track, from the magnitudes of a spectrum to those of the track.

    y = relu( s_o * N3(W3 relu(N2(W2 [h, LSTM(h)]))) + m_o ) |X|,     h = tanh(N1(W1 ((|X| + m_i) s_i)))

N are batch normalizations, the LSTM has three layers and runs both ways (Stoeter, Uhlich, Liutkus & Mitsufuji, JOSS 4(41),
2019). Written from the published description and the names and shapes of the published weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.community.foreign import ForeignFacts, track_names
from tonmeister.separation.community.plain_files import plain_json, sha256_of, whole_number
from tonmeister.separation.community.weights import plain_state, read_torch, torch_module, use_weights
from tonmeister.units import FloatArray

__all__ = ["OpenUnmix", "open_folder", "unmix_network"]

_SETTINGS: Final = "separator.json"
_LAYERS: Final = 3
_DEFAULT_RATE: Final = 44_100


def unmix_network(bins: int, heard_bins: int, channels: int, hidden: int, *, both_ways: bool = True) -> Any:
    """The network, (frames, channels, bins) magnitudes to gains of the same shape; names are those of the weights."""
    torch: Any = torch_module()
    nn: Any = torch.nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            lstm_hidden = hidden // 2 if both_ways else hidden
            self.fc1 = nn.Linear(heard_bins * channels, hidden, bias=False)
            self.bn1 = nn.BatchNorm1d(hidden)
            self.lstm = nn.LSTM(hidden, lstm_hidden, _LAYERS, bidirectional=both_ways)
            self.fc2 = nn.Linear(2 * hidden, hidden, bias=False)
            self.bn2 = nn.BatchNorm1d(hidden)
            self.fc3 = nn.Linear(hidden, bins * channels, bias=False)
            self.bn3 = nn.BatchNorm1d(bins * channels)
            self.input_mean = nn.Parameter(torch.zeros(heard_bins))
            self.input_scale = nn.Parameter(torch.ones(heard_bins))
            self.output_scale = nn.Parameter(torch.ones(bins))
            self.output_mean = nn.Parameter(torch.ones(bins))

        def forward(self, magnitude: Any) -> Any:
            heard = (magnitude[..., :heard_bins] + self.input_mean) * self.input_scale
            h = torch.tanh(self.bn1(self.fc1(heard.flatten(1))))
            both = torch.cat([h, self.lstm(h[:, None])[0][:, 0]], dim=-1)
            out = self.bn3(self.fc3(torch.relu(self.bn2(self.fc2(both)))))
            return torch.relu(out.reshape(-1, channels, bins) * self.output_scale + self.output_mean)

    return Network()


class OpenUnmix:
    """Networks of several tracks as one estimator of masks; each sees a whole block of spectra."""

    context_frames = 0
    block_frames = 300

    def __init__(
        self, networks: Mapping[str, Any], framing: Framing, channels: int, facts: ForeignFacts
    ) -> None:
        self.tracks = tuple(networks)
        self.framing, self.facts = framing, facts
        self._networks, self._channels = list(networks.values()), channels
        self._torch = torch_module()

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """Gains of each bin, at most 1; together at most 1 as well, so that the residual is what is left."""
        magnitude = np.abs(spectrum).transpose(2, 0, 1)
        given = self._torch.from_numpy(np.ascontiguousarray(_resized(magnitude, self._channels), np.float32))
        with self._torch.inference_mode():
            gains = np.stack([np.asarray(network(given).numpy()) for network in self._networks])
        gains = np.clip(_resized(gains, spectrum.shape[0], axis=2), 0.0, None)
        return np.ascontiguousarray(
            (gains / np.maximum(gains.sum(axis=0), 1.0)).transpose(0, 2, 3, 1), np.float32
        )


def _resized(array: FloatArray, channels: int, axis: int = 1) -> FloatArray:
    """With so many channels: one is repeated, two become their mean."""
    have = array.shape[axis]
    if have == channels:
        return array
    mean = array.mean(axis=axis, keepdims=True)
    return np.asarray(np.repeat(mean, channels, axis=axis))


def open_folder(path: Path) -> OpenUnmix | None:
    """A folder with ``separator.json`` and, per track, NAME.json and NAME.pth or NAME-CHECKSUM.pth; None without."""
    if not (path / _SETTINGS).is_file():
        return None
    common = plain_json(path / _SETTINGS)
    descriptions = [p for p in sorted(path.glob("*.json")) if p.name != _SETTINGS]
    if not descriptions:
        raise ModelError(f"{path}: has no NAME.json of a track: put all files of the model there")
    track_names([p.stem for p in descriptions], path)
    opened = {p.stem: _target(p) for p in descriptions}
    framings = {framing for _, framing, _, _ in opened.values()}
    channels = {count for _, _, count, _ in opened.values()}
    if len(framings) != 1 or len(channels) != 1:
        raise ModelError(
            f"{path}: its tracks were trained with different spectra: they do not belong together"
        )
    rate = common.get("sample_rate", _DEFAULT_RATE)
    if not isinstance(rate, (int, float)) or not 8000 <= rate <= 192_000:
        raise ModelError(f"{path / _SETTINGS}: sample_rate={rate!r} is not one that music comes in")
    window, hop = framings.pop()
    facts = ForeignFacts("open-unmix", {file.name: sha256_of(file) for _, _, _, file in opened.values()})
    framing = Framing(round(rate), "hann", window, window, hop)
    return OpenUnmix(
        {name: network for name, (network, _, _, _) in opened.items()}, framing, channels.pop(), facts
    )


def _target(description: Path) -> tuple[Any, tuple[int, int], int, Path]:
    """(network, (window, hop), channels, file of its weights) of one track."""
    args = plain_json(description).get("args")
    if not isinstance(args, dict):
        raise ModelError(f"{description}: has no args: get the model's settings again")
    window = whole_number(args, "nfft", range(64, 65_537), description)
    hop = whole_number(args, "nhop", range(16, window // 2 + 1), description)
    channels = whole_number(args, "nb_channels", range(1, 3), description)
    hidden = whole_number(args, "hidden_size", range(2, 4097), description)
    file = next(iter(sorted(description.parent.glob(f"{description.stem}*.pth"))), None)
    if file is None:
        raise ModelError(f"{description}: the weights {description.stem}.pth are not beside it")
    state = {
        k: v
        for k, v in plain_state(read_torch(file), file).items()
        if not k.startswith(("stft.", "transform."))
    }
    mean = state.get("input_mean")
    bins = window // 2 + 1
    if mean is None or not 0 < mean.numel() <= bins:
        raise ModelError(
            f"{file}: has no input_mean of at most {bins} bins: these are not weights of Open-Unmix"
        )
    network = unmix_network(
        bins, mean.numel(), channels, hidden, both_ways="lstm.weight_ih_l0_reverse" in state
    )
    for name in (n for n in network.state_dict() if n.endswith("num_batches_tracked") and n not in state):
        state[name] = network.state_dict()[name]
    return use_weights(network, state, file), (window, hop), channels, file
