"""A plan as a Csound document: one instrument per strip, file input, equalizers, pan, sends, one reverb per return.

What has no simple counterpart (compressors, gates, automation) is left out and named in a comment. Render it with
``csound --env:SSDIR=FOLDER -o mix.wav song.csd``, FOLDER being where the tracks are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from tonmeister.effects.base import Effect, Parameters
from tonmeister.errors import BadInputError, OutputError
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, Strip, pan_gains
from tonmeister.units import db_to_gain

__all__ = ["csound_document", "write_csound"]

_PAREQ_MODES: Final = {"peak": 0, "low_shelf": 1, "high_shelf": 2}
_ROOM_LOOP_S: Final = 0.06
"""Mean delay of Csound's reverbsc, from which its feedback follows: 0.001^(delay / decay); approximate."""


def csound_document(plan: MixPlan, multitrack: Multitrack) -> str:
    """The document (.csd) of a plan; file names are relative to the folder of the tracks."""
    return "\n".join(_document(plan, multitrack)) + "\n"


def write_csound(plan: MixPlan, multitrack: Multitrack, path: Path, *, overwrite: bool = False) -> None:
    """Write the document; an existing file is replaced only when asked to."""
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(csound_document(plan, multitrack), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}: give another place") from None
    finally:
        temporary.unlink(missing_ok=True)


def _document(plan: MixPlan, multitrack: Multitrack) -> Iterator[str]:
    numbers = {strip.name: number for number, strip in enumerate(plan.order, 1)}
    yield "<CsoundSynthesizer>"
    yield f"; {_comment(plan.title)}, mixed by {_comment(plan.engine or 'a person')}"
    yield "; render: csound --env:SSDIR=FOLDER -o mix.wav THIS.csd"
    yield "<CsOptions>"
    yield "-d -W -f"
    yield "</CsOptions>"
    yield "<CsInstruments>"
    yield f"sr = {plan.sample_rate}"
    yield "ksmps = 32"
    yield "nchnls = 2"
    yield "0dbfs = 1"
    for strip in plan.order:
        if strip.kind != "track":
            yield f"gaL{numbers[strip.name]} init 0"
            yield f"gaR{numbers[strip.name]} init 0"
    for strip in plan.order:
        yield ""
        yield from _instrument(plan, strip, multitrack, numbers)
    yield "</CsInstruments>"
    yield "<CsScore>"
    yield from _score(plan, multitrack, numbers)
    yield "e"
    yield "</CsScore>"
    yield "</CsoundSynthesizer>"


def _score(plan: MixPlan, multitrack: Multitrack, numbers: dict[str, int]) -> Iterator[str]:
    """One line per strip; buses and the master sound as long as the longest track and the longest room."""
    tail_s = max((float(_values(i.effect)["decay_s"]) for s in plan.strips for i in s.inserts
                  if i.effect.kind == "reverb"), default=0.0)  # fmt: skip
    lengths_s = {
        t.name: t.frames_at(multitrack.sample_rate) / multitrack.sample_rate for t in multitrack.tracks
    }
    longest_s = max(lengths_s.values(), default=0.0)
    for strip in plan.order:
        length_s = lengths_s.get(strip.name, longest_s + tail_s)
        yield f"i {numbers[strip.name]} 0 {length_s:.6f} ; {_comment(strip.name)}"


def _instrument(
    plan: MixPlan, strip: Strip, multitrack: Multitrack, numbers: dict[str, int]
) -> Iterator[str]:
    number = numbers[strip.name]
    yield f"instr {number} ; {_comment(strip.name)}"
    if strip.kind == "track":
        yield from _input(multitrack[strip.name])
    else:
        yield f"  aL = gaL{number}"
        yield f"  aR = gaR{number}"
        yield f"  clear gaL{number}, gaR{number}"
    for insert in strip.inserts:
        yield from _effect(insert.effect)
    if strip.automation:
        yield f"  ; not exported: automation of {', '.join(sorted(strip.automation))}"
    yield from _outputs(plan, strip, numbers)
    yield "endin"


