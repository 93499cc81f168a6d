"""The networks of Deep Remix and of the web remixer: their sizes, their laws at run time, and that all forms agree."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="the extra train is not installed")
pytest.importorskip("torch", reason="the extra train is not installed")

import torch

from makers_separation import BANDS, LONG, RATE, music, random_weights, tiny_network, tiny_preset
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, ModelError
from tonmeister.evaluation.bss_eval import bss_eval
from tonmeister.evaluation.separation import si_sdr_db
from tonmeister.model_files.card import read_card
from tonmeister.model_files.network import Network
from tonmeister.model_files.store import Model, load_model, save_model
from tonmeister.separation.bands import band_centers, pooling, unpooling
from tonmeister.separation.base import MaskEstimator
from tonmeister.separation.convolutional import Convolutional
from tonmeister.separation.deep_remix import DeepRemix, SongRelativeDeepRemix
from tonmeister.separation.front_end import FrontEnd
from tonmeister.separation.mask_combiner import CombinedMasks, combiner_inputs, mean_logit
from tonmeister.separation.mask_ensemble import MaskEnsemble, bounded
from tonmeister.separation.masks import hard
from tonmeister.separation.network_model import KIND, NetworkModel, from_file, open_network
from tonmeister.separation.patch_average import HOPS, average_over_patches, mean_within_patches
from tonmeister.separation.processes import CHUNK_FRAMES
from tonmeister.separation.registry import load_separator
from tonmeister.separation.streaming import separated_blocks
from tonmeister.separation.web_remix import AttackRelease, WebRemix, owned, rescaled, trailing_mean
from tonmeister.training.separation.cards import separator_card
from tonmeister.training.separation.melodies import sung_melody
from tonmeister.training.separation.modules import arrays, build, computed, onnx_bytes, rounded
from tonmeister.training.separation.networks import (
    FCN_PAPER,
    FCN_SMALL,
    deep_karaoke,
    fully_convolutional,
    mask_combiner,
    mask_network,
    web_remix,
    weight_count,
)
from tonmeister.training.separation.presets import NETWORKS, PRESETS

Estimators = Callable[[NetworkModel], MaskEstimator]
ESTIMATORS: dict[str, tuple[str, Estimators]] = {
    "deep-remix": ("deep-remix", DeepRemix),
    "deep-remix every fourth": ("deep-remix", lambda n: DeepRemix(n, hop_patches=4)),
    "deep-remix every fifth": ("deep-remix", lambda n: DeepRemix(n, hop_patches=5)),
    "web-remix": ("web-remix", WebRemix),
    "web-remix attack and release": ("web-remix", lambda n: WebRemix(n, smoothing=AttackRelease(10.0, 40.0))),
    "ensemble": ("ensemble", MaskEnsemble),
    "ensemble-combiner": ("ensemble-combiner", CombinedMasks),
    "fcn": ("fcn", Convolutional),
}


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize(
    ("layers", "weights"),
    [
        (deep_karaoke(1025, 20, 20_500), 840_541_000),
        (deep_karaoke(96, 20, 1024), 3_935_104),
        (deep_karaoke(128, 20, 2048), 10_490_368),
        (web_remix(513), 527_364),
        (mask_network(1025, 1025, 1025), 4_206_600),
        (mask_network(256 * 5, 4 * 256, 512), 1_706_496),
        (mask_combiner(7, 4, 4, 256, 512), 3_934_976),
        (fully_convolutional(FCN_PAPER), 529_189),
        (fully_convolutional(FCN_SMALL), 50_101),
    ],
)
def test_weights_are_as_many_as_published(layers: tuple, weights: int) -> None:
    assert weight_count(layers) == weights


def test_presets_hold_the_networks_of_the_papers() -> None:
    total = {key: sum(map(weight_count, p.branches)) for key, p in PRESETS.items()}
    assert total["deep-remix", "paper"] == 840_541_000
    assert total["web-remix", "paper"] == total["web-remix", "small"] == 3 * 527_364
    assert total["ensemble", "paper"] == 4 * 4 * 4_206_600
    assert total["ensemble", "small"] == 4 * 1_706_496


@pytest.mark.parametrize("network", ["web-remix", "fcn"])
def test_a_module_holds_the_counted_weights(network: str) -> None:
    layers = PRESETS[network, "small"].branches[0]
    assert sum(p.numel() for p in build(layers).parameters()) == weight_count(layers)


# ------------------------------------------------------------------ bands


@settings(deadline=None, max_examples=30)
@given(
    bins=st.sampled_from([33, 129, 513, 1025]),
    share=st.floats(0.05, 1.0),
    rate=st.sampled_from([8000, 22_050, 44_100, 96_000]),
)
def test_pooling_keeps_ones_and_covers_every_bin(bins: int, share: float, rate: int) -> None:
    bands = max(2, round(share * bins))
    pool, back = pooling(bands, bins, rate), unpooling(bands, bins, rate)
    assert (pool >= 0).all()
    np.testing.assert_allclose(pool.sum(1), 1.0, atol=1e-5)
    assert (pool.sum(0) > 0).all()
    np.testing.assert_allclose(back @ np.ones(bands), 1.0, atol=1e-5)


def test_low_bands_are_single_bins_and_high_ones_grow() -> None:
    gaps = np.diff(band_centers(96, 1025, 44_100))
    assert gaps[0] == pytest.approx(1.0)
    assert (np.diff(gaps) > -1e-6).all()
    assert gaps[-1] > 20
    with pytest.raises(BadInputError, match="bands=300"):
        band_centers(300, 129, 8000)


def test_a_sine_of_full_scale_is_zero_decibels() -> None:
    front_end = FrontEnd(LONG, LONG.bins)
    sine = np.sin(2 * np.pi * 1000 * np.arange(8000) / RATE)[None].astype(np.float32)
    power = front_end.power(front_end.stft.forward(sine))
    assert 10 * np.log10(power[40].max()) == pytest.approx(0.0, abs=0.1)


def test_the_louder_channel_is_heard_or_the_middle() -> None:
    spectrum = LONG_STFT.forward(music())
    opposite = np.concatenate([spectrum[:1], -spectrum[:1]])
    assert FrontEnd(LONG, BANDS, "mid").power(opposite).max() < 1e-10
    np.testing.assert_allclose(
        FrontEnd(LONG, BANDS).power(opposite), FrontEnd(LONG, BANDS).power(spectrum[:1]), rtol=1e-5
    )


LONG_STFT = FrontEnd(LONG, BANDS).stft


# ------------------------------------------------------------------ patches


@settings(deadline=None, max_examples=40)
@given(frames=st.integers(1, 90), length=st.integers(1, 20), hop=st.sampled_from(HOPS))
def test_a_net_that_says_the_frame_s_number_gives_it(frames: int, length: int, hop: int) -> None:
    index = np.arange(frames, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    np.testing.assert_allclose(
        average_over_patches(index, lambda p: p, length=length, hop=min(hop, length)), index
    )


def test_patches_begin_at_the_same_places_in_every_chunk() -> None:
    assert all(CHUNK_FRAMES % hop == 0 for hop in HOPS)


def test_the_average_runs_over_patches_and_the_released_one_within() -> None:
    features = np.zeros((12, 1), np.float32)

    def place(patches: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.arange(4, dtype=np.float32)[None, :, None], patches.shape)

    across = average_over_patches(features, place, length=4)[:, 0]
    assert across[0] == 0.0
    assert across[1] == 0.5
    np.testing.assert_allclose(across[3:9], 1.5)
    assert across[-1] == 3.0
    ramp = np.arange(12, dtype=np.float32)[:, None]
    np.testing.assert_allclose(mean_within_patches(ramp, lambda p: p, length=4)[:9, 0], ramp[:9, 0] + 1.5)


# ------------------------------------------------------------------ one network in four forms


@pytest.mark.parametrize("storage", ["float32", "int8"])
@pytest.mark.parametrize("network", NETWORKS)
def test_torch_numpy_and_onnx_agree(network: str, storage: str) -> None:
    preset = tiny_preset(network)
    modules = [build(layers) for layers in preset.branches]
    weights = arrays(modules, preset.branches)
    if storage == "int8":
        weights = rounded(weights)
        for b, module in enumerate(modules):
            for n, layer in enumerate(module.layers):
                layer.weight.data = torch.from_numpy(weights[f"b{b}.l{n}.weight"])
    dense = network != "fcn"
    rng = np.random.default_rng(1)
    shape = (5, preset.branches[0][0].inputs) if dense else (2, 1, preset.frames, BANDS)
    x = rng.standard_normal(shape).astype(np.float32)
    outputs = [m(torch.from_numpy(x)).detach().numpy() for m in modules]
    by_torch = outputs[0] if len(outputs) == 1 else np.stack(outputs, 1)
    card = read_card_of(network)
    data = onnx_bytes(preset.branches, weights, storage=storage)  # type: ignore[arg-type]
    by_onnx = Network(data, card.inputs, card.outputs, threads=1).run({"input": x})["output"]
    np.testing.assert_allclose(by_onnx, by_torch, atol=1e-5)
    if dense:
        np.testing.assert_allclose(computed(preset.branches, weights, x), by_torch, atol=1e-5)


def test_wide_kernels_are_convolutions_all_the_same() -> None:
    """What is computed by the Fourier transform, against PyTorch's own convolution; odd sizes, several channels."""
    layers = fully_convolutional(((3, 3, 3), (2, 9, 33)))
    stack, x = (
        build(layers),
        torch.from_numpy(np.random.default_rng(2).standard_normal((2, 1, 7, 21), np.float32)),
    )
    inner = torch.relu(stack.layers[0](x))
    np.testing.assert_allclose(
        stack(x).detach().numpy(), torch.relu(stack.layers[1](inner)).detach().numpy(), atol=1e-5
    )


