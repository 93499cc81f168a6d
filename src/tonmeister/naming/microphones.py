"""Several microphones, pickups or samples of one source, told by their names."""

from __future__ import annotations

from collections.abc import Sequence

from tonmeister.naming.rules import NameGuess
from tonmeister.naming.table import token_table

__all__ = ["is_microphone_set"]


def is_microphone_set(guesses: Sequence[NameGuess]) -> bool:
    """Whether names of one source (equal ``source_key``) tell different microphones of it."""
    known = token_table().microphone_attributes
    positions = [known.intersection(guess.attributes) for guess in guesses]
    return len(set(positions)) > 1
