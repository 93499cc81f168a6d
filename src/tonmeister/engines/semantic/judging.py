"""The rules of a situation in the place of a rule table: what they say about one strip, for the stages of a mix.

The arithmetic of a mix (equal loudness, places side by side, one room for all) is that of the engine `textbook`; what is
wanted comes from the store. So one rule has one effect, in whichever language it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from tonmeister.constraints import Call, Constant, Directed, Expression, Read
from tonmeister.engines.semantic.compiling import Compiled
from tonmeister.engines.semantic.documents import KnownRule
from tonmeister.engines.semantic.situation import DRUM_BUS, MIX_BUS, SONG, Situation, owner_of
from tonmeister.engines.semantic.terms import instrument_of, local_name, textbook_terms
from tonmeister.engines.textbook.expressions import Expression as TextbookExpression
from tonmeister.engines.textbook.expressions import Lookup, parse
from tonmeister.engines.textbook.matching import Entry, Offset, Setting, Settings, Subject, Tone
from tonmeister.engines.textbook.measures import NAMES
from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.reading import Defaults
from tonmeister.engines.textbook.records import EVIDENCE, STAGES, TAGS
from tonmeister.engines.textbook.rules import Rule, RuleSet
from tonmeister.rif.ast import Const, Frame, Member, walk
from tonmeister.rif.names import RDF
from tonmeister.vocabulary import ROLES

__all__ = ["contradictions", "rule_set"]

_STAGE_OF: Final[Mapping[str, str]] = {
    "high_pass": "high_pass", "compressor": "dynamics", "deesser": "dynamics", "equalizer": "tone", "masking": "tone",
    "fader": "balance", "pan": "pan", "reverb": "space", "send": "space",
}  # fmt: skip
"""Processor -> the stage in which a track's is decided."""
_PAN_MODES: Final = ("fixed", "place", "side", "spread", "keep")
_SHAPES: Final = ("peak", "low_shelf", "high_shelf")


def rule_set(situation: Situation) -> RuleSet:
    """A rule set that answers from the situation."""
    judge = _Judge(situation)
    return RuleSet(tuple(judge.rules.values()), _defaults(situation), "rule documents", judge.settings)


