"""Unmixing finds what a mix was made with, says what it cannot know, and obeys the laws of levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from makers import multitrack, plan_for
from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.decisions import (
    AddBus,
    Automate,
    Decision,
    Mute,
    SetGain,
    SetOutput,
    SetPan,
    SetPolarity,
)
from tonmeister.dsp.panning import pan_gains
from tonmeister.errors import AudioFileError, BadInputError
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import decide
from tonmeister.plan import MixPlan
from tonmeister.render import render_blocks
from tonmeister.strip import Curve
from tonmeister.units import db_to_gain
from tonmeister.unmixing import unmix
from tonmeister.unmixing.result import Unmixed

RATE = 22050
NAMES = ("Drums", "Bass", "Keys", "Voice")
GAINS_DB = {"Drums": -3.0, "Bass": 2.0, "Keys": -12.0, "Voice": 0.5}
PANS = {"Drums": 0.0, "Bass": -0.1, "Keys": 0.7, "Voice": -0.4}


def tracks(seconds: float = 6.0, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Four mono sources that overlap in time and frequency, (1, frames)."""
    random = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    noise = random.standard_normal((4, len(times)))
    low = np.convolve(noise[1], np.ones(40) / 6, "same")
    beat = np.exp(-8 * (times % 0.5))
    notes = sum(np.sin(2 * np.pi * f * times + f) for f in (220, 277, 330, 554, 831))
    vibrato = 0.02 * np.sin(2 * np.pi * 5 * times)
    voice = sum(np.sin(2 * np.pi * k * 240 * (times + vibrato / 30)) / k for k in range(1, 9))
    made = (noise[0] * beat, low, notes * (1 + 0.3 * noise[2]) / 4, voice * (1 + 0.3 * np.sin(7 * times)))
    return {name: (0.1 * signal)[None] for name, signal in zip(NAMES, made, strict=True)}


def song(sources: dict[str, np.ndarray], rate: int = RATE) -> Multitrack:
    return multitrack(*((name, Audio(samples, rate)) for name, samples in sources.items()))


def mixed(sources: dict[str, np.ndarray], gains_db: dict[str, float], pans: dict[str, float]) -> Audio:
    """The tracks added up on two sides, by hand."""
    total = 0.0
    for name, samples in sources.items():
        total = total + db_to_gain(gains_db[name]) * np.array([pan_gains(pans[name])]).T * samples
    return Audio(np.asarray(total), RATE)


def late(mix: Audio, frames: int) -> Audio:
    samples = np.pad(mix.samples, ((0, 0), (max(frames, 0), 0)))
    return Audio(samples[:, max(-frames, 0) :], mix.sample_rate)


def rendered(of: Multitrack, plan: MixPlan) -> np.ndarray:
    return np.concatenate(list(render_blocks(of, plan)), axis=1)


def gains(found: Unmixed) -> np.ndarray:
    return np.array([track.gain_db for track in found.tracks], float)


@pytest.fixture(scope="module")
def sources() -> dict[str, np.ndarray]:
    return tracks()


@pytest.fixture(scope="module")
def mix(sources: dict[str, np.ndarray]) -> Audio:
    return mixed(sources, GAINS_DB, PANS)


def test_static_gains_and_pans_are_found(sources: dict[str, np.ndarray], mix: Audio) -> None:
    found = unmix(song(sources), mix)
    assert found.mode == "coherent"
    assert found.residual_db < -80
    for track in found.tracks:
        assert track.gain_db == pytest.approx(GAINS_DB[track.name], abs=0.01)
        assert track.pan == pytest.approx(PANS[track.name], abs=0.002)
        assert track.confidence > 0.95
        assert not track.moves
        assert np.nanmax(np.abs(track.curve_db - GAINS_DB[track.name])) < 0.05


def test_plan_renders_the_mix_again(sources: dict[str, np.ndarray], mix: Audio) -> None:
    plan = unmix(song(sources), mix).plan()
    again = rendered(song(sources), plan)
    assert np.std(again - mix.samples) < 1e-3 * np.std(mix.samples)
    assert {type(d) for d in plan.decisions} == {SetGain, SetPan}
    assert all(d.by == "unmix" and d.reason.text and 0 < d.reason.confidence <= 1 for d in plan.decisions)


