"""What the sound of a track says about it: probabilities, how much was heard, and room for "unknown"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tonmeister.vocabulary import parents

__all__ = ["NOTHING_HEARD", "SoundEvidence"]


@dataclass(frozen=True)
class SoundEvidence:
    """Calibrated probabilities of one track's sound.

    ``probabilities`` (instrument word -> 0 to 1) and ``unknown`` add up to 1; ``roles`` adds up to 1, or is empty
    when nothing was heard. Only the words that the model was taught occur (see its card).
    """

    probabilities: Mapping[str, float]
    unknown: float
    roles: Mapping[str, float]
    seconds_heard: float
    """Length of the stretches that were looked at; 0 for a silent track."""

    @cached_property
    def families(self) -> Mapping[str, float]:
        """Probability of each family: the sum over its instruments."""
        return self._summed(lambda chain: chain[-1:])

    @cached_property
    def nodes(self) -> Mapping[str, float]:
        """Probability of every node of the tree above and at what the model was taught."""
        return self._summed(lambda chain: chain)

    @property
    def instrument(self) -> str | None:
        """The most probable instrument; None when unknown is more probable than anything known together."""
        if not self.probabilities or self.unknown >= 0.5:
            return None
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def family(self) -> str | None:
        """The most probable family, which need not be that of the most probable instrument; None when unknown."""
        if not self.probabilities or self.unknown >= 0.5:
            return None
        return max(self.families, key=self.families.__getitem__)

    def _summed(self, nodes_of: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Mapping[str, float]:
        sums: dict[str, float] = {}
        for word, probability in self.probabilities.items():
            for node in nodes_of(parents(word)):
                sums[node] = sums.get(node, 0.0) + probability
        return sums


NOTHING_HEARD = SoundEvidence({}, unknown=1.0, roles={}, seconds_heard=0.0)
"""Of silence."""
