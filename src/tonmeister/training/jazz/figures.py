"""How good the networks are on pieces nobody learned from, beside the baselines without which it means nothing.

Separation: SI-SDR of soloist and accompaniment, medians over pieces, by the separator as it runs, against the recording
itself, the middle (and what it leaves), the classical separators, and the ratio mask of the true magnitudes. Placing: how
often angle and gain are those of the engineer, from separated soloists; on places drawn without regard to the instrument
nothing can be known, and what is right there is chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.engines.jazz.numbers import number
from tonmeister.engines.jazz.pan_net import PanNetwork, Placed, pooled, powers
from tonmeister.engines.jazz.placement import GAINS
from tonmeister.evaluation.separation import si_sdr_db
from tonmeister.separation.base import MaskEstimator
from tonmeister.separation.hpss import HarmonicPercussive
from tonmeister.separation.jazz import FRONT_END
from tonmeister.separation.masks import ratio_mask
from tonmeister.separation.panning import center
from tonmeister.separation.pitch_informed import PitchInformed
from tonmeister.separation.processes import process_for
from tonmeister.training.jazz.frames import RATIO_DB, engineered
from tonmeister.training.jazz.labels import label
from tonmeister.training.jazz.material import evaluation_seeds
from tonmeister.training.jazz.pieces import HELD_OUT, RATE_HZ, JazzPiece, PieceOptions, make_piece
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["pan_figures", "separated", "solo_figures"]

_UNSEEN_START: Final = 500
_RANDOM_START: Final = 1000
_UNSEEN_SHARE: Final = 3
"""One piece of an instrument that was not taught for so many others."""

Figures = dict[str, Any]


def separated(estimator: MaskEstimator, mix: FloatArray) -> FloatArray:
    """(tracks, channels, frames) of a mix (channels, frames) at the estimator's rate."""
    process = process_for(estimator, len(mix))
    return np.concatenate([process.push(mix), process.finish()], axis=-1)


