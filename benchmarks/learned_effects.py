"""How near learned effects come to their devices, and what they cost.

    python benchmarks/learned_effects.py [--models DIR] [--pairs DIR] [--minutes M] [--only PART ...] [--write]

Made-up bass and guitar notes through made-up devices, judged on notes that were held out and on instruments that were
never heard; recordings (`--pairs`, the folder that holds the files of REAL below); processor time over the length of the
sound. Models that lie in DIR are taken from there instead of trained again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import makers_effects as make  # noqa: E402
from tonmeister.audio import read_audio  # noqa: E402
from tonmeister.cli import run as run_verb  # noqa: E402
from tonmeister.effects.learned import Learned, device_processor  # noqa: E402
from tonmeister.effects.learned_files import Device, load_device  # noqa: E402
from tonmeister.errors import BadInputError  # noqa: E402
from tonmeister.learned_effects.learn import learn_waveshaper, lesson_of  # noqa: E402
from tonmeister.learned_effects.verdict import band  # noqa: E402
from tonmeister.training.effects.learning import NetworkOptions, learn_network  # noqa: E402
from tonmeister.training.effects.unseen import unseen_table  # noqa: E402

BLOCK = 1024
NOISE_FRAMES = 32
TRAINED = (("tanh", "cafx", 120, 48, 4), ("soft clip", "lstm", 1000, 24, 1))
"""Device, network, steps, notes, oversampling of the twin; seed 0."""
REAL = (
    ("fx_guitar_nicola/003_dry.wav", "fx_guitar_nicola/003_wet.wav"),
    ("fx_guitar_nicola/007_dry.wav", "fx_guitar_nicola/007_wet.wav"),
    ("fx_steerable/drums_clean.mp3", "fx_steerable/drums_0_0_0dB.mp3"),
    ("fx_steerable/egtr_clean.mp3", "fx_steerable/egtr_-7_10_0dB.mp3"),
)


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, help="where trained models are kept")
    parser.add_argument("--pairs", type=Path, help="folder of the real pairs")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each network and real pair")
    parser.add_argument("--pretraining-steps", type=int, default=1000)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--write", action="store_true", help="write LEARNED_EFFECTS.md")
    asked = parser.parse_args()
    text = "\n".join(line for part in asked.only for line in PARTS[part](asked))
    print(text)
    if asked.write:
        (HERE / "LEARNED_EFFECTS.md").write_text("# Learned effects\n\n" + text + "\n", "utf-8")


def made_up(asked: argparse.Namespace) -> Iterator[str]:
    """In domain and on unseen instruments."""
    folder = asked.models or Path(tempfile.mkdtemp())
    yield "## Made-up notes through made-up devices\n"
    yield "| device | network | ESR on held-out notes | verdict | MAE | MR-STFT | its twin | plain filter | doing nothing |"
    yield "|---|---|---|---|---|---|---|---|---|"
    tables = []
    for device, network, steps, count, factor in TRAINED:
        path = folder / f"{device.replace(' ', '-')}-{network}.npz"
        if not path.exists():
            verb = [
                "train",
                "effect",
                "--device",
                device,
                "--network",
                network,
                "--steps",
                str(steps),
                "--notes",
                str(count),
                "--oversampling",
                str(factor),
            ]
            run_verb([*verb, "-o", str(path), "--quiet"])
        found, card = load_device(path)
        m = card.metrics
        figures = [m.get(k, float("nan")) for k in ("mae", "mr_stft", "twin_esr", "linear_esr", "bypass_esr")]
        yield (
            f"| {device} | {network} | {m['esr']:.4f} | {m['verdict']} | "
            + " | ".join(f"{f:.4f}" for f in figures)
            + " |"
        )
        tables.append((device, network, unseen_table(found, device, seed=0)))
    yield "\n### New notes of instruments, the last two never heard\n"
    yield "| device, network | instrument | network alone | as delivered | its twin | doing nothing |"
    yield "|---|---|---|---|---|---|"
    for device, network, rows in tables:
        for row in rows:
            cells = [f"{v:.4f}" for v in (row.network, row.delivered, row.twin, row.bypass)]
            yield f"| {device}, {network} | {row.instrument} | " + " | ".join(cells) + " |"
    yield ""


def real(asked: argparse.Namespace) -> Iterator[str]:
    """Each network on recordings."""
    if asked.pairs is None:
        return
    yield f"## Recordings\n\nESR on the fifth that was held out; the networks had {asked.minutes:g} minutes each.\n"
    yield "| wet file | waveshaper | lstm | cafx | plain filter | doing nothing | coherence |"
    yield "|---|---|---|---|---|---|---|"
    for dry, wet in REAL:
        sounds = read_audio(asked.pairs / dry), read_audio(asked.pairs / wet)
        cells = []
        for network in ("waveshaper", "lstm", "cafx"):
            try:
                lesson = lesson_of(*sounds, 0)
                options = NetworkOptions(network, minutes=asked.minutes, oversampling=1)
                effect = (
                    learn_waveshaper(lesson) if network == "waveshaper" else learn_network(lesson, options)
                )
            except BadInputError as error:
                cells.append(str(error).split(":")[0])
                continue
            e = effect.verdict.errors
            cells.append(f"{e.esr:.3f} ({band(e.esr)})")
        yield (
            f"| {wet} | "
            + " | ".join([*cells, f"{e.linear_esr:.3f}", f"{e.bypass_esr:.3f}"])
            + f" | {lesson.pair.coherence:.2f} |"
        )
    yield ""


def pretraining(asked: argparse.Namespace) -> Iterator[str]:
    """The first stage of `--faithful`: the two convolutions from their random start, on noise."""
    import torch

    from tonmeister.training.effects.cafx import build_cafx
    from tonmeister.training.effects.learn_cafx import pretrain

    torch.set_num_threads(1)
    random, size = torch.Generator().manual_seed(1), (NOISE_FRAMES, 1024)
    unheard = 0.2 * torch.randn(64, 1024, generator=torch.Generator().manual_seed(2))
    net, began = build_cafx(0), time.process_time()

    def esr() -> float:
        with torch.no_grad():
            return float(((net.reconstruct(unheard) - unheard) ** 2).sum() / (unheard**2).sum())

    before = esr()
    pretrain(net, lambda: (0.2 * torch.randn(size, generator=random),), asked.pretraining_steps)
    yield "## Pretraining of cafx as published\n"
    yield (
        f"White noise in and out, {asked.pretraining_steps} steps of {NOISE_FRAMES} frames, seed 0: the reconstruction ESR "
        f"of 64 other frames falls from {before:.1f} to {esr():.4f} (bar .05) in {time.process_time() - began:.0f} s of "
        "processor time.\n"
    )


def cost(asked: argparse.Namespace) -> Iterator[str]:
    """Processor time over the length of the sound, one channel, blocks of 1024."""
    yield "## Processor time over the length of the sound\n"
    yield f"One channel, one thread, blocks of {BLOCK} frames, best of three; the guard runs the twin beside a network.\n"
    yield "| network | 44.1 kHz | 48 kHz | bar | latency at 44.1 kHz |"
    yield "|---|---|---|---|---|"
    for name, device, bar in devices():
        shares, late = zip(*(share(device, rate) for rate in (44100, 48000)), strict=True)
        yield f"| {name} | {shares[0]:.3f} | {shares[1]:.3f} | {bar:g} | {1000 * late[0] / 44100:.1f} ms |"
    yield ""


def devices() -> Iterator[tuple[str, Device, float]]:
    """Each network with random numbers, which cost as much as others."""
    for factor in (1, 4):
        twin = make.tanh_twin(44100)
        yield (
            f"waveshaper, {factor} x",
            Device(type(twin)(twin.pre, twin.shaper, twin.post, 1.0, factor, None)),
            0.02,
        )
    yield "lstm, no guard", Device(None, make.lstm_network()), 0.06
    yield "lstm", make.guarded(make.lstm_network()), 0.06
    yield "cafx, no guard", Device(None, make.cafx_network()), 0.35
    yield "cafx", make.guarded(make.cafx_network()), 0.35


def share(device: Device, rate: int, seconds: float = 2.0) -> tuple[float, int]:
    """The ratio, and the latency in frames."""
    x = (0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * rate)))).astype(np.float32)
    processor = device_processor(Learned(), device)
    processor.prepare(rate, 1, BLOCK)
    used = []
    for _ in range(4):
        before = time.process_time()
        for at in range(0, x.shape[1], BLOCK):
            processor.process(x[:, at : at + BLOCK].copy())
        used.append((time.process_time() - before) / seconds)
    return min(used[1:]), processor.latency_frames


PARTS = {"made-up": made_up, "real": real, "pretraining": pretraining, "cost": cost}

if __name__ == "__main__":
    main()
