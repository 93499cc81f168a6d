"""From plan to file: the target is met, peaks stay below the ceiling, the saved plan renders the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyebur128
import pytest

from makers import RATE, band, multitrack, noise, plan_for, tone, write_folder
from tonmeister.audio import Audio, probe, read_audio
from tonmeister.decisions import AddBus, AddInsert, AddSend, Mute, SetGain, SetOutput
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.reverb import Reverb
from tonmeister.errors import BadInputError, OutputError
from tonmeister.finish import finish, render_to_file
from tonmeister.loading import load_multitrack
from tonmeister.moves import parse_move
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import analyze as analyze_tracks
from tonmeister.pipeline import decide, mix
from tonmeister.plan import MixPlan
from tonmeister.plan_file import load_plan, save_plan
from tonmeister.render import Section, render
from tonmeister.targets import parse_target, targets
from tonmeister.units import gain_to_db


def oracle(audio: Audio, mode: pyebur128.MeasurementMode) -> pyebur128.R128State:
    state = pyebur128.R128State(audio.channels, RATE, mode)
    state.add_frames(np.ascontiguousarray(audio.samples.T, dtype=np.float64).ravel(), audio.frames)
    return state


def lufs(audio: Audio) -> float:
    return float(pyebur128.get_loudness_global(oracle(audio, pyebur128.MeasurementMode.MODE_I)))


def true_peak_dbtp(audio: Audio) -> float:
    state = oracle(audio, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    return max(gain_to_db(pyebur128.get_true_peak(state, c)) for c in range(audio.channels))


def song() -> Multitrack:
    hits = noise(2 * RATE, 1, seed=4, level=0.5).samples * (np.arange(2 * RATE) % (RATE // 3) < 2000)
    return multitrack(
        ("Drums", Audio(hits, RATE)), ("Pad", tone(220, 2.0, channels=2)), ("Vox", tone(660, 1.5))
    )


def console(track: Multitrack) -> MixPlan:
    return plan_for(
        track,
        [
            AddBus("Bus"),
            AddBus("Reverb", kind="return"),
            SetOutput("Drums", "Bus"),
            AddInsert("Bus", Compressor(threshold_db=-20.0, ratio=3.0)),
            AddSend("Vox", "Reverb", -10.0),
            AddInsert("Reverb", Reverb(mix=1.0)),
        ],
    )


@pytest.mark.parametrize("target", ["-9", "streaming", "ebu-r128", "-30"])
def test_the_loudness_target_is_met_and_no_peak_is_above_the_ceiling(tmp_path: Path, target: str) -> None:
    wanted = parse_target(target)
    assert wanted.lufs is not None
    assert wanted.ceiling_dbtp is not None
    done = finish(song(), console(song()), tmp_path / "mix.wav", target=wanted)
    written = read_audio(tmp_path / "mix.wav")
    assert lufs(written) == pytest.approx(wanted.lufs, abs=0.1)
    assert done.after.integrated_lufs == pytest.approx(lufs(written), abs=0.02)
    assert true_peak_dbtp(written) <= wanted.ceiling_dbtp + 0.02
    assert written.frames == song().frames
    assert done.plan.after["integrated_lufs"] == done.after.integrated_lufs


def test_a_saved_plan_renders_the_same_bytes(tmp_path: Path) -> None:
    done = finish(song(), console(song()), tmp_path / "a.wav", target=parse_target("-12"))
    save_plan(done.plan, tmp_path / "p.json")
    render_to_file(song(), load_plan(tmp_path / "p.json"), tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_finishing_a_finished_plan_changes_nothing(tmp_path: Path) -> None:
    first = finish(song(), console(song()), tmp_path / "a.wav", target=parse_target("-12"))
    second = finish(song(), first.plan, tmp_path / "b.wav", target=parse_target("-12"))
    assert second.plan.strips == first.plan.strips
    assert len(second.plan.log) == len(first.plan.log)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_threads_change_no_byte(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", band())
    for threads in (1, 2):
        mix(folder, tmp_path / f"{threads}.wav", threads=threads, seed=3)
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "2.wav").read_bytes()


def test_premaster_sets_the_peak_and_limits_nothing(tmp_path: Path) -> None:
    done = finish(
        song(), console(song()), tmp_path / "mix.wav", target=parse_target("premaster"), subtype="32f"
    )
    peak = np.abs(read_audio(tmp_path / "mix.wav").samples).max()
    assert gain_to_db(float(peak)) == pytest.approx(-6.0, abs=0.01)
    assert done.plan["master"].insert("limiter") is None


def test_no_target_leaves_the_level_unless_integers_would_clip(tmp_path: Path) -> None:
    track, plan = song(), plan_for(song(), [SetGain("Pad", 12.0)])
    peak = float(np.abs(render(track, plan).samples).max())
    assert peak > 1.0
    finish(track, plan, tmp_path / "f.wav", target=parse_target("none"), subtype="32f")
    assert np.abs(read_audio(tmp_path / "f.wav").samples).max() == pytest.approx(peak)
    finish(track, plan, tmp_path / "i.wav", target=parse_target("none"))
    assert gain_to_db(float(np.abs(read_audio(tmp_path / "i.wav").samples).max())) == pytest.approx(
        -0.1, abs=0.01
    )


def test_stems_sum_to_the_premaster_bus(tmp_path: Path) -> None:
    track, plan = song(), console(song())
    done = finish(track, plan, tmp_path / "mix.wav", target=parse_target("-14"), stems=tmp_path / "stems")
    assert [p.name for p in done.stems] == [
        "01_other_Pad.wav",
        "02_other_Vox.wav",
        "03_bus_Bus.wav",
        "04_return_Reverb.wav",
    ]
    total = np.sum([read_audio(p).samples for p in done.stems], axis=0, dtype=np.float64)
    assert np.abs(total - render(track, plan).samples).max() < 1e-7
    with pytest.raises(BadInputError, match="--overwrite"):
        finish(track, plan, tmp_path / "b.wav", target=parse_target("-14"), stems=tmp_path / "stems")
    assert not (tmp_path / "b.wav").exists()


def test_a_preview_is_a_part_and_a_start_behind_the_end_is_refused(tmp_path: Path) -> None:
    finish(
        song(),
        console(song()),
        tmp_path / "p.wav",
        target=parse_target("-14"),
        section=Section(RATE, RATE // 2),
    )
    assert probe(tmp_path / "p.wav").frames == RATE // 2
    with pytest.raises(BadInputError, match="behind the end"):
        finish(
            song(),
            console(song()),
            tmp_path / "q.wav",
            target=parse_target("-14"),
            section=Section(99 * RATE, 5),
        )
    assert [p.name for p in tmp_path.iterdir()] == ["p.wav"]


def test_a_target_out_of_reach_is_said(tmp_path: Path) -> None:
    click = Audio(np.eye(1, RATE, 2000, dtype=np.float32) * 0.9, RATE)
    done = finish(
        multitrack(("Click", click)),
        plan_for(multitrack(("Click", click))),
        tmp_path / "m.wav",
        target=parse_target("-6"),
    )
    assert any("was not reached" in note for note in done.notes)


def test_a_muted_mix_cannot_meet_a_loudness(tmp_path: Path) -> None:
    track = song()
    with pytest.raises(BadInputError, match="the mix is silent"):
        finish(
            track,
            plan_for(track, [Mute(n) for n in track.names]),
            tmp_path / "m.wav",
            target=parse_target("-14"),
        )
    assert not list(tmp_path.iterdir())


def test_lossy_files_are_measured_after_encoding(tmp_path: Path) -> None:
    done = finish(song(), console(song()), tmp_path / "mix.ogg", target=parse_target("-14"))
    assert done.after.integrated_lufs == pytest.approx(lufs(read_audio(tmp_path / "mix.ogg")), abs=0.05)


def test_an_existing_mix_survives_a_failing_run(tmp_path: Path) -> None:
    (tmp_path / "mix.wav").write_bytes(b"the last good mix")
    bad = multitrack(("A", noise(RATE)), ("B", noise(RATE)))
    with pytest.raises(BadInputError):
        finish(
            bad,
            plan_for(bad, [Mute("A"), Mute("B")]),
            tmp_path / "mix.wav",
            target=parse_target("-14"),
            overwrite=True,
        )
    assert (tmp_path / "mix.wav").read_bytes() == b"the last good mix"


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((BadInputError, OutputError)):
        finish(song(), console(song()), tmp_path / "file" / "mix.wav", target=parse_target("-14"))


def test_a_persons_plan_is_kept_when_an_engine_decides_again(tmp_path: Path) -> None:
    track = load_multitrack(write_folder(tmp_path / "song", band()))
    features = analyze_tracks(track)
    first = decide(track, features, engine="loudness", moves=[parse_move("Kick.gain_db=-1.5")])
    again = decide(track, features, engine="sum", base=first, locks=["Bass"])
    assert again["Kick"].gain_db == -1.5
    assert again["Bass"].gain_db == first["Bass"].gain_db != 0.0
    assert again["Snare"].gain_db == 0.0


def test_a_locked_strip_keeps_the_room_it_feeds(tmp_path: Path) -> None:
    track = load_multitrack(write_folder(tmp_path / "song", band()))
    features = analyze_tracks(track)
    first = decide(track, features)
    assert first["Lead Vox"].sends
    again = decide(track, features, engine="sum", base=first, locks=["Lead Vox"])
    assert again["Lead Vox"].sends == first["Lead Vox"].sends
    assert again["Reverb"].inserts == first["Reverb"].inserts
    assert not again["Snare"].sends


def test_engines_compose_and_options_find_their_engine(tmp_path: Path) -> None:
    track = load_multitrack(write_folder(tmp_path / "song", band()))
    features = analyze_tracks(track)
    plan = decide(track, features, engine="sum+loudness", options={"loudness.target": "-20"})
    assert plan["Kick"].gain_db != 0.0
    assert {d.by for d in plan.decisions} == {"sum", "loudness"}
    with pytest.raises(BadInputError, match=r"has no option 'tarket'.*did you mean 'target'"):
        decide(track, features, engine="loudness", options={"tarket": "-20"})
    with pytest.raises(BadInputError, match="did you mean 'textbook'"):
        decide(track, features, engine="textbok")


def test_every_target_has_a_source_and_a_number_can_be_given() -> None:
    assert all(t.source and t.evidence in ("v", "s", "u") for t in targets().values())
    assert parse_target("-16").lufs == -16.0
    for text, said in (("spotfy", "did you mean 'spotify'"), ("-1", "out of range"), ("nan", "out of range")):
        with pytest.raises(BadInputError, match=said):
            parse_target(text)
