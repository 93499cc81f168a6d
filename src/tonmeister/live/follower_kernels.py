"""The inner loops of score following; one call a row of features, no allocation."""

from __future__ import annotations

import math

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray

__all__ = ["distances", "forward_step", "warping_step"]


@kernel
def distances(row: DoubleArray, rows: DoubleArray, first: int, end: int, out: DoubleArray) -> None:
    """out[j] = |row - rows[j]|^2 / 2 for first <= j < end: 1 - cos where both have length 1."""
    for j in range(first, end):
        total = 0.0
        for c in range(row.shape[0]):
            difference = row[c] - rows[j, c]
            total += difference * difference
        out[j] = 0.5 * total


@kernel
def forward_step(
    belief: DoubleArray,
    scratch: DoubleArray,
    cost: DoubleArray,
    steps: DoubleArray,
    first: int,
    end: int,
    old_first: int,
    old_end: int,
    sharpness: float,
    switch: float,
    leap: float,
    wait: float,
) -> float:
    """One row of the forward recursion over place and tempo; how likely the row was, before it was seen.

    belief (tempi, rows) holds P(place, tempo | all rows so far) between old_first and old_end, and then between first and
    end; steps (tempi, most + 1) is how far a tempo moves in a hop; cost (rows,) holds the distances.

        p'(j, k) = sum_q steps[k, q] p(j - q, k), tempi mixed with their neighbors, plus a leap to anywhere
        p(j, k) ~ p'(j, k) exp(-sharpness (cost[j] - least cost))
    """
    tempi, most = steps.shape[0], steps.shape[1]
    least = math.inf
    for j in range(first, end):
        least = min(least, cost[j])
    for k in range(tempi):
        for j in range(first, end):
            total = 0.0
            if j == 0:
                total = wait * belief[k, 0] if old_first == 0 else 0.0
            else:
                for q in range(most):
                    i = j - q
                    if old_first <= i < old_end:
                        total += steps[k, q] * belief[k, i]
            scratch[k, j] = total
    everywhere = leap / (tempi * (end - first))
    norm = 0.0
    for j in range(first, end):
        likely = math.exp(-sharpness * (cost[j] - least))
        before = scratch[0, j]
        for k in range(tempi):
            here = scratch[k, j]
            above = scratch[k + 1, j] if k + 1 < tempi else here
            below = before if k > 0 else here
            before = here
            mixed = (1.0 - 2.0 * switch) * here + switch * (above + below)
            scratch[k, j] = (mixed + everywhere) * likely
            norm += scratch[k, j]
    for k in range(tempi):
        for j in range(old_first, old_end):
            belief[k, j] = 0.0
        for j in range(first, end):
            belief[k, j] = scratch[k, j] / norm if norm > 0.0 else 0.0
    return norm


@kernel
def warping_step(
    total: DoubleArray,
    runs: DoubleArray,
    scratch: DoubleArray,
    cost: DoubleArray,
    first: int,
    end: int,
    old_first: int,
    old_end: int,
    most: int,
) -> int:
    """One row of classic online time warping; the cell of the row with the least mean cost.

    total (2, rows): D(i, j) = d(i, j) + min(D(i-1, j), D(i, j-1), D(i-1, j-1)) and the length of the path; runs
    (2, rows): how many steps the path has gone in the row's or the column's direction; `most` are allowed in a row.
    """
    best, chosen = math.inf, first
    for j in range(first, end):
        cell, length, across, along = math.inf, 0.0, 0.0, 0.0
        if old_first <= j < old_end and runs[0, j] < most:
            cell, length, across = total[0, j], total[1, j], runs[0, j] + 1
        if old_first <= j - 1 < old_end and total[0, j - 1] <= cell:
            cell, length, across = total[0, j - 1], total[1, j - 1], 0.0
        if j > first and scratch[3, j - 1] < most and scratch[0, j - 1] < cell:
            cell, length, across, along = scratch[0, j - 1], scratch[1, j - 1], 0.0, scratch[3, j - 1] + 1
        scratch[0, j] = cell + cost[j]
        scratch[1, j] = length + 1
        scratch[2, j] = across
        scratch[3, j] = along
        mean = scratch[0, j] / scratch[1, j]
        if mean < best:
            best, chosen = mean, j
    for j in range(old_first, old_end):
        total[0, j] = np.inf
    for j in range(first, end):
        total[0, j], total[1, j] = scratch[0, j], scratch[1, j]
        runs[0, j], runs[1, j] = scratch[2, j], scratch[3, j]
    return chosen
