"""The stem models that come with tonmeister: better than what they must beat, and silent about what they do not know."""

from __future__ import annotations

import numpy as np
import pytest

from makers_stems import RATE
from tonmeister.effects.stem_model import load_stem_model
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.engines.autoencoder.controller import control
from tonmeister.engines.autoencoder.domain import fit_to, number
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import excerpt_of
from tonmeister.engines.autoencoder.targets import load_features
from tonmeister.model_files.store import load_model
from tonmeister.training.stems.pairs import FIRST_TEST_SEED, StemPair, synthesized_pairs
from tonmeister.units import FloatArray


@pytest.fixture(scope="module")
def pairs() -> dict[str, StemPair]:
    """A pair of each group from seeds that nothing is trained on, played without soundfonts."""
    found: dict[str, StemPair] = {}
    seeds = range(FIRST_TEST_SEED + 500, FIRST_TEST_SEED + 520)
    for _, made in synthesized_pairs(seeds, duration_s=4.0, soundfonts=()):
        for pair in made:
            found.setdefault(pair.group, pair)
        if len(found) == len(GROUPS):
            break
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_the_card_shows_a_network_below_identity_and_below_the_groups_equalizer(group: str) -> None:
    model = load_stem_model(f"stem-{group}")
    assert (model.profile, model.group) == ("improved", group)
    assert model.model.card.bytes < 1_000_000
    assert model.model.card.recipe["parameters"] == 164_416
    figures = model.model.card.metrics["held-out songs"]
    assert figures["network below identity"]["low"] > 0
    assert figures["network below group EQ"]["low"] > 0


@pytest.mark.parametrize("group", GROUPS)
def test_no_band_of_a_stem_grows_by_more_than_six_decibels(group: str, pairs: dict[str, StemPair]) -> None:
    effect = StemNetwork(f"stem-{group}", max_boost_db=number("limits.boost_db"))
    _, gains = predicted_gains(effect, pairs[group].raw[np.newaxis], RATE)
    assert gains.max() <= 6.0 + 1e-4
    assert gains.min() >= -18.0 - 1e-4
    assert np.abs(gains).max() > 1.0


def drums() -> FloatArray:
    rng = np.random.default_rng(0)
    out = np.zeros(5 * RATE)
    for start in range(0, len(out), RATE // 4):
        length = min(RATE // 8, len(out) - start)
        out[start : start + length] += rng.standard_normal(length) * np.exp(-np.arange(length) / 900)
    return (0.3 * out).astype(np.float32)


def noise() -> FloatArray:
    return (0.1 * np.random.default_rng(1).standard_normal(5 * RATE)).astype(np.float32)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("strange", [drums, noise])
def test_what_a_model_does_not_know_it_leaves_alone(group: str, strange: object) -> None:
    heard = excerpt_of(strange()[np.newaxis], RATE)  # type: ignore[operator]
    assert heard is not None
    ranges = load_stem_model(f"stem-{group}").settings["feature_ranges"]
    assert fit_to(heard.values, ranges).amount < 1.0


@pytest.mark.parametrize(
    ("group", "least"), [("bass", 0.25), ("guitar", 0.25), ("vocals", 0.7), ("keys", 0.3)]
)
def test_the_card_shows_targets_as_much_nearer_as_those_of_2017(group: str, least: float) -> None:
    figures = load_model("stem-features", kind="stem_features").card.metrics[group]
    assert figures["mae cut"] >= least
    assert figures["mae cut, all features"] > 0.45


def test_the_features_model_predicts_better_than_no_change_and_the_controller_uses_it(
    pairs: dict[str, StemPair],
) -> None:
    model = load_features("stem-features")
    assert set(model.predictors) == set(GROUPS)
    heard = excerpt_of(pairs["vocals"].raw[np.newaxis], RATE)
    assert heard is not None
    targets = model.predictors["vocals"].predict(heard)
    assert (targets.skill > 0.2).sum() > 20
    moves = control(heard, targets)
    assert moves.after <= moves.before
