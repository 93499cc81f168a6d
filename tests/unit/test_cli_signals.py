"""The command when it is stopped, and when the disk is full: nothing half-done stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from makers import noise, write_folder
from tonmeister.cli import run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits are those of POSIX")

SECONDS = 60
POLLS = 6000


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song long enough to be interrupted, and a plan for it; making it compiles and keeps the kernels."""
    folder = tmp_path_factory.mktemp("work")
    write_folder(folder / "song", {f"Noise {i}.wav": noise(SECONDS * 44100, seed=i) for i in range(3)})
    plan = folder / "plan.json"
    short = ["mix", str(folder / "song"), "-o", str(folder / "warm.wav"), "--engine", "sum", "-q"]
    assert run([*short, "--preview", "1:1", "--save-plan", str(plan)]) == 0
    (folder / "warm.wav").unlink()
    return folder


def start(
    work: Path, output: Path, verb: str, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    song, plan = str(work / "song"), str(work / "plan.json")
    arguments = {"mix": ["mix", song, "--plan", plan], "render": ["render", song, plan]}[verb]
    command = [sys.executable, "-m", "tonmeister", *arguments, "-o", str(output)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )


def size(path: Path) -> int:
    """Of a file that may be gone by now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def wait_for_a_file(folder: Path, process: subprocess.Popen[str]) -> None:
    """Return as soon as the process has begun to write; fail when it ends before."""
    for _ in range(POLLS):
        if any(map(size, folder.iterdir())):
            return
        try:
            process.wait(timeout=0.005)
        except subprocess.TimeoutExpired:
            continue
        break
    process.kill()
    pytest.fail("nothing was written that could be interrupted")


@pytest.mark.parametrize("verb", ["mix", "render"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_render_leaves_nothing(
    verb: str, sent: signal.Signals, work: Path, tmp_path: Path
) -> None:
    process = start(work, tmp_path / "a.wav", verb)
    wait_for_a_file(tmp_path, process)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err == "tonmeister: interrupted: nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def limit_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.parametrize("verb", ["mix", "render"])
def test_a_full_disk_is_one_line_and_leaves_nothing(verb: str, work: Path, tmp_path: Path) -> None:
    process = start(work, tmp_path / "a.wav", verb, limit_files)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("tonmeister: ")
    assert err.count("\n") == 1
    assert "unexpected" not in err
    assert list(tmp_path.iterdir()) == []