def _input(track: Track) -> Iterator[str]:
    names = [_quoted(source.path) for source in track.sources]
    gain = db_to_gain(track.input_gain_db)
    if len(names) == 2:
        yield f"  aL diskin2 {names[0]}, 1"
        yield f"  aR diskin2 {names[1]}, 1"
    elif names and track.channels > 1:
        yield f"  aL, aR diskin2 {names[0]}, 1"
    elif names:
        yield f"  aL diskin2 {names[0]}, 1"
        yield "  aR = aL"
    else:
        yield f"  ; {_comment(track.name)} has no file"
        yield "  aL = 0"
        yield "  aR = 0"
    if gain != 1.0:
        yield f"  aL = aL * {gain:.8f}"
        yield f"  aR = aR * {gain:.8f}"


def _effect(effect: Effect) -> Iterator[str]:
    values = _values(effect)
    if effect.kind == "gain":
        yield from _both(f"{{0}} = {{0}} * {db_to_gain(values['gain_db']):.8f}")
    elif effect.kind == "equalizer" and all(s["shape"] in _PAREQ_MODES for s in values["sections"]):
        for section in values["sections"]:
            yield from _both(
                f"{{0}} pareq {{0}}, {section['frequency_hz']:.3f}, {db_to_gain(section['gain_db']):.8f}, "
                f"{section['q']:.5f}, {_PAREQ_MODES[section['shape']]}"
            )
    elif effect.kind in ("high_pass", "low_pass"):
        opcode = "butterhp" if effect.kind == "high_pass" else "butterlp"
        yield from _both(f"{{0}} {opcode} {{0}}, {values['cutoff_hz']:.3f}")
    elif effect.kind == "reverb":
        yield from _room(values)
    else:
        yield f"  ; not exported: {_comment(effect.kind)}"


def _room(values: dict[str, Any]) -> Iterator[str]:
    feedback = 0.001 ** (_ROOM_LOOP_S / float(values["decay_s"]))
    mix = float(values["mix"])
    if values["low_cut_hz"]:
        yield from _both(f"{{0}}in butterhp {{0}}, {values['low_cut_hz']:.3f}")
    else:
        yield from _both("{0}in = {0}")
    if values["predelay_ms"]:
        yield from _both(f"{{0}}in delay {{0}}in, {values['predelay_ms'] / 1000.0:.6f}")
    yield f"  aWetL, aWetR reverbsc aLin, aRin, {min(feedback, 0.99):.5f}, {values['damping_hz']:.1f}"
    yield f"  aL = aL * {1.0 - mix:.5f} + aWetL * {mix:.5f}"
    yield f"  aR = aR * {1.0 - mix:.5f} + aWetR * {mix:.5f}"


def _both(template: str) -> Iterator[str]:
    for name in ("aL", "aR"):
        yield "  " + template.format(name)


def _outputs(plan: MixPlan, strip: Strip, numbers: dict[str, int]) -> Iterator[str]:
    """Fader and pan, then what goes where; polarity rides on the gain."""
    left, right = (float(g) for g in pan_gains(strip.pan))
    gain = 0.0 if strip.muted else db_to_gain(strip.gain_db) * (-1.0 if strip.polarity_inverted else 1.0)
    if strip.delay_ms:
        yield from _both(f"{{0}} delay {{0}}, {strip.delay_ms / 1000.0:.6f}")
    for send in strip.sends:
        if send.pre_fader:
            yield from _sent(numbers[send.to], db_to_gain(send.gain_db))
    yield f"  aL = aL * {gain * left:.8f}"
    yield f"  aR = aR * {gain * right:.8f}"
    for send in strip.sends:
        if not send.pre_fader:
            yield from _sent(numbers[send.to], db_to_gain(send.gain_db))
    if strip.name == MASTER:
        yield "  outs aL, aR"
    else:
        yield from _sent(numbers[strip.output], 1.0)


def _sent(number: int, gain: float) -> Iterator[str]:
    for side in ("L", "R"):
        yield f"  ga{side}{number} = ga{side}{number} + a{side} * {gain:.8f}"


def _values(effect: Effect) -> dict[str, Any]:
    return cast(Parameters, effect).to_dict()


def _quoted(path: Path) -> str:
    escaped = path.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() and c != ";" else " " for c in text)
