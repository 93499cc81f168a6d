"""The documentation is true: its examples run, its links lead somewhere, its generated parts are up to date.

Code blocks say what they are behind their language. ``sh norun`` is not run (it needs a network, or a device); a path
means a file, which is written there; other ``sh`` and ``python`` blocks run in order, in one folder a page that holds
a small ``song/``. A shell line that should fail says so: ``# exit 2``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import runpy
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from makers import band, tone, write_folder
from tonmeister.cli import COMMANDS, cli, run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
HAND_WRITTEN = [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "NOTICE.md"]
MOST_BYTES_OF_A_PICTURE = 200_000
SECONDS = 1.2

_FENCE = re.compile(r"^```(?P<info>\w[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    note: str
    body: str


def blocks(page: Path) -> list[Block]:
    found = []
    for match in _FENCE.finditer(page.read_text("utf-8")):
        language, _, note = match["info"].strip().partition(" ")
        found.append(Block(language, note, match["body"]))
    return found


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text("utf-8")))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


WITH_EXAMPLES = [page for page in PAGES if any(b.language in ("sh", "python") for b in blocks(page))]


# ------------------------------------------------------------------ examples


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = {
        "07_Backing Vox.wav": tone(550, SECONDS, level=0.1),
        "08_Keys.wav": tone(440, SECONDS, level=0.2),
        "09_Click.wav": tone(1000, SECONDS),
        "Rough Mix.wav": tone(440, SECONDS, channels=2),
    }
    return write_folder(tmp_path_factory.mktemp("docs") / "song", band(SECONDS) | extra)


@pytest.fixture
def desk(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with a song in it; modules that a page makes are forgotten afterwards."""
    shutil.copytree(song, tmp_path / "song")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_the_examples_of_a_page_run(page: Path, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks(page)):
        if block.note == "norun":
            continue
        if block.note:
            write(desk / block.note, block.body)
        elif block.language == "sh":
            for line in lines(block.body):
                shell(line, desk, monkeypatch)
        elif block.language == "python":
            script = write(desk / f"example_{number}.py", block.body)
            names = runpy.run_path(str(script), init_globals=public(names))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def public(names: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if not name.startswith("__")}


def lines(body: str) -> list[str]:
    joined = body.replace("\\\n", " ").splitlines()
    return [line.strip() for line in joined if line.strip() and not line.lstrip().startswith("#")]


def shell(line: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of a shell block, in this process."""
    words = shlex.split(line, comments=True)
    wanted = int(match[1]) if (match := _EXIT.search(line)) else 0
    match words:
        case ["tonmeister", *arguments]:
            assert verb(arguments) == wanted, line
        case ["python", script]:
            runpy.run_path(script, run_name="__main__")
        case ["pip", "install", "-e", folder]:
            install(desk / folder, desk, monkeypatch)
        case _:
            pytest.fail(f"{line!r} cannot be run here: mark the block with norun")


def verb(arguments: list[str]) -> int:
    """A verb with its output, into a file where a ``>`` says so."""
    if ">" not in arguments:
        return run(arguments)
    at = arguments.index(">")
    with Path(arguments[at + 1]).open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        return run(arguments[:at])


def install(project: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an editable install comes to: the project on the path, and its entry points where they are looked for."""
    data = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    info = site / f"{data['name'].replace('-', '_')}-{data['version']}.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {data['name']}\nVersion: {data['version']}\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in data["entry-points"].items()
    ]
    write(info / "entry_points.txt", "\n".join(points))
    monkeypatch.syspath_prepend(str(project))


# ------------------------------------------------------------------ completeness


def test_every_verb_has_a_page_with_an_example_and_its_options() -> None:
    for name in COMMANDS:
        page = DOCS / "how-to" / f"{name}.md"
        assert page.exists(), f"write {name_of(page)}"
        examples = [line for b in blocks(page) if b.language == "sh" for line in lines(b.body)]
        assert any(line.startswith(f"tonmeister {name}") for line in examples), name_of(page)
        for path in commands(name):
            assert f"<!-- generated: help {path} -->" in page.read_text("utf-8"), f"{name_of(page)}: {path}"


def commands(name: str) -> list[str]:
    """The verb, or its subcommands."""
    context = click.Context(cli)
    found = cli.get_command(context, name)
    assert found is not None
    if isinstance(found, click.Group):
        return [f"{name} {below}" for below in found.list_commands(context)]
    return [name]


def test_generated_parts_are_up_to_date(generate: ModuleType) -> None:
    behind = [name_of(page) for page in generate.stale()]
    assert not behind, f"run python docs/generate.py: {', '.join(behind)}"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_follow_the_code(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "before\n<!-- generated: word now -->\nold\n<!-- end -->\nafter\n"
    make: Callable[[str], str] = str.upper
    monkeypatch.setattr(generate, "PARTS", {"word": make})
    assert generate.filled(page) == page.replace("old", "NOW")


# ------------------------------------------------------------------ links, sources, pictures


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for match in _LINK.finditer(prose(page)):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{name_of(page)}: {match['target']}"
        if anchor:
            assert anchor in anchors(there), f"{name_of(page)}: {match['target']}"


def anchors(page: Path) -> set[str]:
    """The names that headings get on GitHub."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_every_cited_source_is_in_the_bibliography() -> None:
    entries = re.findall(r"^@\w+\{([^,]+),", (DOCS / "references.bib").read_text("utf-8"), re.MULTILINE)
    assert len(entries) == len(set(entries))
    for page in PAGES:
        for key in re.findall(r"\[@([\w-]+)\]", page.read_text("utf-8")):
            assert key in entries, f"{name_of(page)}: [@{key}]"


def test_every_page_is_reached_from_the_index() -> None:
    linked = {
        (DOCS / match["target"].partition("#")[0]).resolve()
        for match in _LINK.finditer(prose(DOCS / "index.md"))
    }
    missing = [name_of(p) for p in PAGES[1:] if p.name != "index.md" and p.resolve() not in linked]
    assert not missing


def test_pictures_are_small() -> None:
    pictures = list((DOCS / "images").glob("*.png"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < MOST_BYTES_OF_A_PICTURE, picture.name
