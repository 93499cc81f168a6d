"""Pieces to learn from: a soloist, the band's tracks, and where the soloist was put.

Everything follows from the seed. The soloist stands where the convention of ``jazz.toml`` puts the instrument, give or
take its spread; old recordings (era ``early``) are mono, without highs and lows, and hiss.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.effects.filters import HighPass, LowPass
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.jazz.placement import stereo_gains
from tonmeister.training.jazz.composing import SOLO, habits, swing_score
from tonmeister.training.synthesis.acoustics import apply_sections, recorded_through
from tonmeister.training.synthesis.performing import Band, Performed
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import Part, Score
from tonmeister.training.synthesis.songs import SynthesisOptions
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["EVALUATION_SEED", "HELD_OUT", "RATE_HZ", "SOLOISTS", "JazzPiece", "PieceOptions", "make_piece"]

RATE_HZ: Final = 44_100
EVALUATION_SEED: Final = 900_000
"""Seeds from here on are for evaluation; a recipe learns from none of them."""
SOLOISTS: Final = tuple(habits()["convention"])
"""Instruments that are taught."""
HELD_OUT: Final = ("violin", "harmonica")
"""Soloists that nobody learns from, to hear how the separator takes what it does not know."""
EARLY_SHARE: Final = 0.3
_EARLY_BAND_HZ: Final = (100.0, 5000.0)
_NOISE_BELOW_DB: Final = (-50.0, -38.0)

Era = Literal["modern", "early"]


@dataclass(frozen=True, slots=True)
class PieceOptions:
    """What pieces are made from."""

    duration_s: float = 20.0
    fonts: tuple[Path, ...] = ()
    """Soundfonts; () is the built-in synthesizer alone."""
    soloists: tuple[str, ...] = SOLOISTS
    random_places: bool = False
    """Put soloists anywhere, whatever they play: what can then be predicted is a leak."""


@dataclass(frozen=True, eq=False)
class JazzPiece:
    """One piece; signals at `RATE_HZ`, tracks of the band as they stand in the mix."""

    instrument: str
    era: Era
    solo: FloatArray
    """The soloist alone, (1, frames), as loud as in the mix before it is placed."""
    band: tuple[FloatArray, ...]
    """Stereo tracks, (2, frames) each; noise is the last of an early piece."""
    theta_deg: float
    """Where an engineer puts the soloist, positive to the right; an early recording is mono all the same."""

    @property
    def image_gains(self) -> tuple[float, float]:
        """The soloist's gains in the mix: unity on both sides for the middle."""
        return stereo_gains(0.0 if self.era == "early" else self.theta_deg, float(np.sqrt(2.0)))

    @property
    def solo_image(self) -> FloatArray:
        """The soloist in the mix, (2, frames)."""
        left, right = self.image_gains
        return np.concatenate([self.solo * np.float32(left), self.solo * np.float32(right)])

    @property
    def accompaniment(self) -> FloatArray:
        return np.asarray(np.sum(self.band, axis=0), np.float32)

    @property
    def mix(self) -> FloatArray:
        return self.solo_image + self.accompaniment


@lru_cache(maxsize=4)
def _band(options: PieceOptions) -> Band:
    return Band(
        SynthesisOptions(
            duration_s=options.duration_s, sample_rate=RATE_HZ, soundfonts=options.fonts, drumkits=()
        )
    )


def make_piece(seed: int, options: PieceOptions) -> JazzPiece:
    """The piece of a seed."""
    seeds = Seeds.of(seed).child("jazz")
    random = seeds.generator("piece")
    instrument = str(random.choice(list(options.soloists)))
    era: Era = "early" if random.random() < EARLY_SHARE else "modern"
    score = swing_score(seeds.child("score"), instrument=instrument, duration_s=options.duration_s)
    solo, others = _played(score, _band(options), seeds)
    theta_deg, over_lu = _place(instrument, seeds.generator("place"), anywhere=options.random_places)
    band = [_placed(track, part, seeds) for part, track in others.items()]
    solo = _in_room(solo.mean(0, keepdims=True), seeds.generator("room"))
    if era == "early":
        band = [_early(np.repeat(t.mean(0, keepdims=True), 2, axis=0)) for t in band]
        solo = _early(solo)
        band.append(_noise(np.sum(band, axis=0), seeds.generator("noise")))
    # a centered soloist of unity is as loud as its mono track on a stereo bus
    wanted = _lufs(np.sum(band, axis=0)) + over_lu - _lufs(np.repeat(solo, 2, axis=0))
    return JazzPiece(instrument, era, solo * np.float32(db_to_gain(wanted)), tuple(band), theta_deg)


