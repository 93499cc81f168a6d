"""Plans survive JSON: what is written is read back equal, and fits the published schema."""

from __future__ import annotations

import json

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Automate,
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
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.plan_file import plan_from_dict, plan_schema, plan_to_dict, plan_to_json
from tonmeister.strip import Curve

TRACKS = ["Kick", "Größe 🎸", "a.b"]
strip = st.sampled_from(TRACKS)
gain = st.floats(-96, 24)
text = st.text(max_size=20)
reason = st.builds(
    Reason, text, source=text, rule=text, evidence=text, confidence=st.floats(0, 1), notes=st.tuples(text)
)
said = {"reason": reason, "by": st.sampled_from(["user", "textbook", "adaptive"])}
curve = st.lists(
    st.tuples(st.floats(0, 600), st.floats(-96, 24)), min_size=1, max_size=5, unique_by=lambda p: p[0]
).map(lambda points: Curve(*map(tuple, zip(*sorted(points), strict=True))))
decision = st.one_of(
    st.builds(SetGain, strip, gain, **said),
    st.builds(SetPan, strip, st.floats(-1, 1), **said),
    st.builds(AddInsert, strip, st.builds(Gain, st.floats(-90, 40)), st.sampled_from(["", "x"]), **said),
    st.builds(AddInsert, strip, st.none(), st.just("x"), **said),
    st.builds(AddSend, strip, st.just("Bus"), gain, st.booleans(), **said),
    st.builds(SetOutput, strip, st.sampled_from(["Bus", "master"]), **said),
    st.builds(Automate, strip, st.just("gain_db"), curve, **said),
    st.builds(Mute, strip, st.booleans(), **said),
    st.builds(SetDelay, strip, st.floats(0, 200), **said),
    st.builds(SetPolarity, strip, st.booleans(), **said),
    st.builds(Lock, strip, st.sampled_from(["*", "gain_db"]), **said),
)


@given(st.lists(decision, max_size=12), st.dictionaries(text, text, max_size=2), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_json_and_back_is_the_same_plan(decisions: list, options: dict[str, str], seed: int) -> None:
    plan = MixPlan.of(
        [AddBus("Bus"), *decisions],
        title="söng",
        sample_rate=44100,
        tracks=[TrackRecord(name, f"{name}.wav", channels=2, frames=7) for name in TRACKS],
        options=options,
        seed=seed,
        after={"integrated_lufs": -14.0},
    )
    data = json.loads(plan_to_json(plan))
    assert plan_from_dict(data) == plan
    jsonschema.validate(data, plan_schema())
    assert plan_from_dict(data).with_decisions([]).strips == plan.strips


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    plan = MixPlan.of([], title="t", sample_rate=44100, tracks=[TrackRecord("A", "A.wav")])
    data = plan_to_dict(plan)
    data["strips"][0]["gain"] = 3
    validator = jsonschema.Draft202012Validator(plan_schema())
    assert list(validator.iter_errors(data))
