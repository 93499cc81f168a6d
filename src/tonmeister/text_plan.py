"""A plan as a sheet to work from at the desk: one block per strip, then what was said about the mix, then the rules.

The order is that of the plan, so that two plans of one song can be compared line by line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from tonmeister.decisions import Reason
from tonmeister.effects.base import Parameters
from tonmeister.errors import BadInputError, OutputError
from tonmeister.explanation import StripStory, effect_text, explain, level_text, placed_text, what_text
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, Insert

__all__ = ["text_plan", "write_text_plan"]

_NAME_WIDTH = 28


def text_plan(plan: MixPlan) -> str:
    """The whole sheet."""
    return "\n".join(_line(line) for line in _lines(plan)) + "\n"


def write_text_plan(plan: MixPlan, path: Path, *, overwrite: bool = False) -> None:
    """Write the sheet; an existing file is replaced only when asked to."""
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text_plan(plan), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}: give another place") from None
    finally:
        temporary.unlink(missing_ok=True)


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _lines(plan: MixPlan) -> Iterator[str]:
    stories = explain(plan)
    yield f"{plan.title}: engine {plan.engine or 'none'}, {len(plan.tracks)} tracks, seed {plan.seed}"
    for number, story in enumerate(stories, 1):
        yield ""
        yield from _block(number, story)
    yield from _said(plan)
    yield from _rules(stories)


def _block(number: int, story: StripStory) -> Iterator[str]:
    strip = story.strip
    yield f"{number:3d} {strip.name:<{_NAME_WIDTH}} {what_text(strip, story.record)}"
    level = level_text(strip) if strip.muted else f"{level_text(strip)} dB"
    yield f"    level   {level:<16} pan {placed_text(strip)}"
    for insert in strip.inserts:
        yield from _insert(insert)
    for send in strip.sends:
        yield f"    send    {send.gain_db:+.1f} dB to {send.to}{', before the fader' if send.pre_fader else ''}"
    if strip.delay_ms or strip.polarity_inverted:
        yield f"    timing  {strip.delay_ms:.2f} ms{', polarity inverted' if strip.polarity_inverted else ''}"
    if strip.output not in ("", MASTER):
        yield f"    output  {strip.output}"
    if names := _names(story):
        yield f"    rules   {', '.join(names)}"


def _insert(insert: Insert) -> Iterator[str]:
    values: dict[str, Any] = cast(Parameters, insert.effect).to_dict()
    if insert.effect.kind != "equalizer":
        yield f"    insert  {effect_text(insert.effect)}"
        return
    for section in values["sections"]:
        yield f"    eq      {_section(section)}"


def _section(section: dict[str, Any]) -> str:
    where, q = f"{section['frequency_hz']:.0f} Hz", f"Q {section['q']:.2f}"
    shape = str(section["shape"])
    if shape not in ("peak", "low_shelf", "high_shelf"):
        return f"{shape.replace('_', ' ')} {where} {q}"
    verb = "cut" if section["gain_db"] < 0 else "boost"
    how = "" if shape == "peak" else f" {shape.replace('_', ' ')}"
    return f"{verb}{how} {where} {abs(section['gain_db']):.1f} dB {q}"


def _said(plan: MixPlan) -> Iterator[str]:
    """What was said about the mix as a whole: on the master, and on loading."""
    standing = [e.decision.reason for e in plan.reasons(MASTER) if not e.overruled and e.decision.reason.text]
    told = [line for reason in standing for line in (reason.text, *reason.notes)]
    lines = list(dict.fromkeys((*told, *plan.notes)))
    if lines:
        yield ""
        yield from (f"- {line}" for line in lines)


def _names(story: StripStory) -> list[str]:
    """The rules that spoke about a strip, in the order of its moves."""
    return list(dict.fromkeys(n for move in story.standing for n, _ in _told(move.decision.reason)))


def _rules(stories: list[StripStory]) -> Iterator[str]:
    """Every rule that spoke, with its sentence (or source)."""
    told = dict(pair for s in stories for move in s.standing for pair in _told(move.decision.reason))
    if told:
        yield ""
        yield "Rules"
        yield from (f"  {name}: {text}" if text else f"  {name}" for name, text in told.items())


def _told(reason: Reason) -> Iterator[tuple[str, str]]:
    """(rule, sentence or source); an identifier may join several rules by +, its notes then say each."""
    if "+" not in reason.rule and not any(n.startswith(f"{_last(reason.rule)}: ") for n in reason.notes):
        if reason.rule:
            yield reason.rule, reason.source
        return
    engine, _, names = reason.rule.rpartition(".")
    for name in names.split("+"):
        said = next(
            (n.removeprefix(f"{name}: ") for n in reason.notes if n.startswith(f"{name}: ")), reason.source
        )
        yield f"{engine}.{name}" if engine else name, said


def _last(rule: str) -> str:
    return rule.rpartition(".")[2]
