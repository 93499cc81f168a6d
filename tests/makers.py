"""Makers of small multitracks and plans for the tests; everything is seeded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from tonmeister.audio import Audio
from tonmeister.decisions import Decision
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan, TrackRecord

RATE = 44100


def noise(frames: int, channels: int = 1, *, seed: int = 0, level: float = 0.1) -> Audio:
    random = np.random.default_rng(seed)
    return Audio(random.standard_normal((channels, frames)) * level, RATE)


def multitrack(*tracks: tuple[str, Audio], title: str = "song") -> Multitrack:
    made = tuple(Track(name, audio=audio) for name, audio in tracks)
    return Multitrack(title, made, tracks[0][1].sample_rate)


def plan_for(song: Multitrack, decisions: Iterable[Decision] = ()) -> MixPlan:
    records = [TrackRecord(t.name, t.file, channels=t.channels) for t in song.tracks]
    return MixPlan.of(decisions, title=song.title, sample_rate=song.sample_rate, tracks=records)


def write_folder(folder: Path, tracks: dict[str, Audio], subtype: str = "PCM_24") -> Path:
    """A folder of audio files named by the keys."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in tracks.items():
        soundfile.write(str(folder / name), audio.samples.T, audio.sample_rate, subtype=subtype)
    return folder


def tone(
    frequency_hz: float, seconds: float, *, level: float = 0.3, rate: int = RATE, channels: int = 1
) -> Audio:
    times = np.arange(int(seconds * rate)) / rate
    return Audio(np.repeat(level * np.sin(2 * np.pi * frequency_hz * times)[None], channels, axis=0), rate)


def band(seconds: float = 2.0) -> dict[str, Audio]:
    """A small band whose file names say what each is."""
    beat = np.arange(int(seconds * RATE)) % (RATE // 2) / RATE
    random = np.random.default_rng(1)
    hits = np.exp(-beat * 30)
    return {
        "01_Kick.wav": Audio((0.8 * hits * np.sin(2 * np.pi * 60 * beat))[None], RATE),
        "02_Snare.wav": Audio((0.5 * hits * random.standard_normal(len(beat)))[None].clip(-0.99, 0.99), RATE),
        "03_Bass.wav": tone(80, seconds, level=0.5),
        "04_Gtr L.wav": tone(330, seconds, level=0.2),
        "05_Gtr R.wav": tone(392, seconds, level=0.2),
        "06_Lead Vox.wav": tone(660, seconds, level=0.1),
    }
