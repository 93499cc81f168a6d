"""The recipe of the separators: stems, mixtures, costs, calibration, and that a network learns and is described."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra train is not installed")
pytest.importorskip("torch", reason="the extra train is not installed")

import soundfile
import torch

from makers_separation import BANDS, tiny_network, tiny_preset
from tonmeister.cli import run
from tonmeister.errors import BadInputError
from tonmeister.separation.front_end import FrontEnd
from tonmeister.separation.mask_ensemble import MaskEnsemble
from tonmeister.training.separation.calibration import calibrate, reliability_error
from tonmeister.training.separation.figures import references, separation_figures
from tonmeister.training.separation.learning import learn
from tonmeister.training.separation.losses import GAMMA, loss_of, voice_share
from tonmeister.training.separation.mixtures import Examples, Heard, hear, mixtures
from tonmeister.training.separation.patches import Batch, Patches, Scaling
from tonmeister.training.separation.presets import NETWORKS, PRESETS, preset
from tonmeister.training.separation.recipe import EVALUATION_SEED, RecipeOptions, train_separation
from tonmeister.training.separation.stems import STEMS, SongSources, folded, stem_of, stem_songs
from tonmeister.units import FloatArray
from tonmeister.vocabulary import INSTRUMENTS


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more by threads than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stems(seconds: float = 8.0, seed: int = 0, rate: int = 44_100) -> FloatArray:
    """A voice of gliding overtones, hits, a low tone and a chord: (4, 2, frames)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate)) / rate
    glide = 2 * np.pi * np.cumsum(220 * 2 ** (0.3 * np.sin(2 * np.pi * 0.4 * time_s + seed))) / rate
    voice = sum(np.sin(k * glide) / k for k in range(1, 12))
    hits = rng.standard_normal(len(time_s)) * np.exp(-30 * (time_s % 0.5))
    low = np.sin(2 * np.pi * 55 * time_s)
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (262, 330, 392))
    parts = np.stack([voice, hits, low, chord]).astype(np.float32) * np.float32(0.05)
    return np.stack([parts, parts * np.float32(0.7)], axis=1)


def shorts(song: FloatArray) -> Any:
    return np.asarray(np.rint(song * 32767), np.int16)


@pytest.fixture(scope="module")
def heard() -> Heard:
    examples = Examples([shorts(stems(seed=s)) for s in range(3)])
    front_end = dataclasses.replace(tiny_preset("deep-remix").front_end)
    return hear([front_end], mixtures(examples, 1, 6, seconds=2.0))[0]


# ------------------------------------------------------------------ material


def test_every_instrument_belongs_to_one_stem() -> None:
    of = {word: stem_of(word) for word in INSTRUMENTS}
    assert set(of.values()) == set(STEMS)
    assert of["lead_voice"] == of["choir"] == of["speech"] == "vocals"
    assert of["kick"] == of["shaker"] == "drums"
    assert of["synth_bass"] == "bass"
    assert of["mallets"] == of["piano"] == of["other"] == "other"


def test_tracks_fold_to_stems_with_their_balance() -> None:
    tone = np.ones((1, 50), np.float32)
    song = folded([("kick", 0.1 * tone), ("snare", 0.2 * tone), ("lead_voice", 0.6 * np.tile(tone, (2, 2)))])
    assert song.shape == (4, 2, 100)
    assert song[0].max() == round(0.9 * 32767)
    assert song[1, 0, 0] == pytest.approx(song[0, 0, 0] / 2, abs=1)
    assert not song[1, :, 50:].any()
    assert not song[2:].any()


