"""What the console predictor learns from, and that it learns: known damage, known consoles, a network that is as sure
as it may be."""

from __future__ import annotations

import dataclasses
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tonmeister.analysis import measure
from tonmeister.cli import run
from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.effects.compressor import Compressor
from tonmeister.engines.predict.measures import NUMBERS, Measures, input_names
from tonmeister.engines.predict.outputs import CONTROLS, EQ, eq_basis_db
from tonmeister.errors import BadInputError
from tonmeister.training.console.songs import (
    TARGETS,
    ConsoleSong,
    from_folder,
    mixed_again,
    of_synthesized,
    spoiled,
)
from tonmeister.training.console.spoiling import draw_damage, draw_tone, through
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, synthesize
from tonmeister.vocabulary import is_a

torch = pytest.importorskip("torch")

from tonmeister.training.console.learning import (  # noqa: E402
    Learned,
    LearningOptions,
    control_targets,
    example,
    learn,
    spread_stretch,
    standardized_errors,
)
from tonmeister.training.console.network import onnx_bytes, weights_of  # noqa: E402
from tonmeister.training.console.recipe import PredictRecipe  # noqa: E402

CREST = NUMBERS.index("crest_db")


@cache
def synthetic() -> SynthesizedSong:
    options = SynthesisOptions(
        duration_s=3.0, sample_rate=22_050, soundfonts=(), drumkits=(), fewest_parts=3, most_parts=4
    )
    return synthesize(5, options)


def made_up(seed: int, count: int = 6) -> ConsoleSong:
    """A song in which the crest of a track says how loud it belongs, give or take one LU."""
    random = np.random.default_rng(seed)
    tracks, targets = [], []
    for _ in range(count):
        numbers = np.zeros(len(NUMBERS))
        numbers[CREST] = random.uniform(5.0, 20.0)
        spectrum = np.full(30, -20.0)
        tracks.append(Measures("piano", "foreground", 1.0, "", spectrum, np.full(10, 2.0), numbers))
        level = -0.8 * numbers[CREST] + random.normal()
        targets.append(
            [level, *random.uniform(0, 1, 1), np.nan, random.normal(), random.normal(), np.nan, np.nan]
        )
    curves = np.full((count, 30), np.nan)
    return ConsoleSong(f"made up {seed}", tuple(tracks), np.array(targets), curves)


@cache
def learned() -> tuple[Learned, list[ConsoleSong]]:
    songs = [made_up(i) for i in range(40)]
    kept_back = [made_up(1000 + i) for i in range(12)]
    options = LearningOptions(epochs=120, variants=1, rate=5e-3)
    torch.set_num_threads(1)
    return learn(songs, kept_back, options, 0, lambda done, loss: None), kept_back


def test_the_console_that_is_wanted_takes_the_damage_back() -> None:
    song = synthetic()
    console = of_synthesized(song)
    assert len(console.tracks) == len(console.targets) == len(console.curves_db)
    assert console.targets.shape[1] == len(TARGETS)
    assert np.isfinite(console.curves_db).all()
    again = of_synthesized(song)
    np.testing.assert_array_equal(again.targets, console.targets)
    named = {d.strip: d.effect for d in song.desk.settings if getattr(d, "slot", "") == "equalizer"}
    assert named, "this seed has an equalizer somewhere"
    clean = [
        name
        for name, samples in ((t.name, s) for t, s in spoiled(song))
        if np.array_equal(samples, song[name].raw)
    ]
    for name in clean:
        i = [t.name for t in song.tracks].index(name)
        if name in named:
            wanted = 20 * np.log10(
                np.abs(named[name].response(np.minimum(exact_centers_hz(3), 10_800.0), 22_050))
            )  # type: ignore[union-attr]
            np.testing.assert_allclose(console.curves_db[i], wanted, atol=1e-3)


def test_damage_does_what_it_says() -> None:
    random = np.random.default_rng(2)
    noise = 0.1 * random.standard_normal((1, 48_000)).astype(np.float32)
    tone = draw_tone(random)
    spoilt = through(noise, (tone,), 48_000)
    frequency = np.fft.rfftfreq(48_000, 1 / 48_000)
    change = 20 * np.log10(np.abs(np.fft.rfft(spoilt[0])) / np.abs(np.fft.rfft(noise[0])))
    heard = (frequency > 100) & (frequency < 10_000)
    expected = 20 * np.log10(np.abs(tone.response(frequency[heard], 48_000)))
    assert np.median(np.abs(change[heard] - expected)) < 0.2
    wanted = Compressor(-20.0, 4.0)
    drawn = [draw_damage(wanted, np.random.default_rng(i)) for i in range(200)]
    assert 20 < sum(d.compressor == wanted for d in drawn) < 80
    assert all(draw_damage(None, np.random.default_rng(i)).compressor is None for i in range(20))


def test_a_song_mixed_again_keeps_what_depends_on_its_sound() -> None:
    console = of_synthesized(synthetic())
    other = mixed_again(console, np.random.default_rng(0))
    level, pan, compressed, threshold = (
        TARGETS.index(n) for n in ("level_lu", "pan", "compressed", "threshold_lu")
    )
    assert not np.array_equal(other.targets[:, level], console.targets[:, level])
    assert (other.targets[:, pan] >= 0).all()
    np.testing.assert_array_equal(
        other.targets[:, [compressed, threshold]], console.targets[:, [compressed, threshold]]
    )
    np.testing.assert_array_equal(other.curves_db, console.curves_db)
    unknown = dataclasses.replace(console, targets=np.full_like(console.targets, np.nan))
    assert mixed_again(unknown, np.random.default_rng(0)) is unknown


