"""What plays at the desk: sound files, or named inputs of a sound card; and the plan it starts with."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.decisions import AddInsert, Reason
from tonmeister.effects.limiter import Limiter
from tonmeister.errors import BadInputError, nearest
from tonmeister.loading import load_files, load_multitrack
from tonmeister.loading.roles import settled_roles
from tonmeister.multitrack import Multitrack, Track
from tonmeister.naming import identify_name
from tonmeister.plan import LIMITER_SLOT, MixPlan, TrackRecord
from tonmeister.render import check_belongs
from tonmeister.strip import MASTER

__all__ = ["CardInput", "card_inputs", "card_multitrack", "file_multitrack", "starting_plan"]

_CHANNELS: Final = re.compile(r"(?P<name>.+)=(?P<first>\d+)(?:-(?P<last>\d+))?")


@dataclass(frozen=True, slots=True)
class CardInput:
    """A strip's name and the channels of the sound card it listens to, counted from 1."""

    name: str
    channels: tuple[int, ...]


def card_inputs(texts: Sequence[str], plan: MixPlan | None) -> list[CardInput]:
    """Read ``NAME=CHANNEL`` and ``NAME=LEFT-RIGHT``; a name alone takes the next free channel or channels.

    Without any text all tracks of `plan` are taken, in its order.
    """
    if not texts and plan is None:
        raise BadInputError(
            "no inputs: name them and their channels ('Lead Vox=1' 'Keys=3-4'), or give a plan that names them"
        )
    widths = {t.name: t.channels for t in plan.tracks} if plan else {}
    found: list[CardInput] = []
    for text in texts or list(widths):
        used = {c for i in found for c in i.channels}
        found.append(_card_input(text, widths, used))
    names = [i.name for i in found]
    for name in names:
        if names.count(name) > 1:
            raise BadInputError(f"two inputs are called {name!r}: every strip needs its own name")
    return found


def _card_input(text: str, widths: dict[str, int], used: set[int]) -> CardInput:
    match = _CHANNELS.fullmatch(text)
    if match is None:
        name, first = text, max(used, default=0) + 1
        channels = tuple(range(first, first + widths.get(name, 1)))
    else:
        name, first = match["name"].strip(), int(match["first"])
        channels = (first,) if match["last"] is None else (first, int(match["last"]))
    if not name or 0 in channels or (len(channels) == 2 and channels[1] != channels[0] + 1):
        raise BadInputError(
            f"input {text!r}: write NAME=CHANNEL or NAME=LEFT-RIGHT with neighboring channels, counted from 1"
        )
    if widths and name not in widths:
        raise BadInputError(f"input {name!r} is not in the plan{nearest(name, list(widths))}")
    if widths and len(channels) != widths[name]:
        raise BadInputError(
            f"input {name!r} has {widths[name]} channels in the plan and {len(channels)} here: give it as many"
        )
    return CardInput(name, channels)


def card_multitrack(inputs: Sequence[CardInput], sample_rate: int, *, title: str = "live") -> Multitrack:
    """The inputs as tracks without sound; their names say what they are."""
    tracks = []
    for each in inputs:
        guess = identify_name(each.name)
        silence = Audio(np.zeros((len(each.channels), 0), np.float32), sample_rate)
        tracks.append(
            Track(
                each.name,
                audio=silence,
                instrument=guess.instrument,
                role=guess.role,
                confidence=guess.confidence,
                evidence=guess.evidence,
            )
        )
    return Multitrack(title, tuple(settled_roles(tracks)), sample_rate)


def file_multitrack(paths: Sequence[Path], *, recursive: bool = False) -> Multitrack:
    """The tracks of a folder, or of files named one by one."""
    if not paths:
        raise BadInputError("no inputs: give a folder of tracks, or sound files")
    for path in paths:
        if not path.exists():
            raise BadInputError(f"{path}: no such file or folder: check the path")
    if len(paths) == 1 and paths[0].is_dir():
        return load_multitrack(paths[0], recursive=recursive)
    if folder := next((path for path in paths if path.is_dir()), None):
        raise BadInputError(f"{folder}: give one folder, or files, not both")
    return load_files(paths)


def starting_plan(multitrack: Multitrack, plan: MixPlan | None, *, seed: int = 0) -> MixPlan:
    """How the desk stands when it starts: the plan, or all faders at unity with a limiter that guards the peaks."""
    records = tuple(
        TrackRecord(t.name, t.file, t.instrument, t.role, t.confidence, t.evidence, t.channels, group=t.group)
        for t in multitrack.tracks
    )
    if plan is None:
        reason = Reason("No peak leaves a live desk above -1 dBTP.", source="live desk", rule="live.guard")
        limiter = AddInsert(MASTER, Limiter(lookahead_ms=1.0), LIMITER_SLOT, reason=reason)
        return MixPlan.of(
            [limiter], title=multitrack.title, sample_rate=multitrack.sample_rate, tracks=records, seed=seed
        )
    check_belongs(multitrack, plan)
    if plan.sample_rate != multitrack.sample_rate:
        raise BadInputError(
            f"the plan is for {plan.sample_rate} Hz and the inputs run at {multitrack.sample_rate} Hz: "
            "use one rate for both"
        )
    widths = {t.name: t.channels for t in multitrack.tracks}
    ordered = sorted(plan.tracks, key=lambda t: multitrack.names.index(t.name))
    return dataclasses.replace(
        plan, tracks=tuple(dataclasses.replace(t, channels=widths[t.name]) for t in ordered)
    )
