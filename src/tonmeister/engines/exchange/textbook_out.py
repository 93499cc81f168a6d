"""The rule table of the engine `textbook` as a rule document.

Every row becomes one rule: its tags and tests the If part, its actions ``Do(Modify ...)``. The table applies rules from the
general to the particular and lets the later one win; here the more particular rule stands in a group of higher priority,
and among equals the later one stands later. The reading of time constants ("10-90") is written out as a division.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tonmeister.engines.exchange.expressions_out import Readings, membership
from tonmeister.engines.exchange.report import Exchanged, LeftOut, Unsayable
from tonmeister.engines.exchange.writing import (
    call,
    class_of,
    described,
    document_of,
    frame,
    grouped,
    number,
    word,
)
from tonmeister.engines.semantic.terms import textbook_terms
from tonmeister.engines.textbook.reading import Default
from tonmeister.engines.textbook.records import PROFILES, Action, Rule
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.rif.ast import (
    ActionVariable,
    And,
    Assert,
    Const,
    Do,
    Document,
    Forall,
    Formula,
    Implies,
    Member,
    Metadata,
    Modify,
    New,
    Or,
    Sentence,
    Term,
    Var,
    boolean,
    string,
)
from tonmeister.rif.names import FUNC

__all__ = ["DEFAULT_RULE", "NINETY_OF_TAU", "textbook_document"]

NINETY_OF_TAU: Final = 2.2
"""The 10 to 90 % time of a one-pole smoother in time constants: ln 9, rounded as `textbook.records.TIMES` has it."""
DEFAULT_RULE: Final = "default."
"""Beginning of the names of rules that say what stands in where no rule says it."""

_SONG: Final = Var("song")
_VARIABLES: Final = {"Track": Var("track"), "DrumBus": Var("bus"), "MixBus": Var("bus"), "Song": _SONG}


def textbook_document(rules: RuleSet, *, name: str = "textbook", own: bool = False) -> Exchanged[Document]:
    """The rules and defaults of a table as one document; what cannot be said is listed with the reason.

    `own` is the shipped table, whose makers and licence are known.
    """
    kept, left_out, made = [], [], list[tuple[str, int, Sentence]]()
    for parameter, default in rules.defaults.items():
        made.append(("defaults", 0, _default(parameter, default, own=own)))
        kept.append(DEFAULT_RULE + parameter)
    for rule in rules.rules:
        try:
            made.append((rule.stage, _priority(rule), _rule(rule, own=own)))
            kept.append(rule.id)
        except Unsayable as reason:
            left_out.append(LeftOut(rule.id, str(reason)))
    title = f"Mixing rules of the engine textbook ({rules.origin})"
    document = document_of(name, title, grouped(made), own=own)
    return Exchanged(document, tuple(kept), tuple(left_out))


def _priority(rule: Rule) -> int:
    """How particular a rule is: number of tag lists, then depth of the instrument."""
    _, named, depth, _ = rule.rank
    return 10 * named + depth


# ------------------------------------------------------------------ one rule


def _rule(rule: Rule, *, own: bool) -> Sentence:
    about = _class_of(rule)
    subject = _VARIABLES[about]
    readings = Readings(_owners(about, subject))
    tests = [f for test in rule.when for f in readings.test(test)]
    actions = _Actions(rule, subject, readings)
    actions.all()
    others = [v for head, v in readings.used.items() if v != subject]
    conditions: list[Formula] = [
        *_tags(rule, about, subject),
        *(membership(v, "Song") for v in others),
        *readings.frames(),
        *tests,
    ]
    variables = (subject, *others, *readings.variables)
    return _quantified(
        variables, membership(subject, about), conditions, actions.block(), _metadata(rule, own=own)
    )


def _quantified(
    variables: tuple[Var, ...], pattern: Formula, conditions: list[Formula], block: Do, metadata: Metadata
) -> Forall:
    if not conditions:
        return Forall(variables, (pattern,), block, metadata=metadata)
    condition = conditions[0] if len(conditions) == 1 else And(tuple(conditions))
    return Forall(variables, (pattern,), Implies(condition, block), metadata=metadata)


def _class_of(rule: Rule) -> str:
    """Who a rule is about."""
    stages: Mapping[str, str] = textbook_terms()["stages"]
    room = rule.stage == "space" and any(a.verb == "set" and a.target.startswith("reverb.") for a in rule.do)
    return stages["space/reverb"] if room else stages[rule.stage]


def _owners(about: str, subject: Var) -> dict[str, Var]:
    if about == "Song":
        return {"song": subject}
    return {"track" if about == "Track" else "bus": subject, "song": _SONG}


def _metadata(rule: Rule, *, own: bool) -> Metadata:
    more: list[tuple[str, Const]] = [("stage", string(rule.stage))]
    more += [("processor", string(name)) for name in rule.tags["processor"]]
    if set(rule.profiles) != set(PROFILES):
        more += [("profile", string(profile)) for profile in rule.profiles]
    if rule.disputed:
        more.append(("disputed", boolean(True)))
    return described(
        rule.id, source=rule.source, evidence=rule.evidence, comment=rule.comment, own=own, more=more
    )


# ------------------------------------------------------------------ tags


def _tags(rule: Rule, about: str, subject: Var) -> Iterator[Formula]:
    terms = textbook_terms()["tags"]
    instruments = rule.tags["instrument"]
    if about == "DrumBus":
        if instruments not in ((), ("drums",)):
            raise Unsayable(f"instrument={', '.join(instruments)} of the drum bus: a bus has no instrument")
    elif instruments:
        if about != "Track":
            raise Unsayable(f"instrument={', '.join(instruments)} of the {about}: only tracks have one")
        yield _any(Member(subject, class_of(name)) for name in instruments)
    for key in ("role", "section"):
        if rule.tags[key]:
            yield _any(frame(subject, {terms[key]: word(name)}) for name in rule.tags[key])
    for key in ("genre", "kind"):
        if rule.tags[key]:
            yield _any(frame(subject, {terms[key]: string(text)}) for text in rule.tags[key])


def _any(formulas: Iterable[Formula]) -> Formula:
    parts = tuple(formulas)
    return parts[0] if len(parts) == 1 else Or(parts)


# ------------------------------------------------------------------ actions


class _Actions:
    """The Do of one rule, in the making."""

    def __init__(self, rule: Rule, subject: Var, readings: Readings) -> None:
        self._rule, self._subject, self._readings = rule, subject, readings
        self._terms = textbook_terms()
        self._made: list[ActionVariable] = []
        self._done: list[Modify | Assert] = []

    def block(self) -> Do:
        """All actions in order."""
        return Do(tuple(self._done), tuple(self._made))

    def all(self) -> None:
        """Every action of the rule."""
        for action in self._rule.do:
            getattr(self, f"_{action.verb}")(action)

    def _modify(self, slots: Mapping[str, Term]) -> None:
        self._done.append(Modify(frame(self._subject, slots)))

    def _object(self, kind: str, slots: Iterable[tuple[str, Term]]) -> None:
        """Something that adds up is a new object that belongs to the subject."""
        terms = self._terms["objects"][kind]
        variable = Var(f"step{len(self._made) + 1}" if kind == "offset" else f"section{len(self._made) + 1}")
        self._made.append(ActionVariable(variable, New()))
        self._done.append(Assert(membership(variable, terms["class"])))
        pairs = [(terms["of"], self._subject), *((terms[key], value) for key, value in slots)]
        self._done.append(Assert(frame(variable, pairs)))

    def _amount(self, action: Action) -> Term:
        assert action.amount is not None
        value = self._readings.term(action.amount)
        if action.time == "10-90":
            return call(f"{FUNC}numeric-divide", value, number(NINETY_OF_TAU))
        return value

    def _set(self, action: Action) -> None:
        if action.target == "equalizer.section_db":
            self._section(action)
            return
        slots: dict[str, Term] = {self._parameter(action.target): self._amount(action)}
        for key, value in action.details.items():
            slots[self._detail(f"{action.target}/{key}")] = _literal(value)
        self._modify(slots)

    def _section(self, action: Action) -> None:
        details = {
            key: action.details[key] for key in ("shape", "frequency_hz", "q") if key in action.details
        }
        literals = [(key, _literal(value)) for key, value in details.items()]
        self._object("section", [("gain", self._amount(action)), *literals])

    def _parameter(self, name: str) -> str:
        if name not in self._terms["parameters"]:
            raise Unsayable(f"{name} has no name in the vocabulary")
        return str(self._terms["parameters"][name])

    def _detail(self, name: str) -> str:
        if name not in self._terms["details"]:
            raise Unsayable(f"{name} has no name in the vocabulary")
        return str(self._terms["details"][name])

    def _offset(self, action: Action) -> None:
        self._object("offset", [("gain", number(action.level_db))])

    def _word(self, action: Action) -> None:
        self._object("word", [("gain", number(action.level_db)), ("word", string(action.target))])

    def _pan(self, action: Action) -> None:
        slots: dict[str, Term] = {self._parameter("pan.position"): self._amount(action)}
        for key in ("mode", "width"):
            slots[self._detail(f"pan/{key}")] = _literal(action.details[key])
        self._modify(slots)

    def _route(self, action: Action) -> None:
        self._modify({self._terms["actions"]["route"]: string(action.target)})

    def _role(self, action: Action) -> None:
        self._modify({self._terms["actions"]["role"]: word(action.target)})

    def _bypass(self, action: Action) -> None:
        names = self._terms["bypass"]
        if action.target not in names:
            raise Unsayable(f"leaving out the {action.target} has no name in the vocabulary")
        self._modify({names[action.target]: number(0)})


def _literal(value: float | str) -> Const:
    return string(value) if isinstance(value, str) else number(float(value))


# ------------------------------------------------------------------ defaults


def _default(parameter: str, default: Default, *, own: bool) -> Sentence:
    """``Modify(?track[tm:compressorRatioDefault -> 3])``."""
    expression, source, evidence = default
    about = "Song" if parameter.startswith("reverb.") else "Track"
    subject = _VARIABLES[about]
    readings = Readings(_owners(about, subject))
    value = readings.term(expression)
    name = textbook_terms()["parameters"][parameter] + textbook_terms()["defaults"]["suffix"]
    others = [v for v in readings.used.values() if v != subject]
    conditions: list[Formula] = [*(membership(v, "Song") for v in others), *readings.frames()]
    metadata = described(
        DEFAULT_RULE + parameter, source=source, evidence=evidence,
        comment=f"What {parameter} is where no rule says it.", own=own,
    )  # fmt: skip
    block = Do((Modify(frame(subject, {name: value})),))
    variables = (subject, *others, *readings.variables)
    return _quantified(variables, membership(subject, about), conditions, block, metadata)
