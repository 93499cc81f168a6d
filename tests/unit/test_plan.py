"""The fold of decisions: who wins, what is locked, what is refused."""

from __future__ import annotations

import pytest

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
from tonmeister.effects.gain import Gain
from tonmeister.errors import BadInputError, PlanError
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import Curve

TRACKS = [TrackRecord("Kick", "Kick.wav"), TrackRecord("Lead Vox", "Vox.wav")]


def made(*decisions: Decision) -> MixPlan:
    return MixPlan.of(decisions, title="t", sample_rate=48000, tracks=TRACKS)


def test_an_empty_plan_has_every_track_at_unity_and_a_master() -> None:
    plan = made()
    assert [s.name for s in plan.strips] == ["Kick", "Lead Vox", "master"]
    assert all(s.gain_db == 0 and s.pan == 0 and not s.inserts for s in plan.strips)


def test_the_later_decision_wins_and_the_loser_stays_in_the_log() -> None:
    plan = made(SetGain("Kick", -3, by="a"), SetGain("Kick", -6, by="b", reason=Reason("", rule="r1")))
    assert plan["Kick"].gain_db == -6
    assert [entry.overruled for entry in plan.log] == ["decided later by b (r1)", ""]


@pytest.mark.parametrize("user_first", [True, False])
def test_a_person_wins_whatever_the_order(user_first: bool) -> None:
    person, engine = SetGain("Kick", 2), SetGain("Kick", -6, by="textbook")
    plan = made(person, engine) if user_first else made(engine, person)
    assert plan["Kick"].gain_db == 2


def test_a_lock_keeps_engines_away_from_a_strip_but_not_people() -> None:
    plan = made(Lock("Kick"), SetGain("Kick", -6, by="textbook"), SetPan("Kick", 0.5))
    assert plan["Kick"].gain_db == 0
    assert plan["Kick"].pan == 0.5
    assert plan.log[1].overruled == "locked"


def test_a_lock_on_one_control_leaves_the_others_free() -> None:
    plan = made(SetGain("Kick", -6, by="e"), SetPan("Kick", 0.5, by="e"), Lock("Kick", "gain_db"))
    assert (plan["Kick"].gain_db, plan["Kick"].pan) == (0, 0.5)


def test_undo_drops_one_decision() -> None:
    plan = made(SetGain("Kick", -3, by="a"), SetGain("Kick", -6, by="a"))
    assert plan.without(1)["Kick"].gain_db == -3
    assert plan.without(1).without(0)["Kick"].gain_db == 0


def test_each_kind_of_decision_moves_what_it_names() -> None:
    curve = Curve((0.0, 1.0), (0.0, -3.0))
    plan = made(
        AddBus("Drums"),
        AddBus("Reverb", kind="return"),
        SetOutput("Kick", "Drums"),
        AddSend("Kick", "Reverb", -12, pre_fader=True),
        AddInsert("Kick", Gain(-1)),
        Automate("Kick", "gain_db", curve),
        Mute("Lead Vox"),
        SetDelay("Kick", 1.5),
        SetPolarity("Kick"),
    )
    kick = plan["Kick"]
    assert (kick.output, kick.delay_ms, kick.polarity_inverted) == ("Drums", 1.5, True)
    assert (kick.sends[0].to, kick.sends[0].gain_db, kick.sends[0].pre_fader) == ("Reverb", -12, True)
    assert kick.insert("gain") == Gain(-1)
    assert kick.automation == {"gain_db": curve}
    assert plan["Lead Vox"].muted
    assert [s.kind for s in plan.strips] == ["track", "track", "bus", "return", "master"]


def test_a_static_level_and_a_curve_are_about_the_same_fader() -> None:
    curve = Curve((0.0,), (-3.0,))
    moving = made(SetGain("Kick", -6, by="e"), Automate("Kick", "gain_db", curve, by="e"))
    assert "gain_db" in moving["Kick"].automation
    fixed = made(Automate("Kick", "gain_db", curve, by="e"), SetGain("Kick", -6))
    assert not fixed["Kick"].automation
    assert fixed["Kick"].gain_db == -6


def test_a_slot_is_replaced_where_it_stands_and_can_be_emptied() -> None:
    plan = made(
        AddInsert("Kick", Gain(1), "first"),
        AddInsert("Kick", Gain(2), "second"),
        AddInsert("Kick", Gain(3), "first"),
    )
    assert [(i.slot, i.effect) for i in plan["Kick"].inserts] == [("first", Gain(3)), ("second", Gain(2))]
    assert plan.with_decisions([AddInsert("Kick", None, "first")])["Kick"].insert("first") is None


def test_flow_order_puts_sources_before_what_they_feed_whatever_the_tracks_order() -> None:
    decisions = [AddBus("A"), AddBus("B"), SetOutput("A", "B"), SetOutput("Kick", "A")]
    plan = made(*decisions)
    names = [s.name for s in plan.order]
    assert names.index("Kick") < names.index("A") < names.index("B") < names.index("master")
    turned = MixPlan.of(decisions, title="t", sample_rate=48000, tracks=TRACKS[::-1])
    assert [s.name for s in turned.order] == names


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ([SetGain("Kik", 0)], "did you mean 'Kick'"),
        ([SetGain("Kick", 99)], "Kick.gain_db=99 is out of range"),
        ([SetGain("Kick", float("nan"))], "out of range"),
        ([SetPan("Kick", -2)], "Kick.pan=-2"),
        ([SetOutput("Kick", "Nowhere")], "which does not exist"),
        ([SetOutput("Kick", "Lead Vox")], "feeds the track"),
        ([AddBus("A"), AddBus("B"), SetOutput("A", "B"), SetOutput("B", "A")], "circle: A -> B"),
        ([AddBus("A"), AddSend("A", "A")], "circle"),
        ([Automate("Kick", "send:Reverb", Curve((0.0,), (0.0,)))], "automation of 'send:Reverb'"),
        ([SetOutput("master", "Kick")], "master feeds the mix and nothing else"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_words(decisions: list[Decision], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        made(*decisions)


def test_curves_must_rise_and_hold_numbers() -> None:
    for times, values in (
        ((1.0, 1.0), (0.0, 0.0)),
        ((0.0,), (0.0, 1.0)),
        ((), ()),
        ((0.0,), (float("inf"),)),
    ):
        with pytest.raises(PlanError):
            Curve(times, values)


def test_effects_check_their_ranges_when_made() -> None:
    with pytest.raises(BadInputError, match=r"gain\.gain_db=100"):
        Gain(100)
