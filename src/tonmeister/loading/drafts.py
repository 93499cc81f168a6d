"""Tracks in the making: what an entry's name says, and what tonmeister.toml says over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tonmeister.errors import BadInputError, nearest
from tonmeister.loading.config import CONFIG_NAME, FolderConfig, TrackSettings
from tonmeister.loading.files import Entry, comparable
from tonmeister.multitrack import Excluded, SourceFile, Track
from tonmeister.naming import NameGuess, identify_name, tidy_name, usual_role, without_shared_words

__all__ = ["Draft", "described", "of_config"]


@dataclass(frozen=True)
class Draft:
    """One track in the making."""

    entries: tuple[Entry, ...]
    stem: str
    """The name without what all names of the folder share."""
    guess: NameGuess
    settings: TrackSettings
    name: str

    @property
    def file(self) -> str:
        return " + ".join(entry.file for entry in self.entries)

    @property
    def kind(self) -> str:
        return self.settings.kind or self.guess.kind

    @property
    def evidence(self) -> str:
        is_set = self.settings.instrument or self.settings.role or self.settings.kind
        return CONFIG_NAME if is_set else self.guess.evidence

    @property
    def instrument(self) -> str:
        return self.settings.instrument or self.guess.instrument

    @property
    def role(self) -> str:
        if self.settings.role:
            return self.settings.role
        said = self.guess.label and self.guess.kind == self.kind and self.guess.instrument == self.instrument
        return self.guess.role if said else usual_role(self.instrument)

    @property
    def known_by(self) -> str:
        """Who says what the instrument is; see `Track.known_by`."""
        if self.settings.instrument:
            return "person"
        if not self.guess.label:
            return ""
        return "hint" if self.guess.weak else "name"

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        return tuple(entry.source for entry in self.entries)

    def track(self) -> Track:
        """The track as it stands, without its group."""
        is_set = self.settings.instrument or self.settings.role
        return Track(
            name=self.name,
            sources=self.sources,
            instrument=self.instrument,
            role=self.role,
            confidence=1.0 if is_set else self.guess.confidence,
            evidence=self.evidence,
            known_by=self.known_by,
            attributes=self.guess.attributes,
            group=self.settings.group,
            kind=self.kind,
        )

    def calls(self) -> Iterator[str]:
        """Every name a person may call it by in tonmeister.toml."""
        yield self.name
        for entry in self.entries:
            yield from _calls(entry)


def described(entries: Sequence[Entry], config: FolderConfig) -> list[Draft]:
    """A draft for each entry, from its name, its folder's name and the configuration."""
    stems = _stems([entry.name for entry in entries])
    return [_draft(entry, stem, config) for entry, stem in zip(entries, stems, strict=True)]


def _stems(names: Sequence[str]) -> list[str]:
    """The names without what all tracks share; prints and clicks need not share it."""
    tracks = [name for name in names if identify_name(name).kind in ("source", "return")] or list(names)
    shorter = dict(zip(tracks, without_shared_words(tracks), strict=True))
    return [shorter.get(name, name) for name in names]


def _draft(entry: Entry, stem: str, config: FolderConfig) -> Draft:
    name = tidy_name(stem)
    settings = _settings(config.tracks, {comparable(c) for c in (*_calls(entry), name)})
    return Draft((entry,), stem, _guess(entry, stem), settings, _tidy_given(settings.name) or name)


def _calls(entry: Entry) -> Iterator[str]:
    yield from (entry.name, entry.file, entry.source.path.name, tidy_name(entry.name))
    if entry.source.stream == 0:
        yield entry.source.path.stem


def _tidy_given(name: str | None) -> str:
    return " ".join("".join(c for c in name if c.isprintable()).split()) if name else ""


def _settings(tracks: Mapping[str, TrackSettings], calls: set[str]) -> TrackSettings:
    found = TrackSettings()
    for key, settings in tracks.items():
        if comparable(key) in calls:
            found = settings.over(found)
    return found


def _guess(entry: Entry, stem: str) -> NameGuess:
    """What the name says, helped by the subfolder's name where it says little."""
    if entry.is_print:
        evidence = "first stream of a stem file: the mix of the others"
        return NameGuess(kind="print", role="background", label="mixture", confidence=1.0, evidence=evidence)
    guess = identify_name(stem)
    if entry.parent and (guess.weak or not guess.label):
        wider = identify_name(f"{entry.parent} {stem}")
        if wider.kind == "source" and wider.confidence > guess.confidence:
            return replace(wider, evidence=wider.evidence.replace("the name", "folder and file name", 1))
    return guess


def of_config(
    drafts: Sequence[Draft], all_drafts: Sequence[Draft], config: FolderConfig, excluded: Sequence[Excluded]
) -> list[Draft]:
    """The drafts with the settings meant for their names after joining; every key must have meant something.

    Raises `BadInputError` for a key of ``tracks`` or a member of ``groups`` that no track is called by.
    """
    known = [call for draft in (*drafts, *all_drafts) for call in draft.calls()]
    known += [e.file for e in excluded] + [tidy_name(e.file) for e in excluded]
    known += [tidy_name(draft.stem) for draft in all_drafts]
    for where, word in _config_names(config):
        if comparable(word) not in map(comparable, known):
            hint = nearest(word, known) or f": tracks are {', '.join(d.name for d in drafts)}"
            raise BadInputError(f"{CONFIG_NAME}: {where}={word!r} is no track of this folder{hint}")
    return [_resettled(draft, config) for draft in drafts]


def _config_names(config: FolderConfig) -> Iterator[tuple[str, str]]:
    yield from (("tracks", word) for word in config.tracks)
    yield from ((f"groups.{group}", word) for group, words in config.groups.items() for word in words)


def _resettled(draft: Draft, config: FolderConfig) -> Draft:
    settings = _settings(config.tracks, {comparable(draft.name)}).over(draft.settings)
    if (settings.kind or draft.kind) != draft.kind:
        raise BadInputError(
            f"{CONFIG_NAME}: tracks.{draft.name!r}: kind={settings.kind!r} comes too late under this name: "
            f"write tracks.{draft.entries[0].file!r}"
        )
    return replace(draft, settings=settings, name=_tidy_given(settings.name) or draft.name)