def solo_figures(
    estimator: MaskEstimator, options: PieceOptions, pieces: int, told: Callable[[float], None]
) -> Figures:
    """SI-SDR on taught instruments and on those held out."""
    unseen = replace(options, soloists=HELD_OUT)
    sets = {
        "taught soloists": (evaluation_seeds(pieces), options),
        "soloists not taught": (evaluation_seeds(max(pieces // _UNSEEN_SHARE, 1), _UNSEEN_START), unseen),
    }
    total, done, figures = sum(len(seeds) for seeds, _ in sets.values()), 0, {}
    for name, (seeds, made_from) in sets.items():
        rows = []
        for seed in seeds:
            rows.append(_scores(make_piece(seed, made_from), estimator))
            done += 1
            told(done / total)
        figures[name] = {"pieces": len(rows), "si_sdr_db": _medians(rows)}
    return {"synthetic": figures}


def _scores(piece: JazzPiece, estimator: MaskEstimator) -> dict[str, dict[str, float]]:
    """SI-SDR of every method on one piece, ``solo`` and ``accompaniment``."""
    solo, band, mix = piece.solo_image, piece.accompaniment, piece.mix
    found = dict(_estimates(mix, estimator)) | {"ratio-mask oracle": _oracle(solo, band)}
    return {
        method: {
            "solo": si_sdr_db(solo.astype(np.float64), pair[0].astype(np.float64)),
            "accompaniment": si_sdr_db(band.astype(np.float64), pair[1].astype(np.float64)),
        }
        for method, pair in found.items()
    }


def _estimates(mix: FloatArray, estimator: MaskEstimator) -> Iterator[tuple[str, FloatArray]]:
    """(method, (2, channels, frames))."""
    yield "jazz", separated(estimator, mix)
    yield "the recording itself", np.stack([mix, mix])
    middle = np.repeat(mix.mean(axis=0, keepdims=True), 2, axis=0)
    yield "middle, and what it leaves", np.stack([middle, mix - middle])
    yield "center", separated(center(), mix)
    yield "hpss (harmonic)", separated(HarmonicPercussive(), mix)
    yield "pitch-informed", separated(PitchInformed(), mix)


def _oracle(solo: FloatArray, band: FloatArray) -> FloatArray:
    stft = FRONT_END.stft
    s, a = stft.forward(solo), stft.forward(band)
    mask = ratio_mask(np.abs(s), np.abs(a))
    return stft.inverse(np.stack([mask, 1.0 - mask]) * (s + a), solo.shape[1])


def _medians(rows: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        method: {
            track: round(float(np.median([row[method][track] for row in rows])), 2)
            for track in ("solo", "accompaniment")
        }
        for method in rows[0]
    }


# ------------------------------------------------------------------ placing


def pan_figures(
    network: PanNetwork,
    estimator: MaskEstimator,
    options: PieceOptions,
    pieces: int,
    told: Callable[[float], None],
) -> Figures:
    """Shares of right angles and gains, by planted convention and by chance."""
    anywhere = replace(options, random_places=True)
    sets = {
        "planted places": (evaluation_seeds(pieces), options),
        "random places": (evaluation_seeds(pieces, _RANDOM_START), anywhere),
    }
    done, figures = 0, {}
    for name, (seeds, made_from) in sets.items():
        rows = []
        for seed in seeds:
            rows += list(_answers(make_piece(seed, made_from), seed, network, estimator))
            done += 1
            told(done / (2 * pieces))
        figures[name] = {
            profile: _shares([(truth, answers[profile]) for truth, answers in rows])
            for profile in ("improved", "faithful")
        } | {"mixtures": len(rows)}
    return {"synthetic": figures}


def _answers(
    piece: JazzPiece, seed: int, network: PanNetwork, estimator: MaskEstimator
) -> Iterator[tuple[tuple[float, float], Mapping[str, Placed]]]:
    """Truth and answers of a piece as it is, and with its soloist too loud or too soft."""
    gains = engineered(piece)
    offset_db = float(np.random.default_rng(seed).uniform(-RATIO_DB, RATIO_DB))
    for gain_db in (0.0, offset_db):
        mix = piece.solo_image * np.float32(db_to_gain(gain_db)) + piece.accompaniment
        meter = LoudnessMeter(RATE_HZ, 2, peaks=False)
        meter.update(mix)
        if gains is None or meter.integrated_lufs is None:
            continue
        level = db_to_gain(number("reference_lufs") - meter.integrated_lufs)
        heard = powers(separated(estimator, mix)[0].mean(axis=0) * np.float32(level))
        answers = {p: _answer(network, heard, p) for p in ("improved", "faithful")}
        if all(answers.values()):
            theta, gain = label(gains, float(np.mean(piece.image_gains)) * db_to_gain(gain_db))
            yield (theta, min(gain, float(GAINS[-1]))), answers  # type: ignore[misc]


def _answer(network: PanNetwork, heard: FloatArray, profile: Any) -> Placed | None:
    return pooled(network, heard, profile, number("gate_db"))


def _shares(rows: list[tuple[tuple[float, float], Placed]]) -> dict[str, float]:
    """How often angle and gain are right, to the step and to the next; and how sure the network was."""
    angle = np.array([abs(5.0 * (round(a.theta_deg.value / 5.0) - round(t[0] / 5.0))) for t, a in rows])
    gain = np.array([abs(a.gain.value - t[1]) for t, a in rows])
    shares = {
        "angle exact": angle < 0.1,
        "angle within 5 deg": angle < 5.1,
        "gain within 0.1": gain <= 0.1 + 1e-9,
        "gain within 0.2": gain <= 0.2 + 1e-9,
    }
    sure = np.array([[a.theta_deg.confidence, a.gain.confidence] for _, a in rows])
    return {name: round(float(np.mean(right)), 3) for name, right in shares.items()} | {
        "median confidence angle": round(float(np.median(sure[:, 0])), 2),
        "median confidence gain": round(float(np.median(sure[:, 1])), 2),
    }
