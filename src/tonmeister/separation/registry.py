"""Which separators there are, and where each lives.

An entry names a function without parameters that returns an estimator (`MaskEstimator`, `WaveEstimator`) or a whole
`Separator`; its module is imported when it is asked for. Third parties register such functions under the entry-point
group ``tonmeister.separators``. Files of models made elsewhere are opened by the functions of `LOADERS`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tonmeister.errors import BadInputError, MissingExtraError, nearest

if TYPE_CHECKING:
    from tonmeister.separation.masks import MaskRule
    from tonmeister.separation.streaming import BadSamples, StreamingSeparator

__all__ = ["DEFAULT_SEPARATOR", "LOADERS", "SEPARATORS", "SeparatorInfo", "load_separator", "unavailable"]


@dataclass(frozen=True, slots=True)
class SeparatorInfo:
    """A line of the list of separators."""

    path: str
    """``module:function``."""
    summary: str
    tracks: tuple[str, ...]
    """Without the residual."""
    source: str
    needs: tuple[str, str] | None = None
    """(module, extra) without which it cannot work."""


SEPARATORS: Final[Mapping[str, SeparatorInfo]] = {
    "hpss": SeparatorInfo(
        "tonmeister.separation.hpss:HarmonicPercussive",
        "tones and hits by median filters",
        ("harmonic", "percussive"),
        "Fitzgerald, DAFx 2010",
    ),
}

DEFAULT_SEPARATOR: Final = "hpss"

LOADERS: Final[tuple[str, ...]] = ()
"""``module:function`` each: takes a path, returns an estimator, or None for a file that is not of its kind."""


def load_separator(
    name_or_path: str | Path, *, rule: MaskRule | None = None, bad: BadSamples = "refuse"
) -> StreamingSeparator:
    """The separator of that name, or from a model file.

    `rule` says how masks cut (default: as the estimator gives them), `bad` what happens to samples that are not
    numbers. Raises `BadInputError` for an unknown name.
    """
    from tonmeister.separation.masks import soft
    from tonmeister.separation.streaming import StreamingSeparator

    return StreamingSeparator(str(name_or_path), _estimator(name_or_path), rule or soft, bad)


def unavailable(name: str) -> str:
    """Why a separator of the list cannot work here: the extra that is missing, or ''."""
    needs = SEPARATORS[name].needs if name in SEPARATORS else None
    if needs is None or importlib.util.find_spec(needs[0]) is not None:
        return ""
    return str(MissingExtraError(f"the separator {name!r}", extra=needs[1]))


def _estimator(name_or_path: str | Path) -> Any:
    name = str(name_or_path)
    if missing := unavailable(name):
        raise BadInputError(missing)
    path = SEPARATORS[name].path if name in SEPARATORS else _entry_points().get(name)
    if path is not None:
        return _loaded(path)()
    if Path(name).exists():
        return _from_file(Path(name))
    known = [*SEPARATORS, *_entry_points()]
    raise BadInputError(
        f"there is no separator {name!r}{nearest(name, known)}: give one of {', '.join(known)}, or a model file"
    )


def _from_file(path: Path) -> Any:
    for loader in LOADERS:
        if (estimator := _loaded(loader)(path)) is not None:
            return estimator
    raise BadInputError(
        f"{path}: is not a model that can separate: see 'tonmeister models' for those that are known"
    )


def _loaded(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {e.name: e.value for e in entry_points(group="tonmeister.separators")}
