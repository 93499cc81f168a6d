"""Analysis and prediction of features: what tells a stem from a raw recording, and what the stem will measure.

M. A. Martínez Ramírez and J. D. Reiss, AES 143 (2017), paper 9848. A random forest tells raw from stem; permutation
importance orders the features, and they are kept as long as each lowers the out-of-bag error. Where the paper has
regressors, ours makes a draft of the stem and measures it (`drafting`); it is judged on songs left out, per feature:
skill = 1 - MAE / MAE of identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.engines.autoencoder.targets import Predictor, draft_measures
from tonmeister.errors import BadInputError
from tonmeister.training.stems.drafting import DraftOptions, LearnedDraft, learn_draft
from tonmeister.training.stems.drafting import Progress as DraftProgress
from tonmeister.training.stems.learning import BandClip
from tonmeister.training.stems.material import Held
from tonmeister.training.stems.raw import RATE
from tonmeister.units import DoubleArray

__all__ = ["PUBLISHED", "FeatureFigures", "Selection", "fit_predictor", "judge", "plain", "select_features"]

PUBLISHED: Final[Mapping[str, tuple[tuple[str, ...], float]]] = {
    "bass": (("contrast_valley_0.max", "effective_duration", "hpcp_33.dvar2", "energy_low.mean"), 0.726),
    "guitar": (
        (
            "rms.dvar", "energy_mid_low.dvar2", "loudness.dvar2", "energy_mid_low.dmean", "contrast_valley_0.max",
            "loudness.dmean2",
        ),
        0.776,
    ),
    "vocals": (
        ("larm.dvar", "contrast_coefficient_1.stdev", "pitch_salience.dmean", "pitch_salience.dmean2"), 0.799,
    ),
    "keys": (("energy_mid_low.var", "spectral_energy.max", "vickers_loudness.max", "bark_5.max"), 0.723),
}  # fmt: skip
"""What the paper's forests chose, in order, and how often they were right."""
_TREES: Final = 200
_REPEATS: Final = 3
_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """What a forest chose."""

    names: tuple[str, ...]
    accuracy: float
    """1 - out-of-bag error with these features."""
    ranking: tuple[str, ...]
    """The twenty most important of all."""


@dataclass(frozen=True, slots=True)
class FeatureFigures:
    """How good predictions are on songs they were not fitted to."""

    cut: float
    """1 - MAE / MAE of identity over the chosen features, each in units of its deviation."""
    cut_all: float
    """Over all features."""
    cut_published: float
    """Over the features that the paper chose."""
    identity: float
    mae: float
    skill: Mapping[str, float]


def select_features(raw: DoubleArray, stem: DoubleArray, seed: int, *, trees: int = _TREES) -> Selection:
    """Tell raw (n, F) from stem (n, F)."""
    from sklearn.ensemble import RandomForestClassifier

    x, y = np.concatenate([raw, stem]), np.repeat([0, 1], len(raw))
    importance = np.zeros(x.shape[1])
    for repeat in range(_REPEATS):
        forest = RandomForestClassifier(
            trees, max_features="sqrt", bootstrap=True, oob_score=True, random_state=seed + repeat, n_jobs=1
        ).fit(x, y)
        importance += _out_of_bag_importance(forest, x, y, np.random.default_rng([seed, repeat]))
    order = np.argsort(-importance, kind="stable")
    chosen: list[int] = []
    best = 0.5
    for index in order[:20].tolist():
        if len(chosen) == _MOST:
            break
        accuracy = _accuracy(x[:, [*chosen, index]], y, seed, trees)
        if accuracy > best + 0.002 or not chosen:
            chosen, best = [*chosen, index], accuracy
    names = tuple(NAMES[i] for i in chosen)
    return Selection(names, best, tuple(NAMES[i] for i in order[:20]))


