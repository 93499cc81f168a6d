"""From soundfonts, drum kits and recordings to a shipped classifier with its card, in one call.

Everything follows from the seed, the files and the versions of the libraries. What is named for testing is never
learned from, and calibration hears sources of its own.
"""

from __future__ import annotations

from pathlib import Path

from tonmeister.evaluation.spectral_statistics import fit_centroids
from tonmeister.identification.classifier import KIND, Classifier
from tonmeister.model_files.card import ModelCard
from tonmeister.model_files.store import load_model, save_model
from tonmeister.training.identifier.calibration import Calibration, calibrate
from tonmeister.training.identifier.cards import baseline_card, classifier_card
from tonmeister.training.identifier.figures import measured
from tonmeister.training.identifier.learning import learn
from tonmeister.training.identifier.material import held_sounds, training_pictures
from tonmeister.training.identifier.network import folded_weights, onnx_bytes
from tonmeister.training.identifier.options import Progress, RecipeOptions
from tonmeister.training.identifier.pictures import as_floats
from tonmeister.training.identifier.taught import CLASSES

__all__ = ["train_identifier"]


def train_identifier(
    options: RecipeOptions, output: Path, *, overwrite: bool = False, progress: Progress
) -> ModelCard:
    """Learn, calibrate, test, and write ``output`` (.onnx), its baseline beside it, and their cards."""
    pictures = training_pictures(options, progress)
    network = learn(
        pictures, options.learning, options.seed, progress=lambda done, _loss: progress("learning", done)
    )
    data = onnx_bytes(folded_weights(network), classes=len(CLASSES))
    centroids = fit_centroids(list(as_floats(pictures.images)), pictures.classes, CLASSES)
    save_model(
        output, data, classifier_card(options, Calibration(1.0, 0.0, 0.0, 0.0), {}), overwrite=overwrite
    )
    calibration = _calibrated(options, Classifier(load_model(output, kind=KIND)), progress)
    save_model(output, data, classifier_card(options, calibration, {}), overwrite=True)
    classifier = Classifier(load_model(output, kind=KIND))
    arrays = {"centers": centroids.centers, "mean": centroids.mean, "deviation": centroids.deviation}
    baseline = output.with_name(f"{output.stem}-baseline.npz")
    save_model(baseline, arrays, baseline_card(options), overwrite=overwrite)
    metrics = measured(options, classifier, centroids, calibration, progress)
    return save_model(output, data, classifier_card(options, calibration, metrics), overwrite=True)


def _calibrated(options: RecipeOptions, classifier: Classifier, progress: Progress) -> Calibration:
    files = options.held if options.held.fonts else options.sounds
    held = held_sounds(files, options, options.seed + 1, lambda d: progress("calibrating", d))
    return calibrate(held.scores(classifier), held.numbers)
