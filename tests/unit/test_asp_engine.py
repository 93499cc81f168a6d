"""The answer-set engine: what it decides, how it explains itself, and what it refuses."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("clingo")

from makers_asp import random_song
from makers_features import song, track
from tonmeister.decisions import USER, AddInsert, AddSend, Decision, Lock, Mute, SetGain, SetPan
from tonmeister.effects.equalizer import Equalizer
from tonmeister.engines import load_engine
from tonmeister.engines.asp.bands import erb_bands
from tonmeister.engines.asp.engine import AspEngine
from tonmeister.engines.asp.facts import facts_of
from tonmeister.engines.asp.judging import judge
from tonmeister.engines.asp.options import AspOptions
from tonmeister.engines.asp.solve import Limits, solve
from tonmeister.engines.asp.unsat import NoSuchMixError
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures
from tonmeister.moves import parse_move
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import decide
from tonmeister.strip import MASTER

BAND = (
    track("Vox", "lead_voice", "lead"), track("Kick", "kick"), track("Snare", "snare"), track("Bass", "bass"),
    track("Gtr L", "electric_guitar", attributes=("left",)), track("Gtr R", "electric_guitar", attributes=("right",)),
    track("Pad", "synth_pad", "background"),
)  # fmt: skip


def band() -> tuple[Multitrack, MultitrackFeatures]:
    return song(*BAND, features={t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)})


def gains(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in decisions if isinstance(d, SetGain)}


def pans(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in decisions if isinstance(d, SetPan)}


def asp(
    what: tuple[Multitrack, MultitrackFeatures],
    settled: tuple[Decision, ...] = (),
    seed: int = 0,
    **options: str,
) -> list[Decision]:
    engine = load_engine("asp", options, seed=seed)
    assert isinstance(engine, AspEngine)
    return engine.decide_around(*what, settled)


def test_every_move_says_which_rules_spoke() -> None:
    decisions = asp(band())
    assert {d.strip for d in decisions} >= {t.name for t in BAND} | {MASTER}
    for decision in decisions:
        assert decision.by == "asp"
        assert decision.reason.text
        assert decision.reason.source
        assert decision.reason.rule.startswith("asp.")
    kick = next(d for d in decisions if isinstance(d, SetPan) and d.strip == "Kick")
    assert "core_centered" in kick.reason.rule
    assert any(n.startswith("core_centered: Kick, snare") for n in kick.reason.notes)


def test_the_mix_is_what_practice_asks_for() -> None:
    multitrack, features = band()
    decisions = asp((multitrack, features))
    heard = {n: gains(decisions)[n] + (features[n].integrated_lufs or 0.0) for n in multitrack.names}
    assert all(heard["Vox"] > heard[n] for n in heard if n != "Vox")
    assert heard["Pad"] < heard["Kick"]
    assert pans(decisions)["Vox"] == pans(decisions)["Kick"] == pans(decisions)["Bass"] == 0.0
    assert pans(decisions)["Gtr L"] == -pans(decisions)["Gtr R"] < 0.0
    assert gains(decisions)[MASTER] == 0.0
    sends = {d.strip for d in decisions if isinstance(d, AddSend)}
    assert {"Vox", "Snare"} <= sends
    assert not sends & {"Kick", "Bass"}


def test_input_level_changes_nothing_but_its_own_fader() -> None:
    multitrack, features = band()
    louder = {t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)}
    louder["Bass"] = {
        "lufs": -11.0, "peak_db": 6.0, "third_octave_db": features["Bass"].third_octave_db + 12.0,
        "bark_db": features["Bass"].bark_db + 12.0,
    }  # fmt: skip
    before, after = gains(asp((multitrack, features))), gains(asp(song(*BAND, features=louder)))
    assert after["Bass"] == pytest.approx(before["Bass"] - 12.0, abs=0.01)
    assert {n: g for n, g in after.items() if n != "Bass"} == pytest.approx(
        {n: g for n, g in before.items() if n != "Bass"}, abs=0.01
    )


def test_a_silent_track_is_muted_and_changes_nothing_else() -> None:
    silent = track("Nothing", "piano")
    features = {t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)} | {"Nothing": {"lufs": None}}
    decisions = asp(song(*BAND, silent, features=features))
    assert [d.strip for d in decisions if isinstance(d, Mute)] == ["Nothing"]
    assert gains(decisions) == gains(asp(band()))


def test_the_faithful_profile_knows_levels_and_places_only() -> None:
    decisions = asp(band(), profile="faithful")
    assert {type(d) for d in decisions} == {SetGain, SetPan}
    levels = [g + -6.0 for n, g in gains(decisions).items() if n != MASTER]
    center = round(-20 * math.log10(len(BAND)))
    assert all(center - 6 <= level <= center + 6 for level in levels)


def test_tracks_that_hide_one_another_stand_apart() -> None:
    tracks = (track("a", "piano"), track("b", "organ"), track("c", "kick"))
    hidden = np.zeros((3, 3, 24))
    hidden[0, 1] = hidden[1, 0] = 0.9
    decisions = pans(asp(song(*tracks, masking=hidden)))
    assert abs(decisions["a"] - decisions["b"]) >= 0.4


def test_a_band_that_two_need_has_one_owner_and_the_other_yields() -> None:
    """Both in the center for good, so that equalization has to settle it; the lead is not touched."""
    thirds = np.full(30, -60.0, np.float32)
    thirds[16] = -20.0
    spectrum = {"third_octave_db": thirds}
    tracks = (track("voice", "lead_voice", "lead"), track("keys", "piano", channels=2))
    hidden = np.zeros((2, 2, 24))
    hidden[0, 1] = 0.9
    what = song(*tracks, features={"voice": spectrum, "keys": spectrum}, masking=hidden)
    decisions = asp(what)
    (move,) = [d for d in decisions if isinstance(d, AddInsert) and d.slot == "equalizer"]
    assert move.strip == "keys"
    assert isinstance(move.effect, Equalizer)
    (section,) = move.effect.sections
    assert section.gain_db == -3.0  # 10 log10(2 * 0.9) = 2.6, rounded up to a step
    assert 800 < section.frequency_hz < 1250
    response = np.abs(move.effect.response(np.array([section.frequency_hz]), what[0].sample_rate))
    assert 20 * np.log10(response[0]) == pytest.approx(-3.0, abs=0.2)
    assert "yields the band to voice" in move.reason.text


def test_erb_bands_overlap_by_half_and_fill_the_range() -> None:
    bands = erb_bands()
    assert len(bands) == 40
    assert bands[0].low_hz == pytest.approx(20.0)
    assert bands[-1].high_hz == pytest.approx(22050.0)
    assert all(b.low_hz == pytest.approx(a.center_hz) for a, b in pairwise(bands))


# --- several mixes


def test_three_mixes_are_three_and_say_how_they_differ() -> None:
    takes = [asp(band(), mixes="3", take=str(t)) for t in (1, 2, 3)]
    consoles = [(gains(d), pans(d)) for d in takes]
    assert consoles[0] != consoles[1] != consoles[2] != consoles[0]
    told = next(d for d in takes[0] if d.strip == MASTER).reason
    assert told.text.startswith("Mix 1 of 3")
    assert [n[:5] for n in told.notes] == ["mix 2", "mix 3"]
    assert any("instead of" in n or "louder" in n or "softer" in n for n in told.notes)


def test_when_no_more_mixes_exist_it_says_so() -> None:
    what = song(track("only", "lead_voice", "lead"))
    told = next(d for d in asp(what, mixes="4") if d.strip == MASTER).reason
    assert any("4 mixes were asked for" in n for n in told.notes)


# --- what a person says


def test_kept_faders_and_pans_are_facts() -> None:
    what = band()
    free = asp(what)
    settled = (SetGain("Bass", gains(free)["Bass"] + 5.0), SetPan("Pad", 0.7))
    decisions = asp(what, settled)
    assert gains(decisions)["Bass"] + gains(decisions)[MASTER] == pytest.approx(gains(free)["Bass"], abs=0.51)
    assert gains(decisions)[MASTER] == pytest.approx(-5.0, abs=0.01)
    assert pans(decisions)["Pad"] == 0.7


def test_a_lock_that_contradicts_a_rule_is_named_and_dropping_the_rule_helps() -> None:
    what = band()
    settled = (SetPan("Vox", 1.0),)
    with pytest.raises(NoSuchMixError, match="lead_centered") as error:
        asp(what, settled)
    assert "'Vox'" in str(error.value)
    assert set(error.value.rules) <= {"kept_place(1)", "lead_centered", "core_centered", "no_hard_panning"}
    assert pans(asp(what, settled, without="lead_centered,no_hard_panning"))["Vox"] == 1.0


def test_a_lead_kept_below_another_track_names_lead_on_top() -> None:
    settled = (SetGain("Vox", -20.0), SetGain("Pad", 0.0))
    with pytest.raises(NoSuchMixError, match="lead_on_top") as error:
        asp(band(), settled)
    assert "without=lead_on_top" in str(error.value)


def test_moves_and_locks_reach_the_solver_through_the_pipeline() -> None:
    multitrack, features = band()
    plan = decide(multitrack, features, engine="asp", moves=[parse_move("Gtr R.pan=0.2")], locks=["Kick"])
    assert plan["Gtr R"].pan == 0.2
    assert plan["Gtr L"].pan == -0.2
    assert plan["Kick"].gain_db == 0.0
    judged = {f.rule.name: f.holds for f in judge(multitrack, features, plan)}
    assert judged["pair_opposite"]
    assert judged["lead_on_top"]


def test_what_a_person_muted_is_not_mixed() -> None:
    decisions = asp(band(), (Mute("Vox", True), Lock("Kick", "pan")))
    assert "Vox" not in gains(decisions)
    assert not any(isinstance(d, Mute) for d in decisions)
    assert USER not in {d.by for d in decisions}


@pytest.mark.parametrize(
    ("wish", "holds"),
    [
        ("Pad left", lambda g, p: p["Pad"] < 0),
        ("Pad at R60", lambda g, p: p["Pad"] == 0.6),
        ("Pad not left", lambda g, p: p["Pad"] >= 0),
        ("Bass louder than Kick", lambda g, p: g["Bass"] - 23 > g["Kick"] - 21),
        ("electric guitar at L20; Gtr L at L20", lambda g, p: p["Gtr L"] == -0.2),
    ],
)
def test_wishes_in_plain_words_come_true(wish: str, holds) -> None:
    decisions = asp(band(), prefer=wish)
    assert holds(gains(decisions), pans(decisions))


def test_what_is_forbidden_does_not_happen_and_a_planted_contradiction_is_named() -> None:
    assert pans(asp(band(), forbid="Pad not right"))["Pad"] > 0
    with pytest.raises(NoSuchMixError) as error:
        asp(band(), forbid="Kick center")
    assert "Kick center" in str(error.value)
    assert {"forbid(1)", "core_centered"} == set(error.value.rules)
    with pytest.raises(NoSuchMixError, match=r"Pad left.*Pad not left"):
        asp(band(), forbid="Pad left; Pad not left")


def test_wishes_may_be_rules() -> None:
    decisions = asp(band(), forbid=':- name(T,"Pad"), at_pan(T,P), P > -4.')
    assert pans(decisions)["Pad"] <= -0.4


def test_wishes_in_words_and_rules_stand_side_by_side() -> None:
    decisions = asp(
        band(), prefer='Pad right; Snare dry\n:~ name(T,"Bass"), at_depth(T,R), R > 0. [1@5,bass]'
    )
    assert pans(decisions)["Pad"] > 0
    assert "Snare" not in {d.strip for d in decisions if isinstance(d, AddSend)}


def test_a_wish_about_level_and_place_at_once_joins_both() -> None:
    rule = ':- name(T,"Pad"), at_pan(T,P), P > -4, at_level(T,D), want_level(T,W,_), D >= W.'
    what = band()
    decisions, usual = asp(what, forbid=rule), asp(what)
    assert pans(decisions)["Pad"] <= -0.4 or gains(decisions)["Pad"] < gains(usual)["Pad"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("Pda left", "'Pad'"), ("Pad sideways", "'sideways' is not understood"), ("Pad at L50", "L40 or L60|L60 or L40"),
        ("Pad louder than Nobody", "'Nobody'"), ("tuba left", "no track is a tuba"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_meant_are_refused(wish: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        asp(band(), prefer=wish)


# --- sizes, limits and bad input


def test_no_tracks_no_moves() -> None:
    assert asp(song()) == []


@pytest.mark.parametrize("role", ["lead", "foreground"])
def test_one_track_has_a_mix(role: str) -> None:
    assert pans(asp(song(track("only", "lead_voice", role))))["only"] in (0.0, 0.6, -0.6)


def test_all_leads_no_lead_and_unknown_instruments_have_a_mix() -> None:
    leads = [track(f"lead {i}", "lead_voice", "lead") for i in range(4)]
    unknown = [track(f"file {i}") for i in range(5)]
    assert set(pans(asp(song(*leads))).values()) == {0.0}
    assert {f"file {i}" for i in range(5)} <= gains(asp(song(*unknown))).keys()


def test_words_that_no_list_knows_and_names_with_signs_do_no_harm() -> None:
    odd = [track('a "b" \\ c', "Theremin!"), track("x). y(", "kick"), track("%*", "piano")]
    decisions = asp(song(*odd), prefer='%* left; a "b" \\ c right')
    assert pans(decisions)["%*"] < 0 < pans(decisions)['a "b" \\ c']


def test_half_a_pair_stands_on_its_side() -> None:
    what = song(track("voice", "lead_voice", "lead"), track("Gtr L", "electric_guitar", attributes=("left",)))
    assert pans(asp(what))["Gtr L"] < 0


def test_a_very_quiet_track_is_brought_as_far_as_the_fader_goes() -> None:
    what = song(track("voice", "lead_voice", "lead"), track("whisper", "piano"),
                features={"whisper": {"lufs": -65.0, "peak_db": -50.0}})  # fmt: skip
    move = next(d for d in asp(what) if isinstance(d, SetGain) and d.strip == "whisper")
    assert move.gain_db == 24.0
    assert "more than the fader has" in move.reason.notes[-1]


def test_128_tracks_have_a_mix() -> None:
    facts = facts_of(*random_song(1, 128))
    solution = solve(facts, limits=Limits(conflicts=300, seconds=60.0))
    assert len(solution.answer.levels) == 128
    assert not solution.proved


def test_grounding_grows_with_the_tracks_not_with_their_square() -> None:
    sizes = [solve(facts_of(*random_song(1, n)), limits=Limits(200, 60.0)).rules for n in (16, 32, 64)]
    assert sizes[2] - sizes[1] < 2.6 * (sizes[1] - sizes[0])
    assert sizes[2] < 60_000


def test_more_conflicts_never_make_a_worse_mix() -> None:
    facts = facts_of(*random_song(5, 24))
    found = [solve(facts, limits=Limits(n, 60.0)).cost for n in (100, 3000)]
    assert list(found[1].values()) <= list(found[0].values())


def test_the_clock_is_a_guard_and_says_so() -> None:
    times = iter(range(0, 10**6, 1000))
    facts = facts_of(*random_song(2, 64))
    from tonmeister.errors import TonmeisterError

    try:
        solution = solve(facts, limits=Limits(10**6, 1.0), clock=lambda: float(next(times)))
    except TonmeisterError as error:
        assert "1 s" in str(error)  # noqa: PT017
    else:
        assert solution.stopped_by_clock


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixes": "0"}, "mixes"), ({"take": "2"}, "take"), ({"conflicts": "0"}, "conflicts"),
        ({"seconds": "-1"}, "seconds"), ({"without": "lead_center"}, "lead_centered"), ({"rules": "nowhere.lp"}, "nowhere"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_engine("asp", options)


def test_without_a_rule_its_prohibition_is_gone_and_nothing_else() -> None:
    wish = "Bass at L40"
    with pytest.raises(NoSuchMixError, match="core_centered"):
        asp(band(), forbid=f"not-a-track left; {wish}".split("; ")[1].replace("Bass at", "Bass not at"))
    decisions = asp(band(), forbid="Bass not at L40", without="core_centered,low_centered")
    assert pans(decisions)["Bass"] == -0.4
    assert pans(decisions)["Kick"] != -0.4


def test_own_rules_from_a_file_are_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "mine.lp"
    file.write_text(
        "% keep pads wide\nwide(T) :- instrument(T,synth_pad).\n:- wide(T), at_pan(T,P), |P| < 6.\n", "utf-8"
    )
    assert abs(pans(asp(band(), rules=str(file)))["Pad"]) >= 0.6


def test_options_have_defaults() -> None:
    assert AspOptions().mixes == 1
