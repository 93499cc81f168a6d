"""The demo song and the verb that mixes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tonmeister.audio import probe, read_audio
from tonmeister.cli import run
from tonmeister.demo import SAMPLE_RATE, demo_tracks, write_demo_song
from tonmeister.errors import BadInputError
from tonmeister.loading import load_multitrack
from tonmeister.plan_file import load_plan


@pytest.fixture(scope="module")
def tracks() -> dict[str, np.ndarray]:
    return demo_tracks(3)


def test_every_track_is_as_loud_as_it_can_be(tracks: dict[str, np.ndarray]) -> None:
    for name, samples in tracks.items():
        assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20)), name
        assert samples.shape[1] == 12 * SAMPLE_RATE
        assert np.isfinite(samples).all()
    total = sum(np.broadcast_to(s, (2, s.shape[1])) for n, s in tracks.items() if n[:2].isdigit())
    assert np.abs(total).max() > 2.0


def test_the_seed_decides(tracks: dict[str, np.ndarray]) -> None:
    again, other = demo_tracks(3), demo_tracks(4)
    for name, samples in tracks.items():
        np.testing.assert_array_equal(samples, again[name])
    assert not np.array_equal(tracks["02_Snare"], other["02_Snare"])


def test_demo_makes_a_song_mixes_it_and_says_where_everything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my demo"
    assert run(["demo", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert "tonmeister explain" in out
    for name in ("mix.wav", "mix.plan.json", "mix.reasons.txt"):
        assert str(folder / name) in err
        assert (folder / name).stat().st_size > 1000
    song, plan = load_multitrack(folder / "song"), load_plan(folder / "mix.plan.json")
    assert {t.instrument for t in song.tracks} >= {
        "kick",
        "snare",
        "hihat",
        "bass",
        "lead_voice",
        "backing_voice",
    }
    assert "Lead Vox" in song.names
    assert [t.file for t in song.references] == ["Rough Mix.wav"]
    assert [e.file for e in song.excluded] == ["10_Click.wav"]
    assert plan.after["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)
    assert probe(folder / "mix.wav").frames == 12 * SAMPLE_RATE
    assert run(["demo", str(folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_a_song_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    write_demo_song(tmp_path, seed=1)
    kept = read_audio(tmp_path / "02_Snare.wav").samples
    with pytest.raises(BadInputError, match="exists already"):
        write_demo_song(tmp_path, seed=2)
    np.testing.assert_array_equal(read_audio(tmp_path / "02_Snare.wav").samples, kept)
    write_demo_song(tmp_path, seed=2, overwrite=True)
    assert not np.array_equal(read_audio(tmp_path / "02_Snare.wav").samples, kept)
