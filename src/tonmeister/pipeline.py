"""Identify and analyze, decide, render: the three in a row, on one screen.

`mix` does it all for a folder; each step can be called by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonmeister.analysis import analyze
from tonmeister.decisions import USER, Decision
from tonmeister.engines.base import decide_in_turn, split_options
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures
from tonmeister.finish import Finished, finish
from tonmeister.hearing import TrackEar
from tonmeister.identification.identify import identified, settled
from tonmeister.loading import load_multitrack
from tonmeister.moves import Move, apply_moves, fixed_controls, lock_decisions
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.render import Section
from tonmeister.strip import MASTER
from tonmeister.targets import DEFAULT_TARGET, Target, parse_target

__all__ = ["DEFAULT_ENGINE", "Mix", "analyze", "decide", "listen", "load_multitrack", "mix", "track_records"]

DEFAULT_ENGINE = "textbook"

Progress = Callable[[str, float], None]
"""Told the stage (``identify``, ``analyze``, ``render``, ``finish``) and how much of it is done, 0 to 1."""


@dataclass(frozen=True)
class Mix:
    """A finished mix: where it is, the plan that made it, what it measures."""

    plan: MixPlan
    features: MultitrackFeatures
    finished: Finished


def mix(
    folder: Path | Multitrack,
    output: Path,
    *,
    engine: str = DEFAULT_ENGINE,
    options: Mapping[str, str] | None = None,
    target: Target | None = None,
    moves: Sequence[Move] = (),
    locks: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
    subtype: str | None = None,
    stems: Path | None = None,
    section: Section | None = None,
    overwrite: bool = False,
    recursive: bool = False,
    base: MixPlan | None = None,
    progress: Progress | None = None,
    names_only: bool = False,
) -> Mix:
    """Mix the tracks of a folder into `output`: identify, analyze, decide, render, meet the loudness target.

    The parameters are those of `listen`, `decide` and of `finish.Delivery`; `recursive` takes tracks from subfolders
    too.
    """
    multitrack = folder if isinstance(folder, Multitrack) else load_multitrack(folder, recursive=recursive)
    told = progress or (lambda stage, done: None)
    multitrack, features = listen(multitrack, names_only=names_only, threads=threads, progress=told)
    plan = decide(
        multitrack,
        features,
        engine=engine,
        options=options,
        moves=moves,
        locks=locks,
        seed=seed,
        target=target,
    )
    finished = finish(
        multitrack,
        plan,
        output,
        target=target or parse_target(DEFAULT_TARGET),
        threads=threads,
        subtype=subtype,
        stems=stems,
        section=section,
        overwrite=overwrite,
        progress=told,
    )
    return Mix(finished.plan, features, finished)


def listen(
    multitrack: Multitrack,
    *,
    names_only: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Multitrack, MultitrackFeatures]:
    """What each track is and what it measures; names that leave doubt are helped by the sound, unless `names_only`."""
    told = progress or (lambda stage, done: None)
    if not names_only:
        multitrack = identified(
            multitrack, threads=threads, progress=lambda name, done: told("identify", done)
        )
    features = analyze(multitrack, threads=threads, progress=lambda name, done: told("analyze", done))
    return settled(multitrack, features)


def decide(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    *,
    engine: str = DEFAULT_ENGINE,
    options: Mapping[str, str] | None = None,
    moves: Sequence[Move] = (),
    locks: Sequence[str] = (),
    seed: int = 0,
    target: Target | None = None,
    base: MixPlan | None = None,
) -> MixPlan:
    """Let one engine, or several joined by ``+``, decide; then a person's locks and moves.

    With `base`, an earlier plan's user decisions and everything on locked strips are kept.
    Raises `BadInputError` when no track is audible.
    """
    if not features.audible:
        raise BadInputError("every track is silent: check the export, or what tonmeister.toml excludes")
    names = engine.split("+")
    per_engine = split_options(names, options or {})
    decisions: list[Decision] = list(_kept(base, locks))
    decisions += lock_decisions((*multitrack.locks, *locks), (*multitrack.names, *_made_strips(base)))
    settled = (*decisions, *fixed_controls(moves, multitrack.names))
    ear = TrackEar(multitrack, features)
    made, told = decide_in_turn(names, per_engine, multitrack, features, settled=settled, seed=seed, ear=ear)
    decisions += made
    target = target or parse_target(DEFAULT_TARGET)
    plan = MixPlan.of(
        decisions,
        title=multitrack.title,
        sample_rate=multitrack.sample_rate,
        tracks=track_records(multitrack, features),
        engine=engine,
        options=dict(options or {}),
        seed=seed,
        target_lufs=target.lufs,
        ceiling_dbtp=target.ceiling_dbtp,
        notes=(*_notes(multitrack, features), *told),
    )
    return apply_moves(plan, moves)


def _kept(base: MixPlan | None, locks: Sequence[str]) -> list[Decision]:
    """What survives of an earlier plan.

    A person's decisions; all that is on a locked strip or control, now the person's; and the buses that these
    feed, as their engine left them, so that nothing leads nowhere.
    """
    if base is None:
        return []
    folded = {lock.casefold() for lock in locks}
    needed = _fed_by(base, [s.name for s in base.strips if s.name.casefold() in folded])
    kept: list[Decision] = []
    for entry in base.log:
        decision = entry.decision
        names = {decision.strip.casefold(), f"{decision.strip}.{decision.target}".casefold()}
        if decision.by == USER or (decision.strip in needed and not entry.overruled):
            kept.append(decision)
        elif folded & names and not entry.overruled:
            kept.append(dataclasses.replace(decision, by=USER))
    return kept


def _fed_by(plan: MixPlan, strips: Sequence[str]) -> set[str]:
    """Buses and returns that the strips reach, the master left out."""
    reached: set[str] = set()
    waiting = list(strips)
    while waiting:
        strip = plan[waiting.pop()]
        targets = {strip.output, *(s.to for s in strip.sends)} - {"", MASTER} - reached
        reached |= targets
        waiting += targets
    return reached


def _made_strips(base: MixPlan | None) -> tuple[str, ...]:
    return tuple(s.name for s in base.strips if s.kind != "track") if base else ("master",)


def track_records(multitrack: Multitrack, features: MultitrackFeatures) -> list[TrackRecord]:
    """What the plan keeps of each track."""
    return [
        TrackRecord(
            name=t.name,
            file=t.file,
            instrument=t.instrument,
            role=t.role,
            confidence=t.confidence,
            evidence=t.evidence,
            channels=t.channels,
            frames=t.frames_at(multitrack.sample_rate),
            checksum=features[t.name].checksum,
            group=t.group,
        )
        for t in multitrack.tracks
    ]


def _notes(multitrack: Multitrack, features: MultitrackFeatures) -> tuple[str, ...]:
    """Everything that was noticed, for the reader of the plan."""
    notes = list(multitrack.notes)
    notes += [f"{e.file}: left out, {e.why}" for e in multitrack.excluded]
    notes += [f"{name}: silent" for name, track in features.tracks.items() if track.silent]
    notes += [f"{again}: the same audio as {kept}" for kept, again in features.duplicates]
    notes += [
        f"{name}: clipped in {t.clipped_runs} places, first at {t.clipped_at_s[0]:.2f} s"
        for name, t in features.tracks.items()
        if t.clipped_runs
    ]
    notes += [f"{name}: DC offset of {t.dc:+.3f}" for name, t in features.tracks.items() if abs(t.dc) > 0.01]
    return tuple(notes)
