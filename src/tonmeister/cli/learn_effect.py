"""``tonmeister learn-effect``: a device from a recording before and behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.learned_effects.learn import LearnedEffect

__all__ = ["command"]


@click.command(
    "learn-effect",
    epilog=given.examples(
        "tonmeister learn-effect dry.wav wet.wav -o pedal.npz",
        "tonmeister learn-effect dry.wav wet.wav -o pedal.npz --oversampling 2 --json",
    ),
)
@click.argument("dry", type=given.existing_file)
@click.argument("wet", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="Where the model goes; its card goes beside it as .json.")  # fmt: skip
@click.option("--network", type=click.Choice(["waveshaper"]), default="waveshaper", show_default=True,
              help="What is learned: a filter, a curve and a filter.")  # fmt: skip
@click.option("--oversampling", type=click.Choice(["1", "2", "4"]), default="4", show_default=True,
              help="How much faster the curve runs, against aliasing.")  # fmt: skip
@click.option(
    "--anyway",
    is_flag=True,
    help="Save a model, too, that is worse than doing nothing or of a device that moves its gain.",
)
@given.seed_option
@given.overwrite_option
@given.common
def command(
    dry: Path, wet: Path, output: Path, settings: dict[str, Any], network: str, oversampling: str, seed: int,
    anyway: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Learn what a device does from DRY, the sound before it, and WET, the sound behind it.

    The files are brought in time first. Interrupted, the best so far is kept.
    """
    from tonmeister.audio import read_audio
    from tonmeister.audio_output import check_writable
    from tonmeister.cli.screen import Screen
    from tonmeister.errors import BadInputError
    from tonmeister.learned_effects.learn import learn_effect, save_effect

    screen = Screen.of(settings)
    if output.suffix != ".npz":
        raise BadInputError(f"{output}: a learned effect is saved as NAME.npz")
    given.check_names({"a model": output, "a card": output.with_suffix(".json")}, overwrite=overwrite)
    check_writable(output.parent)
    sounds = read_audio(dry), read_audio(wet)
    with screen.progress() as bars:
        effect = learn_effect(*sounds, oversampling=int(oversampling), seed=seed, progress=bars)
    saved = anyway or effect.verdict.usable
    if saved:
        save_effect(effect, output, source=f"{dry.name} and {wet.name}", overwrite=overwrite)
    screen.show(_table(effect), "", f"verdict: {effect.verdict.word}", "")
    if screen.as_json:
        screen.json({**effect.to_dict(), "model": output if saved else None, "notes": effect.notes()})
    screen.notes(effect.notes())
    if not saved:
        raise BadInputError(f"{output}: not written: see the notes; --anyway saves the model all the same")
    screen.say(f"model: {output}")


def _table(effect: LearnedEffect) -> Table:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table

    errors = effect.verdict.errors
    rows = (
        ("this model", number(errors.esr, 4)),
        ("a plain filter", number(errors.linear_esr, 4)),
        ("doing nothing", number(errors.bypass_esr, 4)),
    )
    return table(("on sound held out", "ESR"), rows, right=("ESR",))
