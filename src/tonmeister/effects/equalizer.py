"""Equalizer: up to eight second-order sections in series, shapes and formulae of `dsp.filter_design`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from tonmeister.dsp.filter_design import SHAPES, Shape, cascade_response, section
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.sections import SectionsProcessor
from tonmeister.errors import BadInputError, nearest
from tonmeister.units import ComplexArray, DoubleArray, Range

MOST_SECTIONS: Final = 8


@dataclass(frozen=True)
class EqSection(Parameters):
    """One section; the gain counts for peaks and shelves only."""

    kind: ClassVar[str] = "equalizer.sections"
    shape: Shape = "peak"
    frequency_hz: float = parameter(1000.0, Range(10.0, 20000.0, "Hz", "log"))
    gain_db: float = parameter(0.0, Range(-24.0, 24.0, "dB"))
    q: float = parameter(0.7071067811865476, Range(0.1, 18.0, "", "log"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape not in SHAPES:
            known = nearest(str(self.shape), list(SHAPES)) or f": give one of {', '.join(SHAPES)}"
            raise BadInputError(f"{self.kind}.shape={self.shape!r} is no shape of a section{known}")


@dataclass(frozen=True)
class Equalizer(Parameters):
    """Tone control; no sections leave the signal as it is."""

    kind: ClassVar[str] = "equalizer"
    sections: tuple[EqSection, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.sections, tuple) or not all(isinstance(s, EqSection) for s in self.sections):
            raise BadInputError(f"equalizer.sections={self.sections!r} must be a tuple of EqSection")
        if len(self.sections) > MOST_SECTIONS:
            raise BadInputError(
                f"equalizer.sections has {len(self.sections)} sections: give at most {MOST_SECTIONS}"
            )

    def to_dict(self) -> dict[str, Any]:
        return {"sections": [dataclasses.asdict(s) for s in self.sections]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        sections = data.get("sections", ())
        if isinstance(sections, str) or not isinstance(sections, Sequence):
            raise BadInputError(f"equalizer.sections={sections!r} must be a list of sections")
        return super().from_dict({**data, "sections": tuple(_section(s) for s in sections)})

    def coefficients(self, sample_rate: int) -> DoubleArray:
        """Second-order sections b0 b1 b2 a1 a2; shape (sections, 5)."""
        rows = [section(s.shape, s.frequency_hz, s.gain_db, s.q, sample_rate) for s in self.sections]
        return np.array(rows, np.float64).reshape(len(rows), 5)

    def processor(self) -> Processor:
        return SectionsProcessor(self.coefficients)

    def response(self, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray:
        return cascade_response(self.coefficients(sample_rate), frequency_hz, sample_rate)


def _section(data: object) -> EqSection:
    if isinstance(data, EqSection):
        return data
    if not isinstance(data, Mapping):
        raise BadInputError(f"equalizer.sections: {data!r} is no section, for example {{'shape': 'peak'}}")
    return EqSection.from_dict(data)
