"""Pictures of what the networks do: as a dynamic equalizer, its gains over frequency and how far they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tonmeister.dsp.erb_bands import centers_hz
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.errors import MissingExtraError
from tonmeister.training.stems.pairs import StemPair
from tonmeister.training.stems.raw import RATE

__all__ = ["draw_gains"]

_MOST_PAIRS = 8


def draw_gains(path: Path, models: Mapping[str, Path], pairs: Mapping[str, Sequence[StemPair]]) -> Path:
    """One panel per group: median gain per band over stems left out, and where 80 % of the gains lie."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("pictures", extra="plots") from None
    figure = Figure(figsize=(8, 1.5 + 1.9 * ((len(models) + 1) // 2)), layout="constrained")
    panels = np.atleast_1d(
        figure.subplots((len(models) + 1) // 2, min(len(models), 2), sharex=True, sharey=True)
    )
    for axes, (group, model) in zip(panels.flat, models.items(), strict=False):
        effect = StemNetwork(str(model), max_boost_db=18.0)
        stems = [predicted_gains(effect, p.raw[np.newaxis], RATE)[1] for p in pairs[group][:_MOST_PAIRS]]
        gains = np.concatenate([g[np.abs(g).max(1) > 0.05] for g in stems])
        low, middle, high = np.percentile(gains, [10, 50, 90], axis=0)
        axes.fill_between(centers_hz(), low, high, alpha=0.3, color="C0", label="80 % of the frames")
        axes.plot(centers_hz(), middle, color="C0", label="median")
        axes.set(xscale="log", xlim=(30, 18_000), title=group)
        axes.grid(alpha=0.3)
    panels.flat[0].legend(fontsize="small")
    figure.supxlabel("frequency, Hz")
    figure.supylabel("gain, dB")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
