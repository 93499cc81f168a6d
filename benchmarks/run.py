"""One command for all figures: the standard song through tonmeister, the floor and every peer there is.

    python benchmarks/run.py [--runs 3] [--peers pedalboard,ffmpeg,...] [--seconds 240] [--tracks 28]
    python benchmarks/run.py --sweep tracks|length|blocks|threads|cold
    python benchmarks/run.py --kernels

Jobs run in turn, so that whatever else the machine does meets all of them; medians and ratios are of the same
run. Results: JSON and a picture in the cache folder; see README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from environments import PEERS, available, python_of
from measure import Job, interleaved
from song import SECONDS, TRACKS

HERE = Path(__file__).parent
TONMEISTER = (sys.executable, "-m", "tonmeister")


def main() -> None:
    """Read the command line and run what it asks for."""
    asked = _arguments()
    asked.cache.mkdir(parents=True, exist_ok=True)
    if asked.kernels:
        from kernels import measure_kernels

        report = {"kernels": measure_kernels()}
    elif asked.sweep:
        report = {"sweep": asked.sweep, "points": SWEEPS[asked.sweep](asked)}
    else:
        report = _against_peers(asked)
    report |= {"date": time.strftime("%Y-%m-%d"), "machine": _machine()}
    what = asked.sweep or ("kernels" if asked.kernels else "peers")
    path = asked.output or asked.cache / f"{what}.json"
    path.write_text(json.dumps(report, indent=1))
    print(f"written: {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS), help="which peers; '' for none")
    parser.add_argument("--tracks", type=int, default=TRACKS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sweep", choices=sorted(SWEEPS))
    parser.add_argument("--kernels", action="store_true")
    parser.add_argument("--output", type=Path, help="the JSON file")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "tonmeister-benchmarks",
        help="where songs, environments and results go",
    )  # fmt: skip
    return parser.parse_args()


def _machine() -> str:
    """The class of machine, without its name."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = lines[0] if lines else model
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def _song(asked: argparse.Namespace, tracks: int, seconds: float) -> tuple[Path, Path, Path]:
    """Folder, plan and settings of a song, made if need be."""
    folder = asked.cache / f"song-{tracks}x{seconds:g}"
    plan, settings = (folder.parent / f"{folder.name}.{kind}.json" for kind in ("plan", "settings"))
    job = Job(
        "song",
        [
            sys.executable,
            str(HERE / "song.py"),
            str(folder),
            "--tracks",
            str(tracks),
            "--seconds",
            str(seconds),
        ],
    )
    if not settings.exists():
        print(f"making {folder.name} ...", flush=True)
        job.run()
    return folder, plan, settings


def _floor(folder: Path, out: Path) -> Job:
    return Job("floor (read, sum, write)", [sys.executable, str(HERE / "floor.py"), str(folder), str(out)])


def _render(name: str, folder: Path, plan: Path, out: Path, *more: str, **environment: str) -> Job:
    command = [*TONMEISTER, "render", str(folder), str(plan), "-o", str(out), "--overwrite", "--quiet", *more]
    return Job(name, command, environment)


def _jobs(asked: argparse.Namespace) -> list[Job]:
    folder, plan, settings = _song(asked, asked.tracks, asked.seconds)
    outs = asked.cache / "out"
    outs.mkdir(exist_ok=True)
    mixed, threads = outs / "mix.wav", str(asked.threads)
    mix = [*TONMEISTER, "mix", str(folder), "-o", str(mixed), "--overwrite", "--quiet", "--threads", threads]
    jobs = [
        _floor(folder, outs / "floor.wav"),
        _render(f"tonmeister render, {threads} threads", folder, plan, outs / "r.wav", "--threads", threads),
        _render("tonmeister render, 1 thread", folder, plan, outs / "r1.wav", "--threads", "1"),
        Job(f"tonmeister mix, {threads} threads", mix),
    ]
    wanted = [p for p in asked.peers.split(",") if p]
    for peer in wanted:
        if not available(peer, asked.cache):
            print(f"{peer}: not here, left out")
            continue
        jobs += _peer(peer, asked.cache, folder, settings, outs, mixed)
    return jobs


def _peer(peer: str, cache: Path, folder: Path, settings: Path, outs: Path, mixed: Path) -> list[Job]:
    from peers import commands

    if peer == "pedalboard":
        script = [str(python_of(peer, cache)), str(HERE / "peers" / "pedalboard_mix.py")]
        given = [str(folder), str(settings), str(outs / "pedalboard.wav")]
        return [Job(f"pedalboard, {n} thread{'s' * (n > 1)}", [*script, *given, str(n)]) for n in (2, 1)]
    if peer == "matchering":
        script = [str(python_of(peer, cache)), str(HERE / "peers" / "matchering_master.py")]
        return [
            Job(
                "matchering (mastering only)",
                [*script, str(mixed), str(outs / "r.wav"), str(outs / "mg.wav")],
            )
        ]
    build = commands.ffmpeg if peer == "ffmpeg" else commands.sox
    name = "ffmpeg, 1 filter thread" if peer == "ffmpeg" else "sox (gains only)"
    return [Job(name, build(folder, settings, outs / f"{peer}.wav"))]


