"""Decisions: small attributed moves. Engines and people make them; a plan is their fold.

A later decision on the same parameter wins; both stay in the log. What a person decides (``by="user"``) or
locks is not overruled by an engine. Every decision says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tonmeister.effects.base import Effect
from tonmeister.strip import MASTER, Curve

__all__ = [
    "AddBus",
    "AddInsert",
    "AddSend",
    "Automate",
    "Decision",
    "Lock",
    "Mute",
    "Reason",
    "SetDelay",
    "SetGain",
    "SetOutput",
    "SetPan",
    "SetPlace",
    "SetPolarity",
    "USER",
]

USER = "user"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a sentence for the reader, where it comes from, and how sure it is."""

    text: str
    source: str = ""
    """The publication or the person the knowledge comes from."""
    rule: str = ""
    """Identifier of the rule that spoke."""
    evidence: str = ""
    """Grade of the source (P C S M R R?), or the measured values."""
    confidence: float = 1.0
    notes: tuple[str, ...] = ()
    """More the reader may want: what was clipped, what was considered."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One move on one strip."""

    verb: ClassVar[str] = ""
    strip: str
    reason: Reason = field(default=Reason(""), kw_only=True)
    by: str = field(default=USER, kw_only=True)
    """Name of the engine, or ``user``."""

    @property
    def target(self) -> str:
        """What is moved; two decisions with one strip and target are about the same thing."""
        return self.verb


@dataclass(frozen=True, slots=True)
class SetGain(Decision):
    """Put the fader at a level."""

    verb: ClassVar[str] = "gain_db"
    gain_db: float


@dataclass(frozen=True, slots=True)
class SetPan(Decision):
    """Put the source at a place between left (-1) and right (1)."""

    verb: ClassVar[str] = "pan"
    pan: float


@dataclass(frozen=True, slots=True)
class SetPlace(Decision):
    """Put one control of a strip's place in a layout (see `strip.Place`) at a value."""

    verb: ClassVar[str] = "place"
    parameter: str
    value: float

    @property
    def target(self) -> str:
        return self.parameter


@dataclass(frozen=True, slots=True)
class AddInsert(Decision):
    """Put an effect into a slot of the chain; ``effect=None`` empties the slot.

    The slot is the effect's kind unless named. Slots keep the order in which they first appear.
    """

    verb: ClassVar[str] = "insert"
    effect: Effect | None
    slot: str = ""

    def __post_init__(self) -> None:
        if not self.slot:
            if self.effect is None:
                raise ValueError("emptying a slot needs the slot's name")
            object.__setattr__(self, "slot", self.effect.kind)

    @property
    def target(self) -> str:
        return f"insert:{self.slot}"


@dataclass(frozen=True, slots=True)
class AddSend(Decision):
    """Send a copy to a bus or return."""

    verb: ClassVar[str] = "send"
    to: str
    gain_db: float = 0.0
    pre_fader: bool = False

    @property
    def target(self) -> str:
        return f"send:{self.to}"


@dataclass(frozen=True, slots=True)
class AddBus(Decision):
    """Make a bus (fed by outputs) or a return (fed by sends) called `strip`."""

    verb: ClassVar[str] = "bus"
    kind: Literal["bus", "return"] = "bus"


@dataclass(frozen=True, slots=True)
class SetOutput(Decision):
    """Feed another bus than the master."""

    verb: ClassVar[str] = "output"
    to: str = MASTER


@dataclass(frozen=True, slots=True)
class Automate(Decision):
    """Move the fader, the pan or a send over time (``gain_db``, ``pan``, ``send:<strip>``)."""

    verb: ClassVar[str] = "automate"
    parameter: str
    curve: Curve

    @property
    def target(self) -> str:
        """A curve and a static value of the fader or the pan are about the same thing."""
        return self.parameter if self.parameter in ("gain_db", "pan") else f"automate:{self.parameter}"


@dataclass(frozen=True, slots=True)
class Mute(Decision):
    """Silence a strip, or let it be heard again."""

    verb: ClassVar[str] = "muted"
    muted: bool = True


@dataclass(frozen=True, slots=True)
class SetDelay(Decision):
    """Delay a strip, to align microphones."""

    verb: ClassVar[str] = "delay_ms"
    delay_ms: float


@dataclass(frozen=True, slots=True)
class SetPolarity(Decision):
    """Invert a strip's polarity."""

    verb: ClassVar[str] = "polarity_inverted"
    inverted: bool = True


@dataclass(frozen=True, slots=True)
class Lock(Decision):
    """Keep engines away from a strip, or from one target of it (``gain_db``, ``insert:equalizer``...)."""

    verb: ClassVar[str] = "lock"
    what: str = "*"

    @property
    def target(self) -> str:
        return f"lock:{self.what}"


Decisions = Iterable[Decision]
