"""Gains straight from features, frame by frame and without memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tonmeister.units import DoubleArray

__all__ = ["Regression"]


@dataclass(frozen=True, eq=False)
class Regression:
    """x = intercept + y B."""

    intercept: DoubleArray
    """Shape (K,)."""
    slopes: DoubleArray
    """Shape (M, K)."""
    neutral: DoubleArray
    """What stands in for a missing feature, shape (M,): its mean over the training songs."""

    def predict(self, features: DoubleArray) -> DoubleArray:
        """Weights (F, K) of features (F, M)."""
        return self.intercept + np.where(np.isfinite(features), features, self.neutral) @ self.slopes
