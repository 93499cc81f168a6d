"""Which kinds of foreign models are known, and which of them a file is."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["Kind", "kinds", "open_foreign"]

_FILE: Final = Path(__file__).with_name("kinds.toml")
_YAML: Final = (".yaml", ".yml")
_TORCH: Final = (".th", ".ckpt", ".pth", ".pt")


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of ``kinds.toml``."""

    title: str
    files: str
    tracks: str
    install: str
    """How the user gets its package; empty: nothing beyond the extra ``community`` (MDX: nothing at all)."""
    module: str
    code_licence: str
    weights_licence: str
    source: str
    cost: float | None = None
    """Processor seconds per second of audio; None: not measured."""

    @property
    def installed(self) -> bool:
        """Whether its package is here."""
        return not self.module or importlib.util.find_spec(self.module.partition(".")[0]) is not None


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return {name: Kind(**row) for name, row in tomllib.loads(_FILE.read_text("utf-8")).items()}


def open_foreign(path: Path) -> Any:
    """The estimator in a file or folder, seen from its contents; None when it is of no kind that is known."""
    if path.is_dir():
        from tonmeister.separation.community.open_unmix import open_folder

        return open_folder(path)
    if path.suffix in _YAML:
        return _from_settings(path)
    if path.suffix == ".onnx":
        from tonmeister.separation.community.mdx import is_mdx, open_mdx

        return open_mdx(path) if is_mdx(path) else None
    if path.suffix == ".safetensors" or path.suffix in _TORCH:
        return _from_weights(path)
    return None


def _from_settings(path: Path) -> Any:
    from tonmeister.separation.community.demucs import open_bag
    from tonmeister.separation.community.msst import is_msst, open_msst
    from tonmeister.separation.community.plain_files import plain_yaml

    settings = plain_yaml(path)
    if "models" in settings:
        return open_bag(path, settings)
    return open_msst(path, settings) if is_msst(settings) else None


def _from_weights(path: Path) -> Any:
    """Weights with settings of their own name beside them, else a model that says itself what it is."""
    from tonmeister.separation.community.demucs import open_legacy, open_safetensors

    beside = next((p for p in (path.with_suffix(s) for s in _YAML) if p.is_file()), None)
    if beside is not None:
        return _from_settings(beside)
    return open_safetensors(path) if path.suffix == ".safetensors" else open_legacy(path)
