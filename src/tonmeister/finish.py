"""From plan to file: render once, meet the loudness target, write, measure what was written.

The tracks are read once. The mix before its loudness stage waits in a scratch file beside the output (float32),
so the gain into the limiter can be found by trying: L(g) rises with g, and a secant search needs a few passes
over two channels instead of over all tracks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.analysis.mix import MixMeasurement, MixMeter
from tonmeister.audio import open_audio
from tonmeister.audio_output import AudioWriter, check_output
from tonmeister.decisions import AddInsert, Reason
from tonmeister.delivery import Aside, Scratch, StemWriters
from tonmeister.effects.gain import Gain
from tonmeister.effects.limiter import Limiter
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Multitrack
from tonmeister.plan import LIMITER_SLOT, LOUDNESS_SLOT, MixPlan
from tonmeister.render import Section, process_strip, render_blocks, split_master
from tonmeister.strip import MASTER
from tonmeister.targets import Target
from tonmeister.units import FloatArray, Range

__all__ = [
    "Delivery",
    "Finished",
    "MAX_PASSES",
    "Progress",
    "TOLERANCE_LU",
    "error_lu",
    "finish",
    "first_gain_db",
    "missed",
    "next_gain_db",
    "render_to_file",
    "section_frames",
    "unlimited",
    "with_gain",
]

Progress = Callable[[str, float], None]

BY: Final = "target"
TOLERANCE_LU: Final = 0.03
MAX_PASSES: Final = 10
_GAIN: Final = Range(-60.0, 40.0, "dB")
_LIMITER_MARGIN_DB: Final = 0.1
"""The limiter aims a little lower, for what dither and rounding add."""
_LIMITER_CARE_DB: Final = 0.5
"""The limiter sees peaks that our meter does not by less than this."""
_LOSSY: Final = frozenset((".mp3", ".ogg", ".opus"))


@dataclass(frozen=True)
class Finished:
    """What was written, and what it measures."""

    plan: MixPlan
    output: Path
    before: MixMeasurement
    after: MixMeasurement
    stems: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def finish(
    multitrack: Multitrack,
    plan: MixPlan,
    output: Path,
    *,
    target: Target,
    progress: Progress | None = None,
    **how: Any,
) -> Finished:
    """Render `plan`, bring it to `target`, write it to `output`; returns the plan with the loudness stage in it.

    `how` is as in `Delivery`.
    """
    job = _Job(multitrack, Delivery(output, **how), progress)
    plan = with_gain(plan, target, 0.0)
    with Scratch(output) as scratch, job.stem_writers(plan) as stems:
        premaster = job.render(split_master(plan)[0], stems, scratch.write)
        plan, after = _meet(plan, target, scratch, premaster, job)
    return job.finished(plan, after, stems, missed(after, target))


def render_to_file(
    multitrack: Multitrack, plan: MixPlan, output: Path, *, progress: Progress | None = None, **how: Any
) -> Finished:
    """Render a finished plan exactly as it stands, in one pass; `how` is as in `Delivery`."""
    job = _Job(multitrack, Delivery(output, **how), progress)
    with job.stem_writers(plan) as stems, job.writer(plan) as writer:
        after = job.render(plan, stems, writer.write)
    return job.finished(plan, after, stems, [])


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a mix goes, and how."""

    output: Path
    threads: int | None = None
    subtype: str | None = None
    """Sample format, see `audio_output.SUBTYPES`; None: the usual one of the file type."""
    stems: Path | None = None
    """A folder for one file per strip that feeds the master."""
    section: Section | None = None
    overwrite: bool = False


