"""The comparators: plain sum, equal loudness, and the low-level mixer by its published check values."""

from __future__ import annotations

import math
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from tonmeister.decisions import AddInsert, Automate, Decision, SetGain, SetPan
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.engines import load_engine, option_help
from tonmeister.engines.adaptive import faders, processing, spread
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track

RATE = 48_000


def steady(
    name: str,
    loudness_lufs: float | None = -23.0,
    *,
    centroid_hz: float | None = 1000.0,
    seconds: float = 30.0,
    wobble_lu: float = 0.0,
    seed: int = 0,
    channels: int = 1,
    width: float | None = None,
    momentary_lufs: np.ndarray | None = None,
    octave_db: np.ndarray | None = None,
) -> TrackFeatures:
    """Features of steady noise whose power sits in the third octave of its centroid; None is silence."""
    silent = loudness_lufs is None
    level = -200.0 if loudness_lufs is None else loudness_lufs
    frames, windows = round(100 * seconds), max(0, round(10 * seconds) - 3)
    if momentary_lufs is None:
        momentary_lufs = np.full(windows, level)
        if not silent:
            momentary_lufs = momentary_lufs + wobble_lu * np.random.default_rng(seed).standard_normal(windows)
    thirds = np.full(30, level - 60.0)
    thirds[int(np.clip(round(3 * math.log2((centroid_hz or 1000.0) / 1000.0)) + 16, 0, 29))] = level
    return TrackFeatures(
        name=name,
        sample_rate=RATE,
        channels=channels,
        frames=round(RATE * seconds),
        integrated_lufs=None if silent else level,
        loudness_range_lu=None if silent else 0.0,
        max_momentary_lufs=None if silent else level,
        max_short_term_lufs=None if silent else level,
        momentary_lufs=momentary_lufs.astype(np.float32),
        true_peak_dbtp=None if silent else level + 12.0,
        sample_peak_db=None if silent else level + 12.0,
        peak_p999_db=None if silent else level + 12.0,
        rms_db=None if silent else level,
        crest_db=None if silent else 12.0,
        level_db=np.full(frames, level, dtype=np.float32),
        peak_level_db=np.full(frames, level + 3.0103, dtype=np.float32),
        active=np.full(frames, not silent),
        active_ratio=0.0 if silent else 1.0,
        octave_db=(np.full(10, level - 10.0) if octave_db is None else octave_db).astype(np.float32),
        third_octave_db=thirds.astype(np.float32),
        bark_db=np.full(24, level - 14.0, dtype=np.float32),
        centroid_hz=None if silent else centroid_hz,
        spread_hz=None,
        flatness=None,
        rolloff_hz=None,
        flux=None,
        low_energy_ratio=None,
        onset_times_s=np.zeros(0, dtype=np.float32),
        onset_rate_hz=0.0,
        width=width,
        imbalance=None,
        correlation=None,
        dc=0.0,
        clipped_at_s=(),
        clipped_runs=0,
        checksum=name,
    )


def song(*tracks: TrackFeatures, leads: tuple[str, ...] = ()) -> tuple[Multitrack, MultitrackFeatures]:
    """A multitrack without audio and its features."""
    made = tuple(Track(t.name, role="lead" if t.name in leads else "foreground") for t in tracks)
    features = MultitrackFeatures(
        RATE, 30.0, {t.name: t for t in tracks}, np.zeros((len(tracks), len(tracks), 24))
    )
    return Multitrack("song", made, RATE), features


def decide(
    engine: str, *tracks: TrackFeatures, leads: tuple[str, ...] = (), **options: str
) -> list[Decision]:
    decisions = list(load_engine(engine, options).decide(*song(*tracks, leads=leads)))
    for decision in decisions:
        assert decision.by == engine
        assert decision.reason.text
        assert decision.reason.source
        assert decision.reason.rule.startswith(engine)
    return decisions


def pans(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in decisions if isinstance(d, SetPan)}