def test_rides_are_followed_and_become_automation(sources: dict[str, np.ndarray]) -> None:
    times = np.arange(sources["Voice"].shape[1]) / RATE
    ride_db = 3.0 * np.sin(2 * np.pi * times / 10.0)  # up to 1.9 dB/s
    moved = dict(sources, Voice=sources["Voice"] * 10 ** (ride_db / 20))
    found = unmix(song(sources), mixed(moved, GAINS_DB, PANS))
    voice = found["Voice"]
    truth = GAINS_DB["Voice"] + np.interp(found.times_s, times, ride_db)
    assert np.percentile(np.abs(voice.curve_db - truth), 95) < 0.5
    assert [t.name for t in found.tracks if t.moves] == ["Voice"]
    plan = found.plan()
    assert "gain_db" in plan["Voice"].automation
    again = rendered(song(sources), plan)
    assert np.std(again - mixed(moved, GAINS_DB, PANS).samples) < 0.05 * np.std(again)


def test_moving_pan_becomes_automation(sources: dict[str, np.ndarray]) -> None:
    frames = sources["Keys"].shape[1]
    theta = (np.linspace(-0.8, 0.8, frames) + 1) * math.pi / 4
    rest = mixed({n: s for n, s in sources.items() if n != "Keys"}, GAINS_DB, PANS)
    keys = math.sqrt(2) * np.stack([np.cos(theta), np.sin(theta)]) * sources["Keys"]
    found = unmix(song(sources), Audio(rest.samples + keys, RATE))
    truth = np.interp(found.times_s, np.arange(frames) / RATE, np.linspace(-0.8, 0.8, frames))
    assert np.abs(found["Keys"].pan_curve - truth).max() < 0.08
    assert found["Keys"].pans
    assert not found["Bass"].pans
    assert any(isinstance(d, Automate) and d.parameter == "pan" for d in found.plan().decisions)


@pytest.mark.parametrize("mode", ["coherent", "power", "magnitude"])
def test_scaling_the_mix_shifts_all_gains(sources: dict[str, np.ndarray], mix: Audio, mode: str) -> None:
    plain = gains(unmix(song(sources), mix, mode=mode))
    louder = gains(unmix(song(sources), Audio(mix.samples * db_to_gain(7.0), RATE), mode=mode))
    np.testing.assert_allclose(louder, plain + 7.0, atol=2e-3)


@pytest.mark.parametrize("mode", ["coherent", "power", "magnitude"])
def test_order_of_tracks_does_not_matter(sources: dict[str, np.ndarray], mix: Audio, mode: str) -> None:
    plain = unmix(song(sources), mix, mode=mode)
    turned = unmix(song(dict(reversed(sources.items()))), mix, mode=mode)
    for track in plain.tracks:
        assert turned[track.name].gain_db == pytest.approx(track.gain_db, abs=2e-3)
        np.testing.assert_allclose(turned[track.name].curve_db, track.curve_db, atol=0.02)


@pytest.mark.parametrize("frames", [7, -13, 4000])
def test_delay_is_found(sources: dict[str, np.ndarray], mix: Audio, frames: int) -> None:
    found = unmix(song(sources), late(mix, frames))
    assert found.delay_ms == pytest.approx(frames * 1000 / RATE, abs=1e-6)
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.05)


def test_spectra_do_not_mind_seven_samples(sources: dict[str, np.ndarray], mix: Audio) -> None:
    for mode, tolerance in (("magnitude", 1e-2), ("power", 2e-2)):
        plain, delayed = (unmix(song(sources), m, mode=mode, delay_ms=0.0) for m in (mix, late(mix, 7)))
        difference = 10 ** (gains(delayed) / 20) - 10 ** (gains(plain) / 20)
        assert np.abs(difference).max() < tolerance
    assert unmix(song(sources), late(mix, 7), delay_ms=0.0).mode == "power"
    waveform = unmix(song(sources), late(mix, 7), mode="coherent", delay_ms=0.0)
    assert np.abs(gains(waveform) - list(GAINS_DB.values())).max() > 3.0
    assert any(f"{7000 / RATE:.2f} ms" in note for note in waveform.notes)