def test_a_song_survives_its_file(tmp_path: Path) -> None:
    song = made_up(3)
    song.save(tmp_path / "a.npz")
    back = ConsoleSong.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.targets, song.targets)
    np.testing.assert_array_equal(example(back).inputs, example(song).inputs)
    assert back.title == song.title


def test_tone_curves_become_six_gains() -> None:
    gains = np.array([[2.0, -1.0, 0.5, 1.5, -2.0, 1.0], [0.0] * 6])
    song = dataclasses.replace(made_up(0, 2), curves_db=gains @ eq_basis_db())
    targets, _ = control_targets(song)
    found = targets[:, [CONTROLS.index(name) for name in EQ]]
    np.testing.assert_allclose(found, gains, atol=0.2)
    np.testing.assert_allclose(found[1], 0.0, atol=1e-9)
    assert targets[:, 0].mean() == pytest.approx(0.0, abs=1e-9)


def test_the_network_learns_what_there_is_to_learn() -> None:
    found, kept_back = learned()
    z = np.concatenate([standardized_errors(found, song) for song in kept_back])
    targets = np.concatenate([example(song).targets for song in kept_back])
    spread = np.sqrt(np.nanmean(targets[:, 0] ** 2))
    errors = []
    for song in kept_back:
        one = example(song)
        with torch.no_grad():
            there = torch.ones(1, len(one.inputs), dtype=torch.bool)
            mean, _, _ = found.network(torch.tensor(one.inputs[None], dtype=torch.float32), there)
        level = mean[0, :, 0].numpy() * found.prior[0]
        errors.append(level - level.mean() - one.targets[:, 0])
    assert np.sqrt(np.mean(np.concatenate(errors) ** 2)) < 0.6 * spread
    assert np.isnan(z[:, CONTROLS.index("send_db")]).all()
    assert found.losses[-1][1] < found.losses[0][1]


def test_the_spreads_are_stretched_to_be_true() -> None:
    found, kept_back = learned()
    stretch = spread_stretch(found, kept_back)
    z = np.concatenate([standardized_errors(found, song) for song in kept_back]) / stretch
    assert np.sqrt(np.nanmean(z[:, 0] ** 2)) == pytest.approx(1.0, abs=1e-6)
    assert stretch[CONTROLS.index("send_db")] == 1.0


def test_the_exported_network_says_the_same() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    found, kept_back = learned()
    stretch = spread_stretch(found, kept_back)
    data = onnx_bytes(weights_of(found.network, found.center, found.prior, stretch))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for song in (kept_back[0], made_up(5, 1), made_up(6, 40)):
        one = example(song)
        mean, spread, wanted = session.run(None, {"columns": one.inputs.astype(np.float32)})
        mean[:, 0] -= mean[:, 0].mean()
        z = standardized_errors(found, song)
        np.testing.assert_allclose((one.targets - mean) / spread * stretch, z, atol=2e-3)
        assert ((wanted >= 0) & (wanted <= 1)).all()
    assert len(input_names()) == one.inputs.shape[1]


def test_songs_of_a_published_layout_are_read_with_the_levels_of_their_mix(tmp_path: Path) -> None:
    """MUSDB18-HQ, whose mixture is not the plain sum here: the levels are those in the mixture."""
    root, gains_db = tmp_path / "musdb", {"vocals": 0.0, "drums": -6.0, "bass": 3.0, "other": -10.0}
    layout = root / "train" / "A Band - A Song"
    layout.mkdir(parents=True)
    total = np.zeros((2, 4 * 22_050))
    for seed, (name, gain_db) in enumerate(gains_db.items()):
        random = np.random.default_rng(seed)
        dull = np.convolve(random.standard_normal(total.shape[1]), np.ones(1 + 6 * seed), "same")
        stem = np.repeat(0.05 * dull[None] / dull.std(), 2, axis=0)
        soundfile.write(str(layout / f"{name}.wav"), stem.T, 22_050, subtype="FLOAT")
        total += 10 ** (gain_db / 20) * stem
    soundfile.write(str(layout / "mixture.wav"), total.T, 22_050, subtype="FLOAT")
    (root / "test" / "B - No Mixture").mkdir(parents=True)
    for name in ("vocals", "drums"):
        shutil.copy(layout / f"{name}.wav", root / "test" / "B - No Mixture")
    notes: list[str] = []
    (found,) = from_folder(root, tmp_path / "cache", lambda title: None, notes)
    alone = {
        n: measure([soundfile.read(str(layout / f"{n}.wav"), dtype="float32")[0].T], 22_050, 2)
        for n in gains_db
    }
    order = [t.instrument for t in found.tracks]
    assert len(order) == 4
    for name, word in (("vocals", "voice"), ("drums", "drums"), ("bass", "bass")):
        at = next(i for i, instrument in enumerate(order) if is_a(instrument, word))
        loudness = alone[name].integrated_lufs
        assert loudness is not None
        assert found.targets[at, 0] == pytest.approx(loudness + gains_db[name], abs=0.3)
    np.testing.assert_allclose(found.targets[:, TARGETS.index("pan")], 0.0, atol=0.02)
    assert np.isnan(found.targets[:, TARGETS.index("compressed")]).all()
    assert len(notes) == 1
    assert "no mix beside its tracks" in notes[0]


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInputError, match="kept for tests"):
        PredictRecipe(songs=10, seed=900_000)
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, arguments in (
        ("nothing to learn from", ["-o", "a.onnx"]),
        ("written as an .onnx file", ["--songs", "9", "-o", "a.npz"]),
        ("0 songs to learn from", ["--data", str(empty), "-o", str(tmp_path / "a.onnx")]),
    ):
        assert run(["train", "predict", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()
