"""The one door to numba: kernels that release the interpreter lock and are cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel", "summing_kernel"]

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile `function` at its first call; IEEE arithmetic, no interpreter lock, cached on disk.

    Where no folder takes the cache, every process compiles anew: slow, and nothing else.
    """
    return _compiled(function, False)


def summing_kernel(function: F) -> F:
    """A kernel whose long sums may be added up in any order, which lets the compiler use vectors.

    One machine gives the same bits every time; another may give other last digits.
    """
    return _compiled(function, {"reassoc", "contract", "nsz"})


def _compiled(function: F, fastmath: bool | set[str]) -> F:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return cast(F, numba.njit(**options)(function))