def read_card_of(network: str):  # type: ignore[no-untyped-def]
    from tonmeister.training.separation.patches import Scaling
    from tonmeister.training.separation.stems import SongSources

    preset = tiny_preset(network)
    ones = np.ones(preset.front_end.bands, np.float32)
    return separator_card(
        preset, SongSources(songs=1), Scaling("log", ones, ones), {}, calibration=None, metrics={}
    )


def test_eight_bits_are_close() -> None:
    weights = random_weights(tiny_preset("deep-remix").branches)
    for name, value in rounded(weights).items():
        steps = np.abs(value - weights[name]).max() / np.abs(weights[name]).max()
        assert steps <= (0.5 / 127 + 1e-6 if name.endswith("weight") else 0.0)


# ------------------------------------------------------------------ estimators


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NetworkModel]:
    folder = tmp_path_factory.mktemp("models")
    return {name: tiny_network(name, folder) for name in NETWORKS}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_masks_in_chunks_are_those_of_the_whole(name: str, networks: dict[str, NetworkModel]) -> None:
    network, make = ESTIMATORS[name]
    estimator, sound = make(networks[network]), music(6.0)
    spectrum = LONG_STFT.forward(sound)
    masks = estimator.masks(spectrum)
    assert masks.shape == (len(estimator.tracks), 1, LONG.bins, spectrum.shape[-1])
    assert ((masks >= 0) & (masks <= 1)).all()
    whole = LONG_STFT.inverse(masks * spectrum, sound.shape[1])
    blocks = [sound[:, :1000], sound[:, 1000:20_000], sound[:, 20_000:]]
    made = np.concatenate(list(separated_blocks(estimator, blocks, 2, RATE)), axis=-1)
    assert np.abs(made[:-1] - whole).max() < 10 ** (-90 / 20)
    np.testing.assert_allclose(made.sum(0), sound, atol=1e-6)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("frames", [1, 100, 900])
