"""The control side of the desk: hears what the audio side has played, lets an engine decide, sends the orders.

It works hop by hop through the tape (50 ms), whatever the blocks are, and every order is for a frame at least 50 ms
behind what was heard: files played faster than real time give the same moves as the same sound in real time on a
machine that keeps up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from tonmeister.decisions import AddSend, Decision, Lock, Mute, SetGain, SetPan
from tonmeister.engines.base import CausalMixer, CorrectedMixer, LiveMove, ScorePosition
from tonmeister.live.feedback import FeedbackGuard
from tonmeister.live.hearing import Hearing
from tonmeister.live.limits import limit
from tonmeister.live.link import Do, Event, Link
from tonmeister.live.operations import OperationLog, value_of, with_value
from tonmeister.live.planning import Due, EventMoves
from tonmeister.live.ring import Order
from tonmeister.live.show import Show
from tonmeister.live.timing import Prediction
from tonmeister.strip import MASTER
from tonmeister.units import FloatArray

__all__ = ["Controller", "ScoreFollower", "Told"]

Told = Callable[[str], None]
"""Takes a sentence for the person at the desk."""

_SHORTEST_RAMP_S: Final = 0.02


class ScoreFollower(Protocol):
    """Knows where in the score, or in its beats, the performance is."""

    place: int
    """Number of the place that the last position tells of, reached or about to come; -1 for none."""
    reached: int
    """Number of the last place that was reached."""

    def update(self, block: FloatArray) -> ScorePosition | None:
        """Take the next (frames,) of all inputs added up; where we are at its end, None while it does not know."""

    def predictions(self) -> Mapping[int, Prediction]:
        """When places are expected now, and when the last one was heard; by number."""

    def found(self, position: ScorePosition) -> str:
        """What to say when the place is found."""

    def lost(self) -> str:
        """What to say when it is lost."""


class Controller:
    """Ears, engine and hands; `hear` must be called hop after hop."""

    def __init__(
        self,
        show: Show,
        link: Link,
        mixer: CausalMixer | None,
        *,
        follower: ScoreFollower | None = None,
        guard: bool = True,
        log: OperationLog | None = None,
        told: Told | None = None,
        engine: str = "",
    ) -> None:
        self._show, self._link, self._mixer, self._follower = show, link, mixer, follower
        self._engine = engine
        self._hearing = Hearing(show)
        self._guard = FeedbackGuard(show) if guard and show.moves else None
        self._log = log or OperationLog(None, ())
        self._waiting = EventMoves()
        self._targets = [control.start for control in show.controls]
        self._by_hand: dict[tuple[str, str], Decision] = {}
        self._told: Told = told or (lambda text: None)
        self.hop_frames = round(limit("clock", "hop_s") * show.sample_rate)
        self._decide_hops = max(round(limit("clock", "decide_s") / limit("clock", "hop_s")), 1)
        self._hops = 0
        self._index = {(c.strip, c.parameter): i for i, c in enumerate(show.controls)}
        self._locked = {(d.strip, d.what) for d in show.plan.decisions if isinstance(d, Lock)}
        self.touched: set[tuple[str, str]] = set()
        self._said: set[str] = set()
        self.moves = 0
        """Orders from the engine so far."""
        self.held = self.bypassed = self.panicked = False

    # ------------------------------------------------------------- hearing

    @property
    def time_s(self) -> float:
        """Seconds of the performance heard so far."""
        return self._hearing.time_s

    @property
    def position(self) -> ScorePosition | None:
        """Where in the score the follower believes us to be."""
        return self._hearing.position

    def hear(self, block: FloatArray) -> None:
        """Take the next (lanes + 2, hop_frames) of the tape, and act."""
        inputs = block[: self._show.lanes]
        if self._mixer is not None:
            self._hearing.update(inputs)
        else:
            self._hearing.frames += block.shape[1]
        self._hops += 1
        if self._guard is not None:
            self._mind_feedback(self._guard, inputs)
        if self._follower is not None:
            self._follow(self._follower, inputs.sum(axis=0))
        if self._mixer is not None and self._hops % self._decide_hops == 0:
            self._ask(self._mixer)
        if self._follower is not None and self._hearing.position is not None:
            self._begin_due(self._follower, self._hearing.position)

    def _follow(self, follower: ScoreFollower, sound: FloatArray) -> None:
        """Take the place in the music, and say when it is found or lost; what waited for it is then left out."""
        position, before = follower.update(sound), self._hearing.position
        if position is not None and self._doubtful(follower, position):
            position = None
        self._hearing.position = position
        if position is not None and before is None:
            self._say(follower.found(position))
        elif position is None and before is not None:
            left_out = self._waiting.give_up()
            rest = f"; {len(left_out)} moves that waited for their place are left out" if left_out else ""
            why = (
                "the place is too doubtful: mixing by ear alone"
                if self._waiting.reacting
                else follower.lost()
            )
            self._say(why + rest)
            for move in left_out:
                self._correct(move.decision)

    def _doubtful(self, follower: ScoreFollower, position: ScorePosition) -> bool:
        """Whether a follower that still names a place has been too unsure of it for too long."""
        self._waiting.watch(self._hearing.time_s, position.confidence)
        return self._waiting.reacting

    def _begin_due(self, follower: ScoreFollower, position: ScorePosition) -> None:
        """Give the orders that begin before the next hop is heard."""
        hop_s = self.hop_frames / self._show.sample_rate
        expected = follower.predictions()
        for due in self._waiting.due(
            self._earliest_s, hop_s, expected, follower.reached, position.confidence
        ):
            if self._allowed(due.move.decision):
                self._begin(due)
            else:
                self._correct(due.move.decision)

    def _mind_feedback(self, guard: FeedbackGuard, inputs: FloatArray) -> None:
        for duck in guard.update(inputs, limit("clock", "hop_s")):
            self._order(Do.DUCK, duck.track, "gain_db", duck.level_db)
            if duck.level_db:
                self._say(f"{duck.track}: feedback at {duck.frequency_hz:.0f} Hz, ducked")
            else:
                self._say(f"{duck.track}: feedback is over")

    def _say(self, text: str) -> None:
        """To the person at the desk, and for the record."""
        self._told(text)
        self._log.said(self.time_s, text)

    # ------------------------------------------------------------- the engine's moves

    def _ask(self, mixer: CausalMixer) -> None:
        """Carry out what the engine wants; one that fails is not asked again, and the sound goes on."""
        try:
            moves = list(mixer.update(self._hearing))
        except Exception as error:
            self._mixer = None
            self._say(
                f"the engine failed ({type(error).__name__}: {error}): from here on nobody moves the controls"
            )
            return
        for move in moves:
            if self._allowed(move.decision):
                self._move(move)

    def _allowed(self, decision: Decision) -> bool:
        strip, target = decision.strip, decision.target
        if not isinstance(decision, (SetGain, SetPan, AddSend, Mute)):
            self._once(f"{strip}: {target} cannot change while the desk plays: left as it is")
            return False
        if (strip, _parameter(decision)) not in self._index:
            self._once(f"{strip}: there is no {_parameter(decision)} on this desk: left alone")
            return False
        if {(strip, "*"), (strip, target)} & self._locked or (strip, _parameter(decision)) in self.touched:
            return False
        if isinstance(decision, Mute) and decision.muted and strip in self._show.leads:
            self._once(f"{strip}: leads, and is not muted by an engine")
            return False
        return True

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _move(self, move: LiveMove) -> None:
        """Begin a move, or let it wait for the place that comes."""
        position = self._hearing.position
        if move.at_s is None and position is not None and position.expected_s is not None and self._follower:
            control = (move.decision.strip, _parameter(move.decision))
            if self._waiting.add(control, self._follower.place, move, self._ramp_s(move)):
                return
        earliest_s = start_s = self._earliest_s
        ramp_s = move.ramp_s
        if move.at_s is not None:
            start_s = move.at_s - ramp_s
            if start_s < earliest_s:
                start_s = earliest_s
                ramp_s = max(move.at_s - start_s, _SHORTEST_RAMP_S)
        self._begin(Due(move, start_s, ramp_s))

    @property
    def _earliest_s(self) -> float:
        """When the next order can be carried out."""
        return (self._hearing.frames + self._show.reaction_frames) / self._show.sample_rate

    def _ramp_s(self, move: LiveMove) -> float:
        """As long as the move asks for, or as long as a control takes at its fastest."""
        decision = move.decision
        if isinstance(decision, Mute):
            return limit("mute", "fade_s")
        way = abs(value_of(decision) - self._targets[self._index[decision.strip, _parameter(decision)]])
        fastest = (
            limit("pan", "rate_per_s") if isinstance(decision, SetPan) else limit("fader", "rate_db_per_s")
        )
        return max(move.ramp_s, way / fastest)

    def _begin(self, due: Due) -> None:
        """Give the order for a move, the whole way or a part of it."""
        decision, rate = due.move.decision, self._show.sample_rate
        parameter = _parameter(decision)
        halved = due.scale < 1.0 and not isinstance(decision, Mute)
        if halved:
            stands = self._targets[self._index[decision.strip, parameter]]
            decision = with_value(decision, stands + due.scale * (value_of(decision) - stands))
        kind = Do.MUTE if isinstance(decision, Mute) else Do.MOVE
        frame, ramp = round(due.start_s * rate), max(round(due.ramp_s * rate), 1)
        if self._order(kind, decision.strip, parameter, value_of(decision), frame, ramp):
            self.moves += 1
            self._log.moved(self.time_s, decision)
        if halved:
            self._correct(decision)

    def _correct(self, decision: Decision) -> None:
        """Tell the engine where a control stands that did not go where it was asked to."""
        if isinstance(self._mixer, CorrectedMixer):
            parameter = _parameter(decision)
            index = self._index[decision.strip, parameter]
            if isinstance(decision, Mute):
                decision = Mute(decision.strip, not decision.muted)
            self._mixer.stands(with_value(decision, self._targets[index]))

    def _order(
        self, kind: Do, strip: str, parameter: str, value: float, frame: int | None = None, frames: int = 1
    ) -> bool:
        at = self._hearing.frames + self._show.reaction_frames if frame is None else frame
        index = self._index.get((strip, parameter))
        if index is None:
            return False
        sent = self._link.orders.put(Order(kind, index, at, value, frames))
        if not sent:
            self._once("the audio side takes no more orders: moves are lost")
        elif kind in (Do.MOVE, Do.HAND):
            self._targets[index] = value
        return sent

    # ------------------------------------------------------------- a person's moves

    def fader_db(self, strip: str) -> float:
        """Where a fader stands or is going."""
        return self._targets[self._index[strip, "gain_db"]]

    def touch(self, decision: Decision, *, ramp_s: float = 0.1) -> None:
        """A person moves a control; engines keep their hands off it until it is released."""
        parameter = _parameter(decision)
        kind = Do.MUTE if isinstance(decision, Mute) else Do.HAND
        ramp = round(ramp_s * self._show.sample_rate)
        if self._order(kind, decision.strip, parameter, value_of(decision), frames=ramp):
            self.touched.add((decision.strip, parameter))
            self._by_hand[decision.strip, parameter] = decision
            self._log.touched(self.time_s, decision)

    def release(self, strip: str) -> None:
        """Hand a strip back to the engine."""
        for held in sorted(self.touched):
            if held[0] == strip:
                self.touched.discard(held)
                self._log.released(self.time_s, strip, _log_name(held[1]))
                left = self._by_hand.pop(held, None)
                if left is not None and isinstance(self._mixer, CorrectedMixer):
                    self._mixer.stands(left)

    def hold(self, on: bool) -> None:
        """Nothing moves any more, or goes on."""
        self.held = self._switch(Do.HOLD, "hold", on)

    def panic(self, on: bool) -> None:
        """The mix is shut at once, or comes back."""
        self.panicked = self._switch(Do.PANIC, "panic", on)

    def bypass(self, on: bool) -> None:
        """All controls go back to where they started, or to where the engine wants them."""
        self.bypassed = self._switch(Do.BYPASS, "bypass", on)

    def _switch(self, kind: Do, name: str, on: bool) -> bool:
        self._order(kind, MASTER, "gain_db", float(on))
        self._log.said(self.time_s, f"{name} {'on' if on else 'off'}")
        return on

    # ------------------------------------------------------------- what the audio side says

    def listen(self) -> None:
        """Pass on what the audio side has to say."""
        names = list(self._show.channels)
        while (event := self._link.events.take()) is not None:
            at_s = event.frame / self._show.sample_rate
            text = _WORDS[Event(event.kind)].format(name=names[event.index], at_s=at_s)
            self._say(text)


_WORDS: Final = {
    Event.BAD_INPUT: "{name}: impossible samples (no numbers, or far beyond full scale) at {at_s:.2f} s: shut",
    Event.INPUT_BACK: "{name}: the input is well again",
    Event.BAD_OUTPUT: "the mix was not a number at {at_s:.2f} s and was silenced: take out the effect that fails",
}


def _parameter(decision: Decision) -> str:
    """The control a decision moves; a mute is on the fader."""
    match decision:
        case SetPan():
            return "pan"
        case AddSend(to=to):
            return f"send:{to}"
        case _:
            return "gain_db"


def _log_name(parameter: str) -> str:
    """What the log calls a control."""
    return parameter.replace("gain_db", "fader_db").replace("send:", "send_db:")
