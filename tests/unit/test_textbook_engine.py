"""The textbook engine on features made for the purpose: levels, places, inserts, repairs, reasons."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from makers_features import RATE, song, track
from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Decision,
    Mute,
    SetDelay,
    SetGain,
    SetOutput,
    SetPan,
    SetPolarity,
)
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.reverb import Reverb
from tonmeister.engines import load_engine
from tonmeister.engines.textbook.engine import TextbookEngine
from tonmeister.engines.textbook.numbers import number
from tonmeister.engines.textbook.options import TextbookOptions
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.errors import BadInputError
from tonmeister.features import MicrophonePair
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import MASTER

FAITHFUL = TextbookOptions(profile="faithful")


def decide(made, options: TextbookOptions | None = None) -> list[Decision]:
    return TextbookEngine(options).decide(*made)


def gains(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in decisions if isinstance(d, SetGain)}


def pans(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in decisions if isinstance(d, SetPan)}


def effect(decisions: list[Decision], strip: str, kind: type):
    return next(
        (
            d.effect
            for d in decisions
            if isinstance(d, AddInsert) and d.strip == strip and isinstance(d.effect, kind)
        ),
        None,
    )


def loudness(made, decisions: list[Decision]) -> dict[str, float]:
    """Predicted loudness of every track in the mix, without inserts."""
    found = gains(decisions)
    return {name: made[1][name].integrated_lufs + found[name] for name in made[0].names}


def band(**changes):
    return song(
        track("Kick", "kick"),
        track("Snare", "snare"),
        track("Bass", "electric_bass"),
        track("Guitar", "electric_guitar"),
        track("Keys", "piano"),
        track("Vox", "lead_voice", "lead"),
        features={"Kick": {"lufs": -14.0, "rms_db": -18.0, "low_energy_ratio": 0.8}, "Vox": {"lufs": -25.0}},
        **changes,
    )


# Inserts


def test_kick_example() -> None:
    made = song(track("Kick", "kick"), features={"Kick": {"peak_db": -3.0, "rms_db": -20.0}})
    found = effect(decide(made), "Kick", Compressor)
    assert (found.threshold_db, found.ratio, found.knee_db, found.attack_ms, found.release_ms) == (
        -15.5, 4.6, 0.0, 50.0, 1000.0,
    )  # fmt: skip


def test_scaling_the_input_moves_the_threshold_and_nothing_else() -> None:
    def inserts(shift_db: float) -> tuple[object, ...]:
        levels = {"peak_db": -3.0 + shift_db, "rms_db": -20.0 + shift_db, "lufs": -18.0 + shift_db}
        decisions = decide(song(track("Kick", "kick"), track("Keys", "piano"), features={"Kick": levels}))
        return tuple(d.effect for d in decisions if isinstance(d, AddInsert) and d.strip == "Kick")

    before, after = inserts(0.0), inserts(-7.0)
    assert len(before) == len(after) == 2
    assert after[0].threshold_db == pytest.approx(before[0].threshold_db - 7.0)
    assert Compressor(**{**before[0].to_dict(), "threshold_db": after[0].threshold_db}) == after[0]
    assert before[1] == after[1]


def test_jarp_reads_peak_and_rms_only() -> None:
    engine = TextbookEngine(TextbookOptions(features="jarp"))
    entries = engine.considered(*band())
    reads = {rule.id: rule.reads for rule in RuleSet.shipped().rules}
    allowed = {"track.peak_db", "track.rms_db", "bus.peak_db", "bus.rms_db"}
    assert all(reads[e.rule] <= allowed for e in entries if e.state == "fired")
    unknown = [e.text for e in entries if e.rule == "textbook.kick.comp" and e.subject == "Kick"]
    assert unknown == ["textbook.kick.comp: not applied, track.crest_db is not known"]
    kick = next(d for d in engine.decide(*band()) if isinstance(d, SetGain) and d.strip == "Kick")
    assert unknown[0] in kick.reason.notes


def test_jarp_takes_the_peak_of_the_samples() -> None:
    rules = '{set = "compressor.threshold_db", to = "track.peak_db"}, {set = "compressor.ratio", to = "2"}'
    made = song(track("A", "piano"), features={"A": {"peak_db": -9.0, "sample_peak_db": -2.0}})
    thresholds = [
        effect(with_rules(rules, made, TextbookOptions(features=which)), "A", Compressor).threshold_db
        for which in ("aes", "jarp")
    ]
    assert thresholds == [-9.0, -2.0]


def with_rules(actions: str, made, options: TextbookOptions, stage: str = "dynamics") -> list[Decision]:
    """Decisions of a rule file with one rule."""
    import tempfile

    text = (
        f'[[rule]]\nid = "mine"\nsource = "me"\nevidence = "R"\nstage = "{stage}"\ncomment = "So."\n'
        f'tags = {{processor = ["compressor"]}}\ndo = [{actions}]\n'
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text(text)
        engine = TextbookEngine(
            TextbookOptions(options.profile, options.features, options.edition, str(path))
        )
    return engine.decide(*made)


def test_guards_skip_what_a_track_does_not_need_and_say_so() -> None:
    low = song(track("Vox", "lead_voice"), features={"Vox": {"low_energy_ratio": 0.7, "peak_db": -13.0}})
    decisions = decide(low)
    assert effect(decisions, "Vox", HighPass) is None
    assert effect(decisions, "Vox", Compressor) is None
    notes = next(d for d in decisions if isinstance(d, SetGain) and d.strip == "Vox").reason.notes
    assert sum("considered, not needed" in note for note in notes) == 2
    assert effect(decide(low, FAITHFUL), "Vox", HighPass) is not None


def test_doubtful_tags_make_smaller_moves() -> None:
    def boost(confidence: float, options: TextbookOptions | None = None) -> float:
        made = song(track("Bass", "bass", confidence=confidence), track("Keys", "piano"))
        return effect(decide(made, options), "Bass", Equalizer).sections[0].gain_db

    assert boost(1.0) == 2.5
    assert boost(0.45) == pytest.approx(1.25)
    assert boost(0.45, FAITHFUL) == 2.5


def test_close_peaks_merge_and_an_equalizer_holds_six(tmp_path: Path) -> None:
    def sections(*frequencies: float) -> tuple:
        actions = ", ".join(
            f'{{set = "equalizer.section_db", to = "2", shape = "peak", frequency_hz = {f}, q = 1.0}}'
            for f in frequencies
        )
        made = song(track("A", "piano"))
        return effect(with_rules(actions, made, TextbookOptions(), "tone"), "A", Equalizer).sections

    merged = sections(1000, 1200)
    assert [(s.frequency_hz, s.gain_db) for s in merged] == [(pytest.approx(1095.4, abs=0.1), 4.0)]
    assert len(sections(100, 300, 900, 2700, 5400, 8000, 12000)) == 6


# Balance


def test_equal_loudness_without_offsets() -> None:
    made = song(
        track("A", "piano"), track("B", "organ"), track("C", "synth"),
        features={"A": {"lufs": -11.0}, "B": {"lufs": -31.0}, "C": {"lufs": -22.0}},
    )  # fmt: skip
    found = loudness(made, decide(made))
    assert max(found.values()) - min(found.values()) < 0.02


def test_equal_loudness_of_what_the_inserts_leave() -> None:
    made = song(track("Kick", "kick"), track("Keys", "piano"), features={"Kick": {"peak_db": -3.0}})
    decisions = decide(made, FAITHFUL)
    assert effect(decisions, "Kick", Compressor) is not None
    found = loudness(made, decisions)
    text = next(d for d in decisions if isinstance(d, SetGain) and d.strip == "Kick").reason.text
    assert f"brings it to {found['Keys']:.1f} LUFS" in text
    assert found["Kick"] - found["Keys"] > 1.5  # what the compressor takes comes back at the fader


@pytest.mark.parametrize("options", [None, FAITHFUL])
def test_the_lead_is_three_decibels_above_the_rest(options: TextbookOptions | None) -> None:
    made = song(
        track("Solo", "piano", "lead"), *(track(n, "synth") for n in "ABC"), features={"A": {"lufs": -9.0}}
    )
    found = loudness(made, decide(made, options))
    rest = np.mean([found[n] for n in "ABC"])
    assert found["Solo"] - rest == pytest.approx(3.0, abs=0.1)


def test_background_is_three_decibels_below() -> None:
    made = song(track("A", "synth"), track("B", "synth", "background"))
    found = loudness(made, decide(made))
    assert found["A"] - found["B"] == pytest.approx(3.0, abs=0.05)


def test_scaling_one_input_changes_only_its_own_fader() -> None:
    def relative(lufs: float) -> dict[str, float]:
        made = song(
            track("A", "piano"), track("B", "organ"), track("C", "synth"), features={"A": {"lufs": lufs}}
        )
        found = gains(decide(made))
        return {n: found[n] - found["C"] for n in "ABC"}

    before, after = relative(-20.0), relative(-26.0)
    assert after["A"] - before["A"] == pytest.approx(6.0, abs=0.02)
    assert after["B"] == pytest.approx(before["B"], abs=0.02)


def test_microphones_of_one_source_count_once() -> None:
    amp = {"group": "bass", "attributes": ("amp",)}
    made = song(
        track("Bass amp", "synth", **amp), track("Bass DI", "synth", **{**amp, "attributes": ("di",)}),
        track("Keys", "piano"),
    )  # fmt: skip
    found = loudness(made, decide(made))
    together = 10 * np.log10(sum(10 ** (found[n] / 10) for n in ("Bass amp", "Bass DI")))
    assert together == pytest.approx(found["Keys"], abs=0.1)
    assert pans(decide(made))["Bass amp"] == pans(decide(made))["Bass DI"]


def test_faithful_lowers_each_microphone_by_the_default_step() -> None:
    made = song(track("A", "synth", group="g"), track("B", "synth", group="g"), track("Keys", "piano"))
    found = loudness(made, decide(made, FAITHFUL))
    assert found["Keys"] - found["A"] == pytest.approx(3.0, abs=0.05)


def test_tracks_that_take_turns_are_not_a_section() -> None:
    together = song(track("V1", "cello"), track("V2", "cello"), track("Keys", "piano"))
    apart = song(
        track("V1", "cello"), track("V2", "cello"), track("Keys", "piano"),
        features={"V1": {"plays": (0.0, 0.5)}, "V2": {"plays": (0.5, 1.0)}},
    )  # fmt: skip
    lowered, alone = loudness(together, decide(together)), loudness(apart, decide(apart))
    assert lowered["Keys"] - lowered["V1"] == pytest.approx(0.7 * 3.01, abs=0.05)
    assert alone["Keys"] - alone["V1"] == pytest.approx(0.0, abs=0.1)


def test_the_kit_goes_to_one_bus_near_its_measured_level() -> None:
    decisions = decide(band())
    assert {d.strip for d in decisions if isinstance(d, SetOutput)} == {"Kick", "Snare"}
    assert {d.to for d in decisions if isinstance(d, SetOutput)} == {"Drums"}
    assert [d.strip for d in decisions if isinstance(d, AddBus)] == ["Drums", "Reverb"]
    level = next(d for d in decisions if isinstance(d, SetGain) and d.strip == "Drums")
    assert level.reason.rule == "textbook.drum_bus.level"
    assert effect(decisions, "Drums", Compressor).sidechain_high_pass_hz == 100.0


def test_kit_pieces_move_towards_their_measured_places() -> None:
    made = song(
        *(track(n, i) for n, i in (("K", "kick"), ("S", "snare"), ("H", "hihat"))), track("Keys", "piano")
    )
    engine = TextbookEngine(TextbookOptions(without="compressor, textbook.kick.comp, textbook.snare.comp"))
    lufs = {}
    for d in engine.decide(*made):
        if isinstance(d, SetGain) and d.strip in "KSH":
            lufs[d.strip] = float(d.reason.text.rsplit("brings it to ", 1)[1].split()[0])
    assert lufs["K"] > lufs["S"] > lufs["H"]
    assert lufs["K"] - lufs["S"] == pytest.approx(2.2, abs=0.3)


def test_one_drum_needs_no_bus() -> None:
    decisions = decide(song(track("Loop", "drum_loop"), track("Keys", "piano")))
    assert not [d for d in decisions if isinstance(d, SetOutput)]


def test_a_bus_takes_a_name_that_is_free() -> None:
    decisions = decide(song(track("Drums", "kick"), track("Snare", "snare"), track("Reverb", "synth")))
    assert {d.strip for d in decisions if isinstance(d, AddBus)} == {"Drums bus", "Reverb bus"}


def test_extreme_moves_are_clipped_and_say_so() -> None:
    made = song(*(track(n, "synth") for n in "ABCDE"), features={"A": {"lufs": -69.0}})
    reason = next(d for d in decide(made) if isinstance(d, SetGain) and d.strip == "A").reason
    assert any("clipped to +24 dB" in note for note in reason.notes)


def test_the_mix_is_as_loud_as_an_unmastered_mix() -> None:
    made = song(*(track(n, "synth") for n in "ABCD"))
    found = loudness(made, decide(made))
    total = 10 * np.log10(sum(10 ** (value / 10) for value in found.values()))
    assert total == pytest.approx(number("balance.mix_loudness"), abs=0.05)


def test_the_reference_is_the_next_where_no_lead_is() -> None:
    made = song(track("Kick", "kick"), track("Snare", "snare"), track("Bass", "bass"), track("Keys", "piano"))
    decisions = decide(made)
    assert np.isfinite(list(gains(decisions).values())).all()


# Panorama


def test_the_fixed_stand_in_the_center_and_nobody_else_shares_a_spot() -> None:
    made = band()
    found = pans(decide(made))
    assert {n: found[n] for n in ("Kick", "Snare", "Bass", "Vox")} == dict.fromkeys(
        ("Kick", "Snare", "Bass", "Vox"), 0.0
    )
    assert found["Guitar"] * found["Keys"] < 0


@pytest.mark.parametrize("count", [2, 5, 12, 18])
def test_spacing(count: int) -> None:
    instruments = itertools.cycle(["piano", "electric_guitar", "synth", "flute", "violin", "ukulele"])
    tracks = [track(f"T{n}", next(instruments)) for n in range(count)]
    decisions = decide(song(track("Vox", "lead_voice", "lead"), *tracks))
    found = [v for n, v in pans(decisions).items()]
    gaps = np.diff(np.sort(found))
    halved = [
        d for d in decisions if isinstance(d, SetPan) and any("halved" in note for note in d.reason.notes)
    ]
    assert gaps.min() >= (0.05 if halved else 0.1) - 1e-3
    assert bool(halved) is (count == 18)
    assert max(map(abs, found)) <= number("pan.outermost")


def test_two_of_a_kind_stand_left_and_right_alike() -> None:
    found = pans(
        decide(
            song(
                track("G1", "electric_guitar"),
                track("G2", "electric_guitar"),
                track("Vox", "lead_voice", "lead"),
            )
        )
    )
    assert found["G1"] == -found["G2"] == -0.8


def test_a_name_that_says_the_side_is_believed() -> None:
    left, right = track("A", "piano", attributes=("right",)), track("B", "piano", attributes=("left",))
    found = pans(decide(song(left, right)))
    assert (found["A"], found["B"]) == (0.6, -0.6)


def test_stereo_keeps_its_image_unless_it_is_mono_twice() -> None:
    made = song(
        track("Keys", "piano", channels=2),
        track("Fake", "electric_guitar", channels=2),
        features={"Fake": {"width": 0.0}},
    )
    found = pans(decide(made))
    assert found["Keys"] == 0.0
    assert found["Fake"] != 0.0


def test_low_sounds_are_not_panned() -> None:
    found = pans(decide(song(track("Synth", "synth"), features={"Synth": {"low_energy_ratio": 0.9}})))
    assert found["Synth"] == 0.0


# Space and clarity


def test_reverb_follows_the_tempo_and_stays_below_the_direct_sound() -> None:
    decisions = decide(band(tempo_bpm=120.0))
    room = effect(decisions, "Reverb", Reverb)
    assert (room.decay_s, room.predelay_ms, room.mix) == (1.5, 31.25, 1.0)
    assert {d.strip for d in decisions if isinstance(d, AddSend)} == {"Vox", "Guitar", "Keys", "Snare"}
    assert not [d for d in decide(band(), FAITHFUL) if isinstance(d, AddSend)]


def test_slow_songs_have_longer_rooms_up_to_a_limit() -> None:
    decays = [effect(decide(band(tempo_bpm=t)), "Reverb", Reverb).decay_s for t in (240.0, 90.0, 40.0)]
    assert decays == [pytest.approx(0.75), pytest.approx(2.0), 3.0]


def hiding(share: float):
    """A guitar that hides a share of the voice's strongest band."""
    masking = np.zeros((2, 2, 24))
    masking[0, 1, 8] = share
    bark = np.full(24, -60.0)
    bark[8] = -20.0
    return song(
        track("Vox", "lead_voice", "lead"), track("Guitar", "electric_guitar"),
        features={"Vox": {"bark_db": bark}}, masking=masking,
    )  # fmt: skip