def rides(decisions: list[Decision]) -> dict[str, Automate]:
    return {d.strip: d for d in decisions if isinstance(d, Automate)}


def trims(decisions: list[Decision]) -> dict[str, float]:
    return {d.strip: d.effect.gain_db for d in decisions if isinstance(d, AddInsert) and d.slot == "trim"}


# --- sum and equal loudness -------------------------------------------------------------------------


def test_sum_says_unity_and_center_for_each_track_and_one_word_for_silence() -> None:
    decisions = decide("sum", steady("a"), steady("b", None), steady("c"))
    assert [(type(d).__name__, d.strip) for d in decisions] == [
        ("SetGain", "a"), ("SetPan", "a"), ("SetGain", "b"), ("SetGain", "c"), ("SetPan", "c"),
    ]  # fmt: skip
    assert all(d.gain_db == 0.0 for d in decisions if isinstance(d, SetGain))
    assert "ilent" in decisions[2].reason.text


def test_equal_loudness_makes_all_tracks_equal_and_the_sum_the_target() -> None:
    tracks = [steady("a", -14.0), steady("b", -31.5), steady("c", -23.0), steady("d", None)]
    gains = {d.strip: d.gain_db for d in decide("loudness", *tracks) if isinstance(d, SetGain)}
    levels = [track.integrated_lufs + gains[track.name] for track in tracks[:3] if track.integrated_lufs]
    assert np.ptp(levels) < 1e-9
    assert gains["d"] == 0.0
    series = [track.momentary_lufs for track in tracks[:3]]
    assert predicted_lufs(series, [gains[n] for n in "abc"]) == pytest.approx(-23.0, abs=0.01)
    assert levels[0] == pytest.approx(-23.0 - 10 * math.log10(3), abs=0.01)


def test_equal_loudness_of_tracks_that_take_turns_does_not_count_them_as_playing_together() -> None:
    first, second = np.full(297, -200.0), np.full(297, -200.0)
    first[:148], second[150:] = -23.0, -23.0
    tracks = [steady("a", momentary_lufs=first), steady("b", momentary_lufs=second)]
    gains = [d.gain_db for d in decide("loudness", *tracks, target="-20") if isinstance(d, SetGain)]
    assert gains == pytest.approx([3.0, 3.0], abs=0.05)


def test_a_track_too_quiet_for_the_fader_is_noted() -> None:
    decisions = decide("loudness", steady("whisper", -60.0))
    assert decisions[0].gain_db == 24.0  # type: ignore[attr-defined]
    assert "37.0 dB" in decisions[0].reason.notes[0]


@pytest.mark.parametrize("engine", ["sum", "loudness", "adaptive"])
def test_no_tracks_no_decisions(engine: str) -> None:
    assert decide(engine) == []


@pytest.mark.parametrize(
    ("engine", "option", "text"),
    [("loudness", "target", "3"), ("adaptive", "width", "11"), ("adaptive", "lead_boost_db", "nan"),
     ("adaptive", "panner", "magic"), ("sum", "target", "-20")],
)  # fmt: skip
def test_options_out_of_range_are_named(engine: str, option: str, text: str) -> None:
    with pytest.raises(BadInputError, match=option):
        load_engine(engine, {option: text})


@pytest.mark.parametrize("engine", ["loudness", "adaptive"])
def test_every_option_has_help(engine: str) -> None:
    assert all(text for _, _, text in option_help(engine))


