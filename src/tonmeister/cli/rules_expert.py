"""``tonmeister rules expert``: the network's rules, the rules in its tables, and the network in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.expert.induction import InducedRule
    from tonmeister.engines.expert.knowledge import Knowledge

__all__ = ["command"]


@click.command(
    "expert",
    epilog=given.examples(
        "tonmeister rules expert",
        "tonmeister rules expert --induced --node EqPresence",
        "tonmeister rules expert model.json --save model.bif",
        "tonmeister rules expert --save network.svg",
    ),
)
@click.argument("model", required=False, type=given.existing_file)
@click.option("--node", metavar="NAME", help="Only what is about this node.")
@click.option("--induced", is_flag=True, help="Read the rules off the tables, whoever wrote or taught them.")
@click.option("--most", type=click.IntRange(min=1), default=12, show_default=True,
              help="With --induced: so many rules a node.")  # fmt: skip
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the network: .json (all of it), .bif, .svg (a picture); .xdsl, .bifxml, .net, .dsl with the "
                   "extra expert.")  # fmt: skip
@given.overwrite_option
@given.common
def command(
    model: Path | None, node: str | None, induced: bool, most: int, save: Path | None, overwrite: bool,
    settings: dict[str, Any],
) -> None:  # fmt: skip
    """List the rules of the engine expert, in both directions.

    Without --induced: the rules that were written, with how strong each still is in the tables of MODEL (a learned
    model may have changed that). With it: a list of rules read off the tables. Without MODEL: what is shipped.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.expert.loading import load_any

    screen, known = Screen.of(settings), load_any(model)
    if node is not None:
        known.model.network.node(node)
    if save is not None:
        _save(known, save, overwrite=overwrite)
    if induced:
        _induced(screen, known, node, most)
    else:
        _written(screen, known, node)
    if known.model.taught_by:
        screen.say(f"learned from {', '.join(known.model.taught_by)}, kappa {known.model.kappa:g}")
    if save is not None:
        screen.say(f"network: {save}")


def _save(known: Knowledge, path: Path, *, overwrite: bool) -> None:
    from tonmeister.engines.expert.bif import save_bif
    from tonmeister.engines.expert.files import write_text
    from tonmeister.engines.expert.foreign import FORMATS, save_foreign
    from tonmeister.engines.expert.model import save_model
    from tonmeister.engines.expert.picture import picture

    match path.suffix.lower():
        case ".json":
            save_model(known.model, path, overwrite=overwrite)
        case ".bif":
            save_bif(known.model.network, path, overwrite=overwrite)
        case ".svg":
            write_text(path, picture(known.model.network), overwrite=overwrite)
        case suffix if suffix in FORMATS:
            save_foreign(known.model.network, path, overwrite=overwrite)
        case suffix:
            raise BadInputError(
                f"{path}: {suffix!r} is no form of a network: use .json, .svg, {', '.join(FORMATS)}"
            )


def _written(screen: Screen, known: Knowledge, node: str | None) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.engines.expert.induction import fitted_strengths
    from tonmeister.engines.expert.rules import strength_word

    model = known.model
    names = [n for n in model.network.nodes if node in (None, n)]
    now = {i: s for n in names if n in model.habits
           for i, s in fitted_strengths(model.network, n, model.rules, model.habits[n]).items()}  # fmt: skip
    rules = [r for r in model.rules if r.then in names]
    rows = [
        (r.id, r.then, _when(r.when), f"{r.strength:+g} {strength_word(r.strength)}", f"{now.get(r.id, 0.0):+.2f}", r.text,
         f"{r.source} [{r.grade}]")
        for r in rules
    ]  # fmt: skip
    screen.show(table(("rule", "about", "when", "nats", "in the tables", "says", "source"), rows))
    if screen.as_json:
        screen.json({"rules": [
            {"id": r.id, "about": r.then, "when": {k: list(v) for k, v in r.when.items()}, "prefer": dict(r.prefer),
             "strength": r.strength, "strength_in_tables": now.get(r.id), "says": r.text, "source": r.source,
             "evidence": r.grade} for r in rules
        ]})  # fmt: skip


def _induced(screen: Screen, known: Knowledge, node: str | None, most: int) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.engines.expert.induction import decision_list

    model = known.model
    names = [
        n for n in model.network.nodes if node == n or (node is None and model.network.tables[n].parents)
    ]
    found = {n: decision_list(model.network, n, model.rules, model.habits.get(n)) for n in names}
    rows = [_row(r) for rules in found.values() for r in rules[:most]]
    columns = ("rule", "when", "then", "chance", "lift", "rows", "known as")
    screen.show(table(columns, rows, right=("chance", "lift", "rows")))
    left = sum(max(len(rules) - most, 0) for rules in found.values())
    if left:
        screen.say(f"{left} more rules: --most shows them")
    if screen.as_json:
        screen.json({"rules": [
            {"id": r.id, "about": r.node, "when": {k: list(v) for k, v in r.when.items()}, "then": r.state,
             "probability": r.probability, "lift": r.lift, "rows": r.rows, "known_as": list(r.rules)}
            for rules in found.values() for r in rules
        ]})  # fmt: skip


def _row(rule: InducedRule) -> tuple[str, ...]:
    known = ", ".join(rule.rules[:2])
    return (rule.id, _when(rule.when), f"{rule.node} {rule.state}", f"{rule.probability:.0%}", f"{rule.lift:+.1f}",
            str(rule.rows), known or "-")  # fmt: skip


def _when(when: Any) -> str:
    return "; ".join(f"{name} {' or '.join(states)}" for name, states in when.items()) or "always"
