"""A transition that does not run away: least squares under a bound on the spectral radius.

S. Siddiqi, B. Boots and G. Gordon, "A constraint generation approach to learning stable linear dynamical systems",
NIPS 2007.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.units import DoubleArray

__all__ = ["radius", "stable_transition"]

_ROUNDS: Final = 200
_HALVINGS: Final = 60
_JOINT: Final = 10
"""With more states the quadratic programme is slow; the spectrum is clipped instead."""


def radius(A: DoubleArray) -> float:
    """Spectral radius: the largest absolute eigenvalue."""
    return float(np.abs(np.linalg.eigvals(A)).max(initial=0.0))


def stable_transition(before: DoubleArray, after: DoubleArray, *, clip: bool = False) -> DoubleArray:
    """A = argmin |X2 - A X1|^2 subject to radius(A) <= 1, of states (n, K) before and after a frame.

    The free solution is kept if it is stable. Else a half-space u' A v <= 1 per round (u, v belong to the largest
    singular value) is added to the quadratic programme until A is stable, and the segment back to the free solution
    is searched for radius 1. `clip` scales too large eigenvalues down to 1 instead: cheap, and a little worse.
    """
    free = np.asarray(np.linalg.lstsq(before, after, rcond=None)[0].T, np.float64)
    if radius(free) <= 1.0:
        return np.asarray(free)
    if clip or len(free) > _JOINT:
        return _clipped(free)
    return _nearest_to_free(_generated(free, before), free)


def _clipped(A: DoubleArray) -> DoubleArray:
    values, vectors = np.linalg.eig(A)
    small = values / np.maximum(np.abs(values), 1.0)
    clipped = np.real(vectors @ np.diag(small) @ np.linalg.inv(vectors))
    return np.asarray(clipped / max(1.0, radius(clipped)))


def _generated(free: DoubleArray, before: DoubleArray) -> DoubleArray:
    """Add a constraint for the largest singular value until the solution is stable."""
    power, A = before.T @ before, free
    constraints: list[DoubleArray] = []
    for _ in range(_ROUNDS):
        if radius(A) <= 1.0:
            return A
        U, _S, Vt = np.linalg.svd(A)
        constraints.append(np.outer(U[:, 0], Vt[0]).ravel())
        A = _programme(free, power, constraints)
    return _clipped(A)


def _programme(free: DoubleArray, power: DoubleArray, constraints: list[DoubleArray]) -> DoubleArray:
    """min tr((A - F) P (A - F)') subject to g . vec(A) <= 1 for each constraint g."""
    from scipy.optimize import minimize

    G, unit = np.array(constraints), float(np.trace(power)) or 1.0

    def loss(a: DoubleArray) -> tuple[float, DoubleArray]:
        difference = a.reshape(free.shape) - free
        slope = difference @ (power / unit)
        return float((difference * slope).sum()), 2.0 * slope.ravel()

    found = minimize(
        loss, _clipped(free).ravel(), jac=True, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda a: 1.0 - G @ a, "jac": lambda a: -G},
        options={"maxiter": 300, "ftol": 1e-12},
    )  # fmt: skip
    return np.asarray(found.x.reshape(free.shape))


def _nearest_to_free(stable: DoubleArray, free: DoubleArray) -> DoubleArray:
    """The point of the segment from the stable to the free matrix that is still stable, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if radius(stable + middle * (free - stable)) <= 1.0 else (low, middle)
    return np.asarray(stable + low * (free - stable))
