"""CPU time of the effect `stem` per second of audio, on one core: python benchmarks/stem_network.py [MODEL ...]"""

from __future__ import annotations

import sys
import time

import numpy as np

from tonmeister.effects.stem_network import StemNetwork

SECONDS, RUNS = 10, 7


def main(models: list[str]) -> None:
    for model in models or ["stem-bass"]:
        for rate in (44_100, 48_000):
            for channels in (1, 2):
                shares = [share(model, rate, channels) for _ in range(RUNS)]
                print(f"{model} {rate} Hz {channels} ch: {min(shares):.4f} of real time (best of {RUNS})")


def share(model: str, rate: int, channels: int) -> float:
    """CPU time over audio time, blocks of 4096."""
    sound = (0.1 * np.random.default_rng(0).standard_normal((channels, SECONDS * rate))).astype(np.float32)
    processor = StemNetwork(model).processor()
    processor.prepare(rate, channels, 4096)
    processor.process(sound[:, :4096].copy())
    start = time.process_time()
    for at in range(0, sound.shape[1], 4096):
        processor.process(sound[:, at : at + 4096].copy())
    return (time.process_time() - start) / SECONDS


if __name__ == "__main__":
    main(sys.argv[1:])
