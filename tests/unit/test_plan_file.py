"""Plan files that are not plans: one clear line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tonmeister.decisions import AddBus, AddInsert, AddSend, SetGain, SetOutput
from tonmeister.effects.gain import Gain
from tonmeister.errors import BadInputError, PlanError
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.plan_file import load_plan, plan_to_dict, save_plan


def plan() -> MixPlan:
    return MixPlan.of([SetGain("A", -3)], title="t", sample_rate=44100, tracks=[TrackRecord("A", "A.wav")])


def test_saved_and_loaded(tmp_path: Path) -> None:
    save_plan(plan(), tmp_path / "p.json")
    assert load_plan(tmp_path / "p.json") == plan()
    assert [p.name for p in tmp_path.iterdir()] == ["p.json"]


def test_an_existing_plan_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text("mine")
    with pytest.raises(BadInputError, match="--overwrite"):
        save_plan(plan(), path)
    assert path.read_text() == "mine"
    save_plan(plan(), path, overwrite=True)
    assert load_plan(path) == plan()


def changed(**changes: Any) -> str:
    return json.dumps(plan_to_dict(plan()) | changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "should be an object"),
        ("{}", "schema_version is missing"),
        (changed(schema_version=2), "newer than this tonmeister reads"),
        (changed(tracks=None), "'tracks' is missing"),
        (changed(strps=[]), "did you mean 'strips'"),
        (changed(sample_rate="44100"), "sample_rate='44100'"),
        (changed(target_lufs=float("nan")), "NaN is not a number"),
        (
            changed(strips=[{"name": "A", "gain_db": "loud"}, {"name": "master", "kind": "master"}]),
            "gain_db='loud'",
        ),
        (
            changed(
                strips=[{"name": "A", "gain_db": 500}, {"name": "master", "kind": "master", "output": ""}]
            ),
            "out of range",
        ),
        (
            changed(strips=[{"name": "A", "inserts": [{"effect": {"kind": "os.system"}}]}]),
            "there is no effect 'os.system'",
        ),
        (
            changed(strips=[{"name": "A", "inserts": [{"effect": {"kind": "gain", "x": 1}}]}]),
            "no parameter 'x'",
        ),
        (changed(decisions=[{"decision": "Delete"}]), "there is no decision 'Delete'"),
        (changed(decisions=[{"decision": "SetGain", "strip": "A"}]), "a SetGain is malformed"),
    ],
)
def test_malformed_plans_are_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=said) as caught:
        load_plan(path)
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_binary_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="is not JSON"):
        load_plan(tmp_path / "b.json")


def test_an_edit_by_hand_becomes_a_persons_decision_and_survives_the_next_fold(tmp_path: Path) -> None:
    made = MixPlan.of(
        [
            AddBus("Bus"),
            AddBus("Room", kind="return"),
            SetOutput("A", "Bus", by="e"),
            SetGain("A", -3, by="e"),
            AddInsert("A", Gain(1), by="e"),
            AddInsert("A", Gain(2), "two", by="e"),
            AddSend("A", "Room", -9.0, by="e"),
        ],
        title="t",
        sample_rate=44100,
        tracks=[TrackRecord("A", "A.wav")],
    )
    data = plan_to_dict(made)
    strip = data["strips"][0]
    strip |= {"gain_db": -5.0, "pan": 0.25, "muted": True, "output": "master", "delay_ms": 1.0}
    strip["inserts"] = [{"slot": "gain", "effect": {"kind": "gain", "gain_db": 4.0}}]
    strip["sends"] = []
    data["strips"].insert(1, {"name": "New", "kind": "bus", "gain_db": -1.0})
    (tmp_path / "p.json").write_text(json.dumps(data))
    loaded = load_plan(tmp_path / "p.json")
    for read in (loaded, loaded.with_decisions([SetGain("A", 0.0, by="e")])):
        a = read["A"]
        assert (a.gain_db, a.pan, a.muted, a.output, a.delay_ms) == (-5.0, 0.25, True, "master", 1.0)
        assert [(i.slot, i.effect) for i in a.inserts] == [("gain", Gain(4.0))]
        assert [s.gain_db for s in a.sends] == [-96.0]
        assert read["New"].gain_db == -1.0
    assert {d.by for d in loaded.decisions[len(made.decisions) :]} == {"user"}
