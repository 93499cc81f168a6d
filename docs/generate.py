"""Fills the generated parts of the documentation from the code, and draws its picture.

    python docs/generate.py              write every part anew
    python docs/generate.py --check      say which pages are out of date; exit code 1 when one is
    python docs/generate.py --pictures   draw docs/images/mix.png (needs the extra `plots`)

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; everything else on a page is written
by hand. `PARTS` says what each name stands for. A name may carry an argument: ``help mix``.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from inspect import getdoc, getsource
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent
PICTURE: Final = DOCS / "images" / "mix.png"
_PART: Final = re.compile(r"(<!-- generated: (?P<name>.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page of the documentation, the README first."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def filled(text: str) -> str:
    """A page with its generated parts made anew."""

    def part(match: re.Match[str]) -> str:
        name, _, argument = match["name"].partition(" ")
        body = PARTS[name](argument) if argument else PARTS[name]()
        return f"{match[1]}{body.strip()}\n{match[3]}"

    return _PART.sub(part, text)


def stale() -> dict[Path, str]:
    """Pages whose generated parts are not what the code says, with what they should be."""
    texts = {page: page.read_text("utf-8") for page in pages()}
    return {page: new for page, text in texts.items() if (new := filled(text)) != text}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"

    return "\n".join([line(columns), "|" + "---|" * len(columns), *map(line, rows)])


def attribute_docs(cls: type[Any]) -> dict[str, str]:
    """Field -> the string that follows it in the class; the class's own and its parents'."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("tonmeister"):
            body = ast.parse(dedent(getsource(base))).body[0]
            assert isinstance(body, ast.ClassDef)
            found |= dict(_documented(body.body))
    return found


