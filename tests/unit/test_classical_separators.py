"""Separators without training: each finds what it is made to find, and all obey one contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from makers import RATE, write_folder
from makers_recordings import song, stems
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, ModelError
from tonmeister.evaluation.separation import si_sdr_db
from tonmeister.model_files.store import load_model
from tonmeister.separation.hpss import HarmonicPercussive
from tonmeister.separation.nmf import KIND, Nmf, activations, patches
from tonmeister.separation.oracle import Identity, Oracle
from tonmeister.separation.panning import center, panning_index, places
from tonmeister.separation.registry import SEPARATORS, load_separator, unavailable
from tonmeister.separation.repet import Repet, beat_spectrum, repeating_period
from tonmeister.separation.rpca import Rpca, low_rank_and_sparse
from tonmeister.separation.streaming import StreamingSeparator
from tonmeister.training.separation.bases import factorized, train_bases
from tonmeister.training.separation.stems import SongSources
from tonmeister.units import FloatArray

CLASSICAL = ("nmf", "center", "panning", "hpss", "repet", "rpca")
NULL = 10 ** (-90 / 20)


def separated(estimator: object, sound: FloatArray, rate: int = RATE) -> dict[str, FloatArray]:
    made = StreamingSeparator("test", estimator).separate(Audio(sound, rate))  # type: ignore[arg-type]
    return {t.name: t.audio.samples for t in made.tracks if t.audio is not None}


def better_db(true: FloatArray, estimate: FloatArray, mixture: FloatArray) -> float:
    """SI-SDR above the mixture's."""
    one, two, three = (x.astype(np.float64) for x in (true, estimate, mixture))
    return si_sdr_db(one, two) - si_sdr_db(one, three)


@pytest.mark.parametrize("name", CLASSICAL)
def test_every_listed_separator_obeys_the_contract(name: str) -> None:
    """Mono, stereo, 8 kHz, 0.3 s, silence: tracks as listed, finite, adding up; nothing out of nothing."""
    assert unavailable(name) == ""
    separator = load_separator(name)
    assert separator.tracks == SEPARATORS[name].tracks
    mono = song(1.2, 8_000).samples[:1]
    for sound, rate in ((song(1.2).samples, RATE), (mono, 8_000), (song(0.3).samples, RATE)):
        made = separator.separate(Audio(sound, rate))
        assert made.names == (*SEPARATORS[name].tracks, "residual")
        total = sum(t.audio.samples.astype(np.float64) for t in made.tracks if t.audio is not None)
        assert np.abs(total - sound).max() < NULL
    quiet = separator.separate(Audio(np.zeros((2, 9_000), np.float32), RATE))
    assert not any(t.audio.samples.any() for t in quiet.tracks if t.audio is not None)


@pytest.mark.parametrize("name", CLASSICAL)
def test_levels_do_not_matter(name: str) -> None:
    sound, separator = song(1.2), load_separator(name)
    one, two = (
        separator.separate(Audio(g * sound.samples, RATE)).tracks[0].audio
        for g in (np.float32(1), np.float32(0.25))
    )
    assert one is not None
    assert two is not None
    np.testing.assert_allclose(two.samples, 0.25 * one.samples, atol=2e-4)


def test_unknown_names_are_told_the_nearest() -> None:
    with pytest.raises(BadInputError, match="did you mean 'hpss'"):
        load_separator("hps")
    with pytest.raises(BadInputError, match="no such model file"):
        load_separator("models/none.onnx")


def test_tones_and_hits_are_told_apart() -> None:
    parts = stems(3.0)
    mixture = parts["drums"] + parts["bass"] + parts["other"]
    made = separated(HarmonicPercussive(), mixture)
    assert better_db(parts["drums"], made["percussive"], mixture) > 6.0
    assert better_db(parts["bass"] + parts["other"], made["harmonic"], mixture) > 4.0


def test_medians_are_those_of_scipy() -> None:
    from tonmeister.separation.hpss import _median

    values = np.random.default_rng(0).random((40, 30), np.float32)
    for axis, size in ((0, (17, 1)), (1, (1, 17))):
        theirs = ndimage.median_filter(values, size=size, mode="reflect")
        np.testing.assert_array_equal(_median(values, 17, axis), theirs)


