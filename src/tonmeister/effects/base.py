"""The contract of an effect: parameters apart from state, four verbs for the sound.

An effect is a frozen dataclass whose fields are made by `parameter`; its processor has four verbs.

- ``prepare(sample_rate, channels, max_frames)`` allocates; afterwards ``latency_frames`` is true.
- ``process(block)`` takes (channels, frames) float32 with frames <= max_frames and returns the same shape;
  it may write into `block`. Cutting the signal into blocks differently never changes the sound.
- ``reset()`` returns to silence, as if prepared anew.
- ``latency_frames`` is by how much the output lags the input.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, Self, cast, runtime_checkable

from tonmeister.effects.registry import EFFECTS
from tonmeister.errors import BadInputError, nearest
from tonmeister.units import ComplexArray, DoubleArray, FloatArray, Range

__all__ = [
    "Effect",
    "LinearEffect",
    "Parameters",
    "Processor",
    "effect_from_dict",
    "effect_to_dict",
    "effect_type",
    "parameter",
    "remarks",
]


class Processor(Protocol):
    """The stateful twin of an effect."""

    latency_frames: int

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None: ...
    def process(self, block: FloatArray) -> FloatArray: ...
    def reset(self) -> None: ...


@runtime_checkable
class Effect(Protocol):
    """Frozen parameters that can make a processor."""

    kind: ClassVar[str]
    needs_stereo: ClassVar[bool]
    """Whether a mono signal must be doubled to two channels before this effect."""

    def processor(self) -> Processor: ...


@runtime_checkable
class LinearEffect(Protocol):
    """An effect that is a linear time-invariant filter and can say its frequency response."""

    def response(self, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray: ...


def remarks(processors: Iterable[Processor]) -> list[str]:
    """What processors have to say of how they played; few say anything (``notes()``, beside the four verbs)."""
    return [note for processor in processors for note in getattr(processor, "notes", tuple)()]


def parameter(default: float, allowed: Range) -> Any:
    """A dataclass field with its range; `Parameters` checks it when the effect is made."""
    return dataclasses.field(default=default, metadata={"range": allowed})


class Parameters:
    """What every effect's dataclass shares: range checks, and going to and from plain data."""

    kind: ClassVar[str]
    needs_stereo: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, allowed in self.ranges().items():
            allowed.check(f"{self.kind}.{name}", getattr(self, name))

    @classmethod
    def ranges(cls) -> Mapping[str, Range]:
        """The allowed range of every numeric parameter."""
        fields = dataclasses.fields(cast(Any, cls))
        return {f.name: f.metadata["range"] for f in fields if "range" in f.metadata}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a plan."""
        return dataclasses.asdict(cast(Any, self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; an unknown parameter is an error."""
        known = [f.name for f in dataclasses.fields(cast(Any, cls))]
        for key in data:
            if key not in known:
                raise BadInputError(f"{cls.kind} has no parameter {key!r}{nearest(key, known)}")
        return cls(**data)


def effect_type(kind: str) -> type[Any]:
    """The class of an effect by its name; third-party effects come from entry points."""
    path = EFFECTS.get(kind) or _entry_points().get(kind)
    if path is None:
        raise BadInputError(f"there is no effect {kind!r}{nearest(kind, list(EFFECTS))}")
    module, _, name = path.partition(":")
    return cast("type[Any]", getattr(importlib.import_module(module), name))


def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {e.name: e.value for e in entry_points(group="tonmeister.effects")}


def effect_to_dict(effect: Effect) -> dict[str, Any]:
    """Plain data: the kind and every parameter."""
    return {"kind": effect.kind, **cast(Parameters, effect).to_dict()}


def effect_from_dict(data: Mapping[str, Any]) -> Effect:
    """The inverse of `effect_to_dict`."""
    if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
        raise BadInputError("an effect needs a 'kind', for example {'kind': 'gain', 'gain_db': -3}")
    parameters = {key: value for key, value in data.items() if key != "kind"}
    return cast(Effect, effect_type(data["kind"]).from_dict(parameters))
