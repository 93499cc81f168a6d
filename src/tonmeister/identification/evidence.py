"""Name times sound: one answer, how sure it is, and whether the two disagree.

Over the words w that the classifier was taught::

    log p(w) = a log p_name(w) + b log p_sound(w) + c log p_drum(w) + const

p_name gives the share c of a name's confidence to the words its instrument stands for and spreads the rest evenly;
p_sound is the classifier's, what it leaves unknown spread evenly, so that a sound that says nothing changes nothing;
p_drum is the drum-type stage, within the drums. The weights stand in numbers.toml.

A clear name keeps its word: a sound that disagrees lowers its probability and is reported, not averaged. A weak word,
or none, leaves the answer to the sum of the evidence: the deepest word of the tree that is more probable than not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tonmeister.identification.numbers import number
from tonmeister.identification.sound_evidence import SoundEvidence
from tonmeister.units import DoubleArray
from tonmeister.vocabulary import family, is_a, parents

__all__ = ["NameClaim", "Verdict", "weighed"]

_NEVER = 1e-6


@dataclass(frozen=True, slots=True)
class NameClaim:
    """What the name of a track says, or a person in tonmeister.toml."""

    instrument: str = "other"
    confidence: float = 0.0
    text: str = "the name says nothing known"
    clear: bool = False
    """Whether it stands whatever the sound says; a weak word is a hint only."""


@dataclass(frozen=True)
class Verdict:
    """What a track is."""

    instrument: str
    probability: float
    evidence: str
    """In words: what name and sound say."""
    conflict: bool = False
    """Whether name and sound disagree."""
    by_sound: bool = False
    """Whether the sound decided."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Probability of every taught word, all evidence together."""


def weighed(
    name: NameClaim, sound: SoundEvidence | None = None, drum_type: Mapping[str, float] | None = None
) -> Verdict:
    """The answer for one track; without `sound` the name answers alone.

    `drum_type` is the posterior of drum pieces, where the sound is that of a drum.
    """
    if sound is None or not sound.probabilities:
        heard = "" if sound is None else "; there is nothing to hear"
        return Verdict(name.instrument, name.confidence, f"{name.text}{heard}")
    shares = _shares(name, sound, drum_type or {})
    if name.clear:
        return _checked(name, sound, shares)
    return _decided(name, sound, shares)


def _shares(name: NameClaim, sound: SoundEvidence, drum_type: Mapping[str, float]) -> dict[str, float]:
    words = list(sound.probabilities)
    even = 1.0 / len(words)
    heard = np.array([sound.probabilities[w] + sound.unknown * even for w in words])
    logs = number("weight.name") * np.log(_named(name, words)) + number("weight.sound") * np.log(
        np.maximum(heard, _NEVER)
    )
    logs += number("weight.drum_type") * _drum_logs(words, drum_type)
    raised = np.exp(logs - logs.max())
    return dict(zip(words, (raised / raised.sum()).tolist(), strict=True))


def _named(name: NameClaim, words: list[str]) -> DoubleArray:
    """p_name over the words; even where the name means none of them."""
    meant = np.array([_means(name.instrument, word) for word in words], dtype=np.float64)
    even = np.full(len(words), 1.0 / len(words))
    if not meant.any() or name.instrument == "other":
        return even
    sure = min(name.confidence, 1.0 - _NEVER)
    return np.asarray(sure * meant / meant.sum() + (1.0 - sure) * even)


def _means(instrument: str, word: str) -> bool:
    """Whether a name's instrument and a taught word may be the same thing."""
    return is_a(word, instrument) or is_a(instrument, word)


def _drum_logs(words: list[str], drum_type: Mapping[str, float]) -> DoubleArray:
    """log p_drum of the drum pieces; the mean of theirs for all else, so that the family keeps its probability."""
    logs = np.array([np.log(max(drum_type[w], 1e-3)) if w in drum_type else np.nan for w in words])
    return (
        np.where(np.isnan(logs), np.nanmean(logs), logs) if not np.isnan(logs).all() else np.zeros(len(words))
    )


