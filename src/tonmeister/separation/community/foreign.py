"""What is known of a model that came as a file, and what every kind of them does alike."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, ModelError
from tonmeister.separation.community.kinds import kinds
from tonmeister.separation.community.weights import torch_module
from tonmeister.units import FloatArray

__all__ = ["ForeignFacts", "TorchWaves", "class_of", "track_names"]

_MOST_TRACKS: Final = 16
_THREADS: Final = 2


@dataclass(frozen=True)
class ForeignFacts:
    """What a model is, for the reader of a report."""

    kind: str
    """A row of ``kinds.toml``."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Name of each file with weights -> its SHA-256."""


def track_names(names: Any, path: Path) -> tuple[str, ...]:
    """The names a model gives its tracks, fit to be names of files."""
    fine = isinstance(names, (list, tuple)) and 0 < len(names) <= _MOST_TRACKS
    words = [str(name).strip() for name in names] if fine else []
    if (
        not words
        or len(set(words)) < len(words)
        or not all(w and w.replace("_", "").isalnum() for w in words)
    ):
        raise ModelError(
            f"{path}: tracks={names!r} are not the names of tracks: get the model's settings again"
        )
    return tuple(words)


def class_of(module: str, name: str, kind: str) -> Any:
    """A class of a package that the user installed for a kind of models; says how where it is not there."""
    how = kinds()[kind].install
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise BadInputError(f"this model needs {module.partition('.')[0]!r}, which is not installed: {how}")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInputError(
            f"what is installed has no {module}.{name} ({error}): {how}, in the version this model was made with"
        ) from None


class TorchWaves:
    """A `WaveEstimator` around a PyTorch network from (1, channels, frames) to (1, tracks, channels, frames)."""

    def __init__(
        self,
        network: Any,
        tracks: tuple[str, ...],
        facts: ForeignFacts,
        *,
        sample_rate: int,
        channels: int,
        segment_frames: int,
    ) -> None:
        self._torch = torch_module()
        self._network = network
        self.tracks, self.facts = tracks, facts
        self.sample_rate, self.channels, self.segment_frames = sample_rate, channels, segment_frames

    def waves(self, segment: FloatArray) -> FloatArray:
        """(channels, segment_frames) to (tracks, channels, segment_frames)."""
        torch = self._torch
        threads = torch.get_num_threads()
        torch.set_num_threads(min(threads, _THREADS))
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # foreign code has its own things to say
                given = torch.from_numpy(np.ascontiguousarray(segment, np.float32))[None]
                answer = np.asarray(self._asked(given).numpy(), np.float32)
        finally:
            torch.set_num_threads(threads)
        expected = (len(self.tracks), *segment.shape)
        if answer.shape != expected:
            raise ModelError(
                f"the model answers with {answer.shape}, and {expected} is expected: give another model"
            )
        return answer

    def _asked(self, given: Any) -> Any:
        """The network's answer (tracks, channels, frames) to (1, channels, frames)."""
        return self._network(given).reshape(len(self.tracks), *given.shape[1:])
