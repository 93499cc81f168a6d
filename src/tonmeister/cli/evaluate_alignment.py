"""``tonmeister evaluate alignment``: timing of a score follower, ours or any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.live.following import Followed

__all__ = ["command"]


@click.command(
    "alignment",
    epilog=given.examples(
        "tonmeister evaluate alignment reference.csv followed.csv",
        "tonmeister evaluate alignment reference.json followed.json --json",
        "tonmeister evaluate alignment take.wav --score piece.musicxml --match take.match",
    ),
)
@click.argument("reference", metavar="REF|PERFORMANCE", type=given.existing_file)
@click.argument("estimate", metavar="EST", type=given.existing_file, required=False)
@click.option(
    "--score",
    type=given.existing_file,
    metavar="FILE",
    help="Follow PERFORMANCE (audio) through this score: MusicXML (.musicxml, .xml, .mxl) or MIDI (.mid).",
)
@click.option(
    "--match",
    type=given.existing_file,
    metavar="FILE",
    help="With --score: when the events were really played, as a match file, CSV or JSON.",
)
@click.option(
    "--method",
    type=click.Choice(["forward", "warping"]),
    default="forward",
    show_default=True,
    help="With --score: keep every path's probability, or the best path only (Dixon 2005).",
)
@click.option(
    "--times", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.csv",
    help="With --score: write the followed times, event and seconds.",
)  # fmt: skip
@report_options
@given.common
def command(reference: Path, estimate: Path | None, settings: dict[str, Any], **asked: Any) -> None:
    """Compare the times in EST with those in REF, or follow a PERFORMANCE through a score and compare.

    Median and 95 % error, rates within 25, 50 and 100 ms. REF and EST are text, CSV, JSON or match files: one time in
    seconds per line, or two columns, event (or score position in quarter notes) and time. With two columns events are
    matched by name, and those that EST lacks are missing. A performance is followed as it would be live, without
    reading ahead.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.alignment import evaluate_alignment
    from tonmeister.evaluation.pages import alignment_page

    _check(estimate, asked)
    check_report(asked["report"], asked["overwrite"])
    screen = Screen.of(settings)
    if asked["score"] is not None:
        _follow(screen, reference, asked)
        return
    assert estimate is not None
    result = evaluate_alignment(reference, estimate)
    show_page(
        screen, alignment_page(result), result.to_dict(), report=asked["report"], overwrite=asked["overwrite"]
    )


def _check(estimate: Path | None, asked: dict[str, Any]) -> None:
    if asked["score"] is None and estimate is None:
        raise BadInputError("there is nothing to compare: give EST, or --score to follow a performance")
    if asked["score"] is not None and estimate is not None:
        raise BadInputError("EST and --score exclude each other: give the true times with --match")
    for option in ("match", "times"):
        if asked["score"] is None and asked[option] is not None:
            raise BadInputError(f"--{option} belongs to --score: give the score of the performance")
    given.check_names({"the table of times": asked["times"]}, overwrite=asked["overwrite"])


def _follow(screen: Any, performance: Path, asked: dict[str, Any]) -> None:
    from tonmeister.evaluation.alignment import read_times, score_alignment
    from tonmeister.evaluation.pages import alignment_page
    from tonmeister.live.following import follow_file
    from tonmeister.live.score_following import FollowerOptions

    truth = read_times(asked["match"]) if asked["match"] is not None else None
    options = FollowerOptions(method=asked["method"])
    with screen.progress() as bars:
        followed = follow_file(
            performance, asked["score"], options=options, progress=lambda done: bars("following", done)
        )
    if asked["times"] is not None:
        _write_times(asked["times"], followed)
        screen.say(f"times: {asked['times']}")
    _tell(screen, followed)
    if truth is None:
        if screen.as_json:
            screen.json({"median_ms": None, "p95_ms": None, "follower": followed.to_dict()})
        screen.show(f"followed {len(followed.observed)} of {len(followed.score.events)} events")
        return
    result = score_alignment(truth, followed.events)
    ahead = score_alignment(truth, followed.expected).to_dict() if followed.expected else {}
    data = {
        **result.to_dict(),
        "expected": {key: ahead.get(key) for key in ("median_ms", "p95_ms", "bias_ms")},
        "follower": followed.to_dict(),
    }
    show_page(screen, alignment_page(result), data, report=asked["report"], overwrite=asked["overwrite"])
    if ahead:
        screen.show(
            f"expected one event ahead: {ahead['median_ms']:.0f} ms (median), {ahead['p95_ms']:.0f} ms (95 %)"
        )


def _tell(screen: Any, followed: Followed) -> None:
    share = followed.cpu_s / followed.duration_s if followed.duration_s else 0.0
    screen.say(
        f"{followed.score.title}: confidence {followed.confidence:.2f}, {share:.1%} of one processor in real time"
    )
    for note in followed.score.notes_to_reader:
        screen.say(f"score: {note}")
    if followed.lost_s > 0:
        screen.say(f"lost for {followed.lost_s:.1f} s: the score may be of another performance")


def _write_times(path: Path, followed: Followed) -> None:
    lines = "".join(f"{beat},{time_s:.6f}\n" for beat, time_s in followed.events)
    path.write_text(f"beat,seconds\n{lines}", "utf-8")
