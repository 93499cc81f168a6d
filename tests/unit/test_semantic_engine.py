"""The engine `semantic`: rules as documents, chosen by capability, with the effect they have elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers_asp import random_song
from makers_features import song, track
from makers_semantic import EVERYTHING, capabilities, rule, write
from tonmeister.decisions import AddInsert, AddSend, Automate, Mute, SetGain, SetPan
from tonmeister.engines.semantic.documents import SHIPPED
from tonmeister.engines.semantic.engine import SemanticEngine
from tonmeister.engines.semantic.moving import BLOCK_S, block_values, moves_of
from tonmeister.engines.semantic.options import SemanticOptions
from tonmeister.engines.semantic.situation import owner_of
from tonmeister.engines.textbook.engine import TextbookEngine
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import track_records
from tonmeister.plan import MixPlan
from tonmeister.vocabulary import INSTRUMENTS

pytest.importorskip("rdflib")
pytest.importorskip("reasonable")

TEXTBOOK = next(SHIPPED.glob("textbook.*"))
LEAD = {"instrument": "lead_voice", "role": "lead"}


def engine(rules: Path, **options: Any) -> SemanticEngine:
    return SemanticEngine(SemanticOptions(rules=str(rules), **options))


def planned(decisions: Any, multitrack: Multitrack, features: MultitrackFeatures) -> MixPlan:
    return MixPlan.of(
        decisions,
        title="song",
        sample_rate=multitrack.sample_rate,
        tracks=track_records(multitrack, features),
    )


def plain(value: Any) -> Any:
    """Dataclasses as nested tuples, numbers for comparing with a tolerance."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, {
            f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return round(value, 9) if isinstance(value, float) else value


def unsure(multitrack: Multitrack) -> Multitrack:
    """Tags of names that may be wrong, and a tempo."""
    tracks = tuple(
        dataclasses.replace(t, confidence=0.6 if i % 2 else 0.95) for i, t in enumerate(multitrack.tracks)
    )
    return dataclasses.replace(multitrack, tracks=tracks, tempo_bpm=97.0)


# ------------------------------------------------------------------ the same plan as textbook


@pytest.mark.parametrize("seed", range(5))
def test_the_textbook_as_documents_makes_the_plan_of_the_textbook(seed: int) -> None:
    words = INSTRUMENTS if seed % 2 else ()
    multitrack, features = random_song(seed, 6 + 2 * seed, words=words, lead=seed != 3)
    if seed in (1, 2):
        multitrack = unsure(multitrack)
    expected = planned(TextbookEngine().decide(multitrack, features), multitrack, features)
    found = planned(engine(TEXTBOOK).decide(multitrack, features), multitrack, features)
    assert plain(found.strips) == plain(expected.strips)


def test_reasons_name_the_rule_and_the_document() -> None:
    multitrack, features = random_song(2, 6)
    decisions = engine(TEXTBOOK).decide(multitrack, features)
    gain = next(d for d in decisions if isinstance(d, SetGain) and d.strip == "0 lead_voice")
    assert gain.by == "semantic"
    assert gain.reason.rule.startswith("urn:tonmeister:rule#textbook.")
    assert TEXTBOOK.name in gain.reason.source


# ------------------------------------------------------------------ what rules set themselves


def test_parameters_become_decisions(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("fader", "?t # tm:Kick", "Modify(?t[tm:gain -> -3.5])"),
        rule("mute", "?t # tm:Bass", "Modify(?t[tm:active -> 0.0])"),
        rule("gate", "?t # tm:Kick", "Modify(?t[tm:gateThreshold -> -40.0])"),
        rule("room", "?t # tm:LeadVoice", "Modify(?t[tm:reverbSend -> -9.0])"),
        rule(
            "cut", "?t # tm:Kick",
            "(?s New()) Assert(?s # tm:EqSection) Assert(?s[tm:sectionOf -> ?t tm:sectionGain -> -2.0 "
            "tm:sectionFrequency -> 300.0 tm:sectionShape -> \"peak\"])",
        ),
    )  # fmt: skip
    multitrack, features = song(track("Kick", "kick"), track("Bass", "bass"), track("Vox", **LEAD))
    plan = planned(engine(rules).decide(multitrack, features), multitrack, features)
    assert plan["Kick"].gain_db == -3.5
    assert plan["Bass"].muted
    assert [i.slot for i in plan["Kick"].inserts] == ["equalizer", "gate"]
    assert [(s.to, s.gain_db) for s in plan["Vox"].sends] == [("Reverb", -9.0)]
    assert plan["Vox"].gain_db == 0.0, "no rule speaks about its level"


