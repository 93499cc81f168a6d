"""What verbs say and where: results on stdout, talk on stderr, progress on a terminal only."""

from __future__ import annotations

import json
import os
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

__all__ = ["JSON_SCHEMA_VERSION", "Bars", "Screen", "finite", "number", "printable", "when_interrupted"]

JSON_SCHEMA_VERSION: Final = 1
_PIPED_WIDTH: Final = 160
_STAGES: Final = {
    "identify": "finding out what the tracks are",
    "analyze": "listening to the tracks",
    "render": "rendering",
    "finish": "meeting the loudness target",
    "learn": "learning",
    "listen": "listening to the song",
    "separate": "separating",
    "match": "coming closer to the reference",
}


def printable(text: str) -> str:
    """Text on one line without control characters, whatever a file name holds."""
    return "".join(
        c
        if unicodedata.category(c)[0] != "C" or unicodedata.category(c) == "Cf"
        else "\N{REPLACEMENT CHARACTER}"
        for c in text.replace("\n", " ").replace("\t", " ")
    )


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def finite(data: Any) -> Any:
    """Plain data for JSON: paths and NumPy values made plain, numbers that are none made None."""
    if isinstance(data, Mapping):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    if isinstance(data, (str, bool, int)) or data is None:
        return data
    if isinstance(data, Path):
        return str(data)
    value = data.item() if hasattr(data, "item") else data
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value


@contextmanager
def when_interrupted(left: str) -> Iterator[None]:
    """Let an interrupt within say what it leaves behind, instead of "nothing was written"."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(str(stopped) or left) from None


class Screen:
    """Both streams of one verb, and how much is said on them."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, color: bool = True) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._color = color and not os.environ.get("NO_COLOR")
        self._table_shown = not as_json and not quiet

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Screen:
        """The screen that a verb's common options ask for (see `options.common`)."""
        return cls(as_json=settings["as_json"], quiet=settings["quiet"], color=not settings["no_color"])

    def console(self, stream: TextIO) -> Console:
        """A rich console on a stream; file names are never read as markup."""
        from rich.console import Console

        width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
        return Console(
            file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False,
            color_system="auto" if self._color else None, no_color=not self._color,
        )  # fmt: skip

    @property
    def columns(self) -> int:
        """How wide results may be."""
        return self.console(sys.stdout).width

    def show(self, *parts: str | Table) -> None:
        """A result for a reader, on stdout; nothing with ``--json`` or ``--quiet``."""
        if self._table_shown:
            console = self.console(sys.stdout)
            for part in parts:
                console.print(part)

    def say(self, text: str) -> None:
        """Talk, on stderr."""
        if not self.quiet:
            click.echo(printable(text), err=True)

    def notes(self, notes: Iterable[str]) -> None:
        """What was noticed, once each."""
        for note in dict.fromkeys(notes):
            self.say(f"note: {note}")

    def json(self, data: Mapping[str, Any]) -> None:
        """The one JSON object of ``--json``, on stdout."""
        whole = {"schema_version": JSON_SCHEMA_VERSION, **finite(data)}
        click.echo(json.dumps(whole, indent=1, allow_nan=False))

    def _warn_of_compiling(self) -> None:
        from tonmeister.cli.kernels import are_cold, cache_folder

        if are_cold(cache_folder()):
            self.say("the first run takes longer: the sound kernels are compiled and kept")

    @contextmanager
    def progress(self) -> Iterator[Bars]:
        """Progress bars while something longer runs; none when stderr is piped."""
        if not self.quiet:
            self._warn_of_compiling()
        bars = Bars(self.console(sys.stderr)) if sys.stderr.isatty() and not self.quiet else Bars(None)
        try:
            yield bars
        finally:
            bars.close()


class Bars:
    """One bar per stage; a stage that starts over starts its bar over."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: float) -> None:
        """Stage ``stage`` is done by 0 to 1; may be called from any thread."""
        if self._console is None:
            return
        with self._lock:
            progress = self._progress or self._start(self._console)
            if stage not in self._tasks:
                self._finish_others()
                self._tasks[stage] = progress.add_task(_STAGES.get(stage, stage), total=1.0)
            progress.update(self._tasks[stage], completed=done)

    def analyze(self, name: str, done: float) -> None:
        """The same for `analyze`, which names the track."""
        self("analyze", done)

    def close(self) -> None:
        """Take the bars off the terminal."""
        with self._lock:
            if self._progress is not None:
                self._progress.stop()
            self._progress, self._console = None, None

    def _start(self, console: Console) -> Progress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        )  # fmt: skip
        self._progress.start()
        return self._progress

    def _finish_others(self) -> None:
        for task in self._tasks.values():
            assert self._progress is not None
            self._progress.update(task, completed=1.0)
