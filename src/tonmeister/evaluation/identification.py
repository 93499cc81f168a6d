"""How well instruments are known by their sound: top-1, family and tree accuracy, and who is taken for whom.

Each track has a true word, from a ``labels.csv`` (columns file and instrument), from the folder's tonmeister.toml, or
from its name. Leaf accuracy counts tracks whose truth the classifier was taught as a leaf; family accuracy counts all.
Tree accuracy is 2 |path(answer) and path(truth)| / (|path(answer)| + |path(truth)|), the similarity of Wu & Palmer (ACL
1994) with paths from the family down. "Unknown" is right for what is no single instrument, and wrong for the rest.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tonmeister.audio import probe
from tonmeister.errors import BadInputError
from tonmeister.evaluation.spectral_statistics import Centroids, load_centroids
from tonmeister.identification.classifier import Classifier, load_classifier
from tonmeister.identification.relatives import heard_as
from tonmeister.identification.sound_evidence import SoundEvidence
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import SourceFile, Track
from tonmeister.naming import identify_name
from tonmeister.vocabulary import INSTRUMENTS, family, parents

__all__ = [
    "Accuracy",
    "Answer",
    "IdentificationEvaluation",
    "LabelledTrack",
    "accuracy",
    "evaluate_identification",
    "labelled_tracks",
]

UNKNOWN: Final = "unknown"
_NO_INSTRUMENT: Final = frozenset({"other", "effects", UNKNOWN, "mixed"})


@dataclass(frozen=True, eq=False)
class LabelledTrack:
    """A track and what it truly is: a word of the vocabulary, or ``unknown`` for no single instrument."""

    track: Track
    truth: str
    group: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one track."""

    file: str
    group: str
    truth: str
    said: str
    probability: float
    family_said: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of right answers, 0 to 1; None where nothing was asked."""

    leaf: float | None
    family: float | None
    tree: float | None
    tracks: int
    leaves: int
    """How many tracks count for `leaf`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "leaf": self.leaf, "family": self.family, "tree": self.tree, "tracks": self.tracks, "leaves": self.leaves
        }  # fmt: skip


@dataclass(frozen=True)
class IdentificationEvaluation:
    """All answers, and what follows from them."""

    answers: tuple[Answer, ...]
    classes: tuple[str, ...]

    def groups(self) -> Mapping[str, tuple[Accuracy, Accuracy]]:
        """Group -> (classifier, baseline); ``all`` first."""
        names = ("all", *dict.fromkeys(a.group for a in self.answers))
        return {name: self._pair([a for a in self.answers if name in ("all", a.group)]) for name in names}

    def _pair(self, answers: Sequence[Answer]) -> tuple[Accuracy, Accuracy]:
        ours = [(a.truth, a.said, a.family_said) for a in answers]
        theirs = [(a.truth, a.baseline, _family(a.baseline)) for a in answers]
        return accuracy(ours, self.classes), accuracy(theirs, self.classes)

    def confusions(self) -> Mapping[tuple[str, str], int]:
        """(true family, said family) -> tracks."""
        return Counter((_family(a.truth), a.family_said) for a in self.answers)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        groups = self.groups()
        leaves = Counter((a.truth, a.said) for a in self.answers)
        return {
            "groups": {n: {"classifier": c.to_dict(), "baseline": b.to_dict()} for n, (c, b) in groups.items()},
            "families": [{"truth": t, "said": s, "tracks": n} for (t, s), n in sorted(self.confusions().items())],
            "instruments": [{"truth": t, "said": s, "tracks": n} for (t, s), n in sorted(leaves.items())],
            "files": [
                {
                    "file": a.file, "group": a.group, "truth": a.truth, "instrument": a.said,
                    "probability": a.probability, "family": a.family_said, "baseline": a.baseline,
                }
                for a in self.answers
            ],
        }  # fmt: skip


