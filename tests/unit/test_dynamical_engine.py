"""The engine dynamical: rides within limits, alone, after another engine and while the music plays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers_features import song, track
from tonmeister.decisions import Automate, Decision, SetGain
from tonmeister.engines import load_engine
from tonmeister.engines.base import CausalEngine, CorrectedMixer, LiveMove
from tonmeister.engines.dynamical.causal import CausalInference
from tonmeister.engines.dynamical.engine import DynamicalEngine, infer
from tonmeister.engines.dynamical.groups import grouped
from tonmeister.engines.dynamical.model import DynamicalModel, load_dynamical
from tonmeister.engines.dynamical.options import DynamicalOptions
from tonmeister.engines.dynamical.rides import frozen, limited, rides
from tonmeister.engines.dynamical.state_space import Estimates, KalmanFilter
from tonmeister.errors import BadInputError, ModelError
from tonmeister.features import MultitrackFeatures
from tonmeister.model_files.store import load_model, save_model
from tonmeister.moves import parse_move
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import decide
from tonmeister.training.dynamical.data import SongFrames, training_song
from tonmeister.training.dynamical.recipe import Choice, learn, write_model

WINDOWS = 120
BAND = (
    track("Vox", "lead_voice", "lead"), track("Kick", "kick"), track("Snare", "snare"),
    track("Bass", "bass"), track("Gtr", "electric_guitar"),
)  # fmt: skip


def frames(name: str, seed: int = 0) -> np.ndarray:
    """Band powers that go up and down by some 10 dB over half a minute."""
    rng = np.random.default_rng([seed, *name.encode()])
    level_db = -35.0 + 8.0 * np.sin(np.arange(WINDOWS) / rng.uniform(5.0, 12.0) + rng.uniform(0.0, 6.0))
    tilt_db = np.linspace(0.0, -rng.uniform(5.0, 30.0), 30)
    return (10.0 ** ((level_db[:, None] + tilt_db) / 10.0)).astype(np.float32)


def band(**bands: np.ndarray) -> tuple[Multitrack, MultitrackFeatures]:
    told: dict[str, dict[str, Any]] = {t.name: {"band_frames": frames(t.name)} for t in BAND}
    for name, powers in bands.items():
        told[name] = {"band_frames": powers}
    return song(*BAND, features=told)


def curves(decisions: list[Decision]) -> dict[str, Automate]:
    return {d.strip: d for d in decisions if isinstance(d, Automate)}


def levels(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in decisions if isinstance(d, SetGain)}


def test_every_track_gets_a_level_and_some_a_ride_that_says_what_moves_it() -> None:
    decisions = list(load_engine("dynamical", {"smoothness": "0"}).decide(*band()))
    assert set(levels(decisions)) == {*(t.name for t in BAND), "drums bus"}
    assert curves(decisions)
    for ride in curves(decisions).values():
        assert "when it rises" in ride.reason.text
        assert ride.reason.rule.startswith("dynamical.ride.")
        assert 0.0 <= ride.reason.confidence <= 1.0
        assert ride.by == "dynamical"


def test_rides_keep_their_range_and_their_speed() -> None:
    rng = np.random.default_rng(1)
    wild = 40.0 * rng.standard_normal((WINDOWS, 2))
    estimates = Estimates(wild, np.tile(1e-4 * np.eye(2), (WINDOWS, 1, 1)), np.zeros((WINDOWS, 2, 3)))
    for ride in rides(estimates, np.ones((WINDOWS, 2), bool), DynamicalOptions(smoothness=0.0)):
        assert np.abs(ride.deviation_db).max() <= 6.0
        assert np.abs(np.diff(ride.deviation_db)).max() <= 6.0 * 0.25 + 1e-9
    faithful = rides(estimates, np.ones((WINDOWS, 2), bool), DynamicalOptions(profile="faithful"))
    assert np.abs(faithful[0].deviation_db).max() > 6.0


def test_what_is_less_sure_moves_less_and_smoothness_calms() -> None:
    path = 4.0 * np.sin(np.arange(WINDOWS) / 4.0)[:, None]
    sounds = np.ones((WINDOWS, 1), bool)

    def reach(sd_db: float, smoothness: float) -> float:
        spread = np.full((WINDOWS, 1, 1), sd_db**2)
        estimates = Estimates(path, spread, np.zeros((WINDOWS, 1, 1)))
        return float(
            np.ptp(rides(estimates, sounds, DynamicalOptions(smoothness=smoothness))[0].deviation_db)
        )

    assert reach(6.0, 0.0) < 0.5 * reach(0.1, 0.0)
    assert reach(0.1, 1.0) < 0.6 * reach(0.1, 0.5) < 0.6 * reach(0.1, 0.0)


def test_a_fader_holds_while_nothing_sounds() -> None:
    path, sounds = np.arange(8.0), np.array([0, 0, 1, 1, 0, 0, 1, 0], bool)
    assert frozen(path, sounds).tolist() == [2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 6.0, 6.0]
    assert limited(np.array([0.0, 9.0, 9.0]), 6.0, 1.5).tolist() == [0.0, 1.5, 3.0]


def test_tracks_of_a_group_stand_equally_loud_on_a_bus_that_moves() -> None:
    multitrack, features = band()
    plan = decide(multitrack, features, engine="dynamical", options={"smoothness": "0"})
    assert plan["Kick"].output == plan["Snare"].output == "drums bus"
    assert plan["drums bus"].kind == "bus"
    assert plan["Vox"].output == "master"
    for name in ("Kick", "Snare"):
        assert "gain_db" not in plan[name].automation
        assert plan[name].gain_db + (features[name].integrated_lufs or 0.0) == pytest.approx(-26.01, abs=0.01)
    taken = (*BAND, track("drums bus", "synth"))
    again = decide(
        *song(*taken, features={t.name: {"band_frames": frames(t.name)} for t in taken}), engine="dynamical"
    )
    assert again["Kick"].output == "drums bus_"
    assert again["drums bus"].kind == "track"


def test_breakpoints_stay_within_a_quarter_of_a_decibel() -> None:
    multitrack, features = band()
    engine = DynamicalEngine(DynamicalOptions(smoothness=0.2))
    model = load_dynamical("dynamical")
    inferred = infer(multitrack, features, model)
    decided = list(engine.decide(multitrack, features))
    found = rides(inferred.estimates, inferred.active, DynamicalOptions(smoothness=0.2))
    for k, (group, names) in enumerate(inferred.members.items()):
        for name in (n for n in (*names, f"{group} bus") if n in curves(decided)):
            curve = curves(decided)[name].curve
            line = np.interp(inferred.times_s, curve.times_s, curve.values)
            wanted = levels(decided)[name] + found[k].deviation_db
            assert np.abs(line - wanted).max() <= 0.25 + 1e-9
            assert len(curve.times_s) < WINDOWS / 2


@pytest.mark.parametrize("first", ["loudness", "sum", "textbook"])
def test_after_another_engine_the_rides_go_around_its_faders(first: str) -> None:
    multitrack, features = band()
    alone = decide(multitrack, features, engine=first)
    both = decide(multitrack, features, engine=f"{first}+dynamical", options={"smoothness": "0"})
    moving = [t.name for t in BAND if "gain_db" in both[t.name].automation]
    assert moving
    for t in BAND:
        assert both[t.name].pan == alone[t.name].pan
        curve = both[t.name].automation.get("gain_db")
        if curve is None:
            assert both[t.name].gain_db == alone[t.name].gain_db
        else:
            assert np.abs(np.array(curve.values) - alone[t.name].gain_db).max() <= 6.3
    assert {i.effect.kind for t in BAND for i in both[t.name].inserts} == {
        i.effect.kind for t in BAND for i in alone[t.name].inserts
    }


def test_any_engines_can_be_chained_and_the_later_one_wins() -> None:
    multitrack, features = band()
    both = decide(multitrack, features, engine="sum+loudness")
    loudness = decide(multitrack, features, engine="loudness")
    assert [both[t.name].gain_db for t in BAND] == [loudness[t.name].gain_db for t in BAND]


def test_locks_and_a_persons_level_survive() -> None:
    multitrack, features = band()
    wanted = {"engine": "loudness+dynamical", "options": {"smoothness": "0"}}
    free = decide(multitrack, features, **wanted)
    plan = decide(
        multitrack,
        features,
        locks=["Bass"],
        moves=[parse_move("Vox.gain_db+=2"), parse_move("Gtr.gain_db=-3")],
        **wanted,
    )
    trimmed, before = plan["Vox"].automation["gain_db"], free["Vox"].automation["gain_db"]
    np.testing.assert_allclose(np.subtract(trimmed.values, before.values), 2.0, atol=1e-6)
    assert "gain_db" in free["Bass"].automation
    assert "gain_db" not in plan["Bass"].automation
    assert plan["Gtr"].gain_db == -3.0
    assert "gain_db" not in plan["Gtr"].automation


def test_the_shipped_model_is_stable_small_and_says_what_it_saw() -> None:
    model, card = load_dynamical("dynamical"), load_model("dynamical", kind="dynamical").card
    assert model.system.spectral_radius <= 1.0 + 1e-9
    assert card.bytes < 2**20
    assert any("synthesized" in data.name for data in card.training_data)
    table = card.metrics["leave one song out, mean squared error in dB^2"]
    means = {name: np.mean(list(row.values())) for name, row in table.items()}
    papers = ("mean", "regression", "regression non-negative", "regression smoothed", "system smoother")
    assert all(means["improved smoother"] < 0.95 * means[name] for name in papers)


# While the music plays


def powers(t: int, names: list[str], seed: int = 0) -> dict[str, np.ndarray]:
    return {name: frames(name, seed)[t] for name in names}


def test_causal_inference_is_the_filter_and_reads_no_later_window() -> None:
    model = load_dynamical("dynamical")
    members = grouped(BAND, model.scheme)
    names = [t.name for t in BAND]
    first, second = CausalInference(model, members), CausalInference(model, members)
    for t in range(40):
        a, b = first.update(powers(t, names)), second.update(powers(t, names, 0 if t < 20 else 1))
        assert np.array_equal(a.mean_db, b.mean_db) == (t < 20)
    assert np.abs(a.mean_db).max() < 30.0


def test_causal_inference_equals_the_filter_on_what_it_observed() -> None:
    model = replace(load_dynamical("dynamical"), normalization="set")
    members, names = grouped(BAND, model.scheme), [t.name for t in BAND]
    machine = CausalInference(model, members)
    seen: list[np.ndarray] = []
    inner = machine._filter.update
    machine._filter.update = lambda y: (seen.append(y), inner(y))[1]  # type: ignore[method-assign,assignment,func-returns-value]
    steps = [machine.update(powers(t, names)).mean_db for t in range(30)]
    again = KalmanFilter(model.observer(False))
    np.testing.assert_allclose(steps, [again.update(y[: len(y) - 5]).mean for y in seen], atol=1e-9)


def test_causal_inference_tends_to_what_the_whole_song_says() -> None:
    model = load_dynamical("dynamical")
    members, names = grouped(BAND, model.scheme), [t.name for t in BAND]
    multitrack, features = band()
    offline = infer(multitrack, features, model)
    machine = CausalInference(model, members)
    steps = np.array([machine.update(powers(t, names)).mean_db for t in range(WINDOWS)])
    late, k = slice(WINDOWS // 2, None), list(members).index("vocals")
    assert np.corrcoef(steps[late, k], offline.estimates.means[late, k])[0, 1] > 0.8


def test_a_hand_is_learned_as_an_offset_and_rides_go_on_around_it() -> None:
    model = load_dynamical("dynamical")
    members, names = grouped(BAND, model.scheme), [t.name for t in BAND]
    free, trimmed = CausalInference(model, members), CausalInference(model, members)
    k = list(members).index("vocals")
    a = b = free.update(powers(0, names))
    trimmed.update(powers(0, names))
    for t in range(1, 60):
        if t == 30:
            trimmed.hand(k, float(a.mean_db[k]) + 4.0)
        a, b = free.update(powers(t, names)), trimmed.update(powers(t, names))
    assert b.offset_db[k] == pytest.approx(4.0, abs=1.0)
    assert np.abs(np.delete(b.offset_db, k)).max() < 0.5
    assert float(b.mean_db[k] - a.mean_db[k]) == pytest.approx(0.0, abs=1.0), "the offset is no ride"
    assert a.offset_db.tolist() == [0.0] * len(members)


class Played:
    """What a desk would tell of the first windows of the band."""

    position = None

    def __init__(self) -> None:
        self.time_s, self.momentary_lufs = 0.0, {}

    def recent(self, seconds: float) -> MultitrackFeatures:
        last = int((self.time_s - 1.0) / 0.25 + 1e-6)
        first = last - round((seconds - 1.0) / 0.25)
        return band(**{t.name: frames(t.name)[first : last + 1] for t in BAND})[1]


def test_at_the_desk_faders_move_around_where_they_stood() -> None:
    multitrack, features = band()
    engine = load_engine("dynamical")
    assert isinstance(engine, CausalEngine)
    plan = decide(multitrack, features, engine="loudness")
    mixer, heard = engine.start(multitrack, plan), Played()
    moves: list[LiveMove] = []
    while heard.time_s < 20.0:
        heard.time_s += 0.1
        asked = list(mixer.update(heard))
        assert heard.time_s >= 1.0 - 1e-9 or not asked
        moves += asked
    assert moves
    for move in moves:
        assert isinstance(move.decision, SetGain)
        assert abs(move.decision.gain_db - plan[move.decision.strip].gain_db) <= 6.01


def test_where_a_hand_leaves_a_fader_it_stays_and_rides_go_on() -> None:
    multitrack, features = band()
    engine = load_engine("dynamical")
    assert isinstance(engine, CausalEngine)
    plan = decide(multitrack, features, engine="loudness")
    mixer, heard = engine.start(multitrack, plan), Played()
    assert isinstance(mixer, CorrectedMixer)
    at = {t.name: plan[t.name].gain_db for t in BAND}
    before = dict(at)
    moved_by: list[float] = []
    for step in range(280):
        heard.time_s += 0.1
        if step == 120:
            before = dict(at)
            at["Vox"] += 5.0
            mixer.stands(SetGain("Vox", at["Vox"]))
        for move in mixer.update(heard):
            assert isinstance(move.decision, SetGain)
            if step >= 120 and move.decision.strip == "Vox":
                moved_by.append(move.decision.gain_db - at["Vox"])
                assert "learned from your hand" in move.decision.reason.text
            at[move.decision.strip] = move.decision.gain_db
    assert moved_by, "the fader still rides"
    assert np.abs(moved_by).max() < 3.0, "nothing takes the fader back"
    assert at["Vox"] - before["Vox"] > 2.0
    assert abs(at["Bass"] - before["Bass"]) < 4.0


# Models and bad input


def learning_song(
    title: str, seed: int, instruments: tuple[str, ...] = ("lead_voice", "bass", "kick")
) -> SongFrames:
    tracks = tuple(track(name, name) for name in instruments)
    raw = {t.name: frames(t.name, seed) for t in tracks}
    ride = 10.0 ** (0.2 * np.sin(np.arange(WINDOWS) / 9.0))[:, None]
    return SongFrames(
        title, title, tracks, {t.name: -20.0 for t in tracks}, raw,
        {name: (powers * ride).astype(np.float32) for name, powers in raw.items()},
    )  # fmt: skip


@pytest.fixture(scope="module")
def learned_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DynamicalModel]:
    learned = learn([learning_song(str(i), i) for i in range(3)], choice=Choice())
    path = tmp_path_factory.mktemp("models") / "mine.npz"
    write_model(path, learned, recipe={"command": "test"}, data=())
    return path, learned.model


def test_a_model_is_read_as_it_was_written(learned_file: tuple[Path, DynamicalModel]) -> None:
    path, model = learned_file
    again = load_dynamical(path)
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)
    assert again.settings() == model.settings()
    multitrack, features = band()
    assert list(load_engine("dynamical", {"model": str(path)}).decide(multitrack, features))


@pytest.mark.parametrize(
    "settings",
    [
        {"version": 1},
        {"scheme": "later"},
        {"columns": ["bass:own:color"]},
        {"columns": []},
        {"groups": ["bass"]},
        {"normalization": "sideways"},
    ],
)
def test_a_model_of_another_version_is_refused(
    settings: dict[str, Any], learned_file: tuple[Path, DynamicalModel], tmp_path: Path
) -> None:
    _, model = learned_file
    card = load_model(learned_file[0], kind="dynamical").card
    path = tmp_path / "other.npz"
    save_model(path, model.arrays(), replace(card, settings={**model.settings(), **settings}))
    with pytest.raises(ModelError, match="learn the model again"):
        load_engine("dynamical", {"model": str(path)})


def test_foreign_and_missing_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_engine("dynamical", {"model": "identifier-baseline"})
    with pytest.raises(ModelError):
        load_engine("dynamical", {"model": str(tmp_path / "none.npz")})


def test_one_song_is_too_few() -> None:
    with pytest.raises(BadInputError, match="songs=1"):
        learn([learning_song("only", 0)], choice=Choice())


def test_songs_with_different_instruments_and_constant_features_are_learned_from() -> None:
    still = learning_song("still", 3)
    flat = {name: np.ones((WINDOWS, 30), np.float32) * 1e-4 for name in still.raw}
    songs = [
        learning_song("a", 0), learning_song("b", 1, ("electric_guitar", "bass")),
        learning_song("c", 2, ("lead_voice", "kick")), replace(still, raw=flat, mixed=flat),
    ]  # fmt: skip
    model = learn(songs, choice=Choice("selected")).model
    assert all(np.isfinite(array).all() for array in model.arrays().values())


def test_silent_mixes_have_no_gains_to_learn() -> None:
    song_frames = learning_song("silent", 0)
    quiet = replace(song_frames, mixed={name: np.zeros_like(p) for name, p in song_frames.mixed.items()})
    assert not np.isfinite(training_song(quiet, "paper", ("bass:own:level",)).weights).any()
    with pytest.raises(BadInputError, match="no track is heard"):
        learn([quiet, replace(quiet, title="again", artist="again")], choice=Choice())


def test_a_silent_track_or_a_short_song_is_no_trouble() -> None:
    multitrack, features = band(Vox=np.zeros((WINDOWS, 30), np.float32))
    assert "Vox" not in curves(list(load_engine("dynamical").decide(multitrack, features)))
    short = band(**{t.name: frames(t.name)[:1] for t in BAND})
    assert not curves(list(load_engine("dynamical").decide(*short)))
