"""Rules as records: read from a rule file, checked when loaded, linted on request.

A rule says for whom it is (`tags`), when it applies (`when`), what it does (`do`), why (`comment`), and where
that comes from (`source`, `evidence`). See `rules.toml` for the shipped set.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.textbook.expressions import ANY, TRUTH, Expression, parse, unit_of
from tonmeister.engines.textbook.measures import NAMES
from tonmeister.engines.textbook.parameters import PARAMETERS, PROCESSORS
from tonmeister.errors import BadInputError, nearest
from tonmeister.vocabulary import INSTRUMENTS, LEVEL_WORDS, ROLES, is_a, parents

__all__ = ["EVIDENCE", "PROFILES", "STAGES", "Action", "Finding", "Rule", "RuleSet", "rule_table"]

STAGES: Final = ("tags", "high_pass", "dynamics", "tone", "balance", "pan", "drum_bus", "mix_bus", "space")
"""The order in which a mix is decided."""

EVIDENCE: Final[Mapping[str, float]] = {
    "P": 0.9, "C": 0.9, "Pa": 0.7, "S": 0.7, "M": 0.8, "R": 0.5, "R?": 0.4,
}  # fmt: skip
"""Grade -> confidence: paper, code, abstract, secondary, measured, reconstruction, unchecked recollection."""

PROFILES: Final = ("improved", "faithful")
SECTIONS: Final = ("single", "several")
TAGS: Final[Mapping[str, tuple[str, ...] | None]] = {
    "instrument": INSTRUMENTS,
    "role": ROLES,
    "genre": None,
    "kind": None,
    "section": SECTIONS,
    "processor": PROCESSORS,
}
"""Tag lists a rule may have, and the closed list of words of each (None: any word)."""

TIMES: Final[Mapping[str, float]] = {"tau": 1.0, "63": 1.0, "10-90": 1.0 / 2.2}
"""Definition of a time constant -> factor to tau. The 10 to 90 % time of a one-pole smoother is ln 9 = 2.2 tau."""

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


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a rule does: a verb, what it is done to, and how much."""

    verb: str
    target: str
    amount: Expression | None = None
    """Value of ``set`` (in the parameter's unit) or position of ``pan``."""
    level_db: float = 0.0
    """Decibels of ``offset`` and ``word``."""
    time: str = "tau"
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of mixing knowledge with its source."""

    id: str
    source: str
    evidence: str
    stage: str
    comment: str
    tags: Mapping[str, tuple[str, ...]]
    when: tuple[Expression, ...]
    do: tuple[Action, ...]
    profiles: tuple[str, ...] = PROFILES
    disputed: bool = False
    """Contradicted by later studies: shipped for the record, off."""
    position: int = 0

    @property
    def confidence(self) -> float:
        """How far the grade of the evidence carries, 0 to 1."""
        return EVIDENCE[self.evidence]

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Sort key: stage, number of tag lists, depth of the instrument, position in the file."""
        depth = max((len(parents(i)) for i in self.tags["instrument"]), default=0)
        named = sum(1 for key, words in self.tags.items() if words and key != "processor")
        return STAGES.index(self.stage), named + bool(self.tags["processor"]), depth, self.position

    @property
    def reads(self) -> frozenset[str]:
        """Every measured name the rule reads."""
        expressions = [*self.when, *(a.amount for a in self.do if a.amount is not None)]
        return frozenset().union(*(e.reads for e in expressions))

    @property
    def targets(self) -> frozenset[str]:
        """What its ``set`` actions decide alone (EQ sections add up and are not among them)."""
        return frozenset(a.target for a in self.do if a.verb == "set" and a.target != "equalizer.section_db")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `RuleSet.check` noticed: an ``error`` (the file does not load) or a ``note``."""

    severity: str
    rule: str
    text: str


@dataclass(frozen=True)
class RuleSet:
    """Rules in the order in which they are applied, and the defaults for what they leave out."""

    rules: tuple[Rule, ...]
    defaults: Mapping[str, tuple[Expression, str, str]]
    """Parameter -> (value, source, evidence)."""
    origin: str = "rules"
    digest: str = ""

    @classmethod
    def load(cls, path: Path) -> RuleSet:
        """Read a rule file; the first mistake is a `BadInputError` that names file and rule."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"), origin=path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"rules={str(path)!r} cannot be read: {error}") from None

    @classmethod
    def parse(cls, text: str, *, origin: str = "rules") -> RuleSet:
        """Read the text of a rule file."""
        rules, findings = _read(text, origin)
        if findings:
            more = f" (and {len(findings) - 1} more; run the check)" if len(findings) > 1 else ""
            raise BadInputError(f"{origin}: {findings[0].rule}: {findings[0].text}{more}")
        return rules

    @classmethod
    def shipped(cls) -> RuleSet:
        """The rule set that comes with the package."""
        return _shipped()

    def check(self) -> list[Finding]:
        """What a careful reader would ask about: shadowed rules, and parameters that nobody sets."""
        return [*self._shadowed(), *self._never_set()]

    def in_stage(self, stage: str) -> Iterable[Rule]:
        """The rules of one stage, in order."""
        return (rule for rule in self.rules if rule.stage == stage)

    def without(self, unwanted: Iterable[str]) -> RuleSet:
        """The set less the rules whose id or grade is, or whose source contains, one of `unwanted`."""
        words = [word.strip() for word in unwanted if word.strip()]
        kept = tuple(rule for rule in self.rules if not any(_concerns(rule, word) for word in words))
        return RuleSet(kept, self.defaults, self.origin, self.digest)

    def _shadowed(self) -> list[Finding]:
        pairs = ((a, b) for i, a in enumerate(self.rules) for b in self.rules[i + 1 :])
        return [
            Finding("note", a.id, f"never heard: {b.id} always overrides it")
            for a, b in pairs
            if _covers(b, a)
        ]

    def _never_set(self) -> list[Finding]:
        used = {a.target for rule in self.rules for a in rule.do} | set(self.defaults) | {"pan.position"}
        return [Finding("note", "-", f"no rule sets {name}") for name in PARAMETERS if name not in used]