def test_room_is_made_for_the_lead_where_it_is_hidden() -> None:
    cut = effect(decide(hiding(1.0)), "Guitar", Equalizer).sections
    assert [(s.gain_db, s.q) for s in cut] == [(-3.0, 5.0)]
    assert 920 < cut[0].frequency_hz < 1080
    assert effect(decide(hiding(0.75)), "Guitar", Equalizer).sections[0].gain_db == -1.5
    assert effect(decide(hiding(0.4)), "Guitar", Equalizer) is None
    assert effect(decide(hiding(1.0), FAITHFUL), "Guitar", Equalizer) is None


# Repairs


def test_silence_and_copies_are_muted_with_a_reason() -> None:
    made = song(
        track("A", "piano"), track("B", "piano"), track("Gone", "synth"),
        features={"Gone": {"lufs": None}}, duplicates=[("A", "B")],
    )  # fmt: skip
    muted = {d.strip: d.reason.rule for d in decide(made) if isinstance(d, Mute)}
    assert muted == {"Gone": "textbook.repair.silent", "B": "textbook.repair.duplicate"}
    assert "B" not in gains(decide(made))


def test_a_silent_track_changes_nothing_else() -> None:
    tracks = (track("A", "piano"), track("B", "synth"))
    without = [d for d in decide(song(*tracks)) if not isinstance(d, Mute)]
    made = song(*tracks, track("Gone", "kick"), features={"Gone": {"lufs": None}})
    assert [d for d in decide(made) if not isinstance(d, Mute)] == without