def test_magnitudes_read_low_where_sources_overlap(sources: dict[str, np.ndarray], mix: Audio) -> None:
    found = unmix(song(sources), mix, mode="magnitude")
    bias_db = gains(found) - list(GAINS_DB.values())
    assert (bias_db < 0.05).all()
    assert bias_db.min() < -0.5
    assert any("reads low" in note for note in found.notes)
    alone = {"Bass": sources["Bass"]}
    one = unmix(song(alone), mixed(alone, GAINS_DB, PANS), mode="magnitude")
    assert one["Bass"].gain_db == pytest.approx(GAINS_DB["Bass"], abs=1e-3)


def test_inverted_mix_is_noticed(sources: dict[str, np.ndarray], mix: Audio) -> None:
    found = unmix(song(sources), Audio(-mix.samples, RATE))
    assert found.inverted
    assert not any(track.inverted for track in found.tracks)
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.01)


def test_inverted_track_is_noticed(sources: dict[str, np.ndarray]) -> None:
    turned = dict(sources, Keys=-sources["Keys"])
    found = unmix(song(sources), mixed(turned, GAINS_DB, PANS))
    assert [t.name for t in found.tracks if t.inverted] == ["Keys"]
    assert not found.inverted
    assert found["Keys"].gain_db == pytest.approx(GAINS_DB["Keys"], abs=0.01)
    assert [d.strip for d in found.plan().decisions if isinstance(d, SetPolarity)] == ["Keys"]


@pytest.mark.parametrize("mode", ["coherent", "power", "magnitude"])
def test_inactive_frames_are_missing_and_leave_no_trace(sources: dict[str, np.ndarray], mode: str) -> None:
    gap = dict(sources, Voice=sources["Voice"].copy())
    gap["Voice"][:, 2 * RATE : 4 * RATE] = 0.0
    found = unmix(song(gap), mixed(gap, GAINS_DB, PANS), mode=mode)
    voice = found["Voice"]
    inside = (found.times_s > 2.51) & (found.times_s < 3.49)
    assert inside.sum() > 2
    assert np.isnan(voice.curve_db[inside]).all()
    assert not voice.active[inside].any()
    assert np.nanmin(voice.curve_db) > (GAINS_DB["Voice"] - 0.1 if mode == "coherent" else -8.0)
    as_json = found.to_dict()["tracks"][3]["curve"]["gain_db"]
    assert None in as_json
    assert not any(value is not None and math.isnan(value) for value in as_json)


def test_silent_track_has_no_gain(sources: dict[str, np.ndarray], mix: Audio) -> None:
    found = unmix(song(dict(sources, Extra=np.zeros_like(sources["Bass"]))), mix)
    extra = found["Extra"]
    assert extra.gain_db is None
    assert extra.confidence == 0.0
    assert any(note.startswith("Extra: silent") for note in found.notes)
    assert not found.plan().reasons("Extra")
    np.testing.assert_allclose(gains(found)[:4], list(GAINS_DB.values()), atol=0.01)


def test_muted_track_is_muted_in_the_plan(sources: dict[str, np.ndarray]) -> None:
    without = {name: samples for name, samples in sources.items() if name != "Keys"}
    found = unmix(song(sources), mixed(without, GAINS_DB, PANS))
    assert found["Keys"].gain_db == -60.0
    assert found["Keys"].pan is None
    assert [d.strip for d in found.plan().decisions if isinstance(d, Mute)] == ["Keys"]
    assert any("Keys: not found" in note for note in found.notes)


@pytest.mark.parametrize("mode", ["auto", "coherent", "magnitude"])
def test_mix_of_other_tracks_is_not_trusted(sources: dict[str, np.ndarray], mode: str) -> None:
    other = np.random.default_rng(9).standard_normal((2, 6 * RATE)) * 0.1
    found = unmix(song(sources), Audio(other, RATE), mode=mode)
    assert not found.recognized
    assert found.confidence < 0.2
    assert any("not recognized" in note for note in found.notes)


