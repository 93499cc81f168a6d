"""Reading a rule file: every key, word, unit and level is checked, and a mistake says in which rule it is."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tonmeister.engines.textbook.expressions import ANY, TRUTH, Expression, parse, unit_of
from tonmeister.engines.textbook.measures import NAMES
from tonmeister.engines.textbook.parameters import PARAMETERS, PROCESSORS
from tonmeister.engines.textbook.records import EVIDENCE, PROFILES, STAGES, TAGS, TIMES, Action, Finding, Rule
from tonmeister.engines.textbook.words import WORDS
from tonmeister.errors import BadInputError, nearest
from tonmeister.vocabulary import LEVEL_WORDS, ROLES

__all__ = ["Default", "Defaults", "read"]

Default = tuple[Expression, str, str]
"""Value, source, evidence."""
Defaults = Mapping[str, Default]
"""Parameter -> what stands in where no rule says it."""

_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "set": ("to", "time", "spread", "part", "shape", "frequency_hz", "q"),
    "offset": ("by",),
    "pan": ("mode", "width"),
    "word": ("amount",),
    "route": (),
    "role": (),
    "bypass": (),
}
PAN_MODES: Final = ("fixed", "place", "side", "spread", "keep")


def read(text: str, origin: str) -> tuple[tuple[Rule, ...], Defaults, list[Finding]]:
    """The rules that are in order, sorted by rank; the defaults; and a finding for each mistake."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"{origin} is not valid TOML: {error}") from None
    findings = _check_head(data)
    rules: list[Rule] = []
    for position, record in enumerate(data.get("rule", [])):
        try:
            rules.append(_rule(record, position))
        except BadInputError as error:
            name = (
                str(record.get("id", f"rule {position + 1}")) if isinstance(record, dict) else str(position)
            )
            findings.append(Finding("error", name, str(error)))
    findings += _duplicates(rules)
    defaults: dict[str, Default] = {}
    for name, record in data.get("defaults", {}).items():
        try:
            defaults[name] = _default(name, record)
        except BadInputError as error:
            findings.append(Finding("error", f"defaults.{name}", str(error)))
    return tuple(sorted(rules, key=lambda r: r.rank)), defaults, findings


def _check_head(data: Mapping[str, Any]) -> list[Finding]:
    known = ["meta", "rule", "defaults"]
    findings = [
        Finding("error", key, f"is not known{nearest(key, known)}") for key in data if key not in known
    ]
    schema = data.get("meta", {}).get("schema", 1)
    if schema != 1:
        findings.append(Finding("error", "meta", f"schema={schema!r} is not supported: this version reads 1"))
    return findings


def _duplicates(rules: Iterable[Rule]) -> list[Finding]:
    counts = Counter(rule.id for rule in rules)
    return [Finding("error", name, f"this id is used {n} times") for name, n in counts.items() if n > 1]


_KEYS: Final = (
    "id", "source", "evidence", "stage", "tags", "when", "do", "comment", "profiles", "use", "disputed",
)  # fmt: skip


def _rule(record: Any, position: int) -> Rule:
    if not isinstance(record, dict):
        raise BadInputError("a rule is a table")
    for key in record:
        _one_of("key", key, _KEYS)
    if record.get("use", "ship") != "ship":
        raise BadInputError(f"use={record['use']!r}: only numbers that may be shipped belong here")
    return Rule(
        id=_text(record, "id"),
        source=_text(record, "source"),
        evidence=_one_of("evidence", _text(record, "evidence"), EVIDENCE),
        stage=_one_of("stage", _text(record, "stage"), STAGES),
        comment=_text(record, "comment"),
        tags=_tags(record.get("tags", {})),
        when=tuple(_test(text) for text in _list(record, "when")),
        do=tuple(_action(action) for action in _list(record, "do")),
        profiles=tuple(_one_of("profile", p, PROFILES) for p in record.get("profiles", PROFILES)),
        disputed=bool(record.get("disputed", False)),
        position=position,
    )


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{key} is missing: every rule says {key}")
    return value


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key, [])
    if not isinstance(value, list):
        raise BadInputError(f"{key}={value!r} should be a list")
    return value


def _one_of(what: str, word: str, known: Iterable[str]) -> str:
    words = list(known)
    if word not in words:
        raise BadInputError(f"{what}={word!r} is not known{nearest(str(word), words)}")
    return word


