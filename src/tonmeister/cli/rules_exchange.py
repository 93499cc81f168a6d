"""What `rules export` and `rules import` have in common: the report, and where the result goes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonmeister.errors import OutputError, TonmeisterError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.exchange.report import Exchanged

__all__ = ["deliver", "refuse_existing"]


def refuse_existing(output: Path | None, *, overwrite: bool) -> None:
    """Say before any work that a file would be overwritten."""
    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output} is already there: choose another name or add --overwrite")


def deliver(screen: Screen, text: str, output: Path | None, outcome: Exchanged[Any]) -> int:
    """Write the text (to stdout without an output), and say which rules are in it and which are not."""
    if not outcome.kept:
        reasons = "; ".join(f"{left.rule}: {left.reason}" for left in outcome.left_out[:3])
        raise TonmeisterError(
            f"none of the rules can be said in that language ({reasons or 'there are none'})"
        )
    if output is not None:
        _write(output, text)
    elif not screen.as_json:
        sys.stdout.write(text)
    _report(screen, output, outcome)
    if screen.as_json:
        screen.json(
            {
                "output": output,
                "kept": list(outcome.kept),
                "left_out": [{"rule": left.rule, "reason": left.reason} for left in outcome.left_out],
                **({} if output is not None else {"text": text}),
            }
        )
    return 0


def _write(output: Path, text: str) -> None:
    partial = output.with_name(f".{output.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{output} cannot be written: {error.strerror or error}") from None


def _report(screen: Screen, output: Path | None, outcome: Exchanged[Any]) -> None:
    total = len(outcome.kept) + len(outcome.left_out)
    where = f" in {output}" if output else ""
    by_reason: dict[str, list[str]] = {}
    for left in outcome.left_out:
        by_reason.setdefault(left.reason, []).append(left.rule)
    for reason, rules in by_reason.items():
        screen.say(f"left out {', '.join(rules)}: {reason}")
    screen.say(f"{len(outcome.kept)} of {total} rules{where}.")
