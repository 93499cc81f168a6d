"""The page of an evaluation of instrument identification."""

from __future__ import annotations

from tonmeister.evaluation.identification import Accuracy, Answer, IdentificationEvaluation
from tonmeister.evaluation.report import Cell, Page, Section

__all__ = ["identification_page"]


def identification_page(result: IdentificationEvaluation) -> Page:
    """Accuracy by folder, families taken for one another, and every track."""
    return Page(
        "Instruments by their sound, names hidden",
        (_accuracy_section(result), _family_section(result), _track_section(result)),
        ("the baseline is spectral statistics and the nearest class mean",),
    )


def _accuracy_section(result: IdentificationEvaluation) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for name, (ours, baseline) in result.groups().items():
        rows += [_row(name, "classifier", ours), _row(name, "baseline", baseline)]
    columns = ("folder", "by", "instrument %", "family %", "tree %", "tracks", "of them leaves")
    return Section("Right answers", columns, tuple(rows))


def _row(name: str, by: str, figures: Accuracy) -> tuple[Cell, ...]:
    shares = (figures.leaf, figures.family, figures.tree)
    return (name, by, *(None if s is None else 100 * s for s in shares), figures.tracks, figures.leaves)


def _family_section(result: IdentificationEvaluation) -> Section:
    counts = result.confusions()
    said = sorted({s for _, s in counts})
    truths = sorted({t for t, _ in counts})
    rows = tuple((t, *(counts.get((t, s), 0) or "" for s in said)) for t in truths)
    return Section("Families: what they are (rows), what was said (columns)", ("family", *said), rows)


def _track_section(result: IdentificationEvaluation) -> Section:
    columns = ("file", "is", "said", "probability", "baseline", "")
    return Section("Tracks", columns, tuple(map(_track_row, result.answers)))


def _track_row(answer: Answer) -> tuple[Cell, ...]:
    right = "" if answer.said == answer.truth else "!"
    return (answer.file, answer.truth, answer.said, answer.probability, answer.baseline, right)
