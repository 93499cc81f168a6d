"""``tonmeister learn-effect``: a device from a recording before and behind it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from tonmeister.learned_effects.learn import LearnedEffect

__all__ = ["command", "effect_table"]


@click.command(
    "learn-effect",
    epilog=given.examples(
        "tonmeister learn-effect dry.wav wet.wav -o pedal.npz",
        "tonmeister learn-effect dry.wav wet.wav -o pedal.npz --network lstm --minutes 3",
        "tonmeister learn-effect dry.wav wet.wav -o pedal.npz --oversampling 2 --json",
    ),
)
@click.argument("dry", type=given.existing_file)
@click.argument("wet", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="Where the model goes; its card goes beside it as .json.")  # fmt: skip
@click.option("--network", type=click.Choice(["waveshaper", "lstm", "cafx"]), default="waveshaper", show_default=True,
              help="What is learned: a filter, a curve and a filter; a small recurrent network; or the large one of "
                   "Martínez Ramírez and Reiss. The networks need the extra 'train'.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0.0, min_open=True), default=None, metavar="M",
              help="Train a network for at most so long. Without it a fixed number of steps is taken.")  # fmt: skip
@click.option("--faithful", is_flag=True,
              help="Train cafx as it was published: random start, pretraining, absolute error alone.")  # fmt: skip
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
    minutes: float | None, faithful: bool, anyway: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Learn what a device does from DRY, the sound before it, and WET, the sound behind it.

    The files are brought in time first. Interrupted, the best so far is kept.
    """
    from tonmeister.audio import read_audio
    from tonmeister.audio_output import check_writable
    from tonmeister.cli.screen import Screen
    from tonmeister.errors import BadInputError
    from tonmeister.learned_effects.learn import lesson_of, save_effect

    screen = Screen.of(settings)
    if output.suffix != ".npz":
        raise BadInputError(f"{output}: a learned effect is saved as NAME.npz")
    if (faithful and network != "cafx") or (minutes is not None and network == "waveshaper"):
        raise BadInputError(
            f"network={network}: --faithful is for cafx, --minutes for the networks that are trained"
        )
    given.check_names({"a model": output, "a card": output.with_suffix(".json")}, overwrite=overwrite)
    check_writable(output.parent)
    learn = _learner(network, int(oversampling), minutes, faithful)
    sounds = read_audio(dry), read_audio(wet)
    with screen.progress() as bars:
        effect = learn(lesson_of(*sounds, seed), progress=bars)
    saved = anyway or effect.verdict.usable
    if saved:
        save_effect(effect, output, source=f"{dry.name} and {wet.name}", overwrite=overwrite)
    screen.show(effect_table(effect), "", f"verdict: {effect.verdict.word}", "")
    if screen.as_json:
        screen.json({**effect.to_dict(), "model": output if saved else None, "notes": effect.notes()})
    screen.notes(effect.notes())
    if not saved:
        raise BadInputError(f"{output}: not written: see the notes; --anyway saves the model all the same")
    screen.say(f"model: {output}")


def _learner(
    network: str, oversampling: int, minutes: float | None, faithful: bool
) -> Callable[..., LearnedEffect]:
    """What learns this network from a lesson."""
    if network == "waveshaper":
        from tonmeister.learned_effects.learn import learn_waveshaper

        return partial(learn_waveshaper, oversampling=oversampling)
    from tonmeister.training.effects.learning import NetworkOptions, learn_network
    from tonmeister.training.torch_library import torch_module

    torch_module()
    chosen = NetworkOptions(network, minutes=minutes, oversampling=oversampling, faithful=faithful)
    return partial(learn_network, options=chosen)


def effect_table(effect: LearnedEffect) -> Table:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table
    from tonmeister.learned_effects.verdict import band

    errors = effect.verdict.errors
    judged = [("this model", errors.esr)]
    if errors.twin_esr is not None:
        judged.append(("its waveshaper twin", errors.twin_esr))
    judged += [("a plain filter", errors.linear_esr), ("doing nothing", errors.bypass_esr)]
    rows = [(name, number(esr, 4), band(esr), "", "") for name, esr in judged]
    rows[0] = (*rows[0][:3], number(errors.mae, 4), number(errors.mr_stft, 3))
    return table(
        ("on sound held out", "ESR", "verdict", "MAE", "MR-STFT"), rows, right=("ESR", "MAE", "MR-STFT")
    )
