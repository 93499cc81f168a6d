"""Matching in a row: read the reference, decide which kind it is, try one kind of moves after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tonmeister.audio import Audio
from tonmeister.decisions import Decision
from tonmeister.errors import BadInputError
from tonmeister.evaluation.diff_mst import feature_distance
from tonmeister.evaluation.spectral_losses import sum_difference
from tonmeister.features import MultitrackFeatures
from tonmeister.matching.balance import level_moves, master_tone_moves, track_tone_moves
from tonmeister.matching.desk import Desk, Distance, Stage, equal_power
from tonmeister.matching.excerpt import Excerpt, loudest_start, mid_side_powers
from tonmeister.matching.picture import dynamics_moves, width_moves
from tonmeister.matching.reference import Reference, read_reference
from tonmeister.matching.same_song import match_levels
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.units import FloatArray
from tonmeister.unmixing import unmix
from tonmeister.unmixing.alignment import align
from tonmeister.unmixing.reading import MixSource
from tonmeister.unmixing.result import Unmixed

__all__ = ["Matched", "match_plan"]

_NO_WORSE = -0.01
"""For moves that the distance does not see: they may cost it a hundredth."""


@dataclass(frozen=True, eq=False)
class Matched:
    """A plan that came closer to a reference, and how far."""

    plan: MixPlan
    reference: str
    same_song: bool
    """Whether the reference was made of these tracks."""
    distance: str
    """Which distance the figures are, in words."""
    plain_sum: float
    before: float
    """Of the plan that was given."""
    after: float
    stages: tuple[Stage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "reference": self.reference, "same_song": self.same_song, "distance": self.distance,
            "plain_sum": self.plain_sum, "before": self.before, "after": self.after,
            "stages": [dataclasses.asdict(stage) for stage in self.stages],
        }  # fmt: skip


def match_plan(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    plan: MixPlan,
    reference: Path,
    *,
    prune: bool = True,
    threads: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Matched:
    """See `tonmeister.matching.match`."""
    told = progress or (lambda stage, done: None)
    told("match", 0.0)
    known = read_reference(reference, multitrack)
    found = _unmixed(multitrack, known, threads, told)
    told("match", 0.3)
    excerpt, heard = _excerpts(multitrack, features, known, found, threads)
    distance = _distance(heard, same=found is not None)
    target = mid_side_powers(heard.samples, heard.sample_rate)
    desk = Desk(plan, excerpt, target, distance)
    before, plain = desk.distance, distance(excerpt.plain_sum())
    notes: list[str] = []
    _stages(
        desk, multitrack, features, known, found, notes, lambda done: told("match", 0.4 + 0.6 * done), prune=prune
    )  # fmt: skip
    result = Matched(
        desk.plan, known.name, found is not None, _WORDS[found is not None], plain, before, desk.distance,
        tuple(desk.stages),
    )  # fmt: skip
    said = (*plan.notes, *notes, *_said(result))
    return dataclasses.replace(result, plan=dataclasses.replace(desk.plan, notes=said))


def _unmixed(
    multitrack: Multitrack, reference: Reference, threads: int | None, told: Callable[[str, float], None]
) -> Unmixed | None:
    """The reference taken apart, where the tracks are found in its waveform."""
    try:
        if not align(multitrack, MixSource(reference.path), threads=threads or 2).certain:
            return None
        told("match", 0.1)
        found = unmix(multitrack, reference.path, threads=threads)
    except BadInputError:  # silent tracks, or nothing in common: any other reference
        return None
    return found if found.recognized else None


def _excerpts(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    reference: Reference,
    found: Unmixed | None,
    threads: int | None,
) -> tuple[Excerpt, Audio]:
    """The part of the song that is rendered, and what of the reference it is held against.

    Of one song the same moments, the loudest of the reference; else the loudest part of each.
    """
    rate, samples = multitrack.sample_rate, reference.audio.samples
    frames = min(Excerpt.length(multitrack), multitrack.frames)
    if found is None:
        length = min(Excerpt.length(multitrack), samples.shape[1])
        start = loudest_start(samples, length, rate)
        part = samples[:, start : start + length]
        return Excerpt(multitrack, _loud_part(features, frames, rate), frames, threads=threads), Audio(
            part, rate
        )
    late = round(found.delay_ms * rate / 1000.0)
    usable = samples[:, max(late, 0) : late + multitrack.frames]
    frames = min(frames, usable.shape[1])
    start = loudest_start(usable, frames, rate)
    in_song = start + max(-late, 0)
    sign = np.float32(-1.0 if found.inverted else 1.0)
    return Excerpt(multitrack, in_song, frames, threads=threads), Audio(
        sign * usable[:, start : start + frames], rate
    )


def _loud_part(features: MultitrackFeatures, frames: int, sample_rate: int) -> int:
    """Where the tracks, equally loud, are loudest together."""
    longest = max(len(features[n].momentary_lufs) for n in features.audible)
    total = np.zeros(longest)
    for name in features.audible:
        series = features[name].momentary_lufs.astype(np.float64) - (features[name].integrated_lufs or 0.0)
        total[: len(series)] += 10.0 ** (series / 10.0)
    wide = max(round(frames / sample_rate * 10.0), 1)
    sums = np.cumsum(np.concatenate([[0.0], total]))
    if longest <= wide:
        return 0
    return round(int(np.argmax(sums[wide:] - sums[:-wide])) * 0.1 * sample_rate)


_WORDS = {
    True: "sum/difference STFT of the loudest part, at equal power",
    False: "global features (AF) of the loudest part, at equal power",
}


def _distance(reference: Audio, *, same: bool) -> Distance:
    def paired(mix: FloatArray) -> float:
        return sum_difference(reference.samples, equal_power(mix, reference.samples)).total

    def unpaired(mix: FloatArray) -> float:
        other = Audio(equal_power(mix, reference.samples), reference.sample_rate)
        return float(feature_distance(reference, other)["af_loss"].value or 0.0)

    return paired if same else unpaired


def _stages(
    desk: Desk,
    multitrack: Multitrack,
    features: MultitrackFeatures,
    reference: Reference,
    found: Unmixed | None,
    notes: list[str],
    told: Callable[[float], None],
    *,
    prune: bool,
) -> None:
    """Levels and places, tone track by track, tone of the mix, width, dynamics; each stays if it pays.

    Towards another song single moves that do not pay are taken back; what unmixing found in a mix of these tracks is
    measured on all of the song, and stands.
    """
    roles = {track.name: track.role for track in multitrack.tracks}
    if found is not None:
        match_levels(desk, found)
        told(0.4)
    else:
        desk.try_moves("levels", list(level_moves(desk, roles)))
        told(0.25)
        desk.try_moves("tone of tracks", list(track_tone_moves(desk, roles)))
    told(0.5)
    desk.try_moves("tone of the mix", list(master_tone_moves(desk)))
    told(0.6)
    desk.try_moves("width", list(width_moves(desk, reference)))
    told(0.65)
    if found is None:
        reached = desk.distance
        taken = desk.prune(lambda done: told(0.65 + 0.3 * done)) if prune else []
        notes += [_taken_back(move, reached, cost) for move, cost in taken]
        desk.try_moves("dynamics", list(dynamics_moves(desk, features, reference, notes)), worth=_NO_WORSE)
    if reference.mono:
        notes.append(f"match: {reference.name} is mono: the width stays as it is")
    told(1.0)


def _taken_back(move: Decision, reached: float, alone: float) -> str:
    return f"match: {move.strip}.{move.target} was taken back: without it the distance is {alone:.4f}, with it {reached:.4f}"


def _said(found: Matched) -> list[str]:
    kind = "made of these tracks" if found.same_song else "another song, of which only balances are taken"
    base, word = (found.plain_sum, "the plain sum") if found.same_song else (found.before, "the start")
    fell = 100.0 * (1.0 - found.after / base) if base > 0 else 0.0
    lines = [
        f"match: {found.reference} is {kind}; {found.distance}: plain sum {found.plain_sum:.3f}, before "
        f"{found.before:.3f}, matched {found.after:.3f} ({fell:.0f} % below {word})"
    ]
    lines += [
        f"match: {stage.name} did not pay ({stage.before:.3f} to {stage.after:.3f}) and was left out"
        for stage in found.stages
        if not stage.kept
    ]
    return lines
