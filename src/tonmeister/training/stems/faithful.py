"""The network as published: spectra for spectra, dense, mean absolute error, in two stages and a third if wanted.

1. X -> X: reconstruct the raw magnitudes (dropout makes it a denoiser);
2. X -> Y: the same weights go on from raw to stem;
3. X -> R (optional): one more layer says the ratio R = Y / X, clipped to 0 ... 10.

A batch is the 431 frames of one clip. In the released code a (1025, 431) clip is reshaped to rows of 1025 without a
transpose, so that a row is 2.4 bins' course over time; `as_released` reproduces that, for study: such a model does not
run in a mix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.effects.stem_model import FRAME, KIND, PORTS
from tonmeister.effects.stem_network import StemNetwork
from tonmeister.model_files.card import ModelCard
from tonmeister.model_files.store import save_model
from tonmeister.training.stems.networks import build_faithful, dense_layers, onnx_network, parameter_count
from tonmeister.training.stems.pairs import LOUDNESS_LUFS, StemPair
from tonmeister.training.stems.raw import RATE
from tonmeister.training.stems.recipe import (
    LIMITS,
    Material,
    Progress,
    RecipeOptions,
    Trained,
    ranges_of,
    training_data,
)
from tonmeister.training.stems.scoring import group_curve_db, score_pairs, summary
from tonmeister.training.stems.spectra import magnitudes
from tonmeister.training.torch_library import torch_module
from tonmeister.units import FloatArray

__all__ = ["ratio_mask", "rows", "train_faithful", "train_stages"]

_MOST_RATIO: Final = 10.0
Matrices = list[tuple[FloatArray, FloatArray]]


def rows(spectra: FloatArray, *, as_released: bool = False) -> FloatArray:
    """Magnitudes (frames, 1025) as what the network takes row by row: frames, or the released code's mixture."""
    return np.ascontiguousarray(spectra.T).reshape(-1, spectra.shape[1]) if as_released else spectra


def ratio_mask(raw: FloatArray, stem: FloatArray) -> FloatArray:
    """R = clip(Y / max(X, e), 0, 10), e = 1e-8 of the clip's largest magnitude: finite everywhere."""
    least = max(1e-8 * float(raw.max(initial=0.0)), 1e-30)
    return np.clip(stem / np.maximum(raw, np.float32(least)), 0.0, _MOST_RATIO).astype(np.float32)


def train_stages(
    clips: Matrices,
    *,
    epochs: int,
    mask_epochs: int = 0,
    seed: int = 0,
    neurons: int = 256,
    progress: Callable[[float], None] | None = None,
) -> tuple[Any, dict[str, float], bool]:
    """(network, mean absolute errors by stage, interrupted); clips are rows of raw and stem, (n, bins) each."""
    torch = torch_module()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = build_faithful(neurons, bins=clips[0][0].shape[1])
    errors: dict[str, float] = {}
    stages = [("stage 1", epochs, lambda x, y: x), ("stage 2", epochs, lambda x, y: y)]
    if mask_epochs:
        stages.append(("stage 3", mask_epochs, ratio_mask))
    total = sum(count for _, count, _ in stages)
    done, stopped = 0, False
    try:
        for name, count, aim in stages:
            if name == "stage 3":
                network = _with_mask(network, neurons, clips[0][0].shape[1])
            rng = np.random.default_rng([seed, len(errors)])
            optimizer = torch.optim.Adam(network.parameters())
            for _ in range(count):
                errors[name] = _epoch(network, optimizer, clips, aim, rng)
                done += 1
                if progress is not None:
                    progress(done / total)
    except KeyboardInterrupt:
        if "stage 2" not in errors:
            raise
        stopped = True
    return network.eval(), errors, stopped


