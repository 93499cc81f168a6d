"""The same test for webMUSHRA: a folder ``configs`` to lay over that of an installation.

Its MUSHRA pages switch without a gap and draw the order of the versions, but insist on a reference that is shown
as such and rated among the others. A mix has none, so the plain sum of the tracks takes the place, and the text
says that it is no model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from tonmeister.evaluation.listening.answers import reference_of, trial_id
from tonmeister.evaluation.listening.criteria import Criterion, criterion
from tonmeister.evaluation.listening.key import TestKey
from tonmeister.evaluation.listening.page import LEVEL_FILE

__all__ = ["CONFIG_FILE", "config", "write_webmushra", "yaml_text"]

CONFIG_FILE: Final = "listening.yaml"
_SOUNDS: Final = "configs/resources/audio"
_DEFAULT_VOLUME: Final = 0.25


def write_webmushra(folder: Path, key: TestKey, page: Path) -> None:
    """Write configuration and sounds; the sounds are those of the page."""
    sounds = folder / _SOUNDS / key.test
    sounds.mkdir(parents=True)
    for condition in key.conditions.values():
        shutil.copyfile(page / condition.file, sounds / Path(condition.file).name)
    shutil.copyfile(page / LEVEL_FILE, sounds / LEVEL_FILE)
    text = (
        "# Lay the folder configs over that of a webMUSHRA installation and open\n"
        f"# webMUSHRA/?config={CONFIG_FILE}; the answers are written to results/{key.test}/mushra.csv.\n"
    )
    (folder / "configs" / CONFIG_FILE).write_text(text + yaml_text(config(key)), "utf-8", newline="\n")


def config(key: TestKey) -> dict[str, Any]:
    """The configuration as plain data."""
    sounds = f"{_SOUNDS}/{key.test}"
    trials = [
        _trial(key, number, song, criterion(name), sounds)
        for number, song in enumerate(key.songs, start=1)
        for name in key.criteria
    ]
    return {
        "testname": "Listening test",
        "testId": key.test,
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [
            {
                "type": "volume",
                "id": "volume",
                "name": "Volume",
                "content": "Set a comfortable volume and leave it there: the music is as loud as this noise.",
                "stimulus": f"{sounds}/{LEVEL_FILE}",
                "defaultVolume": _DEFAULT_VOLUME,
            },
            ["random", *trials],
            {
                "type": "finish",
                "name": "Thank you",
                "content": "Please give your name or a pseudonym and send your answers.",
                "showResults": False,
                "writeResults": True,
                "questionnaire": [{"type": "text", "label": "Name or pseudonym", "name": "listener"}],
            },
        ],
    }


def _trial(key: TestKey, number: int, song: str, asked: Criterion, sounds: str) -> dict[str, Any]:
    files = {name: f"{sounds}/{Path(key.conditions[name].file).name}" for name in key.versions(song)}
    reference = reference_of(key, song)
    content = (
        f"{asked.question} Top of the scale: {asked.high}; bottom: {asked.low}. The version called reference is no "
        "model: it is there for comparison, and once more among the others."
    )
    return {
        "type": "mushra",
        "id": trial_id(song, asked.name),
        "name": f"{asked.name}, song {number}",
        "content": escape(content),
        "showWaveform": False,
        "enableLooping": True,
        "strict": False,
        "randomize": True,
        "showConditionNames": False,
        "createAnchor35": False,
        "createAnchor70": False,
        "reference": files.pop(reference),
        "stimuli": files,
    }


def yaml_text(data: Mapping[str, Any]) -> str:
    """Mappings, lists, texts, numbers and truth values as YAML 1.2; texts are quoted as in JSON."""
    return "".join(f"{line}\n" for line in _lines(data))


def _lines(data: Any) -> list[str]:
    if isinstance(data, Mapping) and data:
        return [line for name, value in data.items() for line in _entry(f"{json.dumps(name)}:", value)]
    if isinstance(data, Sequence) and not isinstance(data, str) and data:
        return [line for value in data for line in _entry("-", value)]
    return [json.dumps(data, ensure_ascii=True, allow_nan=False)]


def _entry(head: str, value: Any) -> list[str]:
    inner = _lines(value)
    if isinstance(value, (str, int, float)) or not value:
        return [f"{head} {inner[0]}"]
    return [head, *(f"  {line}" for line in inner)]
