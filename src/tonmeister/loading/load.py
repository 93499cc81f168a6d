"""One call from a folder to a multitrack; each step is one function in this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tonmeister.audio import AUDIO_SUFFIXES, probe
from tonmeister.errors import BadInputError
from tonmeister.loading.config import SAMPLE_RATE_RANGE, FolderConfig, read_config
from tonmeister.loading.drafts import Draft, described, of_config
from tonmeister.loading.files import Findings, find_entries, stream_entries, subfolder_hint
from tonmeister.loading.grouping import with_groups, with_pairs, with_unique_names
from tonmeister.loading.remarks import remarks
from tonmeister.loading.roles import settled_roles
from tonmeister.multitrack import Excluded, Multitrack, Track

__all__ = ["load_files", "load_multitrack"]


def load_multitrack(folder: Path, *, recursive: bool = False, sample_rate: int | None = None) -> Multitrack:
    """The tracks of a folder, or of one stem file, aligned at one sample rate.

    Names say what each track is; a tonmeister.toml in the folder says it better. Prints become references, click and
    guide tracks are left out, left and right files are joined. ``notes`` says everything that was noticed or repaired.
    The rate is `sample_rate` (hertz), else the configured one, else that of most files (a tie goes to the higher).

    Raises `BadInputError` when there is nothing to mix, `AudioFileError` for a file that cannot be read or mixed.
    """
    folder = Path(folder)
    if sample_rate is not None:
        SAMPLE_RATE_RANGE.check("sample_rate", sample_rate)
    if not folder.exists():
        raise BadInputError(f"{folder}: no such folder: check the path")
    if folder.is_file():
        return _assemble(
            _stem_file(folder), FolderConfig(), sample_rate, title=_title_of(folder), folder=None
        )
    config = read_config(folder)
    findings = find_entries(folder, recursive=recursive, exclude=config.exclude)
    title = config.title or folder.resolve().name
    return _assemble(findings, config, sample_rate, title=title, folder=folder)


def load_files(paths: Sequence[Path], *, sample_rate: int | None = None, title: str = "live") -> Multitrack:
    """The tracks of some files named one by one, in that order; as `load_multitrack` otherwise."""
    entries = [entry for path in paths for entry in stream_entries(probe(path), file=path.name)]
    return _assemble(Findings(tuple(entries), ()), FolderConfig(), sample_rate, title=title, folder=None)


def _stem_file(path: Path) -> Findings:
    """The streams of a file given in place of a folder."""
    if path.suffix.casefold() not in AUDIO_SUFFIXES:
        raise BadInputError(f"{path}: is a file and no audio: give the folder with the tracks")
    info = probe(path)
    if info.streams < 2:
        raise BadInputError(
            f"{path}: is one audio file: give the folder with the tracks, or a stem file that holds several"
        )
    return Findings(tuple(stream_entries(info, file=path.name)), ())


def _title_of(path: Path) -> str:
    return path.stem.removesuffix(".stem")


def _assemble(
    findings: Findings, config: FolderConfig, sample_rate: int | None, *, title: str, folder: Path | None
) -> Multitrack:
    drafts = described(findings.entries, config)
    sources = [draft for draft in drafts if draft.kind in ("source", "return")]
    prints = [draft for draft in drafts if draft.kind == "print"]
    control = [draft for draft in drafts if draft.kind == "control"]
    if not sources:
        raise _nothing_to_mix(folder or findings.entries[0].source.path, findings, prints, control)
    joined, pair_notes = with_pairs(sources)
    named, name_notes = with_unique_names(joined)
    named, more_notes = with_unique_names(of_config(named, drafts, config, findings.excluded))
    tracks = settled_roles(with_groups(named, config))
    rate = sample_rate or config.sample_rate or majority_rate(tracks)
    references = tuple(draft.track() for draft in prints)
    excluded = (
        *findings.excluded,
        *(Excluded(d.file, f"click or guide track: {d.evidence}") for d in control),
    )
    notes = (
        *findings.notes,
        *pair_notes,
        *name_notes,
        *more_notes,
        *remarks(tracks, references, excluded, rate),
    )
    return Multitrack(
        title=title,
        tracks=tuple(tracks),
        sample_rate=rate,
        folder=folder,
        references=references,
        excluded=excluded,
        notes=notes,
        tempo_bpm=config.tempo_bpm,
        genre=config.genre,
        locks=config.locks,
    )


def majority_rate(tracks: Sequence[Track]) -> int:
    """The sample rate of most files in hertz; a tie goes to the higher."""
    counts = Counter(source.info.sample_rate for track in tracks for source in track.sources)
    return max(counts, key=lambda rate: (counts[rate], rate))


def _nothing_to_mix(
    path: Path, findings: Findings, prints: Sequence[Draft], control: Sequence[Draft]
) -> BadInputError:
    found = [f"{d.file} (a finished mix: {d.evidence})" for d in prints]
    found += [f"{d.file} (click or guide: {d.evidence})" for d in control]
    found += [f"{e.file} ({e.why})" for e in findings.excluded]
    hint = subfolder_hint(path) if path.is_dir() else ""
    remedy = hint or 'add tracks, or say kind = "source" for one in tonmeister.toml'
    return BadInputError(f"{path}: no track to mix among {'; '.join(found)}{', ' if hint else ': '}{remedy}")
