"""The one door to torch for everything that is trained."""

from __future__ import annotations

from typing import Any

from tonmeister.errors import MissingExtraError

__all__ = ["best_device", "torch_module"]


def torch_module() -> Any:
    """The library that trains; raises `MissingExtraError` without the extra ``train``."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("training", extra="train") from None
    return torch


def best_device() -> Any:
    """A graphics card when there is one."""
    torch = torch_module()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
