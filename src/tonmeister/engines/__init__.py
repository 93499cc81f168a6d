"""Engines: ways of deciding. Features in, attributed decisions out; an engine never touches audio."""

from __future__ import annotations

from tonmeister.engines.base import ENGINES, EngineInfo, MixEngine, load_engine, option_help

__all__ = ["ENGINES", "EngineInfo", "MixEngine", "load_engine", "option_help"]
