"""The stereo console with a layout behind it: strips placed, the master over all channels, ears where they are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from tonmeister.audio import Audio
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import BLOCK_FRAMES, Section, Sink, on_time, render_blocks
from tonmeister.render import render as render_stereo
from tonmeister.spatial.binaural import Binaural
from tonmeister.spatial.bus import STEREO_ROWS, SpatialBus
from tonmeister.spatial.layouts import BINAURAL, Layout, layout
from tonmeister.spatial.master import SpatialMaster
from tonmeister.spatial.places import feeding, with_places
from tonmeister.spatial.placing import Mode
from tonmeister.strip import MASTER, Strip
from tonmeister.strip_processor import DelayLine
from tonmeister.units import FloatArray

__all__ = ["FORMS", "Form", "Placing", "SpatialDesk", "render", "through"]

Form = Literal["wav", "adm"]
FORMS: Final[Sequence[Form]] = ("wav", "adm")


@dataclass(frozen=True, slots=True)
class Placing:
    """Into which layout, and how."""

    layout: str
    mode: Mode = "exact"
    form: Form = "wav"
    mono: Collection[str] = ()
    """Names of stereo tracks whose channels are the same; mono tracks need not be named."""
    limited: bool = True
    """Whether a limiter may hold peaks where a loudness is to be met; without one the gain stops at the ceiling."""

    @property
    def ears(self) -> bool:
        return self.layout == BINAURAL

    @property
    def speakers(self) -> Layout:
        return layout(self.layout)


def render(
    multitrack: Multitrack, plan: MixPlan, *, threads: int | None = None, layout: str = "stereo", mode: Mode = "exact"
) -> Audio:  # fmt: skip
    """The whole mix in memory, float32 (channels, frames) in the order of the layout, at the multitrack's rate.

    Places that the plan does not hold come from the table ``places.toml``.
    """
    if layout == "stereo":
        return render_stereo(multitrack, plan, threads=threads)
    placed = with_places(plan)
    desk = SpatialDesk(multitrack, placed, Placing(layout, mode), threads=threads)
    stacks = [np.zeros((desk.rows, 0), np.float32), *desk.stacks(placed[MASTER])]
    return Audio(np.concatenate(stacks, axis=1)[STEREO_ROWS:], multitrack.sample_rate)


class SpatialDesk:
    """Gives stacks of `rows`: the stereo mix, then loudspeakers and objects, or two ears; for one run."""

    def __init__(
        self,
        multitrack: Multitrack,
        plan: MixPlan,
        placing: Placing,
        *,
        threads: int | None = None,
        section: Section | None = None,
    ) -> None:
        plain = Strip(MASTER, kind="master", output="")
        strips = tuple(plain if s.kind == "master" else s for s in plan.strips)
        self._plan = dataclasses.replace(plan, strips=strips)
        self._multitrack, self._placing = multitrack, placing
        self._threads, self._section = threads, section
        self._bus = SpatialBus(
            feeding(plan), placing.speakers, placing.mode, multitrack.sample_rate,
            mono={*placing.mono, *_mono_strips(multitrack, plan)}, objects=placing.form == "adm",
        )  # fmt: skip
        self.rows = STEREO_ROWS + 2 if placing.ears else self._bus.rows
        self.objects = self._bus.objects

    def stacks(
        self, master: Strip, *, stems: Sink | None = None, plain_sum: Sink | None = None
    ) -> Iterator[FloatArray]:
        """The song behind a master strip; sinks as in `render.render_blocks`."""
        start = self._section.start if self._section else 0
        rate = self._multitrack.sample_rate
        made = through(master, self._placed(stems, plain_sum), self._bus.rows, rate, start)
        return self._heard(made) if self._placing.ears else made

    def _placed(self, stems: Sink | None, plain_sum: Sink | None) -> Iterator[FloatArray]:
        def take(name: str, block: FloatArray) -> None:
            self._bus.take(name, block)
            if stems is not None:
                stems(name, block)

        blocks = render_blocks(
            self._multitrack, self._plan, threads=self._threads, section=self._section,
            stems=take, plain_sum=plain_sum,
        )  # fmt: skip
        for block in blocks:
            yield self._bus.mix(block)
        yield self._bus.finish()

    def _heard(self, stacks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The loudspeakers of stacks through the head, the stereo mix as it is."""
        head = Binaural(self._placing.speakers, self._multitrack.sample_rate)
        late = DelayLine(STEREO_ROWS, head.latency_frames)

        def listen(stack: FloatArray) -> FloatArray:
            return np.concatenate([late.process(stack[:STEREO_ROWS]), head.process(stack[STEREO_ROWS:])])

        return on_time(listen, stacks, head.latency_frames, self._bus.rows)


def through(
    strip: Strip, stacks: Iterable[FloatArray], rows: int, sample_rate: int, start: int = 0
) -> Iterator[FloatArray]:
    """Stacks behind a master strip; `start` is the song position of the first frame."""
    master = SpatialMaster(strip, rows, sample_rate, BLOCK_FRAMES)
    master.start(start)
    return on_time(master.process, _cut(stacks), master.latency_frames, rows)


def _mono_strips(multitrack: Multitrack, plan: MixPlan) -> list[str]:
    """Tracks that are mono up to their pan."""
    channels: Mapping[str, int] = {t.name: t.channels for t in multitrack.tracks}
    return [
        s.name
        for s in plan.strips
        if channels.get(s.name) == 1 and not any(i.effect.needs_stereo for i in s.inserts)
    ]


def _cut(stacks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Blocks that processors take, none of them empty."""
    for stack in stacks:
        for start in range(0, stack.shape[1], BLOCK_FRAMES):
            yield stack[:, start : start + BLOCK_FRAMES]
