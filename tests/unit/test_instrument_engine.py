"""The engine `instrument`: what the label of a track does to its place, its level and its tone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyebur128
import pytest

from makers_features import song, track, track_features
from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.decisions import AddBus, AddInsert, Decision, Mute, SetGain, SetOutput, SetPan
from tonmeister.dsp.panning import pan_gains
from tonmeister.effects.base import LinearEffect
from tonmeister.effects.width import Width
from tonmeister.engines import load_engine
from tonmeister.engines.instrument.bleed import source_change_db
from tonmeister.engines.instrument.channels import channels_of
from tonmeister.engines.instrument.meters import Bs1770Meter, Iso226Meter, Meter
from tonmeister.engines.instrument.panning import imbalance
from tonmeister.engines.instrument.table import load_table
from tonmeister.errors import AudioFileError
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.units import db_to_gain, db_to_power
from tonmeister.vocabulary import is_a

RATE = 44_100
SECONDS = 5
BAND: dict[str, tuple[str, str]] = {
    "Kick": ("kick", "foreground"),
    "Snare": ("snare", "foreground"),
    "Hat": ("hihat", "foreground"),
    "OH": ("overheads", "foreground"),
    "Bass": ("bass", "foreground"),
    "Gtr": ("electric_guitar", "foreground"),
    "Keys": ("piano", "foreground"),
    "BV": ("backing_voice", "background"),
    "Vox": ("lead_voice", "lead"),
}


def decide(multitrack: Multitrack, features: MultitrackFeatures, **options: str) -> list[Decision]:
    made = list(load_engine("instrument", options).decide(multitrack, features))
    for decision in made:
        assert decision.by == "instrument"
        assert decision.reason.text.endswith(".")
        assert decision.reason.source
        assert decision.reason.rule.startswith("instrument.")
    return made


def gains(decisions: Iterable[Decision]) -> dict[str, float]:
    return {d.strip: d.gain_db for d in decisions if isinstance(d, SetGain)}


def pans(decisions: Iterable[Decision]) -> dict[str, float]:
    return {d.strip: d.pan for d in decisions if isinstance(d, SetPan)}


def effects(decisions: Iterable[Decision], name: str) -> list[LinearEffect]:
    found: list[Any] = [d.effect for d in decisions if isinstance(d, AddInsert) and d.strip == name]
    return [e for e in found if not isinstance(e, Width)]


def without_fader(decisions: Iterable[Decision], name: str) -> list[Decision]:
    return [d for d in decisions if not (isinstance(d, SetGain) and d.strip == name)]


def labelled(**extra: tuple[str, str]) -> tuple[Multitrack, MultitrackFeatures]:
    return song(*(track(name, *what) for name, what in {**BAND, **extra}.items()))


# ------------------------------------------------------------------ a band that sounds


def hits(times: Sequence[float], decay: float, made: np.ndarray) -> np.ndarray:
    envelope = np.zeros(len(made))
    for start in times:
        at = int(start * RATE)
        envelope[at:] += np.exp(-np.arange(len(made) - at) / RATE / decay)
    return envelope * made


def band_sounds(seconds: float = SECONDS) -> dict[str, np.ndarray]:
    """A kit that spills from one microphone to the next, and broad-band players."""
    random = np.random.default_rng(7)
    frames = int(seconds * RATE)
    beats = np.arange(0, seconds - 0.3, 0.5)

    def noise(low_hz: float, high_hz: float) -> np.ndarray:
        spectrum = np.fft.rfft(random.standard_normal(frames))
        hz = np.fft.rfftfreq(frames, 1 / RATE)
        return np.fft.irfft(
            spectrum / ((1 + (low_hz / np.maximum(hz, 1)) ** 4) * (1 + (hz / high_hz) ** 8)), frames
        )

    kick = hits(beats[::2], 0.12, noise(40, 150)) * 3.0
    snare = hits(beats[1::2], 0.1, noise(150, 6000)) * 0.5
    hat = hits(np.arange(0, seconds - 0.3, 0.25), 0.04, noise(5000, 8000)) * 0.3
    return {
        "Kick": kick + 0.1 * snare,
        "Snare": snare + 0.06 * kick + 0.2 * hat,
        "Hat": hat + 0.05 * snare,
        "OH": np.stack((0.4 * kick + 0.5 * snare + 0.5 * hat, 0.4 * kick + 0.5 * snare + 0.2 * hat)),
        "Bass": noise(50, 300) * 0.5,
        "Gtr": noise(200, 3000) * 0.1,
        "Keys": np.stack((noise(200, 3000), noise(200, 3000))) * 0.05,
        "BV": noise(300, 5000) * 0.02,
        "Vox": noise(200, 6000) * 0.1,
    }


def band(sounds: dict[str, np.ndarray] | None = None, rate: int = RATE, **changes: Any) -> Multitrack:
    made = sounds or band_sounds()
    tracks = [
        Track(
            name, audio=Audio(np.atleast_2d(samples).astype(np.float32), rate), confidence=1.0,
            **dict(zip(("instrument", "role"), BAND.get(name, ("other", "foreground")), strict=True)), **changes,
        )
        for name, samples in made.items()
    ]  # fmt: skip
    return Multitrack("band", tuple(tracks), rate)


@pytest.fixture(scope="module")
def sounding() -> tuple[Multitrack, MultitrackFeatures]:
    multitrack = band()
    return multitrack, analyze(multitrack, threads=1)


def stem(multitrack: Multitrack, decisions: list[Decision], name: str) -> np.ndarray:
    """A track behind fader and pan, before equalization; shape (2, frames)."""
    audio = multitrack[name].audio
    assert audio is not None
    gain = db_to_gain(gains(decisions)[name])
    sides = np.array(pan_gains(pans(decisions)[name]))[:, None]
    return np.broadcast_to(audio.samples, (2, audio.frames)) * gain * sides


def lufs(samples: np.ndarray) -> float:
    state = pyebur128.R128State(2, RATE, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(samples.T.astype(np.float32)).reshape(-1), samples.shape[1])
    return float(pyebur128.get_loudness_global(state))


def contour_loudness(samples: np.ndarray) -> float:
    """Loudness by equal-loudness contours at 70 phon, straight from its definition."""
    from tonmeister.engines.instrument.meters import weight_db

    length = 4096  # 93 ms
    windows = np.lib.stride_tricks.sliding_window_view(samples, length, axis=1)[:, :: length // 2]
    power = (np.abs(np.fft.rfft(windows * np.hanning(length))) ** 2).sum(0)
    level = 10 * np.log10(power.sum(1) + 1e-30)
    mean = power[level > np.percentile(level, 95) - 30].mean(0)
    hz = np.fft.rfftfreq(length, 1 / RATE)
    return float(10 * np.log10((mean * 10 ** (weight_db(hz, 70.0) / 10)).sum()))


KIT_LU = {"Kick": -4.4, "Snare": -6.7, "Hat": -15.0, "OH": -6.0}
SONG_LU = {"Bass": -6.2, "Gtr": -6.0, "Keys": -6.0, "BV": -9.0, "Vox": 0.0}


def test_every_track_meets_its_target(sounding) -> None:
    multitrack, features = sounding
    made = decide(multitrack, features, profile="faithful", meter="bs1770")
    read = {name: lufs(stem(multitrack, made, name)) for name in multitrack.names}
    for name, target in SONG_LU.items():
        assert read[name] - read["Vox"] == pytest.approx(target, abs=0.1), name
    for name, target in KIT_LU.items():
        assert read[name] - read["Kick"] == pytest.approx(target + 4.4, abs=0.1), name
    kit = lufs(sum(stem(multitrack, made, name) for name in KIT_LU))
    assert kit - read["Vox"] == pytest.approx(-4.0, abs=0.3)
    everything = lufs(sum(stem(multitrack, made, name) for name in multitrack.names))
    assert everything == pytest.approx(-23.0, abs=0.5)


def test_targets_are_met_on_the_contour_too(sounding) -> None:
    multitrack, features = sounding
    made = decide(multitrack, features, profile="faithful")
    read = {name: contour_loudness(stem(multitrack, made, name)) for name in multitrack.names}
    for name, target in {"Bass": -12.2, "Gtr": -6.5, "Keys": -6.5, "BV": -9.5}.items():
        assert read[name] - read["Vox"] == pytest.approx(target, abs=0.25), name
    kit = contour_loudness(sum(stem(multitrack, made, name) for name in KIT_LU))
    assert kit - read["Vox"] == pytest.approx(-8.5, abs=0.3)


@pytest.mark.parametrize("profile", ["faithful", "improved"])
@pytest.mark.parametrize("meter", ["bs1770", "iso226"])
def test_two_copies_of_one_microphone_add_in_amplitude(profile: str, meter: str) -> None:
    """Adding powers would leave the kit 3 dB too loud."""
    sounds = {"Snare": band_sounds()["Snare"], "Copy": band_sounds()["Snare"], "Vox": band_sounds()["Vox"]}
    tracks = [
        dataclasses.replace(t, instrument="snare") if t.name == "Copy" else t for t in band(sounds).tracks
    ]
    multitrack = Multitrack("copies", tuple(tracks), RATE)
    features = analyze(multitrack, threads=1)
    made = decide(multitrack, features, profile=profile, meter=meter)
    one = stem(multitrack, made, "Snare")
    both = one + stem(multitrack, made, "Copy")
    reading = lufs if meter == "bs1770" else contour_loudness
    assert reading(both) - reading(one) == pytest.approx(6.0, abs=0.05)
    if profile == "faithful":
        target = -4.0 if meter == "bs1770" else -8.5
        assert reading(both) - reading(stem(multitrack, made, "Vox")) == pytest.approx(target, abs=0.3)


def test_the_loudness_behind_equalization_is_known_in_advance(sounding) -> None:
    multitrack, features = sounding
    made = decide(multitrack, features, profile="faithful")
    meters: list[tuple[Meter, Any]] = [(Bs1770Meter(), lufs), (Iso226Meter(70.0), contour_loudness)]
    for name in ("Kick", "Snare", "Bass", "Vox", "Gtr"):
        chain = effects(made, name)
        assert chain
        audio = multitrack[name].audio
        assert audio is not None
        block = np.repeat(audio.samples, 2, axis=0).copy()
        dry = block.copy()
        for effect in chain:
            processor = effect.processor()
            processor.prepare(RATE, 2, block.shape[1])
            block = processor.process(block)
        for meter, reading in meters:
            predicted = (meter.track(features[name], chain) or 0.0) - (meter.track(features[name]) or 0.0)
            assert predicted == pytest.approx(reading(block) - reading(dry), abs=0.2), (name, meter.name)


@pytest.mark.parametrize("options", [{}, {"profile": "faithful"}, {"meter": "bs1770"}])
def test_the_level_of_a_file_changes_its_own_fader_only(sounding, options: dict[str, str]) -> None:
    multitrack, features = sounding
    before = decide(multitrack, features, **options)
    turned_db = {"Gtr": 7.0, "Kick": 7.0, "Vox": -4.0}
    turned = [dataclasses.replace(t, input_gain_db=turned_db.get(t.name, 0.0)) for t in multitrack.tracks]
    louder = dataclasses.replace(multitrack, tracks=tuple(turned))
    after = decide(louder, analyze(louder, threads=1), **options)
    for name, gain in gains(before).items():
        assert gains(after)[name] - gain == pytest.approx(-turned_db.get(name, 0.0), abs=0.011), name
    assert pans(after) == pans(before)


def test_other_rates_and_layouts_decide_the_same(sounding) -> None:
    multitrack, features = sounding
    before = gains(decide(multitrack, features))
    for rate in (32_000, 96_000):
        other = dataclasses.replace(multitrack, sample_rate=rate)
        after = gains(decide(other, analyze(other, threads=1)))
        for name, gain in before.items():
            assert after[name] == pytest.approx(gain, abs=0.2), (rate, name)
    doubled = [
        dataclasses.replace(t, audio=Audio(np.repeat(t.audio.samples, 2, axis=0), RATE))
        if t.name in ("Gtr", "Bass") and t.audio
        else t
        for t in multitrack.tracks
    ]
    stereo = dataclasses.replace(multitrack, tracks=tuple(doubled))
    after = decide(stereo, analyze(stereo, threads=1))
    for name, gain in before.items():
        assert gains(after)[name] == pytest.approx(gain, abs=0.05)
    assert pans(after)["Gtr"] != 0.0, "a mono recording in a stereo file is a mono recording"


# ------------------------------------------------------------------ the hierarchy


def test_the_kit_is_one_bus(sounding) -> None:
    made = decide(*sounding)
    (bus,) = [d for d in made if isinstance(d, AddBus)]
    assert bus.strip == "Drums"
    routed = {d.strip for d in made if isinstance(d, SetOutput) and d.to == "Drums"}
    assert routed == {n for n, (instrument, _) in BAND.items() if is_a(instrument, "drums")}


def test_the_balance_within_the_kit_leaves_the_kit_where_it_is(sounding, tmp_path) -> None:
    from tonmeister.engines.instrument.table import SHIPPED

    multitrack, features = sounding
    text = SHIPPED.read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text.replace("target_lu   = -4.4", "target_lu   = -8.0").replace("-6.7", "-4.0"), "utf-8")
    levels = []
    for options in ({}, {"table": str(own)}):
        made = decide(multitrack, features, profile="faithful", meter="bs1770", **options)
        kit = lufs(sum(stem(multitrack, made, name) for name in KIT_LU))
        levels.append(kit - lufs(stem(multitrack, made, "Vox")))
    assert levels[0] == pytest.approx(levels[1], abs=0.1)


def test_a_kit_that_lacks_pieces_is_not_brought_up_to_a_whole_one() -> None:
    vox, bass = track("Vox", "lead_voice", "lead"), track("Bass", "bass")
    alone = gains(decide(*song(track("Hat", "hihat"), bass, vox), meter="bs1770"))
    whole = gains(decide(*song(track("Kit", "drums"), bass, vox), meter="bs1770"))
    assert alone["Hat"] - alone["Vox"] < whole["Kit"] - whole["Vox"] - 1.0


def test_tracks_of_one_class_share_its_level_as_far_as_they_play_together() -> None:
    def relative(*parts: tuple[float, float]) -> float:
        names = [f"Gtr {n}" for n in range(len(parts))]
        plays = {name: {"plays": when} for name, when in zip(names, parts, strict=True)}
        tracks = [track(name, "electric_guitar") for name in names]
        made = gains(
            decide(*song(*tracks, track("Vox", "lead_voice", "lead"), features=plays), meter="bs1770")
        )
        return made["Gtr 0"] - made["Vox"]

    one = relative((0.0, 1.0))
    assert relative((0.0, 1.0), (0.0, 1.0)) - one == pytest.approx(-0.7 * 3.01, abs=0.1)
    assert relative((0.0, 0.5), (0.5, 1.0)) - one == pytest.approx(0.0, abs=0.3)


def test_what_a_microphone_hears_of_others_does_not_count() -> None:
    sounds = band_sounds()
    own = sounds["Snare"]
    sounds["Snare"] = own + sounds["Kick"]
    multitrack = band(sounds)
    features = analyze(multitrack, threads=1)
    channels = channels_of(multitrack, features, load_table())
    found = {c.name: source_change_db(c, channels, features.cross_power) for c in channels}
    spilled_db = 10 * np.log10((own**2).sum() / (sounds["Snare"] ** 2).sum())
    assert spilled_db < -3.0
    assert found["Snare"] == pytest.approx(spilled_db, abs=1.0)
    assert found["Kick"] == pytest.approx(0.0, abs=0.5)
    assert found["OH"] == found["Bass"] == 0.0
    notes = {
        d.strip: " ".join(d.reason.notes) for d in decide(multitrack, features) if isinstance(d, SetGain)
    }
    assert "what it hears of other sources does not count" in notes["Snare"]
    assert "what it hears" not in notes["Bass"]


def test_sources_that_only_play_together_are_no_bleed() -> None:
    random = np.random.default_rng(3)
    beats = np.arange(0, 4, 0.5)
    sounds = {
        "Kick": hits(beats, 0.1, random.standard_normal(5 * RATE)) * 0.1,
        "Snare": hits(beats, 0.1, random.standard_normal(5 * RATE)) * 0.1,
        "Vox": random.standard_normal(5 * RATE) * 0.05,
    }
    multitrack = band(sounds)
    made = decide(multitrack, analyze(multitrack, threads=1))
    assert not any("what it hears" in " ".join(d.reason.notes) for d in made)


# ------------------------------------------------------------------ places


def test_centered_classes_are_in_the_center() -> None:
    where = pans(decide(*labelled()))
    assert [where[name] for name in ("Kick", "Snare", "Bass", "Vox")] == [0.0] * 4


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_several_of_a_class_stand_side_by_side(count: int) -> None:
    tracks = [track(f"BV {n}", "backing_voice", "background") for n in range(count)]
    where = list(pans(decide(*song(*tracks, track("Vox", "lead_voice", "lead")))).values())[:count]
    assert where[0] == -0.6
    assert where == pytest.approx([-x for x in reversed(where)])
    assert where == sorted(where)


def test_left_and_right_in_names_are_left_and_right() -> None:
    right, left = (track(f"Gtr {s}", "guitar", attributes=(s,)) for s in ("right", "left"))
    where = pans(decide(*song(right, left)))
    assert where["Gtr left"] < 0 < where["Gtr right"]


def test_the_kit_is_seen_from_the_audience_or_from_the_stool() -> None:
    extra = {"Tom 1": ("tom", "foreground"), "Tom 2": ("tom", "foreground"), "Tom 3": ("tom", "foreground")}
    audience = pans(decide(*labelled(**extra), kit_perspective="audience"))
    drummer = pans(decide(*labelled(**extra), kit_perspective="drummer"))
    assert [audience[f"Tom {n}"] for n in (1, 2, 3)] == pytest.approx([0.25, -0.1, -0.4])
    kit = {"Hat", "Tom 1", "Tom 2", "Tom 3"}
    for name, position in audience.items():
        if name in kit:
            assert drummer[name] == -position
            assert position != 0.0
    assert {name for name in ("Bass", "Vox", "Kick") if drummer[name] != audience[name]} == set()


def test_the_overheads_say_whose_left_the_kit_has(sounding) -> None:
    made = decide(*sounding)
    assert pans(made)["Hat"] == -0.3
    assert any("hear the hi-hat left" in " ".join(d.reason.notes) for d in made if isinstance(d, SetPan))
    assert pans(decide(*sounding, kit_perspective="audience"))["Hat"] == 0.3


def test_lone_sources_balance_one_another() -> None:
    tracks = [
        track(n, i)
        for n, i in (
            ("Gtr", "electric_guitar"),
            ("Ac", "acoustic_guitar"),
            ("Keys", "piano"),
            ("Str", "strings"),
        )
    ]
    where = pans(decide(*song(*tracks, track("Vox", "lead_voice", "lead"))))
    power = db_to_power(-6.0)
    placed = [(power, where[t.name]) for t in tracks]
    assert all(abs(p) > 0 for _, p in placed)
    assert abs(imbalance(placed)) < abs(imbalance([(g, abs(p)) for g, p in placed]))
    assert {p > 0 for _, p in placed} == {True, False}


def test_stereo_files_keep_their_image_and_low_ones_their_middle() -> None:
    multitrack, features = song(
        track("Kick", "kick", channels=2), track("Keys", "piano", channels=2), track("Bass", "bass")
    )
    made = decide(multitrack, features)
    assert pans(made)["Keys"] == 0.0
    widths = {d.strip: d.effect for d in made if isinstance(d, AddInsert) and isinstance(d.effect, Width)}
    assert set(widths) == {"Kick"}
    assert (widths["Kick"].width, widths["Kick"].mono_below_hz) == (1.0, 120.0)


def test_the_order_of_classes_does_not_matter() -> None:
    multitrack, features = labelled(Ac=("acoustic_guitar", "foreground"), Str=("strings", "foreground"))
    turned = dataclasses.replace(multitrack, tracks=tuple(reversed(multitrack.tracks)))
    before, after = decide(multitrack, features), decide(turned, features)
    assert pans(before) == pans(after)
    assert gains(before) == pytest.approx(gains(after), abs=0.011)


# ------------------------------------------------------------------ tone


def test_equalization_follows_the_class_and_prints_its_response() -> None:
    multitrack, features = labelled()
    made = decide(multitrack, features, profile="faithful")
    kick = effects(made, "Kick")
    assert [(s.frequency_hz, s.gain_db, s.q) for s in kick[0].sections] == [(1400, 2.5, 0.7)]  # type: ignore[attr-defined]
    assert effects(made, "Keys") == []
    for decision in made:
        if isinstance(decision, AddInsert):
            assert any(note.startswith("net ") for note in decision.reason.notes)


def test_a_track_that_is_like_its_class_is_left_alone() -> None:
    from tonmeister.engines.instrument.numbers import class_spectrum_db

    usual = {"third_octave_db": class_spectrum_db("bass").astype(np.float32) - 20}
    thin = {"third_octave_db": (class_spectrum_db("bass") - 20 - 4 * (np.arange(30) == 9)).astype(np.float32)}
    vox = track("Vox", "lead_voice", "lead")
    assert effects(decide(*song(track("Bass", "bass"), vox, features={"Bass": usual})), "Bass") == []
    assert effects(decide(*song(track("Bass", "bass"), vox, features={"Bass": thin})), "Bass") != []


def test_doubt_makes_every_move_smaller() -> None:
    sure, unsure = (
        decide(*song(*(track(n, *what, confidence=c) for n, what in BAND.items()))) for c in (1.0, 0.4)
    )
    for name in ("Hat", "Gtr", "Keys"):
        assert abs(pans(unsure)[name]) == pytest.approx(0.4 * abs(pans(sure)[name]), abs=0.002)
    spread = {
        name: np.ptp([gains(d)[n] for n in SONG_LU]) for name, d in (("sure", sure), ("unsure", unsure))
    }
    assert spread["unsure"] < spread["sure"]
    assert effects(unsure, "Gtr") == []
    assert next(d for d in unsure if d.strip == "Gtr").reason.confidence == 0.4


# ------------------------------------------------------------------ bad input


def test_a_silent_track_is_muted_and_changes_nothing_else() -> None:
    plain = decide(*labelled())
    multitrack, features = song(
        *(track(n, *what) for n, what in BAND.items()),
        track("Nothing", "snare"),
        features={"Nothing": {"lufs": None}},
    )
    made = decide(multitrack, features)
    (mute,) = [d for d in made if d.strip == "Nothing"]
    assert isinstance(mute, Mute)
    assert [(d.strip, d.target) for d in made if d is not mute] == [(d.strip, d.target) for d in plain]
    assert gains(made) == gains(plain)


def test_a_track_of_no_known_class_is_an_ordinary_one() -> None:
    multitrack, features = labelled(Audio7=("other", "foreground"))
    made = decide(multitrack, features)
    told = [d for d in made if d.strip == "Audio7"]
    assert {d.reason.rule.split(".")[-1] for d in told} == {"other"}
    unknown, features = song(track("Audio 7", confidence=0.0), track("Vox", "lead_voice", "lead"))
    assert next(d for d in decide(unknown, features) if d.strip == "Audio 7").reason.confidence == 0.3


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Bass Drum 2", "kick"),
        ("snare bottom", "snare"),
        ("Tomás", "other"),
        ("Rebound", "other"),
        ("My Gtr", "guitar"),
    ],
)
def test_the_table_knows_whole_words_only_the_longest_first(name: str, rule: str) -> None:
    made = decide(*song(track(name), track("Vox", "lead_voice", "lead")))
    assert (
        next(d for d in made if d.strip == name and isinstance(d, SetGain)).reason.rule
        == f"instrument.level.{rule}"
    )


@pytest.mark.parametrize(
    "names", [["Kick", "Snare", "Hat"], ["Vox"], ["Gtr"], ["Keys", "Gtr", "BV"], ["Bass", "OH"]], ids="-".join
)
def test_small_songs_work(names: list[str]) -> None:
    multitrack, features = song(*(track(n, *BAND[n]) for n in names))
    made = decide(multitrack, features)
    assert set(gains(made)) >= set(names)
    if "Vox" not in names:
        master = next(d for d in made if d.strip == "master")
        assert any("no lead voice" in note for note in master.reason.notes)
    MixPlan.of(made, title="s", sample_rate=48_000, tracks=[TrackRecord(n, n) for n in names])


def test_the_table_is_named_in_the_plan() -> None:
    master = next(d for d in decide(*labelled()) if d.strip == "master")
    assert "class offsets: substitute table v1 (instrument.toml), meter iso226" in master.reason.notes


def test_a_move_beyond_the_fader_is_clipped_and_said() -> None:
    multitrack, features = song(
        track("Gtr", "guitar"),
        track("Vox", "lead_voice", "lead"),
        features={"Gtr": {"lufs": -66.0, "third_octave_db": np.full(30, -80.0, np.float32)}},
    )
    made = decide(multitrack, features, meter="bs1770")
    assert gains(made)["Gtr"] == 24.0
    assert any(
        "clipped to +24 dB" in note
        for note in next(d for d in made if isinstance(d, SetGain) and d.strip == "Gtr").reason.notes
    )


def test_bad_samples_are_refused_or_muted() -> None:
    random = np.random.default_rng(0)
    good = random.standard_normal(2 * RATE) * 0.1
    bad = good.copy()
    bad[100] = np.nan
    with pytest.raises(AudioFileError, match="finite"):
        analyze(band({"Kick": good, "Vox": bad}), threads=1)
    multitrack = band(
        {"Kick": np.full(2 * RATE, 0.3), "Snare": good[: RATE // 100], "Vox": good, "Hat": np.zeros(RATE)}
    )
    features = analyze(multitrack, threads=1)
    made = decide(multitrack, features)
    assert {d.strip for d in made if isinstance(d, Mute)} == {"Hat"}
    assert all(np.isfinite(value) for value in (*gains(made).values(), *pans(made).values()))


def test_it_is_quick_and_the_same_each_time() -> None:
    kinds = list(BAND.values())
    multitrack, features = song(*(track(f"T{n}", *kinds[n % len(kinds)]) for n in range(100)))
    started = time.process_time()
    first = decide(multitrack, features)
    assert time.process_time() - started < 10.0
    assert first == decide(multitrack, features)


def test_track_features_of_the_maker_are_enough() -> None:
    """An engine must not need what older measurements do not hold."""
    assert track_features("x").gated_third_octave_db is None
