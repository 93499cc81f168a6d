"""What the verbs that separate share: which separator, and how it cuts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tonmeister.separation.streaming import StreamingSeparator

__all__ = ["separating", "separator", "separator_list"]

F = TypeVar("F", bound=Callable[..., Any])


def separating(function: F) -> F:
    """``--model --mask --wiener --bad-samples``, as one mapping ``how`` for `separator`."""

    @click.option(
        "--model", metavar="NAME|PATH", help="Who separates: a name of the list below, or a model file."
    )
    @click.option(
        "--mask", metavar="RULE",
        help="How shares cut, for models that give masks: soft, hard:0.7 (only what is that sure; the rest stays in "
        "the residual), complement. [default: soft]",
    )  # fmt: skip
    @click.option(
        "--wiener", "wiener_rounds", type=click.IntRange(0, 5), default=0, show_default=True, metavar="N",
        help="Refine masks by N rounds of the multichannel Wiener filter.",
    )  # fmt: skip
    @click.option(
        "--bad-samples", "bad", type=click.Choice(("refuse", "zero")), default="refuse", show_default=True,
        help="What to do with samples that are not numbers.",
    )  # fmt: skip
    @functools.wraps(function)
    def wrapped(
        *args: Any, model: str | None, mask: str | None, wiener_rounds: int, bad: str, **rest: Any
    ) -> Any:
        how = {"model": model, "mask": mask, "wiener_rounds": wiener_rounds, "bad": bad}
        return function(*args, how=how, **rest)

    return wrapped  # type: ignore[return-value]


def separator(how: dict[str, Any]) -> StreamingSeparator:
    """The separator that the options ask for."""
    from tonmeister.separation.masks import parse_rule
    from tonmeister.separation.registry import DEFAULT_SEPARATOR, load_separator

    return load_separator(
        how["model"] or DEFAULT_SEPARATOR,
        rule=parse_rule(how["mask"]) if how["mask"] else None,
        wiener_rounds=how["wiener_rounds"],
        bad=how["bad"],
    )


def separator_list() -> str:
    """The end of a help page: every separator with its tracks."""
    from tonmeister.separation.registry import DEFAULT_SEPARATOR, SEPARATORS

    names = sorted(SEPARATORS, key=lambda name: name != DEFAULT_SEPARATOR)
    width = max(map(len, names))
    lines = [
        f"  {name:<{width}} {', '.join(SEPARATORS[name].tracks)}{' (default)' if name == DEFAULT_SEPARATOR else ''}: "
        f"{SEPARATORS[name].summary}"
        for name in names
    ]
    return "\b\nModels, and the tracks they make besides residual:\n" + "\n".join(lines)