def accuracy(answers: Sequence[tuple[str, str, str]], classes: Sequence[str]) -> Accuracy:
    """Of (truth, said instrument, said family); `classes` are the leaves that can be said."""
    leaves = [(truth, said) for truth, said, _ in answers if heard_as(truth) in classes]
    families = [_family(truth) == said for truth, _, said in answers]
    trees = [_likeness(truth, said) for truth, said, _ in answers]
    return Accuracy(
        leaf=_mean([said == heard_as(truth) for truth, said in leaves]),
        family=_mean(families),
        tree=_mean(trees),
        tracks=len(answers),
        leaves=len(leaves),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _family(word: str) -> str:
    return UNKNOWN if word in _NO_INSTRUMENT or family(word) in _NO_INSTRUMENT else family(word)


def _likeness(truth: str, said: str) -> float:
    paths = [{UNKNOWN} if _family(w) == UNKNOWN else set(parents(heard_as(w))) for w in (truth, said)]
    return 2 * len(paths[0] & paths[1]) / (len(paths[0]) + len(paths[1]))


def labelled_tracks(folder: Path) -> list[LabelledTrack]:
    """The tracks of a folder whose truth is known; raises `BadInputError` when there is none."""
    folder = Path(folder)
    found = _of_table(folder) if (folder / "labels.csv").is_file() else _of_names(folder)
    if not found:
        raise BadInputError(
            f"{folder}: no track whose instrument is known: name the files by instrument, or write a labels.csv with the "
            "columns file and instrument"
        )
    return found


def _of_table(folder: Path) -> list[LabelledTrack]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row.get("file") or "", row.get("instrument") or "") for row in csv.DictReader(file)]
    found = []
    for name, text in rows:
        path = folder / name
        if path.resolve().parent != folder.resolve() and not path.is_symlink():
            raise BadInputError(f"{folder / 'labels.csv'}: file={name!r} is not in that folder")
        track = Track(name, sources=(SourceFile(path, probe(path)),))
        if truth := _truth(text, name):
            found.append(LabelledTrack(track, truth, folder.name))
    return found


def _truth(text: str, name: str) -> str | None:
    """The word for a label; a file name that is more exact within the label's part of the tree wins."""
    word = text.strip().casefold().replace(" ", "_")
    if word in (UNKNOWN, "mixed"):
        return UNKNOWN
    if word not in INSTRUMENTS:
        word = identify_name(text).instrument
    finer = identify_name(name).instrument
    return finer if word in parents(finer) else (word if word != "other" else None)


def _of_names(folder: Path) -> list[LabelledTrack]:
    song = load_multitrack(folder)
    known = [t for t in song.tracks if t.instrument not in ("other", "loop") and t.confidence > 0]
    return [LabelledTrack(track, track.instrument, song.title) for track in known]


def evaluate_identification(
    folders: Sequence[Path],
    *,
    classifier: Classifier | None = None,
    baseline: Centroids | None = None,
    progress: Callable[[float], None] | None = None,
) -> IdentificationEvaluation:
    """Ask the classifier and the baseline about every labelled track; nobody sees a name."""
    tracks = [track for folder in folders for track in labelled_tracks(folder)]
    classifier, baseline = classifier or load_classifier(), baseline or load_centroids()
    answers = []
    for number, labelled in enumerate(tracks):
        answers.append(_answer(labelled, classifier.classify(labelled.track), baseline))
        if progress is not None:
            progress((number + 1) / len(tracks))
    return IdentificationEvaluation(tuple(answers), classifier.classes)


def _answer(labelled: LabelledTrack, heard: SoundEvidence, baseline: Centroids) -> Answer:
    said = heard.instrument or UNKNOWN
    return Answer(
        file=labelled.track.file,
        group=labelled.group,
        truth=labelled.truth,
        said=said,
        probability=heard.probabilities.get(said, heard.unknown),
        family_said=heard.family or UNKNOWN,
        baseline=baseline.classify(labelled.track) or UNKNOWN,
    )