def _played(score: Score, band: Band, seeds: Seeds) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The soloist and the parts of the band as they sound, by name."""
    solo: FloatArray | None = None
    others: dict[str, FloatArray] = {}
    for part in score.parts:
        if part.percussion:
            pieces = band.play_percussion(part, score.origin, seeds.child(part.name), electronic=False)
            if pieces:
                others["drums"] = _stereo(np.sum([_stereo(p.dry) for p in pieces], axis=0))
        elif (played := _by_band(band, part, score, seeds)) is not None:
            if part.name == SOLO:
                solo = played.dry
            else:
                others[part.name] = _stereo(played.dry)
    if solo is None:
        solo = np.zeros((1, band.options.frames), np.float32)
    return solo, others


def _by_band(band: Band, part: Part, score: Score, seeds: Seeds) -> Performed | None:
    return band.play(part, score.origin, seeds.child("player", part.name))


def _stereo(sound: FloatArray) -> FloatArray:
    return np.asarray(np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound, np.float32)


def _place(instrument: str, random: np.random.Generator, *, anywhere: bool) -> tuple[float, float]:
    """(theta, LU over the band): the convention and its spread; soloists without one stand anywhere."""
    rule, spread = habits()["convention"].get(instrument), habits()["spread"]
    if anywhere or rule is None:
        return float(random.uniform(-45, 45)), float(random.uniform(-6, 6))
    theta = float(np.clip(random.normal(rule["theta_deg"], spread["theta_deg"]), -45.0, 45.0))
    return theta, float(random.normal(rule["over_lu"], spread["over_lu"]))


def _placed(track: FloatArray, part: str, seeds: Seeds) -> FloatArray:
    """A track of the band at its level and place, on either side."""
    random, about = seeds.generator("band", part), habits()["band"][part]
    loudness = _lufs(track)
    gain_db = about["lu"] - 23.0 + float(random.normal(0.0, 2.0)) - loudness
    pan = float(np.clip(about["pan"] * random.choice((-1, 1)) + random.normal(0, 0.15), -0.9, 0.9))
    left, right = stereo_gains(45.0 * pan, np.sqrt(2.0))
    gains = np.array([[left], [right]], np.float32) * np.float32(db_to_gain(gain_db))
    return track * gains


def _in_room(solo: FloatArray, random: np.random.Generator) -> FloatArray:
    room = Reverb(
        decay_s=float(random.choice([0.6, 1.0, 1.4])),
        size=float(random.choice([0.5, 1.0])),
        mix=float(random.uniform(0.03, 0.15)),
    )
    return recorded_through(solo, room, None, RATE_HZ)


def _early(sound: FloatArray) -> FloatArray:
    low, high = _EARLY_BAND_HZ
    sections = np.concatenate([HighPass(low).sections(RATE_HZ), LowPass(high, order=4).sections(RATE_HZ)])
    return apply_sections(sections, sound)


def _noise(band: FloatArray, random: np.random.Generator) -> FloatArray:
    """Hiss of a record, the same on both sides."""
    hiss = np.asarray(random.standard_normal(band.shape[1]), np.float32)
    level = float(np.sqrt(np.mean(band**2))) * db_to_gain(float(random.uniform(*_NOISE_BELOW_DB)) + 12.0)
    return _early(np.repeat(hiss[None] * np.float32(level), 2, axis=0))


def _lufs(sound: FloatArray) -> float:
    """Integrated loudness; -70 in silence."""
    meter = LoudnessMeter(RATE_HZ, len(sound), peaks=False)
    meter.update(np.ascontiguousarray(sound))
    return -70.0 if meter.integrated_lufs is None else meter.integrated_lufs
