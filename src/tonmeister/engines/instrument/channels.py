"""Which class each track belongs to, how that is known, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tonmeister.engines.instrument.numbers import number
from tonmeister.engines.instrument.table import FALLBACK, ClassTable
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.naming.words import fold, split_words

__all__ = ["Channel", "channels_of"]


@dataclass(frozen=True, eq=False)
class Channel:
    """One audible track, its measurements, its class."""

    track: Track
    features: TrackFeatures
    label: str
    """The class."""
    group: str | None
    confidence: float
    how: str
    """In words: how the class is known."""

    @property
    def name(self) -> str:
        return self.track.name

    @property
    def source(self) -> str:
        """Microphones of one source share this."""
        return self.track.group or self.track.name

    @property
    def stereo(self) -> bool:
        """Whether it carries an image of its own; a mono recording in a stereo file does not."""
        width = self.features.width
        return self.features.channels > 1 and (width is None or width > number("pan.mono_width"))


def channels_of(multitrack: Multitrack, features: MultitrackFeatures, table: ClassTable) -> list[Channel]:
    """The audible tracks with their classes; where no voice leads, voices in the foreground do."""
    channels = [
        _channel(track, features[track.name], table)
        for track in multitrack.tracks
        if not features[track.name].silent
    ]
    return _with_leading_voices(channels, table)


def _channel(track: Track, features: TrackFeatures, table: ClassTable) -> Channel:
    label, how = _label(track, table)
    known = label != FALLBACK
    confidence = track.confidence if known else max(track.confidence, number("label.unknown"))
    if known and track.instrument == "other":
        confidence = max(confidence, number("label.unknown"))
    return Channel(track, features, label, table.group_of(label), confidence, how)


def _label(track: Track, table: ClassTable) -> tuple[str, str]:
    """The class, and the route that led to it: what the track is known to be, else an alias in its name."""
    if track.instrument != "other":
        label = table.class_of_instrument(track.instrument) or FALLBACK
        return table.rows[label].by_role.get(track.role, label), track.evidence
    if (found := _alias(track.name, table)) is not None:
        alias, label = found
        return table.rows[label].by_role.get(track.role, label), f"the table knows {alias!r}"
    return FALLBACK, track.evidence


def _alias(name: str, table: ClassTable) -> tuple[str, str] | None:
    """The longest alias that stands in the name between word borders."""
    words = [word.key for word in split_words(name)]
    runs = {
        "".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)
    }
    found = [(alias, label) for alias, label in table.aliases().items() if fold(alias) in runs]
    return max(found, key=lambda item: len(fold(item[0])), default=None)


def _with_leading_voices(channels: Sequence[Channel], table: ClassTable) -> list[Channel]:
    if "vocal" not in table.rows or any(channel.label == "lead_vocal" for channel in channels):
        return list(channels)
    leading = table.rows["vocal"].by_role.get("lead", "vocal")
    return [replace(c, label=leading) if c.label == "vocal" else c for c in channels]