def test_every_shipped_number_has_source_and_grade() -> None:
    text = files("tonmeister.engines.adaptive").joinpath("numbers.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)["value"]
    assert len({entry["id"] for entry in entries}) == len(entries)
    for entry in entries:
        assert entry["source"]
        assert entry["evidence"] in {"P", "C", "S", "M", "R", "R?"}
        assert entry["use"] == "ship"
        assert entry["unit"] in {"", "s", "ms", "Hz", "dB", "LU", "LUFS"}


# --- adaptive: faders -------------------------------------------------------------------------------


def test_gate_holds_between_its_thresholds() -> None:
    staircase = np.repeat([-40.0, -28.0, -24.0, -28.0, -31.0, -28.0, -24.9], 10)
    expected = np.repeat([False, False, True, True, False, False, True], 10)
    assert faders.schmitt_gate(staircase).tolist() == expected.tolist()


def test_exponential_average_forgets_over_three_seconds() -> None:
    alpha = faders.forgetting(3.0, 10.0)
    step = np.r_[0.0, np.ones(60)][np.newaxis]
    average = faders.smooth(step, np.ones_like(step, dtype=bool), alpha)[0]
    assert average[30] == pytest.approx(1.0 - math.exp(-1.0), abs=1e-12)


def test_average_starts_at_the_first_running_value_and_freezes_while_off() -> None:
    values = np.array([[9.0, 2.0, 2.0, 50.0, 50.0, 2.0]])
    running = np.array([[False, True, True, False, False, True]])
    average = faders.smooth(values, running, 0.9)[0]
    assert np.isnan(average[0])
    assert average[1:].tolist() == [2.0] * 5


def test_all_values_freeze_while_a_track_is_shut() -> None:
    loud = np.full(300, -18.0)
    ducking = np.concatenate([np.full(150, -15.0), np.full(100, -35.0), np.full(50, -15.0)])
    result = faders.follow_loudness(np.stack([loud, ducking]))
    assert not result.open[1, 150:250].any()
    assert np.ptp(result.gain_db[1, 149:250]) == 0.0
    assert np.ptp(result.gain_db[0, 149:250]) > 0.1


def test_faders_converge_to_equal_loudness_on_steady_noise() -> None:
    levels = [-14.0, -18.0, -11.0, -20.0]
    tracks = [steady(f"t{i}", lufs, wobble_lu=0.5, seed=i) for i, lufs in enumerate(levels)]
    decisions = decide("adaptive", *tracks)
    staged = [lufs + trims(decisions).get(f"t{i}", 0.0) for i, lufs in enumerate(levels)]
    mixed = [lufs + rides(decisions)[f"t{i}"].curve.values[-1] for i, lufs in enumerate(staged)]
    assert np.ptp(mixed) <= 0.3


def test_a_track_that_gets_louder_is_pulled_back() -> None:
    louder = np.concatenate([np.full(150, -18.0), np.full(150, -12.0)])
    decisions = decide("adaptive", steady("steady", -18.0), steady("louder", -14.0, momentary_lufs=louder))
    ride = rides(decisions)["louder"].curve
    at = np.interp([10.0, 29.0], ride.times_s, ride.values)
    staged_jump = 6.0
    assert at[0] == pytest.approx(0.0, abs=0.11)
    assert at[1] == pytest.approx(-staged_jump / 2.0, abs=0.3)


@pytest.mark.parametrize(("loudness", "trim"), [(-40.0, 20.0), (-20.0, 0.0), (-15.0, 0.0), (-6.0, -4.0)])
def test_gain_staging_moves_into_the_range_and_no_farther(loudness: float, trim: float) -> None:
    assert faders.staging_gain_db(steady("a", loudness)) == pytest.approx(trim, abs=1e-5)


def test_gain_staging_listens_to_thirty_seconds_of_activity() -> None:
    series = np.concatenate([np.full(300, -200.0), np.full(300, -30.0), np.full(300, -12.0)])
    track = steady("late", -15.0, seconds=90.3, momentary_lufs=series)
    track.active[:3000] = False
    assert faders.staging_gain_db(track) == pytest.approx(10.0, abs=0.3)


def test_lead_is_boosted_by_the_option() -> None:
    tracks = [steady("voice", -15.0), steady("piano", -15.0)]
    for text, boost in (("2", 2.0), ("0", 0.0), ("4.5", 4.5)):
        ride = rides(decide("adaptive", *tracks, leads=("voice",), lead_boost_db=text))
        assert ride["voice"].curve.values[-1] - ride["piano"].curve.values[-1] == pytest.approx(
            boost, abs=1e-6
        )


# --- adaptive: panning ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("centroid_hz", "place"),
    [(200, 0.540), (500, 0.576), (1000, 0.615), (2000, 0.669), (4000, 0.740), (8000, 0.830)],
)
def test_published_centroid_positions(centroid_hz: float, place: float) -> None:
    right = spread.centroid_place(centroid_hz, 8000.0, 5.0, 1)
    assert round(right, 3) == place
    assert spread.centroid_place(centroid_hz, 8000.0, 5.0, 0) == pytest.approx(1.0 - right)


