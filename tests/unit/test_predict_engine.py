"""The engine predict: laws of a set network, takes, chains, and what is left out."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makers import band, write_folder
from makers_features import song, track
from tonmeister.cli import run
from tonmeister.decisions import AddBus, AddInsert, AddSend, Decision, SetGain, SetPan
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.engines.base import decide_in_turn, load_engine
from tonmeister.engines.predict.chain import chain_of
from tonmeister.engines.predict.engine import PredictEngine
from tonmeister.engines.predict.measures import columns, input_names, measures
from tonmeister.engines.predict.model import MAX_BYTES, load_console_model
from tonmeister.engines.predict.options import PredictOptions
from tonmeister.engines.predict.outputs import (
    CONTROLS,
    EQ,
    WANTED,
    Prediction,
    eq_basis_db,
    equalizer,
    number,
    numbers,
)
from tonmeister.engines.predict.takes import drawn
from tonmeister.errors import BadInputError, ModelError
from tonmeister.features import MultitrackFeatures
from tonmeister.model_files.store import MODELS_FOLDER
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import PARAMETERS

BAND = (
    ("Kick", "kick", "foreground"), ("Snare", "snare", "foreground"), ("Bass", "electric_bass", "foreground"),
    ("Gtr 1", "electric_guitar", "foreground"), ("Gtr 2", "electric_guitar", "foreground"),
    ("Vox", "lead_voice", "lead"), ("Choir", "backing_voice", "background"),
)  # fmt: skip
STEREO = {"Gtr 1": 0.4, "Choir": -0.1}


def the_band(*, louder_db: float = 0.0, lean: float = 1.0) -> tuple[Multitrack, MultitrackFeatures]:
    """Seven tracks, two of them stereo and leaning to a side; `louder_db` turns all up."""
    spectrum = np.linspace(-25.0, -45.0, 30).astype(np.float32)
    facts = {
        name: {
            "lufs": -20.0 - i + louder_db, "rms_db": -20.0 - i + louder_db, "peak_db": -6.0 - i + louder_db,
            "third_octave_db": np.roll(spectrum, 2 * i) + np.float32(louder_db),
            **({"imbalance": lean * STEREO[name]} if name in STEREO else {}),
        }
        for i, (name, _, _) in enumerate(BAND)
    }  # fmt: skip
    tracks = [track(n, i, r, channels=2 if n in STEREO else 1) for n, i, r in BAND]
    return song(*tracks, features=facts, tempo_bpm=120.0)


def decisions(of: tuple[Multitrack, MultitrackFeatures], seed: int = 0, **options: object) -> list[Decision]:
    return list(PredictEngine(PredictOptions(**options), seed=seed).decide(*of))  # type: ignore[arg-type]


def faders(made: Sequence[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in made if isinstance(d, SetGain)}


def pans(made: Sequence[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in made if isinstance(d, SetPan)}


def reordered(
    of: tuple[Multitrack, MultitrackFeatures], order: Sequence[int]
) -> tuple[Multitrack, MultitrackFeatures]:
    multitrack, features = of
    tracks = tuple(multitrack.tracks[i] for i in order)
    again = dataclasses.replace(features, tracks={t.name: features[t.name] for t in tracks})
    return dataclasses.replace(multitrack, tracks=tracks), again


@given(order=st.permutations(range(len(BAND))))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_tracks_changes_nothing(order: list[int]) -> None:
    whole = the_band()
    assert decisions(reordered(whole, order)) == decisions(whole)


def test_the_network_itself_does_not_mind_the_order() -> None:
    multitrack, features = the_band()
    rows = [(t, features[t.name]) for t in multitrack.tracks]
    model = load_console_model("predict")
    forward, backward = model.predict(rows), model.predict(rows[::-1])[::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_allclose(one.mean, other.mean, atol=1e-4)
        np.testing.assert_allclose(one.spread, other.spread, atol=1e-4)


@pytest.mark.parametrize("louder_db", [-20.0, 7.0])
def test_louder_tracks_get_lower_faders_and_nothing_else(louder_db: float) -> None:
    plain, louder = decisions(the_band()), decisions(the_band(louder_db=louder_db))
    before, after = faders(plain), faders(louder)
    for name, level in after.items():
        if name in {n for n, _, _ in BAND}:
            assert level == pytest.approx(before[name] - louder_db, abs=0.1)
    assert pans(louder) == pans(plain)


def test_left_and_right_exchanged_exchange_the_pans() -> None:
    plain, mirrored = decisions(the_band(), confidence=0.0), decisions(the_band(lean=-1.0), confidence=0.0)
    assert faders(plain) == faders(mirrored)
    assert any(pans(plain).values())
    assert pans(mirrored) == {name: -pan + 0.0 for name, pan in pans(plain).items()}


def test_the_sides_stay_in_balance() -> None:
    many = song(*(track(f"Gtr {i}", "electric_guitar") for i in range(8)))
    placed = [p for p in pans(decisions(many, confidence=0.0)).values() if p]
    assert len(placed) >= 4
    assert abs(sum(placed)) <= max(abs(p) for p in placed) + 1e-9


def test_the_lead_voice_stands_above_the_choir() -> None:
    multitrack, features = the_band()
    said = load_console_model("predict").predict([(t, features[t.name]) for t in multitrack.tracks])
    level = {t.name: one["level_lu"] for t, one in zip(multitrack.tracks, said, strict=True)}
    assert level["Vox"] > level["Choir"] + 2.0
    assert sum(level.values()) == pytest.approx(0.0, abs=1e-3)


def test_takes_differ_repeat_and_stay_within_limits() -> None:
    first = decisions(the_band())
    takes = {take: decisions(the_band(), take=take) for take in (2, 3, 4)}
    assert decisions(the_band(), take=3) == takes[3]
    assert decisions(the_band(), seed=1, take=3) != takes[3]
    assert decisions(the_band(), seed=5) == first
    whole = [faders(made) for made in (first, *takes.values())]
    assert all(one != other for i, one in enumerate(whole) for other in whole[:i])
    for made in takes.values():
        assert all(level in PARAMETERS["gain_db"] for level in faders(made).values())
        assert all(abs(pan) <= number("pan.largest") for pan in pans(made).values())
        for name, level in faders(made).items():
            assert abs(level - faders(first).get(name, level)) < 15.0


def test_a_draw_stays_within_the_reach_of_the_spread() -> None:
    one = Prediction(np.zeros(11), np.linspace(0.1, 2.0, 11), np.full(2, 0.5), np.ones(11))
    for take in range(2, 30):
        (moved,) = drawn([one], seed=0, take=take)
        assert (np.abs(moved.mean) <= number("take.reach") * one.spread + 1e-12).all()
        assert ((moved.wanted >= 0) & (moved.wanted <= 1)).all()


@pytest.mark.parametrize("count", [1, 2, 30, 100])
def test_any_number_of_tracks_makes_a_plan(count: int) -> None:
    kinds = ("kick", "electric_bass", "lead_voice", "piano", "other")
    made = song(
        *(track(f"T{i:03}", kinds[i % 5], "foreground", channels=1 + i % 2) for i in range(count)),
        features={"T000": {"band_frames": np.ones((8, 30), np.float32)}},
    )
    plan = plan_of(made, decisions(made))
    assert len(faders(plan.decisions)) >= count
    assert all(np.isfinite(s.gain_db) for s in plan.strips)


def plan_of(made: tuple[Multitrack, MultitrackFeatures], of: Sequence[Decision]) -> MixPlan:
    records = [TrackRecord(t.name, t.name) for t in made[0].tracks]
    return MixPlan.of(of, title="song", sample_rate=made[0].sample_rate, tracks=records)


def test_silent_tracks_are_left_at_unity_and_change_nothing() -> None:
    multitrack, features = the_band()
    tracks = (*multitrack.tracks, track("Empty"))
    silent = song(track("Empty"), features={"Empty": {"lufs": None}})
    both = dataclasses.replace(features, tracks={**features.tracks, **silent[1].tracks})
    made = decisions((dataclasses.replace(multitrack, tracks=tracks), both))
    assert faders(made)["Empty"] == 0.0
    assert [d for d in made if d.strip != "Empty"] == decisions(the_band())
    assert decisions(silent) == [] or faders(decisions(silent)) == {"Empty": 0.0}


def test_every_decision_says_why_and_how_sure_it_is() -> None:
    for decision in decisions(the_band(), confidence=0.0):
        assert decision.by == "predict"
        assert decision.reason.text.endswith(".")
        assert decision.reason.rule.startswith("predict.")
        assert 0.0 <= decision.reason.confidence <= 1.0


def test_more_confidence_asked_leaves_more_out() -> None:
    counts = []
    for least in (0.0, 0.3, 0.95):
        engine = PredictEngine(PredictOptions(confidence=least))
        counts.append(len([d for d in engine.decide(*the_band()) if not isinstance(d, SetGain)]))
    assert counts[0] > counts[2]
    assert counts == sorted(counts, reverse=True)
    assert "too uncertain" in "".join(engine.notes)


def certain(**means: float) -> Prediction:
    mean = np.array([means.get(name, 0.0) for name in CONTROLS])
    wanted = np.array([means.get(name, 0.0) for name in WANTED])
    return Prediction(mean, np.full(len(CONTROLS), 0.1), wanted, np.ones(len(CONTROLS)))


def test_a_chain_holds_what_is_sure_large_enough_and_within_limits() -> None:
    _, features = the_band()
    said = certain(eq_1_db=20.0, eq_2_db=0.2, compressed=1.0, threshold_lu=2.0, ratio_log2=2.0)
    chain = chain_of("Kick", said, features["Kick"], {}, 0.2)
    eq = chain.own["equalizer"]
    assert isinstance(eq, Equalizer)
    assert [s.gain_db for s in eq.sections] == [number("eq.largest")]
    assert chain.own["compressor"].ratio == 4.0  # type: ignore[attr-defined]
    unsure = dataclasses.replace(said, spread=np.full(len(CONTROLS), 0.99))
    nothing = chain_of("Kick", unsure, features["Kick"], {}, 0.2)
    assert not nothing.own
    assert nothing.change_db == 0.0
    assert len(nothing.left_out) == 2


def test_after_another_engine_unsure_moves_are_left_to_it() -> None:
    multitrack, features = the_band()
    alone, _ = decide_in_turn(["textbook"], {}, multitrack, features)
    both, _ = decide_in_turn(["textbook", "predict"], {"predict": {"confidence": "1"}}, multitrack, features)
    assert both == alone
    more, _ = decide_in_turn(["textbook", "predict"], {"predict": {"confidence": "0"}}, multitrack, features)
    own = [d for d in more if d.by == "predict"]
    assert faders(own)
    assert not [d for d in own if isinstance(d, (AddSend, AddBus))]
    plan = plan_of((multitrack, features), more)
    assert any(isinstance(d, AddInsert) for d in more)
    assert len(plan.strips) >= len(BAND) + 1


def test_columns_follow_their_names_and_do_not_depend_on_levels() -> None:
    multitrack, features = the_band()
    kept = [measures(t, features[t.name]) for t in multitrack.tracks]
    table = columns(kept)
    assert table.shape == (len(BAND), len(input_names()))
    louder = [dataclasses.replace(m, spectrum_db=m.spectrum_db + 9.0) for m in kept]
    np.testing.assert_allclose(columns(louder), table, atol=1e-9)
    np.testing.assert_allclose(columns(kept[::-1])[::-1], table, atol=1e-12)
    assert table[5, input_names().index("role.lead")] == 1.0
    assert table[0, input_names().index("instrument.drums")] == 1.0


def test_the_six_bands_add_up_nearly_as_the_basis_says() -> None:
    gains = np.array([2.0, -1.5, 1.0, 2.5, -2.0, 3.0])
    from tonmeister.dsp.bands import exact_centers_hz

    true = 20.0 * np.log10(np.abs(equalizer(gains).response(exact_centers_hz(3), 48_000)))
    np.testing.assert_allclose(gains @ eq_basis_db(), true, atol=0.35)
    assert len(EQ) == len(numbers("eq.frequency"))
    assert equalizer([0.0] * 6).sections == ()
    assert isinstance(equalizer([1.0] * 6).sections[0], EqSection)


def test_the_shipped_model_is_small_and_its_card_tells_its_figures() -> None:
    model = load_console_model("predict")
    card = model.model.card
    assert 0 < card.bytes < MAX_BYTES
    assert card.licence == "MIT"
    assert "train predict" in card.recipe["command"]
    balance = next(v for k, v in card.metrics.items() if k.startswith("balance"))
    assert {"predict", "textbook", "sum", "random", "loudness"} <= set(balance)
    assert balance["predict"]["mae_lu"] < min(
        balance[name]["mae_lu"] for name in ("sum", "random", "loudness")
    )
    level = next(v for k, v in card.metrics.items() if k.startswith("controls"))["level_lu"]
    assert 0.55 < level["within_1"] < 0.85
    assert 0.8 < level["within_1.645"] <= 0.98


def test_a_model_with_other_controls_is_refused(tmp_path: Path) -> None:
    for ending in ("onnx", "json"):
        shutil.copy(MODELS_FOLDER / f"predict.{ending}", tmp_path / f"mine.{ending}")
    card = json.loads((tmp_path / "mine.json").read_text())
    for change, words in (
        ({"controls": ["level_lu"]}, "controls"), ({"prior": [1.0] * 10 + [0.0]}, "prior spread"),
        ({"inputs": ["something else"]}, "something else"),
    ):  # fmt: skip
        changed = {**card, "settings": {**card["settings"], **change}}
        (tmp_path / "mine.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=words):
            load_console_model(str(tmp_path / "mine.onnx"))
    with pytest.raises(ModelError, match="instrument-classifier"):
        load_console_model("identifier")


@pytest.mark.parametrize("options", [{"take": "0"}, {"confidence": "2"}, {"take": "x"}])
def test_impossible_options_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadInputError):
        load_engine("predict", options)


def test_the_verb_mixes_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "song", band(1.2))
    asked = ["mix", str(folder), "--engine", "predict", "--names-only", "--quiet", "-o"]
    assert run([*asked, str(tmp_path / "a.wav")]) == 0
    assert run([*asked, str(tmp_path / "b.wav"), "--option", "take=2"]) == 0
    assert (tmp_path / "a.wav").read_bytes() != (tmp_path / "b.wav").read_bytes()
    assert run([*asked, str(tmp_path / "c.wav"), "--option", "takes=2"]) == 2
    assert "has no option" in capsys.readouterr().err