def test_the_middle_and_the_sides() -> None:
    parts = stems(2.0)
    sides = np.stack([parts["other"][0], np.zeros_like(parts["other"][0])])
    mixture = parts["vocals"] + sides
    made = separated(center(), mixture)
    assert better_db(parts["vocals"], made["center"], mixture) > 6.0
    assert better_db(sides, made["sides"], mixture) > 6.0
    assert np.abs(separated(center(), mixture[:1])["sides"]).max() < 2e-3


def test_places_are_told_apart() -> None:
    tone = [np.sin(2 * np.pi * f * np.arange(RATE) / RATE).astype(np.float32) for f in (300.0, 700.0, 1500.0)]
    sound = 0.2 * np.stack([tone[0] + tone[1], tone[1] + tone[2]])
    made = separated(places(), sound)
    for name, channel, truth in (("left", 0, tone[0]), ("center", 0, tone[1]), ("right", 1, tone[2])):
        assert (
            si_sdr_db(0.2 * truth[None].astype(float), made[name][channel : channel + 1].astype(float)) > 20.0
        )


def test_panning_indices() -> None:
    bins = np.array([[[1.0], [1.0], [0.0], [1.0], [0.0]], [[1.0], [0.0], [1.0], [-1.0], [0.0]]], np.complex64)
    np.testing.assert_allclose(panning_index(bins)[:, 0], [0.0, -1.0, 1.0, 0.0, 0.0], atol=1e-6)
    wide = np.array([[[1.0]], [[-0.5]]], np.complex64)
    assert panning_index(wide)[0, 0] == -1.0


def test_what_repeats_is_not_the_voice() -> None:
    """A voice that wanders over a bar of hits and chords that comes again every 2 s."""
    parts, random = stems(2.0), np.random.default_rng(5)
    bar = parts["drums"] + parts["other"]
    accompaniment = np.tile(bar, 6)
    walk = np.cumsum(random.standard_normal(240)) * 0.09
    pitch_hz = 400.0 * 2.0 ** np.interp(np.arange(12 * RATE), np.linspace(0, 12 * RATE, 240), walk)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    voice = 0.08 * np.repeat(sum(np.sin(k * phase) / k for k in range(1, 7))[None], 2, axis=0)
    mixture = (accompaniment + voice).astype(np.float32)
    made = separated(Repet(), mixture)
    assert better_db(voice, made["vocals"], mixture) > 4.0
    assert better_db(accompaniment, made["accompaniment"], mixture) > 2.0


def test_a_beat_is_found() -> None:
    frames = np.random.default_rng(0).random((20, 60), np.float32)
    beats = beat_spectrum(np.tile(frames, 6))
    assert beats[0] == pytest.approx(1.0)
    assert repeating_period(beats) == 60
    assert repeating_period(beat_spectrum(frames)) is None


def test_a_sparse_matrix_on_one_of_low_rank_is_found() -> None:
    random = np.random.default_rng(0)
    low = (random.standard_normal((80, 3)) @ random.standard_normal((3, 120))).astype(np.float32)
    sparse = np.where(random.random((80, 120)) < 0.04, 8.0 * random.standard_normal((80, 120)), 0.0)
    for one, two in ((low, sparse), (low.T, sparse.T)):
        matrix = (one + two).astype(np.float32)
        rank, spikes = low_rank_and_sparse(np.ascontiguousarray(matrix))
        assert np.linalg.norm(rank - one) < 0.02 * np.linalg.norm(one)
        assert np.linalg.norm(rank + spikes - matrix) < 1e-3 * np.linalg.norm(matrix)


def test_a_voice_on_a_vamp_is_sparse() -> None:
    parts = stems(3.0)
    mixture = parts["vocals"] + parts["other"] + parts["bass"]
    made = separated(Rpca(), mixture)
    assert better_db(parts["vocals"], made["vocals"], mixture) > 3.0