def _documented(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, after in pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            yield statement.target.id, " ".join(after.value.value.split())


def _prose(text: str) -> str:
    """A docstring as Markdown: double backticks become single ones."""
    return text.replace("``", "`")


@cache
def meanings(table_name: str) -> dict[str, str]:
    """Meanings that docstrings leave to the name, from ``meanings.toml``: ``fields`` or ``parameters``."""
    found: dict[str, str] = tomllib.loads((DOCS / "meanings.toml").read_text("utf-8"))[table_name]
    return found


# ------------------------------------------------------------------ effects


def effects_part() -> str:
    """Every effect: what it does, its equation, its parameters."""
    from tonmeister.effects.base import effect_type
    from tonmeister.effects.registry import EFFECTS

    return "\n\n".join(_effect(effect_type(kind)) for kind in EFFECTS)


def _effect(cls: type[Any]) -> str:
    equation = (sys.modules[cls.__module__].__doc__ or "").strip().split("\n\n")[0]
    parts = [f"## {cls.kind}", _prose(getdoc(cls) or ""), f"> {' '.join(equation.split())}"]
    facts = []
    if cls.needs_stereo:
        facts.append("Works on two channels: a mono signal is doubled first.")
    if (latency := _latency_frames(cls)) > 0:
        facts.append(f"Latency: {latency} frames at 48 kHz; the renderer takes it out again.")
    rows = list(_parameters(cls))
    return "\n\n".join(
        [*parts, *facts, *([table(("parameter", "default", "range", "meaning"), rows)] if rows else [])]
    )


def _latency_frames(cls: type[Any]) -> int:
    processor = cls().processor()
    processor.prepare(48_000, 2, 64)
    return int(processor.latency_frames)


def _parameters(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    known, ranges = meanings("parameters"), cls.ranges()
    docs = known | attribute_docs(cls)
    for field in dataclasses.fields(cls):
        if field.name == "sections" and field.default == ():
            from tonmeister.effects.equalizer import MOST_SECTIONS, EqSection

            yield f"`{prefix}sections`", "none", f"at most {MOST_SECTIONS}", "A list of sections; of each:"
            yield from _parameters(EqSection, "sections[].")
            continue
        allowed = ranges.get(field.name)
        shown = str(allowed) if allowed is not None else _kind(field)
        yield (
            f"`{prefix}{field.name}`",
            _value(field.default),
            shown,
            _prose(docs.get(field.name) or known.get(f"{cls.kind}.{field.name}", "")),
        )


def _kind(field: dataclasses.Field[Any]) -> str:
    if field.name == "shape":
        from tonmeister.dsp.filter_design import SHAPES

        return ", ".join(SHAPES)
    return {"bool": "true or false", "int": "2 or 4"}.get(str(field.type), str(field.type))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# ------------------------------------------------------------------ features, measurements, plan


def features_part() -> str:
    """Every field of the features of a track, of a pair of microphones, of the song."""
    from tonmeister.features import CrossPower, MicrophonePair, MultitrackFeatures, TrackFeatures

    parts = []
    for cls, title in (
        (TrackFeatures, "Of one track"),
        (MultitrackFeatures, "Of the song"),
        (MicrophonePair, "Of two microphones of one source"),
        (CrossPower, "Of the pieces of a kit"),
    ):
        parts += [f"## {title}: `{cls.__name__}`", _prose(getdoc(cls) or ""), _fields(cls)]
    return "\n\n".join(parts)


def mix_measurement_part() -> str:
    """Every number measured on a finished mix."""
    from tonmeister.analysis.mix import MixMeasurement

    return _fields(MixMeasurement)


def fields_part(name: str) -> str:
    """The fields of a class of the plan, by its name."""
    from tonmeister import decisions, plan, strip

    cls = next(getattr(m, name) for m in (plan, strip, decisions) if hasattr(m, name))
    return _fields(cls)


def _fields(cls: type[Any]) -> str:
    docs = meanings("fields") | attribute_docs(cls)
    rows = [
        (f"`{f.name}`", _type(str(f.type)), _unit(f.name), _prose(docs.get(f.name, "")))
        for f in dataclasses.fields(cls)
    ]
    return table(("field", "type", "unit", "meaning"), rows)


def _type(text: str) -> str:
    words = {
        "FloatArray": "array",
        "DoubleArray": "array",
        "None": "nothing",
        "str": "text",
        "bool": "yes or no",
    }
    if text.startswith("np.ndarray"):
        return "array of yes or no"
    return re.sub(r"\w+", lambda m: words.get(m[0], m[0]), text).replace(" | ", " or ")


def _unit(name: str) -> str:
    from tonmeister.units import KNOWN_UNITS

    ends = sorted((e for e in KNOWN_UNITS if name.endswith(e)), key=len, reverse=True)
    if ends:
        return KNOWN_UNITS[ends[0]].split(" (")[0]
    return {"sample_rate": "hertz", "frames": "sample frames"}.get(name, "")


# ------------------------------------------------------------------ targets, words, rules, engines


def targets_part() -> str:
    """The named loudness targets."""
    from tonmeister.targets import DEFAULT_TARGET, targets

    grades = {"v": "checked", "s": "second-hand", "u": "unconfirmed"}
    rows = [
        (
            f"`{name}`" + (" (default)" if name == DEFAULT_TARGET else ""),
            f"{t.lufs:g}" if t.lufs is not None else "",
            f"{t.ceiling_dbtp:g} dBTP" if t.ceiling_dbtp is not None else _peak(t.peak_db),
            "; ".join(filter(None, (t.source, t.note))),
            grades[t.evidence],
        )
        for name, t in targets().items()
    ]
    return table(("target", "LUFS", "peak at most", "source", "evidence"), rows)


def _peak(peak_db: float | None) -> str:
    return f"{peak_db:g} dBFS (sample peak)" if peak_db is not None else ""


def instruments_part() -> str:
    """The tree of instruments, a line a family."""
    from tonmeister.vocabulary import FAMILIES, INSTRUMENTS, family

    rows = []
    for name in FAMILIES:
        members = [f"`{i}`" for i in INSTRUMENTS if family(i) == name and i != name]
        rows.append((f"`{name}`", ", ".join(members) or "(nothing below)"))
    return table(("family", "instruments in it"), rows)


def languages_part() -> str:
    """The languages whose words for instruments are known."""
    from importlib.resources import files

    data = tomllib.loads(files("tonmeister.naming").joinpath("tokens.toml").read_text("utf-8"))
    named = sorted(data["language_names"].values())
    return f"English, {', '.join(named[:-1])} and {named[-1]}."


def rules_part() -> str:
    """The rule table of the engine `textbook`."""
    from tonmeister.engines.textbook.rules import rule_table

    rows = [
        (
            f"`{row['rule']}`",
            row["instrument"] + (f" ({row['role']})" if row["role"] != "any" else ""),
            row["does"] + (f", when {row['when']}" if row["when"] else ""),
            row["why"],
            f"{row['source']} [{row['evidence']}]",
            row["profiles"].replace("improved, faithful", "both").replace("faithful, improved", "both"),
        )
        for row in rule_table()
    ]
    return table(("rule", "for", "does", "why", "source [grade]", "profile"), rows)


def asp_rules_part() -> str:
    """The rules of the engine `asp`."""
    from tonmeister.engines.asp.knowledge import known_rules

    rows = [
        (
            f"`{rule.name}`",
            rule.about,
            "hard" if rule.hard else f"{rule.cost} at priority {rule.priority}",
            rule.says,
            f"{rule.source} [{rule.evidence}]",
        )
        for rule in known_rules().values()
    ]
    return table(("rule", "about", "cost", "says", "source [grade]"), rows)


def expert_rules_part() -> str:
    """The rules of the engine `expert`; a rule for each state of a node that holds counts once."""
    from tonmeister.engines.expert.knowledge import knowledge

    rows = {}
    for rule in knowledge().model.rules:
        held = "/" in rule.id
        when = "; ".join(f"{node} {' or '.join(states)}" for node, states in rule.when.items()) or "always"
        name, where = rule.id.partition("/")[0], "each state of the slice before" if held else when
        row = (
            f"`{name}`",
            where,
            rule.then,
            f"{rule.strength:g}",
            rule.text,
            f"{rule.source} [{rule.grade}]",
        )
        rows.setdefault(name, row)
    return table(("rule", "when", "about", "nats", "says", "source [grade]"), list(rows.values()))


def numbers_part() -> str:
    """The engine's numbers that are not rules."""
    from tonmeister.engines.textbook.numbers import numbers

    rows = [(f"`{n}`", f"{v.value:g}", v.unit, f"{v.source} [{v.evidence}]") for n, v in numbers().items()]
    return table(("number", "value", "unit", "source [grade]"), rows)


def engines_part() -> str:
    """Engines and their options."""
    from tonmeister.engines.base import ENGINES, option_help

    parts = []
    for name, info in ENGINES.items():
        parts.append(f"### {name}\n\n{info.summary[0].upper()}{info.summary[1:]}. Source: {info.source}.")
        if options := option_help(name):
            parts.append(
                table(
                    ("option", "default", "meaning"),
                    [(f"`{o}`", f"`{d}`" if d else "", h) for o, d, h in options],
                )
            )
    return "\n\n".join(parts)


def datasets_part() -> str:
    """Every layout of a dataset that can be read."""
    from tonmeister.datasets.base import DATASETS, dataset_type

    infos = [dataset_type(name).info for name in DATASETS]
    rows = [
        (
            f"`{info.name}`",
            f"[{info.title}]({info.url})" if info.url else info.title,
            f"`{info.looks_for}`",
            info.licence,
            info.citation,
        )
        for info in infos
    ]
    return table(("layout", "dataset", "recognized by", "licence", "please cite"), rows)


# ------------------------------------------------------------------ the command line


def verbs_part() -> str:
    """Every verb with its line of help."""
    from tonmeister.cli import COMMANDS

    return table(
        ("verb", "what it does"), [(f"[`{v}`](how-to/{v}.md)", line) for v, (_, line) in COMMANDS.items()]
    )


def help_part(verb: str) -> str:
    """Arguments and options of a verb, or of ``verb subcommand``."""
    import click

    from tonmeister.cli import cli

    command: click.Command = cli
    for word in verb.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no verb {verb!r}"
        command = found
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join([f"tonmeister {verb}", "[OPTIONS]", *map(_argument, arguments)])
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
        rows = [(f"`{name}`", part.get_short_help_str(200)) for name, part in below if part is not None]
        return f"`{usage} SUBCOMMAND ...`\n\n" + table(("subcommand", "what it does"), rows)
    rows = [(_names(p), _help(p)) for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return f"`{usage}`\n\n" + table(("option", "meaning"), rows)


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    many = "..." if argument.nargs != 1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def _names(option: Any) -> str:
    import click

    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {', '.join(map(str, option.type.choices))}"
    words = {"integer range": "N", "integer": "N", "float": "NUMBER", "float range": "NUMBER", "text": "TEXT"}
    return f"{names} {option.metavar or words.get(option.type.name, option.type.name.upper())}"


def _help(option: Any) -> str:
    parts = [" ".join((option.help or "").split())]
    if option.multiple and "again" not in parts[0]:
        parts.append("May be given again.")
    if option.show_default:
        parts.append(f"[default: {option.default}]")
    return " ".join(parts)


PARTS: Final[Mapping[str, Callable[..., str]]] = {
    "effects": effects_part,
    "features": features_part,
    "mix-measurement": mix_measurement_part,
    "fields": fields_part,
    "targets": targets_part,
    "instruments": instruments_part,
    "languages": languages_part,
    "rules": rules_part,
    "asp-rules": asp_rules_part,
    "expert-rules": expert_rules_part,
    "numbers": numbers_part,
    "engines": engines_part,
    "datasets": datasets_part,
    "verbs": verbs_part,
    "help": help_part,
}


# ------------------------------------------------------------------ pictures


def draw_picture(path: Path = PICTURE) -> None:
    """The demo song before and after: spectrum beside levels and places, in one picture."""
    import numpy as np
    from matplotlib.image import imsave

    from tonmeister.demo import write_demo_song
    from tonmeister.pipeline import mix
    from tonmeister.plots import levels_figure, pan_figure, spectrum_figure

    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "demo"
        write_demo_song(song)
        made = mix(song, Path(folder) / "mix.wav")
    levels = levels_figure(made.plan, made.features)
    levels.axes[0].set_xlim(right=4.0)  # the legend beside the points, not over them
    left = _pixels(spectrum_figure(made.plan.before, made.plan.after), 6.4, 6.4)
    right = [_pixels(figure, 6.0, 3.2) for figure in (levels, pan_figure(made.plan))]
    picture = np.hstack([left, np.vstack(right)])
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, picture, metadata={"Software": "tonmeister"})


def _pixels(figure: Any, width: float, height: float) -> Any:
    import numpy as np

    figure.set_size_inches(width, height)
    figure.set_dpi(100)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def main(arguments: Sequence[str]) -> int:
    """Write, check or draw; returns the exit code."""
    if "--pictures" in arguments:
        draw_picture()
        return 0
    behind = stale()
    for page, text in behind.items():
        sys.stdout.write(f"{page.relative_to(ROOT)}\n")
        if "--check" not in arguments:
            page.write_text(text, "utf-8")
    return 1 if behind and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
