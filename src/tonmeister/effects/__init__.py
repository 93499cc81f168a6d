"""Effects: frozen parameters with units and ranges, each with a stateful processor."""

from __future__ import annotations

from tonmeister.effects.base import Effect, Processor, effect_from_dict, effect_to_dict, effect_type
from tonmeister.effects.registry import EFFECTS

__all__ = ["EFFECTS", "Effect", "Processor", "effect_from_dict", "effect_to_dict", "effect_type"]
