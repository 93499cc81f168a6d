"""The engine expert: what it decides on songs, how it explains it, and its filter on the live desk."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers_features import RATE, SECONDS, song, track, track_features
from tonmeister.decisions import AddBus, AddInsert, AddSend, Automate, Decision, Mute, SetGain, SetPan
from tonmeister.engines import load_engine
from tonmeister.engines.base import CausalEngine, ScorePosition
from tonmeister.engines.expert.engine import ExpertEngine
from tonmeister.engines.expert.evidence import soft
from tonmeister.engines.expert.knowledge import knowledge
from tonmeister.engines.expert.live_filter import EventEvidence, ExpertFilter
from tonmeister.engines.expert.model import save_model
from tonmeister.engines.expert.sections import found_parts, marked_parts
from tonmeister.engines.expert.utility import Situation, best_step, expected_utility, utilities
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import decide
from tonmeister.plan import MixPlan, TrackRecord

MODEL = knowledge().model
BAND = (
    track("Vox", "lead_voice", "lead"), track("Kick", "kick"), track("Snare", "snare"), track("Bass", "bass"),
    track("Gtr L", "electric_guitar", attributes=("left",)), track("Gtr R", "electric_guitar", attributes=("right",)),
    track("Keys", "piano"), track("Pad", "synth_pad", "background"),
)  # fmt: skip


def band(**changes: Any) -> tuple[Multitrack, MultitrackFeatures]:
    return song(*BAND, features={t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)}, **changes)


def expert(what: tuple[Multitrack, MultitrackFeatures], **options: str) -> list[Decision]:
    engine = load_engine("expert", options)
    return list(engine.decide(*what))


def gains(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in decisions if isinstance(d, SetGain)}


def pans(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in decisions if isinstance(d, SetPan)}


# Decisions


def test_the_mix_is_what_practice_asks_for() -> None:
    multitrack, features = band()
    decisions = expert((multitrack, features))
    heard = {n: gains(decisions)[n] + (features[n].integrated_lufs or 0.0) for n in multitrack.names}
    assert all(heard["Vox"] > heard[n] for n in heard if n != "Vox")
    assert heard["Pad"] < heard["Keys"] < heard["Vox"]
    found = pans(decisions)
    assert found["Vox"] == found["Kick"] == found["Snare"] == found["Bass"] == 0.0
    assert found["Gtr L"] < 0.0 < found["Gtr R"]
    sends = {d.strip for d in decisions if isinstance(d, AddSend)}
    assert "Vox" in sends
    assert not sends & {"Kick", "Bass"}
    assert {d.to for d in decisions if isinstance(d, AddSend)} <= {
        d.strip for d in decisions if isinstance(d, AddBus)
    }


def test_every_move_says_why_with_a_probability_and_what_tipped_it() -> None:
    for decision in expert(band()):
        reason = decision.reason
        assert decision.by == "expert"
        assert reason.text
        assert reason.source
        assert reason.rule.startswith("expert.")
        assert 0.0 < reason.confidence <= 1.0
    vox = next(d for d in expert(band()) if isinstance(d, SetGain) and d.strip == "Vox")
    assert vox.reason.rule in ("expert.prominence-high", "expert.lead-in-front")
    assert "P(" in vox.reason.evidence
    assert "role lead" in vox.reason.evidence
    assert "times likelier" in vox.reason.evidence


def test_input_level_changes_nothing_but_its_own_fader() -> None:
    multitrack, features = band()
    louder = {t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)}
    louder["Bass"] = {"lufs": -11.0, "rms_db": -8.0, "peak_db": 6.0}
    before, after = gains(expert((multitrack, features))), gains(expert(song(*BAND, features=louder)))
    assert after["Bass"] == pytest.approx(before["Bass"] - 12.0, abs=0.5)
    assert {n: g for n, g in after.items() if n != "Bass"} == pytest.approx(
        {n: g for n, g in before.items() if n != "Bass"}, abs=0.5
    )


def test_the_same_song_gives_the_same_decisions_and_an_order_of_tracks_does_not_matter() -> None:
    assert expert(band()) == expert(band())
    turned = song(*BAND[::-1], features={t.name: {"lufs": -20.0 - i} for i, t in enumerate(BAND)})
    assert gains(expert(turned)) == pytest.approx(gains(expert(band())), abs=1e-6)


def test_a_silent_track_is_muted_and_one_track_is_mixed() -> None:
    decisions = expert(
        song(track("Nothing"), track("Vox", "lead_voice", "lead"), features={"Nothing": {"lufs": None}})
    )
    assert [d.strip for d in decisions if isinstance(d, Mute)] == ["Nothing"]
    assert "Vox" in gains(decisions)
    assert [d.strip for d in expert(song(track("Nothing"), features={"Nothing": {"lufs": None}}))] == [
        "Nothing"
    ]


def test_a_person_stays_right() -> None:
    from tonmeister.moves import parse_move

    plan = decide(
        *band(), engine="expert", moves=[parse_move("Keys.gain_db=-12"), parse_move("Keys.pan=0.9")]
    )
    assert plan["Keys"].gain_db == -12.0
    assert plan["Keys"].pan == 0.9


def test_the_faithful_profile_is_equal_loudness_and_steps() -> None:
    multitrack, features = band()
    decisions = expert((multitrack, features), profile="faithful")
    heard = {n: gains(decisions)[n] + (features[n].integrated_lufs or 0.0) for n in multitrack.names}
    assert heard["Kick"] == pytest.approx(heard["Keys"], abs=1.5)
    assert heard["Vox"] > heard["Keys"] + 1.0


# Parts of a song


def long_song(*, marks: str = "") -> tuple[Multitrack, MultitrackFeatures]:
    """Forty seconds: the voice sings in the second half, 6 LU louder in its last quarter."""
    seconds = 40
    multitrack = Multitrack(
        "song", (track("Vox", "lead_voice", "lead"), track("Gtr", "guitar"), track("Bass", "bass")), RATE
    )
    tracks = {}
    for name in multitrack.names:
        level = np.full(seconds * 100, -20.0, np.float32)
        if name == "Vox":
            level[: seconds * 50] = -200.0
            level[seconds * 75 :] += 6.0
        else:
            level[: seconds * 25] -= 12.0
        momentary = level[::10][: seconds * 10 - 3]
        tracks[name] = track_features(
            name, frames=seconds * RATE, level_db=level, peak_level_db=level + 10.0, active=level > -60.0,
            active_ratio=float((level > -60.0).mean()), momentary_lufs=momentary,
        )  # fmt: skip
    features = MultitrackFeatures(RATE, float(seconds), tracks, np.zeros((3, 3, 24)))
    return multitrack, features


def test_parts_begin_where_the_playing_changes() -> None:
    _, features = long_song()
    starts = [part.start_s for part in found_parts(features)]
    assert starts[0] == 0.0
    for wanted in (10.0, 20.0):
        assert min(abs(s - wanted) for s in starts) <= 1.0
    assert len(found_parts(song(track("A"))[1])) == 1
    assert SECONDS < 8


def test_faders_move_as_a_part_begins_and_land_with_it() -> None:
    decisions = expert(long_song(), sections="intro 0, verse 20, chorus 30")
    moved = {d.strip: d for d in decisions if isinstance(d, Automate)}
    assert "Vox" in moved
    curve = moved["Vox"].curve
    assert 30.0 in curve.times_s
    at = curve.times_s.index(30.0)
    assert curve.times_s[at] - curve.times_s[at - 1] == pytest.approx(0.25)
    assert curve.values[at] < curve.values[at - 1]
    assert "chorus from 30.0 s" in " ".join(moved["Vox"].reason.notes)
    plan = decide(*long_song(), engine="expert", options={"sections": "intro 0, verse 20, chorus 30"})
    assert "gain_db" in plan["Vox"].automation
    still = expert(long_song(), sections="intro 0, verse 20, chorus 30", moves="no")
    assert not [d for d in still if isinstance(d, Automate)]


@pytest.mark.parametrize(
    ("text", "why"),
    [("chours 3", "did you mean 'chorus'"), ("verse 9, chorus 3", "must rise"), ("verse x", "no mark"), (",", "no marks"),
     ("verse 1.2.3", "seconds")],
)  # fmt: skip
def test_bad_marks_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        marked_parts(text, 60.0)


def test_marks_come_from_a_label_file_too(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("5.0\t20.0\tverse 1\n20.0\t30.0\tChorus\n")
    parts = marked_parts(str(path), 30.0)
    assert [(p.start_s, p.end_s, p.label) for p in parts] == [
        (0, 5, ""),
        (5, 20, "verse"),
        (20, 30, "chorus"),
    ]


# Utility


def test_the_best_step_is_the_one_with_the_highest_expected_utility() -> None:
    random = np.random.default_rng(1)
    values = MODEL.choices["FaderStep"].values
    for _ in range(20):
        chances = random.dirichlet(np.ones(5))
        held = float(random.uniform(-6, 6))
        situation = Situation(chances, float(random.uniform(-6, 6)), float(random.random()), held)
        best = best_step(values, situation)
        every = [expected_utility(v, situation) for v in values if v is not None]
        assert expected_utility(values[best] or 0.0, situation) == max(every)


def test_the_influence_diagram_of_another_library_decides_alike() -> None:
    gum = pytest.importorskip("pyagrum")
    values = [v for v in MODEL.choices["FaderStep"].values if v is not None]
    chances = np.array([0.05, 0.1, 0.2, 0.5, 0.15])
    situation = Situation(chances, 2.0, 0.6, -3.0)
    with (
        warnings.catch_warnings()
    ):  # its binding warns while it is imported, and does not survive an error there
        warnings.simplefilter("ignore")
        diagram = gum.InfluenceDiagram()
    prominence = diagram.addChanceNode(gum.RangeVariable("Prominence", "", 0, 4))
    step = diagram.addDecisionNode(gum.RangeVariable("Step", "", 0, len(values) - 1))
    utility = diagram.addUtilityNode(gum.LabelizedVariable("U", "", 1))
    diagram.addArc(prominence, utility)
    diagram.addArc(step, utility)
    diagram.cpt(prominence).fillWith(chances.tolist())
    for index, value in enumerate(values):
        for state, u in enumerate(utilities(value, situation)):
            diagram.utility(utility)[{"Prominence": state, "Step": index}] = [float(u)]
    engine = gum.ShaferShenoyLIMIDInference(diagram)
    engine.makeInference()
    ours = best_step(values, situation)
    assert engine.optimalDecision("Step").toarray()[ours] == 1.0
    assert engine.MEU()["mean"] == pytest.approx(expected_utility(values[ours], situation))


def test_moves_cost_and_hiding_costs() -> None:
    sure = np.eye(5)[2]
    free, bound = Situation(sure, 0.0, 0.0), Situation(sure, 0.0, 0.0, held_db=3.0)
    assert expected_utility(0.0, free) == 0.0
    assert expected_utility(0.0, bound) == pytest.approx(-0.6)
    assert expected_utility(0.0, Situation(sure, 0.0, 0.5)) == pytest.approx(-0.5)
    assert expected_utility(3.0, Situation(sure, 0.0, 0.5)) == pytest.approx(-1.0 - 1.0 / (1.0 + 10**0.3))


def test_the_engine_may_choose_by_utility() -> None:
    by_utility = gains(expert(band(), choose="utility"))
    by_mean = gains(expert(band()))
    assert by_utility["Vox"] - 20.0 > by_utility["Pad"] - 27.0 + 5.0
    assert by_utility != by_mean


# Models


def test_a_model_from_a_file_decides_like_the_one_in_memory(tmp_path: Path) -> None:
    save_model(MODEL, tmp_path / "m.json")
    assert gains(expert(band(), model=str(tmp_path / "m.json"))) == gains(expert(band()))
    with pytest.raises(BadInputError, match="cannot be read"):
        expert(band(), model=str(tmp_path / "none.json"))


# Live


def event(
    time_s: float, kind: str = "beat", section: str = "verse", **strips: Mapping[str, Any]
) -> EventEvidence:
    return EventEvidence(time_s, kind, {"Section": section}, strips)


def console(**options: Any) -> ExpertFilter:
    always = {
        "Vox": {"Role": "lead", "Instrument": "lead_voice"},
        "Pad": {"Role": "pad", "Instrument": "synth_pad"},
    }
    return ExpertFilter(MODEL, ("Vox", "Pad"), always=always, **options)


@pytest.mark.parametrize(("loudness", "events"), [(-9.0, 40), (-2.5, 40), (2.0, 1000), (4.1, 40), (7.9, 40)])
def test_equal_events_give_no_move_after_the_first(loudness: float, events: int) -> None:
    desk = console(decisions=("FaderStep",))
    found = {"Vox": {"Loudness": loudness}, "Pad": {"Loudness": -loudness}}
    assert {c.strip for c in desk.update(event(0.0, **found))} == {"Vox", "Pad"}
    assert [c for k in range(1, events) for c in desk.update(event(float(k), **found))] == []


def test_live_moves_follow_what_is_heard_and_carry_their_evidence() -> None:
    desk = console(decisions=("FaderStep",))
    start = {c.strip: c for c in desk.update(event(0.0, Vox={"Loudness": 0.0}, Pad={"Loudness": 0.0}))}
    assert start["Vox"].value > 1.5 > -1.5 > start["Pad"].value  # type: ignore[operator]
    assert start["Vox"].control == "fader_db"
    assert start["Vox"].rules[0][0].id in ("prominence-high", "lead-in-front")
    assert {w.node for w in start["Vox"].weights} >= {"Role", "Section"}
    moves = [
        c
        for k in range(1, 12)
        for c in desk.update(event(float(k), Vox={"Loudness": 8.0}, Pad={"Loudness": 0.0}))
    ]
    assert [m.strip for m in moves][:1] == ["Vox"]
    assert moves[-1].value < start["Vox"].value - 0.9  # type: ignore[operator]


def test_the_weight_of_a_finding_is_its_log_likelihood_ratio() -> None:
    from tonmeister.engines.expert.inference import posterior

    desk = console(decisions=("FaderStep",))
    choice = desk.update(event(0.0, Vox={"Loudness": 4.0}))[0]
    found = {
        n: MODEL.find(n, f)
        for n, f in {"Section": "verse", "Role": "lead", "Instrument": "lead_voice", "Loudness": 4.0}.items()
    }
    state = MODEL.network.nodes["FaderStep"].index(choice.state)
    for weight in choice.weights:
        without = {n: f for n, f in found.items() if n != weight.node}
        a = posterior(MODEL.network, "FaderStep", found)[state]  # type: ignore[arg-type]
        b = posterior(MODEL.network, "FaderStep", without)[state]  # type: ignore[arg-type]
        assert weight.nats == pytest.approx(float(np.log(a / b)), abs=1e-9)


def test_the_filter_is_the_offline_filter() -> None:
    from tonmeister.engines.expert.filtering import Chain

    names = [n.name for n in MODEL.network.nodes.values() if n.kind in ("given", "score", "sound")]
    chain = Chain(MODEL.network, "FaderStep", names)
    message, desk = chain.start(), console(decisions=("FaderStep",))
    for k, loudness in enumerate((0.0, 5.0, -3.0, 8.0)):
        desk.update(event(float(k), Vox={"Loudness": loudness}))
        found = {
            n: MODEL.find(n, f)
            for n, f in (("Section", "verse"), ("Role", "lead"), ("Instrument", "lead_voice"))
        }
        found["Loudness"] = soft(loudness, MODEL.bins["Loudness"].centers)
        chances, message = chain.forward(message, found)  # type: ignore[arg-type]
        assert desk.belief("Vox", "FaderStep") == pytest.approx(chances, abs=1e-12)


def test_silence_nonsense_and_contradictions_leave_the_held_fader() -> None:
    desk = console(decisions=("FaderStep",))
    desk.update(event(0.0, Vox={"Loudness": 0.0}))
    held = desk.held("Vox", "fader_db")
    assert desk.update(event(1.0, Vox={"Loudness": float("nan")})) == []
    assert desk.held("Vox", "fader_db") == held
    with pytest.raises(BadInputError, match="in order"):
        desk.update(event(0.5))
    with pytest.raises(BadInputError, match="no strip 'Voks'"):
        desk.update(event(2.0, Voks={}))
    with pytest.raises(BadInputError, match="no node 'Loudnes'"):
        desk.update(event(2.0, Vox={"Loudnes": 0.0}))


def test_contradictory_findings_keep_what_is_held() -> None:
    from dataclasses import replace

    from tonmeister.engines.expert.network import Table

    table = MODEL.network.tables["LeadPlays"].values.copy()
    table[MODEL.network.nodes["Section"].index("solo")] = [1.0, 0.0]
    sure = replace(MODEL, network=MODEL.network.with_tables(Table("LeadPlays", ("Section",), table)))
    desk = ExpertFilter(sure, ("Vox",), always={"Vox": {"Role": "lead"}}, decisions=("FaderStep",))
    desk.update(event(0.0, Vox={}))
    held, belief = desk.held("Vox", "fader_db"), desk.belief("Vox", "FaderStep")
    clash = EventEvidence(1.0, "beat", {"Section": "solo", "LeadPlays": "yes"}, {})
    assert desk.update(clash) == []
    assert desk.contradictions == 1
    assert desk.held("Vox", "fader_db") == held
    assert desk.belief("Vox", "FaderStep") == pytest.approx(belief)
    desk.update(event(2.0, Vox={"Loudness": 8.0}))
    assert np.isfinite(desk.belief("Vox", "FaderStep")).all()


def test_a_hand_on_a_fader_suspends_it() -> None:
    desk = console(decisions=("FaderStep",))
    desk.update(event(0.0, Vox={"Loudness": 0.0}, Pad={"Loudness": 0.0}))
    desk.touch("Vox", "fader_db")
    assert not [
        c for c in desk.update(event(1.0, "section", "chorus", Vox={"Loudness": 8.0})) if c.strip == "Vox"
    ]
    desk.release("Vox", "fader_db", -5.0)
    assert desk.held("Vox", "fader_db") == -5.0


def test_what_the_score_says_counts_less_when_the_place_is_lost() -> None:
    def chances(confidence: float) -> float:
        desk = ExpertFilter(MODEL, ("Vox",), decisions=("FaderStep",))
        found = EventEvidence(0.0, "beat", {}, {"Vox": {"Role": "lead"}}, confidence)
        desk.update(found)
        return float(desk.belief("Vox", "FaderStep")[5:].sum())

    assert chances(1.0) > chances(0.6) > chances(0.2)
    nothing = ExpertFilter(MODEL, ("Vox",), decisions=("FaderStep",))
    nothing.update(EventEvidence(0.0))
    assert chances(0.2) == pytest.approx(float(nothing.belief("Vox", "FaderStep")[5:].sum()))


def test_mutes_open_for_an_entry_and_close_only_when_the_place_is_sure() -> None:
    desk = ExpertFilter(MODEL, ("Vox",), decisions=("Mute",))

    def mute(time_s: float, entry: str, confidence: float) -> float | None:
        found = EventEvidence(
            time_s, "entry", {"AlignmentConfidence": confidence}, {"Vox": {"NextEntry": entry}}
        )
        desk.update(found)
        return desk.held("Vox", "mute")

    assert mute(0.0, "none", 0.9) == 1.0
    assert mute(1.0, "soon", 0.9) == 0.0
    lost = ExpertFilter(MODEL, ("Vox",), decisions=("Mute",))
    lost.update(EventEvidence(0.0, "beat", {"AlignmentConfidence": 0.1}, {"Vox": {"NextEntry": "none"}}))
    assert lost.held("Vox", "mute") == 0.0


@dataclass
class Ear:
    """What a performance sounded like up to now."""

    time_s: float
    features: MultitrackFeatures
    position: ScorePosition | None = None

    @property
    def momentary_lufs(self) -> Mapping[str, float | None]:
        return {n: t.integrated_lufs for n, t in self.features.tracks.items()}

    def recent(self, seconds: float) -> MultitrackFeatures:
        return self.features


def test_at_the_live_desk_it_sets_faders_once_and_moves_with_the_chorus() -> None:
    multitrack, features = band()
    plan = MixPlan.of([], title="t", sample_rate=RATE, tracks=[TrackRecord(n, n) for n in multitrack.names])
    engine = load_engine("expert")
    assert isinstance(engine, ExpertEngine)
    assert isinstance(engine, CausalEngine)
    mixer = engine.start(multitrack, plan)
    assert list(mixer.update(Ear(0.5, features))) == []
    first = list(mixer.update(Ear(2.0, features, ScorePosition(0.0, 0.1, 0.9, "verse-1"))))
    assert {m.decision.strip for m in first} == set(multitrack.names)
    assert all(isinstance(m.decision, SetGain) and m.decision.by == "expert" for m in first)
    quiet = [
        m
        for k in range(2, 20)
        for m in mixer.update(Ear(2.0 * k, features, ScorePosition(k, 0.1, 0.9, "verse-1")))
    ]
    assert quiet == []
    loud = {t.name: {"lufs": -20.0 - i + (10.0 if t.name == "Keys" else 0.0)} for i, t in enumerate(BAND)}
    _, chorus = song(*BAND, features=loud)
    moved = list(mixer.update(Ear(60.0, chorus, ScorePosition(90.0, 0.1, 0.9, "chorus-1"))))
    assert all(m.ramp_s == pytest.approx(0.25) for m in moved)
    keys = [m.decision for m in moved if m.decision.strip == "Keys"]
    assert keys
    assert isinstance(keys[0], SetGain)
    started = next(m.decision for m in first if m.decision.strip == "Keys")
    assert isinstance(started, SetGain)
    assert keys[0].gain_db < started.gain_db - 0.9


def test_inserts_are_what_the_states_say() -> None:
    dark = {"Vox": {"lufs": -20.0, "centroid_hz": 300.0}, "Kick": {"lufs": -20.0, "centroid_hz": 200.0}}
    decisions = expert(song(track("Vox", "lead_voice", "lead"), track("Kick", "kick"), features=dark))
    kinds = {(d.strip, d.effect.kind) for d in decisions if isinstance(d, AddInsert) and d.effect is not None}
    assert ("Vox", "equalizer") in kinds
    assert ("Vox", "compressor") in kinds
    equalizer = next(
        d for d in decisions if isinstance(d, AddInsert) and d.strip == "Vox" and d.slot == "equalizer"
    )
    shapes = {s.shape: s.gain_db for s in equalizer.effect.sections}  # type: ignore[union-attr]
    assert shapes["low_shelf"] < 0.0
    assert shapes["peak"] > 0.0
