"""``tonmeister train expert``: teach the network of the engine expert what an engineer's hands did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.expert.knowledge import Knowledge
    from tonmeister.engines.expert.oplog import OperationLog
    from tonmeister.training.expert.performances import Performance
    from tonmeister.training.expert.teaching import Lesson

__all__ = ["command"]


@click.command(
    "expert",
    epilog=given.examples(
        "tonmeister train expert --log gig.jsonl --data song/ -o mine.json",
        "tonmeister train expert --log edited.plan.json --data song/ -o mine.json",
        "tonmeister train expert --log session.rpp --data stems/ --kappa 20 -o mine.json",
        "tonmeister mix song/ -o song.wav --engine expert --option model=mine.json",
    ),
)
@click.option("--log", "logs", multiple=True, required=True, type=given.existing_file, metavar="FILE",
              help="What the hands did: an operation log (.jsonl), a plan with edits (.json), a REAPER project (.rpp), "
                   "recorded OSC (.osc, .pcap). May be given again.")  # fmt: skip
@click.option("--data", "folders", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="FOLDER", help="The tracks of the song; one for each log, or one for all.")  # fmt: skip
@click.option("--events", "events", multiple=True, type=given.existing_file, metavar="FILE",
              help="Events and findings instead of tracks, one for each log.")  # fmt: skip
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="MODEL.json",
              help="Where the model goes.")  # fmt: skip
@click.option("--model", type=given.existing_file, metavar="MODEL",
              help="What is taught: a model or a file of rules. [default: what is shipped]")  # fmt: skip
@click.option("--kappa", type=float, metavar="CASES",
              help="How many cases a hand-built row counts for, up to inf. [default: 10]")  # fmt: skip
@click.option(
    "--sections", default="", metavar="MARKS", help="Where the parts begin: 'verse 0, chorus 32.5'."
)
@click.option("--structure", type=click.Choice(["keep", "bic", "bdeu"]), default="keep", show_default=True,
              help="Let the data choose the parents of decisions, among those that make sense (extra expert).")  # fmt: skip
@click.option(
    "--strips",
    default="",
    metavar="NAMES",
    help="Names of the console's channels from 1 on, for OSC: 'Kick, Snare'.",
)
@click.option("--keep-lag", is_flag=True, help="Do not remove the engineer's reaction lag.")
@given.recursive_option
@given.threads_option
@given.overwrite_option
@given.common
def command(
    logs: tuple[Path, ...], folders: tuple[Path, ...], events: tuple[Path, ...], output: Path, model: Path | None,
    kappa: float | None, sections: str, structure: str, strips: str, keep_lag: bool, recursive: bool,
    threads: int | None, overwrite: bool, settings: dict[str, Any],
) -> None:  # fmt: skip
    """Teach the network of the engine expert what hands did at a desk.

    Every log needs the song it was made on (--data), or a file of events. What was written by hand is the prior:
    rows that the log never meets stay as they are.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.expert.loading import load_any
    from tonmeister.engines.expert.model import save_model
    from tonmeister.training.expert.teaching import teach

    given.check_names({"a model": output}, overwrite=overwrite)
    if output.suffix.lower() != ".json":
        raise BadInputError(f"{output}: a model is JSON: give it the ending .json")
    screen, known = Screen.of(settings), load_any(model)
    names = tuple(s.strip() for s in strips.split(",") if s.strip())
    performances = [
        _performance(
            _log(path, names), number, len(logs), folders, events, known, sections, recursive, threads
        )
        for number, path in enumerate(logs)
    ]
    lesson = teach(known, performances, kappa=kappa, remove_lag=not keep_lag,
                   structure="" if structure == "keep" else structure)  # fmt: skip
    save_model(lesson.model, output, overwrite=overwrite)
    _report(screen, lesson, known, output)


def _log(path: Path, strips: Sequence[str]) -> OperationLog:
    """A log by what its name says it is."""
    match path.suffix.lower():
        case ".rpp":
            from tonmeister.training.expert.reaper import load_reaper

            return load_reaper(path)
        case ".osc" | ".pcap":
            from tonmeister.training.expert.osc import load_osc

            return load_osc(path, strips)
        case ".json":
            from tonmeister.plan_file import load_plan
            from tonmeister.training.expert.plan_edits import oplog_of_plan

            return oplog_of_plan(load_plan(path), path.name)
        case _:
            from tonmeister.engines.expert.oplog import load_oplog

            return load_oplog(path)


def _performance(
    log: OperationLog, number: int, count: int, folders: Sequence[Path], events: Sequence[Path], known: Knowledge,
    sections: str, recursive: bool, threads: int | None,
) -> Performance:  # fmt: skip
    """The log with its song or its events."""
    from tonmeister.training.expert.performances import Performance, load_events, performance_of_song

    if bool(folders) == bool(events):
        raise BadInputError("give --data (the tracks) or --events, not both")
    given_files = folders or events
    if len(given_files) not in (1, count):
        raise BadInputError(
            f"{count} logs and {len(given_files)} songs: give one song for each log, or one for all"
        )
    path = given_files[0] if len(given_files) == 1 else given_files[number]
    if events:
        found, always = load_events(path)
        return Performance(log, found, always, {})
    from tonmeister.analysis import analyze
    from tonmeister.loading import load_multitrack

    multitrack = load_multitrack(path, recursive=recursive)
    return performance_of_song(
        log, multitrack, analyze(multitrack, threads=threads), known, sections=sections
    )


def _report(screen: Screen, lesson: Lesson, known: Knowledge, output: Path) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.engines.expert.induction import fitted_strengths

    model, before = lesson.model, known.model
    rows = []
    for node in lesson.taught.nodes:
        if node not in model.habits:
            continue
        was = fitted_strengths(before.network, node, before.rules, before.habits[node])
        now = fitted_strengths(model.network, node, model.rules, model.habits[node])
        rows += [(abs(now[i] - was.get(i, 0.0)), i, was.get(i, 0.0), now[i]) for i in now]
    moved = sorted(rows, reverse=True)[:10]
    columns = ("rule", "nats before", "nats now")
    screen.show(
        table(columns, [(i, f"{a:+.2f}", f"{b:+.2f}") for _, i, a, b in moved], right=columns[1:]), ""
    )
    gains = lesson.taught.log_likelihoods
    screen.show(f"{lesson.taught.cases} cases; log-likelihood per case {gains[0]:.2f} -> {gains[-1]:.2f} nats in "
                f"{len(gains) - 1} rounds; tables taught: {', '.join(lesson.taught.nodes)}")  # fmt: skip
    screen.notes((*map(str, lesson.reactions), *lesson.structure))
    screen.say(f"model: {output}")
    if screen.as_json:
        screen.json({
            "model": output, "cases": lesson.taught.cases, "nodes": list(lesson.taught.nodes), "kappa": model.kappa,
            "log_likelihoods": list(gains), "lags_s": [r.lag_s for r in lesson.reactions],
            "structure": list(lesson.structure),
            "strengths": [{"rule": i, "before": a, "after": b} for _, i, a, b in sorted(rows, reverse=True)],
        })  # fmt: skip
