"""From plan to a file in a layout: place, meet the loudness target, write, check what was written.

As in `tonmeister.finish`, the tracks are read once; what comes before the loudness stage waits in a scratch file beside
the output, so that the gain into the limiter can be sought over it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter, TruePeakMeter
from tonmeister.analysis.mix import MixMeasurement, MixMeter
from tonmeister.audio_output import AudioWriter, check_output
from tonmeister.delivery import Aside, Scratch, StemWriters
from tonmeister.errors import BadInputError
from tonmeister.finish import (
    MAX_PASSES,
    TOLERANCE_LU,
    Delivery,
    Finished,
    Progress,
    error_lu,
    first_gain_db,
    missed,
    next_gain_db,
    section_frames,
    unlimited,
    with_gain,
)
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import Section, split_master
from tonmeister.spatial.adm import ADM_RATE, BEDS, AdmWriter, Program
from tonmeister.spatial.bus import STEREO_ROWS
from tonmeister.spatial.checks import LayoutChecks, LayoutMeter
from tonmeister.spatial.master import works_on_stereo
from tonmeister.spatial.places import unread_places
from tonmeister.spatial.placing import direction_gains
from tonmeister.spatial.rendering import Placing, SpatialDesk, through
from tonmeister.strip import MASTER, Strip
from tonmeister.targets import Target
from tonmeister.units import DoubleArray, FloatArray, gain_to_db

__all__ = [
    "ADM_RATE",
    "check_layout_output",
    "finish_in_layout",
    "render_in_layout",
]

_LARGEST_FLAC: Final = 8
_PEAK_MARGIN_DB: Final = 0.1
"""Kept below a ceiling that a gain alone has to meet, for dither and rounding."""


def check_layout_output(output: Path, placing: Placing, *, overwrite: bool, subtype: str | None) -> None:
    """Refuse an output that cannot hold the layout, before any work is done."""
    check_output(output, overwrite=overwrite, subtype=subtype)
    channels = 2 if placing.ears else placing.speakers.channels
    suffix = output.suffix.casefold()
    if placing.form == "adm":
        if suffix != ".wav" or subtype not in (None, "24", "PCM_24"):
            raise BadInputError(
                f"{output}: an ADM file is a .wav file of 24 bits: give such a name, and no other --bits"
            )
        if placing.layout not in BEDS:
            raise BadInputError(
                f"layout={placing.layout!r} has no ADM form: give one of {', '.join(BEDS)}, or leave --format adm out"
            )
    elif channels > 2 and suffix not in (".wav", ".rf64", ".flac"):
        raise BadInputError(f"{output}: layout={placing.layout} needs .wav, .rf64 or .flac: give such a name")
    elif suffix == ".flac" and channels > _LARGEST_FLAC:
        raise BadInputError(
            f"{output}: FLAC holds {_LARGEST_FLAC} channels, {placing.layout} has {channels}: give a .wav"
        )


def finish_in_layout(
    multitrack: Multitrack, plan: MixPlan, output: Path, placing: Placing, *, target: Target,
    progress: Progress | None = None, **how: Any,
) -> tuple[Finished, LayoutChecks]:  # fmt: skip
    """Render `plan` into a layout, bring it to `target`, write it; the plan comes back with the loudness stage in it.

    `how` is as in `finish.Delivery`. Where nothing can be measured (silence, less than 0.4 s) the level stays.
    """
    if placing.form == "adm" and multitrack.sample_rate != ADM_RATE:
        return _at_adm_rate(
            finish_in_layout, multitrack, plan, output, placing, target=target, progress=progress, **how
        )
    job = _Job(multitrack, plan, placing, Delivery(output, **how), progress)
    bare, _ = split_master(with_gain(plan, target, 0.0))
    with Scratch(output, job.rows) as scratch:
        meter = MixMeter(job.sample_rate, job.heard, weights=job.weights)
        # with a limiter the downmix is to stay below the ceiling, too; without one it is what it was
        watched = slice(0 if placing.limited else STEREO_ROWS, STEREO_ROWS)
        peaks = TruePeakMeter(job.heard + len(range(STEREO_ROWS)[watched]))
        with Aside(meter.update) as measure, Aside(peaks.update) as peak:
            for stack in job.rendered(bare):
                heard = job.monitored(stack)
                measure(heard)
                peak(np.concatenate([stack[watched], heard]))
                scratch.write(stack)
        highest = peaks.finish()
        premaster = dataclasses.replace(
            meter.result(), true_peak_dbtp=gain_to_db(highest) if highest > 0 else None
        )
        gain_db = _met_gain_db(plan, target, scratch, premaster, job)
        plan = with_gain(plan, target, gain_db, limited=placing.limited)
        blocks = job.through(split_master(plan)[1], scratch.blocks())
        finished, checks = job.written(plan, job.told("finish", blocks), gain_db)
    notes = missed(finished.after, target)
    if notes and not placing.limited:
        notes.append(
            "a gain alone keeps the downmix what it was; a limiter comes with --target or --mode free"
        )
    return dataclasses.replace(finished, notes=(*finished.notes, *notes)), checks


def render_in_layout(
    multitrack: Multitrack, plan: MixPlan, output: Path, placing: Placing, *, progress: Progress | None = None, **how: Any
) -> tuple[Finished, LayoutChecks]:  # fmt: skip
    """Render a finished plan into a layout as it stands, in one pass; `how` is as in `finish.Delivery`."""
    if placing.form == "adm" and multitrack.sample_rate != ADM_RATE:
        return _at_adm_rate(render_in_layout, multitrack, plan, output, placing, progress=progress, **how)
    job = _Job(multitrack, plan, placing, Delivery(output, **how), progress)
    return job.written(plan, job.rendered(plan), 0.0)


def _at_adm_rate(
    make: Callable[..., tuple[Finished, LayoutChecks]], multitrack: Multitrack, plan: MixPlan, *rest: Any, **how: Any
) -> tuple[Finished, LayoutChecks]:  # fmt: skip
    """The same with the tracks read at 48 kHz, which a plan in units of time and frequency does not mind."""
    section: Section | None = how.pop("section", None)
    if section is not None:
        start, frames = (
            None if n is None else round(n * ADM_RATE / multitrack.sample_rate)
            for n in (section.start, section.frames)
        )
        section = Section(start or 0, frames)
    faster = dataclasses.replace(multitrack, sample_rate=ADM_RATE)
    finished, checks = make(
        faster, dataclasses.replace(plan, sample_rate=ADM_RATE), *rest, section=section, **how
    )
    kept = dataclasses.replace(finished.plan, sample_rate=multitrack.sample_rate)
    return dataclasses.replace(finished, plan=kept), checks


def _met_gain_db(
    plan: MixPlan, target: Target, scratch: Scratch, premaster: MixMeasurement, job: _Job
) -> float:
    """The gain that meets the target; with a limiter behind it, found by trying."""
    room_db = _room_db(target, premaster)
    if target.ceiling_dbtp is not None and premaster.integrated_lufs is None:
        return min(0.0, room_db)
    gain_db = first_gain_db(target, premaster, floats=job.delivery.subtype in ("32f", "FLOAT"))
    if target.lufs is None or not job.placing.limited:
        return min(gain_db, room_db)
    tried: list[tuple[float, float]] = []
    while not unlimited(target, premaster, gain_db) and len(tried) < MAX_PASSES:
        rest = split_master(with_gain(plan, target, gain_db))[1]
        off_lu = error_lu(job.loudness(job.through(rest, scratch.blocks())), target)
        if abs(off_lu) <= TOLERANCE_LU:
            break
        tried.append((gain_db, off_lu))
        gain_db = next_gain_db(tried)
    return gain_db


def _room_db(target: Target, premaster: MixMeasurement) -> float:
    """Largest gain under the ceiling without a limiter."""
    if target.ceiling_dbtp is None or premaster.true_peak_dbtp is None:
        return float("inf")
    return target.ceiling_dbtp - _PEAK_MARGIN_DB - premaster.true_peak_dbtp


class _Job:
    """One render into a layout: what is common to its passes."""

    def __init__(
        self,
        multitrack: Multitrack,
        plan: MixPlan,
        placing: Placing,
        delivery: Delivery,
        progress: Progress | None,
    ) -> None:
        check_layout_output(delivery.output, placing, overwrite=delivery.overwrite, subtype=delivery.subtype)
        self.placing, self.delivery, self.sample_rate = placing, delivery, multitrack.sample_rate
        self._multitrack, self._plan = multitrack, plan
        self._speakers = placing.speakers
        self._told = progress or (lambda stage, done: None)
        self._before = MixMeter(self.sample_rate, 2)
        self._stems: tuple[Path, ...] = ()
        self._frames = section_frames(multitrack, delivery.section)
        self._desk = SpatialDesk(
            multitrack, plan, placing, threads=delivery.threads, section=delivery.section
        )
        self.rows = self._desk.rows
        self.heard = 2 if placing.ears else self._speakers.channels
        self.weights: DoubleArray | None = None if placing.ears else self._speakers.loudness_weights
        self._monitor = self._object_gains() if placing.form == "adm" else None

    def _object_gains(self) -> DoubleArray:
        """(loudspeakers, loudspeakers and objects): how a renderer with this layout plays the file."""
        strips = {s.name: s for s in self._plan.strips}
        columns = [np.eye(self._speakers.channels)]
        for name in self._desk.objects:
            columns += [
                direction_gains(self._speakers, azimuth_deg, elevation_deg)[:, None]
                for azimuth_deg, elevation_deg in object_directions(strips[name])
            ]
        return np.concatenate(columns, axis=1)

    def monitored(self, stack: FloatArray) -> FloatArray:
        """What the loudspeakers or ears get of a stack."""
        heard = stack[STEREO_ROWS:]
        return heard if self._monitor is None else (self._monitor @ heard).astype(np.float32)

    def loudness(self, stacks: Iterable[FloatArray]) -> float | None:
        """Integrated loudness of stacks, LUFS."""
        meter = LoudnessMeter(self.sample_rate, self.heard, peaks=False, weights=self.weights)
        with Aside(meter.update) as measure:
            for stack in self.told("finish", stacks):
                measure(self.monitored(stack))
        return meter.integrated_lufs

    def rendered(self, plan: MixPlan) -> Iterator[FloatArray]:
        """Stacks of the whole song behind the master strip of `plan`."""
        with self._stem_writers(plan) as stems, Aside(self._before.update) as before:
            stacks = self._desk.stacks(
                plan[MASTER], stems=stems.write if stems else None, plain_sum=lambda _, block: before(block)
            )
            yield from self.told("render", stacks)

    def through(self, strip: Strip, stacks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Stacks behind the end of a master strip."""
        return through(strip, stacks, self.rows, self.sample_rate)

    def _stem_writers(self, plan: MixPlan) -> Any:
        if self.delivery.stems is None:
            return nullcontext()
        writers = StemWriters(plan, self.delivery.stems, self.delivery.overwrite)
        self._stems = writers.paths
        return writers

    def told(self, stage: str, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The blocks, with the progress told after each."""
        done = 0
        for block in blocks:
            yield block
            done += block.shape[1]
            self._told(stage, done / max(self._frames, 1))

    def written(
        self, plan: MixPlan, stacks: Iterable[FloatArray], gain_db: float
    ) -> tuple[Finished, LayoutChecks]:
        """Write and measure finished stacks."""
        meter = MixMeter(self.sample_rate, self.heard, weights=self.weights)
        checks = LayoutMeter(
            self._speakers, self.sample_rate, ears=self.placing.ears, compared=self._monitor is None
        )
        with self._writer(plan) as writer, Aside(meter.update) as measure, Aside(checks.update) as check:
            for stack in stacks:
                heard = self.monitored(stack)
                measure(heard)
                check(np.concatenate([stack[:STEREO_ROWS], heard]))
                writer.write(self._in_file_order(stack[STEREO_ROWS:]))
        after, before = meter.result(), self._before.result()
        made = checks.result(
            self.placing.mode, stereo_frames=self._frames, integrated_lufs=after.integrated_lufs,
            true_peak_dbtp=after.true_peak_dbtp, gain_db=gain_db,
        )  # fmt: skip
        plan = dataclasses.replace(plan, before=before.to_dict(), after=after.to_dict())
        finished = Finished(plan, self.delivery.output, before, after, self._stems, tuple(self._notes(plan)))
        return finished, made

    def _notes(self, plan: MixPlan) -> list[str]:
        aside = [i.slot for i in plan[MASTER].inserts if works_on_stereo(i.effect)]
        notes = unread_places(plan)
        if aside:
            notes.append(
                f"master: {', '.join(aside)} works on the stereo mix, so only the front loudspeakers hear it"
            )
        if self._monitor is not None:
            notes.append(
                "ADM: who plays the objects places them; figures are for a renderer with these loudspeakers"
            )
        if self.placing.ears:
            notes.append("binaural: for headphones only; a spherical head without pinnae")
        return notes

    def _in_file_order(self, channels: FloatArray) -> FloatArray:
        if self.placing.ears or self.placing.form == "adm":
            return channels
        return channels[self._speakers.wave_order]

    def _writer(self, plan: MixPlan) -> Any:
        first = min(
            (s.info.time_reference_frames for t in self._multitrack.tracks for s in t.sources), default=0
        )
        if self.placing.form == "adm":
            strips = {s.name: s for s in plan.strips}
            objects = {name: object_directions(strips[name]) for name in self._desk.objects}
            program = Program(plan.title or self.delivery.output.stem, self._speakers, objects, self._frames)
            return AdmWriter(
                self.delivery.output, program, overwrite=self.delivery.overwrite, dither_seed=plan.seed
            )
        mask = None if self.heard == 2 else self._speakers.channel_mask
        return AudioWriter(
            self.delivery.output, self.sample_rate, self.heard, subtype=self.delivery.subtype, frames=self._frames,
            overwrite=self.delivery.overwrite, title=plan.title, time_reference_frames=first,
            dither_seed=plan.seed, channel_mask=mask,
        )  # fmt: skip


def object_directions(strip: Strip) -> tuple[tuple[float, float], tuple[float, float]]:
    """(azimuth, elevation) of the left and the right channel of a strip, degrees."""
    place = strip.place
    turned = ((place.azimuth_deg + side * place.spread_deg / 2.0 + 180.0) % 360.0 - 180.0 for side in (1, -1))
    left_deg, right_deg = turned
    return (left_deg, place.elevation_deg), (right_deg, place.elevation_deg)