def test_mixtures_follow_from_their_seed_and_differ() -> None:
    examples = Examples([shorts(stems(seed=s)) for s in range(2)], voices=[[shorts(stems(1.0, seed=9))[:1]]])
    drawn = [list(mixtures(examples, 5, 12, seconds=1.0)) for _ in range(2)]
    for (a, _), (b, _) in zip(*drawn, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(drawn[0][0][0], drawn[0][1][0])
    loud = [10 * np.log10(np.mean(s.sum(0) ** 2)) for s, _ in drawn[0]]
    assert -31 < min(loud) < max(loud) < -11


def test_the_voice_is_set_within_twelve_decibels() -> None:
    examples = Examples([shorts(stems(seed=s)) for s in range(2)])
    ratios = [
        10 * np.log10(np.mean(s[0] ** 2) / np.mean(s[1:].sum(0) ** 2))
        for s, _ in mixtures(examples, 7, 30, seconds=1.0)
        if s[0].any() and s[1:].any()
    ]
    assert len(ratios) > 15
    of_one_channel = 20 * np.log10(1 / 0.7)
    assert -12.1 - of_one_channel < min(ratios) < -3
    assert 3 < max(ratios) < 12.1 + of_one_channel


def test_what_is_heard_is_what_the_front_end_hears(heard: Heard) -> None:
    front_end: FrontEnd = tiny_preset("deep-remix").front_end
    examples = Examples([shorts(stems(seed=s)) for s in range(3)])
    first, coded = next(mixtures(examples, 1, 1, seconds=2.0))
    assert not coded
    power = front_end.power(front_end.stft.forward(first.sum(0)))
    assert heard.mixture.shape == (6 * len(power), BANDS)
    wanted = np.log10(np.maximum(power, 1e-14))
    np.testing.assert_allclose(heard.mixture[: len(power)].astype(np.float32), wanted, atol=0.01)


def test_sets_apart_for_testing_are_not_learned_from(tmp_path: Path) -> None:
    dataset(tmp_path)
    songs = stem_songs(SongSources(songs=0, data=(tmp_path,), cache=tmp_path / "cache"))
    assert len(songs) == 2
    assert len(list((tmp_path / "cache").glob("stems-*.npy"))) == 2
    again = stem_songs(SongSources(songs=0, data=(tmp_path,), cache=tmp_path / "cache"))
    np.testing.assert_array_equal(songs[0], again[0])
    with pytest.raises(BadInputError, match="nothing to learn from"):
        stem_songs(SongSources(songs=0))


def dataset(root: Path) -> Path:
    """Three songs in the layout of MUSDB18-HQ, one of them for testing."""
    for number, split in enumerate(("train", "train", "test")):
        folder = root / split / f"Band - Song {number}"
        folder.mkdir(parents=True)
        song = stems(3.0, seed=number)
        for name, sound in zip((*STEMS, "mixture"), (*song, song.sum(0)), strict=True):
            soundfile.write(folder / f"{name}.wav", sound.T, 44_100)
    return root


# ------------------------------------------------------------------ costs


def batch_of(values: FloatArray) -> Batch:
    """Stems (4, n, 1, bands) as powers, and their mixture."""
    mixture = values.sum(0)
    return Batch(np.ones_like(mixture), mixture, values)


class Fixed(torch.nn.Module):  # type: ignore[misc]
    """Gives always the same."""

    def __init__(self, value: FloatArray) -> None:
        super().__init__()
        self.value = torch.from_numpy(value)

    def forward(self, x: Any) -> Any:
        return self.value.expand(len(x), -1)


def test_the_four_costs_are_the_formulas() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((4, 3, 1, 5)).astype(np.float32)
    batch, masks = batch_of(values), [rng.random(20).astype(np.float32) for _ in range(4)]
    chosen = tiny_preset("ensemble")
    chosen = dataclasses.replace(chosen, learning=dataclasses.replace(chosen.learning, energy_power=0.0))
    got = float(loss_of(chosen)([Fixed(m) for m in masks], batch))
    s, y = np.sqrt(values[:, :, 0]), np.sqrt(batch.mixture[:, 0])
    z = [np.broadcast_to(m.reshape(4, 1, 5), s.shape) for m in masks]
    total = s.sum(0)
    wrong = sum(((z[3][i] * y - s[j]) ** 2).sum() for i in range(4) for j in range(4) if i != j) / s.size
    wanted = (
        ((z[0] - (s > total - s)) ** 2).mean()
        + ((z[1] - s / total) ** 2).mean()
        + ((z[2] * y - s) ** 2).mean()
        + ((z[3] * y - s) ** 2).mean()
        - GAMMA * wrong
    )
    assert got == pytest.approx(wanted, rel=1e-4)


def test_a_combiner_is_taught_the_signal(tmp_path: Path) -> None:
    """The squared error of the corrected masks of the tiny ensemble, each source against its own magnitude."""
    rng = np.random.default_rng(5)
    chosen, ensemble = tiny_preset("ensemble-combiner"), MaskEnsemble(tiny_network("ensemble", tmp_path))
    values = rng.random((4, 2, 1, BANDS)).astype(np.float32)
    features = rng.standard_normal((2, chosen.frames, BANDS)).astype(np.float32)
    batch = Batch(features, values.sum(0), values)
    got = float(loss_of(chosen, ensemble)([Fixed(np.full(BANDS, 0.7, np.float32))], batch))
    mean = ensemble.kinds(features)[:, 3].mean(1)
    masks = 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + 0.7)))
    wanted = np.mean([
        (masks[:, i] * np.sqrt(batch.mixture[:, 0]) - np.sqrt(values[i, :, 0])) ** 2 for i in range(4)
    ])  # fmt: skip
    assert got == pytest.approx(wanted, rel=1e-4)