def test_short_silent_and_single_channels(name: str, frames: int, networks: dict[str, NetworkModel]) -> None:
    network, make = ESTIMATORS[name]
    estimator = make(networks[network])
    for sound in (np.zeros((1, frames), np.float32), music(1.0)[:1, :frames]):
        made = np.concatenate(list(separated_blocks(estimator, [sound], 1, RATE)), axis=-1)
        assert made.shape == (len(estimator.tracks) + 1, 1, frames)
        assert np.isfinite(made).all()
        np.testing.assert_allclose(made.sum(0), sound, atol=1e-6)


def test_a_higher_confidence_never_enlarges_a_mask(networks: dict[str, NetworkModel]) -> None:
    shares = DeepRemix(networks["deep-remix"]).masks(LONG_STFT.forward(music()))
    assert shares.min() < 0.4
    assert shares.max() > 0.6
    before = hard(0.01)(shares)
    for alpha in np.arange(0.11, 1.0, 0.1):
        now = hard(float(alpha))(shares)
        assert (now <= before).all()
        before = now
    assert before.sum() < hard(0.01)(shares).sum()


def test_deep_remix_shares_add_up_and_legacy_switches_differ(networks: dict[str, NetworkModel]) -> None:
    network, spectrum = networks["deep-remix"], LONG_STFT.forward(music())
    masks = DeepRemix(network).masks(spectrum)
    np.testing.assert_allclose(masks.sum(0), 1.0, atol=1e-5)
    within = DeepRemix(network, legacy_intra_patch_mean=True).masks(spectrum)
    assert np.abs(within - masks).max() > 1e-3
    relative = SongRelativeDeepRemix(network).probability(FrontEnd(LONG, BANDS).power(spectrum))
    assert relative.min() == 0.0
    assert relative.max() == 1.0
    for hop in (3, 8):
        with pytest.raises(BadInputError, match=f"hop_patches={hop}: give one of 1, 2, 4, 5$"):
            DeepRemix(network, hop_patches=hop)


