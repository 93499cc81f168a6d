"""``tonmeister upmix``: a finished recording into a loudspeaker layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "upmix",
    epilog=given.examples(
        "tonmeister upmix song.wav -o surround.wav --layout 5.1",
        "tonmeister upmix song.wav -o surround.wav --layout 7.1.4 --model nmf",
        "tonmeister upmix song.wav -o headphones.wav --layout binaural --set 'song.spread_deg=90'",
        "tonmeister upmix song.wav -o objects.wav --layout 7.1.4 --model nmf --format adm",
    ),
)
@click.argument("song", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Where the result goes; .wav, or .rf64, or .flac up to eight channels.")  # fmt: skip
@given.layouts
@click.option(
    "--model", metavar="NAME|PATH",
    help="Separate the song first and place its tracks, as 'separate' names them. [default: place it whole]",
)  # fmt: skip
@click.option("--target", metavar="NAME|LUFS",
              help="Loudness to deliver, as in mix. [default: that of the song]")  # fmt: skip
@click.option(
    "--set", "moves", multiple=True, metavar="STRIP.CONTROL=VALUE",
    help="Your own move: 'song.ambience=0.5', or with --model 'vocals.center=1', 'other.gain_db=-2'. May be given again.",
)  # fmt: skip
@click.option("--save-plan", type=click.Path(path_type=Path), metavar="PLAN.json",
              help="Where the plan goes. [default: beside the result]")  # fmt: skip
@given.bits_option
@given.threads_option
@given.overwrite_option
@given.common
def command(song: Path, output: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Place SONG, a mono or stereo recording, into a layout of loudspeakers.

    Its room comes from around, its middle from the center; with a model its voices and instruments are placed one by one.
    In exact mode the stereo downmix of the result is the song itself.
    """
    from tonmeister.cli.report import checks_table
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.cli.tables import plan_tracks
    from tonmeister.explanation import place_text
    from tonmeister.plan_file import save_plan
    from tonmeister.spatial.rendering import Placing
    from tonmeister.spatial.song import upmix
    from tonmeister.targets import parse_target

    screen, overwrite = Screen.of(settings), asked["overwrite"]
    plan_path = asked["save_plan"] or output.with_name(f"{output.stem}.plan.json")
    given.check_names({"a plan": plan_path}, overwrite=overwrite)
    with screen.progress() as bars:
        finished, checks = upmix(
            song, output, Placing(**asked["placing"]), model=asked["model"],
            target=parse_target(asked["target"]) if asked["target"] else None,
            moves=given.parse_moves(asked["moves"]), overwrite=overwrite, subtype=asked["bits"],
            threads=asked["threads"], progress=bars,
        )  # fmt: skip
    with when_interrupted(f"{output} is written, but not its plan"):
        save_plan(finished.plan, plan_path, overwrite=overwrite)
    screen.show(checks_table(checks), "")
    for strip in finished.plan.strips:
        if strip.kind == "track":
            screen.show(f"{strip.name}: {place_text(strip.place)}")
    notes = (*finished.plan.notes, *finished.notes)
    if screen.as_json:
        screen.json({
            "output": output, "plan": plan_path, "model": asked["model"], "layout": checks.to_dict(),
            "after": finished.after.to_dict(), "tracks": plan_tracks(finished.plan), "notes": notes,
        })  # fmt: skip
    screen.notes(notes)
    screen.say(f"upmix: {output}")
    screen.say(f"plan: {plan_path}")
