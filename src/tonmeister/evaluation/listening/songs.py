"""The songs of a test: their tracks, and the mix a person made of them where there is one.

Layouts: ``raw/`` beside ``human_mix.*`` or ``post/`` (the tracks behind the person's console, whose sum is the
mix); or a folder of tracks with a print of the mix among them. Stems that carry the person's balance already can
be disturbed (`scramble_db`), and their sum as it was is then the person's mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import AUDIO_SUFFIXES, probe
from tonmeister.errors import BadInputError
from tonmeister.evaluation.songs import scrambled
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack, SourceFile, Track
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.render import BLOCK_FRAMES, Section, render_blocks
from tonmeister.units import FloatArray

__all__ = ["Human", "TestSong", "excerpt_of_plan", "load_test_song", "plain_plan", "read_human"]

_HUMAN_MIX: Final = "human_mix"


@dataclass(frozen=True)
class Human:
    """A person's mix: a file, or tracks whose plain sum it is."""

    source: Track | Multitrack
    kind: str
    """In words: where it comes from."""

    def frames_at(self, sample_rate: int) -> int:
        """Its length in frames."""
        if isinstance(self.source, Track):
            return self.source.frames_at(sample_rate)
        return self.source.frames


@dataclass(frozen=True)
class TestSong:
    """One song of a test."""

    __test__ = False

    name: str
    multitrack: Multitrack
    human: Human | None
    notes: tuple[str, ...] = ()


def load_test_song(folder: Path, *, scramble_db: float = 0.0, seed: int = 0) -> TestSong:
    """Load a song folder in any of the layouts above."""
    folder = Path(folder)
    raw = folder / "raw"
    multitrack = load_multitrack(raw if raw.is_dir() else folder)
    human = _found_human(folder, multitrack)
    if scramble_db > 0 and human is None:
        human = Human(multitrack, "the tracks as they came")
    name = folder.resolve().name
    return TestSong(name, scrambled(multitrack, scramble_db, seed), human, tuple(multitrack.notes))


def _found_human(folder: Path, multitrack: Multitrack) -> Human | None:
    files = [p for p in sorted(folder.glob(f"{_HUMAN_MIX}.*")) if p.suffix.casefold() in AUDIO_SUFFIXES]
    if files:
        return Human(Track(_HUMAN_MIX, sources=(SourceFile(files[0], probe(files[0])),)), files[0].name)
    if (folder / "raw").is_dir() and (folder / "post").is_dir():
        return Human(load_multitrack(folder / "post", sample_rate=multitrack.sample_rate), "sum of post/")
    if multitrack.references:
        return Human(multitrack.references[0], multitrack.references[0].file)
    return None


def plain_plan(multitrack: Multitrack) -> MixPlan:
    """Every track as it is, in the center."""
    records = [TrackRecord(t.name, t.file, t.instrument, t.role) for t in multitrack.tracks]
    return MixPlan.of([], title=multitrack.title, sample_rate=multitrack.sample_rate, tracks=records)


def excerpt_of_plan(multitrack: Multitrack, plan: MixPlan, section: Section) -> FloatArray:
    """A part of a mix; shape (2, section.frames), silent behind the end."""
    blocks = list(render_blocks(multitrack, plan, section=section))
    return _exactly(blocks, section.frames or 0)


def read_human(human: Human, sample_rate: int, section: Section) -> FloatArray:
    """A part of a person's mix at `sample_rate`; shape (2, section.frames), silent outside of the mix.

    The section may begin before the mix does.
    """
    if section.start < 0:
        missing, wanted = -section.start, section.frames or 0
        rest = read_human(human, sample_rate, Section(0, max(wanted - missing, 0)))
        return np.concatenate([np.zeros((2, min(missing, wanted)), np.float32), rest], axis=1)
    if isinstance(human.source, Multitrack):
        if section.start >= human.source.frames or not section.frames:
            return np.zeros((2, section.frames or 0), np.float32)
        return excerpt_of_plan(human.source, plain_plan(human.source), section)
    return _read_track(human.source, sample_rate, section)


def _read_track(track: Track, sample_rate: int, section: Section) -> FloatArray:
    blocks: list[FloatArray] = []
    wanted = section.start + (section.frames or 0)
    at = 0
    for block in track.blocks(sample_rate, BLOCK_FRAMES):
        part = block[:, max(section.start - at, 0) : max(wanted - at, 0)]
        if part.shape[1]:
            blocks.append(_stereo(part, track))
        at += block.shape[1]
        if at >= wanted:
            break
    return _exactly(blocks, section.frames or 0)


def _stereo(block: FloatArray, track: Track) -> FloatArray:
    if block.shape[0] > 2:
        raise BadInputError(f"{track.file}: has {block.shape[0]} channels: a mix here is mono or stereo")
    return block if block.shape[0] == 2 else np.repeat(block, 2, axis=0)


def _exactly(blocks: list[FloatArray], frames: int) -> FloatArray:
    joined = np.concatenate([np.zeros((2, 0), np.float32), *blocks], axis=1)[:, :frames]
    return np.pad(joined, ((0, 0), (0, frames - joined.shape[1])))
