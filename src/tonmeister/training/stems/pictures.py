"""Pictures of what networks and drafts do: as a dynamic equalizer, its gains over frequency and how far they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tonmeister.dsp.erb_bands import centers_hz
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.engines.autoencoder.hints import hints
from tonmeister.engines.autoencoder.targets import load_features
from tonmeister.errors import MissingExtraError
from tonmeister.training.stems.pairs import StemPair
from tonmeister.training.stems.raw import RATE
from tonmeister.training.stems.spectra import band_amplitudes
from tonmeister.units import FloatArray

__all__ = ["draft_gains", "draw_gains", "network_gains"]

_MOST_PAIRS = 8
Gains = Mapping[str, Sequence[FloatArray]]
"""Group -> gains in dB (frames, 64) of some stems left out."""


def network_gains(models: Mapping[str, Path], pairs: Mapping[str, Sequence[StemPair]]) -> Gains:
    """What the networks of some groups do."""
    effects = {group: StemNetwork(str(model), max_boost_db=18.0) for group, model in models.items()}
    return {
        group: [predicted_gains(effect, p.raw[np.newaxis], RATE)[1] for p in pairs[group][:_MOST_PAIRS]]
        for group, effect in effects.items()
    }


def draft_gains(model: Path, pairs: Mapping[str, Sequence[StemPair]]) -> Gains:
    """What the drafts behind a model of features do."""
    return {
        group: [
            predictor.draft.gains_db(band_amplitudes(p.raw), hints(p.raw, RATE))
            for p in pairs[group][:_MOST_PAIRS]
        ]
        for group, predictor in load_features(model).predictors.items()
    }


def draw_gains(path: Path, gains_db: Gains) -> Path:
    """One panel per group: median gain per band over stems left out, and where 80 % of the gains lie."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("pictures", extra="plots") from None
    rows = (len(gains_db) + 1) // 2
    figure = Figure(figsize=(8, 1.5 + 1.9 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, min(len(gains_db), 2), sharex=True, sharey=True))
    for axes, (group, stems) in zip(panels.flat, gains_db.items(), strict=False):
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
