"""From a folder and a person's wishes to a plan: what `mix` and `decide` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tonmeister.cli.options import parse_moves, parse_options
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Bars
    from tonmeister.features import MultitrackFeatures
    from tonmeister.moves import Move
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan
    from tonmeister.targets import Target

__all__ = ["Wishes", "check_engine", "further_plans", "plan_for", "target_of", "wishes"]


@dataclass(frozen=True)
class Wishes:
    """What was asked for, read and checked before any audio is touched."""

    engine: str | None
    options: Mapping[str, str]
    moves: Sequence[Move]
    locks: Sequence[str]
    target: Target
    seed: int
    base: MixPlan | None = None
    names_only: bool = False
    """Whether file names alone say what the tracks are."""
    reference: Path | None = None
    """A finished mix to come close to."""
    prune: bool = True
    """Whether moves that bring it no closer are taken back."""

    @property
    def decides(self) -> bool:
        """Whether an engine decides; without one an earlier plan is taken as it is."""
        return self.base is None or self.engine is not None


def wishes(
    *,
    engine: str | None,
    options: Sequence[str],
    moves: Sequence[str],
    locks: Sequence[str],
    target: str | None,
    seed: int,
    plan: Path | None = None,
    names_only: bool = False,
    reference: Path | None = None,
    prune: bool = True,
) -> Wishes:
    """Read the texts of the options; raises `BadInputError` for what cannot be meant."""
    from tonmeister.plan_file import load_plan

    base = load_plan(plan) if plan else None
    read, made = parse_options(options), parse_moves(moves)
    if reference is not None and not reference.is_file():
        raise BadInputError(f"{reference}: no such file: give the reference mix")
    wanted = Wishes(
        engine, read, made, locks, target_of(target, base), seed, base, names_only, reference, prune
    )
    if wanted.decides:
        check_engine(engine, read, seed)
    elif options:
        raise BadInputError(
            "--option is for an engine: give --engine too, or leave it out to keep the plan's decisions"
        )
    return wanted


def check_engine(engine: str | None, options: Mapping[str, str], seed: int) -> None:
    """Refuse an unknown engine or option before the tracks are measured."""
    from tonmeister.engines.base import load_engine, split_options
    from tonmeister.pipeline import DEFAULT_ENGINE

    names = (engine or DEFAULT_ENGINE).split("+")
    for name, own in split_options(names, options).items():
        load_engine(name, own, seed=seed)


def target_of(text: str | None, base: MixPlan | None) -> Target:
    """The target asked for, else the one an earlier plan was made for, else the default."""
    from tonmeister.targets import DEFAULT_TARGET, Target, parse_target, targets

    if text is not None or base is None:
        return parse_target(text or DEFAULT_TARGET)
    rules = (d.reason.rule for d in reversed(base.decisions) if d.by == "target")
    named = next(
        (rule.removeprefix("target.") for rule in rules if rule.removeprefix("target.") in targets()), ""
    )
    if named:
        return targets()[named]
    if base.target_lufs is not None:
        return Target("custom", base.target_lufs, base.ceiling_dbtp, source="the plan")
    return parse_target(DEFAULT_TARGET)


def plan_for(
    multitrack: Multitrack, wanted: Wishes, bars: Bars, *, threads: int | None, measure: bool = False
) -> tuple[MixPlan, MultitrackFeatures | None, Multitrack]:
    """The plan, the measurements it rests on, and the tracks with what they turned out to be.

    There are no measurements when an earlier plan is kept and `measure` is not asked.
    """
    from tonmeister.moves import apply_locks, apply_moves
    from tonmeister.pipeline import DEFAULT_ENGINE, decide, listen

    features = None
    if wanted.decides or measure or wanted.reference:
        bars("analyze", 0.0)
        multitrack, features = listen(
            multitrack, names_only=wanted.names_only, threads=threads, progress=bars
        )
    before, after = _around_matching(wanted)
    if wanted.decides:
        assert features is not None
        plan = decide(
            multitrack,
            features,
            engine=wanted.engine or DEFAULT_ENGINE,
            options=wanted.options,
            moves=before,
            locks=wanted.locks,
            seed=wanted.seed,
            target=wanted.target,
            base=wanted.base,
        )
    else:
        assert wanted.base is not None
        plan = apply_moves(apply_locks(wanted.base, wanted.locks), before)
        target = wanted.target
        plan = dataclasses.replace(plan, target_lufs=target.lufs, ceiling_dbtp=target.ceiling_dbtp)
    if wanted.reference is not None:
        from tonmeister.matching import match

        assert features is not None
        found = match(
            multitrack, features, plan, wanted.reference, prune=wanted.prune, threads=threads, progress=bars
        )
        plan = apply_moves(found.plan, after)
    return plan, features, multitrack


def _around_matching(wanted: Wishes) -> tuple[list[Move], list[Move]]:
    """A person's moves before matching, which works around them, and those that start from where it ends."""
    relative = {move.path.casefold() for move in wanted.moves if move.how != "="}
    if wanted.reference is None:
        return list(wanted.moves), []
    before = [move for move in wanted.moves if move.path.casefold() not in relative]
    return before, [move for move in wanted.moves if move.path.casefold() in relative]


def further_plans(
    multitrack: Multitrack, features: MultitrackFeatures | None, wanted: Wishes, plan: MixPlan
) -> Iterator[tuple[int, MixPlan]]:
    """(take, plan) of the other mixes, where an engine was asked for several (options ``mixes`` and ``take``)."""
    from tonmeister.pipeline import decide

    mixes, taken = (int(_option(wanted.options, name, "1")) for name in ("mixes", "take"))
    if features is None or wanted.engine is None:
        return
    for take in range(1, mixes + 1):
        if take != taken:
            options = {**wanted.options, _key(wanted.options, "take"): str(take)}
            other = decide(
                multitrack, features, engine=wanted.engine, options=options, moves=wanted.moves,
                locks=wanted.locks, seed=wanted.seed, target=wanted.target, base=wanted.base,
            )  # fmt: skip
            if other.strips != plan.strips:
                yield take, other


def _key(options: Mapping[str, str], name: str) -> str:
    """How an option is spelled: by itself, or with its engine."""
    return next((key for key in options if key.rpartition(".")[2] == name), name)


def _option(options: Mapping[str, str], name: str, default: str) -> str:
    return options.get(_key(options, name), default)
