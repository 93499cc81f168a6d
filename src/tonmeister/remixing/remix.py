"""A recording becomes tracks, a plan moves them, the ordinary renderer makes the sound.

Tracks and residual add up to the recording, so a plan that moves nothing gives it back. The remix is as loud as the
recording unless a target is asked for.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.analysis.mix import MixMeasurement, measure_mix
from tonmeister.audio_output import check_output, made_folder
from tonmeister.decisions import Decision, SetPan
from tonmeister.dsp.pcm import open_quickly
from tonmeister.errors import BadInputError, nearest
from tonmeister.features import MultitrackFeatures
from tonmeister.finish import Finished, finish, render_to_file
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import Progress, decide, listen, track_records
from tonmeister.plan import MixPlan
from tonmeister.remixing.balance import balance_decision
from tonmeister.remixing.faders import ASKED, BY, expected_shares, gain_decision, warnings
from tonmeister.separation.base import RESIDUAL
from tonmeister.separation.expected import expected_sdr
from tonmeister.separation.streaming import StreamingSeparator
from tonmeister.strip import PARAMETERS
from tonmeister.targets import Target

__all__ = ["Remix", "Wishes", "remix"]

_CEILING_DBTP: Final = -1.0  # as `targets`: EBU R128 s1
_FULL_SCALE_DBTP: Final = 0.0


@dataclass(frozen=True)
class Wishes:
    """What should be different."""

    gains_db: Mapping[str, float] = field(default_factory=dict)
    """Track -> how much louder; minus infinity turns it off."""
    pans: Mapping[str, float] = field(default_factory=dict)
    """Track -> -1 left to 1 right."""
    balance: Mapping[str, float | None] = field(default_factory=dict)
    """Track -> LU against everything else; None: as in finished mixes."""
    plain_faders: bool = False
    """Whether faders stand at what was asked, and do not make up for what the separation missed."""
    engine: str | None = None
    """Who mixes the tracks; None: nobody, faders at unity."""
    options: Mapping[str, str] = field(default_factory=dict)
    target: Target | None = None
    """None: as loud as the recording."""
    seed: int = 0


@dataclass(frozen=True)
class Remix:
    """A finished remix: what was written, the tracks' measurements, what is to be said."""

    plan: MixPlan
    finished: Finished
    features: MultitrackFeatures
    recording: MixMeasurement
    notes: tuple[str, ...]


def remix(
    song: Path,
    output: Path,
    separator: StreamingSeparator,
    wishes: Wishes,
    *,
    tracks: Path | None = None,
    threads: int | None = None,
    subtype: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Remix:
    """Separate `song`, mix its tracks as `wishes` say, write `output`; `tracks` is a folder to keep the tracks in.

    Raises `BadInputError` for a track that the separator does not make, and for songs of more than two channels.
    """
    told = progress or (lambda stage, done: None)
    check_output(output, overwrite=overwrite, subtype=subtype)
    _check_tracks(wishes, separator)
    with open_quickly(song) as reader:
        channels, rate = reader.channels, reader.sample_rate
    if channels > 2:
        raise BadInputError(
            f"{song}: channels={channels}: a remix is made of mono or stereo: mix it down first, "
            "or separate it and mix its tracks"
        )
    with _folder(tracks, output) as folder:
        separated = separator.separate_file(
            song, folder, overwrite=overwrite, progress=lambda done: told("separate", done)
        )
        multitrack = dataclasses.replace(separated, title=separated.title or song.stem)
        plan, features, notes = _decided(multitrack, separator, wishes, song, told, threads)
        recording = _measured(song, rate)
        how = {"threads": threads, "subtype": subtype, "overwrite": overwrite, "progress": told}
        target = wishes.target or _as_the_recording(plan, recording, subtype)
        finished = (
            finish(multitrack, plan, output, target=target, **how)  # type: ignore[arg-type]
            if target
            else render_to_file(multitrack, plan, output, **how)  # type: ignore[arg-type]
        )
    return Remix(finished.plan, finished, features, recording, tuple(notes))


def _check_tracks(wishes: Wishes, separator: StreamingSeparator) -> None:
    known = [*separator.tracks, RESIDUAL]
    for name in (*wishes.gains_db, *wishes.pans, *wishes.balance):
        if name not in known:
            raise BadInputError(
                f"{separator.name!r} makes no track {name!r}{nearest(name, known)}: it makes {', '.join(known)}"
            )
    for name, gain_db in wishes.gains_db.items():
        if gain_db != -math.inf:
            PARAMETERS["gain_db"].check(name, gain_db)


@contextmanager
def _folder(tracks: Path | None, output: Path) -> Iterator[Path]:
    """The folder of the tracks: the one asked for, or one beside the output that is gone when left."""
    if tracks is not None:
        with made_folder(tracks):
            yield tracks
    else:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".tonmeister-remix-") as folder:
            yield Path(folder)