# ------------------------------------------------------------------ a clear name, checked


def _checked(name: NameClaim, sound: SoundEvidence, shares: Mapping[str, float]) -> Verdict:
    agreeing = [word for word in shares if _means(name.instrument, word)]
    if not agreeing or sound.unknown >= 0.5:
        more = "" if not agreeing else "; the sound tells nothing"
        return Verdict(name.instrument, name.confidence, f"{name.text}{more}", shares=shares)
    given = sum(sound.probabilities[word] for word in agreeing)
    other, share = max(sound.families.items(), key=lambda item: item[1])
    apart = other != family(name.instrument) and share >= number("conflict.sound_at_least")
    if apart and given < number("conflict.name_at_most"):
        most = max(
            (w for w in sound.probabilities if family(w) == other), key=sound.probabilities.__getitem__
        )
        text = f"{name.text}, but it sounds like {_said(most)} ({sound.probabilities[most]:.0%})"
        return Verdict(name.instrument, _sum(shares, agreeing), text, conflict=True, shares=shares)
    instrument, said = _more_special(name.instrument, agreeing, shares), ""
    if given >= number("answer.least_probability"):
        said = f"; it sounds like {_said(instrument)}, too"
    return Verdict(
        instrument,
        max(_sum(shares, agreeing), min(name.confidence, given)),
        f"{name.text}{said}",
        shares=shares,
    )


def _more_special(instrument: str, agreeing: list[str], shares: Mapping[str, float]) -> str:
    """A word below the name's that the evidence makes more probable than not: "Gtr" and an acoustic sound."""
    below = [word for word in agreeing if is_a(word, instrument) and word != instrument]
    total = _sum(shares, agreeing)
    if not below or total <= 0:
        return instrument
    best = max(below, key=shares.__getitem__)
    return best if shares[best] / total > number("conflict.sound_at_least") else instrument


# ------------------------------------------------------------------ no clear name: what is most probable


def _decided(name: NameClaim, sound: SoundEvidence, shares: Mapping[str, float]) -> Verdict:
    hint = f"{name.text}, and " if name.instrument != "other" else f"{name.text}; "
    if sound.unknown >= 0.5:
        return Verdict(
            name.instrument, name.confidence, f"{hint}the sound is like nothing known", shares=shares
        )
    instrument, probability = _deepest(shares)
    if instrument == "other":
        return Verdict(name.instrument, name.confidence, f"{hint}the sound leaves it open", shares=shares)
    probability *= 1.0 - sound.unknown
    text = f"{hint}it sounds like {_said(instrument)} ({probability:.0%})"
    differs = name.instrument != "other" and not _means(name.instrument, instrument)
    kept = name.instrument if is_a(name.instrument, instrument) and name.instrument != "other" else instrument
    return Verdict(kept, probability, text, conflict=differs, by_sound=True, shares=shares)


def _deepest(shares: Mapping[str, float]) -> tuple[str, float]:
    """The deepest word of the tree that is probable enough, and how probable; ``other`` when none is."""
    nodes: dict[str, float] = {}
    for word, share in shares.items():
        for node in parents(word):
            nodes[node] = nodes.get(node, 0.0) + share
    probable = [node for node, share in nodes.items() if share >= number("answer.least_probability")]
    if not probable:
        return "other", 0.0
    best = max(probable, key=lambda node: (len(parents(node)), nodes[node]))
    return best, nodes[best]


def _sum(shares: Mapping[str, float], words: list[str]) -> float:
    return sum(shares[word] for word in words)


def _said(instrument: str) -> str:
    """An instrument in a sentence."""
    text = instrument.replace("_", " ")
    mass = {
        "percussion",
        "bass",
        "keys",
        "strings",
        "winds",
        "brass",
        "effects",
        "drums",
        "overheads",
        "cymbals",
        "claps",
        "speech",
    }
    return text if instrument in mass else f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
