"""What a performance leaves behind: the inputs, the mix, the log of operations, and a plan that repeats it.

The plan holds every control as an automation curve through the points it really went through, so that rendering the
recorded inputs with it gives the recorded mix, bit for bit.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tonmeister.audio_output import AudioWriter, check_writable
from tonmeister.console import dropped
from tonmeister.decisions import Automate, Decision, Mute, Reason
from tonmeister.errors import BadInputError
from tonmeister.live.faders import Control, tick_frames
from tonmeister.live.operations import DESK, OPERATIONS, OperationLog
from tonmeister.live.ring import Journal
from tonmeister.live.show import Show
from tonmeister.loading import CONFIG_NAME
from tonmeister.plan import MixPlan
from tonmeister.plan_file import save_plan
from tonmeister.strip import Curve
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Recorder", "Tracks", "check_folder", "recorded_plan"]

INPUTS = "inputs"


class Tracks:
    """The way of every control through the performance, as breakpoints."""

    def __init__(self, show: Show) -> None:
        self._controls = show.controls
        self._rate, self._tick = show.sample_rate, tick_frames(show.sample_rate)
        self._last: DoubleArray = show.faders().level()
        self._points: list[list[tuple[int, float]]] = [[(0, float(level))] for level in self._last]
        self._frame = 0
        self.exact = True
        """Whether nothing of the journal was lost."""

    def update(self, journal: Journal) -> None:
        """Take what has been written since."""
        rows = journal.read()
        self.exact = self.exact and not journal.lost_rows
        for row in rows:
            for index in np.flatnonzero(row != self._last).tolist():
                points = self._points[index]
                if points[-1][0] < self._frame:
                    points.append((self._frame, float(self._last[index])))
                points.append((self._frame + self._tick, float(row[index])))
            self._last = row
            self._frame += self._tick

    def curves(self) -> list[tuple[Control, Curve]]:
        """An automation curve for every control."""
        return [
            (control, Curve(tuple(f / self._rate for f, _ in points), tuple(v for _, v in points)))
            for control, points in zip(self._controls, self._points, strict=True)
        ]


def recorded_plan(plan: MixPlan, tracks: Tracks, *, engine: str) -> MixPlan:
    """The plan with every control moving as it did."""
    by = f"live desk{f' ({engine})' if engine else ''}"
    decisions: list[Decision] = [
        Mute(s.name, False, reason=Reason("Mutes are in the curve of the fader.", source=by))
        for s in plan.strips
        if s.muted
    ]
    for control, curve in tracks.curves():
        moves = len(curve.times_s) - 1
        text = "Recorded at the live desk: " + (f"{moves} points of movement." if moves else "not moved.")
        reason = Reason(text, source=by, rule="live.recorded")
        decisions.append(Automate(control.strip, control.parameter, curve, reason=reason))
    return plan.with_decisions(decisions, engine=engine or plan.engine)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything, before the performance."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder}: exists already and is not empty: give a new folder for the recording")
    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder)


class Recorder:
    """Writes a performance into a folder; use it in a ``with`` statement."""

    def __init__(self, show: Show, folder: Path, *, latency_frames: int = 0) -> None:
        check_folder(folder)
        self._show, self._folder = show, folder
        self._late = latency_frames
        self._stack = ExitStack()
        self.frames = self._mixed = 0

    def __enter__(self) -> Recorder:
        inputs, rate = self._folder / INPUTS, self._show.sample_rate
        inputs.mkdir()
        files = {name: f"{i:02d}_{_file_name(name)}.wav" for i, name in enumerate(self._show.channels, 1)}
        self._inputs = [
            self._stack.enter_context(
                AudioWriter(inputs / files[name], rate, channels, subtype="32f", title=name)
            )
            for name, channels in self._show.channels.items()
        ]
        self._mix = self._stack.enter_context(
            AudioWriter(self._folder / "mix.wav", rate, 2, subtype="32f", title=self._show.plan.title)
        )
        (inputs / CONFIG_NAME).write_text(_settings(self._show, files), "utf-8")
        strips = [s.name for s in self._show.plan.strips]
        self.log = self._stack.enter_context(OperationLog(self._folder, strips))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Complete the files whatever happened: a performance cannot be repeated; without any sound nothing stays."""
        self._stack.close()
        if kind is not None and not self.frames:
            shutil.rmtree(self._folder / INPUTS, ignore_errors=True)
            for name in ("mix.wav", OPERATIONS, DESK, "plan.json"):
                (self._folder / name).unlink(missing_ok=True)

    def write(self, block: FloatArray) -> None:
        """Append (lanes + 2, frames): the inputs, then the mix, which comes late by the desk's latency."""
        inputs = block[: self._show.lanes, : self._show.frames - self.frames]
        for writer, (name, first) in zip(self._inputs, self._show.first_lane.items(), strict=True):
            writer.write(inputs[first : first + self._show.channels[name]])
        self.frames += inputs.shape[1]
        self._late, mix = dropped(self._late, block[self._show.lanes :])
        mix = mix[:, : self._show.frames - self._mixed]
        self._mix.write(mix)
        self._mixed += mix.shape[1]

    def finish(self, plan: MixPlan) -> None:
        """Save the plan that repeats the performance."""
        save_plan(plan, self._folder / "plan.json")


def _file_name(name: str) -> str:
    return "".join("-" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name).strip(". ") or "input"


def _settings(show: Show, files: dict[str, str]) -> str:
    """A tonmeister.toml that gives the recorded files the names and roles they had at the desk."""
    lines = [f"title = {_quoted(show.plan.title or 'live')}", f"sample_rate = {show.sample_rate}"]
    for track in show.plan.tracks:
        lines += [
            f"\n[tracks.{_quoted(files[track.name])}]",
            f"name = {_quoted(track.name)}",
            f"instrument = {_quoted(track.instrument)}",
            f"role = {_quoted(track.role)}",
            'kind = "source"',
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
