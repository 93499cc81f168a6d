"""What a track is called, and what that says about it."""

from __future__ import annotations

from tonmeister.naming.microphones import is_microphone_set
from tonmeister.naming.rules import NameGuess, identify_name, usual_role
from tonmeister.naming.shared import without_shared_words
from tonmeister.naming.sides import split_side
from tonmeister.naming.tidy import tidy_name

__all__ = [
    "NameGuess",
    "identify_name",
    "is_microphone_set",
    "split_side",
    "tidy_name",
    "usual_role",
    "without_shared_words",
]
