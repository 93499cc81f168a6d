"""Learning moving faders: from folders, stems and lists of songs; features selected; the truth of what is stated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from makers import write_folder
from makers_features import track
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.engines.dynamical.frames import MENU, column_names, describe, observations
from tonmeister.engines.dynamical.model import load_dynamical
from tonmeister.errors import BadInputError
from tonmeister.model_files.store import load_model
from tonmeister.training.dynamical.calibration import coverage, spread_scales
from tonmeister.training.dynamical.data import SongFrames, scrambled, training_song
from tonmeister.training.dynamical.learning import TrainingSong, learn_regression
from tonmeister.training.dynamical.manifest import read_manifest
from tonmeister.training.dynamical.selection import menu_columns, on_menu, selected

RATE = 22050
BAND = {"Lead Vox": (500.0, 7.0), "Bass": (80.0, 5.0), "Kick": (60.0, 3.0), "Electric Guitar": (900.0, 4.0)}


def written(folder: Path, tracks: dict[str, Audio]) -> Path:
    return write_folder(folder, {f"{name}.wav": audio for name, audio in tracks.items()})


def sounds(seed: int, seconds: float = 12.0) -> dict[str, Audio]:
    """Four tracks of noise around a frequency, each swelling in its own time."""
    times = np.arange(round(seconds * RATE)) / RATE
    made = {}
    for i, (name, (hertz, period_s)) in enumerate(BAND.items()):
        noise = np.random.default_rng([seed, i]).standard_normal(len(times))
        carrier = np.sin(2 * np.pi * hertz * times) + 0.3 * noise
        swell_db = 5.0 * np.sin(2 * np.pi * times / period_s + seed + i)
        made[name] = Audio((0.05 * carrier * 10 ** (swell_db / 20))[None], RATE)
    return made


def ridden(tracks: dict[str, Audio]) -> dict[str, Audio]:
    """The lead rides against its own swell, the others stand."""
    times = np.arange(tracks["Lead Vox"].frames) / RATE
    ride_db = 3.0 * np.sin(2 * np.pi * times / 6.0)
    return tracks | {"Lead Vox": Audio(tracks["Lead Vox"].samples * 10 ** (ride_db / 20), RATE)}


def summed(tracks: dict[str, Audio]) -> Audio:
    return Audio(sum(a.samples for a in tracks.values()), RATE)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs: two with raw/ and post/, one with raw/ and a mix, and one whose mix is of something else."""
    root = tmp_path_factory.mktemp("songs")
    for seed, name in enumerate(("one", "two")):
        written(root / name / "raw", sounds(seed))
        written(root / name / "post", ridden(sounds(seed)))
    for seed, name in ((2, "mixed"), (3, "wrong")):
        written(root / name / "raw", sounds(seed))
        written(root / name, {"human_mix": summed(ridden(sounds(seed if name == "mixed" else 99)))})
    stranger = np.random.default_rng(9).standard_normal((1, 12 * RATE)) * 0.1
    written(root / "wrong", {"human_mix": Audio(stranger, RATE)})
    return root


def trained(*words: str) -> int:
    return run(["train", "dynamical", "--layout", "own", "-q", *words])


