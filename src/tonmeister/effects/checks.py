"""Checks that a `Range` cannot express."""

from __future__ import annotations

from tonmeister.errors import BadInputError


def check_flag(name: str, value: object) -> None:
    """Raise `BadInputError` unless `value` is true or false."""
    if not isinstance(value, bool):
        raise BadInputError(f"{name}={value!r} must be true or false")


def check_stereo(kind: str, channels: int) -> None:
    """Raise `BadInputError` unless there are two channels."""
    if channels != 2:
        raise BadInputError(
            f"{kind} works on 2 channels, not on channels={channels}: double a mono signal first"
        )