class _Job:
    """One render: what is common to rendering a plan as it stands and to meeting a target."""

    def __init__(self, multitrack: Multitrack, delivery: Delivery, progress: Progress | None) -> None:
        check_output(delivery.output, overwrite=delivery.overwrite)
        self._multitrack = multitrack
        self._delivery = delivery
        self._told = progress or (lambda stage, done: None)
        self._before = MixMeter(multitrack.sample_rate, 2)
        self.frames = section_frames(multitrack, delivery.section)
        self.output = delivery.output
        self.subtype = delivery.subtype
        self._remarks: list[str] = []

    def stem_writers(self, plan: MixPlan) -> AbstractContextManager[StemWriters | None]:
        if self._delivery.stems is None:
            return nullcontext()
        return StemWriters(plan, self._delivery.stems, self._delivery.overwrite)

    def writer(self, plan: MixPlan) -> AudioWriter:
        """The file of the mix; it keeps the tracks' place on the session's time line."""
        infos = [source.info for track in self._multitrack.tracks for source in track.sources]
        return AudioWriter(
            self.output,
            plan.sample_rate,
            2,
            subtype=self.subtype,
            frames=self.frames,
            overwrite=self._delivery.overwrite,
            title=plan.title,
            time_reference_frames=min((i.time_reference_frames for i in infos), default=0),
            dither_seed=plan.seed,
        )

    def render(
        self, plan: MixPlan, stems: StemWriters | None, take: Callable[[FloatArray], None]
    ) -> MixMeasurement:
        """Render the tracks into `take`; the mix is measured, and so is the plain sum on the way."""
        meter = MixMeter(plan.sample_rate, 2)
        blocks = render_blocks(
            self._multitrack,
            plan,
            threads=self._delivery.threads,
            section=self._delivery.section,
            stems=stems.write if stems else None,
            plain_sum=lambda _, block: before(block),
            remark=self._remarks.append,
        )
        with Aside(self._before.update) as before, Aside(meter.update) as after:
            for block in self.told("render", blocks):
                after(block)
                take(block)
        return meter.result()

    def told(self, stage: str, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The blocks, with the progress told after each."""
        done = 0
        for block in blocks:
            yield block
            done += block.shape[1]
            self._told(stage, done / max(self.frames, 1))

    def finished(
        self, plan: MixPlan, after: MixMeasurement, stems: StemWriters | None, notes: list[str]
    ) -> Finished:
        after, more = _as_written(self.output, after, plan.ceiling_dbtp)
        before = self._before.result()
        plan = dataclasses.replace(plan, before=before.to_dict(), after=after.to_dict())
        return Finished(
            plan, self.output, before, after, stems.paths if stems else (), (*notes, *more, *self._remarks)
        )


def section_frames(multitrack: Multitrack, section: Section | None) -> int:
    """Frames of the part that is rendered."""
    if section is None:
        return multitrack.frames
    if section.start >= multitrack.frames:
        raise BadInputError(
            f"the excerpt starts at {section.start / multitrack.sample_rate:.1f} s, behind the end of the song "
            f"({multitrack.duration_s:.1f} s): start earlier"
        )
    left = multitrack.frames - section.start
    return left if section.frames is None else min(left, section.frames)


def _loudness_stage(target: Target, gain_db: float, *, limited: bool) -> list[AddInsert]:
    """The master's last two inserts as decisions: the gain that meets the target, the limiter that keeps peaks."""
    text = f"{gain_db:+.2f} dB brings the mix to {target}."
    reason = Reason(text, source=target.source, rule=f"target.{target.name}", evidence=target.evidence)
    stage = [AddInsert(MASTER, Gain(gain_db), LOUDNESS_SLOT, reason=reason, by=BY)]
    if limited and target.lufs is not None and target.ceiling_dbtp is not None:
        ceiling = Limiter(ceiling_dbtp=target.ceiling_dbtp - _LIMITER_MARGIN_DB)
        why = f"No peak above {target.ceiling_dbtp:g} dBTP ({_LIMITER_MARGIN_DB:g} dB kept for dither and rounding)."
        stage.append(
            AddInsert(MASTER, ceiling, LIMITER_SLOT, reason=dataclasses.replace(reason, text=why), by=BY)
        )
    return stage


def _meet(
    plan: MixPlan, target: Target, scratch: Scratch, premaster: MixMeasurement, job: _Job
) -> tuple[MixPlan, MixMeasurement]:
    """Write the output with the gain that meets the target.

    While the gain is sought, only loudness is measured and nothing is written. Where the limiter has nothing to do
    loudness follows the gain and the first gain is right.
    """
    gain_db = first_gain_db(target, premaster, floats=job.subtype in ("32f", "FLOAT"))
    tried: list[tuple[float, float]] = []
    sure = target.lufs is None or unlimited(target, premaster, gain_db)
    while True:
        plan = with_gain(plan, target, gain_db)
        last = len(tried) == MAX_PASSES
        if sure or last:
            with job.writer(plan) as writer:
                after = _pass(plan, scratch, writer, job)
                off_lu = error_lu(after.integrated_lufs, target)
                if last or abs(off_lu) <= TOLERANCE_LU:
                    return plan, after
                writer.discard()
        else:
            off_lu = error_lu(_loudness(plan, scratch, job), target)
        tried.append((gain_db, off_lu))
        sure = not sure and abs(off_lu) <= TOLERANCE_LU
        if not sure:
            gain_db = next_gain_db(tried)


def unlimited(target: Target, premaster: MixMeasurement, gain_db: float) -> bool:
    """Whether the gain leaves all peaks below the limiter's ceiling."""
    if target.ceiling_dbtp is None or premaster.true_peak_dbtp is None:
        return True
    return premaster.true_peak_dbtp + gain_db < target.ceiling_dbtp - _LIMITER_CARE_DB


def error_lu(measured_lufs: float | None, target: Target) -> float:
    """How far a loudness lies above the target; 0 where there is nothing to meet."""
    return 0.0 if target.lufs is None else (measured_lufs or target.lufs) - target.lufs


def _loudness(plan: MixPlan, scratch: Scratch, job: _Job) -> float | None:
    """Integrated loudness of what a gain gives, LUFS."""
    _, rest = split_master(plan)
    meter = LoudnessMeter(plan.sample_rate, 2, peaks=False)
    with Aside(meter.update) as measure:
        for block in job.told("finish", process_strip(rest, scratch.blocks(), plan.sample_rate)):
            measure(block)
    return meter.integrated_lufs


def _pass(plan: MixPlan, scratch: Scratch, writer: AudioWriter, job: _Job) -> MixMeasurement:
    """Run the end of the master over the waiting mix, into the writer and a meter."""
    _, rest = split_master(plan)
    meter = MixMeter(plan.sample_rate, 2)
    with Aside(meter.update) as measure, Aside(writer.write) as write:
        for block in job.told("finish", process_strip(rest, scratch.blocks(), plan.sample_rate)):
            measure(block)
            write(block)
    return meter.result()


def with_gain(plan: MixPlan, target: Target, gain_db: float, *, limited: bool = True) -> MixPlan:
    """The plan with this loudness stage; stages of before leave no trace in the log."""
    others = [d for d in plan.decisions if d.by != BY]
    stage = _loudness_stage(target, gain_db, limited=limited)
    return dataclasses.replace(plan, log=()).with_decisions([*others, *stage])


def first_gain_db(target: Target, premaster: MixMeasurement, *, floats: bool) -> float:
    """What meets the target when nothing is limited; for peaks and for `none` it is the answer."""
    if target.lufs is not None:
        if premaster.integrated_lufs is None:
            raise BadInputError(_why_unmeasurable(premaster))
        return _GAIN.clip(target.lufs - premaster.integrated_lufs)
    peak_db = premaster.sample_peak_db
    if peak_db is None:
        return 0.0
    if target.peak_db is not None:
        return _GAIN.clip(target.peak_db - peak_db)
    return 0.0 if floats or peak_db <= -_LIMITER_MARGIN_DB else -_LIMITER_MARGIN_DB - peak_db


def _why_unmeasurable(premaster: MixMeasurement) -> str:
    if premaster.sample_peak_db is None or premaster.frames >= 0.4 * premaster.sample_rate:
        return "the mix is silent, so it cannot be brought to a loudness: check faders and mutes"
    return (
        "the song is shorter than the 0.4 s that loudness is measured over (ITU-R BS.1770): "
        "give --target premaster or --target none"
    )


def next_gain_db(tried: list[tuple[float, float]]) -> float:
    """Secant step on error(gain); the slope stays between 0.1 and 1.2, for a limiter only flattens the line."""
    (gain_db, off_lu), slope = tried[-1], 1.0
    if len(tried) > 1:
        (earlier_db, earlier_lu) = tried[-2]
        if abs(gain_db - earlier_db) > 1e-9:
            slope = float(np.clip((off_lu - earlier_lu) / (gain_db - earlier_db), 0.1, 1.2))
    return _GAIN.clip(gain_db - off_lu / slope)


def missed(after: MixMeasurement, target: Target) -> list[str]:
    """A note when the target was not met."""
    if (
        target.lufs is None
        or after.integrated_lufs is None
        or abs(after.integrated_lufs - target.lufs) <= 0.1
    ):
        return []
    return [
        f"the target of {target.lufs:g} LUFS was not reached: {after.integrated_lufs:.1f} LUFS is what "
        f"{target.ceiling_dbtp:g} dBTP leaves room for"
    ]


def _as_written(
    output: Path, measured: MixMeasurement, ceiling_dbtp: float | None
) -> tuple[MixMeasurement, list[str]]:
    """Measure a lossy file again after encoding: its peaks are not the mix's."""
    if output.suffix.casefold() not in _LOSSY:
        return measured, []
    with open_audio(output) as reader:
        meter = MixMeter(reader.sample_rate, reader.channels)
        for block in reader.blocks(1 << 16):
            meter.update(block)
    after = meter.result()
    if ceiling_dbtp is None or after.true_peak_dbtp is None or after.true_peak_dbtp <= ceiling_dbtp:
        return after, []
    return after, [
        f"{output.name}: encoding raised the true peak to {after.true_peak_dbtp:.1f} dBTP, above the ceiling of "
        f"{ceiling_dbtp:g}: choose a quieter target or a lossless format"
    ]
