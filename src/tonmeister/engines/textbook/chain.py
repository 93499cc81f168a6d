"""From settings to effects: high-pass, compressor, de-esser and equalizer of one strip, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tonmeister.decisions import Reason
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.deesser import Deesser
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.engines.prediction import compressor_change_db, filter_change_db
from tonmeister.engines.textbook.channels import Channel, Chosen, Style
from tonmeister.engines.textbook.expressions import Unknown
from tonmeister.engines.textbook.matching import Setting, Settings, Subject, Tone, apply_rules
from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.rules import EVIDENCE, Rule, RuleSet
from tonmeister.engines.textbook.words import band_of
from tonmeister.units import FloatArray

__all__ = ["because", "completed", "compressor", "equalizer", "high_pass", "with_inserts"]

MOST_SECTIONS: Final = 6
_SMALLEST_DB: Final = 0.1
"""A section or a cut below this is not worth a filter."""


def with_inserts(channel: Channel, rules: RuleSet, style: Style, cuts: Sequence[Tone] = ()) -> Channel:
    """The channel with its inserts, and the loudness they leave; `cuts` are more tone moves."""
    stages = {s: _stage(channel, rules, s, style) for s in ("high_pass", "dynamics", "tone")}
    subject, rate = channel.subject, channel.features.sample_rate
    chosen = [
        high_pass(stages["high_pass"], subject),
        compressor(stages["dynamics"], subject, rules),
        _deesser(stages["dynamics"], subject),
        equalizer((*stages["tone"].tones, *cuts), subject, style, rate),
    ]
    inserts = tuple(c for c in chosen if c is not None)
    log = tuple(entry for settings in stages.values() for entry in settings.log)
    passed_over = [note for settings in stages.values() for note in _bypassed(settings)]
    unknown = [entry.text for entry in log if entry.state == "unknown"]
    changed = replace(channel, inserts=inserts, change_db=_change_db(channel, inserts))
    return changed.noted(log, *passed_over, *unknown)


def _stage(channel: Channel, rules: RuleSet, stage: str, style: Style) -> Settings:
    return apply_rules(rules, stage, channel.subject, profile=style.profile, jarp=style.jarp)


def _bypassed(settings: Settings) -> list[str]:
    """What was asked for and then found unnecessary."""
    asked = {name.partition(".")[0] for name in settings.values}
    return [
        f"{processor.replace('_', '-')} considered, not needed: {rule.comment} ({rule.id})"
        for processor, rule in settings.bypassed.items()
        if processor in asked
    ]


def _change_db(channel: Channel, inserts: Iterable[Chosen]) -> float:
    """Loudness after the inserts minus loudness before them."""
    features, change_db, before_db = channel.features, 0.0, 0.0
    linear = []
    for effect in (chosen.effect for chosen in inserts):
        if isinstance(effect, HighPass):
            before_db = _filtered(features.third_octave_db, [effect], features.sample_rate, weighted=False)
        if isinstance(effect, (HighPass, Equalizer)):
            linear.append(effect)
        elif isinstance(effect, Compressor):
            change_db += compressor_change_db(
                effect, features.level_db, features.peak_level_db, gain_db=before_db,
                third_octave_db=features.third_octave_db, sample_rate=features.sample_rate,
            )  # fmt: skip
    return change_db + _filtered(features.third_octave_db, linear, features.sample_rate)


def _filtered(
    spectrum_db: FloatArray, effects: list[HighPass | Equalizer], sample_rate: int, *, weighted: bool = True
) -> float:
    return filter_change_db(spectrum_db, list(effects), sample_rate, weighted=weighted)


# Effects


def high_pass(settings: Settings, subject: Subject) -> Chosen | None:
    """The high-pass the rules ask for."""
    values = settings.of("high_pass")
    if "cutoff_hz" not in values or "high_pass" in settings.bypassed:
        return None
    order = 4 if "order" in values and values["order"].value > 3 else 2
    effect = HighPass(values["cutoff_hz"].value, order=order)
    text = f"High-pass at {effect.cutoff_hz:.0f} Hz, {6 * order} dB per octave."
    return Chosen(effect, because(values["cutoff_hz"].rule, subject, text, settings.notes("high_pass")))


def compressor(settings: Settings, subject: Subject, rules: RuleSet) -> Chosen | None:
    """The compressor the rules ask for; what they leave out comes from the defaults of the file."""
    asked = settings.of("compressor")
    if not asked or "compressor" in settings.bypassed:
        return None
    values, sources = completed("compressor", asked, subject, rules)
    if "threshold_db" not in values:
        return None
    effect = Compressor(**values)
    text = (
        f"Threshold {effect.threshold_db:.1f} dB, ratio {effect.ratio:.1f}:1, knee {effect.knee_db:.0f} dB, "
        f"attack {effect.attack_ms:.3g} ms, release {effect.release_ms:.3g} ms."
    )
    rule = _main_rule(asked)
    others = tuple(f"{name} from {source}" for name, source in sources.items() if source != rule.id)
    return Chosen(effect, because(rule, subject, text, (*others, *settings.notes("compressor"))))


def _deesser(settings: Settings, subject: Subject) -> Chosen | None:
    asked = settings.of("deesser")
    if "threshold_db" not in asked or "deesser" in settings.bypassed:
        return None
    effect = Deesser(**{name: setting.value for name, setting in asked.items()})
    text = f"Threshold {effect.threshold_db:.1f} dB above {effect.frequency_hz:.0f} Hz, at most {effect.range_db:.0f} dB."
    return Chosen(effect, because(_main_rule(asked), subject, text, settings.notes("deesser")))


def completed(
    processor: str, asked: Mapping[str, Setting], subject: Subject, rules: RuleSet
) -> tuple[dict[str, float], dict[str, str]]:
    """Values by parameter with the file's defaults filled in, and who gave each."""
    values = {name: setting.value for name, setting in asked.items()}
    sources = {name: setting.rule.id for name, setting in asked.items()}
    for full, (expression, source, evidence) in rules.defaults.items():
        head, _, name = full.partition(".")
        if head != processor or name in values:
            continue
        value = expression.evaluate(subject.lookup)
        if not isinstance(value, Unknown):
            values[name] = PARAMETERS[full].clip(float(value))
            sources[name] = f"the default ({source}, {evidence})"
    return values, sources


