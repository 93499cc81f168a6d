"""The floor: read all tracks with soundfile, add them up in NumPy, write 24-bit WAV. No processing at all.

python benchmarks/floor.py FOLDER OUT.wav
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

CHUNK = 65536


def main(folder: Path, out: Path) -> None:
    files = [soundfile.SoundFile(str(p)) for p in sorted(folder.glob("*.wav"))]
    frames = max(len(f) for f in files)
    with soundfile.SoundFile(str(out), "w", files[0].samplerate, 2, "PCM_24") as writer:
        total = np.zeros((CHUNK, 2), np.float32)
        mono = np.empty((CHUNK, 1), np.float32)
        stereo = np.empty((CHUNK, 2), np.float32)
        for start in range(0, frames, CHUNK):
            total[:] = 0.0
            for file in files:
                block = file.read(out=mono if file.channels == 1 else stereo)
                total[: len(block)] += block
            total *= np.float32(1.0 / len(files))
            writer.write(total[: min(CHUNK, frames - start)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