def test_songs_are_learned_and_a_mix_of_something_else_is_left_out_aloud(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.npz"
    assert trained("--data", str(songs), "-o", str(path), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["songs"] == 3
    assert any("wrong: left out" in note and "does not seem to be a mix" in note for note in said["notes"])
    assert set(said["mse_db2_by_source"]) == {songs.name}
    assert {"mean", "regression", "system smoother", "improved smoother"} <= set(said["mse_db2"])
    assert said["spectral_radius"] <= 1.0 + 1e-9
    for shares in said["coverage_90"].values():
        assert shares["stated"] is None or shares["stated"] == pytest.approx(0.9, abs=0.01)
    assert load_dynamical(path).columns == column_names(("bass", "drums", "guitar", "vocals"))


def test_the_same_songs_give_the_same_bytes(songs: Path, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        words = ("--data", str(songs / "one"), "--data", str(songs / "two"), "--scramble-faders", "4")
        assert (
            trained(*words, "--seed", "3", "-o", str(folder / "m.npz"), "--cache", str(tmp_path / "cache"))
            == 0
        )
        made.append((folder / "m.npz").read_bytes())
    assert made[0] == made[1]


def test_stems_need_their_faders_scrambled(songs: Path, tmp_path: Path) -> None:
    stems, other = songs / "one" / "post", songs / "two"
    path = tmp_path / "stems.npz"
    assert trained("--data", str(stems), "--data", str(stems), "-o", str(path)) == 2
    assert not path.exists()
    words = ("--data", str(stems), "--data", str(other), "--scramble-faders", "6", "-o", str(path))
    assert trained(*words) == 0
    assert "--scramble-faders 6" in load_model(path, kind="dynamical").card.recipe["command"]


def frames_of(seed: int) -> SongFrames:
    tracks = (track("Vox", "lead_voice", "lead"), track("Kick", "kick"), track("Snare", "snare"))
    random = np.random.default_rng(seed)
    raw = {t.name: random.uniform(1e-5, 1e-3, (200, 30)).astype(np.float32) for t in tracks}
    return SongFrames(f"s{seed}", "", tracks, {t.name: -20.0 for t in tracks}, raw, raw)


def test_a_scrambled_song_asks_for_the_ride_that_undoes_it() -> None:
    song = frames_of(1)
    moved = scrambled(song, "paper", 6.0, 5)
    gain_db = 10 * np.log10(moved.raw["Kick"][:, 0] / song.raw["Kick"][:, 0])
    assert np.abs(gain_db).max() <= 6.0 + 1e-3
    assert 1.0 < gain_db.std() < 5.0
    together = moved.raw["Snare"] / song.raw["Snare"], moved.raw["Kick"] / song.raw["Kick"]
    np.testing.assert_allclose(*together, rtol=1e-6)  # a group moves as one
    assert np.abs(np.diff(gain_db)).max() < 1.0
    asked = training_song(moved, "paper", column_names(("drums",)))
    np.testing.assert_allclose(asked.weights[:, 1], gain_db.mean() - gain_db, atol=1e-3)
    assert np.nanmax(np.abs(training_song(song, "paper", column_names(("drums",))).weights)) < 1e-4
    again, other = scrambled(song, "paper", 6.0, 5), scrambled(song, "paper", 6.0, 6)
    assert np.array_equal(again.raw["Vox"], moved.raw["Vox"])
    assert not np.array_equal(other.raw["Vox"], moved.raw["Vox"])


# A list of songs


def listed(songs: Path, where: Path, **changes: str) -> Path:
    """A list of the song with a mix, and of the same song by another name."""
    tracks = {"Lead Vox": "lead_voice", "Bass": "bass", "Kick": "kick", "Electric Guitar": "electric_guitar"}
    text = ""
    for name in ("first", "second"):
        words = {
            "id": name,
            "artist": name,
            "licence": "CC BY 4.0",
            "mix": str(songs / "mixed" / "human_mix.wav"),
        }
        words |= changes
        text += (
            "[[song]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in words.items()) + "[song.tracks]\n"
        )
        text += "".join(
            f"{json.dumps(str(songs / 'mixed/raw' / n) + '.wav')} = {json.dumps(w)}\n"
            for n, w in tracks.items()
        )
    path = where / "songs.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_list_names_songs_artists_and_licences(songs: Path, tmp_path: Path) -> None:
    path = tmp_path / "listed.npz"
    assert trained("--data", str(listed(songs, tmp_path)), "-o", str(path)) == 0
    card = load_model(path, kind="dynamical").card
    assert [(d.name, d.licence) for d in card.training_data] == [
        ("first (first)", "CC BY 4.0"),
        ("second (second)", "CC BY 4.0"),
    ]


def test_songs_of_one_artist_cannot_be_left_out(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.npz"
    assert trained("--data", str(listed(songs, tmp_path, artist="The Band")), "-o", str(path)) == 2
    assert "The Band" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"licence": ""}, "licence"), ({"mix": "none.wav"}, "does not exist"), ({"singer": "me"}, "not known")],
)
def test_a_list_that_is_wrong_is_refused(
    changes: dict[str, str], told: str, songs: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=told):
        read_manifest(listed(songs, tmp_path, **changes))


