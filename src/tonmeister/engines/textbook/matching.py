"""Which rules speak about a track or bus, in which order, and what they leave behind.

A rule fires for a subject whose tags satisfy each of its non-empty tag lists and for which all its tests are
true. A test that reads something unmeasured is neither true nor false: the rule stays silent, and the log
names what was missing. Rules are applied from the general to the particular; a later setting of one parameter
overrides an earlier one and the log keeps the loser, while level offsets and EQ sections add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from tonmeister.engines.textbook.expressions import Lookup, Unknown
from tonmeister.engines.textbook.numbers import number
from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.rules import TIMES, Action, Rule, RuleSet
from tonmeister.vocabulary import is_a

__all__ = ["Entry", "Offset", "Setting", "Settings", "Subject", "Tone", "apply_rules"]

FIRED: Final = "fired"
PASSED: Final = "passed"


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules are matched against: a track, the drum bus, or the master."""

    name: str
    tags: Mapping[str, frozenset[str]]
    lookup: Lookup
    confidence: float = 1.0
    """How sure the tags are."""

    @property
    def sureness(self) -> float:
        """How much of a move doubtful tags leave: all of it from `tags.sure` upward."""
        return min(1.0, self.confidence / number("tags.sure"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log: what became of a rule for a subject.

    `state` is ``fired``, ``not needed`` (a test was false), ``unknown`` (something was not measured),
    ``overridden``, ``clipped``, or ``passed`` (a guard that found nothing to stop).
    """

    subject: str
    rule: str
    state: str
    text: str
    about: tuple[str, ...] = ()
    """The processors the rule speaks about."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value for one parameter, and the rule that gave it."""

    value: float
    rule: Rule
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offset:
    """A step of level, and the rule that asked for it."""

    level_db: float
    rule: Rule


@dataclass(frozen=True, slots=True)
class Tone:
    """One EQ move: `word` (a band by name) or `shape`, `frequency_hz` and `q`."""

    gain_db: float
    rule: Rule
    word: str = ""
    shape: str = "peak"
    frequency_hz: float = 0.0
    q: float = 0.0


@dataclass(frozen=True)
class Settings:
    """All that the rules of one stage say about one subject."""

    values: Mapping[str, Setting] = field(default_factory=dict)
    offsets: tuple[Offset, ...] = ()
    tones: tuple[Tone, ...] = ()
    pan: Setting | None = None
    route: tuple[str, Rule] | None = None
    role: tuple[str, Rule] | None = None
    bypassed: Mapping[str, Rule] = field(default_factory=dict)
    fired: tuple[Rule, ...] = ()
    log: tuple[Entry, ...] = ()

    def of(self, processor: str) -> Mapping[str, Setting]:
        """The settings of one processor, by the parameter's name within it."""
        head = f"{processor}."
        return {name[len(head) :]: s for name, s in self.values.items() if name.startswith(head)}

    def notes(self, processor: str = "") -> tuple[str, ...]:
        """What the log holds beside what fired (about one processor), in words."""
        entries = (
            e for e in self.log if e.state not in (FIRED, PASSED) and (not processor or processor in e.about)
        )
        return tuple(e.text for e in entries)


def apply_rules(
    rules: RuleSet, stage: str, subject: Subject, *, profile: str, jarp: bool = False
) -> Settings:
    """Let the rules of a stage speak about a subject."""
    if rules.judge is not None:
        return cast(Settings, rules.judge(stage, subject))
    collected = _Collected(subject)
    for rule in rules.in_stage(stage):
        if rule.disputed or profile not in rule.profiles or not _tags_match(rule, subject):
            continue
        if (held_back := _held_back(rule, subject)) is not None:
            collected.log.append(held_back)
            continue
        collected.fire(rule)
    return collected.settings()


def _tags_match(rule: Rule, subject: Subject) -> bool:
    return all(_satisfied(key, words, subject.tags.get(key)) for key, words in rule.tags.items() if words)


def _satisfied(key: str, words: Iterable[str], present: frozenset[str] | None) -> bool:
    if key == "processor":  # says what the rule is about, not for whom it is
        return present is None or all(word in present for word in words)
    if key == "instrument":
        return any(is_a(own, word) for own in present or () for word in words)
    return any(word in (present or ()) for word in words)


def _held_back(rule: Rule, subject: Subject) -> Entry | None:
    """The reason why a rule for this subject does not fire, or None."""
    missing: frozenset[str] = frozenset()
    for test in rule.when:
        value = test.evaluate(subject.lookup)
        if isinstance(value, Unknown):
            missing |= value.missing
        elif not value:
            guard = all(action.verb == "bypass" for action in rule.do)
            state = PASSED if guard else "not needed"
            return _entry(subject, rule, state, f"considered, not needed ({test.text} is false)")
    for action in rule.do:
        value = action.amount.evaluate(subject.lookup) if action.amount else 0.0
        missing |= value.missing if isinstance(value, Unknown) else frozenset()
    if not missing:
        return None
    return _entry(subject, rule, "unknown", f"not applied, {', '.join(sorted(missing))} is not known")


def _entry(subject: Subject, rule: Rule, state: str, text: str) -> Entry:
    return Entry(subject.name, rule.id, state, f"{rule.id}: {text}", rule.tags["processor"])


class _Collected:
    """What the fired rules have said so far."""

    def __init__(self, subject: Subject) -> None:
        self.log: list[Entry] = []
        self._subject = subject
        self._values: dict[str, Setting] = {}
        self._offsets: list[Offset] = []
        self._tones: list[Tone] = []
        self._single: dict[str, Setting] = {}
        self._words: dict[str, tuple[str, Rule]] = {}
        self._bypassed: dict[str, Rule] = {}
        self._fired: list[Rule] = []

    def fire(self, rule: Rule) -> None:
        """Do what the rule says."""
        self._fired.append(rule)
        self._note(rule, FIRED, f"{rule.id}: {rule.comment}")
        for action in rule.do:
            getattr(self, f"_{action.verb}")(rule, action)

    def settings(self) -> Settings:
        """The outcome."""
        return Settings(
            self._values, tuple(self._offsets), tuple(self._tones), self._single.get("pan"),
            self._words.get("route"), self._words.get("role"), self._bypassed, tuple(self._fired), tuple(self.log),
        )  # fmt: skip

    def _note(self, rule: Rule, state: str, text: str) -> None:
        self.log.append(Entry(self._subject.name, rule.id, state, text, rule.tags["processor"]))

    def _value(self, rule: Rule, action: Action) -> float:
        """The action's amount, brought to the renderer's definition of time and into its range."""
        value = action.amount.evaluate(self._subject.lookup) if action.amount else 0.0
        assert not isinstance(value, Unknown)  # `_held_back` has looked
        wanted = float(value) * TIMES[action.time]
        allowed = PARAMETERS.get(action.target) or PARAMETERS["pan.position"]
        if (clipped := allowed.clip(wanted)) != wanted:
            self._note(rule, "clipped", f"{action.target}: {wanted:.4g} clipped to {clipped:.4g} ({rule.id})")
        return clipped

    def _set(self, rule: Rule, action: Action) -> None:
        value = self._value(rule, action)
        if action.target == "equalizer.section_db":
            details = action.details
            q = float(details.get("q", 0.7071))
            shape, frequency_hz = str(details["shape"]), float(details["frequency_hz"])
            self._tones.append(Tone(value, rule, shape=shape, frequency_hz=frequency_hz, q=q))
            return
        self._override(self._values, action.target, Setting(value, rule, action.details))

    def _override(self, held: dict[str, Setting], target: str, setting: Setting) -> None:
        if (loser := held.get(target)) is not None:
            text = f"{target}: {loser.value:.4g} of {loser.rule.id} overridden by {setting.rule.id}"
            self._note(loser.rule, "overridden", text)
        held[target] = setting

    def _offset(self, rule: Rule, action: Action) -> None:
        self._offsets.append(Offset(action.level_db, rule))

    def _pan(self, rule: Rule, action: Action) -> None:
        setting = Setting(self._value(rule, replace(action, target="pan.position")), rule, action.details)
        self._override(self._single, "pan", setting)

    def _word(self, rule: Rule, action: Action) -> None:
        self._tones.append(Tone(action.level_db, rule, word=action.target))

    def _route(self, rule: Rule, action: Action) -> None:
        self._words["route"] = (action.target, rule)

    def _role(self, rule: Rule, action: Action) -> None:
        self._words["role"] = (action.target, rule)

    def _bypass(self, rule: Rule, action: Action) -> None:
        self._bypassed[action.target] = rule
