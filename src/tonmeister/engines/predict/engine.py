"""The engine `predict`: a small set network that has seen many consoles says where the controls of this one belong.

The network reads numbers about each track and its place among the others, never sound, and answers with a mean and a
spread per control. What it is sure of becomes a move; what it is not is left out, or left to the engine before it in a
chain. Take 1 is the most probable console, further takes are drawn from the spreads.

Set networks: Zaheer et al., NeurIPS 2017; Lee et al., ICML 2019. A console from pooled tracks: Steinmetz et al., ICASSP
2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from tonmeister.decisions import AddSend, Decision, Reason, SetGain
from tonmeister.engines.predict.chain import Chain, chain_of, standing
from tonmeister.engines.predict.console import SOURCE, Desk
from tonmeister.engines.predict.model import ConsoleModel, load_console_model
from tonmeister.engines.predict.options import PredictOptions
from tonmeister.engines.predict.takes import drawn
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack

__all__ = ["PredictEngine"]


class PredictEngine:
    """Faders, places, tone, dynamics and room by prediction."""

    name: ClassVar[str] = "predict"
    Options: ClassVar[type[PredictOptions]] = PredictOptions

    def __init__(self, options: PredictOptions | None = None, *, seed: int = 0) -> None:
        """Take the options; `seed` and the option ``take`` say what is drawn."""
        self._options = options or PredictOptions()
        self._model: ConsoleModel = load_console_model(self._options.model)
        self._seed = seed
        self._left_out: list[str] = []

    @property
    def notes(self) -> Sequence[str]:
        """What was too uncertain, in one line."""
        if not self._left_out:
            return ()
        return (f"predict: {len(self._left_out)} moves were too uncertain and left out",)

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """The whole console."""
        return self.decide_after(multitrack, features, ())

    def decide_after(
        self, multitrack: Multitrack, features: MultitrackFeatures, earlier: Iterable[Decision]
    ) -> list[Decision]:
        """The moves that are sure; the rest stays as `earlier` left it."""
        before = list(earlier)
        tracks = sorted((t for t in multitrack.tracks if not features[t.name].silent), key=lambda t: t.name)
        if not tracks:
            return []
        said = self._model.predict([(t, features[t.name]) for t in tracks])
        take = drawn(said, seed=self._seed, take=self._options.take)
        chains: dict[str, Chain] = {
            t.name: chain_of(
                t.name, word, features[t.name], standing(before, t.name), self._options.confidence
            )
            for t, word in zip(tracks, take, strict=True)
        }
        desk = Desk(multitrack, features, dict(zip(chains, take, strict=True)), chains, before,
                    self._options.confidence, by=self.name)  # fmt: skip
        made = [*self._silent(multitrack, features, before), *desk.decisions()]
        self._left_out = desk.left_out
        return made

    def _silent(
        self, multitrack: Multitrack, features: MultitrackFeatures, before: Sequence[Decision]
    ) -> list[Decision]:
        """One word on each silent track, unless an engine before said it."""
        if any(isinstance(d, (SetGain, AddSend)) for d in before):
            return []
        why = Reason("Silent: nothing to predict, the fader stays at unity.", SOURCE, "predict.silent")
        return [SetGain(n, 0.0, reason=why, by=self.name) for n in multitrack.names if features[n].silent]
