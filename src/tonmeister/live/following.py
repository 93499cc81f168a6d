"""Following a recorded performance through a score, as it would be followed live, block after block."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tonmeister.audio import open_audio
from tonmeister.live.score_following import Follower, FollowerOptions, Observed, ScorePosition
from tonmeister.live.scores import Score, read_score

__all__ = ["Followed", "follow_file"]

BLOCK_FRAMES = 512


@dataclass(frozen=True)
class Followed:
    """What a follower said about a performance."""

    score: Score
    observed: tuple[Observed, ...]
    duration_s: float
    cpu_s: float
    """Processor time that following took, without reading the file."""
    mode: str
    confidence: float
    """Median over the performance, from the first note on."""
    lost_s: float
    """For how long it was lost."""
    positions: tuple[ScorePosition, ...] = field(default=(), repr=False)

    @property
    def events(self) -> list[tuple[str, float]]:
        """(score position in beats, seconds) of every event that was heard, by position."""
        return [(repr(round(o.beat, 6) + 0.0), o.time_s) for o in self.observed]

    @property
    def expected(self) -> list[tuple[str, float]]:
        """(score position, seconds) as each event was expected at the event before it."""
        found = [(o.beat, o.expected_s) for o in self.observed if o.expected_s is not None]
        return [(repr(round(beat, 6) + 0.0), expected) for beat, expected in found]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        said = [o.said_s - o.time_s for o in self.observed]
        return {
            "title": self.score.title,
            "score_events": len(self.score.events),
            "followed_events": len(self.observed),
            "duration_s": self.duration_s,
            "cpu_s": self.cpu_s,
            "cpu_share": self.cpu_s / self.duration_s if self.duration_s else None,
            "mode": self.mode,
            "confidence": self.confidence,
            "lost_s": self.lost_s,
            "said_after_ms": 1000 * float(np.median(said)) if said else None,
        }


def follow_file(
    performance: Path,
    score: Path | Score,
    *,
    options: FollowerOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Followed:
    """Follow `performance` (an audio file) through `score`; nothing is read ahead."""
    read = score if isinstance(score, Score) else read_score(score)
    positions: list[ScorePosition] = []
    used_s, done = 0.0, 0
    with open_audio(performance) as reader:
        follower = Follower(read, reader.sample_rate, options=options)
        for block in reader.blocks(BLOCK_FRAMES):
            before = time.process_time()
            positions.append(follower.update(block))
            used_s += time.process_time() - before
            done += block.shape[1]
            if progress is not None and reader.frames:
                progress(min(done / reader.frames, 1.0))
        duration_s = done / reader.sample_rate
    begun = [p for p in positions if p.mode != "waiting"]
    return Followed(
        score=read,
        observed=tuple(follower.observed),
        duration_s=duration_s,
        cpu_s=used_s,
        mode=positions[-1].mode if positions else "waiting",
        confidence=float(np.median([p.confidence for p in begun])) if begun else 0.0,
        lost_s=sum(p.mode == "lost" for p in positions) * BLOCK_FRAMES / reader.sample_rate,
        positions=tuple(positions),
    )
