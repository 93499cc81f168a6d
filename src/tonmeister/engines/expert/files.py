"""Small text files, read with a bound on their size, written under another name first."""

from __future__ import annotations

import os
from pathlib import Path

from tonmeister.errors import BadInputError, OutputError

__all__ = ["read_bytes", "read_text", "write_text"]


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """The content of a file; raises `BadInputError` when it cannot be read or is too large."""
    try:
        if path.stat().st_size > most_bytes:
            raise BadInputError(f"{path}: larger than {most_bytes >> 20} MiB: this is something else")
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None


def read_text(path: Path, most_bytes: int) -> str:
    """The same as UTF-8 text."""
    try:
        return read_bytes(Path(path), most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text") from None


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file that appears under its name only when complete."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    partial = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        partial.write_text(text, "utf-8")
        os.replace(partial, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{path}: could not be written ({reason}): write elsewhere") from None
    finally:
        partial.unlink(missing_ok=True)
