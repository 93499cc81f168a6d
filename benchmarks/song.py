"""The standard song: 24 mono and 4 stereo tracks, four minutes, 24-bit WAV, made from a seed; and its plan.

    python benchmarks/song.py FOLDER [--tracks 28] [--seconds 240]

Each track is a 12 s phrase (a decaying tone with overtones, or bursts of noise) repeated at changing levels: cheap
to make, and no two seconds are alike to a compressor.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
TRACKS = 28
SECONDS = 240.0
PHRASE_S = 12
NAMES = (
    "Kick In", "Kick Out", "Snare Top", "Snare Bottom", "HiHat", "Tom 1", "Tom 2", "Tom 3", "Bass DI", "Bass Amp",
    "Gtr 1", "Gtr 2", "Gtr 3", "Gtr 4", "Piano", "Organ", "Lead Vox", "Backing Vox 1", "Backing Vox 2",
    "Backing Vox 3", "Tambourine", "Shaker", "Trumpet", "Sax", "Overheads", "Room", "Keys", "Strings",
)  # fmt: skip
"""The last four are stereo."""


def track_names(tracks: int) -> list[str]:
    """Names of the first tracks; from the 29th on they repeat with a number."""
    rounds = [f"{name} {1 + k // TRACKS}" if k >= TRACKS else name for k, name in _cycled(tracks)]
    return [f"{k + 1:03d} {name}.wav" for k, name in enumerate(rounds)]


def _cycled(tracks: int) -> list[tuple[int, str]]:
    return [(k, NAMES[k % TRACKS]) for k in range(tracks)]


def _phrase(index: int) -> np.ndarray:
    """Twelve seconds, float32, peak about 0.5."""
    random = np.random.default_rng((20260101, index))
    time = np.arange(PHRASE_S * RATE) / RATE
    beat = random.choice([0.5, 1.0, 1.5, 3.0])
    envelope = np.exp(-(time % beat) * random.uniform(2.0, 12.0))
    pitch = random.uniform(50.0, 900.0)
    tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3, 5))
    noise = random.standard_normal(len(time), dtype=np.float32)
    share = random.uniform(0.05, 0.8)
    phrase = envelope * ((1 - share) * tone / 2.0 + share * noise * 0.4)
    return np.asarray(0.5 * phrase / np.abs(phrase).max(), np.float32)


def make_song(folder: Path, *, tracks: int = TRACKS, seconds: float = SECONDS) -> Path:
    """Write the tracks, unless they are there; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = round(seconds * RATE)
    for index, name in enumerate(track_names(tracks)):
        path = folder / name
        if not path.exists():
            _write(path, index, frames, channels=2 if index % TRACKS >= TRACKS - 4 else 1)
    return folder


def _write(path: Path, index: int, frames: int, channels: int) -> None:
    phrase = _phrase(index)
    partial = path.with_suffix(".part")
    with soundfile.SoundFile(str(partial), "w", RATE, channels, "PCM_24", format="WAV") as file:
        written = 0
        while written < frames:
            level = 0.6 + 0.4 * np.sin(0.7 * written / len(phrase) + index)
            block = level * phrase[: frames - written]
            other = np.roll(block, 331) if channels == 2 else block
            file.write(np.stack([block, other][:channels], axis=1))
            written += len(block)
    partial.replace(path)


def settings(index: int) -> dict[str, float]:
    """What is done to a track, the same for every peer: filters, compressor, gain, pan movement, send."""
    random = np.random.default_rng((7, index))
    low, middle, high = (float(random.uniform(*r)) for r in ((80, 300), (400, 2000), (2500, 9000)))
    gains = [round(float(g), 2) for g in random.uniform(-4, 4, 4)]
    return {
        "high_pass_hz": float(random.uniform(30, 120)), "shelf_hz": float(random.uniform(90, 200)),
        "shelf_db": gains[0], "low_hz": low, "low_db": gains[1], "middle_hz": middle, "middle_db": gains[2],
        "high_hz": high, "high_db": gains[3], "threshold_db": -24.0, "ratio": 3.0, "attack_ms": 10.0,
        "release_ms": 120.0, "gain_db": -12.0, "pan_from": float(random.uniform(-0.8, 0.8)),
        "pan_to": float(random.uniform(-0.8, 0.8)), "send_db": -18.0,
    }  # fmt: skip


def make_plan(folder: Path, path: Path, *, seconds: float = SECONDS) -> Path:
    """The standard plan for the tracks in `folder`, as tonmeister saves it."""
    from tonmeister.decisions import AddBus, AddInsert, AddSend, Automate, SetGain
    from tonmeister.effects.compressor import Compressor
    from tonmeister.effects.equalizer import EqSection, Equalizer
    from tonmeister.effects.filters import HighPass
    from tonmeister.effects.limiter import Limiter
    from tonmeister.effects.reverb import Reverb
    from tonmeister.loading import load_multitrack
    from tonmeister.plan import MixPlan, TrackRecord
    from tonmeister.plan_file import save_plan
    from tonmeister.strip import Curve

    song = load_multitrack(folder)
    moves = [AddBus("Reverb", kind="return"), AddInsert("Reverb", Reverb(decay_s=1.8, mix=1.0))]
    for index, track in enumerate(song.tracks):
        s = settings(index)
        sections = (
            EqSection("low_shelf", s["shelf_hz"], s["shelf_db"]),
            EqSection("peak", s["low_hz"], s["low_db"], 1.0),
            EqSection("peak", s["middle_hz"], s["middle_db"], 1.0),
            EqSection("peak", s["high_hz"], s["high_db"], 1.0),
        )
        squeeze = Compressor(
            threshold_db=s["threshold_db"], ratio=s["ratio"], knee_db=6.0, attack_ms=s["attack_ms"],
            release_ms=s["release_ms"],
        )  # fmt: skip
        curve = Curve((0.0, seconds), (s["pan_from"], s["pan_to"]))
        moves += [
            AddInsert(track.name, HighPass(s["high_pass_hz"])),
            AddInsert(track.name, Equalizer(sections)),
            AddInsert(track.name, squeeze),
            SetGain(track.name, s["gain_db"]),
            Automate(track.name, "pan", curve),
            AddSend(track.name, "Reverb", s["send_db"]),
        ]
    moves.append(AddInsert("master", Limiter(true_peak=False)))
    records = [TrackRecord(t.name, t.file, channels=t.channels) for t in song.tracks]
    plan = MixPlan.of(moves, title=song.title, sample_rate=song.sample_rate, tracks=records)
    save_plan(plan, path, overwrite=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tracks", type=int, default=TRACKS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    make_song(asked.folder, tracks=asked.tracks, seconds=asked.seconds)
    plan = make_plan(
        asked.folder, asked.folder.parent / f"{asked.folder.name}.plan.json", seconds=asked.seconds
    )
    every = [settings(i) for i in range(asked.tracks)]
    (asked.folder.parent / f"{asked.folder.name}.settings.json").write_text(json.dumps(every))
    print(plan)


if __name__ == "__main__":
    main()
