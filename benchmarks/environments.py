"""An environment for each peer, made on demand under the cache folder; peers are never dependencies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "pedalboard": ("pedalboard", "soundfile", "numpy"),
    "matchering": ("matchering",),
}
PROGRAMS = ("ffmpeg", "sox")
PEERS = (*PACKAGES, *PROGRAMS)


def python_of(peer: str, cache: Path) -> Path | None:
    """The interpreter of a peer's environment, made if need be; None when it cannot be installed."""
    folder = cache / "environments" / peer
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    print(f"installing {peer} into an environment of its own ...", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES[peer]], check=True)
    except subprocess.CalledProcessError as error:
        print(f"{peer} cannot be installed here: {error}")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    (folder / "complete").touch()
    return python


def available(peer: str, cache: Path) -> bool:
    """Whether the peer can be run here."""
    return shutil.which(peer) is not None if peer in PROGRAMS else python_of(peer, cache) is not None