def test_full_width_control_sends_the_brightest_source_to_the_side() -> None:
    assert spread.pan_amount(8000.0, 8000.0, 10.0) == pytest.approx(1.0)


def test_published_band_positions() -> None:
    places = [round(spread.band_place(rank, 4), 3) for rank in (1, 2, 3, 4)]
    assert places == [0.392, 0.608, 0.059, 0.941]
    assert spread.band_place(1, 1) == 0.5
    assert [round(spread.band_place(rank, 3), 3) for rank in (1, 2, 3)] == [0.5, 0.059, 0.941]


@pytest.mark.parametrize("count", [2, 5, 8, 31])
def test_band_positions_are_a_mirror_image(count: int) -> None:
    places = sorted(spread.band_place(rank, count) for rank in range(1, count + 1))
    assert places == pytest.approx([1.0 - place for place in reversed(places)])


def test_neighbors_in_the_spectrum_go_to_opposite_sides() -> None:
    places, dealt = spread.centroid_places([1000.0, 3000.0, 1100.0, 3300.0], 5.0)
    assert not dealt
    assert [place < 0.5 for place in places] == [True, False, False, True]


def test_sides_are_dealt_anew_when_the_middle_drifts() -> None:
    # Each new source lies nearest to the first, so all but the first would go right.
    places, dealt = spread.centroid_places([5000.0, 8000.0, 2500.0, 6400.0, 3800.0], 10.0)
    assert dealt
    assert abs(np.mean(places) - 0.5) <= 0.2
    assert {place < 0.5 for place in places} == {True, False}


def test_leads_lows_and_stereo_recordings_stay_in_the_center() -> None:
    decisions = decide(
        "adaptive",
        steady("voice", centroid_hz=2500.0),
        steady("bass", centroid_hz=150.0),
        steady("overheads", centroid_hz=6000.0, channels=2, width=0.4),
        steady("guitar", centroid_hz=1500.0),
        steady("organ", centroid_hz=1200.0),
        leads=("voice",),
    )
    place = pans(decisions)
    assert (place["voice"], place["bass"], place["overheads"]) == (0.0, 0.0, 0.0)
    assert place["guitar"] * place["organ"] < 0


def test_balance_moves_the_heavier_side_inward_only_and_until_even() -> None:
    places = np.array([0.2, 0.25, 0.8])
    powers = np.array([[1.0, 1.0], [1.0, 0.5], [0.1, 0.2]])
    moved = spread.balance(places, powers, np.array([[1.0, 0.5], [0.4, 1.0], [1.0, 1.0]]))
    assert np.all(moved[:2] >= places[:2])
    assert np.all(moved[:2] <= 0.5)
    assert moved[2] == 0.8
    assert np.all(np.abs(spread._leans(moved, powers)) <= 0.05 + 1e-12)


def test_balance_leaves_an_even_picture_alone_and_never_moves_what_must_stay() -> None:
    even = np.array([0.2, 0.8])
    assert spread.balance(even, np.ones((2, 3)), np.ones((2, 3))).tolist() == even.tolist()
    assert spread.balance(np.array([0.1]), np.ones((1, 3)), np.zeros((1, 3))).tolist() == [0.1]