def test_the_winner_takes_the_bin_if_it_is_sure() -> None:
    shares = np.array([[[0.5, 0.1, 0.3], [0.4, 0.15, 0.9], [0.1, 0.12, 0.2]]], np.float32)
    np.testing.assert_array_equal(owned(shares, 0.2)[0], [[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    flat = np.full((1, 1, 4), 0.7, np.float32)
    np.testing.assert_array_equal(rescaled(flat), 0.0)
    np.testing.assert_allclose(rescaled(flat, legacy=True), 1.0)
    np.testing.assert_allclose(rescaled(shares)[0, 0], [1.0, 0.0, 0.5], atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(1, 60), count=st.integers(1, 20))
def test_the_mean_runs_over_the_last_frames(frames: int, count: int) -> None:
    gains = np.random.default_rng(frames).random((2, 3, frames)).astype(np.float32)
    naive = np.stack([gains[..., max(0, t - count + 1) : t + 1].mean(-1) for t in range(frames)], -1)
    np.testing.assert_allclose(trailing_mean(gains, count), naive, atol=1e-6)


def test_faders_on_the_tracks_are_the_smoothed_gains_of_the_bins(networks: dict[str, NetworkModel]) -> None:
    """Steps 3 to 5 of the web remixer, done as it does them, against its tracks behind faders."""
    network, sound = networks["web-remix"], music(5.0)
    estimator, faders = WebRemix(network), np.array([2.0, 0.0, 0.6])
    spectrum = LONG_STFT.forward(sound)
    shares = rescaled(network(network.front_end.power(spectrum)[:, None]))
    owner, sure = shares.argmax(1), shares.max(1) > 0.2
    gains = np.where(sure, faders[owner], 1.0).T
    smoothed = np.stack([gains[:, max(0, t - 19) : t + 1].mean(1) for t in range(gains.shape[1])], 1)
    wanted = LONG_STFT.inverse(smoothed * spectrum, sound.shape[1])
    tracks = np.concatenate(list(separated_blocks(estimator, [sound], 2, RATE)), axis=-1)
    mixed = np.tensordot(np.append(faders, 1.0), tracks, axes=1)
    assert np.abs(mixed - wanted).max() < 10 ** (-90 / 20)


def test_attack_and_release_take_their_time_and_forget() -> None:
    step = np.concatenate([np.zeros(10), np.ones(400), np.zeros(400)]).astype(np.float32)[None, None]
    smooth = AttackRelease(30.0, 150.0)
    out = smooth(step, 8.0)[0, 0]
    rise, fall = np.argmax(out > 1 - 1 / np.e) - 9, np.argmax(out[410:] < 1 / np.e) + 1
    assert rise * 8.0 == pytest.approx(30.0, abs=8.0)
    assert fall * 8.0 == pytest.approx(150.0, abs=8.0)
    assert out[409 + smooth.memory_frames(8.0)] < 10 ** (-90 / 20)
    with pytest.raises(BadInputError, match="attack_ms"):
        AttackRelease(attack_ms=0.0)


def test_masks_of_an_ensemble_never_exceed_the_mixture(networks: dict[str, NetworkModel]) -> None:
    spectrum = LONG_STFT.forward(music())
    masks = MaskEnsemble(networks["ensemble"]).masks(spectrum)
    assert masks.sum(0).max() <= 1.0 + 1e-5
    power = FrontEnd(LONG, BANDS).power(spectrum)
    targets = ("binary", "ratio", "signal", "discriminative")
    single = [MaskEnsemble(networks["ensemble"], target=t).band_masks(power) for t in targets]
    np.testing.assert_allclose(
        MaskEnsemble(networks["ensemble"]).band_masks(power), np.mean(single, axis=0), atol=1e-6
    )
    quiet = np.full((4, 2), 0.1, np.float32)
    np.testing.assert_array_equal(bounded(quiet), quiet)
    with pytest.raises(BadInputError, match="ratio"):
        MaskEnsemble(networks["ensemble"], target="ration")


def test_a_combiner_that_corrects_nothing_gives_the_mean(networks: dict[str, NetworkModel]) -> None:
    """Its network silenced, then made to speak: the mean, and the mean moved by as much in logits."""
    power = FrontEnd(LONG, BANDS).power(LONG_STFT.forward(music()))
    mean = MaskEnsemble(networks["ensemble"]).band_masks(power)
    logit = np.log(mean / (1 - mean))
    for said in (0.0, 1.5):
        network = networks["ensemble-combiner"]
        deaf = dataclasses.replace(network, model=Says(network.model, said))  # type: ignore[arg-type]
        combined = CombinedMasks(deaf).band_masks(power)
        np.testing.assert_allclose(combined, 1 / (1 + np.exp(-(logit + said))), atol=1e-5)
    assert np.abs(CombinedMasks(networks["ensemble-combiner"]).band_masks(power) - mean).max() > 0.02


class Says:
    """A model whose network always says one number."""

    def __init__(self, model: Model, said: float) -> None:
        self.path, self.card, self._said = model.path, model.card, said

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert inputs["input"].shape[1] == self.card.inputs[0].shape[1]
        return {"output": np.full((len(inputs["input"]), BANDS), self._said, np.float32)}


def test_a_combiner_sees_its_source_the_mixture_and_the_number() -> None:
    kinds = np.arange(2 * 3 * 4 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 4, 5)
    shown = np.array([[7.0] * 5, [9.0] * 5], np.float32)
    seen = combiner_inputs(kinds, shown).reshape(2, 4, -1)
    for frame, track in ((0, 0), (0, 3), (1, 2)):
        np.testing.assert_array_equal(seen[frame, track, :60], kinds[frame, :, :, track].ravel())
        np.testing.assert_array_equal(seen[frame, track, 60:65], shown[frame])
        np.testing.assert_array_equal(seen[frame, track, 65:], np.eye(4)[track])
    half = np.full((2, 3, 4, 4, 5), 0.5, np.float32)
    half[:, 1, 0] = 0.9  # of the middle frame
    np.testing.assert_allclose(mean_logit(half), np.log(0.6 / 0.4), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ensemble_sha256": "0" * 64}, "taught with another ensemble"),
        ({"ensemble": "../ensemble"}, "is no name of a model"),
        ({"ensemble": "deep-remix"}, "taught with another deep-remix"),
        ({"frames": 2}, "does not fit"),
    ],
)
def test_a_combiner_of_another_ensemble_is_refused(
    changes: dict[str, object], said: str, networks: dict[str, NetworkModel]
) -> None:
    path = networks["ensemble-combiner"].model.path
    card = read_card(path.with_suffix(".json"))
    wrong = dataclasses.replace(card, settings={**card.settings, **changes})
    save_model(path.with_name("wrong.onnx"), path.read_bytes(), wrong, overwrite=True)
    with pytest.raises(ModelError, match=said):
        from_file(path.with_name("wrong.onnx"))


# ------------------------------------------------------------------ files


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_file_becomes_its_estimator(network: str, networks: dict[str, NetworkModel]) -> None:
    path = networks[network].model.path
    estimator = from_file(path)
    assert estimator is not None
    assert estimator.tracks == PRESETS[network, "small"].tracks
    assert estimator.framing == LONG
    assert from_file(path.with_suffix(".wav")) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean": [0.0]}, "do not fit 12 bands"),
        ({"tracks": []}, "malformed"),
        ({"feature": "loud"}, "malformed"),
        ({"front_end": {"bands": 12}}, "does not describe a separator"),
        ({"network": "demon"}, "network='demon'"),
    ],
)
def test_cards_that_lie_are_refused(
    changes: dict[str, object], said: str, networks: dict[str, NetworkModel], tmp_path: Path
) -> None:
    path = networks["deep-remix"].model.path
    card = read_card(path.with_suffix(".json"))
    wrong = dataclasses.replace(card, settings={**card.settings, **changes})
    save_model(tmp_path / "wrong.onnx", path.read_bytes(), wrong)
    with pytest.raises(ModelError, match=said):
        from_file(tmp_path / "wrong.onnx")


