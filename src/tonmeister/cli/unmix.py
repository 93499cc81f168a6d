"""``tonmeister unmix``: the faders and pans of a finished mix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.unmixing import MODES

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.unmixing.result import FoundTrack, Unmixed

__all__ = ["command"]


@click.command(
    "unmix",
    epilog=given.examples(
        "tonmeister unmix song/ mix.wav",
        "tonmeister unmix song/ mix.wav -o human.plan.json",
        "tonmeister unmix song/ master.wav --mode magnitude --json",
    ),
)
@given.folder_argument
@click.argument("mix", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PLAN.json",
              help="Save the mix as a plan, to render, explain and compare.")  # fmt: skip
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="What is compared: waveforms (coherent), power or magnitude spectra; auto takes the first that fits.",
)
@click.option("--delay", "delay_ms", type=float, metavar="MS",
              help="How late the mix is against the tracks. [default: found, up to a second]")  # fmt: skip
@click.option("--hop", "hop_s", type=float, default=0.25, show_default=True, metavar="S",
              help="Distance of the points in time.")  # fmt: skip
@click.option("--window", "window_s", type=float, default=1.0, show_default=True, metavar="S",
              help="Length of what each point looks at.")  # fmt: skip
@given.threads_option
@given.recursive_option
@given.overwrite_option
@given.common
def command(
    folder: Path,
    mix: Path,
    output: Path | None,
    settings: dict[str, Any],
    threads: int | None,
    recursive: bool,
    overwrite: bool,
    **how: Any,
) -> None:
    """Find the gains over time, and the pans, that turn the tracks in FOLDER into MIX.

    Gains are relative to the files as they are.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.loading import load_multitrack
    from tonmeister.plan_file import save_plan
    from tonmeister.unmixing import unmix

    given.check_names({"a plan": output}, overwrite=overwrite)
    screen = Screen.of(settings)
    multitrack = load_multitrack(folder, recursive=recursive)
    with screen.progress() as bars:
        found = unmix(multitrack, mix, threads=threads, progress=bars, **how)
    if output is not None:
        save_plan(found.plan(), output, overwrite=overwrite)
    screen.show(_table(found), "", _summary(found), "")
    if screen.as_json:
        screen.json({**found.to_dict(), "plan": output})
    screen.notes((*multitrack.notes, *found.notes))
    if output is not None:
        screen.say(f"plan: {output}")


def _table(found: Unmixed) -> Table:
    from tonmeister.cli.tables import table

    numbers = ("level dB", "±", "pan", "sure")
    return table(("track", *numbers, "moves"), map(_row, found.tracks), right=numbers)


def _row(track: FoundTrack) -> tuple[str, ...]:
    import numpy as np

    from tonmeister.cli.screen import number

    if track.gain_db is None:
        return track.name, "-", "-", "-", "-", "silent"
    sd_db = float(np.median(track.sd_db[track.active]))
    return (
        track.name,
        number(track.gain_db, sign=True),
        number(sd_db),
        number(track.pan, 2, sign=True),
        f"{track.confidence:.0%}",
        _movement(track),
    )


def _movement(track: FoundTrack) -> str:
    import numpy as np

    level = f"{np.nanmin(track.curve_db):+.1f} to {np.nanmax(track.curve_db):+.1f} dB" if track.moves else ""
    pan = f"pan {np.nanmin(track.pan_curve):+.1f} to {np.nanmax(track.pan_curve):+.1f}" if track.pans else ""
    return ", ".join(part for part in (level, pan) if part) or "-"


def _summary(found: Unmixed) -> str:
    delay = f"{abs(found.delay_ms):.2f} ms {'late' if found.delay_ms >= 0 else 'early'}"
    aligned = delay if found.delay_ms else "in time" if found.recognized else "taken as in time"
    polarity = ", polarity inverted" if found.inverted else ""
    return f"mode {found.mode}, {found.residual_db:.1f} dB left unexplained; the mix is {aligned}{polarity}"
