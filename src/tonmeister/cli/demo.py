"""``tonmeister demo``: hear it work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "demo",
    epilog=given.examples("tonmeister demo", "tonmeister demo try-it/ --overwrite"),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="tonmeister-demo")
@given.seed_option
@given.threads_option
@given.overwrite_option
@given.common
def command(folder: Path, settings: dict[str, Any], seed: int, threads: int | None, overwrite: bool) -> None:
    """Make a small song in FOLDER/song, mix it with the default engine, and say where everything is.

    FOLDER is tonmeister-demo unless given.
    """
    from tonmeister.cli.report import report_mix
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.demo import write_demo_song
    from tonmeister.pipeline import mix
    from tonmeister.plan_file import save_plan

    screen, song = Screen.of(settings), folder / "song"
    output, plan_path, reasons = (folder / f"mix{end}" for end in (".wav", ".plan.json", ".reasons.txt"))
    given.check_names({"a mix": output, "a plan": plan_path, "a text": reasons}, overwrite=overwrite)
    with when_interrupted(f"what is in {folder} is not complete"):
        screen.say(f"making a song of twelve seconds in {song}")
        write_demo_song(song, seed=seed, overwrite=overwrite)
        screen.say("mixing it")
        with screen.progress() as bars:
            bars("analyze", 0.0)
            made = mix(song, output, seed=seed, threads=threads, overwrite=overwrite, progress=bars)
        save_plan(made.plan, plan_path, overwrite=overwrite)
        _write_reasons(made.plan, reasons)
    report_mix(screen, made.finished, plan_path=plan_path)
    screen.say(f"reasons: {reasons}")
    screen.show(_next(folder))


def _write_reasons(plan: Any, path: Path) -> None:
    import textwrap

    from tonmeister.cli.explain import explanation_lines
    from tonmeister.errors import OutputError
    from tonmeister.explanation import explain

    lines = [
        textwrap.fill(line, 100, initial_indent=" " * indent, subsequent_indent=" " * indent)
        for indent, line in explanation_lines(plan, explain(plan), everything=True)
    ]
    try:
        path.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from None


def _next(folder: Path) -> str:
    from shlex import quote

    names = (folder / "song", folder / "mix.plan.json", folder / "louder-voice.wav")
    song, plan, again = (quote(str(name)) for name in names)
    return (
        f"Listen to {folder / 'song' / 'Rough Mix.wav'} (every fader up), then to {folder / 'mix.wav'}.\n"
        f"Why it sounds so:     tonmeister explain {plan}\n"
        f"Change your mind:     tonmeister mix {song} -o {again} --plan {plan} --set 'Lead Vox.gain_db+=2'\n"
        "Mix your own tracks:  tonmeister mix FOLDER -o mix.wav"
    )
