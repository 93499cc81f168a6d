"""Filters and the equalizer against independent designs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal as oracle

from tonmeister.dsp.filter_design import SHAPES
from tonmeister.effects.alignment import Alignment
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass, LowPass
from tonmeister.errors import BadInputError
from tonmeister.units import FloatArray


def run(
    effect: HighPass | LowPass | Equalizer | Alignment, signal: FloatArray, sample_rate: int
) -> FloatArray:
    processor = effect.processor()
    processor.prepare(sample_rate, signal.shape[0], signal.shape[1])
    return processor.process(signal.copy())


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize(
    ("cutoff_hz", "sample_rate"), [(20.0, 192000), (20.0, 44100), (1000.0, 48000), (3000.0, 8000)]
)
@pytest.mark.parametrize("low", [True, False])
def test_filters_are_those_of_scipy(order: int, cutoff_hz: float, sample_rate: int, low: bool) -> None:
    noise = np.random.default_rng(3).standard_normal((2, 20000)).astype(np.float32)
    effect = LowPass(cutoff_hz, order) if low else HighPass(cutoff_hz, order)
    sections = oracle.butter(order, cutoff_hz, "low" if low else "high", fs=sample_rate, output="sos")
    wanted = oracle.sosfilt(sections, noise.astype(np.float64))
    error = run(effect, noise, sample_rate) - wanted
    assert np.abs(error).max() < 1e-6 * np.abs(wanted).max()


def cookbook(shape: str, f0: float, gain_db: float, q: float, fs: float) -> tuple[list[float], list[float]]:
    """The formulae as printed in the Audio EQ Cookbook, written again."""
    A, w0 = 10 ** (gain_db / 40), 2 * math.pi * f0 / fs
    c, alpha = math.cos(w0), math.sin(w0) / (2 * q)
    s = 2 * math.sqrt(A) * alpha
    if shape == "low_pass":
        return [(1 - c) / 2, 1 - c, (1 - c) / 2], [1 + alpha, -2 * c, 1 - alpha]
    if shape == "high_pass":
        return [(1 + c) / 2, -(1 + c), (1 + c) / 2], [1 + alpha, -2 * c, 1 - alpha]
    if shape == "peak":
        return [1 + alpha * A, -2 * c, 1 - alpha * A], [1 + alpha / A, -2 * c, 1 - alpha / A]
    if shape == "low_shelf":
        return (
            [
                A * ((A + 1) - (A - 1) * c + s),
                2 * A * ((A - 1) - (A + 1) * c),
                A * ((A + 1) - (A - 1) * c - s),
            ],
            [(A + 1) + (A - 1) * c + s, -2 * ((A - 1) + (A + 1) * c), (A + 1) + (A - 1) * c - s],
        )
    return (
        [A * ((A + 1) + (A - 1) * c + s), -2 * A * ((A - 1) + (A + 1) * c), A * ((A + 1) + (A - 1) * c - s)],
        [(A + 1) - (A - 1) * c + s, 2 * ((A - 1) - (A + 1) * c), (A + 1) - (A - 1) * c - s],
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("frequency_hz", "gain_db", "q"), [(30.0, 9.0, 0.7), (1500.0, -12.0, 5.0), (12000.0, 3.0, 1.0)]
)
def test_equalizer_sections_are_those_of_the_cookbook(
    shape: str, frequency_hz: float, gain_db: float, q: float
) -> None:
    noise = np.random.default_rng(5).standard_normal((1, 8000)).astype(np.float32)
    b, a = cookbook(shape, frequency_hz, gain_db, q, 48000)
    wanted = oracle.lfilter(b, a, noise.astype(np.float64))
    effect = Equalizer((EqSection(shape, frequency_hz, gain_db, q),))  # type: ignore[arg-type]
    assert np.abs(run(effect, noise, 48000) - wanted).max() < 2e-6 * np.abs(wanted).max()


def test_what_the_knobs_say_is_what_the_response_is() -> None:
    section = EqSection("peak", 800.0, -9.0, 3.0)
    at = np.array([800.0])
    assert 20 * np.log10(abs(Equalizer((section,)).response(at, 48000)[0])) == pytest.approx(-9.0, abs=1e-9)
    low = Equalizer((EqSection("low_shelf", 200.0, 6.0),)).response(np.array([0.01, 200.0, 20000.0]), 48000)
    np.testing.assert_allclose(20 * np.log10(np.abs(low)), [6.0, 3.0, 0.0], atol=0.01)
    high = Equalizer((EqSection("high_shelf", 2000.0, 6.0),)).response(
        np.array([1.0, 2000.0, 23999.0]), 48000
    )
    np.testing.assert_allclose(20 * np.log10(np.abs(high)), [0.0, 3.0, 6.0], atol=0.01)
    for order in (2, 4):
        corner = HighPass(100.0, order).response(np.array([100.0]), 48000)[0]
        assert 20 * np.log10(abs(corner)) == pytest.approx(-3.0103, abs=1e-3)


def test_a_flat_equalizer_changes_no_bit() -> None:
    noise = np.random.default_rng(6).standard_normal((2, 3000)).astype(np.float32)
    flat = Equalizer(tuple(EqSection(shape, 500.0, 0.0, 2.0) for shape in SHAPES[:3]))
    np.testing.assert_array_equal(run(flat, noise, 44100), noise)
    np.testing.assert_array_equal(run(Equalizer(), noise, 44100), noise)


def test_a_corner_beyond_half_the_rate_is_moved_inside() -> None:
    noise = np.random.default_rng(7).standard_normal((1, 3000)).astype(np.float32)
    np.testing.assert_array_equal(run(LowPass(20000.0), noise, 8000), run(LowPass(0.49 * 8000), noise, 8000))


def test_wrong_orders_shapes_and_counts_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"high_pass\.order=3"):
        HighPass(100.0, order=3)
    with pytest.raises(BadInputError, match="low_shelf"):
        EqSection("low_shelv")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="9 sections"):
        Equalizer((EqSection(),) * 9)
    with pytest.raises(BadInputError, match=r"equalizer\.sections"):
        Equalizer.from_dict({"sections": [{"frequency_hz": 5.0}]})
    for wrong in ("peak", 3, [3], [{"pitch": 2.0}]):
        with pytest.raises(BadInputError, match=r"equalizer\.sections"):
            Equalizer.from_dict({"sections": wrong})


@pytest.mark.parametrize(
    ("delay_ms", "frames"), [(0.0, 0), (1.0, 48), (0.0104, 0), (0.0105, 1), (200.0, 9600)]
)
def test_alignment_delays_by_whole_frames(delay_ms: float, frames: int) -> None:
    signal = np.random.default_rng(8).standard_normal((2, 12000)).astype(np.float32)
    output = run(Alignment(True, delay_ms), signal, 48000)
    np.testing.assert_array_equal(output[:, frames:], -signal[:, : 12000 - frames])
    assert not output[:, :frames].any()
