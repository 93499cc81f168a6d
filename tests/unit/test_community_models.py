"""Models that other people trained: read from files in their true formats with small random weights, and never executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from makers import noise
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, ModelError, TonmeisterError
from tonmeister.separation.base import MaskEstimator
from tonmeister.separation.community.kinds import kinds, open_foreign
from tonmeister.separation.community.open_unmix import unmix_network
from tonmeister.separation.community.plain_files import plain_yaml
from tonmeister.separation.registry import load_separator

RATE = 8000
SMALL: dict[str, Any] = {
    "sources": ["drums", "vocals"], "channels": 4, "depth": 3, "nfft": 256, "bottom_channels": 16, "t_layers": 1,
    "t_heads": 2, "samplerate": RATE, "segment": Fraction(1, 2), "dconv_mode": 0,
}  # fmt: skip


def ht_demucs(seed: int = 0, **changes: Any) -> Any:
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    return HTDemucs(**{**SMALL, **changes}).eval()


def encoded(kwargs: dict[str, Any]) -> str:
    """Arguments as Demucs writes them."""

    def plain(value: Any) -> Any:
        if isinstance(value, Fraction):
            return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
        return value

    return json.dumps({key: plain(value) for key, value in kwargs.items()})


def save_demucs(path: Path, model: Any, **words: str) -> Path:
    said = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": encoded(SMALL), **words}
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path, said)
    return path


def stereo(frames: int) -> np.ndarray:
    return noise(frames, 2, seed=5, level=0.2).samples


def answer_of(model: Any, segment: np.ndarray) -> np.ndarray:
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # foreign code
        return np.asarray(model(torch.from_numpy(segment)[None])[0].numpy())


def test_demucs_from_safetensors_is_the_network_that_was_saved(tmp_path: Path) -> None:
    model = ht_demucs()
    opened = open_foreign(save_demucs(tmp_path / "abcd1234.safetensors", model))
    assert (opened.tracks, opened.sample_rate, opened.channels) == (("drums", "vocals"), RATE, 2)
    assert opened.segment_frames == RATE // 2
    segment = stereo(opened.segment_frames)
    assert np.allclose(opened.waves(segment), answer_of(model, segment), atol=1e-6)


def test_older_demucs_files_are_read_by_the_restricted_reader(tmp_path: Path) -> None:
    from demucs.htdemucs import HTDemucs

    model = ht_demucs()
    half = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    package = {"klass": HTDemucs, "args": (), "kwargs": SMALL, "state": half, "training_args": {"seed": 42}}
    plain = tmp_path / "model.th"
    torch.save(package, plain)
    checksum = hashlib.sha256(plain.read_bytes()).hexdigest()[:8]
    named = plain.rename(tmp_path / f"955717e8-{checksum}.th")
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    opened = open_foreign(named)
    segment = stereo(opened.segment_frames)
    assert np.allclose(opened.waves(segment), answer_of(model, segment), atol=1e-6)
    wrong = named.rename(tmp_path / "955717e8-00000000.th")
    with pytest.raises(ModelError, match="checksum is not the one in its name"):
        open_foreign(wrong)


def test_a_bag_averages_its_models_with_its_weights(tmp_path: Path) -> None:
    models = [ht_demucs(seed) for seed in (1, 2)]
    for name, model in zip(("aaaa0001", "aaaa0002"), models, strict=True):
        save_demucs(tmp_path / f"{name}.safetensors", model)
    bag = tmp_path / "both.yaml"
    bag.write_text("models: ['aaaa0001', 'aaaa0002']\nweights: [[1., 0.], [3., 1.]]\n")
    segment = stereo(RATE // 2)
    first, second = (answer_of(m, segment) for m in models)
    expected = np.stack([(first[0] + 3 * second[0]) / 4, second[1]])
    assert np.allclose(open_foreign(bag).waves(segment), expected, atol=1e-6)
    bag.write_text("models: ['aaaa0003']\n")
    with pytest.raises(ModelError, match=r"aaaa0003.*put aaaa0003\.safetensors"):
        open_foreign(bag)
    bag.write_text("models: ['../elsewhere']\n")
    with pytest.raises(ModelError, match="is not the name of a model"):
        open_foreign(bag)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"klass": "os.system"}, "is not one of"),
        ({"kwargs": "{"}, "not JSON"),
        ({"kwargs": encoded({**SMALL, "sources": ["vocals"]})}, "do not fit the network"),
        ({"kwargs": encoded({**SMALL, "channels": 10**9})}, "which no such model has"),
        ({"kwargs": '{"segment": {"_type": "fraction", "numerator": 1}}'}, "which no such model has"),
        ({"structure": "{}"}, "quantized"),
    ],
)
def test_what_a_safetensors_file_claims_is_checked(tmp_path: Path, words: dict[str, str], said: str) -> None:
    path = save_demucs(tmp_path / "m.safetensors", ht_demucs(), **words)
    with pytest.raises(ModelError, match=said):
        open_foreign(path)


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("name", ["attack.th", "attack.ckpt", "attack.pth"])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "executed"
    for number, write in enumerate((lambda p: torch.save({"state": Attack(mark)}, p), lambda p: p.write_bytes(
        pickle.dumps(Attack(mark), protocol=2)
    ))):  # fmt: skip
        path = tmp_path / f"{number}{name}"
        write(path)
        with pytest.raises(ModelError, match=r"system|damaged or no PyTorch file") as refused:
            open_foreign(path)
        assert "\n" not in str(refused.value)
    assert not mark.exists()


def unmix_folder(folder: Path, tracks: tuple[str, ...] = ("vocals", "drums"), hidden: int = 8) -> Path:
    folder.mkdir()
    (folder / "separator.json").write_text(json.dumps({"sample_rate": RATE, "nb_channels": 2}))
    args = {"nfft": 256, "nhop": 64, "nb_channels": 2, "hidden_size": hidden}
    for number, track in enumerate(tracks):
        torch.manual_seed(number)
        state = unmix_network(129, 100, 2, hidden).state_dict()
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        torch.save(state, folder / f"{track}-0123abcd.pth")
        (folder / f"{track}.json").write_text(json.dumps({"args": args}))
    return folder


def test_open_unmix_computes_what_its_paper_says(tmp_path: Path) -> None:
    """Against the equation, with an LSTM that stays silent: its cells cannot open."""
    opened = open_foreign(unmix_folder(tmp_path / "umx", ("vocals",)))
    assert isinstance(opened, MaskEstimator)
    network = opened._networks[0]
    with torch.no_grad():
        for name, value in network.lstm.named_parameters():
            value.zero_()
            if "bias_ih" in name:
                value[: network.lstm.hidden_size] = -1e4  # the gates into the cells are shut
        network.output_mean.fill_(0.3)
    random = np.random.default_rng(0)
    spectrum = (random.standard_normal((2, 129, 7)) + 1j * random.standard_normal((2, 129, 7))).astype(
        np.complex64
    )
    w = {k: v.numpy().astype(np.float64) for k, v in network.state_dict().items()}
    eps = network.bn1.eps

    def norm(x: np.ndarray, k: str) -> np.ndarray:
        return (x - w[f"{k}.running_mean"]) / np.sqrt(w[f"{k}.running_var"] + eps) * w[f"{k}.weight"] + w[
            f"{k}.bias"
        ]

    magnitude = np.abs(spectrum).transpose(2, 0, 1)
    heard = (magnitude[..., :100] + w["input_mean"]) * w["input_scale"]
    h = np.tanh(norm(heard.reshape(7, -1) @ w["fc1.weight"].T, "bn1"))
    x = np.maximum(norm(np.hstack([h, np.zeros_like(h)]) @ w["fc2.weight"].T, "bn2"), 0.0)
    out = norm(x @ w["fc3.weight"].T, "bn3").reshape(7, 2, 129) * w["output_scale"] + w["output_mean"]
    expected = np.clip(out, 0.0, 1.0).transpose(1, 2, 0)
    assert np.allclose(opened.masks(spectrum)[0], expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_open_unmix_separates_and_nothing_is_lost(tmp_path: Path, channels: int) -> None:
    separator = load_separator(unmix_folder(tmp_path / "umx"))
    sound = noise(RATE, channels, seed=3, level=0.2)
    song = separator.separate(Audio(sound.samples, RATE))
    assert song.names == ("drums", "vocals", "residual")
    total = sum(t.audio.samples.astype(np.float64) for t in song.tracks if t.audio is not None)
    assert np.abs(total - sound.samples).max() < 1e-6


def test_open_unmix_says_what_is_missing(tmp_path: Path) -> None:
    folder = unmix_folder(tmp_path / "umx")
    next(folder.glob("drums*.pth")).unlink()
    with pytest.raises(ModelError, match=r"drums\.pth are not beside it"):
        open_foreign(folder)
    (folder / "drums.json").write_text('{"args": {"nfft": 99999999}}')
    with pytest.raises(ModelError, match="nfft=99999999"):
        open_foreign(folder)


ROFORMER = """
audio: {chunk_size: 4096, sample_rate: 8000, num_channels: 2}
model:
  dim: 16
  depth: 1
  stereo: true
  num_stems: 2
  time_transformer_depth: 1
  freq_transformer_depth: 1
  freqs_per_bands: !!python/tuple [3, 5, 9, 16]
  dim_head: 8
  heads: 2
  stft_n_fft: 64
  stft_hop_length: 16
  stft_win_length: 64
