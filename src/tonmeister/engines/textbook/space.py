"""One room for all: a reverb return, and sends whose sum lies as far below the direct sound as the rules say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, Reason, SetGain
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.prediction import predicted_lufs, reverb_change_db
from tonmeister.engines.textbook.buses import Parts
from tonmeister.engines.textbook.chain import because, completed
from tonmeister.engines.textbook.channels import Channel, Style
from tonmeister.engines.textbook.matching import Setting, Settings, Subject, apply_rules
from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.rules import RuleSet

__all__ = ["space"]


@dataclass(frozen=True, slots=True)
class _Send:
    """How much of a channel goes to the room, before the common level is known."""

    channel: Channel
    setting: Setting
    settings: Settings
    gain_db: float
    """Gain of the channel on its way to the mix."""
    change_db: float
    """What the room does to the channel's loudness."""


def space(
    parts: Parts, mix_lufs: float, song: Subject, rules: RuleSet, style: Style, *, bus: str, by: str
) -> Iterator[Decision]:
    """The return called `bus` with its reverb, and a send for every channel that a rule sends there."""
    asked = apply_rules(rules, "space", song, profile=style.profile, jarp=style.jarp)
    wanted = asked.values.get("reverb.loudness_lu")
    if wanted is None or "reverb" in asked.bypassed:
        return
    reverb, sources = _reverb(asked, song, rules)
    sends = _sends(parts, reverb, rules, style)
    if not sends:
        return
    level_db = mix_lufs + wanted.value - _wet_lufs(sends, mix_lufs)
    yield AddBus(bus, "return", reason=because(wanted.rule, song), by=by)
    yield AddInsert(bus, reverb, reason=_why_reverb(asked, reverb, song, sources), by=by)
    text = "The return stays at unity; the sends set the amount."
    yield SetGain(bus, 0.0, reason=because(wanted.rule, song, text), by=by)
    for send in sends:
        yield _send(send, level_db, bus, by)


def _reverb(asked: Settings, song: Subject, rules: RuleSet) -> tuple[Reverb, dict[str, str]]:
    values, sources = completed("reverb", asked.of("reverb"), song, rules)
    parameters = {name: value for name, value in values.items() if name != "loudness_lu"}
    return Reverb(**parameters, mix=1.0), sources


def _why_reverb(asked: Settings, reverb: Reverb, song: Subject, sources: Mapping[str, str]) -> Reason:
    rules = {s.rule.id: s.rule for name, s in asked.of("reverb").items() if name != "loudness_lu"}
    text = (
        f"Decay {reverb.decay_s:.2f} s, pre-delay {reverb.predelay_ms:.0f} ms, damping from "
        f"{reverb.damping_hz:.0f} Hz, low cut at {reverb.low_cut_hz:.0f} Hz."
    )
    notes = [f"{name} from {source}" for name, source in sources.items() if name != "loudness_lu"]
    rule = next(iter(rules.values()), asked.values["reverb.loudness_lu"].rule)
    return because(rule, song, text, (*notes, *(e.text for e in asked.log if e.state == "unknown")))


def _sends(parts: Parts, reverb: Reverb, rules: RuleSet, style: Style) -> list[_Send]:
    sends = []
    for channel, gain_db in parts:
        settings = apply_rules(rules, "space", channel.subject, profile=style.profile, jarp=style.jarp)
        setting = settings.values.get("send.gain_db")
        if setting is not None and "reverb" not in settings.bypassed:
            features = channel.features
            change_db = reverb_change_db(features.third_octave_db, reverb, features.sample_rate)
            sends.append(_Send(channel, setting, settings, gain_db, change_db))
    return sends


def _wet_lufs(sends: Sequence[_Send], mix_lufs: float) -> float:
    """Predicted loudness of the return, with the sends as the rules have them."""
    series = [s.channel.momentary_lufs for s in sends]
    wet_lufs = predicted_lufs(series, [s.gain_db + s.setting.value + s.change_db for s in sends])
    return mix_lufs if wet_lufs is None else wet_lufs


def _send(send: _Send, level_db: float, bus: str, by: str) -> Decision:
    wanted_db = send.setting.value + level_db
    gain_db = round(PARAMETERS["send.gain_db"].clip(wanted_db), 2)
    notes = () if abs(gain_db - wanted_db) < 0.01 else (f"{wanted_db:.1f} dB clipped to {gain_db:.1f} dB",)
    text = f"{send.setting.value:+.0f} dB against the others, {level_db:+.1f} dB for the amount of the whole room."
    return AddSend(
        send.channel.name,
        bus,
        gain_db,
        reason=because(send.setting.rule, send.channel.subject, text, notes),
        by=by,
    )
