"""Matching comes closer to a reference, finds known faders, leaves a person's moves alone, and refuses what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from makers import multitrack, plan_for
from tonmeister.analysis import analyze, measure
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.decisions import AddInsert, Decision, Lock, Reason, SetGain, SetPan
from tonmeister.dsp.loudness import loudness_range_lu
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.width import Width
from tonmeister.errors import BadInputError
from tonmeister.matching import match
from tonmeister.matching.desk import BY, Desk
from tonmeister.matching.excerpt import Excerpt, mid_side_powers
from tonmeister.matching.matcher import Matched
from tonmeister.matching.numbers import number, pair
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.plan_file import load_plan
from tonmeister.render import render

RATE = 32_000
SECONDS = 8.0
GAINS_DB = {"Drums": -3.0, "Bass": -7.0, "Keys": -12.0, "Voice": -1.0}
PANS = {"Drums": 0.0, "Bass": 0.0, "Keys": 0.6, "Voice": -0.3}


def song(seed: int = 0, *, tilt: float = 0.0) -> Multitrack:
    """Four sources that overlap; `tilt` darkens (below 0) or brightens all of them."""
    random = np.random.default_rng(seed)
    times = np.arange(int(SECONDS * RATE)) / RATE
    noise = random.standard_normal((4, len(times)))
    beat = np.exp(-8.0 * (times % 0.5))
    low = np.convolve(noise[1], np.ones(60) / 8, "same")
    notes = sum(np.sin(2 * np.pi * f * times + f) for f in (220, 277, 330, 554, 831))
    voice = sum(np.sin(2 * np.pi * k * 240 * times) / k for k in range(1, 12)) * (1 + 0.4 * np.sin(3 * times))
    made = (noise[0] * beat, low, notes * (1 + 0.3 * noise[2]) / 4, voice + 0.1 * noise[3])
    return multitrack(
        *(
            (name, Audio((0.08 * _tilted(x, tilt))[None], RATE))
            for name, x in zip(GAINS_DB, made, strict=True)
        )
    )


def _tilted(signal: np.ndarray, db_per_octave: float) -> np.ndarray:
    frequency = np.maximum(np.fft.rfftfreq(len(signal), 1 / RATE), 20.0)
    gains = 10.0 ** (db_per_octave * np.log2(frequency / 1000.0) / 20.0)
    return np.asarray(np.fft.irfft(np.fft.rfft(signal) * gains, len(signal)))


def console(gains_db: dict[str, float], pans: dict[str, float]) -> list[Decision]:
    return [
        *(SetGain(name, value, by="test") for name, value in gains_db.items()),
        *(SetPan(name, value, by="test") for name, value in pans.items()),
    ]


def written(path: Path, audio: Audio) -> Path:
    soundfile.write(str(path), audio.samples.T, audio.sample_rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def own_mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix of the song's own tracks, faders and pans known."""
    made = song()
    path = tmp_path_factory.mktemp("matching") / "own.wav"
    return written(path, render(made, plan_for(made, console(GAINS_DB, PANS))))