def _tags(data: Any) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        raise BadInputError(f"tags={data!r} should be a table of lists")
    for key in data:
        _one_of("tag list", key, TAGS)
    tags = {key: tuple(_list(data, key)) for key in TAGS}
    for key, words in tags.items():
        for word in words:
            _one_of(key, word, TAGS[key] or (word,))
    return tags


def _test(text: Any) -> Expression:
    expression = parse(str(text), NAMES)
    if expression.unit != TRUTH:
        raise BadInputError(f"when={text!r} is not a test: compare it with something")
    return expression


def _default(name: str, record: Any) -> Default:
    _one_of("parameter", name, PARAMETERS)
    if not isinstance(record, dict):
        raise BadInputError("a default is a table with to, source and evidence")
    return (
        _amount(name, record.get("to")),
        _text(record, "source"),
        _one_of("evidence", _text(record, "evidence"), EVIDENCE),
    )


def _amount(parameter: str, text: Any) -> Expression:
    if not isinstance(text, (str, int, float)) or isinstance(text, bool):
        raise BadInputError(f"{parameter} needs a value: to = '...'")
    expression = parse(str(text), NAMES)
    wanted = unit_of(parameter)
    if expression.unit not in (ANY, wanted):
        shown = {TRUTH: "a test", "": "a ratio"}.get(expression.unit, expression.unit)
        raise BadInputError(
            f"{parameter} cannot be set to {expression.text!r}: that is {shown}, not {wanted or 'a ratio'}"
        )
    return expression


def _action(data: Any) -> Action:
    verbs = [key for key in data if key in _VERBS] if isinstance(data, dict) else []
    if len(verbs) != 1:
        raise BadInputError(f"do={data!r} needs exactly one verb of {', '.join(_VERBS)}")
    verb = verbs[0]
    for key in data:
        if key != verb:
            _one_of(f"key of {verb}", key, _VERBS[verb])
    return _READERS[verb](str(data[verb]), {k: v for k, v in data.items() if k != verb})


def _read_set(parameter: str, rest: Mapping[str, Any]) -> Action:
    _one_of("parameter", parameter, PARAMETERS)
    time = _one_of("time", str(rest.get("time", "tau")), TIMES)
    details = {k: v for k, v in rest.items() if k not in ("to", "time")}
    if parameter == "equalizer.section_db" and not {"shape", "frequency_hz"} <= set(details):
        raise BadInputError("equalizer.section_db needs shape, frequency_hz and (for a peak) q")
    if "shape" in details:
        _one_of("shape", str(details["shape"]), ("peak", "low_shelf", "high_shelf"))
    return Action("set", parameter, _amount(parameter, rest.get("to")), time=time, details=details)


def _read_offset(target: str, rest: Mapping[str, Any]) -> Action:
    _one_of("target of offset", target, ("gain_db",))
    return Action("offset", target, level_db=_level(rest.get("by", "default")))


def _read_pan(position: str, rest: Mapping[str, Any]) -> Action:
    mode = _one_of("mode", str(rest.get("mode", "place")), PAN_MODES)
    amount = _amount("pan.position", position)
    return Action("pan", "pan", amount, details={"mode": mode, "width": float(rest.get("width", 0.0))})


def _read_word(word: str, rest: Mapping[str, Any]) -> Action:
    _one_of("word", word, WORDS)
    return Action("word", word, level_db=_level(rest.get("amount", "default")))


def _read_route(bus: str, rest: Mapping[str, Any]) -> Action:
    return Action("route", bus)


def _read_role(role: str, rest: Mapping[str, Any]) -> Action:
    return Action("role", _one_of("role", role, ROLES))


def _read_bypass(processor: str, rest: Mapping[str, Any]) -> Action:
    return Action("bypass", _one_of("processor", processor, PROCESSORS))


_READERS: Final = {
    "set": _read_set,
    "offset": _read_offset,
    "pan": _read_pan,
    "word": _read_word,
    "route": _read_route,
    "role": _read_role,
    "bypass": _read_bypass,
}


def _level(amount: Any) -> float:
    """Decibels of ``default``, ``-little``, ``lot``, or of a plain number."""
    if isinstance(amount, (int, float)):
        return float(amount)
    sign, word = (-1.0, amount[1:]) if str(amount).startswith("-") else (1.0, str(amount))
    if word in LEVEL_WORDS:
        return sign * LEVEL_WORDS[word]
    raise BadInputError(f"amount={amount!r} is not known: give {', '.join(LEVEL_WORDS)}, or a number of dB")
