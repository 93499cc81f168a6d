"""What is put right before the mix: silence, doubled files, and microphones that cancel each other."""

from __future__ import annotations

from collections.abc import Iterator

from tonmeister.decisions import Decision, Mute, Reason, SetDelay, SetPolarity
from tonmeister.engines.textbook.numbers import number
from tonmeister.features import MicrophonePair, MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS

__all__ = ["aligned", "left_out", "muted"]


def left_out(multitrack: Multitrack, features: MultitrackFeatures) -> dict[str, Reason]:
    """The tracks that are not mixed, and why."""
    present = set(multitrack.names)
    silent = Reason(
        "Nothing in this file is loud enough to hear.", "ITU-R BS.1770-4: absolute gate of -70 LUFS",
        "textbook.repair.silent", "nothing passes the gate",
    )  # fmt: skip
    reasons = {name: silent for name in multitrack.names if features[name].silent}
    for kept, again in features.duplicates:
        if {kept, again} <= present and kept not in reasons and again not in reasons:
            reasons[again] = Reason(
                f"The same audio as {kept}: two copies would only be twice as loud.", "measurement",
                "textbook.repair.duplicate", "equal checksums",
            )  # fmt: skip
    return reasons


def muted(reasons: dict[str, Reason], by: str) -> Iterator[Decision]:
    """A mute for every track that is left out."""
    for name, reason in reasons.items():
        yield Mute(name, True, reason=reason, by=by)


def aligned(features: MultitrackFeatures, heard: frozenset[str], by: str) -> Iterator[Decision]:
    """Polarity and delay for pairs of microphones that clearly carry one source.

    The earlier microphone waits for the later one: of all that belong together, the last stays as it is.
    """
    pairs = [
        p
        for p in features.pairs
        if {p.reference, p.other} <= heard and p.correlation >= number("pair.correlation")
    ]
    inverted: set[str] = set()
    for pair in pairs:
        if pair.inverted != (pair.reference in inverted) and pair.other not in inverted:
            inverted.add(pair.other)
            yield SetPolarity(pair.other, True, reason=_why(pair, "polarity", "is inverted against"), by=by)
    yield from _delays(pairs, by)


def _delays(pairs: list[MicrophonePair], by: str) -> Iterator[Decision]:
    late_ms: dict[str, tuple[float, MicrophonePair]] = {}
    for pair in pairs:
        known = late_ms.setdefault(pair.reference, (0.0, pair))
        late_ms.setdefault(pair.other, (known[0] + pair.delay_ms, pair))
    for first, (at_ms, pair) in late_ms.items():
        last_ms = max(late_ms[name][0] for name in _together(first, pairs))
        wait_ms = PARAMETERS["delay_ms"].clip(round(last_ms - at_ms, 3))
        if wait_ms >= number("pair.shortest"):
            yield SetDelay(
                first, wait_ms, reason=_why(pair, "delay", f"is {pair.delay_ms:.2f} ms later than"), by=by
            )


def _together(name: str, pairs: list[MicrophonePair]) -> set[str]:
    """All microphones connected by pairs to one."""
    found = {name}
    while (
        more := {n for p in pairs for n in (p.reference, p.other) if {p.reference, p.other} & found} - found
    ):
        found |= more
    return found


def _why(pair: MicrophonePair, what: str, how: str) -> Reason:
    return Reason(
        f"{pair.other} {how} {pair.reference}: together they would cancel in part.", "measurement",
        f"textbook.repair.{what}", f"correlation {pair.correlation:.2f} at {pair.delay_ms:.2f} ms",
        round(pair.correlation, 3),
    )  # fmt: skip
