"""The LSTM in torch: 16 units, one dense layer, the input beside them (A. Wright et al., 2019); 1,233 numbers."""

from __future__ import annotations

from typing import Any, Final

from tonmeister.training.torch_library import torch_module

__all__ = ["UNITS", "build_lstm", "lstm_loss"]

UNITS: Final = 16
_EMPHASIS: Final = 0.85


def build_lstm(seed: int) -> Any:
    """(n, frames) and a state in, (n, frames) and the state behind them out."""
    torch: Any = torch_module()
    torch.manual_seed(seed)

    class Lstm(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.units = torch.nn.LSTM(1, UNITS, batch_first=True)
            self.dense = torch.nn.Linear(UNITS, 1)

        def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
            made, state = self.units(x[..., None], state)
            return x + self.dense(made)[..., 0], state

    return Lstm()


def lstm_loss(made: Any, wanted: Any) -> Any:
    """ESR behind y[n] - 0.85 y[n - 1], and the square of the means' difference over the energy."""
    error, energy = made - wanted, (wanted**2).mean() + 1e-5
    sharp = error[:, 1:] - _EMPHASIS * error[:, :-1]
    whole = wanted[:, 1:] - _EMPHASIS * wanted[:, :-1]
    offset = (error.mean(dim=1) ** 2).mean()
    return (sharp**2).sum() / ((whole**2).sum() + 1e-5 * whole.numel()) + offset / energy
