"""High-pass and low-pass: Butterworth, order 2 or 4, by sections of `dsp.filter_design`.

|H(f)|^2 = 1 / (1 + (f / fc)^(2 order)) for the low-pass before the bilinear transform; -3.01 dB at fc.
A cutoff above 0.49 of the sample rate is moved there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tonmeister.dsp.filter_design import butterworth, cascade_response
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.sections import SectionsProcessor
from tonmeister.errors import BadInputError
from tonmeister.units import ComplexArray, DoubleArray, Range

_CUTOFF = Range(10.0, 20000.0, "Hz", "log")
_ORDERS = (2, 4)


@dataclass(frozen=True)
class _Butterworth(Parameters):
    shape: ClassVar[Literal["high_pass", "low_pass"]]

    cutoff_hz: float = parameter(1000.0, _CUTOFF)
    order: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in _ORDERS:
            raise BadInputError(f"{self.kind}.order={self.order!r} is not a slope there is: give 2 or 4")

    def sections(self, sample_rate: int) -> DoubleArray:
        """Second-order sections; shape (order / 2, 5)."""
        return butterworth(self.shape, self.cutoff_hz, self.order, sample_rate)

    def processor(self) -> Processor:
        return SectionsProcessor(self.sections)

    def response(self, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray:
        return cascade_response(self.sections(sample_rate), frequency_hz, sample_rate)


@dataclass(frozen=True)
class HighPass(_Butterworth):
    """Takes away what lies below the cutoff."""

    kind: ClassVar[str] = "high_pass"
    shape: ClassVar[Literal["high_pass", "low_pass"]] = "high_pass"
    cutoff_hz: float = parameter(20.0, _CUTOFF)


@dataclass(frozen=True)
class LowPass(_Butterworth):
    """Takes away what lies above the cutoff."""

    kind: ClassVar[str] = "low_pass"
    shape: ClassVar[Literal["high_pass", "low_pass"]] = "low_pass"
    cutoff_hz: float = parameter(20000.0, _CUTOFF)