@pytest.fixture(scope="module")
def dark_mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another song, darker and wider."""
    other = song(7, tilt=-2.0)
    places = {"Drums": 0.7, "Bass": -0.7, "Keys": 0.9, "Voice": -0.5}
    path = tmp_path_factory.mktemp("matching") / "dark.wav"
    return written(path, render(other, plan_for(other, console(dict.fromkeys(GAINS_DB, -4.0), places))))


def matched(made: Multitrack, decisions: list[Decision], reference: Path) -> Matched:
    return match(made, analyze(made), plan_for(made, decisions), reference)


WRONG = [
    SetGain("Drums", -14.0, by="engine"),
    SetGain("Voice", 6.0, by="engine"),
    SetPan("Voice", 0.8, by="engine"),
    AddInsert("Keys", Equalizer((EqSection("peak", 800.0, 9.0),)), by="engine"),
    AddInsert("master", Compressor(-40.0, 4.0), by="engine"),
]

EVEN = console(dict.fromkeys(GAINS_DB, -6.0), {"Drums": 0.3, "Bass": -0.3, "Keys": 0.4, "Voice": -0.2})


def test_the_faders_and_pans_of_a_mix_of_the_same_tracks_are_found(own_mix: Path) -> None:
    found = matched(song(), WRONG, own_mix)
    assert found.same_song
    assert found.after < 0.2 * found.plain_sum
    assert found.after < 0.2 * found.before
    for name, gain_db in GAINS_DB.items():
        assert found.plan[name].gain_db == pytest.approx(gain_db, abs=0.5)
        assert found.plan[name].pan == pytest.approx(PANS[name], abs=0.05)
        assert found.plan[name].inserts == ()
    assert found.plan["master"].inserts == ()


def test_every_move_says_why_and_the_distance_is_told(own_mix: Path) -> None:
    plan = matched(song(), WRONG, own_mix).plan
    moves = [d for d in plan.decisions if d.by == BY]
    assert moves
    assert all(d.reason.text and d.reason.evidence and d.reason.rule.startswith("match.") for d in moves)
    assert any("made of these tracks" in note and "matched" in note for note in plan.notes)


def test_what_a_person_decided_or_locked_stays(own_mix: Path) -> None:
    mine = [SetGain("Keys", 3.0), Lock("Voice"), SetGain("Voice", -20.0, by="engine")]
    plan = matched(song(), mine, own_mix).plan
    assert plan["Keys"].gain_db == 3.0
    assert plan["Voice"].gain_db == 0.0
    assert plan["Voice"].pan == 0.0
    assert plan["Drums"].gain_db == pytest.approx(GAINS_DB["Drums"], abs=0.5)


def test_the_same_plan_comes_out_again(own_mix: Path, dark_mix: Path) -> None:
    for reference in (own_mix, dark_mix):
        first, second = (matched(song(), WRONG, reference) for _ in range(2))
        assert first.plan == second.plan
        assert first.after == second.after


def test_another_song_lends_its_balance_within_limits(dark_mix: Path) -> None:
    found = matched(song(), EVEN, dark_mix)
    assert not found.same_song
    assert found.after < 0.7 * found.before
    for name in GAINS_DB:
        assert abs(found.plan[name].gain_db + 6.0) <= number("level.most") + 1e-9
    low, high = pair("width.range")
    for insert in found.plan["master"].inserts:
        for section in getattr(insert.effect, "sections", ()):
            assert abs(section.gain_db) <= number("tone.most_master")
        assert low <= getattr(insert.effect, "width", 1.0) <= high


def test_a_dark_reference_makes_the_mix_darker(dark_mix: Path) -> None:
    made = song()
    start = plan_for(made, EVEN)
    found = match(made, analyze(made), start, dark_mix)

    def tilt_db(plan: MixPlan) -> float:
        spectrum = measure([render(made, plan).samples], RATE, 2).third_octave_db
        return float(np.mean(spectrum[22:27]) - np.mean(spectrum[6:12]))

    wanted = measure([soundfile.read(str(dark_mix), dtype="float32")[0].T], RATE, 2).third_octave_db
    goal = float(np.mean(wanted[22:27]) - np.mean(wanted[6:12]))
    assert abs(tilt_db(found.plan) - goal) < abs(tilt_db(start) - goal)


def test_a_steadier_reference_is_answered_by_a_compressor(tmp_path: Path) -> None:
    made = song()
    swell = np.repeat([0.1, 1.0, 0.15, 0.9], int(SECONDS * RATE) // 4)
    loud = multitrack(*((t.name, Audio(t.audio.samples * swell, RATE)) for t in made.tracks if t.audio))
    steady = render(song(3), plan_for(song(3), []))
    found = match(loud, analyze(loud), plan_for(loud, []), written(tmp_path / "steady.wav", steady))
    compressors = [i.effect for i in found.plan["master"].inserts if isinstance(i.effect, Compressor)]
    assert len(compressors) == 1
    ranges = [
        measure([render(loud, p).samples], RATE, 2).loudness_range_lu
        for p in (plan_for(loud, []), found.plan)
    ]
    assert ranges[1] < ranges[0] - 0.4


def test_moves_that_change_little_are_taken_back_and_those_that_matter_stay() -> None:
    made = song()
    goal = render(made, plan_for(made, console(GAINS_DB, PANS))).samples
    excerpt = Excerpt(made, 0, goal.shape[1])
    start = plan_for(made, [*console(GAINS_DB, PANS), SetGain("Keys", -30.0, by="engine")])
    desk = Desk(start, excerpt, mid_side_powers(goal, RATE), lambda mix: float(np.abs(mix - goal).sum()))
    why = Reason("test")
    idle = [AddInsert("master", Width(1.0), by=BY, reason=why), SetPan("Bass", 0.0, by=BY, reason=why)]
    desk.try_moves("all", [SetGain("Keys", -11.0, by=BY, reason=why), *idle])
    reached = desk.distance
    gone = desk.prune()
    assert {d.target for d, _ in gone} == {d.target for d in idle}
    assert desk.plan["Keys"].gain_db == -11.0
    assert desk.plan["master"].inserts == ()
    assert desk.distance <= (1.0 + number("prune.tolerance")) * reached
    assert desk.stages[-1].moves == 2
    assert desk.prune() == []


def test_all_that_is_taken_back_together_costs_a_hundredth(dark_mix: Path) -> None:
    made, features = song(), analyze(song())
    plain, pruned = (
        match(made, features, plan_for(made, EVEN), dark_mix, prune=prune) for prune in (False, True)
    )
    assert pruned.after <= (1.0 + number("prune.tolerance")) * plain.after
    by = [sum(d.by == BY for d in found.plan.decisions) for found in (plain, pruned)]
    told = [n for n in pruned.plan.notes if "was taken back" in n]
    assert by[0] - by[1] == len(told)
    assert not any("was taken back" in n for n in plain.plan.notes)


def test_the_predicted_loudness_range_is_that_of_the_meter() -> None:
    from tonmeister.matching.picture import _range_lu, predicted_series_lufs

    made = multitrack(("Noise", Audio(0.1 * np.random.default_rng(0).standard_normal((1, 20 * RATE)), RATE)))
    assert made.tracks[0].audio is not None
    made.tracks[0].audio.samples[:, : 10 * RATE] *= 0.25
    features = analyze(made)
    predicted = _range_lu(predicted_series_lufs(plan_for(made), features))
    assert predicted == pytest.approx(features["Noise"].loudness_range_lu, abs=0.3)
    assert loudness_range_lu(np.zeros(5)) is None


@pytest.mark.parametrize("change", ["mono", "other rate", "longer", "shorter"])
def test_other_shapes_of_a_reference_are_taken(own_mix: Path, tmp_path: Path, change: str) -> None:
    samples, rate = soundfile.read(str(own_mix), dtype="float32")
    if change == "mono":
        samples = samples.mean(1)
    elif change == "other rate":
        import soxr

        samples, rate = soxr.resample(samples, rate, 44_100), 44_100
    elif change == "longer":
        samples = np.concatenate([samples, 0.3 * samples[: rate * 2]])
    else:
        samples = samples[: int(5.5 * rate)]
    path = tmp_path / "changed.wav"
    soundfile.write(str(path), samples, rate, subtype="FLOAT")
    found = matched(song(), WRONG, path)
    assert found.after <= found.before
    if change in ("other rate", "shorter"):
        assert found.plan["Drums"].gain_db == pytest.approx(GAINS_DB["Drums"], abs=0.5)


def test_what_is_no_reference_is_refused_in_one_line(tmp_path: Path, own_mix: Path) -> None:
    folder = tmp_path / "song"
    folder.mkdir()
    for track in song().tracks:
        assert track.audio is not None
        written(folder / f"{track.name}.wav", track.audio)
    samples = soundfile.read(str(own_mix), dtype="float32")[0].T
    broken = samples.copy()
    broken[0, 100] = np.nan
    bad = {
        "silent": written(tmp_path / "silent.wav", Audio(np.zeros((2, 5 * RATE)), RATE)),
        "finite": written(tmp_path / "nan.wav", Audio(broken, RATE)),
        "track 'Keys' itself": folder / "Keys.wav",
        "no such file": tmp_path / "missing.wav",
        "needs at least": written(tmp_path / "short.wav", Audio(samples[:, : RATE // 2], RATE)),
        "mono or stereo": written(tmp_path / "surround.wav", Audio(np.repeat(samples, 3, axis=0), RATE)),
    }
    from tonmeister.loading import load_multitrack

    made = load_multitrack(folder)
    features = analyze(made)
    for words, path in bad.items():
        with pytest.raises(BadInputError, match=words) as caught:
            match(made, features, plan_for(made), path)
        assert "\n" not in str(caught.value)


def test_the_verb_mixes_towards_a_reference(
    own_mix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "song"
    folder.mkdir()
    for track in song().tracks:
        assert track.audio is not None
        written(folder / f"{track.name}.wav", track.audio)
    out = tmp_path / "like.wav"
    asked = ["mix", str(folder), "-o", str(out), "--reference", str(own_mix), "--names-only"]
    moves = ["--set", "Keys.gain_db+=2", "--set", "Bass.gain_db=-1"]
    assert run([*asked, *moves]) == 0
    assert "made of these tracks" in capsys.readouterr().err
    plan = load_plan(tmp_path / "like.plan.json")
    assert plan["Drums"].gain_db == pytest.approx(GAINS_DB["Drums"], abs=0.5)
    assert plan["Keys"].gain_db == pytest.approx(GAINS_DB["Keys"] + 2.0, abs=0.5)
    assert plan["Bass"].gain_db == -1.0
    assert run([*asked[:3], str(tmp_path / "x.wav"), "--reference", str(tmp_path / "none.wav")]) == 2
    assert "none.wav: no such file" in capsys.readouterr().err
    assert not (tmp_path / "x.wav").exists()
