"""The balance score: perfect for the person's own levels, worse the further away, blind to a common offset."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from makers import RATE, band, multitrack, noise, plan_for, write_folder
from tonmeister.audio import Audio
from tonmeister.audio_output import write_audio
from tonmeister.decisions import AddBus, Automate, SetGain, SetOutput, SetPan
from tonmeister.errors import BadInputError
from tonmeister.evaluation.balance import (
    BASELINES,
    evaluate_balance,
    score,
)
from tonmeister.evaluation.levels import Levels, engine_levels, measured_levels
from tonmeister.evaluation.songs import load_song
from tonmeister.loading import load_multitrack
from tonmeister.render import render
from tonmeister.strip import Curve, pan_gains
from tonmeister.units import db_to_gain

NAMES = ("a", "b", "c", "d", "e")
levels = st.lists(st.floats(-40, 0), min_size=5, max_size=5)


def of(values: list[float]) -> Levels:
    return Levels(dict(zip(NAMES, values, strict=True)), dict.fromkeys(NAMES, 0.0))


@given(levels, st.floats(-20, 20))
@settings(max_examples=40, deadline=None)
def test_the_same_balance_at_any_level_is_perfect(values: list[float], offset: float) -> None:
    result = score(of(values), of([v + offset for v in values]))
    assert result.mae_lu == pytest.approx(0, abs=1e-9)
    assert result.rms_lu == pytest.approx(0, abs=1e-9)


@given(levels, levels)
@settings(max_examples=40, deadline=None)
def test_scores_agree_with_an_independent_reading(reference: list[float], estimate: list[float]) -> None:
    result = score(of(reference), of(estimate))
    errors = np.subtract(estimate, reference)
    errors -= errors.mean()
    assert result.mae_lu == pytest.approx(np.abs(errors).mean())
    assert result.rms_lu == pytest.approx(np.sqrt((errors**2).mean()))
    if np.ptp(reference) > 0 and np.ptp(estimate) > 0:
        assert result.rank_correlation == pytest.approx(scipy.stats.spearmanr(reference, estimate).statistic)


def test_a_growing_fault_grows_the_error() -> None:
    reference = [-20.0, -22.0, -18.0, -25.0, -21.0]
    found = [
        score(of(reference), of([reference[0] + fault, *reference[1:]])).mae_lu for fault in (0, 1, 2, 4, 8)
    ]
    assert found == sorted(found)
    assert found[0] == 0


def test_silent_tracks_are_left_out_and_one_track_is_no_balance() -> None:
    reference = of([-20.0, -22.0, -18.0, -25.0, -21.0])
    silent = dataclasses.replace(reference, lufs={**reference.lufs, "a": None})
    assert score(silent, reference).tracks == 4
    nothing = Levels(dict.fromkeys(NAMES) | {"a": -20.0}, reference.pan)
    with pytest.raises(BadInputError, match="a balance needs two"):
        score(nothing, reference)


def test_engine_levels_are_what_faders_pans_and_buses_make() -> None:
    song = multitrack(
        ("A", noise(RATE, 1, seed=1)), ("B", noise(RATE, 2, seed=2)), ("C", noise(RATE, 1, seed=3))
    )
    half = Curve((0.0, 1e-3), (-6.0, -6.0))
    plans = {
        "up": plan_for(song),
        "moved": plan_for(
            song,
            [
                AddBus("Bus"), AddBus("Outer"), SetOutput("Bus", "Outer"), SetOutput("A", "Bus"), SetGain("Bus", -3.0),
                SetGain("Outer", -2.0), SetGain("A", -4.0), SetPan("C", 0.5), Automate("B", "gain_db", half),
            ],
        ),
    }  # fmt: skip
    found = engine_levels(song, plans)
    plain = measured_levels(song, {n: n for n in song.names})
    assert found["up"].lufs == pytest.approx(dict(plain.lufs), abs=1e-6)
    steps = {n: found["moved"].lufs[n] - found["up"].lufs[n] for n in song.names}  # type: ignore[operator]
    assert steps == pytest.approx({"A": -9.0, "B": -6.0, "C": 0.0}, abs=0.01)
    left, right = pan_gains(0.5)
    assert found["moved"].pan["C"] == pytest.approx(0.5, abs=1e-3)
    assert right > left


def raw_and_post(folder: Path, gains_db: dict[str, float]) -> Path:
    tracks = band(1.0)
    write_folder(folder / "raw", tracks)
    mixed = {n: Audio(a.samples * db_to_gain(gains_db.get(n, 0.0)), RATE) for n, a in tracks.items()}
    write_folder(folder / "post", mixed)
    return folder


def test_a_song_whose_human_left_the_faders_up_is_solved_by_the_plain_sum(tmp_path: Path) -> None:
    song = load_song(raw_and_post(tmp_path / "song", {}))
    told: list[float] = []
    table = evaluate_balance([song], ["sum"], progress=lambda _, done: told.append(done))
    assert table["sum"]["song"].mae_lu == pytest.approx(0.0, abs=0.01)
    assert table["sum"]["all"].mae_lu == table["sum"]["song"].mae_lu
    assert set(table) == set(BASELINES)
    assert table["random"]["song"].mae_lu > 3
    assert told[-1] == pytest.approx(1.0)


def test_an_equally_loud_human_mix_is_solved_by_equal_loudness(tmp_path: Path) -> None:
    song = load_song(raw_and_post(tmp_path / "song", {}))
    gains = {n: -v for n, v in song.human.lufs.items() if v is not None}
    files = {t.name: t.file for t in song.multitrack.tracks}
    by_file = {name: gains[n] - 25 for n, f in files.items() for name in f.split(" + ")}
    equal = load_song(raw_and_post(tmp_path / "equal", by_file))
    table = evaluate_balance([equal], [])
    assert table["loudness"]["equal"].mae_lu < 0.1
    assert table["sum"]["equal"].mae_lu > 1


def test_stems_need_a_scramble_that_hides_the_answer(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "stems", band(1.0))
    with pytest.raises(BadInputError, match="--scramble"):
        load_song(folder)
    song = load_song(folder, scramble_db=12, seed=1)
    again = load_song(folder, scramble_db=12, seed=1)
    other = load_song(folder, scramble_db=12, seed=2)
    gains = [[t.input_gain_db for t in s.multitrack.tracks] for s in (song, again, other)]
    assert gains[0] == gains[1] != gains[2]
    table = evaluate_balance([song], [])
    assert table["sum"]["stems"].mae_lu > 2
    assert table["loudness"]["stems"].mae_lu == pytest.approx(
        evaluate_balance([other], [])["loudness"]["stems"].mae_lu, abs=0.05
    )


def test_a_human_mix_beside_raw_tracks_is_read_by_unmixing(tmp_path: Path) -> None:
    gains = {"01_Kick.wav": -6.0, "03_Bass.wav": 3.0, "06_Lead Vox.wav": 5.0}
    folder = raw_and_post(tmp_path / "song", gains)
    by_post = load_song(folder)
    mixed = load_multitrack(folder / "post")
    write_audio(folder / "human_mix.wav", render(mixed, plan_for(mixed)), subtype="32f")
    shutil.rmtree(folder / "post")
    by_mix = load_song(folder)
    assert by_mix.kind == "raw and human_mix.wav"
    assert by_mix.human.lufs == pytest.approx(dict(by_post.human.lufs), abs=0.3)


def test_folders_that_are_no_songs(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such folder"):
        load_song(tmp_path / "none")
    folder = raw_and_post(tmp_path / "song", {})
    (folder / "post" / "01_Kick.wav").rename(folder / "post" / "01_Kik.wav")
    with pytest.raises(BadInputError, match=r"has no '01_Kick\.wav'"):
        load_song(folder)