def test_a_cut_file_is_refused_in_one_line(networks: dict[str, NetworkModel], tmp_path: Path) -> None:
    path = networks["fcn"].model.path
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:-40])
    (tmp_path / "cut.json").write_text(path.with_suffix(".json").read_text())
    with pytest.raises(ModelError, match="cut off or another file"):
        from_file(tmp_path / "cut.onnx")
    assert load_model(path, kind=KIND).card.settings["network"] == "fcn"
    assert open_network(path).frames == 9


# ------------------------------------------------------------------ what ships


@pytest.mark.parametrize("name", ["deep-remix", "web-remix", "ensemble", "ensemble-combiner", "fcn"])
def test_shipped_weights_are_what_their_card_says(name: str) -> None:
    network = open_network(name)
    card = network.model.card
    assert card.bytes < 10_000_000
    assert card.settings["weights"] == sum(map(weight_count, PRESETS[name, "small"].branches))
    assert card.metrics["held_out_synthetic"]["vocals"]["excerpts"] == 12
    assert f"--network {name}" in card.recipe["command"]
    estimator = load_separator(name).estimator
    assert isinstance(estimator, MaskEstimator)
    assert estimator.tracks == network.tracks
    assert set(estimator.expected_sdr_db) == set(network.tracks)  # type: ignore[attr-defined]


