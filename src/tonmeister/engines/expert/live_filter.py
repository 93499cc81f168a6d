"""The network live: event by event, each strip's belief advanced and turned into moves.

`ExpertFilter.update` takes what was found at an event and gives the controls that should move, each with its probability
and its reason. It allocates a few small arrays and reads no file, no clock and no sound; it belongs to the control thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tonmeister.engines.expert.decoding import Decoded, decode, worth_moving
from tonmeister.engines.expert.evidence import Finding, hardened
from tonmeister.engines.expert.filtering import Chain
from tonmeister.engines.expert.model import Choice, Model
from tonmeister.engines.expert.numbers import numbers
from tonmeister.engines.expert.reasons import Weight, rules_behind, told, weights
from tonmeister.engines.expert.rules import Rule
from tonmeister.engines.expert.utility import Situation, expected_utility
from tonmeister.errors import BadInputError, nearest
from tonmeister.units import DoubleArray

__all__ = ["ControlChoice", "EventEvidence", "ExpertFilter"]

_SCORE_NODES: Final = ("Section", "Role", "ScoreDynamic", "Density", "NextEntry")
_LOST: Final = 0.3
"""Below this confidence nothing that the score says is believed."""


@dataclass(frozen=True)
class EventEvidence:
    """What is found at one event of the music."""

    time_s: float
    kind: str = "beat"
    """``note``, ``beat``, ``entry`` or ``section``."""
    song: Mapping[str, Finding] = field(default_factory=dict)
    """Node -> finding, for all strips."""
    strips: Mapping[str, Mapping[str, Finding]] = field(default_factory=dict)
    """Strip -> node -> finding; a state, a measured number (NaN: nothing) or a likelihood per state."""
    confidence: float = 1.0
    """How surely the score's place is known, 0 to 1; below 0.3 what the score says is left out."""


@dataclass(frozen=True, eq=False)
class ControlChoice:
    """A control that should move, and why."""

    strip: str
    control: str
    """Name and unit as in operation logs: ``fader_db`` is against the soundcheck's level."""
    value: float | None
    """None is off."""
    state: str
    confidence: float
    """P(state | everything found so far), halved when two states compete."""
    time_s: float
    weights: tuple[Weight, ...] = ()
    rules: tuple[tuple[Rule, float], ...] = ()
    text: str = ""


@dataclass(eq=False)
class _Track:
    """One decision node for all strips: chain, messages, what is held."""

    chain: Chain
    choice: Choice
    message: DoubleArray
    held: dict[str, Decoded] = field(default_factory=dict)