def pair(correlation: float = 0.9, inverted: bool = True) -> MicrophonePair:
    return MicrophonePair("Top", "Bottom", 0.4, inverted, correlation)


def test_microphone_pairs_are_aligned_when_they_are_clearly_one_source() -> None:
    tracks = (track("Top", "snare", group="snare"), track("Bottom", "snare", group="snare"))
    decisions = decide(song(*tracks, pairs=[pair()]))
    assert [d.strip for d in decisions if isinstance(d, SetPolarity)] == ["Bottom"]
    assert [(d.strip, d.delay_ms) for d in decisions if isinstance(d, SetDelay)] == [("Top", 0.4)]
    for made in (song(*tracks, pairs=[pair(0.35)]), song(*tracks)):
        assert not [d for d in decide(made) if isinstance(d, (SetPolarity, SetDelay))]


def test_of_three_microphones_the_last_stays_as_it_is() -> None:
    tracks = tuple(track(n, "guitar", group="g") for n in "ABC")
    pairs = [MicrophonePair("A", "B", 1.0, False, 0.9), MicrophonePair("A", "C", 3.0, True, 0.9)]
    decisions = decide(song(*tracks, pairs=pairs))
    assert {d.strip: d.delay_ms for d in decisions if isinstance(d, SetDelay)} == {"A": 3.0, "B": 2.0}
    assert [d.strip for d in decisions if isinstance(d, SetPolarity)] == ["C"]


