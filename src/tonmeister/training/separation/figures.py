"""How well a separator does on songs nobody learned from, beside the mixture itself and the masks of the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.evaluation.separation import sdr_db, si_sdr_db
from tonmeister.separation.base import MaskEstimator
from tonmeister.separation.deep_remix import DeepRemix
from tonmeister.separation.front_end import FrontEnd
from tonmeister.separation.masks import binary_mask, ratio_mask
from tonmeister.separation.network_model import NetworkModel
from tonmeister.separation.streaming import separated_blocks
from tonmeister.training.separation.calibration import reliability_error
from tonmeister.training.separation.losses import voice_share
from tonmeister.training.separation.mixtures import Heard
from tonmeister.training.separation.stems import RATE_HZ, STEMS
from tonmeister.units import FloatArray, power_to_db

__all__ = ["held_out", "loudness_db", "probabilities", "references", "separation_figures"]

_QUIET: Final = 1e-8
"""Mean square of a stem that counts as silent."""
_LOUDER: Final = 10 ** (12 / 10)
"""12 dB, as a power."""


def references(stems: FloatArray, tracks: Sequence[str]) -> dict[str, FloatArray]:
    """What each track should hold, (channels, frames); ``accompaniment`` is all but the vocals."""
    known = {name: stems[number] for number, name in enumerate(STEMS)}
    known["accompaniment"] = stems[1:].sum(0)
    return {track: known[track] for track in tracks}


def separation_figures(
    estimator: MaskEstimator, front_end: FrontEnd, excerpts: Iterable[FloatArray]
) -> dict[str, Any]:
    """Per track: medians over excerpts (4, channels, frames) of SI-SDR and SDR and of what is gained over the mixture.

    Beside them stand the masks of the truth, binary and ratio, through the same bins; and what is put into the vocals
    of every other excerpt once its voice is taken out.
    """
    rows: dict[str, list[list[float]]] = {track: [] for track in estimator.tracks}
    empty: list[float] = []
    for count, stems in enumerate(excerpts):
        mixture = stems.sum(0)
        made = _separated(estimator, mixture)
        wanted = references(stems, estimator.tracks)
        oracles = _oracles(front_end, mixture, wanted)
        for number, (track, truth) in enumerate(wanted.items()):
            if float(np.mean(truth**2)) > _QUIET:
                rows[track].append(_scores(truth, made[number], mixture, [o[number] for o in oracles]))
        if "vocals" in wanted and count % 2 == 0 and (rest := stems[1:].sum(0)).any():
            leak = _separated(estimator, rest)[estimator.tracks.index("vocals")]
            empty.append(loudness_db(leak) - loudness_db(rest))
    names = ("si_sdr_db", "si_sdr_gain_db", "sdr_db", "sdr_gain_db", "binary_si_sdr_db", "ratio_si_sdr_db")
    found: dict[str, Any] = {
        track: {"excerpts": len(r), **dict(zip(names, _medians(r), strict=False))}
        for track, r in rows.items()
    }
    if empty:
        found["vocals_where_none_re_mix_db"] = round(float(np.median(empty)), 1)
    return found


def _medians(rows: Sequence[Sequence[float]]) -> list[float]:
    return [round(float(m), 2) for m in np.median(np.array(rows), axis=0)] if rows else []


def _separated(estimator: MaskEstimator, mixture: FloatArray) -> FloatArray:
    return np.concatenate(list(separated_blocks(estimator, [mixture], len(mixture), RATE_HZ)), axis=-1)


def _scores(
    truth: FloatArray, made: FloatArray, mixture: FloatArray, oracles: Sequence[FloatArray]
) -> list[float]:
    wide = [np.asarray(x, np.float64) for x in (truth, made, mixture, *oracles)]
    of = wide[0]
    si, total = [si_sdr_db(of, x) for x in wide[1:]], [sdr_db(of, x) for x in wide[1:3]]
    return [si[0], si[0] - si[1], total[0], total[0] - total[1], *si[2:]]


def _oracles(front_end: FrontEnd, mixture: FloatArray, wanted: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Tracks cut with the binary and the ratio masks of the truth."""
    stft = front_end.stft
    spectrum = stft.forward(mixture)
    own = np.abs(stft.forward(np.stack(list(wanted.values()))))
    rest = np.abs(stft.forward(mixture - np.stack(list(wanted.values()))))
    masks = (binary_mask(own, rest), ratio_mask(own, rest, 2.0))
    return [stft.inverse(mask * spectrum, mixture.shape[1]) for mask in masks]


def loudness_db(sound: FloatArray) -> float:
    """K-weighted level of the whole, dB; without gates."""
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    weights = k_weighting_power(np.fft.rfftfreq(sound.shape[1], 1 / RATE_HZ), RATE_HZ)
    return power_to_db(float((spectrum * weights).sum()) / sound.shape[1] ** 2)


# ------------------------------------------------------------------ probabilities


def probabilities(network: NetworkModel, heard: Heard) -> tuple[FloatArray, FloatArray]:
    """(p, whether the voice dominates) of every band in which anything sounds."""
    estimator = DeepRemix(network)
    given, true = [], []
    for first in range(0, len(heard.mixture), heard.length):
        rows = slice(first, first + heard.length)
        power = 10.0 ** heard.mixture[rows].astype(np.float32)
        stems = 10.0 ** heard.stems[:, rows].astype(np.float32)
        sounds = power > _QUIET * power.max(initial=0.0)
        given.append(estimator.probability(power)[sounds])
        true.append(voice_share(stems)[sounds] > 0.5)
    return np.concatenate(given), np.concatenate(true)


def held_out(network: NetworkModel, heard: Heard) -> dict[str, float]:
    """Reliability of the calibrated probabilities, and how much they move when all is 12 dB louder or softer."""
    p, truth = probabilities(network, heard)
    estimator, moved = DeepRemix(network), []
    for first in range(0, len(heard.mixture), heard.length):
        power = 10.0 ** heard.mixture[first : first + heard.length].astype(np.float32)
        plain = estimator.probability(power)
        for factor in (_LOUDER, 1 / _LOUDER):
            moved.append(float(np.abs(estimator.probability(power * np.float32(factor)) - plain).mean()))
    return {
        "reliability_error": round(reliability_error(p, truth.astype(bool)), 4),
        "accuracy": round(float(np.mean((p > 0.5) == truth)), 4),
        "share_of_voice": round(float(truth.mean()), 4),
        "moved_by_12_db": round(float(np.mean(moved)), 4),
    }
