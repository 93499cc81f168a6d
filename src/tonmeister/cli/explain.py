"""``tonmeister explain``: the plan in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.lazy import postpone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonmeister.explanation import ExplainedMove, StripStory
    from tonmeister.plan import MixPlan

__all__ = ["command", "explanation_lines"]

_LINE = 100
"""Longer lines are hard to read."""


@click.command(
    "explain",
    epilog=given.examples(
        "tonmeister explain song.plan.json",
        "tonmeister explain song.plan.json --track 'Lead Vox' --all",
        "tonmeister explain song.plan.json --json > reasons.json",
    ),
)
@click.argument("plan", type=given.existing_file)
@click.option("--track", metavar="NAME", help="Just this track, bus or return.")
@click.option("--all", "everything", is_flag=True, help="Overruled moves with their reasons too.")
@given.common
def command(plan: Path, track: str | None, everything: bool, settings: dict[str, Any]) -> None:
    """Say what PLAN does to every strip, why, and where the knowledge comes from."""
    postpone("numpy")  # a plan is words and numbers; no audio is touched
    from tonmeister.cli.screen import Screen
    from tonmeister.explanation import explain, story_to_dict
    from tonmeister.plan_file import load_plan

    screen, loaded = Screen.of(settings), load_plan(plan)
    stories = _wanted(explain(loaded), track)
    if screen.as_json:
        header = {"title": loaded.title, "engine": loaded.engine, "seed": loaded.seed, "plan": plan}
        screen.json({**header, "strips": [story_to_dict(s) for s in stories], "notes": loaded.notes})
    else:
        _show(screen, loaded, stories, everything)


def _show(screen: Any, plan: MixPlan, stories: Sequence[StripStory], everything: bool) -> None:
    import sys

    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if screen.quiet:
        return
    console = screen.console(sys.stdout)
    lines: list[Padding | Text] = []
    for indent, line in explanation_lines(plan, stories, everything=everything):
        text = Text(line, style="" if indent else "bold")
        lines.append(Padding(text, (0, 0, 0, indent), expand=False) if line else text)
    # at once: each print looks at the terminal anew
    console.print(Group(*lines), width=min(console.width, _LINE))


def _wanted(stories: list[StripStory], track: str | None) -> list[StripStory]:
    if track is None:
        return stories
    chosen = [story for story in stories if story.strip.name.casefold() == track.casefold()]
    if not chosen:
        from tonmeister.errors import BadInputError, nearest

        names = [story.strip.name for story in stories]
        raise BadInputError(f"--track {track!r}: there is no such strip{nearest(track, names)}")
    return chosen


def explanation_lines(
    plan: MixPlan, stories: Sequence[StripStory], *, everything: bool = False
) -> Iterator[tuple[int, str]]:
    """Indented lines: a heading, then per strip every move that stands with its reason, then what was overruled."""
    from tonmeister.cli.screen import printable

    yield (
        0,
        printable(
            f"{plan.title}: engine {plan.engine or 'none'}, {len(plan.tracks)} tracks, seed {plan.seed}"
        ),
    )
    for story in stories:
        if not (story.standing or story.overruled):
            continue
        yield 0, ""
        yield 0, printable(_heading(story))
        for move in story.standing:
            yield from _lines(move, full=True)
        for move in story.overruled:
            yield from _lines(move, full=everything)


def _heading(story: StripStory) -> str:
    from tonmeister.explanation import what_text

    record = story.record
    sure = f" ({record.confidence:.0%} sure: {record.evidence})" if record else ""
    return f"{story.strip.name}: {what_text(story.strip, record)}{sure}"


def _lines(move: ExplainedMove, *, full: bool) -> Iterator[tuple[int, str]]:
    from tonmeister.cli.screen import printable

    reason = move.decision.reason
    overruled = f"overruled ({move.overruled}): " if move.overruled else ""
    yield 2, printable(f"{overruled}{move.text}")
    if not full:
        return
    if reason.text:
        yield 6, printable(reason.text)
    if facts := _facts(move):
        yield 6, printable(facts)
    for note in reason.notes:
        yield 6, printable(note)


def _facts(move: ExplainedMove) -> str:
    """Source, rule, evidence and confidence on one line; a person's own moves need none."""
    reason = move.decision.reason
    if move.decision.by == "user":
        return "by you"
    known = {"source": reason.source, "rule": reason.rule, "evidence": reason.evidence}
    parts = [f"by {move.decision.by}", *(f"{name}: {value}" for name, value in known.items() if value)]
    return "; ".join([*parts, f"confidence {reason.confidence:.0%}"])