@pytest.mark.parametrize("profile", ["improved", "faithful"])
def test_the_toy_rule_sends_bright_and_dark_to_opposite_ends(profile: str) -> None:
    multitrack, features = song(
        track("Dark"),
        track("Bright"),
        features={"Dark": {"centroid_hz": 200.0}, "Bright": {"centroid_hz": 6000.0}},
    )
    decisions = engine(SHIPPED / "examples" / "toy.rif", profile=profile).decide(multitrack, features)
    assert {d.strip: d.pan for d in decisions if isinstance(d, SetPan)} == {"Dark": -1.0, "Bright": 1.0}


def test_a_foreign_term_is_read_as_the_offered_one_below_it(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule(
            "trim", "And( ?t[afv:Loudness -> ?l] External(pred:numeric-greater-than(?l -20.0)) )",
            "Modify(?t[dy:Pan -> 0.25])", values="?l",
        ),
    )  # fmt: skip
    multitrack, features = song(track("Loud"), features={"Loud": {"lufs": -12.0}})
    (decision,) = engine(rules).decide(multitrack, features)
    assert isinstance(decision, SetPan)
    assert decision.pan == 0.25


def test_the_higher_priority_wins_across_documents(tmp_path: Path) -> None:
    write(tmp_path, rule("first", "", "Modify(?t[tm:pan -> -1.0])"), name="a.rifps", priority=9)
    write(tmp_path, rule("second", "", "Modify(?t[tm:pan -> 1.0])"), name="b.rifps")
    multitrack, features = song(track("Any"))
    (decision,) = engine(tmp_path).decide(multitrack, features)
    assert isinstance(decision, SetPan)
    assert (decision.pan, decision.reason.rule) == (-1.0, "urn:tonmeister:rule#first")


def test_an_inequality_bounds_what_another_rule_wants(tmp_path: Path) -> None:
    bound = (
        "(* rule:bound *) Forall ?t ?p such that ( ?t # tm:Track ) "
        "( If ?t[tm:pan -> ?p] Then External(pred:numeric-less-than-or-equal(?p 0.4)) )"
    )
    rules = write(tmp_path, rule("wide", "", "Modify(?t[tm:pan -> 0.9])"), bound)
    multitrack, features = song(track("Any"))
    (decision,) = engine(rules).decide(multitrack, features)
    assert isinstance(decision, SetPan)
    assert decision.pan == pytest.approx(0.4)


def test_rules_about_several_tracks_and_what_does_not_exist(tmp_path: Path) -> None:
    exists = "Exists ?other ( ?other # tm:LeadVoice )"
    rules = write(
        tmp_path, rule("aside", f"And( Not( ?t # tm:LeadVoice ) {exists} )", "Modify(?t[tm:pan -> 0.3])")
    )
    with_lead = song(track("Keys", "piano"), track("Vox", **LEAD))
    without = song(track("Keys", "piano"), track("Pad", "synth_pad"))
    assert {d.strip for d in engine(rules).decide(*with_lead)} == {"Keys"}
    assert engine(rules).decide(*without) == []


# ------------------------------------------------------------------ over time


def _duck(folder: Path) -> Path:
    lead = "And( ?pad # tm:SynthPad ?voice # tm:LeadVoice )"
    return write(
        folder,
        "(* rule:duck *) Forall ?pad ?voice ?on such that ( " + lead + " ) ( If ?voice[tm:activity -> ?on] "
        "Then Do( Modify( ?pad[tm:ride -> External(func:numeric-multiply(-4.0 ?on))] ) ) )",
    )