def check_text(text: str, *, origin: str = "rules") -> list[Finding]:
    """All findings about the text of a rule file: every error, or the notes when there is none."""
    rules, errors = _read(text, origin)
    return errors or rules.check()


def rule_table(rules: RuleSet | None = None) -> list[dict[str, str]]:
    """The rule set as rows of words for a document, grouped by instrument: one row per rule."""
    rows = [_row(rule) for rule in (rules or RuleSet.shipped()).rules]
    return sorted(rows, key=lambda row: (row["instrument"], STAGES.index(row["stage"])))


def _row(rule: Rule) -> dict[str, str]:
    return {
        "instrument": ", ".join(rule.tags["instrument"]) or "any",
        "role": ", ".join(rule.tags["role"]) or "any",
        "stage": rule.stage,
        "rule": rule.id,
        "when": " and ".join(e.text for e in rule.when),
        "does": "; ".join(_in_words(action) for action in rule.do),
        "why": rule.comment,
        "source": rule.source,
        "evidence": rule.evidence,
        "profiles": ", ".join(rule.profiles) + (" (disputed, off)" if rule.disputed else ""),
    }


def _in_words(action: Action) -> str:
    if action.amount is not None and action.verb == "set":
        details = "".join(f", {key} {value}" for key, value in action.details.items())
        return f"{action.target} = {action.amount.text}{details}"
    if action.verb == "pan":
        return f"pan {action.details.get('mode')} {action.amount.text if action.amount else ''}".strip()
    return (
        f"{action.verb} {action.target} {action.level_db:+g} dB"
        if action.level_db
        else f"{action.verb} {action.target}"
    )


@cache
def _shipped() -> RuleSet:
    return RuleSet.load(Path(__file__).with_name("rules.toml"))


def _concerns(rule: Rule, word: str) -> bool:
    return word in (rule.id, rule.evidence) or (len(word) > 2 and word.casefold() in rule.source.casefold())


def _covers(later: Rule, earlier: Rule) -> bool:
    """Whether `later` fires whenever `earlier` does and sets all that it sets."""
    same = later.stage == earlier.stage and not later.when and set(earlier.profiles) <= set(later.profiles)
    only_sets = all(a.verb == "set" and a.target != "equalizer.section_db" for a in earlier.do)
    return (
        same and only_sets and not later.disputed and earlier.targets <= later.targets
        and all(_wider(key, later.tags[key], earlier.tags[key]) for key in TAGS)
    )  # fmt: skip


def _wider(key: str, wide: Sequence[str], narrow: Sequence[str]) -> bool:
    if not wide:
        return True
    if key == "instrument":
        return bool(narrow) and all(any(is_a(n, w) for w in wide) for n in narrow)
    return bool(narrow) and set(narrow) <= set(wide)


# Reading


def _read(text: str, origin: str) -> tuple[RuleSet, list[Finding]]:
    """The rules that are in order, and a finding for each that is not."""
    import hashlib

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
    defaults: dict[str, tuple[Expression, str, str]] = {}
    for name, record in data.get("defaults", {}).items():
        try:
            defaults[name] = _default(name, record)
        except BadInputError as error:
            findings.append(Finding("error", f"defaults.{name}", str(error)))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return RuleSet(tuple(sorted(rules, key=lambda r: r.rank)), defaults, origin, digest), findings


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


def _default(name: str, record: Any) -> tuple[Expression, str, str]:
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
    from tonmeister.engines.textbook.words import WORDS

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