def test_tracks_that_are_the_same_share_their_gain(sources: dict[str, np.ndarray]) -> None:
    doubled = {"Bass": sources["Bass"], "Bass again": sources["Bass"], "Drums": sources["Drums"]}
    gains_db = {"Bass": -6.0, "Bass again": -6.0, "Drums": 0.0}
    found = unmix(song(doubled), mixed(doubled, gains_db, dict.fromkeys(doubled, 0.0)))
    np.testing.assert_allclose(gains(found), [-6.0, -6.0, 0.0], atol=0.05)
    assert any("Bass and Bass again" in note for note in found.notes)


def test_auto_leaves_the_waveform_when_it_does_not_fit(sources: dict[str, np.ndarray]) -> None:
    shifts = dict(zip(sources, (0, 150, 231, 320), strict=True))
    moved = {name: np.roll(samples, shifts[name], axis=1) for name, samples in sources.items()}
    found = unmix(song(sources), mixed(moved, GAINS_DB, PANS))
    assert found.mode in ("power", "magnitude")
    assert any("spectra were compared" in note for note in found.notes)


def test_mix_at_another_rate_is_resampled(sources: dict[str, np.ndarray]) -> None:
    # nothing at the edge of the band, which resampling takes away
    pitched = {name: samples for name, samples in sources.items() if name != "Drums"}
    mix = mixed(pitched, GAINS_DB, PANS)
    up = soxr.resample(mix.samples.T, RATE, 48000, quality="VHQ").T
    found = unmix(song(pitched), Audio(np.pad(up, ((0, 0), (7, 0))), 48000))
    assert found.delay_ms == pytest.approx(7000 / 48000, abs=0.003)
    np.testing.assert_allclose(gains(found), [GAINS_DB[name] for name in pitched], atol=0.1)
    assert any("48000 Hz" in note for note in found.notes)


def test_behind_the_end_of_a_short_mix_gains_are_missing(sources: dict[str, np.ndarray], mix: Audio) -> None:
    found = unmix(song(sources), Audio(mix.samples[:, : 4 * RATE], RATE))
    beyond = found.times_s > 3.6
    assert all(np.isnan(track.curve_db[beyond]).all() for track in found.tracks)
    assert all(np.isfinite(track.curve_db[~beyond]).all() for track in found.tracks)
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.01)
    assert any("shorter" in note for note in found.notes)


def test_what_is_behind_the_tracks_is_left_out(sources: dict[str, np.ndarray], mix: Audio) -> None:
    tail = np.random.default_rng(3).standard_normal((2, RATE)) * 0.1
    found = unmix(song(sources), Audio(np.concatenate((mix.samples, tail), axis=1), RATE))
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.01)
    assert any("longer" in note for note in found.notes)


def test_very_short_song_is_one_frame() -> None:
    short = tracks(0.3)
    found = unmix(song(short), mixed(short, GAINS_DB, PANS))
    assert len(found.times_s) == 1
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.01)


def test_mono_mix_has_no_pans(sources: dict[str, np.ndarray]) -> None:
    centered = mixed(sources, GAINS_DB, dict.fromkeys(sources, 0.0))
    found = unmix(song(sources), Audio(centered.samples[:1], RATE))
    assert all(track.pan is None for track in found.tracks)
    np.testing.assert_allclose(gains(found), list(GAINS_DB.values()), atol=0.01)


def test_stereo_track_gets_a_balance(sources: dict[str, np.ndarray]) -> None:
    wide = dict(sources, Keys=np.concatenate((sources["Keys"], np.roll(sources["Keys"], 500, axis=1))))
    one_sided = dict(wide, Bass=np.concatenate((sources["Bass"], np.zeros_like(sources["Bass"]))))
    found = unmix(song(one_sided), mixed(one_sided, GAINS_DB, dict(PANS, Bass=0.0)))
    assert found["Keys"].pan == pytest.approx(PANS["Keys"], abs=0.005)
    assert found["Keys"].gain_db == pytest.approx(GAINS_DB["Keys"], abs=0.02)
    assert found["Bass"].gain_db == pytest.approx(GAINS_DB["Bass"], abs=0.02)
    assert found["Bass"].pan is None


