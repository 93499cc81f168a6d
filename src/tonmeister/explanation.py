"""A plan in words: every move, why it was made, where the knowledge comes from, and what was overruled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Automate,
    Decision,
    Lock,
    Mute,
    SetDelay,
    SetGain,
    SetOutput,
    SetPan,
    SetPlace,
    SetPolarity,
)
from tonmeister.effects.base import Effect, Parameters
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import MASTER, PLACE, Curve, Place, Strip

__all__ = [
    "ExplainedMove",
    "StripStory",
    "chain_text",
    "effect_text",
    "explain",
    "level_text",
    "main_reason",
    "move_text",
    "pan_text",
    "place_text",
    "placed_text",
    "side_text",
    "story_to_dict",
    "what_text",
]


@dataclass(frozen=True, slots=True)
class ExplainedMove:
    """One line of the log, in words."""

    text: str
    decision: Decision
    overruled: str = ""


@dataclass(frozen=True, slots=True)
class StripStory:
    """What happened to one strip."""

    strip: Strip
    record: TrackRecord | None
    """Of a track; None for buses, returns and the master."""
    standing: tuple[ExplainedMove, ...]
    overruled: tuple[ExplainedMove, ...]


def explain(plan: MixPlan) -> list[StripStory]:
    """Every strip with its moves, those that stand and those that do not, in the order of the plan."""
    records = {record.name: record for record in plan.tracks}
    return [_story(plan, strip, records.get(strip.name)) for strip in plan.strips]


def _story(plan: MixPlan, strip: Strip, record: TrackRecord | None) -> StripStory:
    moves = [ExplainedMove(move_text(e.decision), e.decision, e.overruled) for e in plan.reasons(strip.name)]
    return StripStory(
        strip,
        record,
        tuple(move for move in moves if not move.overruled),
        tuple(move for move in moves if move.overruled),
    )


def story_to_dict(story: StripStory) -> dict[str, Any]:
    """Plain data for JSON."""
    record = story.record
    return {
        "strip": story.strip.name,
        "kind": story.strip.kind,
        "file": record.file if record else None,
        "instrument": record.instrument if record else None,
        "role": record.role if record else None,
        "moves": [_move_to_dict(move) for move in (*story.standing, *story.overruled)],
    }


def _move_to_dict(move: ExplainedMove) -> dict[str, Any]:
    reason = move.decision.reason
    return {
        "move": move.text,
        "decision": type(move.decision).__name__,
        "target": move.decision.target,
        "by": move.decision.by,
        "reason": reason.text,
        "source": reason.source,
        "rule": reason.rule,
        "evidence": reason.evidence,
        "confidence": reason.confidence,
        "notes": list(reason.notes),
        "overruled": move.overruled,
    }


def move_text(decision: Decision) -> str:
    """A decision as a person would say it."""
    match decision:
        case SetGain(gain_db=gain_db):
            return f"fader {gain_db:+.1f} dB"
        case SetPan(pan=pan):
            return f"pan {pan_text(pan)}"
        case AddInsert(effect=None, slot=slot):
            return f"{slot.replace('_', ' ')} taken out"
        case AddInsert(effect=effect, slot=slot):
            return _named(slot, cast(Effect, effect))
        case AddSend(to=to, gain_db=gain_db, pre_fader=pre_fader):
            return f"send to {to} {gain_db:+.1f} dB{', before the fader' if pre_fader else ''}"
        case Automate(parameter=parameter, curve=curve):
            return f"{_CONTROLS.get(parameter, parameter)} moves {_span(parameter, curve)}"
        case _:
            return _switch_text(decision)


def _switch_text(decision: Decision) -> str:
    match decision:
        case SetPlace(parameter=parameter, value=value):
            return _PLACED[parameter](value)
        case AddBus(kind=kind):
            return f"made, a {kind}"
        case SetOutput(to=to):
            return f"feeds {to}"
        case Mute(muted=muted):
            return "muted" if muted else "heard"
        case SetDelay(delay_ms=delay_ms):
            return f"delayed {delay_ms:.2f} ms"
        case SetPolarity(inverted=inverted):
            return "polarity inverted" if inverted else "polarity as recorded"
        case Lock(what=what):
            return "locked" if what == "*" else f"{what} locked"
        case _:
            return decision.target


_PLACED: Final[Mapping[str, Callable[[float], str]]] = {
    "azimuth_deg": lambda value: f"at {side_text(value)} in a layout",
    "elevation_deg": lambda value: f"{value:.0f}° up in a layout",
    "spread_deg": lambda value: f"{value:.0f}° wide in a layout",
    "center": lambda value: f"{value:.0%} of its middle to the center",
    "ambience": lambda value: f"{value:.0%} of its room to the surrounds",
    "lfe_db": lambda value: "no LFE" if value <= PLACE["lfe_db"].minimum else f"LFE {value:+.1f} dB",
}

_CONTROLS: Final = {"gain_db": "fader", "pan": "pan"}


def _span(parameter: str, curve: Curve) -> str:
    low, high = min(curve.values), max(curve.values)
    if parameter == "pan":
        return f"between {pan_text(low)} and {pan_text(high)}"
    return f"between {low:+.1f} and {high:+.1f} dB, {len(curve.values)} points"


def pan_text(pan: float) -> str:
    """L100 to R100, C in the center."""
    percent = round(abs(pan) * 100)
    return "C" if percent == 0 else f"{'L' if pan < 0 else 'R'}{percent}"


def side_text(azimuth_deg: float) -> str:
    """An azimuth in words: 30° left, 0° in front."""
    side = "" if azimuth_deg in (0.0, 180.0, -180.0) else " left" if azimuth_deg > 0 else " right"
    return f"{abs(azimuth_deg):.0f}°{side}"


def place_text(place: Place) -> str:
    """A place in a layout: what of it differs from stereo."""
    stereo = Place()
    parts = [
        text(getattr(place, name)).replace(" in a layout", "")
        for name, text in _PLACED.items()
        if getattr(place, name) != getattr(stereo, name)
    ]
    return ", ".join(parts) or "as in stereo"


def level_text(strip: Strip) -> str:
    """The fader: a level, or the range it moves in."""
    if strip.muted:
        return "muted"
    curve = strip.automation.get("gain_db")
    if curve is None:
        return f"{strip.gain_db:+.1f}"
    return f"{min(curve.values):+.1f} to {max(curve.values):+.1f}"


def placed_text(strip: Strip) -> str:
    """The pan: a place, or the range it moves in."""
    curve = strip.automation.get("pan")
    if curve is None:
        return pan_text(strip.pan)
    low, high = pan_text(min(curve.values)), pan_text(max(curve.values))
    return low if low == high else f"{low} to {high}"


def chain_text(strip: Strip) -> str:
    """Polarity, delay, inserts, sends and output in short."""
    parts = ["inverted"] if strip.polarity_inverted else []
    parts += [f"{strip.delay_ms:.2f} ms late"] if strip.delay_ms else []
    parts += [_named(insert.slot, insert.effect) for insert in strip.inserts]
    parts += [f"-> {send.to} {send.gain_db:+.0f}" for send in strip.sends]
    parts += [f"into {strip.output}"] if strip.output not in ("", MASTER) else []
    return ", ".join(parts)


def what_text(strip: Strip, record: TrackRecord | None) -> str:
    """What a strip is: instrument and role of a track, else its kind."""
    if record is None:
        return strip.kind
    return f"{record.instrument.replace('_', ' ')}, {record.role}"


def main_reason(story: StripStory) -> str:
    """The reason that says most about a strip's place in the mix: its fader's, else the first."""
    ordered = sorted(story.standing, key=lambda move: move.decision.target != "gain_db")
    return next((move.decision.reason.text for move in ordered if move.decision.reason.text), "")


def _named(slot: str, effect: Effect) -> str:
    text = effect_text(effect)
    return text if slot == effect.kind or text.startswith(slot) else f"{slot.replace('_', ' ')}: {text}"


_SHORT: Final[Mapping[str, str]] = {
    "gain": "gain {gain_db:+.1f} dB",
    "pan": "pan {pan:+.2f}",
    "high_pass": "high-pass {cutoff_hz:.0f} Hz",
    "low_pass": "low-pass {cutoff_hz:.0f} Hz",
    "compressor": "compressor {ratio:g}:1 above {threshold_db:.0f} dB",
    "gate": "gate below {threshold_db:.0f} dB",
    "deesser": "de-esser {frequency_hz:.0f} Hz",
    "saturation": "saturation {drive_db:+.1f} dB",
    "stem": "stem network {model} {amount:.0%}",
    "width": "width {width:.2f}",
    "band_pan": "octaves at {pan_250:+.2f} {pan_500:+.2f} {pan_1000:+.2f} {pan_2000:+.2f} {pan_4000:+.2f} {pan_8000:+.2f}",
    "panorama": "panorama {width:.2f}",
    "exciter": "exciter {mix_db:+.0f} dB above {cutoff_hz:.0f} Hz",
    "reverb": "reverb {decay_s:.1f} s",
    "echo": "echo {time_ms:.0f} ms",
    "limiter": "limiter {ceiling_dbtp:.1f} dBTP",
    "alignment": "alignment {delay_ms:.2f} ms",
}


def effect_text(effect: Effect) -> str:
    """An effect with the settings that say most; every setting that differs from its default if it is not known."""
    values = cast(Parameters, effect).to_dict()
    if effect.kind == "equalizer":
        return "eq " + " ".join(map(_section_text, values["sections"])) if values["sections"] else "eq flat"
    if effect.kind in _SHORT:
        return _SHORT[effect.kind].format(**values)
    settings = " ".join(f"{name}={value}" for name, value in values.items())
    return f"{effect.kind.replace('_', ' ')} {settings}".strip()


def _section_text(section: Mapping[str, Any]) -> str:
    shape, hz = section["shape"], section["frequency_hz"]
    where = f"{hz / 1000:.3g}k" if hz >= 1000 else f"{hz:.0f}"
    if "pass" in shape or shape == "notch":
        return f"{shape.replace('_', '-')}@{where}"
    mark = {"low_shelf": "low shelf ", "high_shelf": "high shelf "}.get(shape, "")
    return f"{mark}{section['gain_db']:+.1f}@{where}"