def _duet() -> tuple[Multitrack, MultitrackFeatures]:
    active = np.zeros(200, dtype=bool)
    active[80:140] = True
    return song(track("Pad", "synth_pad"), track("Vox", **LEAD), features={"Vox": {"active": active}})


def test_a_moving_feature_makes_automation(tmp_path: Path) -> None:
    (decision,) = engine(_duck(tmp_path)).decide(*_duet())
    assert isinstance(decision, Automate)
    assert (decision.strip, decision.parameter) == ("Pad", "gain_db")
    at = np.interp([0.3, 1.1, 1.8], decision.curve.times_s, decision.curve.values)
    assert at == pytest.approx([0.0, -4.0, 0.0], abs=0.1)
    assert len(decision.curve.times_s) < 10


def test_sends_move_and_what_cannot_move_stays_and_is_told(tmp_path: Path) -> None:
    follow = "External(func:numeric-multiply(-6.0 ?on))"
    rules = write(
        tmp_path,
        rule("room", "?t[tm:activity -> ?on]", f"Modify(?t[tm:reverbSend -> {follow}])", values="?on"),
        rule("gate", "?t[tm:activity -> ?on]", f"Modify(?t[tm:gateThreshold -> {follow}])", values="?on"),
    )
    active = np.zeros(200, dtype=bool)
    active[80:140] = True
    multitrack, features = song(track("Vox", **LEAD), features={"Vox": {"active": active}})
    own = engine(rules)
    decisions = own.decide(multitrack, features)
    curves = [d for d in decisions if isinstance(d, Automate)]
    assert [(d.strip, d.parameter) for d in curves] == [("Vox", "send:Reverb")]
    assert min(curves[0].curve.values) == pytest.approx(-6.0)
    gate = next(d.effect for d in decisions if isinstance(d, AddInsert) and d.slot == "gate")
    assert gate is not None
    assert gate.threshold_db == 0.0  # type: ignore[attr-defined]
    assert any("tm:gateThreshold would move" in note for note in own.notes)
    planned(decisions, multitrack, features)


def test_live_and_offline_move_alike(tmp_path: Path) -> None:
    own, (multitrack, features) = engine(_duck(tmp_path)), _duet()
    moves = moves_of(own.situation(multitrack, features), features, multitrack.names)
    (key,) = moves
    live = own.situation(multitrack, features).store
    for block, offline in enumerate(moves[key]):
        live.set((owner_of("Vox"), "activity"), block_values(features["Vox"], "activity", block))
        assert live.number(*key) == pytest.approx(offline, abs=1e-9)
    assert len(moves[key]) == pytest.approx(features.duration_s / BLOCK_S, abs=1)


# ------------------------------------------------------------------ capabilities


def test_without_a_compressor_exactly_the_compressor_rules_drop_and_it_says_so(tmp_path: Path) -> None:
    offers = [o for o in EVERYTHING if o != "CompressorEffect"]
    whole, poor = engine(TEXTBOOK), engine(TEXTBOOK, capabilities=str(capabilities(tmp_path, *offers)))
    kept = {known.iri for known in poor.choice.applied}
    dropped = [known for known in whole.choice.applied if known.iri not in kept]
    writes = {k.iri for k in whole.choice.applied if "compressor" in repr(k.rule.actions)}
    assert {known.iri for known in dropped} == writes
    assert len(writes) >= 10
    for known in dropped:
        assert any(known.iri in note and "tm:compressor" in note for note in poor.notes)
    multitrack, features = random_song(0, 8)
    decisions = poor.decide(multitrack, features)
    assert not any(isinstance(d, AddInsert) and d.slot == "compressor" for d in decisions)
    assert any(isinstance(d, AddInsert) and d.slot == "high_pass" for d in decisions)
    assert any(isinstance(d, AddSend) for d in decisions)


