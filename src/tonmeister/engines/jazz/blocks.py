"""The six blocks of the chain of 2015 as decisions: balance, equalizer, spectral panning, exciter, panorama, rhythm.

Matz, Cano & Abesser, "New Sonorities for Early Jazz Recordings", ISMIR 2015. Their parameters are not published; what is
here is a reconstruction whose numbers stand in ``numbers.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.decisions import AddInsert, Decision, Reason, SetGain
from tonmeister.dsp.bands import OCTAVE_HZ, THIRD_OCTAVE_HZ
from tonmeister.effects.band_pan import BAND_PAN_HZ, BandPan
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.exciter import Exciter
from tonmeister.effects.panorama import Panorama
from tonmeister.engines.cited import CONFIDENCE
from tonmeister.engines.jazz.numbers import number, numbers
from tonmeister.engines.jazz.placement import pan_of_theta
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Situation", "block_decisions"]

_PERCUSSIVE: Final = "percussive"
_EQUALIZED_HZ: Final = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_OCTAVE_Q: Final = 1.41
_SILENT_BELOW_DB: Final = 40.0
"""A band so far below the track's strongest is left alone."""


@dataclass(frozen=True)
class Situation:
    """What the blocks are told."""

    multitrack: Multitrack
    features: MultitrackFeatures
    solo: str
    gains_db: Mapping[str, float]
    """Where the faders of the audible tracks stand."""
    by: str

    @property
    def others(self) -> list[str]:
        """The audible tracks beside the soloist."""
        return [name for name in self.gains_db if name != self.solo]

    def loudness(self, names: Sequence[str]) -> float | None:
        """Of the sum of tracks, LUFS."""
        return predicted_lufs(
            [self.features[n].momentary_lufs for n in names], [self.gains_db[n] for n in names]
        )

    def spectrum(self, names: Sequence[str], octaves: bool = False) -> DoubleArray:
        """Power per third octave (or octave) of the sum of tracks, dB."""
        rows = [
            (self.features[n].octave_db if octaves else self.features[n].third_octave_db) + self.gains_db[n]
            for n in names
        ]
        return np.asarray(10 * np.log10(np.sum(10 ** (np.array(rows, np.float64) / 10), axis=0) + 1e-20))

    def reason(self, block: str, text: str, evidence: str = "") -> Reason:
        """Of a block, graded as a reconstruction."""
        source = "Matz, Cano & Abesser, ISMIR 2015 (reconstructed)"
        return Reason(text, source, f"jazz.{block}", evidence or "R", CONFIDENCE["R"])


def block_decisions(names: Sequence[str], here: Situation, notes: list[str]) -> Iterator[Decision]:
    """What the blocks `names` decide, in the order of the chain; what one could not do goes to `notes`."""
    for name, block in _BLOCKS.items():
        if name not in names:
            continue
        made = list(block(here))
        if not made:
            notes.append(f"block {name}: nothing to do")
        yield from made


def _hps(here: Situation) -> Iterator[Decision]:
    """Lifts the percussive half of an accompaniment that was split before."""
    for name in here.others:
        if name.casefold() == _PERCUSSIVE:
            lift_db = number("hps.lift_db")
            why = here.reason("hps", f"The rhythm of an old recording comes forward by {lift_db:.0f} dB.")
            yield SetGain(name, here.gains_db[name] + lift_db, reason=why, by=here.by)


def _camts(here: Situation) -> Iterator[Decision]:
    """Loudness of the soloist toward so many LU over the rest."""
    solo, rest = here.loudness([here.solo]), here.loudness(here.others)
    if solo is None or rest is None:
        return
    wanted, most = number("camts.over_lu"), number("camts.most_db")
    change_db = float(np.clip(rest + wanted - solo, -most, most))
    fader = PARAMETERS["gain_db"].clip(here.gains_db[here.solo] + change_db)
    text = f"The soloist {wanted:.0f} LU over the rest: {change_db:+.1f} dB."
    why = here.reason("camts", text, f"was {solo - rest:+.1f} LU")
    yield SetGain(here.solo, fader, reason=why, by=here.by)