def test_the_paper_s_cost_is_half_the_squared_error_of_the_ideal_binary_mask() -> None:
    values = np.random.default_rng(1).random((4, 6, 2, 3)).astype(np.float32)
    batch, mask = batch_of(values), np.full(6, 0.3, np.float32)
    chosen = tiny_preset("deep-remix")
    learning = PRESETS["deep-remix", "paper"].learning
    got = float(loss_of(dataclasses.replace(chosen, learning=learning))([Fixed(mask)], batch))
    ideal = values[0] > values[1:].sum(0)
    assert got == pytest.approx(((0.3 - ideal) ** 2).sum() / (2 * 6), rel=1e-5)


def test_the_voice_has_no_share_in_silence() -> None:
    assert not voice_share(np.zeros((4, 2, 3), np.float32)).any()
    assert voice_share(np.stack([np.ones(3), np.ones(3), np.zeros(3), np.zeros(3)]))[0] == 0.5


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_learns(network: str, heard: Heard, tmp_path: Path) -> None:
    """The cost falls within a few sweeps, also on what is held out; the same seed gives the same network."""
    chosen = tiny_preset(network)
    if network == "web-remix":
        examples = Examples([shorts(stems(seed=s)) for s in range(3)])
        heard = hear([chosen.front_end], mixtures(examples, 1, 6, seconds=2.0))[0]
    learning = dataclasses.replace(chosen.learning, sweeps=3, patches=300, batch=50, rate=1e-2)
    chosen = dataclasses.replace(chosen, learning=learning)
    scaling, middle = Scaling.of(heard, chosen.feature), network.startswith("ensemble")
    patches = Patches(heard, chosen.frames, scaling, chosen.front_end.centers, middle)
    ensemble = MaskEnsemble(tiny_network("ensemble", tmp_path)) if network == "ensemble-combiner" else None
    learned = learn(chosen, patches, patches, 1, ensemble=ensemble)
    assert learned.losses[-1][0] < 0.97 * learned.losses[0][0]
    assert min(h for _, h in learned.losses) == pytest.approx(
        _loss(chosen, learned.modules, patches, ensemble), rel=1e-5
    )
    if network == "deep-remix":
        assert learn(chosen, patches, patches, 1).losses == learned.losses


def _loss(chosen: Any, modules: list[Any], patches: Patches, ensemble: MaskEnsemble | None) -> float:
    loss = loss_of(chosen, ensemble)
    with torch.no_grad():
        return float(np.mean([float(loss(modules, b)) for b in patches.evenly(1000, chosen.learning.batch)]))


def test_louder_patches_are_the_same_targets(heard: Heard) -> None:
    patches = Patches(heard, 4, Scaling.of(heard, "log"), tiny_preset("deep-remix").front_end.centers)
    soft, loud = (next(patches.batches(8, 8, np.random.default_rng(0), gain_db=g)) for g in (0.0, 15.0))
    np.testing.assert_array_equal(soft.stems, loud.stems)
    moved = (loud.features - soft.features) * patches.scaling.deviation
    sounding = soft.features * patches.scaling.deviation + patches.scaling.mean > -7
    assert np.ptp(np.where(sounding, moved, np.nan)[0][sounding[0]]) < 1e-3
    assert 0.1 < np.abs(moved).max() <= 1.5 + 1e-4


# ------------------------------------------------------------------ calibration and figures