class _Judge:
    """Settings for a stage and a subject."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self.rules: dict[str, Rule] = {
            known.iri: _as_rule(known, order) for order, known in enumerate(situation.rules.values())
        }
        self._of: dict[str, list[Compiled]] = {}
        for instance in situation.instances:
            for owner in instance.owners[:1]:
                self._of.setdefault(owner, []).append(instance)

    def settings(self, stage: str, subject: Subject) -> Settings:
        """What the rules say about a subject in a stage."""
        owner = self._owner(stage, subject)
        if stage == "tags":
            return self._tags(subject)
        if owner in (DRUM_BUS, MIX_BUS, SONG):
            self._situation.measured(owner, self._bus_values(subject.lookup))
        values, log = self._values(owner, stage)
        return Settings(
            values, tuple(self._offsets(owner)), tuple(self._tones(owner)), self._pan(owner, log),
            self._route(owner), None, dict(self._bypassed(owner, stage)), (), (*log, *self._silent(owner, stage)),
        )  # fmt: skip

    def _owner(self, stage: str, subject: Subject) -> str:
        if stage in ("drum_bus", "mix_bus"):
            return DRUM_BUS if stage == "drum_bus" else MIX_BUS
        return SONG if stage == "space" and not subject.tags.get("instrument") else owner_of(subject.name)

    @staticmethod
    def _bus_values(lookup: Lookup) -> dict[str, float | None]:
        names = {n: term for n, term in textbook_terms()["features"].items() if n in NAMES}
        bus = {term: lookup(name) for name, term in names.items() if name.startswith("bus.")}
        return {**{term: lookup(name) for name, term in names.items() if name.startswith("song.")}, **bus}

    def _tags(self, subject: Subject) -> Settings:
        given = self._situation.roles.get(subject.name)
        if given is None:
            return Settings()
        role, known = given
        rule = self.rules[known.iri]
        entry = Entry(subject.name, rule.id, "fired", f"{rule.id}: {rule.comment}")
        return Settings(role=(role, rule), log=(entry,))

    # Single values

    def _values(self, owner: str, stage: str) -> tuple[dict[str, Setting], list[Entry]]:
        values: dict[str, Setting] = {}
        log: list[Entry] = []
        for name, term in textbook_terms()["parameters"].items():
            processor = name.partition(".")[0]
            if name == "pan.position" or not _in_stage(processor, stage):
                continue
            setting = self._setting(owner, name, term, _details(name), log)
            if setting is not None:
                values[name] = setting
        return values, log

    def _setting(
        self, owner: str, name: str, term: str, details: Mapping[str, str], log: list[Entry]
    ) -> Setting | None:
        store = self._situation.store
        known, wanted = self._situation.speaking(owner, term), store.number(owner, term)
        if known is None or wanted is None:
            return None
        rule, about = self.rules[known.iri], (name.partition(".")[0],)
        clipped = PARAMETERS[name].clip(wanted)
        if clipped != wanted:
            text = f"{name}: {wanted:.4g} clipped to {clipped:.4g} ({rule.id})"
            log.append(Entry(owner, rule.id, "clipped", text, about))
        for loser, _, value in store.spoken(owner, term)[1:]:
            text = f"{name}: {_shown(value)} of {loser} overridden by {rule.id}"
            log.append(Entry(owner, loser, "overridden", text, about))
        own = {
            key: value
            for key, detail in details.items()
            if self._situation.speaking(owner, detail) == known
            and isinstance(value := store.get(owner, detail), (float, str))
        }
        return Setting(float(clipped), rule, own)

    def _pan(self, owner: str, log: list[Entry]) -> Setting | None:
        terms = textbook_terms()
        details = {key.partition("/")[2]: t for key, t in terms["details"].items() if key.startswith("pan/")}
        setting = self._setting(owner, "pan.position", terms["parameters"]["pan.position"], details, log)
        if setting is None:
            return None
        mode = str(setting.details.get("mode", "fixed"))
        width = setting.details.get("width", 0.0)
        known = {"mode": mode if mode in _PAN_MODES else "fixed", "width": width}
        return replace(setting, details=known)

    def _route(self, owner: str) -> tuple[str, Rule] | None:
        known, bus = self._situation.speaking(owner, "route"), self._situation.store.get(owner, "route")
        return (bus, self.rules[known.iri]) if known is not None and isinstance(bus, str) else None

    def _bypassed(self, owner: str, stage: str) -> Iterator[tuple[str, Rule]]:
        for processor, term in textbook_terms()["bypass"].items():
            known = self._situation.speaking(owner, term)
            if known and self._situation.store.number(owner, term) == 0.0 and _in_stage(processor, stage):
                yield processor, self.rules[known.iri]

    # What adds up

    def _present(self, owner: str, cls: str) -> Iterator[tuple[str, Rule]]:
        store = self._situation.store
        for name in self._situation.made.get(owner, ()):
            known = self._situation.speaking(name, "present")
            if known is not None and cls in store.owners[name]:
                yield name, self.rules[known.iri]

    def _offsets(self, owner: str) -> Iterator[Offset]:
        for name, rule in self._present(owner, "LevelStep"):
            level_db = self._situation.store.number(name, "stepGain")
            if level_db is not None:
                yield Offset(level_db, rule)

    def _tones(self, owner: str) -> Iterator[Tone]:
        store = self._situation.store
        for name, rule in self._present(owner, "EqSection"):
            gain_db, word = store.number(name, "sectionGain"), store.get(name, "sectionWord")
            if gain_db is None:
                continue
            if isinstance(word, str):
                yield Tone(gain_db, rule, word=word)
                continue
            shape, frequency_hz = store.get(name, "sectionShape"), store.number(name, "sectionFrequency")
            q = store.number(name, "sectionQ")
            if frequency_hz is not None:
                known = shape if isinstance(shape, str) and shape in _SHAPES else "peak"
                yield Tone(
                    gain_db, rule, shape=known, frequency_hz=frequency_hz, q=0.7071 if q is None else q
                )

    # What stays silent

    def _silent(self, owner: str, stage: str) -> Iterator[Entry]:
        for instance in self._of.get(owner, ()):
            rule = self.rules[_name_of(instance)] if instance.constraints else None
            if rule is None or (rule.stage != stage and owner.startswith("track/")):
                continue
            if missing := self._situation.unknown(instance):
                text = f"{rule.id}: not applied, {', '.join(f'tm:{m}' for m in missing)} is not known"
                yield Entry(owner, rule.id, "unknown", text, rule.tags["processor"])


def contradictions(situation: Situation) -> list[str]:
    """Rules of one priority, neither more particular than the other, that want one thing to be two values."""
    known = {k.iri: _as_rule(k, order) for order, k in enumerate(situation.rules.values())}
    found = []
    for owner, name, said in situation.spoken():
        winner, *losers = said
        for loser in losers:
            equals = known[loser[0]].rank[1:3] == known[winner[0]].rank[1:3] and loser[1] == winner[1]
            if equals and loser[2] != winner[2]:
                first, second = (f"{_brief(rule)} says {_shown(value)}" for rule, _, value in (loser, winner))
                who = owner.removeprefix("track/")
                text = f"{who}, tm:{name}: {first}, {second}, both at priority {winner[1]}"
                found.append(f"{text}: the later in the documents stands")
    return found


def _brief(iri: str) -> str:
    return iri.rpartition("#")[2]


def _name_of(instance: Compiled) -> str:
    return instance.constraints[0].name


def _in_stage(processor: str, stage: str) -> bool:
    return stage in ("drum_bus", "mix_bus") or _STAGE_OF.get(processor) == stage


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@cache
def _details(name: str) -> Mapping[str, str]:
    head = f"{name}/"
    return {k.removeprefix(head): t for k, t in textbook_terms()["details"].items() if k.startswith(head)}


# ------------------------------------------------------------------ rules as the stages know them


def _as_rule(known: KnownRule, order: int) -> Rule:
    """What the stages need of a rule: its name, reasons, grade, and how particular it is."""
    evidence = known.evidence if known.evidence in EVIDENCE else "R"
    processors = tuple(sorted(_processors(known)))
    stage = next((_STAGE_OF[p] for p in processors if p in _STAGE_OF), STAGES[0])
    return Rule(
        known.iri, f"{known.source} ({known.document})", evidence, stage, known.comment,
        {**dict.fromkeys(TAGS, ()), **_tags_of(known), "processor": processors}, (), (), position=order,
    )  # fmt: skip


def _processors(known: KnownRule) -> set[str]:
    reverse = {term: name.partition(".")[0] for name, term in textbook_terms()["parameters"].items()}
    reverse |= {term: name for name, term in textbook_terms()["bypass"].items()}
    reverse |= {"stepOf": "fader", "sectionOf": "equalizer", "route": "bus"}
    return {
        reverse[name]
        for node in walk(known.rule.actions)
        if isinstance(node, Frame)
        for key, _ in node.slots
        if isinstance(key, Const) and (name := local_name(key.value)) in reverse
    }


def _tags_of(known: KnownRule) -> dict[str, tuple[str, ...]]:
    """Instruments, roles and sections a condition names."""
    classes = [
        local_name(node.cls.value) or ""
        for node in walk(known.rule.condition)
        if isinstance(node, Member) and isinstance(node.cls, Const)
    ]
    instruments = [instrument_of()[name] for name in classes if name in instrument_of()]
    words = [
        local_name(value.value) or value.value
        for node in walk(known.rule.condition)
        if isinstance(node, Frame)
        for key, value in node.slots
        if isinstance(key, Const) and key.value != RDF + "type" and isinstance(value, Const)
    ]
    return {
        "instrument": tuple(dict.fromkeys(instruments)),
        "role": tuple(w for w in dict.fromkeys(words) if w in ROLES),
        "section": tuple(w for w in dict.fromkeys(words) if w in ("single", "several")),
    }


# ------------------------------------------------------------------ defaults


def _defaults(situation: Situation) -> Defaults:
    """What rules say stands in where no rule says it: parameters called ``...Default``, by the textbook's name."""
    names = {f"{term}Default": name for name, term in textbook_terms()["parameters"].items()}
    found: dict[str, tuple[TextbookExpression, str, str]] = {}
    for instance in situation.instances:
        for constraint in instance.constraints:
            if isinstance(constraint, Directed) and constraint.target.property in names:
                known = situation.rules[constraint.name]
                expression = _textbook_expression(constraint.value)
                if expression is not None:
                    name = names[constraint.target.property]
                    found.setdefault(name, (expression, f"{known.source} ({known.document})", known.evidence))
    return found


def _textbook_expression(value: Expression) -> TextbookExpression | None:
    """The same expression over the names of the stages, for whichever subject it is asked for later."""
    text = _text(value)
    return parse(text, NAMES) if text is not None else None


def _text(value: Expression) -> str | None:
    if isinstance(value, Constant):
        return repr(value.value) if isinstance(value.value, float) else None
    if isinstance(value, Read):
        terms = textbook_terms()["features"]
        head = "song." if value.owner == SONG else "bus." if value.owner in (DRUM_BUS, MIX_BUS) else "track."
        return next((n for n, t in terms.items() if t == value.property and n.startswith(head)), None)
    if not isinstance(value, Call):
        return None
    parts = [_text(part) for part in value.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if value.function in ("+", "-", "*", "/"):
        return f"({known[0]} {value.function} {known[1]})"
    return (
        f"{value.function}({', '.join(known)})" if value.function in ("min", "max", "clamp", "abs") else None
    )
