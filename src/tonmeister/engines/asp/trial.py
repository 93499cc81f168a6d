"""A trial run of the grounder in a process of its own: a user's rule may make ever more atoms.

Grounding cannot be interrupted from within, so rules of a user are grounded here first, under a limit of time and
memory. Run as a script this file reads a JSON object from stdin and imports nothing of the package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonmeister.engines.asp.program import Statement

__all__ = ["try_grounding"]

_MEMORY_BYTES = 4 << 30


def try_grounding(
    files: Sequence[str], text: str, *, seconds: float, statements: Sequence[Statement]
) -> None:
    """Raise `BadInputError` when the program cannot be grounded in time."""
    from tonmeister.errors import BadInputError

    request = json.dumps({"files": list(files), "text": text, "memory_bytes": _MEMORY_BYTES})
    origins = ", ".join(dict.fromkeys(s.origin for s in statements))
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__], input=request, text=True, capture_output=True, timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BadInputError(
            f"{origins}: the rules were still growing after {seconds:.0f} s: bound every variable, "
            "for example by level(D) or pan(P), or raise --option seconds=N"
        ) from None
    if done.returncode < 0 or "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
        raise BadInputError(f"{origins}: the rules grow beyond the memory: bound every variable")


def _main() -> None:
    """Ground what stdin holds; problems other than growth are reported by the real run."""
    request = json.load(sys.stdin)
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"], request["memory_bytes"]))
    import clingo

    control = clingo.Control(["--warn=none"], logger=lambda code, message: None)
    with suppress(RuntimeError):
        for file in request["files"]:
            control.load(file)
        control.add("base", [], request["text"])
        control.ground([("base", [])])


if __name__ == "__main__":
    _main()
