"""``tonmeister rules check``: is a rule document in order, and what would a careful reader ask about it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "check",
    epilog=given.examples("tonmeister rules check my-rules.rif", "tonmeister rules check rules/ --json"),
)
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@given.common
def command(path: Path | None, settings: dict[str, Any]) -> int:
    """Check the rule document PATH, or all documents in a folder; without PATH the shipped library.

    Errors: what is malformed, unsafe, writes a feature, or runs in a circle. Notes: rules that cannot run here,
    contradictions at one priority, rules about nobody, missing sources. The exit code is 1 when there are errors.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.cli.tables import table
    from tonmeister.engines.semantic.checking import check_rules
    from tonmeister.engines.semantic.documents import load_rules

    screen = Screen.of(settings)
    findings = check_rules(path)
    errors = [f for f in findings if f.severity == "error"]
    count = 0 if errors else len(load_rules(path))
    if findings:
        screen.show(table(("", "rule", "what"), [(f.severity, _brief(f.rule), f.text) for f in findings]), "")
    notes = len(findings) - len(errors)
    screen.show(
        f"{len(errors)} errors, {notes} notes" + (f"; {count} rules in order." if not errors else ".")
    )
    if screen.as_json:
        found = [{"severity": f.severity, "rule": f.rule, "text": f.text} for f in findings]
        screen.json({"rules": count, "errors": len(errors), "findings": found})
    return 1 if errors else 0


def _brief(rule: str) -> str:
    return rule.rpartition("#")[2] or rule
