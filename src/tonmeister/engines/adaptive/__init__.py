"""The low-level automatic mixer of Perez Gonzalez, Mansbridge and Giannoulis."""

from __future__ import annotations

from tonmeister.engines.adaptive.engine import AdaptiveEngine, Options

__all__ = ["AdaptiveEngine", "Options"]
