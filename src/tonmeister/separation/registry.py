"""Which separators there are, and where each lives.

An entry names a function (or class) without parameters that returns an estimator, a `MaskEstimator` or a
`WaveEstimator`; its module is imported when it is asked for. Third parties register such functions under the
entry-point group ``tonmeister.separators``. Files of models made elsewhere are opened by the functions of `LOADERS`.
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


_VOICE: Final = ("vocals", "accompaniment")

SEPARATORS: Final[Mapping[str, SeparatorInfo]] = {
    "nmf": SeparatorInfo(
        "tonmeister.separation.nmf:shipped",
        "spectral patches of voices, drums, basses and other instruments, learned",
        ("vocals", "drums", "bass", "other"),
        "the baseline of Simpson, Roma & Plumbley (2015); Lee & Seung (2000)",
    ),
    "center": SeparatorInfo(
        "tonmeister.separation.panning:center",
        "what stands in the middle of the stereo picture, and the rest",
        ("center", "sides"),
        "Avendano, WASPAA 2003",
    ),
    "panning": SeparatorInfo(
        "tonmeister.separation.panning:places",
        "left, middle and right of the stereo picture",
        ("left", "center", "right"),
        "Avendano, WASPAA 2003",
    ),
    "hpss": SeparatorInfo(
        "tonmeister.separation.hpss:HarmonicPercussive",
        "tones and hits by median filters",
        ("harmonic", "percussive"),
        "Fitzgerald, DAFx 2010",
    ),
    "jazz": SeparatorInfo(
        "tonmeister.separation.jazz:small",
        "a jazz soloist and the band, by a network that hears the middle of the recording",
        ("solo", "accompaniment"),
        "after Mimilakis, Cano, Abesser & Schuller, WIMP (2016)",
    ),
    "jazz-paper": SeparatorInfo(
        "tonmeister.separation.jazz:paper",
        "the same, arranged as published: a mono soloist and what is left over",
        ("solo", "accompaniment"),
        "Mimilakis, Cano, Abesser & Schuller, WIMP (2016)",
    ),
    "pitch-informed": SeparatorInfo(
        "tonmeister.separation.pitch_informed:PitchInformed",
        "a soloist by its melody, overtones and attacks; nothing learned",
        ("solo", "accompaniment"),
        "after Cano, Schuller & Dittmar, EURASIP JASP 2014:23",
    ),
    "repet": SeparatorInfo(
        "tonmeister.separation.repet:Repet",
        "what does not repeat with the beat is the voice",
        _VOICE,
        "Rafii & Pardo, IEEE TASLP 21(1), 2013",
    ),
    "rpca": SeparatorInfo(
        "tonmeister.separation.rpca:Rpca",
        "a sparse voice on an accompaniment of low rank",
        _VOICE,
        "Huang, Chen, Smaragdis & Hasegawa-Johnson, ICASSP 2012",
    ),
    "deep-remix": SeparatorInfo(
        "tonmeister.separation.network_model:deep_remix",
        "a network's chance that the voice dominates a bin",
        _VOICE,
        "Simpson, Roma & Plumbley, arXiv:1505.00289, 2015",
    ),
    "ensemble": SeparatorInfo(
        "tonmeister.separation.network_model:ensemble",
        "the mean of four kinds of masks from four networks",
        ("vocals", "drums", "bass", "other"),
        "Grais, Roma, Simpson & Plumbley (2016)",
    ),
    "ensemble-combiner": SeparatorInfo(
        "tonmeister.separation.network_model:ensemble_combiner",
        "the same masks, combined by a further network instead of their mean",
        ("vocals", "drums", "bass", "other"),
        "after Grais, Roma, Simpson & Plumbley, Interspeech 2016",
    ),
    "fcn": SeparatorInfo(
        "tonmeister.separation.network_model:fcn",
        "the voice's magnitudes, by a small convolutional network",
        ("vocals",),
        "after Grais & Plumbley, GlobalSIP 2017",
    ),
    "web-remix": SeparatorInfo(
        "tonmeister.separation.network_model:web_remix",
        "three networks, and the surest takes the bin",
        ("drums", "bass", "vocals"),
        "Roma, Simpson, Grais & Plumbley, Web Audio Conference 2016",
    ),
}

DEFAULT_SEPARATOR: Final = "deep-remix"

LOADERS: Final[tuple[str, ...]] = (
    "tonmeister.separation.network_model:from_file",
    "tonmeister.separation.jazz:from_file",
    "tonmeister.separation.community.kinds:open_foreign",
)
"""``module:function`` each: takes a path, returns an estimator, or None for a file that is not of its kind."""


def load_separator(
    name_or_path: str | Path = DEFAULT_SEPARATOR,
    *,
    rule: MaskRule | None = None,
    wiener_rounds: int = 0,
    bad: BadSamples = "refuse",
) -> StreamingSeparator:
    """The separator of that name, or from a model file.

    `rule` says how masks cut (default: as the estimator gives them), `wiener_rounds` how often they are refined, `bad`
    what happens to samples that are not numbers. Raises `BadInputError` for an unknown name.
    """
    from tonmeister.separation.masks import soft
    from tonmeister.separation.streaming import StreamingSeparator

    return StreamingSeparator(str(name_or_path), _estimator(name_or_path), rule or soft, wiener_rounds, bad)


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
    if Path(name).suffix:
        raise BadInputError(f"{name}: no such model file")
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
