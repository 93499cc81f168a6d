"""Rules in, decisions out: chosen by capability, kept true by constraints, each decision with the name of its rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.decisions import Decision, SetGain, SetPan
from tonmeister.engines.semantic.capabilities import Selection, select
from tonmeister.engines.semantic.direct import AUTOMATED, direct_decisions
from tonmeister.engines.semantic.documents import KnownRule, load_rules
from tonmeister.engines.semantic.judging import contradictions, rule_set
from tonmeister.engines.semantic.moving import moves_of
from tonmeister.engines.semantic.options import SemanticOptions
from tonmeister.engines.semantic.situation import Situation
from tonmeister.engines.semantic.terms import local_name, parameters
from tonmeister.engines.textbook.channels import Style
from tonmeister.engines.textbook.engine import mixdown
from tonmeister.engines.textbook.repair import left_out
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.rif.ast import Const, Frame, walk

__all__ = ["SemanticEngine", "chosen_rules"]

_LEVELS: Final = frozenset({"stepGain", "faderTarget", "faderKit", "faderSectionShare"})
_PLACES: Final = frozenset({"panPosition"})


@dataclass(frozen=True, slots=True)
class Choice:
    """The rules at hand, and which of them this system applies in this profile."""

    rules: tuple[KnownRule, ...]
    selection: Selection
    applied: tuple[KnownRule, ...]
    notes: tuple[str, ...] = ()


def chosen_rules(options: SemanticOptions) -> Choice:
    """Read the documents and reason which rules apply; once for documents that have not changed."""
    paths = [Path(p).expanduser() for p in (options.rules, options.capabilities) if p]
    return _chosen(options, tuple(stamp for path in paths for stamp in _stamps(path)))


def _stamps(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file or of all files beside one another in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]


@lru_cache(maxsize=4)
def _chosen(options: SemanticOptions, stamps: tuple[tuple[str, int, int], ...]) -> Choice:
    rules = load_rules(Path(options.rules) if options.rules else None)
    capabilities = Path(options.capabilities).expanduser() if options.capabilities else None
    selection = select([known.rule for known in rules], capabilities)
    applied = tuple(
        known
        for known, verdict in zip(rules, selection.verdicts, strict=True)
        if verdict.applies
        and not known.disputed
        and (not known.profiles or options.profile in known.profiles)
    )
    dropped = tuple(f"{v.rule.name}: left out, it {v.why_not}" for v in selection.dropped)
    return Choice(tuple(rules), selection, applied, (*selection.notes, *dropped))


class SemanticEngine:
    """Rules as documents that any system can share."""

    name: ClassVar[str] = "semantic"
    Options: ClassVar[type[SemanticOptions]] = SemanticOptions

    def __init__(self, options: SemanticOptions | None = None, *, seed: int = 0) -> None:
        """Read the rules and choose; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or SemanticOptions()
        self.choice = chosen_rules(self._options)
        self._told: tuple[str, ...] = ()
        self._moving: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """Rules this system cannot apply and why, and what the rules could not keep in the last song."""
        return (*self.choice.notes, *self._told)

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """Every decision that a rule asks for."""
        situation = self.situation(multitrack, features)
        decisions = list(self._decisions(situation, multitrack, features))
        reports = (report.text.replace("track/", "") for report in situation.store.reports)
        still = (f"tm:{n} would move, which no plan can hold: it stays as at the start" for n in self._moving)
        self._told = (*situation.notes, *contradictions(situation), *reports, *still)
        return decisions

    def situation(self, multitrack: Multitrack, features: MultitrackFeatures) -> Situation:
        """The store of a song with the rules in it, as a live desk would keep it."""
        silent = left_out(multitrack, features)
        heard = [name for name in multitrack.names if name not in silent]
        return Situation.of(
            self.choice.applied, self.choice.selection, multitrack, features, heard=heard,
            faithful=self._options.profile == "faithful",
        )  # fmt: skip

    def _decisions(
        self, situation: Situation, multitrack: Multitrack, features: MultitrackFeatures
    ) -> Iterator[Decision]:
        faithful = self._options.profile == "faithful"
        stages: Sequence[Decision] = ()
        if not faithful:
            style = Style("improved", False, "median")
            stages = self._asked(mixdown(multitrack, features, rule_set(situation), style, self.name))
        yield from stages
        silent = left_out(multitrack, features)
        heard = tuple(name for name in multitrack.names if name not in silent)
        moves = moves_of(situation, features, heard)
        self._moving = sorted({name for _, name in moves if name in parameters()} - AUTOMATED)
        yield from direct_decisions(situation, heard, moves, stages, by=self.name, whole=faithful)

    def _asked(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Without a rule for levels no fader moves, without one for places no pan."""
        written = {
            local_name(key.value)
            for known in self.choice.applied
            for node in walk(known.rule.actions)
            if isinstance(node, Frame)
            for key, _ in node.slots
            if isinstance(key, Const)
        }
        unasked: tuple[type[Decision], ...] = ()
        unasked += () if written & _LEVELS else (SetGain,)
        unasked += () if written & _PLACES else (SetPan,)
        return [d for d in decisions if not isinstance(d, unasked)]
