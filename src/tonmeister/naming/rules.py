"""What a name says: ordered rules over its known words, the first that speaks decides.

Control and prints, then returns, then positions (room, overheads), then compound and single sources, then generic
words. What remains becomes attributes. Method and tokens: tokens.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tonmeister.naming.matching import Match, find_matches, unglue
from tonmeister.naming.sources import Speaker, choose_source, speakers
from tonmeister.naming.table import Sense, TokenTable, token_table
from tonmeister.naming.words import Word, clean_stem, split_words, without_number
from tonmeister.vocabulary import is_a

__all__ = ["NameGuess", "identify_name", "usual_role"]

STRONG = 0.95
"""Share of names that such a word labels as people do, rounded (survey: 96.7 %)."""
AGREEING = 0.8
NUMBERED = 0.6
WEAK = 0.4
"""Ordered guesses for weak words: two that agree, one with a number, one alone."""


@dataclass(frozen=True, slots=True)
class NameGuess:
    """What a name says about a track."""

    instrument: str = "other"
    role: str = "foreground"
    kind: str = "source"
    attributes: tuple[str, ...] = ()
    label: str = ""
    """The word or words that spoke, as written."""
    weak: bool = False
    """Only a short or ambiguous word spoke: the sound should agree before anyone relies on it."""
    confidence: float = 0.0
    evidence: str = "the name says nothing known"
    source_key: str = ""
    """The same for names that differ only in microphones and positions ("Kick In", "BD Out")."""


@dataclass(frozen=True, slots=True)
class _Name:
    words: Sequence[Word]
    matches: Sequence[Match]
    table: TokenTable

    @property
    def all_known(self) -> bool:
        """Whether every word means something; titles of songs seldom do."""
        covered = {i for match in self.matches for i in range(match.start, match.end)}
        return all(i in covered or w.is_number or len(w.key) == 1 for i, w in enumerate(self.words))


def identify_name(name: str) -> NameGuess:
    """What a file or track name says: instrument, role, kind and attributes, with how sure that is.

    >>> identify_name("03_Kick In.wav").instrument
    'kick'
    """
    table = token_table()
    stem = without_number(clean_stem(name), table.keep_leading_numbers)
    words = unglue(split_words(stem), table)
    parsed = _Name(words, find_matches(stem, words, table), table)
    return (
        _kind_guess(parsed, "control")
        or _print_guess(parsed)
        or _return_guess(parsed)
        or _source_guess(parsed)
    )


def usual_role(instrument: str) -> str:
    """What the instrument does in a song unless its name says otherwise."""
    return token_table().roles.get(instrument, "foreground")


def _kind_guess(name: _Name, stage: str) -> NameGuess | None:
    """A guess from the first word of the stage that no source word beside it overrules."""
    for match in name.matches:
        for sense in match.of_stage(stage):
            if not _yields(sense, match, name):
                return _guess_of_kind(stage, sense, match, name)
    return None


def _yields(sense: Sense, match: Match, name: _Name) -> bool:
    others = [s for s in speakers(name.matches) if s.match is not match and not s.sense.weak]
    if "all" in sense.yields_to:
        return bool(others)
    return any(is_a(s.instrument, word) for s in others for word in sense.yields_to)


def _print_guess(name: _Name) -> NameGuess | None:
    """A finished or rough mix: "Piano Man_mix" is one, "Drum Mix" is drums.

    A print word gives way to a source only when every other word is known too.
    """
    if [w.key for w in name.words if not w.is_number] == ["stereo"]:
        return NameGuess(
            kind="print",
            role="background",
            label="stereo",
            confidence=STRONG,
            evidence="the name is 'stereo' alone",
        )
    for match in name.matches:
        for sense in match.of_stage("print"):
            if not (name.all_known and _yields(sense, match, name)):
                return _guess_of_kind("print", sense, match, name)
    return None


def _return_guess(name: _Name) -> NameGuess | None:
    return _kind_guess(name, "return")


def _guess_of_kind(kind: str, sense: Sense, match: Match, name: _Name) -> NameGuess:
    attributes = (*sense.attributes, *_attributes(name, [match], sense.instrument or "other"))
    return NameGuess(
        instrument=sense.instrument or "other",
        role="background",
        kind=kind,
        attributes=tuple(dict.fromkeys(attributes)),
        label=match.text,
        confidence=STRONG,
        evidence=f"the name says {match.text!r}{_in_language(sense)}",
    )


def _in_language(sense: Sense) -> str:
    return f" ({sense.language})" if sense.language else ""


def _source_guess(name: _Name) -> NameGuess:
    chosen = _position(name) or choose_source(name.matches, name.table)
    if chosen is None:
        return NameGuess(attributes=_attributes(name, [], "other"))
    attributes = tuple(
        dict.fromkeys(
            [a for s in chosen.speakers for a in s.sense.attributes]
            + list(_attributes(name, [s.match for s in chosen.speakers], chosen.instrument))
        )
    )
    confidence = _confidence(name, chosen.speakers, chosen.instrument)
    label = " ".join(
        dict.fromkeys(s.match.text for s in sorted(chosen.speakers, key=lambda s: s.match.start))
    )
    says = "says" if confidence > NUMBERED else "hints at it with"
    return NameGuess(
        instrument=chosen.instrument,
        role=_role(name, chosen.speakers, chosen.instrument),
        attributes=attributes,
        label=label,
        weak=confidence <= NUMBERED,
        confidence=confidence,
        evidence=f"the name {says} {label!r}{_in_language(chosen.speakers[0].sense)}",
        source_key=_source_key(name, chosen.instrument),
    )


@dataclass(frozen=True, slots=True)
class _Position:
    instrument: str
    speakers: tuple[Speaker, ...]


def _position(name: _Name) -> _Position | None:
    """Room and overheads stand before the drum they pick up; beside another source they are attributes."""
    positions = [s for s in speakers(name.matches) if s.sense.stage == "position"]
    sources = [s for s in speakers(name.matches) if s.sense.stage != "position" and not s.sense.weak]
    among = {s.match.start for s in positions}
    others = [s for s in sources if s.match.start not in among]
    if any(not is_a(s.instrument, "drums") for s in others):
        return None
    usable = [s for s in positions if not s.sense.weak or others or len(name.matches) == 1]
    if not usable:
        return None
    first = min(usable, key=lambda s: (s.sense.rank, s.match.start))
    return _Position(first.instrument, (first,))


def _attributes(name: _Name, spoken: Sequence[Match], instrument: str) -> tuple[str, ...]:
    """What the words that did not name the instrument say about it, and the number of the take."""
    found: list[str] = []
    for match in name.matches:
        senses = [s for s in match.of_stage("attribute") if _applies(s, instrument)]
        for sense in senses[:1] if match not in spoken else _own(senses):
            found.extend(sense.attributes)
        if match not in spoken and not senses:
            found.extend(s.label for s in match.of_stage("position")[:1])
            found.extend(s.attributes[0] for s in match.of_stage("return")[:1])
    covered = {i for match in name.matches for i in range(match.start, match.end)}
    numbers = [w.key.lstrip("0") or "0" for i, w in enumerate(name.words) if w.is_number and i not in covered]
    return tuple(dict.fromkeys(found + [f"number {n}" for n in numbers[-1:]]))


def _own(senses: Sequence[Sense]) -> list[Sense]:
    """The attribute a speaking word keeps: "lead" and "amp" name a guitar and say what it does."""
    return [sense for sense in senses if not sense.applies_to][:1]


def _applies(sense: Sense, instrument: str) -> bool:
    return not sense.applies_to or any(is_a(instrument, word) for word in sense.applies_to)


def _confidence(name: _Name, chosen: Sequence[Speaker], instrument: str) -> float:
    if any(not s.sense.weak for s in chosen):
        return STRONG
    spoken = {s.match.start for s in chosen}
    for match in name.matches:
        agreeing = any(s.instrument == instrument for s in match.senses)
        telling = any(s.applies_to and _applies(s, instrument) for s in match.of_stage("attribute"))
        if match.start not in spoken and (agreeing or telling):
            return AGREEING
    if len(spoken) > 1:
        return AGREEING
    numbered = any(w.is_number for w in name.words)
    return NUMBERED if numbered else WEAK


def _role(name: _Name, chosen: Sequence[Speaker], instrument: str) -> str:
    """What the name says of the role, else what the instrument usually does; background wins over lead."""
    said = [s.sense.role for s in chosen if s.sense.role]
    said += [s.role for match in name.matches for s in match.of_stage("attribute") if s.role]
    usual = usual_role(instrument)
    if "background" in (*said, usual):
        return "background"
    return "lead" if "lead" in (*said, usual) else "foreground"


def _source_key(name: _Name, instrument: str) -> str:
    """Words of the name with sources as instruments, without microphones and their positions."""
    at_start = {match.start: match for match in name.matches}
    covered = {i for match in name.matches for i in range(match.start, match.end)}
    parts = []
    for i, word in enumerate(name.words):
        if match := at_start.get(i):
            parts.append(_key_part(match, instrument, name.table))
        elif i not in covered:
            parts.append(word.key.lstrip("0") if word.is_number else word.key)
    return " ".join(part for part in parts if part)


def _key_part(match: Match, instrument: str, table: TokenTable) -> str:
    attributes = [a for s in match.of_stage("attribute") if _applies(s, instrument) for a in s.attributes]
    if table.microphone_attributes.intersection(attributes):
        return ""
    sources = [s.instrument for s in match.of_stage("source", "generic", "position") if s.instrument]
    digits = "".join(c for c in match.text if c.isdigit())
    return f"{sources[0]} {digits}".strip() if sources else match.text.casefold()
