"""How well and how fast every separator works, beside doing nothing and beside masks that know the answer.

    python benchmarks/separation.py --midi midi/ --font A.sf2 --kit kit/ --data data/ [--songs 12] [--write]
    python benchmarks/separation.py --memory 60        # peak memory on a file of 60 minutes, for --models

Songs of the first table are synthesized from a stream of seeds that no recipe learns from; soundfonts, kits and MIDI
files should be none of those either. `--data` holds the folders of recordings that `real_items` names. With --write the
tables go to SEPARATION.md. One core, one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from tonmeister.audio import Audio, open_audio, read_audio
from tonmeister.audio_output import AudioWriter
from tonmeister.evaluation.remix import score_remix
from tonmeister.evaluation.separation import sdr_db, si_sdr_db
from tonmeister.loading import load_multitrack
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.oracle import Oracle
from tonmeister.separation.registry import SEPARATORS, load_separator, unavailable
from tonmeister.separation.remix_law import expected_share
from tonmeister.separation.streaming import StreamingSeparator
from tonmeister.training.separation.stems import (
    STEMS,
    SongSources,
    as_floats,
    stem_of,
    stem_songs,
)
from tonmeister.units import FloatArray, db_to_gain

HERE = Path(__file__).parent
FIRST_SEED = 900_000
EXCERPT_S = 6.0
STANDS_FOR: Mapping[str, Mapping[str, str]] = {
    "center": {"vocals": "center"},
    "panning": {"vocals": "center"},
    "hpss": {"drums": "percussive", "other": "harmonic", "guitar": "harmonic"},
    "nmf": {"guitar": "other"},
    "ensemble": {"guitar": "other"},
    "ensemble-combiner": {"guitar": "other"},
    "jazz": {"guitar": "solo"},
    "jazz-paper": {"guitar": "solo"},
    "pitch-informed": {"guitar": "solo", "vocals": "solo"},
    "lowpass": {"bass": "low"},
}
"""Which track of a separator is taken for a stem where it is not called that."""


@dataclass(frozen=True)
class Item:
    """A mixture whose stems are known."""

    suite: str
    name: str
    stems: Mapping[str, FloatArray]
    sample_rate: int

    @property
    def mixture(self) -> FloatArray:
        return np.sum(list(self.stems.values()), axis=0, dtype=np.float32)


@dataclass
class Scores:
    """What one separator got on one suite, by stem."""

    sdr: dict[str, list[float]] = field(default_factory=dict)
    si_sdr: dict[str, list[float]] = field(default_factory=dict)
    plain: list[tuple[float, float]] = field(default_factory=list)
    """(SDR, how far off) of remixes by 3 dB with faders at 3 dB."""
    made_up: list[tuple[float, float]] = field(default_factory=list)
    """The same with faders as `remix` puts them."""
    cpu_s: float = 0.0
    audio_s: float = 0.0


class LowPass:
    """The bass as everything below 150 Hz; a baseline."""

    tracks = ("low",)
    framing = Framing(None, "hann", 4096, 4096, 1024)
    context_frames = 0

    def masks(self, spectrum: Spectrum) -> FloatArray:
        masks = np.zeros((1, 1, *spectrum.shape[1:]), np.float32)
        masks[:, :, :14] = 1.0
        return masks


# ------------------------------------------------------------------ material


def synthetic_items(asked: argparse.Namespace) -> Iterator[Item]:
    """Excerpts of songs that nothing learned from."""
    sources = SongSources(
        songs=asked.songs, seed=FIRST_SEED, duration_s=12.0, midi=tuple(asked.midi),
        soundfonts=tuple(asked.font), drumkits=tuple(asked.kit), share_of_singers=1.0, cache=asked.cache,
    )  # fmt: skip
    for number, song in enumerate(stem_songs(sources) if asked.songs else ()):
        excerpt = as_floats(song)[..., 44_100 : 44_100 + round(EXCERPT_S * 44_100)]
        yield Item("synthesized", f"song {number}", dict(zip(STEMS, excerpt, strict=True)), 44_100)


def real_items(folder: Path) -> Iterator[Item]:
    """Recordings: guitar and rest of two metal songs, Falcon 69, folded stems of Francium with gains drawn anew."""
    for song in ("remix_fof_metal_madness", "remix_fof_war_of_freedom"):
        for start_s in (30.0, 75.0):
            stems = {n: _excerpt(folder / song / f"{f}.ogg", start_s, EXCERPT_S)
                     for n, f in (("guitar", "guitar"), ("rest", "song"))}  # fmt: skip
            yield Item("metal", f"{song} {start_s:g} s", stems, 44_100)
    falcon = next((folder / "remix_musdb_falcon69").glob("*.stem.mp4"))
    stems = {n: read_audio(falcon, 44_100, stream=s).samples
             for n, s in (("vocals", 4), ("drums", 1), ("bass", 2), ("other", 3))}  # fmt: skip
    yield Item("falcon", "Falcon 69", stems, 44_100)
    yield from _francium(folder / "multitrack_francium_cc0")


def _francium(folder: Path) -> Iterator[Item]:
    tracks = load_multitrack(folder).tracks
    for number, start_s in enumerate((60.0, 110.0, 160.0, 210.0)):
        gains = np.random.default_rng(FIRST_SEED + number).uniform(-6.0, 6.0, len(STEMS))
        frames = round(EXCERPT_S * 48_000)
        stems = {name: np.zeros((2, frames), np.float32) for name in STEMS}
        for track in tracks:
            stem = "bass" if "SINE" in track.file else stem_of(track.instrument)
            sound = _excerpt(track.sources[0].path, start_s, EXCERPT_S)
            stems[stem][:, : sound.shape[1]] += sound * np.float32(db_to_gain(gains[STEMS.index(stem)]))
        peak = float(np.abs(sum(stems.values())).max())
        yield Item(
            "francium", f"Francium {start_s:g} s", {n: s / max(peak, 1.0) for n, s in stems.items()}, 48_000
        )


def _excerpt(path: Path, start_s: float, seconds: float) -> FloatArray:
    with open_audio(path) as reader:
        skip = round(start_s * reader.sample_rate)
        while skip > 0:
            skip -= reader.read(min(skip, 1 << 16)).shape[1]
        return reader.read(round(seconds * reader.sample_rate))


# ------------------------------------------------------------------ separators

Separate = Callable[[Item], Mapping[str, FloatArray]]
Key = tuple[str, str]


def candidates(models: Sequence[str]) -> dict[str, Separate]:
    """Everything that is measured, by name."""
    found: dict[str, Separate] = {"identity": lambda item: dict.fromkeys(item.stems, item.mixture)}
    found["lowpass"] = lambda item: _tracks(StreamingSeparator("lowpass", LowPass()), item)
    for name in models:
        made = load_separator(name)
        found[name] = lambda item, made=made: _tracks(made, item)
    for kind in ("binary", "ratio"):
        found[f"ideal {kind} mask"] = lambda item, kind=kind: _tracks(
            StreamingSeparator(kind, Oracle(item.stems, kind)), item
        )
    return found


def _tracks(separator: StreamingSeparator, item: Item) -> dict[str, FloatArray]:
    made = separator.separate(Audio(item.mixture, item.sample_rate))
    return {t.name: t.audio.samples for t in made.tracks if t.audio is not None}


def measured(items: Iterable[Item], found: Mapping[str, Separate]) -> tuple[list[Item], dict[Key, Scores]]:
    """The items and the scores by (suite, separator); interrupted, what there is so far."""
    scores: dict[Key, Scores] = {}
    done: list[Item] = []
    with suppress(KeyboardInterrupt):
        for item in items:
            for name, separate in found.items():
                began = time.process_time()
                tracks = separate(item)
                own = scores.setdefault((item.suite, name), Scores())
                own.cpu_s += time.process_time() - began
                own.audio_s += item.mixture.shape[1] / item.sample_rate
                _score(own, item, tracks, STANDS_FOR.get(name, {}), remix=name != "identity")
            done.append(item)
            print(item.name, file=sys.stderr, flush=True)
    return done, scores


def _score(
    own: Scores, item: Item, tracks: Mapping[str, FloatArray], stands_for: Mapping[str, str], *, remix: bool
) -> None:
    pairs: dict[str, Any] = {}
    total = item.mixture.astype(np.float64)
    for stem, reference in item.stems.items():
        track = tracks.get(stands_for.get(stem, stem))
        if track is None or np.mean(reference**2) < 1e-4 * np.mean(item.mixture**2):
            continue
        pairs[stem] = (reference.astype(np.float64), np.asarray(track, np.float64))
        own.sdr.setdefault(stem, []).append(sdr_db(*pairs[stem]))
        own.si_sdr.setdefault(stem, []).append(si_sdr_db(*pairs[stem]))
    if remix:
        own.plain += _remixes(pairs, total, item.sample_rate)
        made_up = {stem: (true, guess / _share(guess, total)) for stem, (true, guess) in pairs.items()}
        own.made_up += _remixes(made_up, total, item.sample_rate)


def _remixes(pairs: Mapping[str, Any], total: Any, sample_rate: int) -> list[tuple[float, float]]:
    scores = score_remix(pairs, total, sample_rate)[0]
    return [(row.sdr_db, abs(row.achieved_db - row.asked_db)) for rows in scores.values() for row in rows]


def _share(guess: Any, total: Any) -> float:
    return expected_share(float(np.vdot(guess, guess)), float(np.vdot(guess, total)))


# ------------------------------------------------------------------ tables


def table(
    suites: Sequence[str], scores: Mapping[tuple[str, str], Scores], items: Sequence[Item]
) -> Iterator[str]:
    """SDR / SI-SDR by stem, remix, time."""
    for suite in suites:
        own = [item for item in items if item.suite == suite]
        stems = [s for s in own[0].stems if any(s in scores[key].sdr for key in scores if key[0] == suite)]
        yield f"### {suite}: {len(own)} excerpts, SDR / SI-SDR, medians in dB"
        yield ""
        yield f"| separator | {' | '.join(stems)} | remix ±3 dB | off by | plain faders | off by | CPU s per s |"
        yield "|---" * (len(stems) + 6) + "|"
        for (of, name), got in scores.items():
            if of == suite and got.sdr:
                cells = [
                    f"{median(got.sdr[s]):.1f} / {median(got.si_sdr[s]):.1f}" if s in got.sdr else ""
                    for s in stems
                ]
                speed = f"{got.cpu_s / got.audio_s:.2f}" if name in SEPARATORS else ""
                yield f"| {name} | {' | '.join([*cells, *_cells(got.made_up), *_cells(got.plain)])} | {speed} |"
        yield ""


def _cells(remixes: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """Median SDR (lowest), and median deviation (most)."""
    if not remixes:
        return "", ""
    sdr, off = zip(*remixes, strict=True)
    return f"{median(sdr):.1f} ({min(sdr):.1f})", f"{median(off):.2f} ({max(off):.2f})"


def memory(models: Sequence[str], minutes: float) -> Iterator[str]:
    """Peak memory of a whole process that separates a long file to disk, by model."""
    yield f"| separator | peak memory, {minutes:g} min, MB | CPU s per s |"
    yield "|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "long.wav"
        _write_long(song, minutes)
        for name in models:
            ran = subprocess.run(
                [sys.executable, __file__, "--one", name, str(song)],
                capture_output=True,
                text=True,
                check=True,
            )
            peak_mb, cpu_s = map(float, ran.stdout.split())
            yield f"| {name} | {peak_mb:.0f} | {cpu_s / (60 * minutes):.3f} |"


def _write_long(path: Path, minutes: float) -> None:
    random = np.random.default_rng(0)
    times = np.arange(44_100 * 10) / 44_100
    tones = [
        np.sin(2 * np.pi * f * times) * (0.5 + 0.5 * np.sin(times * k))
        for k, f in enumerate((110, 277, 659), 1)
    ]
    piece = 0.1 * np.stack([sum(tones), tones[0] + tones[2]]) + 0.02 * random.standard_normal((2, len(times)))
    with AudioWriter(path, 44_100, 2, subtype="16") as writer:
        for _ in range(round(minutes * 6)):
            writer.write(piece.astype(np.float32))


def _one(name: str, song: Path) -> None:
    with tempfile.TemporaryDirectory(dir=song.parent) as folder:
        load_separator(name).separate_file(song, Path(folder))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time())


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=12)
    for option in ("--midi", "--font", "--kit"):
        parser.add_argument(option, type=Path, action="append", default=[])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--models", default="")
    parser.add_argument("--memory", type=float, metavar="MINUTES")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.one:
        _one(asked.one[0], Path(asked.one[1]))
        return
    models = [m for m in asked.models.split(",") if m] or [m for m in SEPARATORS if not unavailable(m)]
    if asked.memory:
        print("\n".join(memory(models, asked.memory)))
        return
    items = chain(synthetic_items(asked), real_items(asked.data) if asked.data else ())
    done, scores = measured(items, candidates(models))
    text = "\n".join(table(list(dict.fromkeys(i.suite for i in done)), scores, done))
    print(text)
    if asked.write:
        page = HERE / "SEPARATION.md"
        head, mark, rest = page.read_text("utf-8").partition("<!-- measured -->\n")
        tail = rest.partition("<!-- end -->\n")[2]
        page.write_text(f"{head}{mark}\n{text}\n<!-- end -->\n{tail}", "utf-8")


if __name__ == "__main__":
    main()
