"""How good a classifier is: on sounds, on songs and on real tracks that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tonmeister.audio import Audio
from tonmeister.evaluation.identification import Accuracy, accuracy, evaluate_identification
from tonmeister.evaluation.spectral_statistics import Centroids
from tonmeister.identification.classifier import Classifier
from tonmeister.identification.sound_evidence import SoundEvidence
from tonmeister.multitrack import Track
from tonmeister.training.identifier.calibration import Calibration, expected_calibration_error, shares
from tonmeister.training.identifier.material import Held, held_sounds
from tonmeister.training.identifier.options import Progress, RecipeOptions
from tonmeister.training.identifier.song_pictures import song_options
from tonmeister.training.identifier.taught import CLASSES, UNKNOWN
from tonmeister.training.synthesis.songs import synthesize
from tonmeister.units import DoubleArray
from tonmeister.vocabulary import family

__all__ = ["measured"]


def measured(
    options: RecipeOptions,
    classifier: Classifier,
    centroids: Centroids,
    calibration: Calibration,
    progress: Progress,
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "calibration_loss": {"before": calibration.loss_before, "after": calibration.loss_after}
    }
    if options.test.fonts:
        test = held_sounds(options.test, options, options.seed + 2, lambda d: progress("testing", d))
        figures |= _synthetic_figures(test, classifier, centroids, calibration)
        figures |= _song_figures(options, classifier, centroids, lambda d: progress("testing on songs", d))
    if options.test_folders:
        result = evaluate_identification(options.test_folders, classifier=classifier, baseline=centroids)
        for name, (ours, baseline) in result.groups().items():
            figures[f"real_{name}"] = ours.to_dict()
            figures[f"real_{name}_baseline"] = baseline.to_dict()
        figures["real_family_confusions"] = _nested(result.confusions())
    return figures


def _synthetic_figures(
    test: Held, classifier: Classifier, centroids: Centroids, calibration: Calibration
) -> dict[str, Any]:
    probabilities = shares(test.scores(classifier), calibration.temperature, calibration.unknown_bias)
    ours = [_said(row) for row in probabilities]
    nearest = [centroids.nearest(list(pictures)) for pictures in test.pictures()]
    theirs = [(word, family(word) if word != UNKNOWN else UNKNOWN) for word in nearest]
    truth = [CLASSES[n] for n in test.numbers]
    right = [t == said for t, (said, _) in zip(truth, ours, strict=True)]
    confusions: dict[tuple[str, str], int] = {}
    for t, (said, _) in zip(truth, ours, strict=True):
        confusions[t, said] = confusions.get((t, said), 0) + 1
    return {
        "synthetic": _accuracy(truth, ours).to_dict(),
        "synthetic_baseline": _accuracy(truth, theirs).to_dict(),
        "synthetic_calibration_error": expected_calibration_error(list(probabilities.max(axis=1)), right),
        "synthetic_confusions": _nested(confusions),
    }


def _song_figures(
    options: RecipeOptions, classifier: Classifier, centroids: Centroids, told: Callable[[float], None]
) -> dict[str, Any]:
    """Accuracy on the tracks of songs whose fonts, kits and scores were not learned from."""
    made = song_options(options.test.fonts, options.test.kits, options.test.midi)
    ours, theirs = [], []
    for number in range(options.test_songs):
        song = synthesize(int(np.random.default_rng([options.seed + 2, number]).integers(2**62)), made)
        for track in song.tracks:
            lazy = Track(track.name, audio=Audio(track.raw, song.sample_rate))
            heard, nearest = classifier.classify(lazy), centroids.classify(lazy) or UNKNOWN
            ours.append((track.instrument, heard.instrument or UNKNOWN, heard.family or UNKNOWN))
            theirs.append((track.instrument, nearest, family(nearest) if nearest != UNKNOWN else UNKNOWN))
        told((number + 1) / options.test_songs)
    return {
        "synthetic_songs": accuracy(ours, CLASSES).to_dict(),
        "synthetic_songs_baseline": accuracy(theirs, CLASSES).to_dict(),
    }


def _accuracy(truth: Sequence[str], said: Sequence[tuple[str, str]]) -> Accuracy:
    return accuracy([(t, *s) for t, s in zip(truth, said, strict=True)], CLASSES)


def _said(probabilities: DoubleArray) -> tuple[str, str]:
    """(instrument, family) as `SoundEvidence` would answer."""
    known = {c: float(p) for c, p in zip(CLASSES, probabilities, strict=True) if c != UNKNOWN}
    heard = SoundEvidence(known, 1.0 - sum(known.values()), {}, 1.0)
    return heard.instrument or UNKNOWN, heard.family or UNKNOWN


def _nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (truth, said), count in sorted(counts.items()):
        nested.setdefault(truth, {})[said] = count
    return nested
