"""The standard song with pedalboard; runs in an environment of its own.

    python pedalboard_mix.py FOLDER SETTINGS.json OUT.wav THREADS

pedalboard has no moving pan: NumPy does that, in both channels at once.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pedalboard as pb
import soundfile

CHUNK = 65536


class Track:
    def __init__(self, path: Path, s: dict[str, float]) -> None:
        self.file = soundfile.SoundFile(str(path))
        self.settings, self.position = s, 0
        self.board = pb.Pedalboard(
            [
                pb.HighpassFilter(s["high_pass_hz"]),
                pb.LowShelfFilter(s["shelf_hz"], s["shelf_db"], 0.7071),
                pb.PeakFilter(s["low_hz"], s["low_db"], 1.0),
                pb.PeakFilter(s["middle_hz"], s["middle_db"], 1.0),
                pb.PeakFilter(s["high_hz"], s["high_db"], 1.0),
                pb.Compressor(s["threshold_db"], s["ratio"], s["attack_ms"], s["release_ms"]),
                pb.Gain(s["gain_db"]),
            ]
        )

    def process(self, frames: int) -> np.ndarray:
        block = self.file.read(frames, dtype="float32", always_2d=True).T
        out = self.board(block, self.file.samplerate, reset=False)
        share = np.arange(self.position, self.position + out.shape[1], dtype=np.float32) / np.float32(
            len(self.file)
        )
        self.position += out.shape[1]
        pan = self.settings["pan_from"] + (self.settings["pan_to"] - self.settings["pan_from"]) * share
        angle = (pan + 1) * np.float32(np.pi / 4)
        gains = np.float32(2**0.5) * np.stack([np.cos(angle), np.sin(angle)])
        return gains * out


def main(folder: Path, settings: Path, out: Path, threads: int) -> None:
    paths = sorted(folder.glob("*.wav"))
    tracks = [Track(p, s) for p, s in zip(paths, json.loads(settings.read_text()), strict=True)]
    rate, frames = tracks[0].file.samplerate, max(len(t.file) for t in tracks)
    reverb = pb.Pedalboard([pb.Reverb(room_size=0.6, wet_level=1.0, dry_level=0.0)])
    limiter = pb.Pedalboard([pb.Limiter(-1.0)])
    send = np.float32(10 ** (tracks[0].settings["send_db"] / 20))
    with ThreadPoolExecutor(threads) as pool, soundfile.SoundFile(str(out), "w", rate, 2, "PCM_24") as writer:
        for start in range(0, frames, CHUNK):
            count = min(CHUNK, frames - start)
            total = np.zeros((2, count), np.float32)
            for block in pool.map(Track.process, tracks, [count] * len(tracks)):
                total[:, : block.shape[1]] += block
            wet = reverb(total * send, rate, reset=False)
            writer.write(limiter(total + wet, rate, reset=False).T)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
