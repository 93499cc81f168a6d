"""The engine at the live desk: the same network, filtered forward, on what was heard lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonmeister.decisions import Decision, Mute, Reason, SetGain
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.engines.expert.evidence import Finding
from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.live_filter import ControlChoice, EventEvidence, ExpertFilter
from tonmeister.engines.expert.numbers import number
from tonmeister.engines.expert.reading import Reader
from tonmeister.engines.expert.sections import SongPart
from tonmeister.engines.expert.soundcheck import soundcheck
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import PARAMETERS
from tonmeister.vocabulary import SONG_SECTIONS

__all__ = ["ExpertMixer"]

_MEMORY_S = 10.0
"""What is listened to at an event: a few bars."""
_EVERY_S = 2.0
"""Without a score, and between its events, the network is asked this often; a bar at 120 bpm."""
_SILENT_S = 4.0
"""A strip that sounds again after this long is an entry: two bars at 120 bpm."""
_SILENT_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770."""
_SETTLED_S = 30.0
"""How long the soundcheck's levels follow what is heard, for a strip that the plan left at unity."""


class ExpertMixer:
    """Mixes a performance: faders at events, against levels found while the band begins."""

    at_events = True

    def __init__(
        self, multitrack: Multitrack, plan: MixPlan, known: Knowledge, *, improved: bool, by: str
    ) -> None:
        self._multitrack, self._known, self._by, self._improved = multitrack, known, by, improved
        self._base_db = {n: plan[n].gain_db for n in multitrack.names if abs(plan[n].gain_db) > 0.05}
        """The soundcheck: what the desk stood at, where anybody had set it."""
        self._kept = frozenset(self._base_db)
        self._filter = ExpertFilter(
            known.model, multitrack.names, decisions=("FaderStep",), improved=improved
        )
        self._next_s, self._event = _EVERY_S, ""
        self._muted: set[str] = set()
        self._sounded_s: dict[str, float] = {}

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        """Moves at a new event of the score or beat, when a strip comes in, or every two seconds."""
        position = heard.position
        event = position.event if position is not None else ""
        new_event = bool(event) and event != self._event
        entered = self._entered(heard)
        too_early = heard.time_s < _EVERY_S - 1e-9
        if too_early or (heard.time_s < self._next_s - 1e-9 and not new_event and not entered):
            return
        section = _section(event)
        began = new_event and section is not None and section != _section(self._event)
        self._event, self._next_s = event or self._event, heard.time_s + _EVERY_S
        features = heard.recent(_MEMORY_S)
        if not features.audible:
            return
        self._settle(features, heard.time_s)
        evidence = self._evidence(
            features,
            heard,
            "section" if began else "entry" if entered else "note" if new_event else "beat",
            section,
        )
        for choice in self._filter.update(evidence):
            if choice.strip in features.audible:
                ramp = "ramp.section_ms" if began else "ramp.event_ms"
                yield from (LiveMove(d, ramp_s=number(ramp) / 1000.0) for d in self._decisions(choice))

    def _entered(self, heard: Heard) -> bool:
        """Whether a strip sounds that had been silent for a while; at the beginning all do, and nothing is new."""
        levels = heard.momentary_lufs.items()
        sounding = [name for name, lufs in levels if lufs is not None and lufs > _SILENT_LUFS]
        new = [n for n in sounding if heard.time_s - self._sounded_s.get(n, 0.0) > _SILENT_S]
        self._sounded_s |= dict.fromkeys(sounding, heard.time_s)
        return bool(new)

    def stands(self, decision: Decision) -> None:
        """A control is not where it was asked to be: go on from where it is."""
        match decision:
            case SetGain(strip=strip, gain_db=gain_db) if strip in self._base_db:
                self._filter.release(strip, "fader_db", gain_db - self._base_db[strip])
            case Mute(strip=strip, muted=muted):
                (self._muted.add if muted else self._muted.discard)(strip)

    def _settle(self, features: MultitrackFeatures, time_s: float) -> None:
        """Find the level from which faders are moved; a strip that comes in later is found when it does."""
        tracks = [t for t in self._multitrack.tracks if t.name in features.audible]
        for name, trim in soundcheck(tracks, features, self._known, faithful=not self._improved).items():
            if name not in self._kept and (time_s <= _SETTLED_S or name not in self._base_db):
                self._base_db[name] = trim.gain_db

    def _evidence(
        self, features: MultitrackFeatures, heard: Heard, kind: str, section: str | None
    ) -> EventEvidence:
        model = self._known.model
        reader = Reader(self._multitrack, features, self._known, model, soft=self._improved)
        whole = SongPart(0.0, features.duration_s)
        levels = reader.loudness(whole, self._base_db, dict.fromkeys(self._base_db, 0.0))
        strips: dict[str, Mapping[str, Finding]] = {}
        for name in features.audible:
            found = {**reader.track(name).found, **(levels[name].found if name in levels else {})}
            strips[name] = {n: tuple(f) for n, f in found.items()}
        song: dict[str, Finding] = {n: tuple(f) for n, f in reader.song().found.items()}
        position = heard.position
        if section is not None and "Section" in model.network.nodes:
            song["Section"] = section
        if position is not None and "AlignmentConfidence" in model.network.nodes:
            song["AlignmentConfidence"] = position.confidence
        confidence = position.confidence if position is not None else 0.0
        return EventEvidence(heard.time_s, kind, song, strips, confidence if section is not None else 1.0)

    def _decisions(self, choice: ControlChoice) -> Iterator[Decision]:
        rule = choice.rules[0][0] if choice.rules else None
        reason = Reason(
            rule.text if rule else "No rule speaks: the habit.", rule.source if rule else "habit of the model",
            f"expert.{rule.id}" if rule else "expert.habit", choice.text, choice.confidence,
        )  # fmt: skip
        if choice.value is None:
            self._muted.add(choice.strip)
            yield Mute(choice.strip, True, reason=reason, by=self._by)
            return
        if choice.strip in self._muted:
            self._muted.discard(choice.strip)
            yield Mute(choice.strip, False, reason=reason, by=self._by)
        gain_db = PARAMETERS["gain_db"].clip(self._base_db[choice.strip] + choice.value)
        yield SetGain(choice.strip, round(gain_db, 2), reason=reason, by=self._by)


def _section(event: str) -> str | None:
    """The section that an event of the score names, if it names one."""
    folded = event.casefold()
    return next((word for word in SONG_SECTIONS if word in folded), None)