def _caeq(here: Situation) -> Iterator[Decision]:
    """The soloist's third octaves half way toward those of the others, where both are heard."""
    if not here.others:
        return
    own, others = (s - s.max() for s in (here.spectrum([here.solo]), here.spectrum(here.others)))
    heard = (own > -_SILENT_BELOW_DB) & (others > -_SILENT_BELOW_DB)
    most = number("caeq.most_db")
    change = np.where(heard, np.clip(number("caeq.share") * (others - own), -most, most), 0.0)
    centers = np.log2(np.array(THIRD_OCTAVE_HZ))
    gains = {hz: float(change[np.abs(centers - np.log2(hz)) < 0.5].mean()) for hz in _EQUALIZED_HZ}
    sections = tuple(
        EqSection("peak", hz, round(gain_db, 1), _OCTAVE_Q)
        for hz, gain_db in gains.items()
        if abs(gain_db) >= number("caeq.least_db")
    )
    if sections:
        why = here.reason("caeq", "The soloist's tone goes half way toward that of the band.")
        yield AddInsert(here.solo, Equalizer(sections), reason=why, by=here.by)


def _cadsp(here: Situation) -> Iterator[Decision]:
    """Octaves in which soloist and band mask one another go apart, to alternate sides."""
    if not here.others:
        return
    own, others = here.spectrum([here.solo], octaves=True), here.spectrum(here.others, octaves=True)
    pan = round(pan_of_theta(number("cadsp.most_deg")), 2)
    masked = {hz: abs(own[i] - others[i]) < number("cadsp.masking_db") for i, hz in enumerate(OCTAVE_HZ)}
    bands = [hz for hz in BAND_PAN_HZ if masked[hz]]
    if not bands:
        return
    sides = {hz: pan * (-1) ** i for i, hz in enumerate(bands)}
    text = f"Apart where soloist and band mask one another: {', '.join(f'{hz:.0f}' for hz in bands)} Hz."
    why = here.reason("cadsp", text)
    yield AddInsert(here.solo, _band_pan(sides, 1.0), reason=why, by=here.by)
    for name in here.others:
        yield AddInsert(name, _band_pan(sides, -1.0), reason=why, by=here.by)


def _band_pan(sides: Mapping[float, float], sign: float) -> BandPan:
    return BandPan(**{f"pan_{hz:.0f}": sign * side for hz, side in sides.items()})


def _ae(here: Situation) -> Iterator[Decision]:
    """An exciter for tracks that have next to nothing in the highs."""
    for name in here.gains_db:
        missing_db = _missing_highs_db(here.features[name].third_octave_db)
        if missing_db > number("ae.below_db"):
            effect = Exciter(cutoff_hz=number("ae.cutoff_hz"), mix_db=number("ae.mix_db"))
            text = (
                f"Its highs are {missing_db:.0f} dB below what a bright recording has: overtones are added."
            )
            yield AddInsert(name, effect, reason=here.reason("ae", text), by=here.by)


def _missing_highs_db(third_octave_db: FloatArray) -> float:
    """By how much the highs are below their target, dB."""
    hertz = np.array(THIRD_OCTAVE_HZ)

    def level(id: str) -> float:
        low, high = numbers(id)
        inside = (hertz >= low) & (hertz <= high)
        return float(10 * np.log10(np.mean(10 ** (third_octave_db[inside].astype(np.float64) / 10)) + 1e-20))

    return level("ae.reference_hz") + number("ae.target_db") - level("ae.band_hz")


def _tfsp(here: Situation) -> Iterator[Decision]:
    """Stereo tracks of the band become wider, bin by bin."""
    for name in here.others:
        track = here.features[name]
        if track.channels == 2 and (track.width or 0.0) > 0.0:
            why = here.reason("tfsp", "What stands to the sides goes farther out.")
            yield AddInsert(name, Panorama(width=number("tfsp.width")), reason=why, by=here.by)


_BLOCKS: Final[Mapping[str, Callable[[Situation], Iterator[Decision]]]] = {
    "hps": _hps,
    "camts": _camts,
    "caeq": _caeq,
    "cadsp": _cadsp,
    "ae": _ae,
    "tfsp": _tfsp,
}
