"""Command lines of the peers that are programs: ffmpeg and sox."""

from __future__ import annotations

import json
from pathlib import Path


def ffmpeg(folder: Path, settings: Path, out: Path) -> list[str]:
    """The chain as one filter graph: static pan, and echoes in the place of a reverb, which ffmpeg does not have."""
    paths = sorted(folder.glob("*.wav"))
    graph, names = [], []
    for k, s in enumerate(json.loads(settings.read_text())):
        left = (1.0 - s["pan_from"]) / 2 + 0.5
        graph.append(
            f"[{k}]highpass=f={s['high_pass_hz']:.1f},bass=g={s['shelf_db']}:f={s['shelf_hz']:.1f},"
            f"equalizer=f={s['low_hz']:.1f}:t=q:w=1:g={s['low_db']},"
            f"equalizer=f={s['middle_hz']:.1f}:t=q:w=1:g={s['middle_db']},"
            f"equalizer=f={s['high_hz']:.1f}:t=q:w=1:g={s['high_db']},"
            f"acompressor=threshold={s['threshold_db']}dB:ratio={s['ratio']}:attack={s['attack_ms']}"
            f":release={s['release_ms']},volume={s['gain_db']}dB,aformat=channel_layouts=stereo,"
            f"pan=stereo|c0={left:.3f}*c0|c1={2 - left:.3f}*c1[t{k}]"
        )
        names.append(f"[t{k}]")
    graph.append(f"{''.join(names)}amix=inputs={len(names)}:normalize=0,asplit[dry][send]")
    graph.append("[send]volume=-18dB,aecho=1:0.7:37|51|73|97:0.5|0.4|0.35|0.3[wet]")
    graph.append("[dry][wet]amix=inputs=2:normalize=0,alimiter=limit=0.89:level=0[out]")
    inputs = [word for p in paths for word in ("-i", str(p))]
    return [
        "ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_complex_threads", "1", *inputs,
        "-filter_complex", ";".join(graph), "-map", "[out]", "-c:a", "pcm_s24le", str(out),
    ]  # fmt: skip


def sox(folder: Path, settings: Path, out: Path) -> list[str]:
    """Gains only, no processing at all: what a mix costs sox."""
    paths = sorted(folder.glob("*.wav"))
    inputs = [word for p in paths for word in ("-v", "0.1", str(p))]
    return ["sox", "-m", *inputs, "-c", "2", "-b", "24", str(out)]