def _against_peers(asked: argparse.Namespace) -> dict[str, object]:
    jobs = _jobs(asked)
    interleaved(jobs, asked.runs)
    _table(jobs)
    _picture(jobs, asked.cache / "peers.png")
    return {"song": {"tracks": asked.tracks, "seconds": asked.seconds}, "jobs": [j.to_dict() for j in jobs]}


def _table(jobs: list[Job]) -> None:
    """Medians, and the wall time of each over the floor's and over our render's."""
    floor, ours = jobs[0].median().wall_s, jobs[1].median().wall_s
    print(f"\n| {'what':<30} | wall s | CPU s | peak MB | to the floor | to our render |")
    print(f"|{'-' * 32}|--------|-------|---------|--------------|---------------|")
    for job in jobs:
        m = job.median()
        print(
            f"| {job.name:<30} | {m.wall_s:6.2f} | {m.cpu_s:5.2f} | {m.peak_mb:7.0f} | {m.wall_s / floor:12.2f} "
            f"| {m.wall_s / ours:13.2f} |"
        )


def _picture(jobs: list[Job], path: Path) -> None:
    """Wall times as bars, if matplotlib is there."""
    try:
        import matplotlib
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(jobs) + 1.2))
    floor = jobs[0].median().wall_s
    ratios = [j.median().wall_s / floor for j in jobs]
    colors = ["#b5483a" if j.name.startswith("tonmeister") else "#8a8f98" for j in jobs]
    axes.barh([j.name for j in jobs], ratios, color=colors)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("wall time, the floor (read, sum, write) = 1")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")


# Sweeps: each gives points {value, floor and render medians}


def _point(asked: argparse.Namespace, value: object, jobs: list[Job]) -> dict[str, object]:
    interleaved(jobs, asked.runs)
    return {"value": value, "jobs": [j.to_dict() for j in jobs]}


def _sweep_tracks(asked: argparse.Namespace) -> list[dict[str, object]]:
    points = []
    for tracks in (8, 16, 28, 64, 128):
        folder, plan, _ = _song(asked, tracks, 60.0)
        out = asked.cache / "sweep.wav"
        points.append(_point(asked, tracks, [_floor(folder, out), _render("render", folder, plan, out)]))
    return points


def _sweep_length(asked: argparse.Namespace) -> list[dict[str, object]]:
    points = []
    for minutes in (1, 4, 15, 60):
        folder, plan, _ = _song(asked, 8, 60.0 * minutes)
        out = asked.cache / "sweep.wav"
        points.append(_point(asked, minutes, [_floor(folder, out), _render("render", folder, plan, out)]))
    return points


def _sweep_threads(asked: argparse.Namespace) -> list[dict[str, object]]:
    folder, plan, _ = _song(asked, asked.tracks, asked.seconds)
    out = asked.cache / "sweep.wav"
    jobs = [
        _render(f"render, threads={n}", folder, plan, out, "--threads", str(n))
        for n in sorted({1, 2, os.cpu_count() or 1})
    ]
    return [_point(asked, "threads", [_floor(folder, out), *jobs])]


def _sweep_blocks(asked: argparse.Namespace) -> list[dict[str, object]]:
    folder, plan, _ = _song(asked, asked.tracks, asked.seconds)
    script = str(HERE / "blocks.py")
    jobs = [
        Job(f"blocks of {n}", [sys.executable, script, str(folder), str(plan), str(n), str(asked.threads)])
        for n in (4096, 8192, 16384, 32768, 65536, 131072)
    ]
    return [_point(asked, "blocks", jobs)]


def _sweep_cold(asked: argparse.Namespace) -> list[dict[str, object]]:
    """A ten-second song with no compiled kernels on disk, and with them."""
    folder, plan, _ = _song(asked, 8, 10.0)
    out = asked.cache / "sweep.wav"
    points = []
    for _ in range(asked.runs):
        with tempfile.TemporaryDirectory(dir=asked.cache) as empty:
            jobs = [_render(name, folder, plan, out, NUMBA_CACHE_DIR=empty) for name in ("cold", "warm")]
            for job in jobs:
                job.run()
            points.append({"value": "cold and warm", "jobs": [j.to_dict() for j in jobs]})
            print({j.name: round(j.median().wall_s, 2) for j in jobs})
    return points


SWEEPS = {
    "tracks": _sweep_tracks,
    "length": _sweep_length,
    "blocks": _sweep_blocks,
    "threads": _sweep_threads,
    "cold": _sweep_cold,
}

if __name__ == "__main__":
    main()