def test_threads_do_not_change_anything(sources: dict[str, np.ndarray], mix: Audio) -> None:
    one, three = (unmix(song(sources), mix, threads=n) for n in (1, 3))
    assert one.to_dict() == three.to_dict()


def test_progress_runs_from_stage_to_stage(sources: dict[str, np.ndarray], mix: Audio) -> None:
    told: list[tuple[str, float]] = []
    unmix(song(sources), mix, progress=lambda stage, done: told.append((stage, done)))
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert len(stages) == 2
    for stage in stages:
        steps = [done for name, done in told if name == stage]
        assert steps == sorted(steps)
        assert steps[-1] == 1.0


def test_bad_input_is_refused(sources: dict[str, np.ndarray], mix: Audio) -> None:
    with pytest.raises(BadInputError, match="silent"):
        unmix(song(sources), Audio(np.zeros((2, RATE)), RATE))
    with pytest.raises(BadInputError, match="every track is silent"):
        unmix(song({"Bass": np.zeros((1, 6 * RATE))}), mix)
    with pytest.raises(BadInputError, match="magnitude"):
        unmix(song(sources), mix, mode="magnitud")
    with pytest.raises(BadInputError, match="window_s"):
        unmix(song(sources), mix, window_s=0.1)
    with pytest.raises(BadInputError, match="hop_s"):
        unmix(song(sources), mix, hop_s=0.0)
    with pytest.raises(BadInputError, match="covers no stretch"):
        unmix(song(sources), mix, delay_ms=-60_000.0)
    with pytest.raises(AudioFileError, match="channels=6"):
        unmix(song(sources), Audio(np.zeros((6, RATE)), RATE))
    broken = mix.samples.copy()
    broken[0, 100] = np.nan
    with pytest.raises(AudioFileError, match="NaN"):
        unmix(song(sources), Audio(broken, RATE))
    with pytest.raises(AudioFileError, match="Bass"):
        unmix(song(dict(sources, Bass=np.full_like(sources["Bass"], np.inf))), mix)


def test_a_plan_with_moving_buses_is_found_again(sources: dict[str, np.ndarray]) -> None:
    """Rides of up to 2 dB/s on buses: within 0.5 dB in 95 % of the active frames."""
    of = song(tracks(20.0, seed=3))
    times = np.arange(0.0, 20.1, 0.25)
    rides = {"Low": 3.0 * np.sin(times / 1.6), "High": 2.0 * np.cos(times / 2.3)}
    feeds = {"Drums": "Low", "Bass": "Low", "Keys": "High", "Voice": "High"}
    decisions: list[Decision] = [AddBus(bus) for bus in rides]
    decisions += [SetOutput(name, bus) for name, bus in feeds.items()]
    decisions += [SetGain(name, GAINS_DB[name]) for name in NAMES]
    decisions += [Automate(b, "gain_db", Curve(tuple(times), tuple(r))) for b, r in rides.items()]
    found = unmix(of, Audio(rendered(of, plan_for(of, decisions)), RATE), mode="coherent")
    for track in found.tracks:
        truth = GAINS_DB[track.name] + np.interp(found.times_s, times, rides[feeds[track.name]])
        wrong = np.abs(track.curve_db - truth)[np.isfinite(track.curve_db)]
        assert np.percentile(wrong, 95) < 0.5
        assert track.moves


def test_what_an_engine_decides_is_what_unmixing_finds(sources: dict[str, np.ndarray]) -> None:
    """decide, render, unmix: the faders come back within 1 dB."""
    of = song(tracks(12.0, seed=4))
    plan = decide(of, analyze(of), engine="dynamical", options={"smoothness": "0"})
    found = unmix(of, Audio(rendered(of, plan), RATE))
    for track in found.tracks:
        truth = np.zeros(len(found.times_s))
        name = track.name
        while name != "master":
            strip = plan[name]
            curve = strip.automation.get("gain_db")
            truth += np.interp(found.times_s, curve.times_s, curve.values) if curve else strip.gain_db
            name = strip.output
        wrong = np.abs(track.curve_db - truth)[np.isfinite(track.curve_db)]
        assert np.percentile(wrong, 95) < 1.0
