"""The sheet to work from: every strip with its level, place, equalizer moves, sends and the rules that spoke."""

from __future__ import annotations

from pathlib import Path

import pytest

from makers import multitrack, noise, plan_for
from tonmeister.decisions import AddBus, AddInsert, AddSend, Mute, Reason, SetDelay, SetGain, SetPan
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.errors import BadInputError, OutputError
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER
from tonmeister.text_plan import text_plan, write_text_plan

WHY = Reason("Because.", "a book", "asp.first+second", notes=("first: One thing.", "second: Another thing."))


def plan() -> MixPlan:
    song = multitrack(("Lead\nVox", noise(10)), ("Gtr", noise(10)), ("Off", noise(10)))
    equalizer = Equalizer((EqSection("peak", 315.0, -2.5, 2.6), EqSection("high_shelf", 5000.0, 1.5, 0.7),
                           EqSection("high_pass", 90.0)))  # fmt: skip
    return plan_for(
        song,
        [
            AddBus("Room", "return"), SetGain("Gtr", -7.25, reason=WHY), SetPan("Gtr", -0.8, reason=WHY),
            AddInsert("Gtr", equalizer), AddInsert("Gtr", Compressor()), AddSend("Gtr", "Room", -12.0),
            SetDelay("Gtr", 1.5), Mute("Off"), SetGain(MASTER, 0.0, reason=Reason("Mix 1 of 3.", notes=("mix 2: softer",))),
        ],
    )  # fmt: skip


def test_a_block_holds_what_a_person_needs_at_the_desk() -> None:
    lines = [" ".join(line.split()) for line in text_plan(plan()).splitlines()]
    assert lines[0] == "song: engine none, 3 tracks, seed 0"
    start = next(i for i, line in enumerate(lines) if line.startswith("2 Gtr"))
    block = lines[start : lines.index("", start)]
    assert block[1] == "level -7.2 dB pan L80"
    assert block[2:5] == ["eq cut 315 Hz 2.5 dB Q 2.60", "eq boost high shelf 5000 Hz 1.5 dB Q 0.70",
                          "eq high pass 90 Hz Q 0.71"]  # fmt: skip
    assert block[5].startswith("insert compressor")
    assert block[6:] == ["send -12.0 dB to Room", "timing 1.50 ms", "rules asp.first, asp.second"]


def test_muted_strips_the_mix_as_a_whole_and_the_rules_are_told() -> None:
    text = text_plan(plan())
    assert "level   muted" in text
    assert "- Mix 1 of 3." in text
    assert "- mix 2: softer" in text
    assert "  asp.first: One thing.\n  asp.second: Another thing.\n" in text


def test_names_cannot_break_the_sheet() -> None:
    assert "Lead Vox" in text_plan(plan())


def test_it_is_the_same_every_time() -> None:
    assert text_plan(plan()) == text_plan(plan())


def test_files_are_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "song.txt"
    write_text_plan(plan(), path)
    with pytest.raises(BadInputError, match="overwrite"):
        write_text_plan(plan(), path)
    write_text_plan(plan(), path, overwrite=True)
    assert path.read_text("utf-8") == text_plan(plan())
    assert [p.name for p in tmp_path.iterdir()] == ["song.txt"]
    with pytest.raises(OutputError, match="nowhere"):
        write_text_plan(plan(), tmp_path / "nowhere" / "song.txt")
