"""A finished recording into a layout: as a whole, or track by track behind a separator."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.analysis.recording import Faults
from tonmeister.audio import open_audio, probe
from tonmeister.errors import BadInputError
from tonmeister.finish import Finished, Progress
from tonmeister.moves import Move, apply_moves
from tonmeister.multitrack import Multitrack, SourceFile, Track
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.spatial.checks import LayoutChecks
from tonmeister.spatial.finishing import ADM_RATE, check_layout_output, finish_in_layout
from tonmeister.spatial.places import BY, with_places
from tonmeister.spatial.rendering import Placing
from tonmeister.targets import Target

__all__ = ["SONG", "upmix"]

SONG: Final = "song"
"""Name of the strip that holds a song that was not separated."""

_BLOCK_FRAMES: Final = 1 << 16
_CEILING_DBTP: Final = -1.0  # EBU R128 s1, as for every target


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one pass over the song tells."""

    lufs: float | None
    mono: bool
    """Whether both channels are the same throughout."""


def upmix(
    song: Path,
    output: Path,
    placing: Placing,
    *,
    model: str | None = None,
    target: Target | None = None,
    moves: Sequence[Move] = (),
    overwrite: bool = False,
    subtype: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[Finished, LayoutChecks]:
    """Place a mono or stereo recording into a layout.

    Without `model` the recording is one strip, whose room is told from its direct sound; with one its separated tracks and
    their residual are placed by what they are. Without `target` the result is as loud as the song, in ``exact`` mode by a
    gain alone.
    """
    check_layout_output(output, placing, overwrite=overwrite, subtype=subtype)
    info = probe(song)
    if info.channels > 2:
        raise BadInputError(
            f"{song}: channels={info.channels}: an upmix starts from mono or stereo: give such a file"
        )
    told = progress or (lambda stage, done: None)
    heard = _listen(song, info.channels, told)
    limited = target is not None or placing.mode == "free" or placing.ears
    with _tracks(song, output, model, told) as tracks:
        rate = ADM_RATE if placing.form == "adm" else info.sample_rate
        multitrack = Multitrack(info.title or song.stem, tracks, rate)
        whole = () if model else (SONG,)
        plan = apply_moves(with_places(_plan(multitrack, model), whole=whole), moves)
        names = [t.name for t in tracks] if heard.mono else []
        placed = dataclasses.replace(placing, mono=names, limited=limited)
        wanted = target or Target(
            "as the song",
            None if heard.lufs is None else round(heard.lufs, 2),
            _CEILING_DBTP,
            source="ITU-R BS.1770-4",
            evidence="M",
        )
        return finish_in_layout(
            multitrack, plan, output, placed, target=wanted, overwrite=overwrite, subtype=subtype, threads=threads,
            progress=progress,
        )  # fmt: skip


def _listen(song: Path, channels: int, told: Progress) -> _Heard:
    """Loudness as it sounds from two loudspeakers; refuses samples that are not numbers."""
    with open_audio(song) as reader:
        faults = Faults(str(song), reader.sample_rate, channels, checksum=False)
        meter = LoudnessMeter(reader.sample_rate, channels, dual_mono=True, peaks=False)
        mono, done = True, 0
        for block in reader.blocks(_BLOCK_FRAMES):
            faults.update(block)
            meter.update(block)
            mono = mono and bool(np.array_equal(block[0], block[-1]))
            done += block.shape[1]
            told("listen", done / max(reader.frames, 1))
    if not done:
        raise BadInputError(f"{song}: holds no samples: export it again")
    lufs = meter.integrated_lufs
    return _Heard(None if lufs is None else round(lufs, 2), mono)


@contextmanager
def _tracks(song: Path, output: Path, model: str | None, told: Progress) -> Iterator[tuple[Track, ...]]:
    """The tracks of the song; separated ones lie in a folder beside the output for as long as they are needed."""
    if model is None:
        yield (Track(SONG, (SourceFile(song, probe(song)),), evidence="a finished recording"),)
        return
    from tonmeister.separation.registry import load_separator

    separator = load_separator(model)
    with tempfile.TemporaryDirectory(prefix=".tonmeister-", dir=output.parent) as folder:
        separated: Any = separator.separate_file(
            song, Path(folder), progress=lambda done: told("separate", done)
        )
        yield separated.tracks


def _plan(multitrack: Multitrack, model: str | None) -> MixPlan:
    records = [
        TrackRecord(
            t.name, t.file, t.instrument, t.role, t.confidence, t.evidence, t.channels,
            t.frames_at(multitrack.sample_rate),
        )
        for t in multitrack.tracks
    ]  # fmt: skip
    options = {"model": model} if model else {}
    return MixPlan.of(
        (), title=multitrack.title, sample_rate=multitrack.sample_rate, tracks=records, engine=BY, options=options,
        ceiling_dbtp=_CEILING_DBTP,
    )  # fmt: skip
