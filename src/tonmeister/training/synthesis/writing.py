"""Synthesized songs as folders that every other verb can read.

A folder holds the raw tracks, as a mixer gets them, beside ``mix.wav``, ``song.json`` (labels, provenance, what was
done to every track), ``notes.json`` (what was played) and ``true.plan.json`` (the engineer's console, which renders
the mix from the folder). ``dry/`` and ``processed/`` hold the tracks before and after.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.audio_output import check_writable, write_audio
from tonmeister.errors import BadInputError, OutputError
from tonmeister.loading import load_multitrack
from tonmeister.plan import MixPlan
from tonmeister.plan_file import save_plan
from tonmeister.training.synthesis.songs import NoteArray, SynthesizedSong, SynthesizedTrack
from tonmeister.units import FloatArray, gain_to_db
from tonmeister.vocabulary import family

__all__ = ["FORMATS", "FORMS", "PLAN", "SONG", "check_song_folders", "song_folder", "write_song"]

FORMATS: Final = ("wav", "flac")
FORMS: Final = ("dry", "processed")
"""What may be written beside the raw tracks."""
SONG: Final = "song.json"
NOTES: Final = "notes.json"
PLAN: Final = "true.plan.json"
MIX: Final = "mix"
_SCHEMA_VERSION: Final = 1
_MOST: Final = 0.99


def song_folder(output: Path, index: int) -> Path:
    """The folder of song number `index`."""
    return Path(output) / f"song-{index:06d}"


def check_song_folders(output: Path, indices: range, *, overwrite: bool) -> None:
    """Refuse an output that is there already, or that cannot be written, before any work is done."""
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise BadInputError(f"{output}: is a file: give a folder")
    there = [f for f in (song_folder(output, i) for i in indices) if f.exists()]
    if there and not overwrite:
        raise BadInputError(
            f"{there[0]}: exists already: give another folder, another --start or --overwrite"
        )
    for folder in there:
        if not (folder / SONG).is_file():
            raise BadInputError(
                f"{folder}: is no synthesized song, so it is not replaced: give another folder"
            )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{output}: cannot be made ({reason}): choose another folder") from None
    check_writable(output)


def write_song(
    song: SynthesizedSong,
    folder: Path,
    *,
    audio_format: str = "wav",
    forms: tuple[str, ...] = FORMS,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a song as a folder, which appears under its name only when complete; returns what ``song.json`` holds.

    Audio has 24 bits. A dry track that is louder than full scale is turned down; ``dry_gain_db`` says by how much.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise BadInputError(f"{folder}: exists already: give another folder or --overwrite")
    with _complete(folder) as partial:
        tracks = [
            _write_track(song, track, number, partial, audio_format, forms)
            for number, track in enumerate(song.tracks, 1)
        ]
        _write_audio(partial / f"{MIX}.{audio_format}", song.mix, song.sample_rate)
        names = _names_on_loading(partial, [str(t["file"]) for t in tracks])
        for track, name in zip(tracks, names, strict=True):
            track["track"] = name
        renamed = dict(zip([t.name for t in song.tracks], names, strict=True))
        save_plan(_renamed(song.plan, renamed, [t["file"] for t in tracks]), partial / PLAN)
        about = _about(song, tracks, f"{MIX}.{audio_format}")
        _write_json(partial / SONG, about, indent=1)
        _write_json(
            partial / NOTES, {t["track"]: _plain(s.notes) for t, s in zip(tracks, song.tracks, strict=True)}
        )
    return about


@contextmanager
def _complete(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` that takes its name at the end, or vanishes."""
    partial = folder.with_name(f".{folder.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{folder}: the song could not be written ({reason}): write elsewhere") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_track(
    song: SynthesizedSong,
    track: SynthesizedTrack,
    number: int,
    folder: Path,
    audio_format: str,
    forms: tuple[str, ...],
) -> dict[str, Any]:
    name = f"{number:02d}_{track.name}.{audio_format}"
    _write_audio(folder / name, track.raw, song.sample_rate)
    about = _track_about(track, name)
    for form in forms:
        samples = getattr(track, form)
        loudest = float(np.abs(samples).max(initial=0.0))
        if form == "dry" and loudest > _MOST:
            samples = samples * np.float32(_MOST / loudest)
            about["dry_gain_db"] = round(gain_to_db(_MOST / loudest), 4)
        (folder / form).mkdir(exist_ok=True)
        _write_audio(folder / form / name, samples, song.sample_rate)
    return about


def _write_audio(path: Path, samples: FloatArray, sample_rate: int) -> None:
    write_audio(path, Audio(samples, sample_rate), subtype="24")


def _track_about(track: SynthesizedTrack, file: str) -> dict[str, Any]:
    return {
        "file": file,
        "name": track.name,
        "instrument": track.instrument,
        "family": family(track.instrument),
        "role": track.role,
        "group": track.group,
        "channels": len(track.raw),
        "provenance": dataclasses.asdict(track.provenance),
        "recording": dict(track.recording),
    }


def _about(song: SynthesizedSong, tracks: list[dict[str, Any]], mix: str) -> dict[str, Any]:
    return {
        "schema_version": _SCHEMA_VERSION,
        "title": song.title,
        "seed": song.seed,
        "style": song.style,
        "tempo_bpm": round(song.tempo_bpm, 4),
        "sample_rate": song.sample_rate,
        "frames": song.frames,
        "moving_faders": song.desk.moving,
        "mix": mix,
        "plan": PLAN,
        "tracks": tracks,
        "notes": list(song.notes),
    }


def _names_on_loading(folder: Path, files: list[str]) -> list[str]:
    """What each file is called when the folder is loaded: the names that a plan for it must have."""
    loaded = {t.file: t.name for t in load_multitrack(folder).tracks}
    if set(loaded) != set(files):
        odd = sorted(set(loaded) ^ set(files))
        raise OutputError(f"{folder.name}: {odd[0]!r} would not be read back as one track: use another seed")
    return [loaded[file] for file in files]


def _renamed(plan: MixPlan, names: Mapping[str, str], files: list[str]) -> MixPlan:
    """The plan for tracks that are called otherwise."""
    records = [
        dataclasses.replace(t, name=names[t.name], file=file)
        for t, file in zip(plan.tracks, files, strict=True)
    ]
    decisions = [dataclasses.replace(d, strip=names.get(d.strip, d.strip)) for d in plan.decisions]
    return MixPlan.of(
        decisions,
        title=plan.title,
        sample_rate=plan.sample_rate,
        tracks=records,
        engine=plan.engine,
        seed=plan.seed,
    )


def _plain(notes: NoteArray) -> list[list[float]]:
    """[start, length, pitch, velocity] of every note, seconds with four digits."""
    return [[round(s, 4), round(n, 4), p, v] for s, n, p, v in notes.tolist()]


def _write_json(path: Path, data: Mapping[str, Any], indent: int | None = None) -> None:
    path.write_text(json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