def test_balance_bands_answer_at_their_own_frequency() -> None:
    thirds = np.zeros((1, 30))
    thirds[0, 16] = 1.0  # 1 kHz
    at_750 = 1.0 / (1.0 + (0.5 * (1000 / 750 - 750 / 1000)) ** 2)
    assert spread.balance_powers(thirds)[0, 0] == pytest.approx(at_750)


def test_dominant_bands_share_the_panorama() -> None:
    tracks = [steady(f"g{i}", centroid_hz=1600.0) for i in range(4)]
    place = pans(decide("adaptive", *tracks, steady("bass", centroid_hz=63.0), panner="bands"))
    assert [round((place[f"g{i}"] + 1) / 2, 3) for i in range(4)] == [0.392, 0.608, 0.059, 0.941]
    assert place["bass"] == 0.0


def test_no_panner_decides_no_pan() -> None:
    assert pans(decide("adaptive", steady("a"), steady("b"), panner="none")) == {}


# --- adaptive: compressor and equalizer -------------------------------------------------------------


def test_sine_gets_80_ms_and_920_ms() -> None:
    frames = np.arange(200)
    peak_db, mean_db = np.zeros(len(frames)), np.full(len(frames), -10.0 * math.log10(2.0))
    squared = processing.crest_squared(peak_db, mean_db)
    assert squared[-1] == pytest.approx(2.0)
    assert processing.compressor_times_ms(float(squared[-1])) == pytest.approx((80.0, 920.0))


def test_crest_peak_jumps_up_and_decays() -> None:
    peak_db = np.full(100, -40.0)
    peak_db[10] = 0.0
    squared = processing.crest_squared(peak_db, np.full(100, -40.0))
    assert squared[10] == pytest.approx(1e4)
    assert squared[30] == pytest.approx(1e4 * math.exp(-1.0), rel=1e-3)


def test_compressor_times_stay_usable() -> None:
    assert processing.compressor_times_ms(1e6) == (0.1, 5.0)


def test_equalizer_goes_halfway_within_limits_and_keeps_the_level() -> None:
    loudness = np.array([[-20.0, -24.0, np.nan], [-24.0, -20.0, -22.0]])
    gains = processing.equalizer_gains_db(loudness)
    assert gains[0].tolist() == [-1.0, 1.0, 0.0]
    assert gains.sum(axis=1) == pytest.approx([0.0, 0.0])
    wide = processing.equalizer_gains_db(np.array([[0.0, -60.0, -60.0, 0.0]]))
    assert wide[0].tolist() == [-6.0, 6.0, 6.0, -6.0]


def test_empty_bands_are_left_alone() -> None:
    octaves = np.full(10, -30.0)
    octaves[:3] = -90.0
    loudness = processing.band_loudness_db(steady("hat", octave_db=octaves))
    assert np.isnan(loudness).tolist() == [True, True] + [False] * 6
    assert loudness[4] == pytest.approx(-29.3, abs=0.05)  # 1 kHz: K-weighting is +0.7 dB there


def test_compressor_insert_sits_three_decibels_over_the_staged_rms() -> None:
    decisions = decide("adaptive", steady("a", -30.0), steady("b", None), compressor="yes")
    (effect,) = (d.effect for d in decisions if isinstance(d, AddInsert) and d.slot == "compressor")
    assert isinstance(effect, Compressor)
    assert effect.threshold_db == pytest.approx(-30.0 + 10.0 + 3.0)
    assert effect.knee_db == pytest.approx(8.5)
    assert (effect.attack_ms, effect.release_ms) == pytest.approx((80.0, 920.0), rel=1e-3)
    assert effect.ratio == 100.0


def test_a_compressed_sine_keeps_its_level() -> None:
    sine = steady("sine", -20.0)  # its features: peaks 3.01 dB over the RMS level
    (effect,) = (d.effect for d in decide("adaptive", sine, compressor="yes") if isinstance(d, AddInsert))
    assert isinstance(effect, Compressor)
    assert effect.makeup_db > 0.5
    samples = 0.1 * math.sqrt(2) * np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)
    processor = effect.processor()
    processor.prepare(RATE, 1, len(samples))
    output = processor.process(samples[np.newaxis].astype(np.float32))[0, 2 * RATE :]
    assert 10 * math.log10(float(np.mean(output.astype(np.float64) ** 2))) == pytest.approx(-20.0, abs=0.3)


