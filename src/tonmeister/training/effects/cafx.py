"""CAFx in torch: a filter bank that is learned, kept as residual, re-weighted by an envelope and bent by curves.

M. A. Martinez Ramirez and J. D. Reiss, "Modeling of nonlinear audio effects with end-to-end deep neural networks"
(2018): one serial path. Frames (n, 1024) in and out; `dsp.cafx` is the twin that plays without torch.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

from tonmeister.dsp import saaf
from tonmeister.dsp.cafx import BEHIND, CHANNELS, ENVELOPE_TAPS, FRAME, POOL, POOLED, TAPS
from tonmeister.training.torch_library import torch_module

__all__ = ["CafxStages", "build_cafx"]

HIDDEN: Final = (128, 64, 64)
_ENVELOPE_FFT: Final = 1152
"""At least 1024 + 127, and a product of small primes."""


def build_cafx(seed: int, *, passing: bool = False) -> Any:
    """The network with its first weights; its curves begin as straight lines.

    With `passing` it begins as a network through which sound passes unchanged (`_begin_passing`).
    """
    torch: Any = torch_module()
    torch.manual_seed(seed)
    nn: Any = torch.nn
    functional: Any = torch.nn.functional
    bent = _curve(torch)

    class Cafx(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.bank = nn.Parameter(torch.randn(CHANNELS, TAPS) / TAPS**0.5)
            self.bank_bias = nn.Parameter(torch.zeros(CHANNELS))
            smooth = torch.hann_window(ENVELOPE_TAPS, periodic=False)
            self.envelope = nn.Parameter((smooth / smooth.sum()).repeat(CHANNELS, 1))
            self.envelope_bias = nn.Parameter(torch.zeros(CHANNELS))
            self.local = nn.Parameter(torch.randn(CHANNELS, POOLED, POOLED) * 0.02 + torch.eye(POOLED))
            self.local_bias = nn.Parameter(torch.zeros(CHANNELS, POOLED))
            self.shared = nn.Linear(POOLED, POOLED)
            sizes = (CHANNELS, *HIDDEN, CHANNELS)
            self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
            self.curves = nn.Parameter(
                torch.tensor(np.tile(saaf.identity(), (CHANNELS, 1)), dtype=torch.float32)
            )
            self.dry_gain = nn.Parameter(torch.zeros(()), requires_grad=False)

        def bands(self, frames: Any) -> Any:
            """R (n, 1024, 128): the frames through the filter bank."""
            padded = functional.pad(frames, (BEHIND, TAPS - 1 - BEHIND))
            return padded.unfold(1, TAPS, 1) @ self.bank.T + self.bank_bias

        def pooled(self, bands: Any) -> tuple[Any, Any]:
            """Z (n, 128, 64) and where in its 16 samples each maximum stands (n, 128, 64, 16), one-hot."""
            levels = torch.fft.rfft(bands.abs().transpose(1, 2), _ENVELOPE_FFT)
            response = torch.fft.rfft(self.envelope, _ENVELOPE_FFT).conj()
            left = (ENVELOPE_TAPS - 1) // 2
            raw = torch.fft.irfft(levels * response, _ENVELOPE_FFT)
            slow = torch.cat([raw[..., _ENVELOPE_FFT - left :], raw[..., : FRAME - left]], dim=-1)
            cells = (slow + self.envelope_bias[:, None]).unflatten(-1, (POOLED, POOL))
            at = cells.argmax(-1, keepdim=True)
            hot = torch.zeros_like(cells).scatter_(-1, at, 1.0)
            return functional.softplus(cells.gather(-1, at)[..., 0]), hot

        def latent(self, pooled: Any) -> Any:
            """Z_hat (n, 128, 64)."""
            local = torch.einsum("ncs,cts->nct", pooled, self.local) + self.local_bias
            return functional.softplus(self.shared(functional.softplus(local)))

        def unpooled(self, values: Any, hot: Any) -> Any:
            """The values back at their places (n, 1024, 128), zeros elsewhere."""
            return (values[..., None] * hot).flatten(2).transpose(1, 2)

        def bend(self, bands: Any) -> Any:
            """DNN-SAAF at each time, across channels."""
            for number, layer in enumerate(self.dense):
                bands = layer(bands)
                if number < len(HIDDEN):
                    bands = functional.softplus(bands)
            return bent(bands, self.curves)

        def synthesis(self, bands: Any) -> Any:
            """The transposed convolution with the filter bank itself: y[m] = sum_k w[k] X[m - k + 31]."""
            parts = (bands @ self.bank).transpose(1, 2)
            whole = functional.fold(parts, (1, FRAME + TAPS - 1), (1, TAPS))[:, 0, 0]
            return whole[:, BEHIND : BEHIND + FRAME]

        def reconstruct(self, frames: Any) -> Any:
            """The convolutions alone, for pretraining."""
            bands = self.bands(frames)
            return self.synthesis(self.unpooled(*self.pooled(bands)) * bands)

        def network(self, frames: Any) -> Any:
            """Every stage."""
            bands = self.bands(frames)
            pooled, hot = self.pooled(bands)
            return self.synthesis(self.bend(self.unpooled(self.latent(pooled), hot) * bands))

        def forward(self, frames: Any) -> Any:
            """As it is played: without what it makes of silence, and with the dry path."""
            silence = torch.zeros_like(frames[:1])
            whole = self.network(torch.cat([frames, silence]))
            return whole[:-1] - whole[-1:] + self.dry_gain * frames

    network = Cafx()
    if passing:
        with torch.no_grad():
            _begin_passing(torch, network)
    return network


def _begin_passing(torch: Any, network: Any) -> None:
    """Half of the channels are the 64 shifts of the signal itself, read every 16 samples; the rest enter softly.

    Without an envelope all places of a cell are equal and the first is taken: every 16 samples the dense layers see
    64 samples, and the synthesis adds up four overlapping answers. Softplus far above zero is nearly a line.
    """
    half, quarter, lift = CHANNELS // 2, TAPS * 1.0 / (TAPS * 4), 6.0
    network.bank[:half] = quarter * torch.eye(TAPS)
    network.envelope[:half] = 0.0
    network.local[:half] *= 0.1
    network.shared.weight.mul_(0.1)
    network.shared.bias.fill_(float(np.log(np.e - 1.0)) - 0.07)
    for number, layer in enumerate(network.dense):
        layer.weight.mul_(0.1)
        rows, columns = min(half, layer.weight.shape[0]), min(half, layer.weight.shape[1])
        layer.weight[:rows, :columns] += torch.eye(rows, columns)
        layer.bias[:] = lift if number < len(HIDDEN) else 0.0
        if number:
            layer.bias -= layer.weight.sum(1) * lift
    network.dense[0].weight[:, :half] /= quarter
    network.dense[0].weight[:, half:] *= 0.3
    network.dense[-1].weight[half:] *= 0.3
    network.dense[-1].bias[:] = -network.dense[-1].weight.sum(1) * lift


CafxStages: Final = {
    "1a": ("bank", "bank_bias"),
    "1c": ("envelope", "envelope_bias"),
    "2a": ("local", "local_bias"),
    "2b": ("shared.weight", "shared.bias"),
    "3c dense": tuple(f"dense.{n}.{part}" for n in range(4) for part in ("weight", "bias")),
    "3c curves": ("curves",),
}
"""Which parameters belong to which stage of the description."""


def _curve(torch: Any) -> Any:
    """f(x) per channel: x (..., 128), numbers (128, 27); by the table of values and slopes at the left ends."""
    width, intervals = saaf.WIDTH, saaf.INTERVALS
    ends = np.concatenate([[-1.0], -1.0 + width * np.arange(intervals), [1.0]])

    class Bent(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, numbers: Any) -> Any:
            left = torch.as_tensor(ends, dtype=x.dtype, device=x.device)
            rows = _tables(torch, numbers)
            cell = torch.clamp(torch.floor((x.detach() + 1.0) * (intervals / 2.0)), -1, intervals).long() + 1
            place = cell + (intervals + 2) * torch.arange(len(numbers), device=x.device)
            t = x - left[cell]
            value, slope, half = (rows[i].reshape(-1)[place] for i in range(3))
            ctx.save_for_backward(t, place, slope + 2.0 * half * t)
            ctx.shape = numbers.shape
            return value + t * (slope + t * half)

        @staticmethod
        def backward(ctx: Any, grown: Any) -> tuple[Any, Any]:
            t, place, slope = ctx.saved_tensors
            return grown * slope, _of_numbers(torch, t, place, grown, ctx.shape)

    return Bent.apply


def _tables(torch: Any, numbers: Any) -> tuple[Any, Any, Any]:
    """Value, slope and half the curvature at the left end of each interval, the outsides first and last: (128, 27)."""
    width = saaf.WIDTH
    v0, v1, w = numbers[:, :1], numbers[:, 1:2], numbers[:, 2:]
    slopes = torch.cat([v1, v1, v1 + width * torch.cumsum(w, 1)], 1)
    rises = slopes[:, 1:-1] * width + w * width**2 / 2.0
    start = v0 - v1
    values = torch.cat([start, start, start + torch.cumsum(rises, 1)], 1)
    zero = torch.zeros_like(v0)
    return values, slopes, torch.cat([zero, w / 2.0, zero], 1)


def _of_numbers(torch: Any, t: Any, place: Any, grown: Any, shape: Any) -> Any:
    """The gradient of the 27 numbers: sums of g, g t, g t^2 / 2 per interval, then through the table."""
    flat, bins = place.reshape(-1), shape[0] * shape[1]

    def summed(weights: Any) -> Any:
        return torch.bincount(flat, weights.reshape(-1), bins).reshape(shape).to(grown.dtype)

    of_value, of_slope, of_half = summed(grown), summed(grown * t), summed(grown * t * t)
    with torch.enable_grad():
        free = torch.zeros(shape, dtype=grown.dtype, device=grown.device, requires_grad=True)
        values, slopes, halves = _tables(torch, free)
        total = (values * of_value + slopes * of_slope + halves * of_half).sum()
    return torch.autograd.grad(total, free)[0]
