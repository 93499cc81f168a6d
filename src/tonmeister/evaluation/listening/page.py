"""The page listeners open from disk: plain HTML, one script, one style sheet, nothing from outside.

All versions of a song run together and only one is heard, so switching keeps the place. The page knows versions by
their drawn names only; songs, versions and pages are put in order in the browser from a seed that is saved with
the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from tonmeister.evaluation.listening.answers import COLUMNS, SCORE
from tonmeister.evaluation.listening.criteria import criterion
from tonmeister.evaluation.listening.key import TestKey

__all__ = ["LEVEL_FILE", "PAGE_FILE", "page_html", "write_page"]

PAGE_FILE: Final = "listening.html"
LEVEL_FILE: Final = "level.wav"
_STATIC: Final = ("listening.js", "player.js", "listening.css")


def write_page(folder: Path, key: TestKey) -> None:
    """Write the page beside the audio that is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE_FILE).write_text(page_html(key), "utf-8", newline="\n")
    for name in _STATIC:
        (folder / name).write_text(_packaged(name), "utf-8", newline="\n")


def page_html(key: TestKey) -> str:
    """The document; of the key only drawn names and file names get into it."""
    songs = "\n".join(_song_html(key, song) for song in key.songs)
    return Template(_packaged("listening.html")).substitute(
        songs=songs,
        data=_embedded(key),
        level=LEVEL_FILE,
        pages=_counted(len(key.songs) * len(key.criteria), "page"),
        versions=_span(len(key.versions(song)) for song in key.songs),
    )


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _embedded(key: TestKey) -> str:
    """What the script needs, as JSON that cannot end its element."""
    asked = [criterion(name) for name in key.criteria]
    data = {
        "test": key.test,
        "columns": list(COLUMNS),
        "songs": list(key.songs),
        "criteria": [{"name": c.name, "question": c.question, "low": c.low, "high": c.high} for c in asked],
    }
    return json.dumps(data, ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")


def _song_html(key: TestKey, song: str) -> str:
    rows = "\n".join(_version_html(name, key.conditions[name].file) for name in key.versions(song))
    return f'<ol class="versions" data-song="{escape(song)}" hidden>\n{rows}\n</ol>'


def _version_html(name: str, file: str) -> str:
    """One version: a button that plays it, a slider that rates it; the script fills in the numbers."""
    safe = escape(name)
    middle = (SCORE.minimum + SCORE.maximum) / 2
    return (
        f'<li class="version" data-condition="{safe}">'
        f'<button type="button" class="play" aria-pressed="false">Play <span class="number">version</span></button>'
        f'<label for="rate-{safe}">Rating of <span class="number">version</span></label>'
        f'<input type="range" id="rate-{safe}" min="{SCORE.minimum:g}" max="{SCORE.maximum:g}" step="1" '
        f'value="{middle:g}" aria-valuetext="not rated yet">'
        f'<output aria-live="off" for="rate-{safe}">not rated</output>'
        f'<audio preload="none" src="{escape(file)}"></audio></li>'
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _span(counts: Iterable[int]) -> str:
    known = sorted(set(counts))
    return f"{known[0]}" if len(known) == 1 else f"{known[0]} to {known[-1]}"
