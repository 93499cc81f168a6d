"""The low-level automatic mixer of Perez Gonzalez, Mansbridge and Giannoulis."""

from __future__ import annotations

from tonmeister.engines.adaptive.engine import AdaptiveEngine, AdaptiveOptions

__all__ = ["AdaptiveEngine", "AdaptiveOptions"]
