"""Slice after slice: forward filter for the live desk, exact smoothing for a song that is known to its end.

    alpha_t(x_t) = sum over x_{t-1} of  alpha_{t-1}(x_{t-1}) T_t(x_{t-1}, x_t),    beta_{t-1} = sum over x_t of T_t beta_t

x are the nodes that carry from slice to slice (a section, the held fader), T_t the slice's tables with its findings
multiplied in and all else summed out. For one decision x is small (6 sections times 9 fader steps), so a slice costs a few
dense products. Strips share the tables: they are the batch axis of everything here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tonmeister.engines.expert.inference import Query, Scope, normalized, summed
from tonmeister.engines.expert.network import Network
from tonmeister.units import DoubleArray

__all__ = ["Chain", "Findings"]

Findings = Mapping[str, DoubleArray]
"""Node -> likelihood per state, shape (states,) or (strips, states)."""


class Chain:
    """One node followed through the slices, with everything it depends on."""

    def __init__(self, network: Network, asked: str, findings: Sequence[str]) -> None:
        self.network, self.asked = network, asked
        self.before, names = _carried(network, asked, findings)
        self.now: Scope = tuple(network.before[b] for b in self.before)
        scopes: list[Scope] = [self.before] if self.before else []
        self._step = Query(network, self.now or (asked,), names, scopes, self.before)
        ends: list[Scope] = [*scopes, self.now] if self.before else []
        self._ask = Query(network, (asked,), names, ends, self.before)
        self._between = (
            Query(network, (*self.before, *self.now), names, (), self.before) if self.before else None
        )
        self.findings = self._ask.findings

    def start(self) -> DoubleArray:
        """The message before the first slice: what the nodes of the past are without any past; shape (x,)."""
        message = np.ones(())
        for name in self.before:
            message = np.multiply.outer(message, self.network.tables[name].values)
        return np.asarray(message)

    def forward(self, message: DoubleArray, findings: Findings) -> tuple[DoubleArray, DoubleArray]:
        """P(asked | findings so far), shape (strips..., states), and the message to the next slice."""
        if not self.before:
            found = self._ask.run(findings)
            return found, np.ones(())
        after = self._step.run(findings, [message])
        axis = after.ndim - len(self.now)
        if self.asked in self.now:
            keep = axis + self.now.index(self.asked)
            return after.sum(axis=tuple(a for a in range(axis, after.ndim) if a != keep)), after
        open_end = np.ones(self.network.sizes(self.now))
        return self._ask.run(findings, [message, open_end]), after

    def asked_with(
        self, findings: Findings, message: DoubleArray, ahead: DoubleArray | None = None
    ) -> DoubleArray:
        """P(asked) of one slice between a message from before and one from behind."""
        if not self.before:
            return self._ask.run(findings)
        behind = np.ones(self.network.sizes(self.now)) if ahead is None else ahead
        return self._ask.run(findings, [message, behind])

    def smooth(self, slices: Sequence[Findings]) -> list[DoubleArray]:
        """P(asked_t | findings of all slices), for each slice."""
        forward, backward = self.messages(slices)
        return [self.asked_with(f, a, b) for f, a, b in zip(slices, forward, backward, strict=True)]

    def messages(self, slices: Sequence[Findings]) -> tuple[list[DoubleArray], list[DoubleArray]]:
        """Per slice, the message that enters it from before and the one that enters it from behind."""
        forward, backward = [self.start()], [np.ones(self.network.sizes(self.now))]
        if self._between is None:
            return forward * len(slices), backward * len(slices)
        count = len(self.before)
        between = [self._between.joint(f) for f in slices]
        for step in between[:-1]:
            forward.append(_normal(_applied(forward[-1], step, count, ahead=True), count))
        for step in reversed(between[1:]):
            backward.append(_normal(_applied(backward[-1], step, count, ahead=False), count))
        return forward[: len(slices)], backward[::-1][: len(slices)]


def _carried(network: Network, asked: str, findings: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The nodes of the past that matter for a node, and the findings that do.

    A finding matters when it shares an ancestor with what matters already, in this slice or through a carried node.
    """
    matters: frozenset[str] = frozenset()
    while True:
        carried = tuple(b for b in network.before if b in matters or network.before[b] in matters)
        heard = [f for f in findings if network.ancestors([f]) & matters]
        wider = network.ancestors((asked, *carried, *(network.before[b] for b in carried), *heard))
        if wider == matters:
            return carried, heard
        matters = wider


def _applied(message: DoubleArray, step: DoubleArray, count: int, *, ahead: bool) -> DoubleArray:
    """A message through one slice, forward or backward; the last axes are those of the carried nodes."""
    before = tuple(f"before {k}" for k in range(count))
    now = tuple(f"now {k}" for k in range(count))
    given, kept = (before, now) if ahead else (now, before)
    return summed([message, step], [given, (*before, *now)], kept)


def _normal(message: DoubleArray, count: int) -> DoubleArray:
    """Scaled to add up to one; a message of findings that contradict each other says nothing."""
    scaled = normalized(message, count)
    return np.where(np.isfinite(scaled), scaled, 1.0 / np.prod(message.shape[message.ndim - count :]))