# Features


def test_a_change_of_level_changes_the_level_alone() -> None:
    powers = np.random.default_rng(2).uniform(1e-6, 1e-3, (1, 6, 30))
    quiet, loud = describe(powers)[0], describe(4.0 * powers)[0]
    np.testing.assert_allclose(loud[:, 0] - quiet[:, 0], 6.02, atol=0.01)
    np.testing.assert_allclose(loud[1:, 1:], quiet[1:, 1:], atol=1e-9)
    assert np.isnan(quiet[0, MENU.index("flux")])
    assert np.isnan(describe(np.zeros((1, 2, 30)))).all()


def test_what_is_silent_has_no_features_and_the_others_do_not_hear_it() -> None:
    powers = np.random.default_rng(3).uniform(1e-5, 1e-3, (2, 40, 30))
    powers[1, 20:] *= 1e-7
    columns = column_names(("a", "b"), "own+others")
    seen = observations(powers, ("a", "b"), columns)
    assert np.isnan(seen[20:, columns.index("b:own:level")]).all()
    assert np.isfinite(seen[:20]).all()
    assert np.isnan(seen[20:, columns.index("a:others:level")]).all()
    np.testing.assert_allclose(
        seen[:, columns.index("b:others:level")], seen[:, columns.index("a:own:level")]
    )


def test_selection_finds_what_matters_and_nothing_where_nothing_does() -> None:
    random = np.random.default_rng(4)
    made = []
    for i in range(8):
        y = random.standard_normal((120, 12))
        x = np.column_stack((2.0 * y[:, 3] - y[:, 7], random.standard_normal(120)))
        made.append(TrainingSong(str(i), x + 0.3 * random.standard_normal(x.shape), y))
    chosen = selected(made, 0.01, np.ones((12, 2), bool))
    assert np.flatnonzero(chosen[:, 0]).tolist() == [3, 7]
    assert not chosen[:, 1].any()
    closed = np.ones((12, 2), bool)
    closed[3] = False
    assert np.flatnonzero(selected(made, 0.01, closed)[:, 0]).tolist() == [7]


def test_the_error_that_selects_is_the_error_of_the_regression_on_songs_left_out() -> None:
    from tonmeister.training.dynamical.selection import _Folds

    random = np.random.default_rng(5)
    made = []
    for i in range(4):
        y = random.standard_normal((50, 3)) * (1.0, 5.0, 0.2) + i
        made.append(TrainingSong(str(i), (y @ (1.0, 0.2, 3.0))[:, None] + random.standard_normal((50, 1)), y))
    folds = _Folds.of([(s.features, s.weights[:, 0], s.title) for s in made])
    assert folds is not None
    squares = []
    for song in made:
        others = [s for s in made if s is not song]
        scale = np.concatenate([s.features for s in others]).std(0)
        scaled = [replace(s, features=s.features / scale) for s in others]
        fit = learn_regression(scaled, ridge=0.1)
        squares.append((fit.predict(song.features / scale) - song.weights) ** 2)
    assert folds.errors(np.array([[0, 1, 2]]), 0.1)[0] == pytest.approx(
        np.concatenate(squares).mean(), rel=1e-9
    )


def test_a_group_chooses_among_its_own_and_the_papers_features_of_the_others() -> None:
    groups = ("bass", "drums")
    columns = menu_columns(groups)
    menu = on_menu(columns, groups)
    assert menu[columns.index("bass:ratio:flux"), 0]
    assert not menu[columns.index("bass:ratio:flux"), 1]
    assert menu[columns.index("bass:own:centroid"), 1]


def test_stated_deviations_are_widened_until_they_hold() -> None:
    away = np.abs(np.random.default_rng(6).standard_normal((4000, 1))) * 3.0
    assert coverage(away)[0] < 0.5
    scales = spread_scales(away)
    assert scales[0] == pytest.approx(3.0, rel=0.05)
    assert coverage(away / scales)[0] == pytest.approx(0.9, abs=1e-3)
