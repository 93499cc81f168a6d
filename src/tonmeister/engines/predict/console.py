"""From predictions to decisions: levels that add up, sides in balance, one room for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Automate,
    Decision,
    Reason,
    SetGain,
    SetPan,
)
from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.predict.chain import Chain
from tonmeister.engines.predict.outputs import Prediction, number, numbers
from tonmeister.engines.prediction import predicted_lufs, reverb_change_db
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS

__all__ = ["SOURCE", "Desk"]

SOURCE: Final = "learned from synthesized consoles; set networks: Zaheer et al., NeurIPS 2017"
GRADE: Final = "R"


class Desk:
    """One song's predictions on the way to its strips; `left_out` is known once the decisions are."""

    def __init__(
        self,
        multitrack: Multitrack,
        features: MultitrackFeatures,
        said: Mapping[str, Prediction],
        chains: Mapping[str, Chain],
        earlier: Sequence[Decision],
        least: float,
        *,
        by: str,
    ) -> None:
        self._multitrack, self._features = multitrack, features
        self._said, self._chains, self._least, self._by = said, chains, least, by
        self._faders = _faders(earlier)
        self._earlier = earlier
        self.left_out = [line for chain in chains.values() for line in chain.left_out]

    def decisions(self) -> Iterator[Decision]:
        """Inserts, faders, places; then the room."""
        levels, pans = self._levels(), self._pans()
        for name, chain in self._chains.items():
            for slot, effect in chain.own.items():
                yield self._insert(name, slot, effect, chain.confidence[slot])
            if name in levels:
                yield self._fader(name, levels[name])
            if name in pans:
                yield self._place(name, pans[name])
        yield from self._room(levels)

    # ---------------------------------------------------------------- levels

    def _levels(self) -> dict[str, float]:
        """Loudness behind the fader, LUFS, of each track whose level is settled here.

        Alone, all levels are settled, and their sum meets the program loudness. After another engine only the sure
        ones are, and on the average they stay where that engine had them.
        """
        low, high = numbers("level.range")
        wanted = {name: float(np.clip(said["level_lu"], low, high)) for name, said in self._said.items()}
        if not self._faders:
            gains = [wanted[name] - self._enters(name) + self._chains[name].change_db for name in wanted]
            total = predicted_lufs([self._features[name].momentary_lufs for name in wanted], gains)
            common = number("level.programme") - (total if total is not None else 0.0)
            return {name: level + common for name, level in wanted.items()}
        sure = {
            n: lu for n, lu in wanted.items() if self._sure(n, "level_lu") and self._faders.get(n) is not None
        }
        if len(sure) < 2:
            return {}
        stood = [self._enters(name) + (self._faders[name] or 0.0) for name in sure]
        common = float(np.mean(stood) - np.mean(list(sure.values())))
        return {name: level + common for name, level in sure.items()}

    def _enters(self, name: str) -> float:
        """Loudness that reaches the fader."""
        return (self._features[name].integrated_lufs or 0.0) + self._chains[name].change_db

    def _fader(self, name: str, level_lufs: float) -> Decision:
        said, enters = self._said[name], self._enters(name)
        gain_db = round(PARAMETERS["gain_db"].clip(level_lufs - enters), 2)
        text = (
            f"Tracks like this stand {said['level_lu']:+.1f} LU from the mean of their song, give or take "
            f"{said.spread_of('level_lu'):.1f}; the fader brings {enters:.1f} to {enters + gain_db:.1f} LUFS."
        )
        return SetGain(
            name, gain_db, reason=self._why(text, "level", said.confidence("level_lu")), by=self._by
        )

    # ---------------------------------------------------------------- places

    def _pans(self) -> dict[str, float]:
        """Distance by prediction, side by balance: the strongest first, each on the side that has less."""
        distance = {}
        for name, said in self._said.items():
            if self._sure(name, "pan"):
                away = min(max(said["pan"], 0.0), number("pan.largest"))
                distance[name] = away if away >= number("pan.smallest") else 0.0
            elif not self._faders and said["pan"] >= number("pan.smallest"):
                self.left_out.append(f"{name}: pan")
        leaning = self._leaning([name for name in self._said if name not in distance])
        pans: dict[str, float] = {}
        weight = {name: away * self._strength(name) for name, away in distance.items()}
        for name in sorted(distance, key=lambda n: (-weight[n], n)):
            side = 1.0 if leaning < 0.0 else -1.0
            pans[name] = round(side * distance[name], 2) + 0.0
            leaning += side * weight[name]
        return pans

    def _strength(self, name: str) -> float:
        """Amplitude by which a track pulls to its side: that of its predicted loudness."""
        return float(10.0 ** (self._said[name]["level_lu"] / 20.0))

    def _leaning(self, elsewhere: Sequence[str]) -> float:
        """Where the song leans before anything is placed: stereo recordings, and pans of an earlier engine."""
        pans = {d.strip: d.pan for d in self._earlier if isinstance(d, SetPan)}
        own = sum((self._features[n].imbalance or 0.0) * self._strength(n) for n in self._said)
        return own + sum(pans.get(name, 0.0) * self._strength(name) for name in elsewhere)

    def _place(self, name: str, pan: float) -> Decision:
        said = self._said[name]
        where = "to the side that has less" if pan else "in the center"
        text = (
            f"Tracks like this stand {max(said['pan'], 0.0):.2f} from the center, give or take "
            f"{said.spread_of('pan'):.2f}: {where}."
        )
        return SetPan(name, pan, reason=self._why(text, "pan", said.confidence("pan")), by=self._by)

    # ---------------------------------------------------------------- inserts and room

    def _insert(self, name: str, slot: str, effect: Effect, confidence: float) -> Decision:
        said = self._said[name]
        if isinstance(effect, Equalizer):
            bands = ", ".join(f"{s.gain_db:+.1f} dB at {s.frequency_hz:g} Hz" for s in effect.sections)
            text = f"What tracks like this get, and what this one's spectrum asks for: {bands}."
        elif isinstance(effect, Compressor):
            text = (
                f"{100.0 * said.probability('compressed'):.0f} % of such tracks are compressed, here above "
                f"{said['threshold_lu']:+.1f} LU from their loudness at {effect.ratio:g}:1."
            )
        return AddInsert(name, effect, slot, reason=self._why(text, slot, confidence), by=self._by)

    def _room(self, levels: Mapping[str, float]) -> Iterator[Decision]:
        """A return with a reverb, and a send of each track that is probably reverberant."""
        if any(isinstance(d, AddSend) for d in self._earlier):
            return
        likely = [
            n for n, s in self._said.items() if s.probability("reverberant") >= number("insert.probability")
        ]
        sure = [name for name in likely if self._sure(name, "send_db")]
        self.left_out += [f"{name}: send" for name in likely if name not in sure]
        if not sure:
            return
        bus = next(n for n in ("Room", "Room return", "Predicted room") if n not in self._multitrack.names)
        reverb = self._reverb()
        text = f"One room for {len(sure)} tracks, {reverb.decay_s:.1f} s long; the sends set the amount."
        yield AddBus(bus, "return", reason=self._why(text, "room", 0.5), by=self._by)
        yield AddInsert(bus, reverb, reason=self._why(text, "room", 0.5), by=self._by)
        yield SetGain(bus, 0.0, reason=self._why("The return stays at unity.", "room", 0.5), by=self._by)
        for name in sure:
            yield self._send(name, bus, reverb)

    def _reverb(self) -> Reverb:
        least, most, usual = numbers("room.decay")
        tempo = self._multitrack.tempo_bpm or self._features.tempo_bpm
        decay_s = number("room.decay_beats") * 60.0 / tempo if tempo else usual
        return Reverb(
            decay_s=round(float(np.clip(decay_s, least, most)), 1), predelay_ms=number("room.predelay"),
            low_cut_hz=number("room.low_cut"), mix=1.0,
        )  # fmt: skip

    def _send(self, name: str, bus: str, reverb: Reverb) -> Decision:
        """So much that the room is as loud against the source as predicted."""
        said, features = self._said[name], self._features[name]
        low, high = numbers("send.range")
        wet_db = float(np.clip(said["send_db"], low, high))
        change_db = reverb_change_db(features.third_octave_db, reverb, features.sample_rate)
        gain_db = round(PARAMETERS["gain_db"].clip(min(wet_db - change_db, 0.0)), 1)
        text = (
            f"{100.0 * said.probability('reverberant'):.0f} % of such tracks have reverberation; here {wet_db:.0f} dB "
            "below the direct sound."
        )
        return AddSend(
            name, bus, gain_db, reason=self._why(text, "send", said.confidence("send_db")), by=self._by
        )

    # ----------------------------------------------------------------

    def _sure(self, name: str, control: str) -> bool:
        return self._said[name].confidence(control) >= self._least

    def _why(self, text: str, rule: str, confidence: float) -> Reason:
        return Reason(text, SOURCE, f"predict.{rule}", GRADE, round(confidence, 2))


def _faders(earlier: Sequence[Decision]) -> dict[str, float | None]:
    """Where earlier engines put the faders; None where one moves."""
    faders: dict[str, float | None] = {}
    for decision in earlier:
        if isinstance(decision, SetGain):
            faders[decision.strip] = decision.gain_db
        elif isinstance(decision, Automate) and decision.parameter == "gain_db":
            faders[decision.strip] = None
    return faders
