"""A person's moves in words."""

from __future__ import annotations

import pytest

from makers import multitrack, noise, plan_for
from tonmeister.decisions import AddBus, AddInsert, Automate, SetGain
from tonmeister.effects.compressor import Compressor
from tonmeister.errors import BadInputError, PlanError
from tonmeister.moves import apply_locks, apply_moves, parse_move
from tonmeister.plan import MixPlan
from tonmeister.strip import Curve


def plan() -> MixPlan:
    song = multitrack(("Lead Vox", noise(10)), ("a.b", noise(10)), ("Kick", noise(10)))
    return plan_for(
        song,
        [
            AddBus("Drums"),
            SetGain("Lead Vox", -3.0, by="textbook"),
            AddInsert("Kick", Compressor(ratio=4.0), by="textbook"),
            Automate("a.b", "gain_db", Curve((0.0, 1.0), (-6.0, 0.0)), by="dynamical"),
        ],
    )


def after(*moves: str) -> MixPlan:
    return apply_moves(plan(), map(parse_move, moves))


def test_set_add_and_take_away() -> None:
    assert after("Lead Vox.gain_db=+2")["Lead Vox"].gain_db == 2.0
    assert after("lead vox.gain_db += 2")["Lead Vox"].gain_db == -1.0
    assert after("Lead Vox.gain_db-=2", "Lead Vox.gain_db-=1")["Lead Vox"].gain_db == -6.0


def test_every_control_can_be_moved() -> None:
    strip = after(
        "Kick.pan=-0.5", "Kick.muted=yes", "Kick.delay_ms=2", "Kick.polarity_inverted=on", "Kick.output=drums"
    )["Kick"]
    assert (strip.pan, strip.muted, strip.delay_ms, strip.polarity_inverted, strip.output) == (
        -0.5,
        True,
        2.0,
        True,
        "Drums",
    )
    assert after("Kick.send:Drums=-12")["Kick"].sends[0].gain_db == -12


def test_effects_keep_their_other_parameters() -> None:
    assert after("Kick.compressor.threshold_db=-30")["Kick"].insert("compressor") == Compressor(
        ratio=4.0, threshold_db=-30.0
    )
    assert after("Kick.compressor=off")["Kick"].insert("compressor") is None
    assert after("Lead Vox.high_pass.cutoff_hz=90")["Lead Vox"].insert("high_pass") is not None


def test_a_moving_fader_is_shifted_and_a_name_may_hold_dots() -> None:
    assert after("a.b.gain_db+=3")["a.b"].automation["gain_db"].values == (-3.0, 3.0)
    fixed = after("a.b.gain_db=-1")["a.b"]
    assert fixed.gain_db == -1.0
    assert not fixed.automation


def test_moves_stand_against_engines() -> None:
    moved = after("Lead Vox.gain_db=2").with_decisions([SetGain("Lead Vox", -9.0, by="textbook")])
    assert moved["Lead Vox"].gain_db == 2.0


def test_locks() -> None:
    locked = apply_locks(plan(), ["lead vox.gain_db", "Kick"])
    assert locked["Lead Vox"].gain_db == 0.0
    assert not locked["Kick"].inserts
    with pytest.raises(BadInputError, match="did you mean 'Kick'"):
        apply_locks(plan(), ["Kik"])


@pytest.mark.parametrize(
    ("move", "said"),
    [
        ("Kick", "write STRIP.CONTROL=VALUE"),
        ("gain_db=3", "write STRIP.CONTROL=VALUE"),
        ("Kik.gain_db=3", "did you mean 'Kick'"),
        ("Kick.gian_db=3", "did you mean 'gain_db'"),
        ("Kick.gain_db=loud", "'loud' is not a number"),
        ("Kick.gain_db=nan", "out of range"),
        ("Kick.gain_db=99", "out of range"),
        ("Kick.muted=perhaps", "give yes or no"),
        ("Kick.output=Nowhere", "no bus 'Nowhere'"),
        ("Kick.compressor.ration=3", "did you mean 'ratio'"),
        ("Kick.compressor=3", "say which parameter"),
        ("Kick.compressor.ratio=-3", "out of range"),
    ],
)
def test_wrong_moves_are_refused_with_a_way_out(move: str, said: str) -> None:
    with pytest.raises((BadInputError, PlanError), match=said):
        after(move)