# Completeness


def as_plan(made, decisions: list[Decision]) -> MixPlan:
    records = [TrackRecord(t.name, t.file, channels=t.channels) for t in made[0].tracks]
    return MixPlan.of(decisions, title="song", sample_rate=RATE, tracks=records)


@pytest.mark.parametrize("options", [None, FAITHFUL])
def test_every_audible_track_has_a_level_and_a_place_and_every_move_a_reason(
    options: TextbookOptions | None,
) -> None:
    made = band(tempo_bpm=100.0)
    decisions = decide(made, options)
    for kind in (SetGain, SetPan):
        assert Counter(
            d.strip for d in decisions if isinstance(d, kind) and d.strip in made[0].names
        ) == Counter(made[0].names)
    known = {rule.id for rule in RuleSet.shipped().rules}
    for decision in decisions:
        reason = decision.reason
        assert reason.text
        assert reason.source
        assert reason.evidence
        assert 0 <= reason.confidence <= 1
        assert decision.by == "textbook"
        assert reason.rule in known or reason.rule.startswith(
            ("textbook.repair", "textbook.master", "textbook.fallback")
        )
    as_plan(made, decisions).check()


def test_without_a_rule_its_moves_are_gone() -> None:
    made = band(tempo_bpm=100.0)
    plain = {(d.strip, d.target) for d in decide(made)}
    for rule in {d.reason.rule for d in decide(made) if isinstance(d, (AddInsert, AddSend))}:
        fewer = decide(made, TextbookOptions(without=rule))
        assert rule not in {d.reason.rule for d in fewer}
        assert not any(rule in note for d in fewer for note in d.reason.notes)
        assert {(d.strip, d.target) for d in fewer} <= plain


