"""What the person at the desk sees and presses: meters, faders, counters; one key for each action."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TextIO

from tonmeister.decisions import Mute, SetGain
from tonmeister.live.controller import Controller
from tonmeister.live.limits import limit
from tonmeister.live.link import Gauges, State
from tonmeister.live.show import Show
from tonmeister.units import SILENCE_DB, gain_to_db

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["HELP", "Hands", "key_presses", "screenful"]

HELP: Final = (
    "h hold all  m mute the mix  b bypass the engine  up/down strip  left/right fader  x mute strip  "
    "r release strip  q quit"
)
_METER_CELLS: Final = 24
_METER_FLOOR_DB: Final = -60.0
_ARROWS: Final[Mapping[str, str]] = {"[A": "up", "[B": "down", "[C": "right", "[D": "left"}


class Hands:
    """Keys to the person's moves."""

    def __init__(self, show: Show, controller: Controller, gauges: Gauges, stop: Callable[[], None]) -> None:
        self._show, self._controller, self._gauges, self._stop = show, controller, gauges, stop
        self._names = list(show.channels)
        self._faders = {c.strip: i for i, c in enumerate(show.controls) if c.parameter == "gain_db"}
        self._at: dict[str, float] = {}
        self._shut = {s.name for s in show.plan.strips if s.muted}
        self.selected = 0

    def press(self, key: str) -> None:
        """Do what a key says; others do nothing."""
        controller = self._controller
        actions: dict[str, Callable[[], None]] = {
            "h": lambda: controller.hold(not controller.held),
            "m": lambda: controller.panic(not controller.panicked),
            "b": lambda: controller.bypass(not controller.bypassed),
            "q": self._stop,
            "up": lambda: self._select(-1),
            "down": lambda: self._select(1),
            "left": lambda: self._nudge(-limit("operator", "nudge_db")),
            "right": lambda: self._nudge(limit("operator", "nudge_db")),
            "x": self._mute,
            "r": self._release,
        }
        if key in actions:
            actions[key]()

    @property
    def strip(self) -> str:
        """The strip that is selected."""
        return self._names[self.selected]

    def _select(self, step: int) -> None:
        self.selected = (self.selected + step) % len(self._names)

    def _nudge(self, step_db: float) -> None:
        if not self._show.moves:
            return
        level_db = float(self._gauges.levels[self._faders[self.strip]])
        at_db = self._at.get(self.strip, level_db) if self._held() else level_db
        self._at[self.strip] = min(max(at_db + step_db, -60.0), limit("fader", "ceiling_db"))
        self._controller.touch(SetGain(self.strip, self._at[self.strip]))

    def _held(self) -> bool:
        return (self.strip, "gain_db") in self._controller.touched

    def _mute(self) -> None:
        if not self._show.moves:
            return
        self._shut ^= {self.strip}
        self._controller.touch(Mute(self.strip, self.strip in self._shut))

    def _release(self) -> None:
        self._controller.release(self.strip)


@contextlib.contextmanager
def key_presses(stream: TextIO | None = None) -> Iterator[Callable[[], list[str]]]:
    """A function that gives the keys pressed since the last call; none where there is no terminal."""
    stream = stream or sys.stdin
    try:
        import termios
        import tty

        before = termios.tcgetattr(stream)
    except (ImportError, OSError, ValueError, termios.error):
        yield list
        return
    tty.setcbreak(stream)
    try:
        yield lambda: _waiting_keys(stream)
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


def _waiting_keys(stream: TextIO) -> list[str]:
    import os
    import select

    text = ""
    while select.select([stream], [], [], 0)[0]:
        read = os.read(stream.fileno(), 64).decode("utf-8", "replace")
        if not read:
            break
        text += read
    return keys_of(text)


def keys_of(text: str) -> list[str]:
    """Keys in what a terminal sends: letters, and arrows as ``up``, ``down``, ``left``, ``right``."""
    keys: list[str] = []
    while text:
        if text[0] == "\x1b" and text[1:3] in _ARROWS:
            keys.append(_ARROWS[text[1:3]])
            text = text[3:]
        else:
            keys.append(text[0])
            text = text[1:]
    return keys


def screenful(show: Show, gauges: Gauges, controller: Controller, hands: Hands) -> RenderableType:
    """Everything at a glance."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "strip", "input", "", "fader dB", "pan", ""):
        made.add_column(name, justify="right" if name in ("fader dB", "pan") else "left", no_wrap=True)
    at = {(c.strip, c.parameter): float(gauges.levels[i]) for i, c in enumerate(show.controls)}
    for row, name in enumerate(show.channels):
        peak_db = gain_to_db(float(gauges.peaks[row]))
        plan = show.plan[name]
        made.add_row(
            ">" if row == hands.selected else "",
            Text(name),
            _bar(peak_db),
            _level(peak_db),
            _level(at.get((name, "gain_db"), plan.gain_db)),
            f"{at.get((name, 'pan'), plan.pan):+.2f}",
            "by hand" if any(strip == name for strip, _ in controller.touched) else "",
        )
    mix_db = gain_to_db(float(gauges.mix_peaks.max()))
    made.add_row("", Text("mix", "bold"), _bar(mix_db), _level(mix_db), "", "", _switches(controller))
    return Group(Text(headline(show, gauges, controller)), made, Text(HELP, "dim"))


def _switches(controller: Controller) -> str:
    names = {"HELD": controller.held, "MUTED": controller.panicked, "BYPASSED": controller.bypassed}
    return " ".join(name for name, on in names.items() if on)


def _bar(level_db: float) -> str:
    share = (max(level_db, _METER_FLOOR_DB) - _METER_FLOOR_DB) / -_METER_FLOOR_DB
    cells = min(round(share * _METER_CELLS), _METER_CELLS)
    return "#" * cells + "-" * (_METER_CELLS - cells)


def _level(level_db: float) -> str:
    return "off" if level_db <= -96.0 or level_db <= SILENCE_DB else f"{level_db:.1f}"


def headline(show: Show, gauges: Gauges, controller: Controller) -> str:
    """Time, processor, counters and where we are, in a line."""
    seconds = gauges.position / show.sample_rate
    share = cpu_share(show, gauges)
    parts = [
        f"{int(seconds) // 60}:{seconds % 60:04.1f}",
        _STATES[gauges.state],
        f"audio CPU {share:.0%}",
        f"late {gauges.misses}",
        f"dropouts {gauges.dropouts}",
    ]
    if gauges.device_latency_ms:
        parts.append(f"device {gauges.device_latency_ms:.1f} ms")
    if controller.position is not None:
        where = controller.position
        parts.append(f"beat {where.beat:.1f} ({where.confidence:.0%} sure)")
    return "  ".join(parts)


def cpu_share(show: Show, gauges: Gauges) -> float:
    """Processor time of the blocks over their length."""
    blocks = gauges.blocks * show.block_frames / show.sample_rate
    return gauges.cpu_us / 1e6 / blocks if blocks else 0.0


_STATES: Final = {
    State.STARTING: "starting",
    State.RUNNING: "running",
    State.DEVICE_LOST: "DEVICE LOST",
    State.ENDED: "ended",
    State.FAILED: "FAILED",
}