def _decided(
    multitrack: Multitrack,
    separator: StreamingSeparator,
    wishes: Wishes,
    song: Path,
    told: Progress,
    threads: int | None,
) -> tuple[MixPlan, MultitrackFeatures, list[str]]:
    """The plan, what it rests on, and what is to be said."""
    if wishes.engine is not None:
        multitrack, features = listen(multitrack, names_only=True, threads=threads, progress=told)
        plan = decide(
            multitrack,
            features,
            engine=wishes.engine,
            options=wishes.options,
            seed=wishes.seed,
            target=wishes.target,
        )
    else:
        features = analyze(multitrack, threads=threads, progress=lambda _, done: told("analyze", done))
        plan = MixPlan.of(
            (), title=multitrack.title, sample_rate=multitrack.sample_rate,
            tracks=track_records(multitrack, features), engine=BY, seed=wishes.seed,
        )  # fmt: skip
    plain = wishes.plain_faders or wishes.engine is not None
    shares = {} if plain else expected_shares(multitrack, song)
    sdr_db, notes, decisions = expected_sdr(separator), list[str](), list[Decision]()
    for track, wanted_lu in wishes.balance.items():
        decision, said = balance_decision(features, track, wanted_lu, sdr_db.get(track), shares)
        notes.append(said)
        decisions += [decision] if decision else []
    for track, gain_db in wishes.gains_db.items():
        decisions.append(gain_decision(track, gain_db, plan[track].gain_db, shares.get(track, 1.0)))
    decisions += [SetPan(track, pan, reason=ASKED) for track, pan in wishes.pans.items()]
    if wishes.engine is None:
        notes += warnings(features, wishes.gains_db, sdr_db)
    return plan.with_decisions(decisions) if decisions else plan, features, notes


def _measured(song: Path, sample_rate: int) -> MixMeasurement:
    """The recording as it sounds from two loudspeakers."""
    with open_quickly(song) as reader:
        stereo = (np.repeat(b, 2, axis=0) if len(b) == 1 else b for b in reader.blocks(1 << 16))
        return measure_mix(stereo, sample_rate, 2)


def _as_the_recording(plan: MixPlan, recording: MixMeasurement, subtype: str | None) -> Target | None:
    """The recording's loudness, its peaks at most as high or at -1 dBTP; None where nothing moves or sounds."""
    untouched = MixPlan.of((), title="", sample_rate=plan.sample_rate, tracks=plan.tracks)
    if plan.strips == untouched.strips or recording.integrated_lufs is None:
        return None
    peak = recording.true_peak_dbtp if recording.true_peak_dbtp is not None else _CEILING_DBTP
    ceiling = max(peak, _CEILING_DBTP)
    if subtype not in ("32f", "FLOAT"):
        ceiling = min(ceiling, _FULL_SCALE_DBTP)
    return Target(
        "recording",
        round(recording.integrated_lufs, 2),
        round(ceiling, 2),
        source="the loudness of the recording",
    )