class ExpertFilter:
    """Beliefs about all strips of a console, advanced from event to event."""

    def __init__(
        self,
        model: Model,
        strips: Sequence[str],
        *,
        always: Mapping[str, Mapping[str, Finding]] | None = None,
        song: Mapping[str, Finding] | None = None,
        decisions: Sequence[str] = ("FaderStep", "Mute"),
        improved: bool = True,
    ) -> None:
        """`always` and `song` hold what is known beforehand, per strip and for all; `decisions` are nodes."""
        self._model, self._strips, self._improved = model, tuple(strips), improved
        self._always = {n: dict((always or {}).get(n, {})) for n in strips}
        self._song = dict(song or {})
        self._check(self._song, *self._always.values())
        names = [n.name for n in model.network.nodes.values() if n.kind in ("given", "score", "sound")]
        self._decided = {d: self._begun(d, names) for d in decisions if d in model.choices}
        hidden = "Prominence" if "Prominence" in model.network.nodes else ""
        self._prominence = Chain(model.network, hidden, names) if hidden else None
        self._touched: set[tuple[str, str]] = set()
        self._last_s = -np.inf
        self.contradictions = 0
        """Events whose findings could not be true together: what was held stayed held."""

    def _begun(self, node: str, names: Sequence[str]) -> _Track:
        chain = Chain(self._model.network, node, names)
        start = np.broadcast_to(chain.start(), (len(self._strips), *chain.start().shape)).copy()
        return _Track(chain, self._model.choices[node], start)

    def _check(self, *findings: Mapping[str, Finding]) -> None:
        for found in findings:
            for name in found:
                self._model.network.node(name)

    def touch(self, strip: str, control: str) -> None:
        """A hand is on a control: it is left alone until released."""
        self._touched.add((self._known(strip), control))

    def release(self, strip: str, control: str, value: float | None = None) -> None:
        """The hand is gone; what it left, if given, is what is held now."""
        self._touched.discard((self._known(strip), control))
        for track in self._decided.values():
            if track.choice.control == control and value is not None:
                track.held[strip] = Decoded(value, _nearest(track.choice, value), 1.0, False)

    def held(self, strip: str, control: str) -> float | None:
        """Where a control stands after the events so far; None for off, or before any event."""
        track = next((t for t in self._decided.values() if t.choice.control == control), None)
        return track.held[strip].value if track is not None and strip in track.held else None

    def belief(self, strip: str, node: str) -> DoubleArray:
        """P(decision) of a strip after the events so far, shape (states,)."""
        track = self._decided[node]
        if node not in track.chain.now:
            raise BadInputError(f"{node} does not carry over from event to event")
        axes = tuple(1 + i for i, n in enumerate(track.chain.now) if n != node)
        return np.asarray(track.message.sum(axis=axes)[self._strips.index(strip)])

    def _known(self, strip: str) -> str:
        if strip not in self._strips:
            raise BadInputError(f"there is no strip {strip!r}{nearest(strip, list(self._strips))}")
        return strip

    def update(self, event: EventEvidence) -> list[ControlChoice]:
        """Advance to an event; the controls that should move. Events come in the order of time."""
        if not event.time_s >= self._last_s:
            raise BadInputError(f"t_s={event.time_s!r} comes after {self._last_s!r}: events must be in order")
        for strip in event.strips:
            self._known(strip)
        self._check(event.song, *event.strips.values())
        self._last_s = event.time_s
        findings = self._findings(event)
        moves: list[ControlChoice] = []
        for node, track in self._decided.items():
            before = track.message
            chances, after = track.chain.forward(before, findings)
            good = np.isfinite(np.broadcast_to(chances, (len(self._strips), chances.shape[-1]))).all(axis=1)
            chances = np.broadcast_to(chances, (len(self._strips), chances.shape[-1]))
            self.contradictions += int((~good).sum())
            if after.ndim:
                keep = good.reshape(-1, *[1] * (before.ndim - 1))
                track.message = np.where(keep, after, before)
            for index in np.flatnonzero(good):
                moves += self._moved(node, track, int(index), chances[index], before, findings, event)
        return moves

    def _findings(self, event: EventEvidence) -> dict[str, DoubleArray]:
        """Likelihoods of all strips, (strips, states) per node."""
        found: dict[str, list[DoubleArray | None]] = {}
        for index, strip in enumerate(self._strips):
            layers = {**self._song, **event.song, **self._always[strip], **event.strips.get(strip, {})}
            for name, finding in layers.items():
                likelihood = self._believed(name, finding, event.confidence)
                found.setdefault(name, [None] * len(self._strips))[index] = likelihood
        return {
            name: np.stack(
                [np.ones(len(self._model.network.nodes[name].states)) if r is None else r for r in rows]
            )
            for name, rows in found.items()
            if any(r is not None for r in rows)
        }

    def _believed(self, name: str, finding: Finding, confidence: float) -> DoubleArray | None:
        """A finding, flattened by the doubt about the score's place."""
        likelihood = self._model.find(name, finding)
        if likelihood is None:
            return None
        if not self._improved:
            return hardened(likelihood)
        if name not in _SCORE_NODES or confidence >= 1.0:
            return likelihood
        return (
            None if confidence < _LOST else confidence * likelihood + (1.0 - confidence) * likelihood.mean()
        )

    def _moved(
        self, node: str, track: _Track, index: int, chances: DoubleArray, before: DoubleArray,
        findings: Mapping[str, DoubleArray], event: EventEvidence,
    ) -> Iterable[ControlChoice]:  # fmt: skip
        strip, choice = self._strips[index], track.choice
        if (strip, choice.control) in self._touched:
            return
        new = decode(chances, choice)
        held = track.held.get(strip)
        if held is not None and not self._worth(new, held, chances, choice, index, findings, event.kind):
            return
        track.held[strip] = new
        mine = {n: f[index] for n, f in findings.items()}
        message = before[index] if before.ndim else before
        yield self._explained(node, track, strip, new, mine, message, event.time_s)

    def _worth(
        self, new: Decoded, held: Decoded, chances: DoubleArray, choice: Choice, index: int,
        findings: Mapping[str, DoubleArray], kind: str,
    ) -> bool:  # fmt: skip
        if not self._improved:
            return new.value != held.value
        if not worth_moving(new, held.value, chances, choice, section_start=kind == "section"):
            return False
        if choice.node != "FaderStep" or new.value is None or held.value is None or self._prominence is None:
            return True
        mine = {n: f[index] for n, f in findings.items()}
        prominence = self._prominence.asked_with(mine, self._prominence.start())
        if prominence.shape[-1] != len(numbers("utility.prominence_lu")) or not np.isfinite(prominence).all():
            return True
        measured = self._measured("Loudness", mine)
        situation = Situation(prominence, measured, 0.0, held.value)
        return expected_utility(new.value, situation) > expected_utility(held.value, situation)

    def _measured(self, node: str, findings: Mapping[str, DoubleArray]) -> float:
        """The number behind a soft finding: the mean over the bin centers; 0 where nothing was found."""
        if node not in findings or node not in self._model.bins or np.ptp(findings[node]) <= 0.0:
            return 0.0
        return float(findings[node] @ np.array(self._model.bins[node].centers) / findings[node].sum())

    def _explained(
        self, node: str, track: _Track, strip: str, new: Decoded, findings: Mapping[str, DoubleArray],
        message: DoubleArray, time_s: float,
    ) -> ControlChoice:  # fmt: skip
        found = weights(track.chain, new.state, findings, message)
        rules = rules_behind(self._model, node, new.state, findings, message, track.chain.before)
        state = self._model.network.nodes[node].states[new.state]
        return ControlChoice(
            strip, track.choice.control, new.value, state, new.confidence, time_s, tuple(found),
            tuple(r for r in rules if r[1] > 0.0)[:3], told(found, {}),
        )  # fmt: skip


def _nearest(choice: Choice, value: float) -> int:
    valued = [i for i, v in enumerate(choice.values) if v is not None]
    return min(valued, key=lambda i: abs((choice.values[i] or 0.0) - value))