def test_calibration_finds_the_map_that_bent_probabilities() -> None:
    rng = np.random.default_rng(0)
    true_p = rng.random(60_000)
    truth = rng.random(60_000) < true_p
    logit = np.log(true_p / (1 - true_p))
    bent = (1 / (1 + np.exp(-(2.5 * logit + 1.0)))).astype(np.float32)
    found = calibrate(bent, truth)
    assert found.slope == pytest.approx(0.4, abs=0.02)
    assert found.offset == pytest.approx(-0.4, abs=0.04)
    assert reliability_error(true_p.astype(np.float32), truth) < 0.01
    assert reliability_error(bent, truth) > 0.1


def test_estimates_do_not_depend_on_the_references() -> None:
    """Two songs with one mixture and other stems: what the estimator says must be the same (no oracle leak)."""
    seen: list[FloatArray] = []

    class Spy:
        tracks = ("vocals", "accompaniment")
        framing = FrontEnd(
            dataclasses.replace(tiny_preset("deep-remix").front_end.framing, sample_rate=44_100), 9
        ).framing
        context_frames = 0

        def masks(self, spectrum: Any) -> FloatArray:
            seen.append(np.abs(spectrum))
            return np.full((2, 1, *spectrum.shape[1:]), 0.5, np.float32)

    one = stems(1.0)
    other = np.stack([one[3], one[1], one[2], one[0]])
    np.testing.assert_allclose(one.sum(0), other.sum(0), atol=1e-6)
    heard_of = []
    for song in (one, other):
        seen.clear()
        figures = separation_figures(Spy(), FrontEnd(Spy.framing, 9), [song])
        heard_of.append(seen[: len(seen) // 2])  # behind them comes the same without a voice
    for a, b in zip(*heard_of, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)
    figures = separation_figures(Spy(), FrontEnd(Spy.framing, 9), [one, other])
    assert figures["vocals_where_none_re_mix_db"] == pytest.approx(-6.0, abs=0.1)
    assert figures["vocals"]["excerpts"] == 2
    assert figures["vocals"]["si_sdr_gain_db"] == pytest.approx(0.0, abs=0.01)
    assert figures["vocals"]["ratio_si_sdr_db"] > figures["vocals"]["si_sdr_db"] + 3
    np.testing.assert_allclose(references(one, ("accompaniment",))["accompaniment"], one[1:].sum(0))


# ------------------------------------------------------------------ the whole recipe


def test_a_model_is_made_described_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = dataset(tmp_path / "set")
    words = f"train separation --network web-remix --songs 0 --no-soundfonts --data {data} --examples 2 --sweeps 1"
    words += f" --patches 200 --seed 3 -o {tmp_path}/web.onnx --json --quiet"
    assert run(words.split()) == 0
    said = json.loads(capsys.readouterr().out)
    card = said["card"]
    assert card["settings"]["tracks"] == ["drums", "bass", "vocals"]
    assert card["settings"]["weights"] == 3 * 527_364
    assert card["bytes"] < 2_000_000
    assert "--data set" in card["recipe"]["command"]
    assert "that of the data" in card["licence"]
    assert run(words.split()) == 2
    assert "exists already" in capsys.readouterr().err
    assert run([*words.split(), "--overwrite"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["sha256"] == card["sha256"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": preset("deep-remix", "paper")}, "841.*million weights|840.5 million weights"),
        ({"seed": EVALUATION_SEED}, "are for evaluation"),
        (
            {"preset": preset("ensemble-combiner", "small"), "ensemble": "deep-remix"},
            "give an ensemble of the preset",
        ),
        (
            {"preset": preset("ensemble-combiner", "small"), "seed": 1, "sources": SongSources(songs=2)},
            "seed=1: the ensemble learned from these songs",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_first(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    options = RecipeOptions(preset("web-remix", "small"), SongSources(songs=0))
    with pytest.raises(BadInputError, match=said):
        train_separation(dataclasses.replace(options, **change), tmp_path / "no.onnx", progress=_nothing)
    assert not list(tmp_path.iterdir())


def test_presets_are_known_by_name() -> None:
    with pytest.raises(BadInputError, match=r"paper, small$"):
        preset("web-remix", "medium")
    with pytest.raises(BadInputError, match="did you mean 'deep-remix'"):
        preset("deep-remixx", "small")


_nothing: Callable[[str, float], None] = lambda _stage, _done: None  # noqa: E731
