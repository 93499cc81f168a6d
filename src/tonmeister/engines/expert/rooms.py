"""The rooms: one return for every length that the network asks for, together as loud as listeners accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, Reason, SetGain
from tonmeister.engines.expert.inserts import room
from tonmeister.engines.expert.model import Choice
from tonmeister.engines.expert.numbers import CONFIDENCE, number, value
from tonmeister.engines.prediction import predicted_lufs, reverb_change_db
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Track
from tonmeister.strip import PARAMETERS

if TYPE_CHECKING:
    from tonmeister.engines.expert.engine import Ridden

__all__ = ["rooms"]


def rooms(
    tracks: Sequence[Track],
    features: MultitrackFeatures,
    ridden: Mapping[str, Ridden],
    choice: Choice,
    levels_db: Mapping[str, float],
    tempo_bpm: float | None,
    taken: Sequence[str],
    why: Callable[[str, int], Reason],
    by: str,
) -> Iterator[Decision]:
    """Returns with their reverbs, and a send for every track that is not dry.

    All sends carry one gain, so that the returns together lie as far below the mix as the literature says.
    """
    wet = {t.name: s for t in tracks if choice.values[s := _state(ridden[t.name])] is not None}
    if not wet:
        return
    series = [features[t.name].momentary_lufs for t in tracks]
    mix_lufs = predicted_lufs(series, [levels_db[t.name] for t in tracks])
    effects = {s: room(choice.values[s] or 0.0, tempo_bpm) for s in sorted(set(wet.values()))}
    gains = [
        levels_db[n] + reverb_change_db(features[n].third_octave_db, effects[s], features[n].sample_rate)
        for n, s in wet.items()
    ]
    wet_lufs = predicted_lufs([features[n].momentary_lufs for n in wet], gains)
    if mix_lufs is None or wet_lufs is None:
        return
    send_db = round(float(np.clip(mix_lufs + number("room.loudness") - wet_lufs, -40.0, 12.0)), 2)
    buses = {s: _free(f"{_called(s, choice)} room", taken) for s in effects}
    entry = value("room.loudness")
    confidence = CONFIDENCE[entry.evidence]
    for state, effect in effects.items():
        text = f"A room of {effect.decay_s:g} s for {sum(s == state for s in wet.values())} tracks."
        reason = Reason(text, choice.source, "expert.room", choice.grade, CONFIDENCE[choice.grade])
        yield AddBus(buses[state], "return", reason=reason, by=by)
        yield AddInsert(buses[state], effect, reason=reason, by=by)
        unity = Reason(
            "The return stays at unity; the sends set the amount.",
            entry.source,
            "expert.room",
            entry.evidence,
            confidence,
        )
        yield SetGain(buses[state], 0.0, reason=unity, by=by)
    for name, state in wet.items():
        reason = why(name, state)
        note = f"{send_db:+.1f} dB puts all rooms together {-number('room.loudness'):.0f} LU below the mix: {entry.source}"
        reason = Reason(
            reason.text, reason.source, reason.rule, reason.evidence, reason.confidence, (*reason.notes, note)
        )
        yield AddSend(name, buses[state], PARAMETERS["gain_db"].clip(send_db), reason=reason, by=by)


def _state(ridden: Ridden) -> int:
    return ridden.chosen[0].state


def _called(state: int, choice: Choice) -> str:
    """Short, Medium, Long by their order among the rooms."""
    wet = [i for i, v in enumerate(choice.values) if v is not None]
    names = ("Short", "Medium", "Long")
    return names[wet.index(state)] if len(wet) == len(names) else f"Room {wet.index(state) + 1}:"


def _free(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else f"{name} return"