def _out_of_bag_importance(
    forest: Any, x: DoubleArray, y: np.ndarray, random: np.random.Generator
) -> DoubleArray:
    """Loss of accuracy, tree by tree on the samples it was not grown on, when a feature is shuffled among them."""
    drop = np.zeros(x.shape[1])
    every = np.arange(len(x))
    for tree, inside in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        outside = np.setdiff1d(every, inside)
        own, right, grown = x[outside].astype(np.float32), y[outside], tree.tree_
        says = grown.value[:, 0].argmax(1)
        before = float(np.mean(says[grown.apply(own)] == right)) if len(outside) else 0.0
        for feature in np.unique(grown.feature[grown.feature >= 0]).tolist():
            kept = own[:, feature].copy()
            own[:, feature] = random.permutation(kept)
            drop[feature] += before - (
                float(np.mean(says[grown.apply(own)] == right)) if len(outside) else 0.0
            )
            own[:, feature] = kept
    return drop / len(forest.estimators_)


def _accuracy(x: DoubleArray, y: np.ndarray, seed: int, trees: int) -> float:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(trees, max_features="sqrt", oob_score=True, random_state=seed, n_jobs=1)
    return float(forest.fit(x, y).oob_score_)


def fit_predictor(
    clips: Sequence[BandClip], held: Sequence[Held], stem: DoubleArray, options: DraftOptions, seed: int,
    *, progress: DraftProgress | None = None,
) -> tuple[Predictor, LearnedDraft]:  # fmt: skip
    """Learn a draft from the clips but those held out; spread and skill are from these. `stem` (n, 129) are measures."""
    if not held or len(held) == len(clips):
        raise BadInputError("too few songs to learn from and to judge by: give more of them")
    learned = learn_draft(clips, [h.place for h in held], options, seed, progress=progress)
    said = np.stack([draft_measures(learned.draft, h.raw, RATE, clips[h.place].hinted) for h in held])
    said = np.clip(said, stem.min(0), stem.max(0))
    wanted, raw = (np.stack([getattr(h, n) for h in held]) for n in ("stem_measures", "raw_measures"))
    skill = 1 - np.abs(said - wanted).mean(0) / np.maximum(np.abs(raw - wanted).mean(0), 1e-12)
    spread = (said - wanted).std(0)
    return Predictor(learned.draft, stem.min(0), stem.max(0), spread, np.clip(skill, -1.0, 1.0)), learned


def judge(
    predicted: DoubleArray,
    raw: DoubleArray,
    stem: DoubleArray,
    chosen: Sequence[str],
    group: str,
    scale: DoubleArray,
) -> FeatureFigures:
    """Errors on stems that nothing was fitted to, in units of `scale`, the deviation of each measure."""
    mae = np.abs(predicted - stem).mean(0) / scale
    identity = np.abs(raw - stem).mean(0) / scale

    def cut(names: Sequence[str]) -> float:
        at = [NAMES.index(n) for n in names]
        return float(1 - mae[at].sum() / max(identity[at].sum(), 1e-12))

    skill = 1 - mae / np.maximum(identity, 1e-12)
    at = [NAMES.index(n) for n in chosen]
    return FeatureFigures(
        cut(chosen), cut(NAMES), cut(PUBLISHED[group][0]), float(identity[at].mean()), float(mae[at].mean()),
        {name: round(float(s), 3) for name, s in zip(NAMES, skill, strict=True)},
    )  # fmt: skip


def plain(selection: Selection, figures: FeatureFigures, group: str) -> dict[str, Any]:
    """For the card and for ``--json``."""
    return {
        "chosen": list(selection.names),
        "accuracy": round(selection.accuracy, 3),
        "published": list(PUBLISHED[group][0]),
        "published accuracy": PUBLISHED[group][1],
        "mae cut": round(figures.cut, 3),
        "mae cut, all features": round(figures.cut_all, 3),
        "mae cut, published features": round(figures.cut_published, 3),
        "identity mae": round(figures.identity, 4),
        "mae": round(figures.mae, 4),
    }
