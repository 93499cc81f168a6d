"""The controller of the engine `autoencoder` on stems nothing was trained on: python benchmarks/stem_features.py [STEMS]

Needs the extra train. Prints, per group, on how many of the first STEMS held-out stems (seeds from 900 000) the distance to
the predicted targets falls, and by how much.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from tonmeister.engines.autoencoder.controller import control
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import excerpt_of
from tonmeister.engines.autoencoder.targets import load_features
from tonmeister.training.stems.pairs import FIRST_TEST_SEED, synthesized_pairs
from tonmeister.training.stems.raw import RATE

FONTS = tuple(Path("/usr/share/sounds") / p for p in ("sf2/FluidR3_GM.sf2", "sf3/MuseScore_General.sf3"))


def main(stems: int, cache: Path | None) -> None:
    model = load_features("stem-features")
    falls: dict[str, list[float]] = defaultdict(list)
    seeds = range(FIRST_TEST_SEED, FIRST_TEST_SEED + 40)
    for _, pairs in synthesized_pairs(seeds, soundfonts=FONTS, cache=cache):
        for pair in pairs:
            excerpt = excerpt_of(pair.raw[np.newaxis], RATE)
            if excerpt is None or len(falls[pair.group]) == stems:
                continue
            moves = control(excerpt, model.predictors[pair.group].predict(excerpt.values, excerpt.hinted))
            falls[pair.group].append(1.0 - moves.after / max(moves.before, 1e-12))
        if all(len(falls[g]) == stems for g in GROUPS):
            break
    for group, values in falls.items():
        lower = sum(v > 0 for v in values)
        print(
            f"{group}: lower on {lower} of {len(values)}, higher on {sum(v < 0 for v in values)}, "
            f"median fall {np.median(values):.0%}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
