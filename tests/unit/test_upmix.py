"""Songs and mixes in a layout, through the command line: what is written, what is checked, what is refused."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import soundfile
from scipy import signal

from makers import RATE, band, multitrack, noise, plan_for, write_folder
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.decisions import AddBus, AddInsert, SetGain, SetOutput, SetPan, SetPlace
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.saturation import Saturation
from tonmeister.effects.width import Width
from tonmeister.errors import PlanError
from tonmeister.explanation import move_text, place_text
from tonmeister.moves import apply_moves, parse_move
from tonmeister.plan import TrackRecord
from tonmeister.plan_file import load_plan, plan_from_dict, plan_schema, plan_to_dict, save_plan
from tonmeister.render import render
from tonmeister.riff import channel_mask, chunks
from tonmeister.spatial.adm import AdmWriter, Program
from tonmeister.spatial.binaural import Binaural
from tonmeister.spatial.finishing import render_in_layout
from tonmeister.spatial.layouts import layout
from tonmeister.spatial.places import BY, with_places
from tonmeister.spatial.rendering import Placing
from tonmeister.spatial.rendering import render as render_placed
from tonmeister.strip import MASTER, Place
from tonmeister.units import FloatArray

SECONDS = 1.5
NOTHING = 10 ** (-90 / 20)


def song_samples(seconds: float = SECONDS, rate: int = RATE) -> FloatArray:
    """A voice in the middle, a kick, and a room that differs between left and right."""
    random = np.random.default_rng(4)
    times = np.arange(int(seconds * rate)) / rate
    middle = 0.15 * np.sin(2 * np.pi * 440 * times) + 0.3 * np.sin(2 * np.pi * 55 * times) * np.exp(
        -8 * (times % 0.5)
    )
    hits = np.exp(-40 * (times % 0.25)) * random.standard_normal(len(times)) * 0.2
    tail = np.exp(-np.arange(rate // 2) / rate * 10)
    room = [
        signal.fftconvolve(hits, tail * random.standard_normal(len(tail)) * 0.03)[: len(times)] for _ in "lr"
    ]
    return np.asarray(middle + hits + np.stack(room), np.float32) * np.float32(0.5)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    soundfile.write(str(path), song_samples().T, RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("mixes") / "song", band(SECONDS))


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*(str(a) for a in arguments), "--json"]) == code
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    return dict(data)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    assert "\n" not in said.replace(
        "the first run takes longer: the sound kernels are compiled and kept\n", ""
    )
    return said


def in_layout_order(path: Path, name: str) -> FloatArray:
    """Channels of a WAV file in the order of the layout."""
    samples, _ = soundfile.read(str(path), dtype="float32")
    made = np.empty_like(samples.T)
    made[layout(name).wave_order] = samples.T
    return made


# ------------------------------------------------------------------ upmix


@pytest.mark.parametrize("name", ["stereo", "quad", "5.1", "7.1", "5.1.4", "7.1.4"])
def test_the_downmix_of_an_upmix_is_the_song(
    name: str, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.wav"
    data = told(capsys, "upmix", song, "-o", output, "--layout", name, "--bits", "32f")
    checks = data["layout"]
    made = in_layout_order(output, name)
    assert made.shape == (layout(name).channels, len(song_samples()[0]))
    downmix = layout(name).downmix @ made / 10 ** (checks["gain_db"] / 20)
    assert np.abs(downmix - song_samples()).max() < NOTHING
    assert checks["null_peak_dbfs"] < -90
    assert checks["mono_null_peak_dbfs"] < -90
    assert checks["frames"] == checks["stereo_frames"] == made.shape[1]
    assert checks["true_peak_dbtp"] <= -1.0
    assert checks["integrated_lufs"] == pytest.approx(checks["stereo_lufs"] - checks["gain_db"], abs=0.1)
    if name != "stereo":
        assert channel_mask(output) == layout(name).channel_mask
    if "." in name:
        assert checks["lfe_above_200_hz_db"] < -40


def test_places_stand_in_the_plan_with_their_reasons(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.wav"
    data = told(capsys, "upmix", song, "-o", output, "--layout", "5.1", "--set", "song.ambience=0.25")
    plan = load_plan(Path(data["plan"]))
    assert plan["song"].place == Place(center=0.585, ambience=0.25, lfe_db=-10.0)
    by = {d.parameter: d for d in plan.decisions if isinstance(d, SetPlace) and d.by == BY}
    assert {"center", "ambience", "lfe_db"} == set(by)
    assert all(d.reason.text and "Roma" in d.reason.source for d in by.values())
    capsys.readouterr()
    assert run(["explain", data["plan"]]) == 0
    said = capsys.readouterr().out
    assert "58% of its middle to the center" in said
    assert "25% of its room to the surrounds" in said


def test_separated_tracks_are_placed_and_their_downmix_is_the_song(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.wav"
    data = told(capsys, "upmix", song, "-o", output, "--layout", "5.1", "--model", "hpss", "--bits", "32f")
    assert {t["name"] for t in data["tracks"]} == {"harmonic", "percussive", "residual"}
    made = in_layout_order(output, "5.1") / 10 ** (data["layout"]["gain_db"] / 20)
    assert np.abs(layout("5.1").downmix @ made - song_samples()).max() < NOTHING
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.plan.json", "out.wav"]


def test_free_mode_meets_a_target_with_a_limiter(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = told(
        capsys, "upmix", song, "-o", tmp_path / "out.wav", "--layout", "5.1", "--mode", "free", "--target", "-13",
        "--set", "song.azimuth_deg=20",
    )  # fmt: skip
    assert data["layout"]["integrated_lufs"] == pytest.approx(-13.0, abs=0.1)
    assert data["layout"]["true_peak_dbtp"] <= -1.0
    assert data["layout"]["downmix_true_peak_dbtp"] <= -0.5


def test_without_a_limiter_the_gain_stops_at_the_ceiling_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hot = np.repeat(np.sin(2 * np.pi * 997 * np.arange(RATE) / RATE)[None], 2, axis=0) * 0.99
    soundfile.write(str(tmp_path / "hot.wav"), hot.T, RATE, subtype="FLOAT")
    data = told(capsys, "upmix", tmp_path / "hot.wav", "-o", tmp_path / "out.wav", "--layout", "5.1")
    assert data["layout"]["true_peak_dbtp"] <= -1.0
    assert data["layout"]["null_peak_dbfs"] < -90
    assert any("limiter" in note for note in data["notes"])


ODD = {
    "mono": (song_samples()[:1], RATE),
    "dual mono": (np.repeat(song_samples()[:1], 2, axis=0), RATE),
    "silence": (np.zeros((2, RATE), np.float32), RATE),
    "one side": (song_samples() * np.array([[1.0], [0.0]], np.float32), RATE),
    "anti-phase": (song_samples()[:1] * np.array([[1.0], [-1.0]], np.float32), RATE),
    "8 kHz": (song_samples(rate=8000), 8000),
    "0.1 s": (song_samples(0.1), RATE),
    "one frame": (song_samples()[:, :1], RATE),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_songs_come_through(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples, rate = ODD[kind]
    soundfile.write(str(tmp_path / "odd.wav"), samples.T, rate, subtype="FLOAT")
    output = tmp_path / "out.wav"
    checks = told(capsys, "upmix", tmp_path / "odd.wav", "-o", output, "--layout", "5.1", "--bits", "32f")[
        "layout"
    ]
    made = in_layout_order(output, "5.1")
    assert soundfile.info(str(output)).samplerate == rate
    assert made.shape[1] == samples.shape[1]
    assert np.isfinite(made).all()
    downmix = layout("5.1").downmix @ made / 10 ** (checks["gain_db"] / 20)
    assert np.abs(downmix - samples).max() < NOTHING
    if kind == "anti-phase":
        assert np.abs(made[2]).max() < NOTHING
    if kind in ("mono", "dual mono"):
        assert (made[4] ** 2).sum() < 0.1 * (made[0] ** 2).sum()


def test_mono_and_dual_mono_sound_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for name in ("mono", "dual mono"):
        source, output = tmp_path / f"{name}.wav", tmp_path / f"{name} out.wav"
        soundfile.write(str(source), ODD[name][0].T, RATE, subtype="FLOAT")
        told(capsys, "upmix", source, "-o", output, "--layout", "5.1", "--bits", "32f")
        made.append(in_layout_order(output, "5.1"))
    np.testing.assert_array_equal(*made)


def test_what_cannot_be_is_refused_in_one_line(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wav"
    assert "exact mode" in refused(
        capsys, "upmix", song, "-o", out, "--layout", "5.1", "--set", "song.azimuth_deg=30"
    )
    assert "azimuth_deg" in refused(
        capsys, "upmix", song, "-o", out, "--layout", "5.1", "--set", "song.azimut=30"
    )
    assert "-180 to 180" in refused(
        capsys, "upmix", song, "-o", out, "--layout", "5.1", "--mode", "free", "--set", "song.azimuth_deg=400"
    )
    assert ".flac" in refused(capsys, "upmix", song, "-o", tmp_path / "a.mp3", "--layout", "5.1")
    assert "FLAC holds 8" in refused(capsys, "upmix", song, "-o", tmp_path / "a.flac", "--layout", "7.1.4")
    assert "5.1.4" in refused(capsys, "upmix", song, "-o", out, "--layout", "6.1")
    assert "nmf" in refused(capsys, "upmix", song, "-o", out, "--layout", "5.1", "--model", "nfm")
    assert "no ADM form" in refused(
        capsys, "upmix", song, "-o", out, "--layout", "binaural", "--format", "adm"
    )
    bad = song_samples()
    bad[0, 1000] = np.nan
    soundfile.write(str(tmp_path / "nan.wav"), bad.T, RATE, subtype="FLOAT")
    assert "finite" in refused(capsys, "upmix", tmp_path / "nan.wav", "-o", out, "--layout", "5.1")
    soundfile.write(str(tmp_path / "six.wav"), np.zeros((100, 6)), RATE)
    assert "channels=6" in refused(capsys, "upmix", tmp_path / "six.wav", "-o", out, "--layout", "5.1")
    soundfile.write(str(tmp_path / "empty.wav"), np.zeros((0, 2)), RATE)
    assert "no samples" in refused(capsys, "upmix", tmp_path / "empty.wav", "-o", out, "--layout", "5.1")
    assert not list(tmp_path.glob("out*"))
    assert not list(tmp_path.glob(".*"))


def test_flac_holds_a_layout_of_eight_channels(song: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.flac"
    assert run(["upmix", str(song), "-o", str(output), "--layout", "7.1", "--quiet"]) == 0
    assert soundfile.info(str(output)).channels == 8


# ------------------------------------------------------------------ mixes


def test_a_mix_in_a_layout_is_the_stereo_mix_when_it_is_mixed_down(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mix.wav"
    mixed = ["mix", folder, "-o", output, "--layout", "7.1.4", "--engine", "loudness", "--names-only"]
    data = told(capsys, *mixed, "--stems", tmp_path / "stems", "--bits", "32f")
    assert data["layout"]["null_peak_dbfs"] < -90
    assert data["layout"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)
    assert data["layout"]["true_peak_dbtp"] <= -1.0
    assert len(data["stems"]) == 5
    made = in_layout_order(output, "7.1.4")
    again = told(
        capsys,
        "render",
        folder,
        data["plan"],
        "-o",
        tmp_path / "again.wav",
        "--layout",
        "7.1.4",
        "--bits",
        "32f",
    )
    np.testing.assert_array_equal(made, in_layout_order(Path(again["output"]), "7.1.4"))


def test_places_change_nothing_in_stereo(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.wav", tmp_path / "other.wav"
    asked = ["mix", str(folder), "--engine", "loudness", "--quiet", "--names-only"]
    assert run([*asked, "-o", str(one)]) == 0
    assert run([*asked, "-o", str(other), "--set", "Kick.azimuth_deg=90", "--set", "Kick.ambience=1"]) == 0
    assert one.read_bytes()[:-1024] == other.read_bytes()[:-1024]


MASTERS = {
    "compressor": Compressor(threshold_db=-30.0, ratio=4.0, attack_ms=1.0),
    "saturation": Saturation(drive_db=12.0),
    "width": Width(width=1.6),
}


@pytest.mark.parametrize("kind", MASTERS)
def test_effects_on_the_master_keep_the_downmix_the_stereo_mix(kind: str, tmp_path: Path) -> None:
    song = multitrack(("one", noise(RATE)), ("two", noise(RATE, 2, seed=1)))
    moves = [
        AddInsert(MASTER, MASTERS[kind]),
        SetGain(MASTER, -3.0),
        SetPan("one", 0.5),
        SetPan(MASTER, -0.2),
    ]
    moves += [SetPlace("two", "ambience", 1.0), SetPlace("two", "center", 0.5)]
    plan = plan_for(song, moves)
    output = tmp_path / "out.wav"
    _, checks = render_in_layout(song, plan, output, Placing("5.1"), subtype="32f")
    downmix = layout("5.1").downmix @ in_layout_order(output, "5.1")
    assert checks.null_peak_dbfs is not None
    assert checks.null_peak_dbfs < -90
    assert np.abs(downmix - render(song, plan).samples).max() < NOTHING


def test_every_loudspeaker_gets_the_gain_of_the_compressor(tmp_path: Path) -> None:
    """The gain follows the stereo mix, so a source alone is turned down by the same amount wherever it plays."""
    song = multitrack(("one", noise(RATE, 2)))
    plan = plan_for(song, [SetPlace("one", "spread_deg", 220.0)])
    loud = plan.with_decisions([AddInsert(MASTER, MASTERS["compressor"])])
    made = []
    for name, which in (("a", plan), ("b", loud)):
        render_in_layout(song, which, tmp_path / f"{name}.wav", Placing("5.1"), subtype="32f")
        made.append(in_layout_order(tmp_path / f"{name}.wav", "5.1"))
    before, after = made
    stereo = render(song, loud).samples / render(song, plan).samples
    np.testing.assert_allclose(after[4] / before[4], stereo[0], rtol=1e-4)


def test_the_order_of_tracks_and_the_threads_change_nothing(tmp_path: Path) -> None:
    tracks = [("one", noise(30_000)), ("two", noise(30_000, 2, seed=1)), ("three", noise(20_000, seed=2))]
    made = []
    for index, (order, threads) in enumerate(((tracks, 1), (tracks[::-1], 2))):
        song = multitrack(*order)
        plan = with_places(plan_for(song))
        output = tmp_path / f"{index}.wav"
        render_in_layout(song, plan, output, Placing("5.1.4"), subtype="32f", threads=threads)
        made.append(in_layout_order(output, "5.1.4"))
    np.testing.assert_array_equal(*made)


def test_the_place_of_a_bus_is_that_of_what_it_holds_and_counts_for_it(tmp_path: Path) -> None:
    song = multitrack(("Kick", noise(9000)), ("Snare", noise(9000, seed=1)))
    plan = plan_for(song, [AddBus("Drums"), SetOutput("Kick", "Drums"), SetOutput("Snare", "Drums")])
    records = (TrackRecord("Kick", "k", "kick"), TrackRecord("Snare", "s", "snare"))
    plan = with_places(dataclasses.replace(plan, tracks=records))
    assert plan["Drums"].place.lfe_db == -10.0
    assert plan["Kick"].place == Place()
    plan = plan.with_decisions([SetPlace("Kick", "spread_deg", 90.0)])
    finished, _ = render_in_layout(song, plan, tmp_path / "a.wav", Placing("5.1"))
    assert any("Kick: its place is not used" in note for note in finished.notes)


# ------------------------------------------------------------------ plans


def test_a_place_is_moved_saved_and_told(tmp_path: Path) -> None:
    song = multitrack(("Lead Vox", noise(100)))
    plan = apply_moves(
        with_places(plan_for(song)),
        [parse_move("Lead Vox.azimuth_deg=30"), parse_move("Lead Vox.ambience-=0.2")],
    )
    assert plan["Lead Vox"].place.azimuth_deg == 30.0
    save_plan(plan, tmp_path / "p.json")
    assert load_plan(tmp_path / "p.json")["Lead Vox"].place == plan["Lead Vox"].place
    assert move_text(SetPlace("x", "azimuth_deg", 30.0)) == "at 30° left in a layout"
    assert place_text(Place(azimuth_deg=-20.0, lfe_db=-10.0)) == "at 20° right, LFE -10.0 dB"
    assert place_text(Place()) == "as in stereo"


def test_a_persons_place_stands_and_the_table_does_not_overrule_it() -> None:
    song = multitrack(("Vox", noise(100)))
    plan = with_places(plan_for(song, [SetPlace("Vox", "ambience", 0.0)]))
    assert plan["Vox"].place.ambience == 0.0
    assert plan["Vox"].place.spread_deg == 90.0
    assert with_places(plan).strips == plan.strips


def test_plans_without_places_are_written_as_before_and_hand_edits_are_taken_up() -> None:
    plan = plan_for(multitrack(("Vox", noise(100))))
    data = plan_to_dict(plan)
    assert all("place" not in strip for strip in data["strips"])
    assert plan_from_dict(data) == plan
    data["strips"][0]["place"] = {"spread_deg": 120.0}
    edited = plan_from_dict(data)
    assert edited["Vox"].place == Place(spread_deg=120.0)
    assert isinstance(edited.decisions[-1], SetPlace)
    for place in ({"spread_deg": 400.0}, {"width": 1.0}, {"center": "all"}):
        data["strips"][0]["place"] = place
        with pytest.raises(PlanError):
            plan_from_dict(data)
    with pytest.raises(PlanError, match="spread_deg"):
        plan.with_decisions([SetPlace("Vox", "spread", 1.0)])


def test_plans_with_places_fit_the_published_schema() -> None:
    plan = with_places(plan_for(multitrack(("Vox", noise(100)))))
    jsonschema.validate(plan_to_dict(plan), plan_schema())


# ------------------------------------------------------------------ headphones


def correlation_of_ears(ears: FloatArray) -> float:
    """Largest magnitude of the normalized cross-correlation within 1 ms (IACC)."""
    left, right = ears
    lags = range(-RATE // 1000, RATE // 1000 + 1)
    norm = np.sqrt((left**2).sum() * (right**2).sum())
    return float(max(abs((np.roll(left, lag) * right).sum()) for lag in lags) / norm)


def test_an_upmix_on_headphones_is_wider_than_stereo_there(tmp_path: Path) -> None:
    """Law B7: the correlation of the ears is at least 0.1 lower, for sound with a room."""
    sound = (noise(2 * RATE, 2, seed=3).samples + 0.5 * noise(2 * RATE, seed=4).samples).astype(np.float32)
    song = multitrack(("song", Audio(sound, RATE)))
    made = {}
    for name, place in (("stereo", []), ("upmix", [SetPlace("song", "ambience", 1.0)])):
        output = tmp_path / f"{name}.wav"
        render_in_layout(song, plan_for(song, place), output, Placing("binaural"), subtype="32f")
        samples, _ = soundfile.read(str(output), dtype="float32")
        assert samples.shape == (2 * RATE, 2)
        made[name] = correlation_of_ears(samples.T)
    assert made["upmix"] < made["stereo"] - 0.1


def test_the_head_does_not_mind_blocks_and_adds_no_delay() -> None:
    speakers = layout("7.1.4")
    sound = noise(5000, speakers.channels).samples
    whole = Binaural(speakers, RATE)
    one = whole.process(sound)
    parts = Binaural(speakers, RATE)
    other = np.concatenate(
        [parts.process(sound[:, a:b]) for a, b in ((0, 7), (7, 7), (7, 3000), (3000, 5000))], axis=1
    )
    np.testing.assert_allclose(one, other, atol=1e-6)
    click = np.zeros((speakers.channels, 500), np.float32)
    click[speakers.labels.index("M+000"), 0] = 1.0
    ears = Binaural(speakers, RATE).process(click)
    np.testing.assert_allclose(ears[0], ears[1], atol=1e-6)
    assert abs(int(np.argmax(np.abs(ears[0]))) - whole.latency_frames) <= 1


# ------------------------------------------------------------------ ADM


def test_an_adm_file_holds_what_its_model_says(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "objects.wav"
    data = told(
        capsys, "upmix", song, "-o", output, "--layout", "7.1.4", "--format", "adm", "--model", "hpss",
        "--mode", "free", "--set", "percussive.azimuth_deg=-60", "--set", "percussive.spread_deg=0",
    )  # fmt: skip
    info = soundfile.info(str(output))
    assert (info.channels, info.samplerate, info.subtype) == (12 + 2 * 3, 48_000, "PCM_24")
    assert info.frames == pytest.approx(SECONDS * 48_000, abs=1)
    with output.open("rb") as file:
        found = {name: (start, length) for name, start, length in chunks(file, output.stat().st_size)}
        assert list(found) == [b"JUNK", b"fmt ", b"chna", b"axml", b"data"]
        file.seek(found[b"chna"][0])
        table = file.read(found[b"chna"][1])
        file.seek(found[b"axml"][0])
        root = ElementTree.fromstring(file.read(found[b"axml"][1]).decode("utf-8"))
    count, uids = struct.unpack("<HH", table[:4])
    assert count == uids == info.channels
    rows = [struct.unpack("<H12s14s11sx", table[4 + 40 * i : 44 + 40 * i]) for i in range(uids)]
    assert [row[0] for row in rows] == list(range(1, uids + 1))
    space = {"a": "urn:ebu:metadata-schema:ebuCore_2015"}
    tracks = {
        t.get("UID", "").encode(): t for t in root.iterfind(".//a:audioTrackUID", space) if t.get("UID")
    }
    for _, uid, track, pack in rows:
        assert tracks[uid].findtext("a:audioTrackFormatIDRef", namespaces=space) == track.decode()
        assert tracks[uid].findtext("a:audioPackFormatIDRef", namespaces=space) == pack.decode()
    assert rows[0][2:] == (b"AT_00010001_01", b"AP_00010017")
    names = [o.get("audioObjectName") for o in root.iterfind(".//a:audioObject", space)]
    assert names == ["7.1.4", "harmonic", "percussive", "residual"]
    named = {c.get("audioChannelFormatName"): c for c in root.iterfind(".//a:audioChannelFormat", space)}
    for side in ("left", "right"):
        place = {
            p.get("coordinate"): float(p.text or "")
            for p in named[f"percussive {side}"].iterfind(".//a:position", space)
        }
        assert place == {"azimuth": -60.0, "elevation": 0.0, "distance": 1.0}
    assert data["layout"]["null_peak_dbfs"] is None
    ids = {value for e in root.iter() for key, value in e.attrib.items() if key.endswith(("ID", "UID"))}
    own = {
        e.text for e in root.iter() if e.tag.endswith(("IDRef", "UIDRef")) and "_0001" not in (e.text or "")
    }
    assert own <= ids


def test_the_objects_of_an_adm_file_and_its_bed_are_the_mix(tmp_path: Path) -> None:
    rate = 48_000
    song = multitrack(
        ("one", Audio(noise(rate // 2, 2).samples, rate)),
        ("two", Audio(noise(rate // 2, seed=2).samples, rate)),
    )
    plan = plan_for(song, [SetPlace("one", "ambience", 1.0), SetPlace("one", "center", 0.5)])
    render_in_layout(song, plan, tmp_path / "adm.wav", Placing("5.1", form="adm"))
    samples, _ = soundfile.read(str(tmp_path / "adm.wav"), dtype="float32")
    bed, objects = samples.T[:6], samples.T[6:]
    downmix = layout("5.1").downmix @ bed + objects[:2] + objects[2:]
    assert np.abs(downmix - render(song, plan).samples).max() < 1e-5  # dither of ten channels


def test_a_long_adm_file_becomes_bw64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    program = Program("long", layout("7.1.4"), {}, 2**27)
    writer = AdmWriter(path, program)
    head = writer._head()
    writer.discard()
    assert head[:12] == b"BW64\xff\xff\xff\xffWAVE"
    assert head[12:16] == b"ds64"
    total, size = struct.unpack("<QQ", head[20:36])
    assert size == 2**27 * 12 * 3
    assert total == len(head) - 8 + size
    assert head[-8:] == b"data\xff\xff\xff\xff"
    assert not list(tmp_path.iterdir())


def test_ear_reads_and_renders_an_adm_file(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The renderer of BS.2127 as a judge, where it is installed."""
    adm_io = pytest.importorskip("ear.fileio")
    output = tmp_path / "objects.wav"
    told(capsys, "upmix", song, "-o", output, "--layout", "7.1.4", "--format", "adm")
    with adm_io.openBw64Adm(str(output)) as file:
        file.adm.validate()
        assert [o.audioObjectName for o in file.adm.audioObjects] == ["7.1.4", "song"]


# ------------------------------------------------------------------ in memory


def test_a_mix_in_memory_is_the_mix_in_a_file(tmp_path: Path) -> None:
    song = multitrack(("Vox", noise(9000)), ("Keys", noise(9000, 2, seed=1)))
    plan = plan_for(song)
    render_in_layout(song, with_places(plan), tmp_path / "a.wav", Placing("5.1"), subtype="32f")
    made = render_placed(song, plan, layout="5.1")
    np.testing.assert_array_equal(made.samples, in_layout_order(tmp_path / "a.wav", "5.1"))
    np.testing.assert_array_equal(render_placed(song, plan).samples, render(song, plan).samples)
