"""Rule documents as rule tables of the engine `textbook`, for the rules it has words for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tonmeister.engines.exchange.expressions_in import Names, number_text, value_text
from tonmeister.engines.exchange.report import Exchanged, LeftOut, Unsayable
from tonmeister.engines.exchange.textbook_out import NINETY_OF_TAU
from tonmeister.engines.exchange.writing import RULE
from tonmeister.engines.semantic.terms import instrument_of, local_name, textbook_terms
from tonmeister.engines.textbook.reading import read
from tonmeister.engines.textbook.records import EVIDENCE
from tonmeister.rif.ast import (
    Assert,
    Const,
    Document,
    Execute,
    External,
    Formula,
    Frame,
    Member,
    Modify,
    New,
    Or,
    Retract,
    Term,
    Var,
)
from tonmeister.rif.names import FUNC, RDF, RDFS, SOURCE, TM
from tonmeister.rif.rules import Rule, rules_of
from tonmeister.rif.text_writer import formula_text, term_text
from tonmeister.rif.values import number_of
from tonmeister.vocabulary import ROLES

__all__ = ["textbook_table"]

_ABOUT: Final = {"Track": "track", "DrumBus": "bus", "MixBus": "bus", "Song": "song"}
_TAG_OF: Final = {"role": "role", "section": "section", "genre": "genre", "attribute": "kind"}
_STAGE_OF: Final = {
    "high_pass": "high_pass", "compressor": "dynamics", "deesser": "dynamics", "equalizer": "tone", "masking": "tone",
    "fader": "balance", "bus": "balance", "pan": "pan", "panner": "pan", "reverb": "space", "send": "space",
    "role": "tags",
}  # fmt: skip
_PROCESSOR_OF: Final = {"masking": "equalizer", "pan": "panner", "send": "reverb"}


def textbook_table(document: Document) -> Exchanged[str]:
    """The text of a rule file (TOML); what it cannot say is listed with the reason."""
    records: list[dict[str, Any]] = []
    defaults: dict[str, dict[str, str]] = {}
    kept, left_out = [], []
    for rule in rules_of(document):
        name = _id(rule)
        try:
            converted = _Converter(rule, name).record()
            if isinstance(converted, tuple):
                defaults[converted[0]] = converted[1]
            else:
                records.append(_checked(converted))
            kept.append(name)
        except Unsayable as reason:
            left_out.append(LeftOut(name, str(reason)))
    return Exchanged(_toml(records, defaults), tuple(kept), tuple(left_out))


def _id(rule: Rule) -> str:
    return rule.name.removeprefix(RULE).rpartition("#")[2] or rule.name


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """The record, if the engine accepts it."""
    _, _, findings = read(_toml([record], {}), str(record["id"]))
    if findings:
        raise Unsayable(findings[0].text)
    return record


class _Converter:
    """One rule."""

    def __init__(self, rule: Rule, name: str) -> None:
        self._rule, self._name = rule, name
        self._terms = textbook_terms()
        self._tags: dict[str, list[str]] = {}
        self._classes: dict[str, str] = {}
        self._tests: list[Formula] = []
        self._processors: dict[str, None] = {}
        self._subject = ""

    def record(self) -> dict[str, Any] | tuple[str, dict[str, str]]:
        """A row of the table, or (parameter, default)."""
        self._refuse()
        self._subject = self._about()
        for formula in self._rule.condition.formulas:
            self._take(formula)
        names = Names({label: _ABOUT[cls] for label, cls in self._classes.items()})
        when = names.condition(tuple(self._tests))
        if (default := self._default(names)) is not None:
            return default
        actions = list(self._actions(names))
        if not actions:
            raise Unsayable("it does nothing the table knows")
        return self._row(when, actions)

    def _refuse(self) -> None:
        if self._rule.constraints:
            raise Unsayable("a constraint that is kept true: the table sets a value once")
        if self._rule.classes:
            raise Unsayable("it says what is a subclass of what: the tree of instruments is fixed")
        for action in self._rule.actions.actions:
            if isinstance(action, Retract):
                raise Unsayable("Retract: the table takes nothing back")

    # -------------------------------------------------------------- who it is about

    def _about(self) -> str:
        """The label of the variable whose parameters are set."""
        made = {v.variable.label for v in self._rule.actions.variables if isinstance(v.binding, New)}
        if any(not isinstance(v.binding, New) for v in self._rule.actions.variables):
            raise Unsayable("an action variable that reads a slot: the table cannot")
        objects = {v.label for v in self._touched() if v.label not in made}
        if len(objects) != 1:
            raise Unsayable(
                f"it sets parameters of {len(objects)} objects: a row of the table sets those of one"
            )
        return objects.pop()

    def _touched(self) -> Iterator[Var]:
        for action in self._rule.actions.actions:
            if isinstance(action, Execute) and action.target.args and isinstance(action.target.args[0], Var):
                yield action.target.args[0]
            elif isinstance(action, (Assert, Modify)) and isinstance(action.target, Frame):
                if isinstance(action.target.object, Var):
                    yield action.target.object
                belongs = (self._terms["objects"]["offset"]["of"], self._terms["objects"]["section"]["of"])
                yield from (v for k, v in action.target.slots if _local(k) in belongs and isinstance(v, Var))

    def _take(self, formula: Formula) -> None:
        """One part of the condition: a class, a tag, or something that is tested."""
        if isinstance(formula, Member):
            self._member(formula)
        elif not self._tagged(formula):
            self._tests.append(formula)

    def _member(self, formula: Member) -> None:
        label = formula.instance.label if isinstance(formula.instance, Var) else ""
        cls = _local(formula.cls)
        if cls in _ABOUT:
            self._classes[label] = cls
        elif label == self._subject and cls in instrument_of():
            self._classes.setdefault(label, "Track")
            self._tag("instrument", [instrument_of()[cls]])
        else:
            raise Unsayable(f"{formula_text(formula)} is no class of the table")

    def _tagged(self, formula: Formula) -> bool:
        """Take up ``?track[tm:role -> tm:lead]``, or an Or of memberships or of such frames."""
        parts = formula.formulas if isinstance(formula, Or) else (formula,)
        found = [self._tag_in(part) for part in parts]
        keys = {tag[0] for tag in found if tag is not None}
        if None in found or len(keys) != 1:
            return False
        self._tag(keys.pop(), [tag[1] for tag in found if tag is not None])
        return True

    def _tag_in(self, part: Formula) -> tuple[str, str] | None:
        if (
            isinstance(part, Member)
            and self._is_subject(part.instance)
            and _local(part.cls) in instrument_of()
        ):
            self._classes.setdefault(self._subject, "Track")
            return "instrument", instrument_of()[_local(part.cls)]
        if isinstance(part, Frame) and self._is_subject(part.object) and len(part.slots) == 1:
            (key, value) = part.slots[0]
            if _local(key) in _TAG_OF and isinstance(value, Const):
                return _TAG_OF[_local(key)], _local(value) or value.value
            if isinstance(key, Const) and key.value == RDF + "type" and _local(value) in instrument_of():
                return "instrument", instrument_of()[_local(value)]
        return None

    def _is_subject(self, term: Term) -> bool:
        return isinstance(term, Var) and term.label == self._subject

    def _tag(self, key: str, words: list[str]) -> None:
        if key in self._tags:
            raise Unsayable(
                f"two conditions about the {key}: a row of the table has one list, of which one must hold"
            )
        self._tags[key] = words

    # -------------------------------------------------------------- what it does

    def _actions(self, names: Names) -> Iterator[dict[str, Any]]:
        own: dict[str, Term] = {}
        objects: dict[str, dict[str, Term]] = {}
        for action in self._rule.actions.actions:
            if isinstance(action, Execute):
                yield self._executed(action)
            elif isinstance(action, (Assert, Modify)) and isinstance(action.target, Frame):
                if self._is_subject(action.target.object):
                    own.update({_local(key): value for key, value in action.target.slots})
                else:
                    self._collect(action.target, objects)
        yield from self._settings(own, names)
        for slots in objects.values():
            yield self._adding(slots, names)

    def _executed(self, action: Execute) -> dict[str, Any]:
        args = action.target.args
        if action.target.op.value != TM + "bypass" or len(args) != 2 or not isinstance(args[1], Const):
            raise Unsayable(f"{formula_text(action.target)}: the table executes nothing")
        effect = _local(args[1]).removesuffix("Effect")
        return self._bypass(f"{effect[:1].lower()}{effect[1:]}Active")

    def _bypass(self, term: str) -> dict[str, Any]:
        for processor, name in self._terms["bypass"].items():
            if name == term:
                self._processors[processor] = None
                return {"bypass": processor}
        raise Unsayable(f"tm:{term} is no processor the table can leave out")

    def _settings(self, slots: dict[str, Term], names: Names) -> Iterator[dict[str, Any]]:
        """What is set on the subject: parameters first, as they take up their details."""
        details = set(self._terms["details"].values())
        for name in sorted(slots, key=lambda name: name in details):
            if name in slots:
                yield self._setting(name, slots.pop(name), slots, names)

    def _setting(self, name: str, value: Term, others: dict[str, Term], names: Names) -> dict[str, Any]:
        """One action; the details that belong to it are taken from `others`."""
        if name in self._terms["bypass"].values():
            if not isinstance(value, Const) or number_of(value) != 0:
                raise Unsayable(f"tm:{name} can only be set to 0 by the table")
            return self._bypass(name)
        if name == self._terms["actions"]["route"] and isinstance(value, Const):
            self._processors["bus"] = None
            return {"route": value.value}
        if name == self._terms["actions"]["role"] and _local(value) in ROLES:
            self._processors["role"] = None
            return {"role": _local(value)}
        parameter = self._parameter(name)
        self._processors[parameter.partition(".")[0]] = None
        if parameter == "pan.position":
            return self._pan(value, others, names)
        action: dict[str, Any] = {"set": parameter, **self._amount(parameter, value, names)}
        for key, term in self._details(parameter):
            if term in others:
                action[key] = _plain(others.pop(term))
        return action

    def _amount(self, parameter: str, value: Term, names: Names) -> dict[str, str]:
        timed = parameter.endswith(("attack_ms", "release_ms"))
        if timed and isinstance(value, External) and value.op.value == f"{FUNC}numeric-divide":
            over, under = value.args
            if isinstance(under, Const) and float(number_of(under)) == NINETY_OF_TAU:
                return {"to": value_text(names, over), "time": "10-90"}
        return {"to": value_text(names, value)}

    def _pan(self, value: Term, others: dict[str, Term], names: Names) -> dict[str, Any]:
        action: dict[str, Any] = {"pan": value_text(names, value), "mode": "fixed"}
        for key, term in self._details("pan"):
            if term in others:
                action[key] = _plain(others.pop(term))
        if action.get("width") == 0:
            del action["width"]
        return action

    def _parameter(self, name: str) -> str:
        for parameter, term in self._terms["parameters"].items():
            if term == name:
                return str(parameter)
        raise Unsayable(f"tm:{name} is no parameter of the table")

    def _details(self, parameter: str) -> Iterator[tuple[str, str]]:
        for full, term in self._terms["details"].items():
            if full.startswith(f"{parameter}/"):
                yield full.partition("/")[2], term

    # What adds up

    def _collect(self, target: Frame, objects: dict[str, dict[str, Term]]) -> None:
        if not isinstance(target.object, Var):
            raise Unsayable(f"{formula_text(target)}: only variables have parameters")
        objects.setdefault(target.object.label, {}).update({_local(k): v for k, v in target.slots})

    def _adding(self, slots: dict[str, Term], names: Names) -> dict[str, Any]:
        offset, section, band = (self._terms["objects"][kind] for kind in ("offset", "section", "word"))
        if offset["of"] in slots:
            self._processors["fader"] = None
            return {"offset": "gain_db", "by": _number(slots[offset["gain"]])}
        self._processors["equalizer"] = None
        if band["word"] in slots:
            return {"word": _plain(slots[band["word"]]), "amount": _number(slots[band["gain"]])}
        if section["gain"] not in slots:
            raise Unsayable(
                f"an object with {', '.join(f'tm:{n}' for n in slots)} is nothing the table knows"
            )
        action = {"set": "equalizer.section_db", "to": value_text(names, slots[section["gain"]])}
        return action | {
            k: _plain(slots[section[k]]) for k in ("shape", "frequency_hz", "q") if section[k] in slots
        }

    # -------------------------------------------------------------- the row

    def _default(self, names: Names) -> tuple[str, dict[str, str]] | None:
        suffix = self._terms["defaults"]["suffix"]
        targets = [a.target for a in self._rule.actions.actions if isinstance(a, Modify)]
        keys = [(key, value) for target in targets for key, value in target.slots]
        if len(keys) != 1 or not _local(keys[0][0]).endswith(suffix):
            return None
        if self._tags or any(not isinstance(test, Frame) for test in self._tests):
            raise Unsayable("a default with a condition: the table's defaults hold for all")
        parameter = self._parameter(_local(keys[0][0]).removesuffix(suffix))
        told = {
            "to": value_text(names, keys[0][1]),
            "source": self._said(SOURCE, ""),
            "evidence": self._grade(),
        }
        return parameter, told

    def _said(self, key: str, otherwise: str) -> str:
        metadata = self._rule.metadata
        return (
            (metadata.value(key) if metadata else None)
            or otherwise
            or f"rule document {self._rule.origin}".strip()
        )

    def _grade(self) -> str:
        grade = self._said(TM + "evidence", "R")
        return grade if grade in EVIDENCE else "R"

    def _row(self, when: list[str], actions: list[dict[str, Any]]) -> dict[str, Any]:
        metadata = self._rule.metadata
        about = self._classes.get(self._subject, "Track")
        stage = self._said(TM + "stage", self._stage(about))
        tags: dict[str, list[str]] = {k: self._tags[k] for k in _TAG_ORDER if k in self._tags}
        if about == "DrumBus":
            tags["instrument"] = ["drums"]
        told = list(metadata.values(TM + "processor")) if metadata else []
        derived = list(dict.fromkeys(_PROCESSOR_OF.get(p, p) for p in self._processors if p != "role"))
        if processors := told or derived:
            tags["processor"] = processors
        row: dict[str, Any] = {
            "id": self._name, "source": self._said(SOURCE, ""), "evidence": self._grade(), "stage": stage,
        }  # fmt: skip
        row |= {"tags": tags} if tags else {}
        row |= {"when": when} if when else {}
        row |= {"do": actions, "comment": self._said(RDFS + "comment", f"Rule {self._name}.")}
        profiles = list(metadata.values(TM + "profile")) if metadata else []
        row |= {"profiles": profiles} if profiles else {}
        disputed = (metadata.value(TM + "disputed") if metadata else None) in ("true", "1")
        return row | ({"disputed": True} if disputed else {})

    def _stage(self, about: str) -> str:
        if about in ("DrumBus", "MixBus"):
            return "drum_bus" if about == "DrumBus" else "mix_bus"
        stages = {_STAGE_OF[p] for p in self._processors if p in _STAGE_OF}
        if len(stages) != 1:
            raise Unsayable(
                f"it speaks about {', '.join(sorted(self._processors))} at once: a row of the table has one stage"
            )
        return stages.pop()


_TAG_ORDER: Final = ("instrument", "role", "section", "genre", "kind")


def _local(term: Term) -> str:
    """The name of one of our own terms, or ''."""
    return (local_name(term.value) or "") if isinstance(term, Const) else ""


def _plain(term: Term) -> str | float:
    """A constant as a value of TOML."""
    if not isinstance(term, Const):
        raise Unsayable(f"{term_text(term)} should be a constant there")
    from tonmeister.rif.values import canonical, is_number

    return _number(term) if is_number(canonical(term)) else term.value


def _number(term: Term) -> float:
    if not isinstance(term, Const):
        raise Unsayable(f"{term_text(term)} should be a number there: the table knows only fixed steps")
    text = number_text(term)
    return float(text) if not text.lstrip("-").isdigit() else int(text)


# ------------------------------------------------------------------ TOML


def _toml(records: Iterable[Mapping[str, Any]], defaults: Mapping[str, Mapping[str, str]]) -> str:
    lines = ["[meta]", "schema = 1", ""]
    for name, default in defaults.items():
        lines += [f"[defaults.{json.dumps(name)}]", *(f"{k} = {_value(v)}" for k, v in default.items()), ""]
    for record in records:
        lines += ["[[rule]]", *(f"{key} = {_value(value)}" for key, value in record.items()), ""]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
