"""The call that is running, as the card of a model tells it: enough to make the model again."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, Final

import click

__all__ = ["call_again"]

_NOT_TOLD: Final = frozenset(("as_json", "quiet", "no_color", "debug", "overwrite", "cache", "plots"))
"""What changes nothing about the model."""


def call_again() -> str:
    """Program, verbs and every option with its value, given or by default; files by their names alone."""
    context = click.get_current_context()
    verbs = [context.info_name or ""]
    above = context
    while above.parent is not None and above.parent.parent is not None:
        above = above.parent
        verbs.insert(0, above.info_name or "")
    words = ["tonmeister", *verbs]
    for parameter in context.command.params:
        if parameter.name in context.params and parameter.name not in _NOT_TOLD:
            words += _words(parameter, context.params[parameter.name])
    return shlex.join(words)


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    name = max(parameter.opts, key=len)
    is_flag = isinstance(parameter, click.Option) and parameter.is_flag
    if is_flag:
        return [name] if value is True else list(parameter.secondary_opts[:1]) if value is False else []
    values = value if isinstance(value, (tuple, list)) else () if value is None else (value,)
    texts = [_text(v) for v in values]
    if isinstance(parameter, click.Argument):
        return texts
    return [word for text in texts for word in (name, text)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    is_file = isinstance(value, Path) or (isinstance(value, str) and os.sep in value)
    return Path(value).name if is_file else str(value)