training: {instruments: [vocals, other], target_instrument: null}
"""


def test_a_roformer_of_msst_is_built_from_its_settings(tmp_path: Path) -> None:
    from bs_roformer import BSRoformer

    settings = tmp_path / "song.yaml"
    settings.write_text(ROFORMER)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BSRoformer(**plain_yaml(settings)["model"]).eval()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "song.ckpt")
    for path in (settings, tmp_path / "song.ckpt"):
        opened = open_foreign(path)
        assert (opened.tracks, opened.segment_frames) == (("vocals", "other"), 4096)
        segment = stereo(4096)
        assert np.allclose(opened.waves(segment), answer_of(model, segment), atol=1e-5)
    (tmp_path / "song.ckpt").unlink()
    with pytest.raises(ModelError, match=r"put song\.ckpt beside it"):
        open_foreign(settings)


@pytest.mark.parametrize(
    "line",
    [
        "x: !!python/object/apply:os.system ['touch executed']",
        "x: !!python/name:os.system",
        "x: &a [1]\ny: *a",
        "- 1",
        "x: [",
    ],
)
def test_yaml_holds_plain_data_or_is_refused(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.yaml"
    path.write_text(line)
    with pytest.raises(ModelError):
        open_foreign(path)
    assert not (tmp_path / "executed").exists()


def test_an_unknown_network_of_msst_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "audio: {chunk_size: 4096, sample_rate: 8000}\nmodel: {width: 3}\ntraining: {instruments: [a]}\n"
    )
    with pytest.raises(ModelError, match="not a network of a kind that is known"):
        open_foreign(path)
    path.write_text(
        "audio: {chunk_size: 4096, sample_rate: 8000}\nmodel: {band_SR: 3}\ntraining: {instruments: [a]}\n"
    )
    with pytest.raises(BadInputError, match="'scnet', which is not installed"):
        open_foreign(path)


def mdx_file(folder: Path, gain: float = 0.5, bins: int = 129) -> Path:
    shape = ["n", 4, bins, 8]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["input", "gain"], ["output"])],
        "mdx",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(gain, np.float32), "gain")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = folder / "UVR_Vocals.onnx"
    path.write_bytes(model.SerializeToString())
    said = {
        "compensate": 1.5,
        "mdx_dim_f_set": bins,
        "mdx_dim_t_set": 3,
        "mdx_n_fft_scale_set": 4096,
        "primary_stem": "Vocals",
    }
    path.with_suffix(".json").write_text(json.dumps(said))
    return path


def test_an_mdx_network_sees_the_spectrum_and_gives_it_back(tmp_path: Path) -> None:
    opened = open_foreign(mdx_file(tmp_path, bins=2049))
    assert (opened.tracks, opened.channels, opened.segment_frames) == (("vocals",), 2, 7 * 1024)
    segment = stereo(7 * 1024)
    assert np.allclose(opened.waves(segment)[0], 0.5 * 1.5 * segment, atol=1e-5)


def test_what_an_mdx_network_does_not_see_stays_out_of_the_track(tmp_path: Path) -> None:
    opened = open_foreign(mdx_file(tmp_path, bins=129))
    n = np.arange(7 * 1024)
    low, high = (np.sin(2 * np.pi * f * n / 44100) for f in (400.0, 9000.0))
    heard = opened.waves(np.stack([low + high] * 2).astype(np.float32))[0, :, 2048:-2048]
    assert np.allclose(heard, 0.75 * low[None, 2048:-2048], atol=0.01)


def test_a_cut_off_network_is_refused(tmp_path: Path) -> None:
    path = mdx_file(tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ModelError, match=r"UVR_Vocals\.onnx"):
        open_foreign(path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    model = ht_demucs()
    next(iter(model.parameters())).data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not numbers"):
        open_foreign(save_demucs(tmp_path / "m.safetensors", model))


@pytest.mark.parametrize("name", ["m.safetensors", "m.th", "m.yaml", "m.onnx", "m.txt"])
def test_files_of_other_kinds_are_told_apart(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"hello, this is no model")
    with pytest.raises(TonmeisterError) as refused:
        load_separator(path)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_kind_says_what_it_needs_and_whose_it_is() -> None:
    for kind in kinds().values():
        assert kind.code_licence
        assert kind.weights_licence
        assert kind.files
        assert kind.installed in (True, False)


def test_the_commands_take_a_model_by_its_path_and_say_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tonmeister.audio_output import write_audio
    from tonmeister.cli import run

    folder, song = unmix_folder(tmp_path / "umx"), tmp_path / "song.wav"
    write_audio(song, Audio(stereo(RATE), RATE), subtype="32f")
    assert run(["models", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["files"][0]
    assert said["tracks"] == ["drums", "vocals"]
    assert (said["kind"], said["code_licence"]) == ("open-unmix", "MIT")
    checksum = hashlib.sha256((folder / "vocals-0123abcd.pth").read_bytes()).hexdigest()
    assert said["sha256"]["vocals-0123abcd.pth"] == checksum
    assert run(["separate", str(song), "-o", str(tmp_path / "tracks"), "--model", str(folder)]) == 0
    assert "licences of the model: code MIT" in capsys.readouterr().err
    assert {p.name for p in (tmp_path / "tracks").iterdir()} == {"drums.wav", "vocals.wav", "residual.wav"}


def test_the_list_of_models_names_the_kinds_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    from tonmeister.cli import run

    assert run(["models", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["others"]) == set(kinds())
    assert said["separators"]["hpss"]["tracks"] == ["harmonic", "percussive"]