def _epoch(
    network: Any,
    optimizer: Any,
    clips: Matrices,
    aim: Callable[[FloatArray, FloatArray], FloatArray],
    rng: Any,
) -> float:
    """One pass over the clips in random order; the mean loss."""
    torch = torch_module()
    network.train()
    losses = []
    for index in rng.permutation(len(clips)).tolist():
        raw, stem = clips[index]
        optimizer.zero_grad()
        wanted = torch.from_numpy(np.ascontiguousarray(aim(raw, stem)))
        loss = (network(torch.from_numpy(np.ascontiguousarray(raw))) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def _with_mask(network: Any, neurons: int, bins: int) -> Any:
    """The network of stage 2 with one more layer."""
    torch = torch_module()
    longer = build_faithful(neurons, mask=True, bins=bins)
    longer.load_state_dict({**longer.state_dict(), **network.state_dict()})
    with torch.no_grad():
        longer[-2].bias.fill_(1.0)  # begins near "leave it"
    return longer


def _said(network: Any, raw: FloatArray) -> FloatArray:
    torch = torch_module()
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(np.ascontiguousarray(raw))).numpy())


def train_faithful(
    group: str,
    material: Material,
    options: RecipeOptions,
    output: Path,
    *,
    epochs: int,
    mask_epochs: int = 0,
    as_released: bool = False,
    command: str,
    overwrite: bool = False,
    progress: Progress,
) -> Trained:
    """Train the stages, test what they make, and write the model."""
    clips = _matrices(material.pairs[group], as_released=as_released)
    network, errors, stopped = train_stages(
        clips, epochs=epochs, mask_epochs=mask_epochs, seed=options.seed,
        progress=lambda done: progress(f"learning {group}", done),
    )  # fmt: skip
    masked = "stage 3" in errors
    data = onnx_network(dense_layers(network), "faithful")
    given, made = PORTS["faithful"]
    card = ModelCard(
        name=output.stem, kind=KIND, summary=f"what becomes of a raw {group} stem, spectrum for spectrum (2017)",
        licence="MIT", format="onnx", created=date.today().isoformat(),
        recipe={"command": command, "seed": options.seed, "songs": options.songs, "epochs": epochs,
                "parameters": parameter_count(network)},
        training_data=training_data(options), metrics={}, limits=(LIMITS[0], LIMITS[2]),
        inputs=(given,), outputs=(made,),
        settings={
            "profile": "faithful", "stage": "mask" if masked else "stem", "group": group, "sample_rate": RATE,
            "frame": FRAME, "hop": FRAME // 2, "loudness_lufs": LOUDNESS_LUFS, "as_released": as_released,
            "feature_ranges": ranges_of(material.raw_of(group, testing=False)),
        },
    )  # fmt: skip
    save_model(output, data, card, overwrite=overwrite)
    progress(f"testing {group}", 0.0)
    metrics: dict[str, Any] = {"training loss (MAE)": {k: round(v, 5) for k, v in errors.items()}}
    metrics["held-out magnitudes, MAE"] = _figures(network, material.test[group], masked, as_released)
    if not as_released:
        curve = group_curve_db([(c.raw, c.stem) for c in material.train[group]])
        metrics = {
            "held-out songs": summary(score_pairs(material.test[group], curve, StemNetwork(str(output)))),
            **metrics,
        }
    return Trained(output, save_model(output, data, replace(card, metrics=metrics), overwrite=True), stopped)


def _matrices(pairs: Sequence[StemPair], *, as_released: bool) -> Matrices:
    return [tuple(rows(magnitudes(x), as_released=as_released) for x in (p.raw, p.stem)) for p in pairs]  # type: ignore[misc]


def _figures(network: Any, pairs: Sequence[StemPair], masked: bool, as_released: bool) -> dict[str, float]:
    """Errors in the network's own domain, before any resynthesis."""
    identity, made, mean = [], [], []
    for raw, stem in _matrices(pairs, as_released=as_released):
        said = _said(network, raw) * (raw if masked else 1.0)
        identity.append(np.abs(raw - stem).mean())
        made.append(np.abs(said - stem).mean())
        mean.append(np.abs(stem.mean(0) - stem).mean())
    return {
        "identity": round(float(np.mean(identity)), 5),
        "network": round(float(np.mean(made)), 5),
        "mean frame of the stem itself": round(float(np.mean(mean)), 5),
    }
