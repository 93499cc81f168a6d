"""``tonmeister decide``: a plan without a mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "decide",
    epilog=given.examples(
        "tonmeister decide song/ --engine textbook -o song.plan.json",
        "tonmeister decide song/ --engine loudness+adaptive --option adaptive.panner=bands -o song.plan.json",
        "tonmeister decide song/ --engine textbook --lock 'Kick' --set 'Kick.gain_db=-3' -o song.plan.json",
        "tonmeister decide song/ --engine asp --option mixes=3 --text-plan song.txt -o song.json",
    ),
)
@given.folder_argument
@click.option(
    "--engine", metavar="NAME", help="Who decides; several, joined by +, in turn. [default: textbook]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PLAN.json", required=True,
              help="Where the plan goes.")  # fmt: skip
@given.deciding
@given.sheets
@given.target_option
@given.seed_option
@given.threads_option
@given.recursive_option
@given.names_only_option
@given.overwrite_option
@given.common
def command(folder: Path, output: Path, settings: dict[str, Any], recursive: bool, **asked: Any) -> None:
    """Decide how to mix the tracks in FOLDER and save the plan; nothing is rendered.

    An engine that finds several mixes (asp with --option mixes=3) has the others saved beside it: PLAN.2.json, PLAN.3.json.
    """
    from tonmeister.cli.deciding import further_plans, plan_for, wishes
    from tonmeister.cli.report import mix_to_dict
    from tonmeister.cli.screen import Screen
    from tonmeister.cli.tables import plan_table
    from tonmeister.loading import load_multitrack
    from tonmeister.plan_file import save_plan

    wanted = wishes(
        engine=asked["engine"], options=asked["options"], moves=asked["moves"], locks=asked["locks"],
        target=asked["target"], seed=asked["seed"], names_only=asked["names_only"],
    )  # fmt: skip
    overwrite = asked["overwrite"]
    given.check_names({"a plan": output, **asked["sheets"]}, overwrite=overwrite)
    screen = Screen.of(settings)
    multitrack = load_multitrack(folder, recursive=recursive)
    with screen.progress() as bars:
        plan, features, multitrack = plan_for(multitrack, wanted, bars, threads=asked["threads"])
    save_plan(plan, output, overwrite=overwrite)
    sheets = given.write_sheets(asked["sheets"], plan, multitrack, overwrite=overwrite)
    others = {}
    for take, other in further_plans(multitrack, features, wanted, plan):
        others[take] = output.with_name(f"{output.stem}.{take}{output.suffix}")
        save_plan(other, others[take], overwrite=overwrite)
    screen.show(plan_table(plan), "")
    if screen.as_json:
        files = {"plan": output, "sheets": sheets, "other_plans": list(others.values())}
        screen.json(mix_to_dict(plan, {}, {}, plan.notes, files))
    screen.notes(plan.notes)
    screen.say(f"plan: {output}")
    for take, path in others.items():
        screen.say(f"mix {take}: {path}")
    for sheet in sheets:
        screen.say(f"sheet: {sheet}")
