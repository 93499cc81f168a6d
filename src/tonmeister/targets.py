"""Loudness targets: names, integrated loudness, true-peak ceiling, with their sources (`targets.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import Range

__all__ = ["DEFAULT_TARGET", "Target", "parse_target", "targets"]

DEFAULT_TARGET: Final = "streaming"
_LUFS: Final = Range(-40.0, -4.0, "LUFS")
_DEFAULT_CEILING_DBTP: Final = -1.0  # EBU R128 s1 and every service above: no more than -1 dBTP


@dataclass(frozen=True, slots=True)
class Target:
    """What the finished mix should measure.

    With ``lufs`` the mix is brought to that integrated loudness under ``ceiling_dbtp``; with ``peak_db`` its
    sample peak is put there and nothing is limited; with neither it stays as the plan has it.
    """

    name: str
    lufs: float | None = None
    ceiling_dbtp: float | None = None
    peak_db: float | None = None
    source: str = ""
    evidence: str = ""
    note: str = ""
    only_down: bool = False
    """The service turns loud mixes down and leaves soft ones as they are."""

    def __str__(self) -> str:
        if self.lufs is not None:
            return f"{self.lufs:g} LUFS, at most {self.ceiling_dbtp:g} dBTP ({self.name})"
        return (
            f"sample peak {self.peak_db:g} dBFS ({self.name})"
            if self.peak_db is not None
            else "level of the plan"
        )


@cache
def targets() -> dict[str, Target]:
    """All named targets."""
    data = tomllib.loads(files("tonmeister").joinpath("targets.toml").read_text("utf-8"))
    return {row["name"]: Target(**row) for row in data["target"]}


def parse_target(text: str) -> Target:
    """A target by name, or an integrated loudness such as ``-16``."""
    if text in targets():
        return targets()[text]
    try:
        lufs = float(text)
    except ValueError:
        raise BadInputError(
            f"--target {text!r} is not known{nearest(text, list(targets()))}: give a name "
            f"({', '.join(targets())}) or a number of LUFS such as -16"
        ) from None
    _LUFS.check("--target", lufs)
    return Target("custom", lufs, _DEFAULT_CEILING_DBTP, source="asked for")