def test_louder_and_softer_the_shipped_voice_is_as_likely() -> None:
    """The probability moves by less than 0.05 on average when all is 12 dB louder or softer."""
    network = open_network("deep-remix")
    estimator, stft = DeepRemix(network), network.front_end.stft
    moved = []
    for seed in (1, 2, 3):
        voice = sung_melody(seed, seconds=3.0, sample_rate=44_100)
        sound = voice + 0.3 * music(3.0, seed=seed, rate=44_100)
        plain, loud, soft = (
            estimator.masks(stft.forward(sound * np.float32(g)))[0] for g in (0.2, 0.8, 0.05)
        )
        moved += [np.abs(loud - plain).mean(), np.abs(soft - plain).mean()]
    assert np.mean(moved) < 0.05


def test_more_confidence_brings_less_interference() -> None:
    """The SIR of a suite rises with alpha, 0.3 dB let through; above 0.81 hardly a bin of these voices is left."""
    estimator, suite = load_separator("deep-remix").estimator, []
    for seed in (1, 2, 3, 4):
        voice = sung_melody(seed, seconds=2.0, sample_rate=44_100)[:1]
        band = music(2.0, seed=seed, rate=44_100)[:1]
        voice = voice * np.sqrt(np.mean(band**2) / np.mean(voice**2))
        suite.append(np.stack([voice, band]).astype(np.float32))

    def sir_db(alpha: float) -> float:
        found = []
        for song in suite:
            mixture = song.sum(0)
            blocks = separated_blocks(estimator, [mixture], 1, 44_100, hard(alpha))
            tracks = np.concatenate(list(blocks), axis=-1)[:2]
            found.append(bss_eval(song, tracks, window=len(mixture[0]), hop=len(mixture[0])).sir_db)
        return float(np.mean(found))

    sir = [sir_db(alpha) for alpha in (0.01, 0.21, 0.41, 0.61, 0.81)]
    assert all(later > earlier - 0.3 for earlier, later in itertools.pairwise(sir))
    assert sir[-1] > sir[0] + 6


def test_the_shipped_voice_fader_finds_a_voice() -> None:
    """A sung melody over tones and noise: what is called the voice holds more of it than the mixture does."""
    gained = []
    for seed in (4, 5, 6):
        voice = sung_melody(seed, seconds=4.0, sample_rate=44_100)
        rest = 0.3 * music(4.0, seed=seed, rate=44_100)
        tracks = load_separator("deep-remix").separate(Audio(voice + rest, 44_100))
        found = tracks["vocals"].audio
        assert found is not None
        gained.append(si_sdr_db(voice, found.samples) - si_sdr_db(voice, voice + rest))
    assert np.mean(gained) > 1.0
