"""``tonmeister evaluate mix``: one mix, by itself, against a reference, and track by track."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

if TYPE_CHECKING:
    from tonmeister.cli.screen import Bars
    from tonmeister.evaluation.masking_report import Masking

__all__ = ["command"]


@click.command(
    "mix",
    epilog=given.examples(
        "tonmeister evaluate mix song.wav",
        "tonmeister evaluate mix song.wav --reference human.wav --report results/",
        "tonmeister evaluate mix song.wav --tracks song/ --plan song.plan.json",
    ),
)
@click.argument("mix", type=given.existing_file)
@click.option(
    "--reference", type=given.existing_file, metavar="REF", help="A mix of the same song to compare with."
)
@click.option("--tracks", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="The tracks, to say what hides what; without --plan they are taken as they are.")  # fmt: skip
@click.option(
    "--plan", type=given.existing_file, metavar="PLAN.json", help="The plan that made the mix from --tracks."
)
@click.option("--as-it-is", is_flag=True, help="Do not bring the mix to the reference's loudness first.")
@click.option("--fft-set", type=click.Choice(["mix", "speech", "wide"]), default="mix", show_default=True,
              help="Resolutions of the spectral losses.")  # fmt: skip
@report_options
@given.common
def command(mix: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Measure MIX: loudness and faults, what services do to it, tonal balance, stereo, mono compatibility.

    With --reference also the distances from that mix; with --tracks who hides what.
    """
    from tonmeister.cli.screen import Screen, finite
    from tonmeister.errors import BadInputError
    from tonmeister.evaluation.mix_metrics import evaluate_mix
    from tonmeister.evaluation.pages import mix_page

    if asked["plan"] is not None and asked["tracks"] is None:
        raise BadInputError("--plan needs the tracks it was made for: give --tracks FOLDER, too")
    check_report(asked["report"], asked["overwrite"])
    screen = Screen.of(settings)
    with screen.progress() as bars:
        masking = _masking(asked["tracks"], asked["plan"], bars)
        result = evaluate_mix(
            mix, reference=asked["reference"], masking=masking, match_loudness=not asked["as_it_is"],
            resolutions=asked["fft_set"], progress=lambda done: bars("measuring", done),
        )  # fmt: skip
    data = finite(result.to_dict())
    show_page(screen, mix_page(result), data, report=asked["report"], overwrite=asked["overwrite"])


def _masking(tracks: Path | None, plan: Path | None, bars: Bars) -> Masking | None:
    if tracks is None:
        return None
    from tonmeister.evaluation.masking_report import masking_report
    from tonmeister.loading import load_multitrack
    from tonmeister.plan_file import load_plan

    loaded = load_plan(plan) if plan else None
    return masking_report(
        load_multitrack(tracks), loaded, progress=lambda done: bars("listening to the tracks", done)
    )
