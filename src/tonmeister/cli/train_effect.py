"""``tonmeister train effect``: a learned effect from notes, made up or of IDMT-SMT-Audio-Effects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]

_DEVICES = ("tanh", "diode", "hard clip", "soft clip", "equalizer", "chain")


@click.command(
    "effect",
    epilog=given.examples(
        "tonmeister train effect --device tanh --network cafx -o tanh.npz",
        "tonmeister train effect --data IDMT/ --effect Distortion --setting 1 --network lstm -o pedal.npz",
    ),
)
@click.option(
    "--device", type=click.Choice(_DEVICES), default=None, help="A made-up device, fed with made-up notes."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), default=None, metavar="DIR",
              help="The folder of IDMT-SMT-Audio-Effects instead; see --effect.")  # fmt: skip
@click.option("--effect", "effect_name", default=None, metavar="NAME", help="Which effect of the data set.")
@click.option("--setting", default=None, metavar="DIGIT", help="Which of its settings; all without it.")
@click.option("--network", type=click.Choice(["lstm", "cafx"]), default="cafx", show_default=True,
              help="Which network is trained; a waveshaper is fitted beside it.")  # fmt: skip
@click.option("--rate", "sample_rate", type=click.IntRange(8000, 96000), default=16000, show_default=True,
              metavar="HZ", help="Sample rate of made-up notes.")  # fmt: skip
@click.option("--notes", "count", type=click.IntRange(8), default=80, show_default=True, metavar="N",
              help="How many made-up notes are learned from; a fifth as many are kept to judge by.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0.0, min_open=True), default=None, metavar="M",
              help="Train for at most so long. Without it a fixed number of steps is taken.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=None, metavar="N", help="Take so many steps.")
@click.option("--oversampling", type=click.Choice(["1", "2", "4"]), default="4", show_default=True,
              help="How much faster the curve of the waveshaper beside it runs.")  # fmt: skip
@click.option("--faithful", is_flag=True, help="Train cafx as it was published.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="Where the model goes; its card goes beside it as .json.")  # fmt: skip
@given.seed_option
@given.overwrite_option
@given.common
def command(
    device: str | None, data: Path | None, effect_name: str | None, setting: str | None, network: str, sample_rate: int,
    count: int, minutes: float | None, steps: int | None, faithful: bool, oversampling: str, output: Path,
    settings: dict[str, Any], seed: int, overwrite: bool,
) -> None:  # fmt: skip
    """Train a learned effect on single notes, none of which it is judged by.

    The made-up devices also show what becomes of instruments that it never heard.
    """
    from tonmeister.audio_output import check_writable
    from tonmeister.cli.learn_effect import effect_table
    from tonmeister.cli.screen import Screen
    from tonmeister.errors import BadInputError
    from tonmeister.training.torch_library import torch_module

    screen = Screen.of(settings)
    if (device is None) == (data is None) or (data is None) != (effect_name is None):
        raise BadInputError("give either --device NAME, or --data DIR with --effect NAME")
    if output.suffix != ".npz":
        raise BadInputError(f"{output}: a learned effect is saved as NAME.npz")
    torch_module()
    given.check_names({"a model": output, "a card": output.with_suffix(".json")}, overwrite=overwrite)
    check_writable(output.parent)

    from tonmeister.learned_effects.learn import save_effect
    from tonmeister.training.effects.learning import NetworkOptions, learn_network
    from tonmeister.training.effects.lessons import lesson_of_device, lesson_of_idmt
    from tonmeister.training.effects.unseen import unseen_table

    chosen = NetworkOptions(network, minutes, steps, int(oversampling), faithful)
    if data is not None:
        assert effect_name is not None
        lesson = lesson_of_idmt(data, effect_name, setting, seed=seed)
        source, licence = (
            f"IDMT-SMT-Audio-Effects, {effect_name} {setting or ''}".strip(),
            "that of the data set",
        )
    else:
        assert device is not None
        lesson = lesson_of_device(
            device, sample_rate=sample_rate, learned=count, held=max(count // 5, 4), seed=seed
        )
        source, licence = f"made-up notes of bass and guitar through the made-up device {device}", "MIT"
    with screen.progress() as bars:
        effect = learn_network(lesson, chosen, bars)
    save_effect(effect, output, source=source, licence=licence, overwrite=overwrite)
    unseen = unseen_table(effect.device, device, seed=seed) if device is not None else []
    screen.show(effect_table(effect), "", f"verdict: {effect.verdict.word}", "")
    if unseen:
        screen.show(_unseen(unseen), "")
    if screen.as_json:
        rows = {row.instrument: {"esr": row.network, "delivered_esr": row.delivered, "twin_esr": row.twin,
                                 "bypass_esr": row.bypass} for row in unseen}  # fmt: skip
        screen.json({**effect.to_dict(), "model": output, "unseen": rows, "notes": effect.notes()})
    screen.notes(effect.notes())
    screen.say(f"model: {output}")


def _unseen(rows: Any) -> Any:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table

    lines = [
        (r.instrument, *(number(v, 4) for v in (r.network, r.delivered, r.twin, r.bypass))) for r in rows
    ]
    columns = ("new notes of", "ESR of the network", "as delivered", "its twin", "doing nothing")
    return table(columns, lines, right=columns[1:])