def test_an_empty_rule_file_gives_equal_loudness_in_the_center_and_warns(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[meta]\nschema = 1\n")
    made = song(track("A", "kick"), track("B", "lead_voice", "lead"), features={"A": {"lufs": -10.0}})
    decisions = decide(made, TextbookOptions(rules=str(path)))
    found = loudness(made, decisions)
    assert found["A"] == pytest.approx(found["B"], abs=0.02)
    assert set(pans(decisions).values()) == {0.0}
    assert "holds no rules" in next(d for d in decisions if isinstance(d, SetGain)).reason.text


def test_a_missing_rule_file_is_named() -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.toml"):
        TextbookEngine(TextbookOptions(rules="nowhere.toml"))


@pytest.mark.parametrize(
    "tracks",
    [
        (),
        (track("Only", "lead_voice", "lead"),),
        (track("Unknown", confidence=0.0),),
        tuple(track(f"L{n}", "lead_voice", "lead") for n in range(4)),
        tuple(track(f"D{n}", "snare") for n in range(3)),
        tuple(track(f"T{n}", "other", confidence=0.1) for n in range(100)),
    ],
    ids=["none", "one", "no tags", "all leads", "drums only", "hundred"],
)
@pytest.mark.parametrize("options", [None, FAITHFUL, TextbookOptions(features="jarp")])
def test_odd_songs(tracks, options) -> None:
    made = song(*tracks, genre="polka, unheard of")
    decisions = decide(made, options)
    assert np.isfinite([d.gain_db for d in decisions if isinstance(d, SetGain)]).all()
    as_plan(made, decisions).check()


def test_all_silent_gives_mutes_only() -> None:
    decisions = decide(song(track("A"), track("B"), features={"A": {"lufs": None}, "B": {"lufs": None}}))
    assert [type(d) for d in decisions] == [Mute, Mute]


def test_the_engine_is_found_by_name_with_its_options() -> None:
    engine = load_engine("textbook", {"profile": "faithful", "features": "jarp", "edition": "Gibson"})
    assert engine.decide(*band()) == decide(band(), TextbookOptions("faithful", "jarp", "Gibson"))
    with pytest.raises(BadInputError, match="profile"):
        load_engine("textbook", {"profile": "best"})


def test_the_master_stays_at_unity() -> None:
    assert gains(decide(band()))[MASTER] == 0.0
