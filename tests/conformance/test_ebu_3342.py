"""EBU Tech 3342, table 1: loudness range of the signals its text describes (5 and 6 are recordings)."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.analysis.meter import LoudnessMeter

RATE = 48_000
SECONDS = 20
TOLERANCE_LU = 1.0


@pytest.mark.parametrize(
    ("case", "levels_db", "range_lu"),
    [
        (1, (-20, -30), 10.0),
        (2, (-20, -15), 5.0),
        (3, (-40, -20), 20.0),
        (4, (-50, -35, -20, -35, -50), 15.0),
    ],
)
def test_loudness_range(case: int, levels_db: tuple[float, ...], range_lu: float) -> None:
    time = np.arange(SECONDS * RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * time)
    meter = LoudnessMeter(RATE, 2)
    for level_db in levels_db:
        channel = (10 ** (level_db / 20) * sine).astype(np.float32)
        meter.update(np.stack((channel, channel)))
    assert meter.loudness_range_lu == pytest.approx(range_lu, abs=TOLERANCE_LU)