def test_equalizer_insert_pulls_two_tracks_toward_each_other() -> None:
    dull, bright = np.full(10, -30.0), np.full(10, -30.0)
    dull[8], bright[8] = -42.0, -18.0  # 8 kHz
    tracks = steady("dull", -15.0, octave_db=dull), steady("bright", -15.0, octave_db=bright)
    decisions = decide("adaptive", *tracks, equalizer="yes")
    effects = {d.strip: d.effect for d in decisions if isinstance(d, AddInsert) and d.slot == "equalizer"}
    at_8k = {}
    for name, effect in effects.items():
        assert isinstance(effect, Equalizer)
        at_8k[name] = next(s.gain_db for s in effect.sections if s.frequency_hz == 8000.0)
    assert at_8k["dull"] > 3.0
    assert at_8k["bright"] < -3.0


def test_inserts_come_in_the_order_of_the_signal() -> None:
    octaves = np.linspace(-20.0, -50.0, 10)
    decisions = decide("adaptive", steady("a", -30.0, octave_db=octaves), compressor="yes", equalizer="yes")
    assert [d.slot for d in decisions if isinstance(d, AddInsert)] == ["trim", "equalizer", "compressor"]
    assert not [d for d in decide("adaptive", steady("a", -15.0)) if isinstance(d, AddInsert)]


# --- bad input --------------------------------------------------------------------------------------


def test_silent_track_is_named_and_left_alone() -> None:
    decisions = decide("adaptive", steady("a"), steady("b", None), steady("c", centroid_hz=2000.0))
    silent = [d for d in decisions if d.strip == "b"]
    assert len(silent) == 1
    assert isinstance(silent[0], SetGain)
    assert silent[0].gain_db == 0.0


def test_one_track_stays_in_the_center_at_unity() -> None:
    decisions = decide("adaptive", steady("solo", -15.0))
    assert pans(decisions) == {"solo": 0.0}
    assert rides(decisions)["solo"].curve.values == pytest.approx((0.0, 0.0), abs=1e-6)


def test_a_track_without_one_momentary_value_keeps_its_fader() -> None:
    decisions = decide("adaptive", steady("click", -30.0, seconds=0.2), steady("piano", -15.0))
    assert [d.gain_db for d in decisions if isinstance(d, SetGain)] == [0.0]
    assert trims(decisions)["click"] == pytest.approx(10.0)


def test_all_leads_share_the_center() -> None:
    decisions = decide("adaptive", *(steady(n, -15.0) for n in "abc"), leads=("a", "b", "c"))
    assert set(pans(decisions).values()) == {0.0}
    assert {ride.curve.values[-1] for ride in rides(decisions).values()} == {2.0}


def test_a_hundred_tracks() -> None:
    random = np.random.default_rng(4)
    tracks = [
        steady(f"t{i}", random.uniform(-40, -8), centroid_hz=random.uniform(80, 9000), wobble_lu=1.0, seed=i)
        for i in range(100)
    ]
    decisions = decide("adaptive", *tracks)
    assert len(rides(decisions)) == 100
    place = np.array(list(pans(decisions).values()))
    assert len(place) == 100
    assert np.all(np.abs(place) <= 1.0)
    assert abs(place.mean()) < 0.2
    assert sum(len(ride.curve.values) for ride in rides(decisions).values()) < 100 * 297 / 4


def test_same_input_same_decisions() -> None:
    tracks = [steady(n, -15.0 - i, centroid_hz=500.0 * (i + 1), wobble_lu=1.0) for i, n in enumerate("abcd")]
    assert decide("adaptive", *tracks) == decide("adaptive", *tracks)
