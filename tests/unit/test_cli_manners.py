"""How the command behaves whatever the verb: help, exit codes, one line for an error, nothing heavy to start."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import tonmeister
from makers import band, write_folder
from tonmeister import cli
from tonmeister.cli import COMMANDS, run

HEAVY = ("numpy", "numba", "soundfile", "soxr", "rich", "matplotlib", "av")


def loaded_after(code: str) -> set[str]:
    """Which heavy modules a fresh interpreter has loaded after `code`."""
    probe = f"import sys\n{code}\nprint('loaded:', *(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import tonmeister",
        "from tonmeister.cli import run; assert run(['--help']) == 0",
        "from tonmeister.cli import run; assert run(['mix', '--help']) == 0",
        "from tonmeister.cli import run; assert run(['--version']) == 0",
        "from tonmeister.cli import run; assert run(['mxi']) == 2",
    ],
)
def test_nothing_heavy_is_loaded_to_say_little(code: str) -> None:
    assert loaded_after(code) == set()


def test_every_public_name_can_be_had() -> None:
    for name in tonmeister.__all__:
        assert getattr(tonmeister, name) is not None
    assert set(tonmeister.__all__) <= set(dir(tonmeister))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'mixx'"):
        _ = tonmeister.mixx


def test_the_render_function_is_not_covered_by_its_module() -> None:
    from tonmeister.render import BLOCK_FRAMES
    from tonmeister.spatial.rendering import render

    assert BLOCK_FRAMES > 0
    assert tonmeister.render is render


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_help_that_ends_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    usage, _, examples = out.partition("Examples:")
    assert usage.startswith(f"Usage: tonmeister {verb}")
    assert f"tonmeister {verb}" in examples


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_is_explained(verb: str) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), verb)
    assert command is not None
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_without_arguments_the_help_page_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in COMMANDS)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tonmeister {tonmeister.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mxi"], ["'mxi'", "did you mean 'mix'"]),
        (["mix", "--stem", "x", "."], ["'--stem'", "'--stems'"]),
        (["mix"], ["FOLDER", "tonmeister mix --help"]),
        (["mix", "no such folder"], ["no such folder", "does not exist"]),
        (["mix", ".", "--layout", "6.1"], ["6.1", "stereo"]),
        (["mix", ".", "--threads", "0"], ["--threads", "0"]),
        (["mix", ".", "--engine", "loudnes"], ["'loudnes'", "did you mean 'loudness'"]),
        (["mix", ".", "--engine", "sum+loudnes"], ["'loudnes'", "did you mean 'loudness'"]),
        (["mix", ".", "--engine", "loudness", "--option", "targt=-20"], ["'targt'", "'target'"]),
        (["mix", ".", "--engine", "sum", "--option", "word"], ["KEY=VALUE"]),
        (["mix", ".", "--target", "streeming"], ["'streeming'", "'streaming'"]),
        (["mix", ".", "--target", "3"], ["--target", "-40 to -4"]),
        (["mix", ".", "--engine", "sum", "--set", "louder"], ["'louder'", "STRIP.CONTROL=VALUE"]),
        (["explain", "no such plan"], ["no such plan"]),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("tonmeister: ")
    assert all(word in err for word in words), err


def test_an_unexpected_error_is_one_line_and_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: list[str]) -> int:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(cli, "_invoke", broken)
    assert run(["engines"]) == 1
    err = capsys.readouterr().err
    assert (
        err
        == "tonmeister: unexpected error (ZeroDivisionError: by zero): run with --debug for the traceback\n"
    )
    assert run(["engines", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_behind_stdout_is_one_line() -> None:
    command = [sys.executable, "-m", "tonmeister", "engines"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "tonmeister: writing: no space left on device\n"


def test_an_interrupt_is_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_invoke", interrupted)
    assert run(["engines"]) == 130
    assert capsys.readouterr().err == "tonmeister: interrupted: nothing was written\n"


def test_an_interrupt_says_what_stays_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tonmeister.cli.screen import when_interrupted

    def interrupted(arguments: list[str]) -> int:
        with when_interrupted("a.wav is written"):
            raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_invoke", interrupted)
    assert run(["engines"]) == 130
    assert capsys.readouterr().err == "tonmeister: interrupted: a.wav is written\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m tonmeister doctor | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert len(done.stdout) == 1
    assert done.stderr == ""


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("how", "colored"), [("plain", True), ("NO_COLOR", False), ("--no-color", False)])
def test_color_can_be_refused(how: str, colored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from tonmeister.cli.screen import Screen
    from tonmeister.cli.tables import table

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if how == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Screen(color=how != "--no-color").show(table(["column"], [["cell"]]))
    assert ("\x1b[" in terminal.getvalue()) is colored


def test_progress_is_for_terminals_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tonmeister.cli.screen import Screen

    with Screen().progress() as bars:
        bars("render", 0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Screen().progress() as bars:
        bars("render", 0.5)
        bars("finish", 0.2)
        bars("finish", 0.0)
    assert "rendering" in terminal.getvalue()
    assert "loudness target" in terminal.getvalue()


def test_names_cannot_write_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    band_of_one = {"Kick \x1b[31m[bold]red.wav": band(0.6)["01_Kick.wav"]}
    song = write_folder(tmp_path / "song", band_of_one)
    assert run(["analyze", str(song)]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "[bold]red" in out


def test_the_first_run_says_that_it_compiles(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    code = (
        "from tonmeister.cli.screen import Screen\nwith Screen().progress(): pass\n"
        "from tonmeister.cli.kernels import cache_folder\nfolder = cache_folder()\n"
        "folder.mkdir(parents=True, exist_ok=True)\n"
        "(folder / 'kernel.nbi').touch()\nprint(folder)\nwith Screen().progress(): pass"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.startswith(str(cache))
    assert done.stderr == "the first run takes longer: the sound kernels are compiled and kept\n"


def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema_version"] == 1
    assert found["ok"] is True
    assert found["dependencies"]["numpy"]
    assert {e["name"] for e in found["extras"]} >= {"formats", "plots"}
    assert ".wav" in found["reads"]
    assert ".flac" in found["writes"]
    assert run(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out


def test_doctor_fails_when_something_needed_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tonmeister.cli import doctor

    monkeypatch.setattr(doctor, "_NEEDED", ("numpy", "no-such-package"))
    assert run(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"] == [
        "no-such-package is missing: pip install no-such-package"
    ]


def test_engines_lists_every_engine_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    from tonmeister.engines import ENGINES, option_help

    assert run(["engines", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["engines"]}
    assert set(listed) >= set(ENGINES)
    for name in ENGINES:
        assert [o["name"] for o in listed[name]["options"]] == [option for option, _, _ in option_help(name)]
    assert run(["engines"]) == 0
    assert "--option panner=" in capsys.readouterr().out
