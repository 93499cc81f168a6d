"""The models that come with the package, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tonmeister.model_files.card import ModelCard, read_card

__all__ = ["MODELS_FOLDER", "SHIPPED", "shipped_cards"]

MODELS_FOLDER: Final = Path(__file__).parent.parent / "models"

SHIPPED: Final[dict[str, str]] = {
    "deep-remix": "how likely the voice dominates each part of a spectrum",
    "dynamical": "how the gains of instrument groups move with the sound of all tracks",
    "ensemble": "masks for vocals, drums, bass and other",
    "ensemble-combiner": "one mask from the four kinds of an ensemble",
    "fcn": "how much of a spectrum is the voice, by convolutions",
    "identifier": "what instrument a track is, from its sound",
    "identifier-baseline": "the baseline of instrument identification",
    "jazz-pan": "where a jazz soloist stands and how loud, from its sound",
    "jazz-solo": "how much of each band of a jazz recording belongs to the soloist",
    "predict": "where a track's console controls belong, from what it and the others measure",
    "separation-bases": "what the separator nmf knows of the sound of vocals, drums, bass and other instruments",
    "stem-bass": "what becomes of a raw bass in a mix",
    "stem-features": "what a finished stem would measure, from the raw one",
    "stem-guitar": "what becomes of a raw guitar in a mix",
    "stem-keys": "what becomes of raw keys in a mix",
    "stem-vocals": "what becomes of a raw voice in a mix",
    "web-remix": "which of drums, bass and vocals owns a bin",
}
"""Name of the files in ``models/`` without ending -> what the model is for."""


def shipped_cards() -> dict[str, ModelCard]:
    """The cards of the shipped models, in the order of `SHIPPED`."""
    return {name: read_card(MODELS_FOLDER / f"{name}.json") for name in SHIPPED}
