"""``tonmeister mix``: analyze, decide, render."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.cli.deciding import Wishes
    from tonmeister.cli.screen import Screen
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan

__all__ = ["command", "default_output", "plan_path_for"]


@click.command(
    "mix",
    epilog=given.examples(
        "tonmeister mix song/ -o song.wav",
        "tonmeister mix song/ -o song.wav --target -16 --stems stems/",
        "tonmeister mix song/ -o song.wav --set 'Lead Vox.gain_db+=1.5' --set 'Kick.pan=0'",
        "tonmeister mix song/ -o take2.wav --plan song.plan.json --set 'Snare.gain_db-=1'",
        "tonmeister mix song/ -o take3.wav --plan song.plan.json --engine adaptive --lock 'Lead Vox'",
        "tonmeister mix song/ -o part.wav --preview 30:20",
        "tonmeister mix song/ -o surround.wav --layout 5.1",
        "tonmeister mix song/ -o like.wav --reference admired.wav",
        "tonmeister mix song/ --dry-run",
    ),
)
@given.folder_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Where the mix goes; the ending says the format. [default: TITLE_mix_ENGINE_TARGET.wav here]",
)  # fmt: skip
@click.option(
    "--engine", metavar="NAME", help="Who decides; several, joined by +, in turn. [default: textbook]"
)
@given.deciding
@given.sheets
@click.option(
    "--plan", type=given.existing_file, metavar="PLAN.json",
    help="Go on from an earlier plan: as it is, or with --engine keeping your own moves and what is locked.",
)  # fmt: skip
@click.option(
    "--reference", type=click.Path(path_type=Path), metavar="REF.wav",
    help="Move the plan towards this finished mix, of these tracks or of another song.",
)  # fmt: skip
@click.option("--prune/--no-prune", default=True, show_default=True,
              help="With --reference: take back moves without which the mix is as close to it.")  # fmt: skip
@given.target_option
@click.option("--stems", type=click.Path(path_type=Path), metavar="DIR", help="Write stems there too.")
@given.layouts
@given.seed_option
@click.option("--preview", metavar="START:SECONDS", help="Render just this part of the song, in seconds.")
@click.option("--dry-run", is_flag=True, help="Analyze and decide, show the plan, write nothing.")
@given.bits_option
@given.threads_option
@given.recursive_option
@given.names_only_option
@click.option(
    "--plots", type=click.Path(path_type=Path), metavar="DIR", help="Write pictures of the mix there."
)
@click.option("--save-plan", type=click.Path(path_type=Path), metavar="PLAN.json",
              help="Where the plan goes. [default: beside the mix]")  # fmt: skip
@given.overwrite_option
@given.common
def command(folder: Path, settings: dict[str, Any], dry_run: bool, recursive: bool, **asked: Any) -> None:
    """Mix the tracks in FOLDER.

    Says what each track is and what was done to it, brings the mix to the loudness target, and saves the plan
    beside it. Change the plan or add moves of your own with --set, and mix again.
    """
    from tonmeister.cli.deciding import wishes
    from tonmeister.cli.screen import Screen
    from tonmeister.loading import load_multitrack

    wanted = wishes(
        engine=asked["engine"], options=asked["options"], moves=asked["moves"], locks=asked["locks"],
        target=asked["target"], seed=asked["seed"], plan=asked["plan"],
        names_only=asked["names_only"], reference=asked["reference"], prune=asked["prune"],
    )  # fmt: skip
    screen = Screen.of(settings)
    multitrack = load_multitrack(folder, recursive=recursive)
    if dry_run:
        _dry_run(screen, multitrack, wanted, asked)
    else:
        _mix(screen, multitrack, wanted, asked)


def _dry_run(screen: Screen, multitrack: Multitrack, wanted: Wishes, asked: dict[str, Any]) -> None:
    from tonmeister.cli.deciding import plan_for
    from tonmeister.cli.report import mix_to_dict
    from tonmeister.cli.tables import plan_table

    with screen.progress() as bars:
        plan, _, _ = plan_for(multitrack, wanted, bars, threads=asked["threads"])
    screen.show(plan_table(plan), "")
    if screen.as_json:
        files: dict[str, Any] = {"output": None, "plan": None, "stems": [], "plots": [], "dry_run": True}
        screen.json(mix_to_dict(plan, {}, {}, plan.notes, files))
    screen.notes(plan.notes)
    screen.say("dry run: nothing was rendered or written")


def _mix(screen: Screen, multitrack: Multitrack, wanted: Wishes, asked: dict[str, Any]) -> None:
    from tonmeister.audio_output import check_output
    from tonmeister.cli.deciding import plan_for
    from tonmeister.cli.placed import check_placed, finish_placed
    from tonmeister.cli.report import report_mix
    from tonmeister.cli.screen import when_interrupted
    from tonmeister.plan_file import save_plan

    overwrite, plots = asked["overwrite"], asked["plots"]
    section = given.parse_preview(asked["preview"], multitrack.sample_rate)
    output = asked["output"] or default_output(multitrack.title, wanted, preview=section is not None)
    plan_path = asked["save_plan"] or plan_path_for(output, not_over=asked["plan"])
    check_output(output, overwrite=overwrite, subtype=asked["bits"])
    check_placed(output, asked["placing"], overwrite=overwrite, subtype=asked["bits"])
    given.check_names({"a plan": plan_path, **asked["sheets"]}, overwrite=overwrite)
    if plots:
        _check_plots(plots, overwrite)
    with screen.progress() as bars:
        plan, features, multitrack = plan_for(
            multitrack, wanted, bars, threads=asked["threads"], measure=plots is not None
        )
        finished, checks = finish_placed(
            asked["placing"], multitrack, plan, output, target=wanted.target, threads=asked["threads"],
            subtype=asked["bits"], stems=asked["stems"], section=section, overwrite=overwrite, progress=bars,
        )  # fmt: skip
    with when_interrupted(f"{output} is written, but not all that belongs to it"):
        save_plan(finished.plan, plan_path, overwrite=overwrite)
        sheets = given.write_sheets(asked["sheets"], finished.plan, multitrack, overwrite=overwrite)
        pictures = _plots(plots, finished.plan, features, overwrite) if plots and features else []
    for sheet in sheets:
        screen.say(f"sheet: {sheet}")
    said = ["preview: the loudness target was met on this part alone"] if section else []
    report_mix(screen, finished, plan_path=plan_path, plots=pictures, notes=said, checks=checks)


def _check_plots(folder: Path, overwrite: bool) -> None:
    from tonmeister.plots import check_plots

    check_plots(folder, overwrite=overwrite)


def _plots(folder: Path, plan: MixPlan, features: Any, overwrite: bool) -> list[Path]:
    from tonmeister.plots import write_plots

    return write_plots(folder, plan, features, overwrite=overwrite)


def default_output(title: str, wanted: Wishes, *, preview: bool = False) -> Path:
    """``Title_mix_engine_target.wav`` in the current folder."""
    from tonmeister.pipeline import DEFAULT_ENGINE

    engine = wanted.engine or (wanted.base.engine if wanted.base else "") or DEFAULT_ENGINE
    target = wanted.target.name if wanted.target.name != "custom" else f"{wanted.target.lufs:g}LUFS"
    words = [title or "song", "mix", engine, target, *(["preview"] if preview else [])]
    name = "_".join(words)
    return Path("".join("-" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name).lstrip(".") + ".wav")


def plan_path_for(output: Path, *, not_over: Path | None = None) -> Path:
    """Beside the mix, under its name; the plan it was made from keeps its own, and the new one gets a number."""
    path, number = output.with_name(f"{output.stem}.plan.json"), 1
    while not_over is not None and path.exists() and (number > 1 or path.samefile(not_over)):
        number += 1
        path = output.with_name(f"{output.stem}.{number}.plan.json")
    return path
