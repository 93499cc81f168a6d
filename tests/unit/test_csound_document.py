"""The Csound document: one instrument per strip, in an order in which sound can flow, and nothing unbalanced."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makers import RATE, noise, plan_for, write_folder
from tonmeister.csound import csound_document, write_csound
from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, Mute, SetGain, SetPan, SetPolarity
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER, pan_gains

MOVES: tuple[Decision, ...] = (
    AddBus("Room", "return"), AddInsert("Room", Reverb(decay_s=1.0, predelay_ms=20.0, low_cut_hz=200.0)),
    SetGain("Gtr", -6.0), SetPan("Gtr", 0.5), AddInsert("Gtr", Equalizer((EqSection("peak", 1000.0, -3.0, 2.0),))),
    AddSend("Vox", "Room", -12.0), AddSend("Gtr", "Room", -6.0, pre_fader=True), AddInsert("Vox", Compressor()),
    SetPolarity("Vox"), SetGain(MASTER, -1.0),
)  # fmt: skip


@pytest.fixture
def song(tmp_path: Path) -> Multitrack:
    tracks = {"Vox.wav": noise(RATE // 4, seed=1), "Gtr.wav": noise(RATE // 4, 2, seed=2)}
    return load_multitrack(write_folder(tmp_path / "song", tracks, "FLOAT"))


def instruments(document: str) -> dict[str, str]:
    found = re.findall(r"^instr (\d+) ; (.*?)\n(.*?)^endin$", document, re.MULTILINE | re.DOTALL)
    return {name: body for _, name, body in found}


def test_every_strip_is_an_instrument_with_a_line_in_the_score(song: Multitrack) -> None:
    document = csound_document(plan_for(song, MOVES), song)
    bodies = instruments(document)
    assert set(bodies) == {"Vox", "Gtr", "Room", "master"}
    score = re.findall(r"^i (\d+) 0 ([\d.]+) ; (.*)$", document, re.MULTILINE)
    assert sorted(name for *_, name in score) == sorted(bodies)
    lengths = {name: float(seconds) for _, seconds, name in score}
    assert lengths["Vox"] == pytest.approx(0.25, abs=1e-4)
    assert lengths["master"] == pytest.approx(1.25, abs=1e-4)


def test_sections_open_and_close(song: Multitrack) -> None:
    document = csound_document(plan_for(song, MOVES), song)
    for tag in ("CsoundSynthesizer", "CsOptions", "CsInstruments", "CsScore"):
        assert document.count(f"<{tag}>") == document.count(f"</{tag}>") == 1
    assert document.count("\ninstr ") == document.count("\nendin")


def test_a_strip_stands_behind_all_that_feeds_it(song: Multitrack) -> None:
    document = csound_document(plan_for(song, MOVES), song)
    for number, body in re.findall(r"^instr (\d+) ;.*?\n(.*?)^endin$", document, re.MULTILINE | re.DOTALL):
        fed = re.findall(r"^  gaL(\d+) = gaL", body, re.MULTILINE)
        assert all(int(target) > int(number) for target in fed)
        assert all(f"gaL{target} init 0" in document for target in fed)


def test_gains_pans_and_equalizers_are_those_of_the_plan(song: Multitrack) -> None:
    bodies = instruments(csound_document(plan_for(song, MOVES), song))
    left, right = pan_gains(0.5)
    gain = 10 ** (-6 / 20)
    assert f"aL = aL * {gain * left:.8f}" in bodies["Gtr"]
    assert f"aR = aR * {gain * right:.8f}" in bodies["Gtr"]
    assert f"aL pareq aL, 1000.000, {10 ** (-3 / 20):.8f}, 2.00000, 0" in bodies["Gtr"]
    assert 'aL, aR diskin2 "Gtr.wav", 1' in bodies["Gtr"]
    assert "aL = aL * -1.00000000" in bodies["Vox"]
    assert "; not exported: compressor" in bodies["Vox"]


def test_names_cannot_break_the_document(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", {'a"b;c.wav': noise(100), "d.wav": noise(100)})
    song = load_multitrack(folder)
    document = csound_document(plan_for(song, [Mute("d")]), song)
    assert 'diskin2 "a\\"b;c.wav", 1' in document
    assert all(";" not in name for name in instruments(document))
    assert "aL = aL * 0.00000000" in instruments(document)["d"]


@pytest.mark.skipif(shutil.which("csound") is None, reason="csound is not installed")
def test_csound_renders_the_dry_mix_as_we_do(song: Multitrack, tmp_path: Path) -> None:
    from tonmeister.render import render

    plan = plan_for(song, [SetGain("Gtr", -6.0), SetPan("Gtr", 0.5), SetGain("Vox", 2.0), SetPan("Vox", -0.3),
                           AddInsert("Gtr", Equalizer((EqSection("peak", 1000.0, -3.0, 2.0),)))])  # fmt: skip
    document, output = tmp_path / "song.csd", tmp_path / "mix.wav"
    write_csound(plan, song, document)
    subprocess.run(
        ["csound", f"--env:SSDIR={song.folder}", "-o", str(output), str(document)],
        check=True,
        capture_output=True,
    )
    theirs, ours = soundfile.read(output)[0].T, render(song, plan).samples
    frames = min(theirs.shape[1], ours.shape[1]) - 100
    error = theirs[:, :frames] - ours[:, :frames]
    assert 10 * np.log10(np.mean(error**2) / np.mean(ours[:, :frames] ** 2)) < -45
