"""A waveshaper that was learned: pre-filter, curve, post-filter, and the file they are kept in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray

if TYPE_CHECKING:
    from tonmeister.model_files.card import ModelCard

__all__ = ["AHEAD_FRAMES", "FACTORS", "MODEL_KIND", "NETWORK", "TAPS", "Waveshaper", "load_waveshaper"]

MODEL_KIND: Final = "learned_effect"
NETWORK: Final = "waveshaper"
TAPS: Final = 64
AHEAD_FRAMES: Final = 16
"""How many taps of each filter lie ahead of time 0, so that it may be of linear phase."""
FACTORS: Final = (1, 2, 4)
_SHAPES: Final = {"pre": (TAPS,), "shaper": (27,), "post": (TAPS,)}
_MAX_BYTES: Final = 1 << 16


@dataclass(frozen=True, eq=False)
class Waveshaper:
    """y = post * f(pre * (input_scale x)); 155 numbers, and what they are good for."""

    pre: DoubleArray
    shaper: DoubleArray
    """v_0, v_1, w_1 to w_25 of `dsp.saaf`."""
    post: DoubleArray
    input_scale: float = 1.0
    """Brings the sound it learned from into the range of the curve."""
    oversampling: int = 4
    sample_rate: int | None = None
    """None fits any rate."""

    @classmethod
    def identity(cls) -> Waveshaper:
        """Which only delays."""
        impulse = np.zeros(TAPS)
        impulse[AHEAD_FRAMES] = 1.0
        line = np.zeros(27)
        line[1] = 1.0
        return cls(impulse, line, impulse.copy())

    def arrays(self) -> dict[str, DoubleArray]:
        """What goes into the file."""
        return {"pre": self.pre, "shaper": self.shaper, "post": self.post}

    def settings(self) -> dict[str, Any]:
        """What goes onto the card."""
        return {
            "network": NETWORK,
            "sample_rate": self.sample_rate,
            "input_scale": self.input_scale,
            "oversampling": self.oversampling,
        }


def load_waveshaper(name_or_path: str | Path) -> tuple[Waveshaper, ModelCard]:
    """A waveshaper from its file, and its card; raises `ModelError` for anything else."""
    from tonmeister.model_files.store import load_model

    model = load_model(name_or_path, kind=MODEL_KIND, max_bytes=_MAX_BYTES)
    settings = model.card.settings
    if settings.get("network") != NETWORK:
        raise ModelError(f"{model.path}: network={settings.get('network')!r} is not known: update tonmeister")
    arrays = {name: np.asarray(model.array(name), np.float64) for name in _SHAPES}
    for name, wanted in _SHAPES.items():
        if arrays[name].shape != wanted:
            raise ModelError(
                f"{model.path}: {name} has shape {arrays[name].shape}, not {wanted}: learn it again"
            )
    rate, factor, scale = (settings.get(k) for k in ("sample_rate", "oversampling", "input_scale"))
    if not isinstance(rate, int) or not 4000 <= rate <= 768_000 or factor not in FACTORS:
        raise ModelError(f"{model.path}: sample_rate={rate!r}, oversampling={factor!r}: learn it again")
    if not isinstance(scale, (int, float)) or not 0.0 < scale < 1e6:
        raise ModelError(f"{model.path}: input_scale={scale!r} is no factor: learn it again")
    return Waveshaper(**arrays, input_scale=float(scale), oversampling=factor, sample_rate=rate), model.card
