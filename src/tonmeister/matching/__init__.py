"""Matching: moves the numbers of a plan until its mix measures like a reference, every move with its reason.

    found = match(multitrack, features, plan, Path("reference.wav"))
    found.plan, found.before, found.after

A reference made of the same tracks is unmixed; any other lends its tonal balance, width and loudness range. Optimising
white-box processors at inference: Koo et al., "ITO-Master", ISMIR 2025; features after Vanka et al., ISMIR 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonmeister.features import MultitrackFeatures
    from tonmeister.matching.matcher import Matched
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan

__all__ = ["match"]


def match(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    plan: MixPlan,
    reference: Path,
    *,
    prune: bool = True,
    threads: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Matched:
    """Move `plan` towards `reference`; a person's decisions and locks stand.

    With `prune` moves without which the mix is as close to another song are taken back. Deterministic. Raises
    `BadInputError` for a reference that is silent, too short, not finite, one of the tracks, or
    no mono or stereo sound.
    """
    from tonmeister.matching.matcher import match_plan

    return match_plan(multitrack, features, plan, reference, prune=prune, threads=threads, progress=progress)
