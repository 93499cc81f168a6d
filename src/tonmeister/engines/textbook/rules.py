"""Sets of rules: load, leave out, lint, and show as a table.

A rule says for whom it is (`tags`), when it applies (`when`), what it does (`do`), why (`comment`), and where
that comes from (`source`, `evidence`). See `rules.toml` for the shipped set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.reading import Defaults, read
from tonmeister.engines.textbook.records import EVIDENCE, PROFILES, STAGES, TAGS, TIMES, Action, Finding, Rule
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import is_a

__all__ = [
    "EVIDENCE", "PROFILES", "STAGES", "TIMES", "Action", "Finding", "Rule", "RuleSet", "check_text", "rule_table",
]  # fmt: skip


@dataclass(frozen=True)
class RuleSet:
    """Rules in the order in which they are applied, and the defaults for what they leave out."""

    rules: tuple[Rule, ...]
    defaults: Defaults
    origin: str = "rules"
    judge: Callable[[str, Any], Any] | None = None
    """Speaks instead of `matching.apply_rules`: (stage, Subject) -> Settings; for rules kept in another language."""

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
        rules, defaults, findings = read(text, origin)
        if findings:
            more = f" (and {len(findings) - 1} more; run the check)" if len(findings) > 1 else ""
            raise BadInputError(f"{origin}: {findings[0].rule}: {findings[0].text}{more}")
        return cls(rules, defaults, origin)

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
        return RuleSet(kept, self.defaults, self.origin)

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
    rules, defaults, errors = read(text, origin)
    return errors or RuleSet(rules, defaults, origin).check()


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
