"""Kernels are kept on disk where that is possible, and work where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tonmeister.dsp import jit

PROGRAM = """
import numpy as np
from tonmeister.dsp import dither
out = np.empty((3, 1), np.int32)
dither.dithered(np.zeros((1, 3), np.float32), 0, 0, 16, out)
print(sum(dither._dithered.stats.cache_hits.values()))
"""


def hits(cache: Path) -> int:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_the_second_process_finds_the_kernels_ready(tmp_path: Path) -> None:
    assert hits(tmp_path) == 0
    assert hits(tmp_path) == 1


def test_a_cache_that_cannot_be_written_costs_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real = jit.numba.njit

    def without_a_place(*given: object, **options: object) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return real(*given, **options)

    monkeypatch.setattr(jit.numba, "njit", without_a_place)

    @jit.kernel
    def twice(value: float) -> float:
        return 2.0 * value

    assert twice(2.0) == 4.0