def _main_rule(asked: Mapping[str, Setting]) -> Rule:
    """The rule that gave most of the settings; the most particular one among equals."""
    counts: dict[str, int] = {}
    for setting in asked.values():
        counts[setting.rule.id] = counts.get(setting.rule.id, 0) + 1
    return max((s.rule for s in asked.values()), key=lambda rule: (counts[rule.id], rule.rank))


# Equalizer


@dataclass(frozen=True, slots=True)
class _Move:
    """One section to be, and the rules behind it."""

    shape: str
    frequency_hz: float
    q: float
    gain_db: float
    rules: tuple[Rule, ...]


def equalizer(tones: Sequence[Tone], subject: Subject, style: Style, sample_rate: int) -> Chosen | None:
    """One equalizer for all tone moves of a strip: at most six sections, close peaks merged."""
    scale = subject.sureness if style.improved else 1.0
    moves = _merged([_move(tone, style.edition, scale) for tone in tones])
    moves = [m for m in moves if abs(m.gain_db) >= _SMALLEST_DB and m.frequency_hz < 0.45 * sample_rate]
    kept = sorted(moves, key=lambda m: -abs(m.gain_db))[:MOST_SECTIONS]
    kept = [m for m in moves if m in kept]
    if not kept:
        return None
    sections = tuple(_section(move) for move in kept)
    rules = [rule for move in kept for rule in move.rules]
    said = "; ".join(
        f"{s.gain_db:+.1f} dB at {s.frequency_hz:.0f} Hz ({s.shape.replace('_', ' ')})" for s in sections
    )
    notes = [
        f"{s.frequency_hz:.0f} Hz: {r.comment} ({r.id})"
        for s, m in zip(sections, kept, strict=True)
        for r in m.rules
    ]
    dropped = len(moves) - len(kept)
    notes += [f"{dropped} smaller sections left out: an equalizer holds {MOST_SECTIONS}"] if dropped else []
    return Chosen(Equalizer(sections), _joint_reason(rules, subject, f"{said}.", notes))


def _move(tone: Tone, edition: str, scale: float) -> _Move:
    gain_db = PARAMETERS["equalizer.section_db"].clip(tone.gain_db * scale)
    if tone.word:
        band = band_of(tone.word, edition)
        return _Move("peak", band.center_hz, band.q, gain_db, (tone.rule,))
    return _Move(tone.shape, tone.frequency_hz, tone.q, gain_db, (tone.rule,))


def _section(move: _Move) -> EqSection:
    shape = next(s for s in ("peak", "low_shelf", "high_shelf") if s == move.shape)
    return EqSection(shape, round(move.frequency_hz, 1), round(move.gain_db, 2), round(move.q, 3))


def _merged(moves: Iterable[_Move]) -> list[_Move]:
    """Peaks within a third of an octave become one: decibels added, frequencies averaged on the log scale."""
    result: list[_Move] = []
    for move in moves:
        close = next((m for m in result if _close(m, move)), None)
        if close is None:
            result.append(move)
            continue
        frequency_hz = math.sqrt(close.frequency_hz * move.frequency_hz)
        gain_db = PARAMETERS["equalizer.section_db"].clip(close.gain_db + move.gain_db)
        result[result.index(close)] = _Move(
            "peak", frequency_hz, min(close.q, move.q), gain_db, (*close.rules, *move.rules)
        )
    return result


def _close(a: _Move, b: _Move) -> bool:
    return a.shape == b.shape == "peak" and abs(math.log2(a.frequency_hz / b.frequency_hz)) <= 1.0 / 3.0


# Reasons


def because(rule: Rule, subject: Subject, text: str = "", notes: Iterable[str] = ()) -> Reason:
    """The reason of one rule: its comment with the values, source, id, grade and confidence."""
    tagged = any(words for key, words in rule.tags.items() if key != "processor")
    confidence = EVIDENCE[rule.evidence] * (subject.confidence if tagged else 1.0)
    return Reason(
        f"{rule.comment} {text}".strip(),
        rule.source,
        rule.id,
        rule.evidence,
        round(confidence, 3),
        tuple(notes),
    )


def _joint_reason(rules: Sequence[Rule], subject: Subject, text: str, notes: Iterable[str]) -> Reason:
    """The reason of several rules that share an effect: the first speaks, all are in the notes."""
    first = because(rules[0], subject, text, notes)
    if len({rule.id for rule in rules}) == 1:
        return first
    comments = " ".join(dict.fromkeys(rule.comment for rule in rules))
    sources = "; ".join(dict.fromkeys(rule.source for rule in rules))
    grades = ", ".join(dict.fromkeys(rule.evidence for rule in rules))
    return replace(first, text=f"{comments} {text}", source=sources, evidence=grades)
