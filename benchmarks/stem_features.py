"""The features companion of the engine `autoencoder` on stems that nothing was trained on; needs the extra train.

    python benchmarks/stem_features.py control [--songs 60] [--first 900000] [--stems 12] [--cache DIR]
    python benchmarks/stem_features.py cut --songs 100 --first 900060 [--cache DIR]

`control` prints, per group, on how many of the first held-out stems the distance to the predicted targets falls, and by how
much; and how much nearer the moved stem measures to the finished one itself, which the controller never sees: mean over
the features of |difference| / spread, weighted by skill. `cut` prints 1 - MAE / MAE of identity of the targets, each feature
in units of its deviation over these raw stems.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tonmeister.engines.autoencoder.controller import Moves, control
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import Excerpt, excerpt_of, lost_db, through
from tonmeister.engines.autoencoder.measures import NAMES, measures
from tonmeister.engines.autoencoder.targets import KIND, Targets, load_features
from tonmeister.model_files.store import load_model
from tonmeister.training.stems.pairs import FIRST_TEST_SEED, StemPair, synthesized_pairs
from tonmeister.training.stems.raw import RATE
from tonmeister.units import db_to_gain

FONTS = tuple(Path("/usr/share/sounds") / p for p in ("sf2/FluidR3_GM.sf2", "sf3/MuseScore_General.sf3"))


def pairs_of(asked: argparse.Namespace) -> Iterator[StemPair]:
    seeds = range(asked.first, asked.first + asked.songs)
    for _, pairs in synthesized_pairs(seeds, soundfonts=FONTS, cache=asked.cache):
        yield from pairs


def cut(asked: argparse.Namespace) -> None:
    card = load_model("stem-features", kind=KIND).card
    predictors = load_features("stem-features").predictors
    rows: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
    for pair in pairs_of(asked):
        excerpt = excerpt_of(pair.raw[np.newaxis], RATE)
        if excerpt is not None:
            said = predictors[pair.group].predict(excerpt).values
            rows[pair.group].append((excerpt.values, measures(pair.stem, RATE), said))
    for group in GROUPS:
        raw, stem, said = (np.stack(column) for column in zip(*rows[group], strict=True))
        scale = np.maximum(raw.std(0), 1e-9)
        identity, error = (np.abs(x - stem).mean(0) / scale for x in (raw, said))
        chosen = [NAMES.index(n) for n in card.settings["chosen"][group]]
        print(
            f"{group}: {len(raw)} stems, error cut {1 - error[chosen].sum() / identity[chosen].sum():.0%} over the chosen "
            f"features, {1 - error.sum() / identity.sum():.0%} over all"
        )


def controlled(asked: argparse.Namespace) -> None:
    model = load_features("stem-features")
    falls: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in pairs_of(asked):
        excerpt = excerpt_of(pair.raw[np.newaxis], RATE)
        if excerpt is None or len(falls[pair.group]) == asked.stems:
            continue
        targets = model.predictors[pair.group].predict(excerpt)
        moves = control(excerpt, targets)
        nearer = 1.0 - moves.after / max(moves.before, 1e-12)
        falls[pair.group].append((nearer, nearer_to_the_stem(pair, excerpt, targets, moves)))
        if all(len(falls[g]) == asked.stems for g in GROUPS):
            break
    for group, values in falls.items():
        to_targets, to_stem = np.array(values).T
        print(
            f"{group}: lower on {(to_targets > 0).sum()} of {len(values)}, higher on {(to_targets < 0).sum()}, "
            f"median fall {np.median(to_targets):.0%}; to the finished stem itself nearer on {(to_stem > 0).sum()}, "
            f"median fall {np.median(to_stem):.0%}"
        )


def nearer_to_the_stem(pair: StemPair, excerpt: Excerpt, targets: Targets, moves: Moves) -> float:
    made = through(moves.effects, excerpt.samples, RATE)
    level = np.float32(db_to_gain(lost_db(made, RATE)))
    weight = np.where(targets.skill >= 0.1, targets.skill, 0.0) / np.maximum(targets.spread, 1e-9)
    wanted = measures(pair.stem, RATE)
    before, after = (
        float((weight * np.abs(x - wanted)).sum()) for x in (excerpt.values, measures(made * level, RATE))
    )
    return 1.0 - after / max(before, 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("control", "cut"))
    parser.add_argument("--songs", type=int, default=60)
    parser.add_argument("--first", type=int, default=FIRST_TEST_SEED)
    parser.add_argument("--stems", type=int, default=12)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    {"control": controlled, "cut": cut}[asked.what](asked)


if __name__ == "__main__":
    main()
