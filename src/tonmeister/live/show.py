"""What stands on the desk: the plan, the inputs, the clock; everything both processes must agree on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.live.faders import Control, Faders, controls_of
from tonmeister.live.limits import limit
from tonmeister.live.link import Link
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan
from tonmeister.plan_file import plan_from_dict, plan_to_dict

__all__ = ["BLOCK_RANGE", "ENDLESS", "Show"]

ENDLESS: Final = 1 << 62
"""Frames of a performance whose end nobody knows."""
BLOCK_RANGE: Final = (16, 2048)
"""Frames of a block; a larger one would come later than the controller reacts."""


@dataclass(frozen=True)
class Show:
    """A performance to come."""

    plan: MixPlan
    block_frames: int = 128
    moves: bool = True
    """Whether controls can move; without, the plan plays as it is, its own automation too."""
    frames: int = ENDLESS

    def __post_init__(self) -> None:
        lowest, highest = BLOCK_RANGE
        if not lowest <= self.block_frames <= highest:
            raise BadInputError(
                f"block={self.block_frames} frames is out of range: give {lowest} to {highest}, a power of two"
            )
        if not self.plan.tracks:
            raise BadInputError("a live desk needs at least one input")

    @property
    def sample_rate(self) -> int:
        return self.plan.sample_rate

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of each track, in the order of the inputs."""
        return {t.name: t.channels for t in self.plan.tracks}

    @property
    def lanes(self) -> int:
        """Channels of all inputs together."""
        return sum(self.channels.values())

    @cached_property
    def first_lane(self) -> Mapping[str, int]:
        """Where each track begins among the lanes."""
        names = list(self.channels)
        return {name: sum(self.channels[n] for n in names[:i]) for i, name in enumerate(names)}

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        """Everything that can move."""
        return controls_of(self.plan.strips) if self.moves else ()

    @property
    def leads(self) -> frozenset[str]:
        """Tracks whose fader has a floor."""
        return frozenset(t.name for t in self.plan.tracks if t.role == "lead")

    def faders(self) -> Faders:
        """All controls where they stand before the first frame."""
        muted = frozenset(s.name for s in self.plan.strips if s.muted) if self.moves else frozenset[str]()
        buses = frozenset(s.name for s in self.plan.strips if s.kind != "track")
        return Faders(self.controls, self.sample_rate, leads=self.leads, muted=muted, single=buses)

    @property
    def reaction_frames(self) -> int:
        """Frames from what was heard to the earliest move."""
        return max(round(limit("clock", "reaction_s") * self.sample_rate), BLOCK_RANGE[1])

    @cached_property
    def multitrack(self) -> Multitrack:
        """The inputs as tracks without any sound in them."""
        tracks = tuple(
            Track(
                t.name,
                audio=Audio(np.zeros((t.channels, 0), np.float32), self.sample_rate),
                instrument=t.instrument,
                role=t.role,
                confidence=t.confidence,
                evidence=t.evidence,
                group=t.group,
            )
            for t in self.plan.tracks
        )
        return Multitrack(self.plan.title, tracks, self.sample_rate)

    def link(self, buffer: Any) -> Link:
        """The link of this show over a buffer."""
        return Link.over(buffer, **self._sizes)

    @property
    def link_bytes(self) -> int:
        """How large the buffer must be."""
        return Link.size(**self._sizes)

    @property
    def _sizes(self) -> dict[str, int]:
        return {
            "lanes": self.lanes,
            "tracks": len(self.channels),
            "controls": len(self.controls),
            "sample_rate": self.sample_rate,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the other process."""
        rest = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "plan"}
        return {"plan": plan_to_dict(self.plan), **rest}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Show:
        """The inverse of `to_dict`."""
        return cls(**{**data, "plan": plan_from_dict(data["plan"])})
