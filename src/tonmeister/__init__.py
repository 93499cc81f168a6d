"""tonmeister: the tracks of a song in, an explained and editable mix out.

    import tonmeister as tm

    song = tm.load_multitrack("song/")
    features = tm.analyze(song)
    plan = tm.decide(song, features, engine="textbook")
    audio = tm.render(song, plan)
    tm.save_plan(plan, "song.plan.json")

Names are loaded when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonmeister.analysis import analyze
    from tonmeister.audio import Audio
    from tonmeister.decisions import (
        AddBus,
        AddInsert,
        AddSend,
        Automate,
        Decision,
        Lock,
        Mute,
        Reason,
        SetDelay,
        SetGain,
        SetOutput,
        SetPan,
        SetPlace,
        SetPolarity,
    )
    from tonmeister.errors import TonmeisterError
    from tonmeister.features import MultitrackFeatures, TrackFeatures
    from tonmeister.loading import load_multitrack
    from tonmeister.multitrack import Multitrack, Track
    from tonmeister.pipeline import Mix, decide, mix
    from tonmeister.plan import MixPlan
    from tonmeister.plan_file import load_plan, save_plan
    from tonmeister.spatial.rendering import render

    __version__: str

__all__ = [
    "load_multitrack",
    "analyze",
    "decide",
    "render",
    "mix",
    "load_plan",
    "save_plan",
    "Audio",
    "Track",
    "Multitrack",
    "TrackFeatures",
    "MultitrackFeatures",
    "MixPlan",
    "Mix",
    "Decision",
    "Reason",
    "SetGain",
    "SetPan",
    "SetPlace",
    "AddInsert",
    "AddSend",
    "AddBus",
    "SetOutput",
    "Automate",
    "Mute",
    "SetDelay",
    "SetPolarity",
    "Lock",
    "TonmeisterError",
    "__version__",
]

_HOMES = {
    "analysis": "analyze",
    "audio": "Audio",
    "decisions": "AddBus AddInsert AddSend Automate Decision Lock Mute Reason SetDelay SetGain SetOutput "
    "SetPan SetPlace SetPolarity",
    "errors": "TonmeisterError",
    "features": "MultitrackFeatures TrackFeatures",
    "loading": "load_multitrack",
    "multitrack": "Multitrack Track",
    "pipeline": "Mix decide mix",
    "plan": "MixPlan",
    "plan_file": "load_plan save_plan",
    "spatial.rendering": "render",
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for (PEP 562)."""
        if name == "__version__":
            value: object = _version()
        elif name in _MODULES:
            from importlib import import_module

            value = getattr(import_module(f"tonmeister.{_MODULES[name]}"), name)
        else:
            raise AttributeError(f"module 'tonmeister' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tonmeister")
    except PackageNotFoundError:
        return "0+unknown"


class _Package(ModuleType):
    """Keeps the function `render` from being covered by the module of that name.

    Importing a submodule sets an attribute on its package; ``from tonmeister.render import ...`` still works.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _MODULES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