def test_learned_patches_separate_what_they_were_learned_from() -> None:
    parts = stems(4.0)
    from tonmeister.dsp.stft import Stft
    from tonmeister.separation.nmf import FRONT_END

    framing = FRONT_END.framing
    stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
    random = np.random.default_rng(0)
    bases = {}
    for name in ("drums", "other"):
        columns = patches(np.sqrt(FRONT_END.power(stft.forward(parts[name]))))
        bases[name] = factorized(columns / columns.sum(axis=0), 8, random, rounds=20)
        np.testing.assert_allclose(bases[name].sum(axis=0), 1.0, rtol=1e-4)
    mixture = parts["drums"] + parts["other"]
    made = separated(Nmf(bases), mixture)
    assert all(better_db(parts[name], made[name], mixture) > 4.0 for name in bases)
    with pytest.raises(ModelError, match="1920 rows"):
        Nmf({"a": np.ones((10, 2), np.float32)})


def test_activations_lower_the_divergence() -> None:
    random = np.random.default_rng(1)
    bases = random.random((50, 6), np.float32)
    bases /= bases.sum(axis=0)
    columns = (bases @ random.random((6, 9), np.float32)).astype(np.float32)

    def divergence(found: FloatArray) -> float:
        model = bases @ found
        return float(np.sum(columns * np.log(columns / model) - columns + model))

    values = [divergence(activations(bases, columns, rounds)) for rounds in (1, 5, 20, 100)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.02 * values[0]
    assert not activations(bases, np.zeros((50, 2), np.float32)).any()


def test_masks_that_know_the_answer_are_the_ceiling() -> None:
    """The whole chain with oracle masks scores as the masks applied directly; every separator stays below."""
    parts = stems(3.0)
    mixture = np.sum(list(parts.values()), axis=0)
    for kind in ("binary", "ratio"):
        oracle = Oracle(parts, kind)  # type: ignore[arg-type]
        made = separated(Oracle(parts, kind), mixture)  # type: ignore[arg-type]
        framing = oracle.framing
        from tonmeister.dsp.stft import Stft

        stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
        spectrum = stft.forward(mixture)
        masks = oracle.masks(spectrum)
        for number, (name, true) in enumerate(parts.items()):
            direct = stft.inverse(spectrum * masks[number], mixture.shape[1])
            scores = [si_sdr_db(true.astype(float), e.astype(float)) for e in (direct, made[name])]
            assert scores[1] == pytest.approx(scores[0], abs=0.2)
            assert scores[1] > si_sdr_db(true.astype(float), mixture.astype(float)) + 3.0
    ceiling = si_sdr_db(parts["vocals"].astype(float), made["vocals"].astype(float))
    for name in ("nmf", "repet", "rpca"):
        own = load_separator(name).separate(Audio(mixture, RATE))["vocals"].audio
        assert own is not None
        assert si_sdr_db(parts["vocals"].astype(float), own.samples.astype(float)) < ceiling


def test_identity_gives_everybody_the_mixture() -> None:
    sound = song(0.5).samples
    made = separated(Identity(("a", "b")), sound)
    np.testing.assert_allclose(made["a"], 0.5 * sound, atol=1e-6)


def test_bases_are_learned_from_a_dataset(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "train", "test")):
        parts = stems(2.0, seed=number)
        tracks = {f"{name}.wav": Audio(sound, RATE) for name, sound in parts.items()}
        write_folder(tmp_path / "data" / split / f"Artist - Song {number}", tracks)
    told: list[str] = []
    sources = SongSources(songs=0, seed=3, data=(tmp_path / "data",))
    card = train_bases(
        sources, tmp_path / "b.npz", seed=3, command="this test", overwrite=False,
        progress=lambda stage, done: told.append(stage),
    )  # fmt: skip
    assert set(told) == {"learning"}
    assert card.settings["tracks"] == ["vocals", "drums", "bass", "other"]
    assert card.recipe["command"] == "this test"
    model = load_model(tmp_path / "b.npz", kind=KIND)
    bases = {name: model.array(name).astype(np.float32) for name in card.settings["tracks"]}
    for found in bases.values():
        assert found.shape == (1920, 64)
        np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=0.02)
    parts = stems(2.0, seed=7)
    mixture = np.sum(list(parts.values()), axis=0)
    made = separated(Nmf(bases), mixture)
    assert all(better_db(parts[name], made[name], mixture) > 4.0 for name in ("vocals", "drums"))
