"""What a track is, from its sound alone: a small network looks at pictures of the track's loud stretches.

    log p(class) = log softmax((mean over patches of scores + bias of unknown) / T)

The scores of the patches are averaged, so that one odd stretch does not decide; T and the bias were fitted on sounds
the network was not taught with (see the card of the model), so that of the tracks it is 80 % sure of, about 80 % are
what it says. Role evidence is how such a sound is mostly used: a line leads, a held chord stays behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.identification.log_mel import front_end, log_mel
from tonmeister.identification.patches import Patch, loud_patches
from tonmeister.identification.sound_evidence import NOTHING_HEARD, SoundEvidence
from tonmeister.model_files.store import Model, load_model
from tonmeister.multitrack import Track
from tonmeister.units import DoubleArray, FloatArray
from tonmeister.vocabulary import INSTRUMENTS, ROLES

__all__ = ["KIND", "MAX_BYTES", "UNKNOWN", "Classifier", "classify", "load_classifier"]

KIND: Final = "instrument-classifier"
UNKNOWN: Final = "unknown"
MAX_BYTES: Final = 4_000_000
"""What such a model may weigh."""


class Classifier:
    """A checked model with what its card says about reading its scores."""

    def __init__(self, model: Model) -> None:
        self.model = model
        settings = model.card.settings
        self.classes = _words(settings, "classes", (*INSTRUMENTS, UNKNOWN), model)
        self.roles = _words(settings, "roles", ROLES, model)
        self._temperature = _positive(settings, "temperature", model)
        self._bias = np.array(
            [_number(settings, "unknown_bias", model) * (c == UNKNOWN) for c in self.classes]
        )
        if settings.get("front_end") != front_end():
            raise ModelError(f"{model.path}: was taught with other pictures than these: get the model again")

    def classify(self, track: Track) -> SoundEvidence:
        """What a track sounds like; `NOTHING_HEARD` of a silent one. The level of the track changes nothing."""
        return self.judge(loud_patches(track))

    def judge(self, patches: tuple[Patch, ...]) -> SoundEvidence:
        """The same, of stretches at `log_mel.RATE_HZ`."""
        if not patches:
            return NOTHING_HEARD
        scores, roles = self.scores(np.stack([log_mel(patch.samples) for patch in patches]))
        shares = softmax((scores.mean(axis=0) + self._bias) / self._temperature)
        known = {c: float(p) for c, p in zip(self.classes, shares, strict=True) if c != UNKNOWN}
        role_shares = softmax(roles.mean(axis=0))
        return SoundEvidence(
            known,
            unknown=max(0.0, 1.0 - sum(known.values())),
            roles=dict(zip(self.roles, map(float, role_shares), strict=True)),
            seconds_heard=_seconds(patches),
        )

    def scores(self, pictures: FloatArray) -> tuple[DoubleArray, DoubleArray]:
        """Scores of classes (n, classes) and roles (n, roles) of pictures (n, bands, steps)."""
        made = self.model.run({"pictures": np.asarray(pictures[:, None], np.float32)})
        return np.asarray(made["classes"], np.float64), np.asarray(made["roles"], np.float64)


def _seconds(patches: tuple[Patch, ...]) -> float:
    """Length of what is heard; where two stretches overlap it counts once."""
    following = [*(patch.start_s for patch in patches[1:]), math.inf]
    return sum(min(p.seconds, after - p.start_s) for p, after in zip(patches, following, strict=True))


def load_classifier(name_or_path: str | Path = "identifier", *, threads: int = 1) -> Classifier:
    """The shipped classifier, or one from a file; raises `ModelError` for what is none."""
    return Classifier(load_model(name_or_path, kind=KIND, threads=threads, max_bytes=MAX_BYTES))


@cache
def _shipped() -> Classifier:
    return load_classifier()


def classify(track: Track, *, classifier: Classifier | None = None) -> SoundEvidence:
    """What a track sounds like, by the shipped classifier (loaded once) or by another."""
    return (classifier or _shipped()).classify(track)


def softmax(scores: DoubleArray) -> DoubleArray:
    """exp(s) / sum exp(s)."""
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())


def _words(settings: Mapping[str, Any], name: str, known: tuple[str, ...], model: Model) -> tuple[str, ...]:
    words = settings.get(name)
    if (
        not isinstance(words, list)
        or not words
        or not set(words) <= set(known)
        or len(set(words)) < len(words)
    ):
        raise ModelError(
            f"{model.path}: {name} of its card are not words of the vocabulary: get the model again"
        )
    return tuple(words)


def _number(settings: Mapping[str, Any], name: str, model: Model) -> float:
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e3:
        raise ModelError(
            f"{model.path}: {name}={value!r} of its card is no number in range: get the model again"
        )
    return float(value)


def _positive(settings: Mapping[str, Any], name: str, model: Model) -> float:
    value = _number(settings, name, model)
    if value < 1e-2:
        raise ModelError(f"{model.path}: {name}={value:g} of its card is not above 0.01: get the model again")
    return value
