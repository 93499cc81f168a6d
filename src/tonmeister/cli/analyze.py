"""``tonmeister analyze``: what each track is and measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.features import MultitrackFeatures, TrackFeatures
    from tonmeister.multitrack import Multitrack, Track

__all__ = ["command"]

_WIDE = 110
"""Columns of a terminal that has room for every measure."""


@click.command(
    "analyze",
    epilog=given.examples(
        "tonmeister analyze song/",
        "tonmeister analyze song/ --json > song.json",
        "tonmeister analyze session/ --recursive",
    ),
)
@given.folder_argument
@given.threads_option
@given.recursive_option
@given.names_only_option
@given.common
def command(
    folder: Path, settings: dict[str, Any], threads: int | None, recursive: bool, names_only: bool
) -> None:
    """Say what each track in FOLDER is, and what it measures."""
    from tonmeister.cli.screen import Screen
    from tonmeister.loading import load_multitrack
    from tonmeister.pipeline import listen

    screen = Screen.of(settings)
    multitrack = load_multitrack(folder, recursive=recursive)
    with screen.progress() as bars:
        bars("analyze", 0.0)
        multitrack, features = listen(multitrack, names_only=names_only, threads=threads, progress=bars)
    screen.show(_table(multitrack, features, screen.columns), "")
    if screen.as_json:
        screen.json(analysis_to_dict(multitrack, features))
    screen.notes(_said(multitrack, features))


def _said(multitrack: Multitrack, features: MultitrackFeatures) -> list[str]:
    return [
        *multitrack.notes,
        *(f"{again}: the same audio as {kept}" for kept, again in features.duplicates),
        *(
            f"{p.other} lags {p.reference} by {p.delay_ms:.2f} ms{', inverted' if p.inverted else ''} "
            f"(correlation {p.correlation:.2f})"
            for p in features.pairs
        ),
    ]


def _table(multitrack: Multitrack, features: MultitrackFeatures, width: int) -> Any:
    """A line a track; what a narrow terminal has no room for is in the JSON."""
    from tonmeister.cli.tables import table

    wide = width >= _WIDE
    numbers = ("LUFS", "dBTP", "crest", "active", *(("LRA", "centroid", "width") if wide else ()))
    columns = ("track", "what it is", "sure", *numbers, *(("file",) if wide else ()), "faults")
    rows = [_row(track, features[track.name], wide) for track in multitrack.tracks]
    return table(columns, rows, right=("sure", *numbers))


def _row(track: Track, measured: TrackFeatures, wide: bool) -> tuple[str, ...]:
    from tonmeister.cli.screen import number

    more = (
        number(measured.loudness_range_lu),
        number(measured.centroid_hz, 0),
        number(measured.width, 2),
        track.file,
    )
    return (
        track.name,
        f"{track.instrument.replace('_', ' ')}, {track.role}",
        f"{track.confidence:.0%}",
        number(measured.integrated_lufs),
        number(measured.true_peak_dbtp),
        number(measured.crest_db),
        f"{measured.active_ratio:.0%}",
        *(more if wide else ()),
        ", ".join(faults(measured)) or "-",
    )


def faults(measured: TrackFeatures) -> list[str]:
    """What is wrong with a recording, in words."""
    found = ["silent"] if measured.silent else []
    if measured.clipped_runs:
        found.append(f"clipped {measured.clipped_runs} times, first at {measured.clipped_at_s[0]:.2f} s")
    if abs(measured.dc) > 0.01:
        found.append(f"DC offset {measured.dc:+.3f}")
    return found


def analysis_to_dict(multitrack: Multitrack, features: MultitrackFeatures) -> dict[str, Any]:
    """The JSON of an analysis."""
    return {
        "title": multitrack.title,
        "sample_rate": multitrack.sample_rate,
        "duration_s": features.duration_s,
        "tempo_bpm": features.tempo_bpm,
        "tracks": [_track_to_dict(t, features[t.name]) for t in multitrack.tracks],
        "references": [{"file": t.file, "name": t.name} for t in multitrack.references],
        "excluded": [{"file": e.file, "why": e.why} for e in multitrack.excluded],
        "pairs": [
            {
                "reference": p.reference,
                "other": p.other,
                "delay_ms": p.delay_ms,
                "inverted": p.inverted,
                "correlation": p.correlation,
            }
            for p in features.pairs
        ],
        "duplicates": [{"kept": kept, "again": again} for kept, again in features.duplicates],
        "notes": list(multitrack.notes),
    }


def _track_to_dict(track: Track, measured: TrackFeatures) -> dict[str, Any]:
    return {
        "file": track.file,
        "name": track.name,
        "instrument": track.instrument,
        "role": track.role,
        "confidence": track.confidence,
        "evidence": track.evidence,
        "attributes": list(track.attributes),
        "group": track.group,
        "channels": track.channels,
        "duration_s": measured.frames / measured.sample_rate,
        "lufs": measured.integrated_lufs,
        "lra_lu": measured.loudness_range_lu,
        "dbtp": measured.true_peak_dbtp,
        "sample_peak_db": measured.sample_peak_db,
        "rms_db": measured.rms_db,
        "crest_db": measured.crest_db,
        "active_ratio": measured.active_ratio,
        "centroid_hz": measured.centroid_hz,
        "onset_rate_hz": measured.onset_rate_hz,
        "octave_db": measured.octave_db.tolist(),
        "width": measured.width,
        "correlation": measured.correlation,
        "silent": measured.silent,
        "dc": measured.dc,
        "clipped_runs": measured.clipped_runs,
        "clipped_at_s": list(measured.clipped_at_s),
        "faults": faults(measured),
        "checksum": measured.checksum,
    }
