"""The few exceptions a caller may meet; each message says what, why and what to do."""

from __future__ import annotations

__all__ = [
    "AudioFileError",
    "BadInputError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PlanError",
    "TonmeisterError",
]


class TonmeisterError(Exception):
    """Anything tonmeister refuses or fails to do, in one line a person can act on.

    ``exit_code`` is what the command line ends with: 1 failed, 2 wrong usage or bad input.
    """

    exit_code = 1


class BadInputError(TonmeisterError):
    """What was given cannot be worked with: an option, a folder, a value."""

    exit_code = 2


class AudioFileError(BadInputError):
    """A file is not audio that can be read, or is audio of a kind that cannot be mixed."""


class PlanError(BadInputError):
    """A plan is malformed, from another schema, or does not belong to these tracks."""


class ModelError(BadInputError):
    """A model file is damaged, foreign, too large, or not of the kind that is needed."""


class MissingExtraError(BadInputError):
    """An optional part is not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}: pip install 'tonmeister[{extra}]'")
        self.extra = extra


class OutputError(TonmeisterError):
    """The result could not be written: no space, no permission, already there."""


def nearest(word: str, known: list[str]) -> str:
    """Return ' (did you mean ...?)' for the known words closest to `word`, or ''."""
    from difflib import get_close_matches

    folded = {k.casefold(): k for k in known}
    close = [folded[c] for c in get_close_matches(word.casefold(), list(folded), n=3, cutoff=0.5)]
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