def test_a_system_that_offers_nothing_applies_nothing(tmp_path: Path) -> None:
    own = engine(TEXTBOOK, capabilities=str(capabilities(tmp_path)))
    assert own.choice.applied == ()
    multitrack, features = song(track("Kick", "kick"), track("Silent"), features={"Silent": {"lufs": None}})
    assert all(isinstance(d, Mute) for d in own.decide(multitrack, features))


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((rule("a", "", "Modify(?t[tm:loudness -> 1.0])"),), "rule#a.*features are measured"),
        ((rule("a", "?t[tm:crest -> ?c]", "Modify(?t[tm:pan -> ?d])", values="?c ?d"),), r"\?d"),
        ((rule("a", "", "Modify(?t[nope:pan -> 1.0])"),), "nope"),
        ((rule("a", "", "Modify(?t[tm:pan -> 1.0])"), rule("a", "", "Modify(?t[tm:pan -> 0.0])")), "rule#a"),
        ((rule("a", "", 'Modify(?t[tm:pan -> "left"])'),), "tm:pan is a number, -1 to 1, not 'left'"),
    ],
)
def test_documents_that_cannot_be_meant_are_refused(
    rules: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, *rules)
    with pytest.raises(BadInputError, match=message):
        engine(path).decide(*song(track("Any")))


def test_only_allowed_actions_are_executed(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("off", "", "Execute(tm:bypass(?t tm:GateEffect))"),
        rule("gate", "", "Modify(?t[tm:gateThreshold -> -40.0])"),
        rule("boom", "", "Execute(tm:explode(?t))"),
    )
    own = engine(rules)
    assert own.decide(*song(track("Any"))) == []
    (note,) = own.notes
    assert "tm:explode" in note


def test_malformed_xml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "own.rif"
    path.write_text("<Document xmlns='http://www.w3.org/2007/rif#'><payload>", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"own\.rif.*\d+"):
        engine(path)


def test_a_parameter_that_nobody_has_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("strange", "", "Modify(?t[tm:sparkle -> 1.0])"),
        rule("known", "", "Modify(?t[tm:pan -> 0.5])"),
    )
    own = engine(rules)
    (decision,) = own.decide(*song(track("Any")))
    assert isinstance(decision, SetPan)
    (note,) = own.notes
    assert "rule#strange" in note
    assert "tm:sparkle (unknown to every ontology)" in note


def test_a_contradiction_at_one_priority_is_reported(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("left", "", "Modify(?t[tm:pan -> -1.0])"),
        rule("right", "", "Modify(?t[tm:pan -> 1.0])"),
    )
    own = engine(rules)
    (decision,) = own.decide(*song(track("Any")))
    assert isinstance(decision, SetPan)
    assert decision.pan == 1.0, "the later in the document"
    assert any("left says -1, right says 1, both at priority 0" in note for note in own.notes)


def test_an_endless_loop_of_fact_rules_is_stopped(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("there", "?t[tm:role -> tm:lead]", "Modify(?t[tm:role -> tm:background])"),
        rule("back", "?t[tm:role -> tm:background]", "Modify(?t[tm:role -> tm:lead])"),
    )
    with pytest.raises(BadInputError, match="there"):
        engine(rules).decide(*song(track("Vox", **LEAD)))


def test_parameters_that_chase_each_other_are_reported(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("up", "?t[tm:ride -> ?x]", "Modify(?t[tm:gain -> External(func:numeric-add(?x 1.0))])", values="?x"),
        rule("again", "?t[tm:gain -> ?x]", "Modify(?t[tm:ride -> External(func:numeric-add(?x 1.0))])", values="?x"),
    )  # fmt: skip
    own = engine(rules)
    own.decide(*song(track("Any")))
    assert any("circle" in note or "clipped" in note for note in own.notes)


def test_a_missing_feature_leaves_the_rule_inert(tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        rule("wide", "?t[tm:stereoWidth -> ?w]", "Modify(?t[tm:pan -> 0.5])", values="?w"),
    )
    assert engine(rules).decide(*song(track("Mono"))) == []


def test_the_shipped_library_applies_as_a_whole() -> None:
    own = SemanticEngine()
    assert {k.document for k in own.choice.rules} == {TEXTBOOK.name, "moffat.rif"}
    assert [v.rule.name for v in own.choice.selection.dropped] == ["urn:tonmeister:rule#moffat.bleed.level"]
    multitrack, features = random_song(4, 12)
    planned(own.decide(multitrack, features), multitrack, features)
    assert not any("priority" in note or "circle" in note for note in own.notes)
