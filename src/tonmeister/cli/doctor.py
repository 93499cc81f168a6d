"""``tonmeister doctor``: is everything there that is needed?"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any, Final

import click

from tonmeister.cli import options as given

__all__ = ["command", "examine"]

_NEEDED: Final = ("numpy", "numba", "soundfile", "soxr", "click", "rich")
_NOT_FOR_USERS: Final = ("all", "dev")


@click.command("doctor", epilog=given.examples("tonmeister doctor", "tonmeister doctor --json"))
@given.common
@click.pass_context
def command(ctx: click.Context, settings: dict[str, Any]) -> None:
    """Check the installation; the exit code is 0 when all that is needed is there."""
    from tonmeister.cli.screen import Screen

    screen, found = Screen.of(settings), examine()
    if screen.as_json:
        screen.json(found)
    screen.show(f"tonmeister {found['version']}, Python {found['python']}, {found['platform']}")
    screen.show(f"processors: {found['processors']}")
    for name, version in found["dependencies"].items():
        screen.show(f"{name}: {version or 'missing: pip install ' + name}")
    for extra in found["extras"]:
        state = "installed" if extra["installed"] else f"not installed: {extra['install']}"
        screen.show(f"extra {extra['name']} ({', '.join(extra['packages'])}): {state}")
    screen.show(*_synthesis_lines(found["synthesis"]))
    screen.show(f"kernel cache: {found['kernel_cache']['path']}")
    screen.show(f"reads: {' '.join(found['reads'])}", f"writes: {' '.join(found['writes'])}")
    for problem in found["problems"]:
        screen.say(f"problem: {problem}")
    screen.show("all is well" if found["ok"] else "not all is well")
    ctx.exit(0 if found["ok"] else 1)


def examine() -> dict[str, Any]:
    """Everything `doctor` knows, as plain data."""
    versions = {name: _version(name) for name in _NEEDED}
    missing = [f"{name} is missing: pip install {name}" for name, version in versions.items() if not version]
    cache: dict[str, Any] = {"path": "", "writable": False} if missing else _kernel_cache()
    problems = missing or ([] if cache["writable"] else [_cache_problem(cache["path"])])
    return {
        "ok": not problems,
        "version": _version("tonmeister") or "unknown",
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "executable": sys.executable,
        "processors": os.cpu_count() or 1,
        "dependencies": versions,
        "extras": _extras(),
        "synthesis": {} if missing else _synthesis(),
        "kernel_cache": cache,
        "reads": [] if missing else _readable(),
        "writes": [] if missing else _writable(),
        "problems": problems,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extras() -> list[dict[str, Any]]:
    """The extras that the installed package declares, and whether their packages are there."""
    needs: dict[str, list[str]] = {}
    for line in metadata.requires("tonmeister") or [] if _version("tonmeister") else []:
        match = re.match(r"([\w.-]+).*;\s*extra\s*==\s*['\"](.+?)['\"]", line)
        if match and match[2] not in _NOT_FOR_USERS:
            needs.setdefault(match[2], []).append(match[1])
    return [
        {
            "name": extra,
            "packages": packages,
            "installed": all(map(_version, packages)),
            "install": f"pip install 'tonmeister[{extra}]'",
        }
        for extra, packages in needs.items()
    ]


def _synthesis() -> dict[str, Any]:
    """What songs can be synthesized with: FluidSynth, soundfonts, drum kits."""
    from tonmeister.training.synthesis.drumkits import DrumKit
    from tonmeister.training.synthesis.soundfonts import INSTALL, find_soundfonts, fluidsynth_version

    return {
        "fluidsynth": fluidsynth_version(),
        "soundfonts": [str(path) for path in find_soundfonts()],
        "drumkits": [str(kit.folder) for kit in DrumKit.found()],
        "install": INSTALL,
    }


def _synthesis_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same, for a reader."""
    if found:
        missing = f"not found: {found['install']}"
        fonts = ", ".join(os.path.basename(path) for path in found["soundfonts"])
        yield f"FluidSynth (for train synthesize): {found['fluidsynth'] or missing}"
        yield f"soundfonts: {fonts or missing}"
        yield f"drum kits of Hydrogen: {len(found['drumkits'])}"


def _kernel_cache() -> dict[str, Any]:
    """Where compiled kernels are kept, and whether they can be."""
    from tonmeister.cli.kernels import cache_folder

    folder = cache_folder()
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    return {"path": str(folder), "writable": os.access(there, os.W_OK | os.X_OK)}


def _cache_problem(path: str) -> str:
    return (
        f"the kernel cache {path} cannot be written, so every start compiles anew: "
        "set NUMBA_CACHE_DIR to a folder that can"
    )


def _readable() -> list[str]:
    """File endings: what libsndfile opens, and containers when the extra for them is there."""
    from tonmeister.audio import AUDIO_SUFFIXES, CONTAINER_SUFFIXES

    return sorted(AUDIO_SUFFIXES if _version("av") else AUDIO_SUFFIXES - CONTAINER_SUFFIXES)


def _writable() -> list[str]:
    from tonmeister.audio_output import OUTPUT_SUFFIXES

    return list(OUTPUT_SUFFIXES)
