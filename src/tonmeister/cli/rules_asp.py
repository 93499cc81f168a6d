"""``tonmeister rules asp``: the rules of the answer-set engine, and whether they hold in a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.asp.checker import Finding
    from tonmeister.engines.asp.knowledge import KnownRule

__all__ = ["command"]


@click.command(
    "asp",
    epilog=given.examples(
        "tonmeister rules asp",
        "tonmeister rules asp --check song.plan.json song/",
        "tonmeister rules asp --check song.plan.json song/ --strict",
    ),
)
@click.option(
    "--check", "checked", nargs=2, metavar="PLAN.json FOLDER",
    type=(given.existing_file, click.Path(exists=True, file_okay=False, path_type=Path)),
    help="Say which rules hold in this plan of the tracks in FOLDER, whoever made it.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="With --check: end with exit code 1 when a hard rule is broken.")
@given.recursive_option
@given.threads_option
@given.common
def command(
    checked: tuple[Path, Path] | None,
    strict: bool,
    recursive: bool,
    threads: int | None,
    settings: dict[str, Any],
) -> int:
    """List the rules: what each says, what it costs, where it comes from.

    A hard rule is never broken by the engine asp; a preference costs something, and the highest priority counts
    first. With --check, any plan is held against them: of this engine, of another, of a person.
    """
    from tonmeister.cli.screen import Screen

    screen = Screen.of(settings)
    if checked is None:
        _list(screen)
        return 0
    findings = _findings(*checked, recursive=recursive, threads=threads)
    _report(screen, checked[0], findings)
    broken = any(f.rule.hard and f.holds is False for f in findings)
    return 1 if strict and broken else 0


def _list(screen: Screen) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.engines.asp.knowledge import known_rules

    rules = list(known_rules().values())
    rows = [(r.name, r.about, _cost(r), r.says, f"{r.source} [{r.evidence}]") for r in rules]
    screen.show(table(("rule", "about", "cost", "says", "source"), rows))
    if screen.as_json:
        screen.json({"rules": [_rule_to_dict(r) for r in rules]})


def _cost(rule: KnownRule) -> str:
    return "hard" if rule.hard else f"{rule.cost} at priority {rule.priority}"


def _rule_to_dict(rule: KnownRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "about": rule.about,
        "hard": rule.hard,
        "priority": None if rule.hard else rule.priority,
        "cost": None if rule.hard else rule.cost,
        "says": rule.says,
        "source": rule.source,
        "evidence": rule.evidence,
        "relax": rule.relax,
        "file": rule.file,
    }


def _findings(plan: Path, folder: Path, *, recursive: bool, threads: int | None) -> Sequence[Finding]:
    from tonmeister.analysis import analyze
    from tonmeister.engines.asp.judging import judge
    from tonmeister.loading import load_multitrack
    from tonmeister.plan_file import load_plan

    loaded, multitrack = load_plan(plan), load_multitrack(folder, recursive=recursive)
    return judge(multitrack, analyze(multitrack, threads=threads), loaded)


def _report(screen: Screen, plan: Path, findings: Sequence[Finding]) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.engines.asp.checker import costs

    rows = [(f.rule.name, _verdict(f), f.rule.says, "; ".join(f.details[:4])) for f in findings]
    screen.show(table(("rule", "holds", "says", "who"), rows), "")
    total = costs(list(findings))
    hard = [f for f in findings if f.rule.hard]
    broken = [f.rule.name for f in hard if f.holds is False]
    priced = ", ".join(f"{cost} at priority {priority}" for priority, cost in total.items())
    screen.show(f"{len(broken)} of {len(hard)} hard rules broken; preferences cost {priced}.")
    if screen.as_json:
        screen.json(
            {
                "plan": plan,
                "broken": broken,
                "costs": total,
                "findings": [_finding_to_dict(f) for f in findings],
            }
        )


def _verdict(finding: Finding) -> str:
    if finding.holds is None:
        return "-"
    if finding.rule.hard:
        return "yes" if finding.holds else "NO"
    return "yes" if finding.holds else f"costs {finding.cost}"


def _finding_to_dict(finding: Finding) -> dict[str, Any]:
    return {
        **_rule_to_dict(finding.rule),
        "holds": finding.holds,
        "price": None if finding.rule.hard else finding.cost,
        "details": list(finding.details),
    }
