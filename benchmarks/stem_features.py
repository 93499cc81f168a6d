"""The controller of the engine `autoencoder` on stems left out: python benchmarks/stem_features.py [STEMS [CACHE]]

Needs the extra train. Prints, per group, on how many of the first STEMS held-out stems (seeds from 900 000) the distance to
the predicted targets falls, and by how much; and how much nearer the moved stem measures to the finished one itself, which
the controller never sees: mean over the features of |difference| / spread, weighted by skill.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from tonmeister.engines.autoencoder.controller import Moves, control
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import Excerpt, excerpt_of, loudness_lufs, through
from tonmeister.engines.autoencoder.measures import measures
from tonmeister.engines.autoencoder.targets import Targets, load_features
from tonmeister.training.stems.pairs import FIRST_TEST_SEED, LOUDNESS_LUFS, StemPair, synthesized_pairs
from tonmeister.training.stems.raw import RATE
from tonmeister.units import db_to_gain

FONTS = tuple(Path("/usr/share/sounds") / p for p in ("sf2/FluidR3_GM.sf2", "sf3/MuseScore_General.sf3"))


def main(stems: int, cache: Path | None) -> None:
    model = load_features("stem-features")
    falls: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seeds = range(FIRST_TEST_SEED, FIRST_TEST_SEED + 60)
    for _, pairs in synthesized_pairs(seeds, soundfonts=FONTS, cache=cache):
        for pair in pairs:
            excerpt = excerpt_of(pair.raw[np.newaxis], RATE)
            if excerpt is None or len(falls[pair.group]) == stems:
                continue
            targets = model.predictors[pair.group].predict(excerpt)
            moves = control(excerpt, targets)
            nearer = 1.0 - moves.after / max(moves.before, 1e-12)
            falls[pair.group].append((nearer, nearer_to_the_stem(pair, excerpt, targets, moves)))
        if all(len(falls[g]) == stems for g in GROUPS):
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
    heard = loudness_lufs(made, RATE)
    level = 1.0 if heard is None else db_to_gain(LOUDNESS_LUFS - heard)
    weight = np.where(targets.skill >= 0.1, targets.skill, 0.0) / np.maximum(targets.spread, 1e-9)
    wanted = measures(pair.stem, RATE)
    before, after = (
        float((weight * np.abs(x - wanted)).sum())
        for x in (excerpt.values, measures(made * np.float32(level), RATE))
    )
    return 1.0 - after / max(before, 1e-12)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
