"""Plans in words."""

from __future__ import annotations

import pytest

from makers import multitrack, plan_for, tone
from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Automate,
    Decision,
    Lock,
    Mute,
    Reason,
    SetDelay,
    SetGain,
    SetOutput,
    SetPan,
    SetPolarity,
)
from tonmeister.effects.base import effect_type
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.registry import EFFECTS
from tonmeister.explanation import (
    chain_text,
    effect_text,
    explain,
    level_text,
    main_reason,
    move_text,
    pan_text,
    placed_text,
    story_to_dict,
    what_text,
)
from tonmeister.strip import Curve


@pytest.mark.parametrize(
    ("pan", "text"), [(-1.0, "L100"), (-0.301, "L30"), (0.0, "C"), (0.004, "C"), (0.5, "R50")]
)
def test_places_are_said_as_on_a_desk(pan: float, text: str) -> None:
    assert pan_text(pan) == text


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (SetGain("A", -3.0), "fader -3.0 dB"),
        (SetPan("A", -0.3), "pan L30"),
        (AddInsert("A", Compressor(threshold_db=-20.0, ratio=4.0)), "compressor 4:1 above -20 dB"),
        (AddInsert("A", Compressor(ratio=2.0), "second"), "second: compressor 2:1 above 0 dB"),
        (AddInsert("A", None, "high_pass"), "high pass taken out"),
        (AddSend("A", "Hall", -12.0, pre_fader=True), "send to Hall -12.0 dB, before the fader"),
        (AddBus("A", "return"), "made, a return"),
        (SetOutput("A", "Drums"), "feeds Drums"),
        (
            Automate("A", "gain_db", Curve((0.0, 1.0), (-6.0, 2.0))),
            "fader moves between -6.0 and +2.0 dB, 2 points",
        ),
        (Automate("A", "pan", Curve((0.0, 1.0), (-0.5, 0.5))), "pan moves between L50 and R50"),
        (Mute("A"), "muted"),
        (SetDelay("A", 1.25), "delayed 1.25 ms"),
        (SetPolarity("A"), "polarity inverted"),
        (Lock("A"), "locked"),
        (Lock("A", "pan"), "pan locked"),
    ],
)
def test_every_kind_of_move_has_words(decision: Decision, text: str) -> None:
    assert move_text(decision) == text


@pytest.mark.parametrize("kind", EFFECTS)
def test_every_effect_has_words(kind: str) -> None:
    assert effect_text(effect_type(kind)())


def test_an_equalizer_says_its_sections() -> None:
    effect = Equalizer(
        (EqSection("peak", 350.0, -3.0), EqSection("high_shelf", 8000.0, 2.0), EqSection("high_pass", 80.0))
    )
    assert effect_text(effect) == "eq -3.0@350 high shelf +2.0@8k high-pass@80"


def test_what_stands_is_kept_apart_from_what_was_overruled() -> None:
    reason = Reason("Because.", source="a book", rule="a.rule", evidence="P", confidence=0.8)
    engine = SetGain("A", -6.0, reason=reason, by="engine")
    inverted, delayed = SetPolarity("A", by="engine"), SetDelay("A", 2.0, by="engine")
    person = SetPan("A", 0.5)
    plan = plan_for(
        multitrack(("A", tone(100, 0.1))),
        [AddBus("Drums", by="engine"), SetOutput("A", "Drums", by="engine"), inverted, delayed,
         SetPan("A", 0.1, by="engine"), person, engine],
    )  # fmt: skip
    story = explain(plan)[0]
    assert [m.decision for m in story.overruled] == [SetPan("A", 0.1, by="engine")]
    assert person in [m.decision for m in story.standing]
    assert main_reason(story) == "Because."
    assert (level_text(story.strip), placed_text(story.strip)) == ("-6.0", "R50")
    assert chain_text(story.strip) == "inverted, 2.00 ms late, into Drums"
    assert what_text(story.strip, story.record) == "other, foreground"
    moves = story_to_dict(story)["moves"]
    told = next(m for m in moves if m["target"] == "gain_db")
    assert (told["source"], told["rule"], told["evidence"], told["confidence"]) == (
        "a book",
        "a.rule",
        "P",
        0.8,
    )
    assert sum(bool(m["overruled"]) for m in moves) == 1
