"""IDMT-SMT-Audio-Effects: single notes of bass and guitar, untreated and through effects, as it lies on disk.

File names have fields between dashes; notes of one number (the second field) are the same playing, and the last digit
of the third field is the setting. Effect folders are found by their names, wherever they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError, nearest

__all__ = ["NotePair", "idmt_effects", "read_idmt", "split_by_note"]

_DRY: Final = ("nofx", "no fx", "nofx_bass", "nofx_guitar")
_SHARES: Final = (0.8, 0.1, 0.1)
Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class NotePair:
    """One note, before and behind the effect."""

    note: str
    """What names the playing: instrument, string, fret, style."""
    setting: str
    dry: Path
    wet: Path


def idmt_effects(folder: Path) -> dict[str, list[Path]]:
    """Effect -> its folders of WAV files, under `folder`; an instrument may have its own."""
    found: dict[str, list[Path]] = {}
    for path in sorted({file.parent for file in Path(folder).rglob("*.wav")}):
        found.setdefault(path.name, []).append(path)
    return found


def read_idmt(folder: Path, effect: str, setting: str | None = None) -> list[NotePair]:
    """Every note that is there both untreated and through `effect`; raises `BadInputError` when there is none."""
    effects = idmt_effects(folder)
    dry_folders = [p for name, paths in effects.items() if name.casefold() in _DRY for p in paths]
    if not dry_folders:
        raise BadInputError(
            f"{folder}: has no folder NoFX of untreated notes: give the folder of the data set"
        )
    treated = {name.casefold(): paths for name, paths in effects.items() if name.casefold() not in _DRY}
    if effect.casefold() not in treated:
        raise BadInputError(f"{folder}: has no effect {effect!r}{nearest(effect, sorted(treated))}")
    untreated = {note: file for path in dry_folders for note, _, file in _files(path)}
    pairs = [
        NotePair(note, number, untreated[note], file)
        for path in treated[effect.casefold()]
        for note, number, file in _files(path)
        if note in untreated and setting in (None, number)
    ]
    if not pairs:
        raise BadInputError(
            f"{folder}: no note stands both in NoFX and in {effect} with setting {setting or 'any'}: give another setting"
        )
    return sorted(pairs, key=lambda pair: (pair.note, pair.setting))


def _files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Note, setting and path of each file."""
    for path in sorted(folder.glob("*.wav")):
        fields = path.stem.split("-")
        if len(fields) >= 3:
            yield "-".join(fields[:2]), fields[2][-1:], path


def split_by_note(
    pairs: Sequence[NotePair], generator: Generator
) -> tuple[list[NotePair], list[NotePair], list[NotePair]]:
    """80, 10 and 10 per cent to learn from, to stop by, to judge; no note stands on two sides."""
    names = sorted({pair.note for pair in pairs})
    if len(names) < 3:
        raise BadInputError(f"{len(names)} notes cannot be split in three: give more of the data set")
    order = [names[i] for i in generator.permutation(len(names))]
    last = max(round(_SHARES[2] * len(order)), 1)
    middle = max(round(_SHARES[1] * len(order)), 1)
    sides = (set(order[: -last - middle]), set(order[-last - middle : -last]), set(order[-last:]))
    learned, stopped, kept = ([p for p in pairs if p.note in side] for side in sides)
    return learned, stopped, kept
