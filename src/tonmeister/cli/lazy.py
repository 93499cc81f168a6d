"""Commands and modules that are imported when they are used, so that help pages cost nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from tonmeister.errors import nearest

__all__ = ["LazyGroup", "postpone"]


def postpone(name: str) -> None:
    """Load the module `name` when something of it is first used, not when it is imported.

    For verbs of one thread that import numerical modules only to know their parameters.
    """
    if name not in sys.modules:
        sys.modules[name] = _Postponed(name)


class _Postponed(ModuleType):
    """Stands for a module until one of its names is asked for. (The standard `LazyLoader` already gives in at a
    second import statement.)"""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
            self.__dict__.update(import_module(self.__name__).__dict__)
        return getattr(sys.modules[self.__name__], name)


class LazyGroup(click.Group):
    """Commands by name: (module with a click command called ``command``, one line of help), in help's order."""

    parts: Mapping[str, tuple[str, str]] = {}
    word = "subject"
    """What a command of this group is called in messages."""

    @classmethod
    def of(cls, parts: Mapping[str, tuple[str, str]], word: str = "subject") -> type[LazyGroup]:
        """A group class with these commands."""
        return type("LazyGroup", (cls,), {"parts": parts, "word": word})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.parts)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.parts:
            return None
        command: Any = import_module(self.parts[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.parts and not args[0].startswith("-"):
            close = nearest(args[0], list(self.parts))
            raise click.UsageError(f"there is no {self.word} {args[0]!r}{close}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(f"{self.word.capitalize()}s"):
            formatter.write_dl([(name, line) for name, (_, line) in self.parts.items()])
