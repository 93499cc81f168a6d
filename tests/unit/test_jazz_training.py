"""How the networks for jazz are taught: pieces, labels, networks in three forms, the recipes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers_synthesis import needs_font, smallest_font
from tonmeister.cli import run
from tonmeister.dsp.highway import highway_layers
from tonmeister.engines.jazz.placement import stereo_gains
from tonmeister.errors import BadInputError
from tonmeister.model_files.card import Port
from tonmeister.model_files.network import Network
from tonmeister.model_files.store import load_model
from tonmeister.separation.bands import pooling
from tonmeister.training.jazz.composing import SOLO, habits, swing_score
from tonmeister.training.jazz.labels import label, solo_gains
from tonmeister.training.jazz.material import evaluation_seeds, piece_seeds
from tonmeister.training.jazz.networks import highway_count
from tonmeister.training.jazz.pieces import (
    EVALUATION_SEED,
    HELD_OUT,
    SOLOISTS,
    JazzPiece,
    PieceOptions,
    make_piece,
)
from tonmeister.training.synthesis.instruments import melodic_sounds
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import FloatArray
from tonmeister.vocabulary import INSTRUMENTS

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the extra train is not installed"
)
RATE = 44_100
SHORT = PieceOptions(duration_s=3.0)


@pytest.fixture(scope="module")
def piece() -> JazzPiece:
    return make_piece(7, SHORT)


# ------------------------------------------------------------------ pieces


def test_the_convention_is_one_of_known_instruments() -> None:
    for word, place in habits()["convention"].items():
        assert word in INSTRUMENTS
        assert word in melodic_sounds()
        assert -45 <= place["theta_deg"] <= 45
    assert not set(HELD_OUT) & set(SOLOISTS)


def test_a_soloist_stays_in_compass_and_swings() -> None:
    score = swing_score(Seeds.of(3), instrument="trumpet", duration_s=10.0)
    (solo,) = (p for p in score.parts if p.name == SOLO)
    sound = melodic_sounds()["trumpet"]
    assert sound.lowest <= solo.notes["pitch"].min() <= solo.notes["pitch"].max() <= sound.highest
    assert len(solo.notes) > 10
    beats = solo.notes["start_s"] * score.tempo_bpm / 60
    halves = beats[(beats % 1 > 0.4) & (beats % 1 < 0.9)] % 1
    assert np.median(halves) > 0.52
    assert {"Drums", "Bass"} <= {p.name for p in score.parts}


def test_a_seed_makes_the_same_piece_and_another_another(piece: JazzPiece) -> None:
    again, other = make_piece(7, SHORT), make_piece(8, SHORT)
    np.testing.assert_array_equal(again.mix, piece.mix)
    assert not np.array_equal(other.mix, piece.mix)
    assert piece.mix.shape == (2, 3 * RATE)


def test_old_recordings_are_mono_and_dull() -> None:
    old = next(p for p in map(_short, range(40)) if p.era == "early")
    left, right = old.mix
    np.testing.assert_allclose(left, right, atol=1e-6)
    power = np.abs(np.fft.rfft(left)) ** 2
    assert power[len(power) // 2 :].sum() < 1e-3 * power.sum()


def _short(seed: int) -> JazzPiece:
    return make_piece(seed, PieceOptions(duration_s=1.0))


def test_seeds_for_evaluation_are_never_learned_from() -> None:
    assert min(evaluation_seeds(10)) == EVALUATION_SEED
    assert max(piece_seeds(899, 1000)) < EVALUATION_SEED
    with pytest.raises(BadInputError, match="seed=900"):
        piece_seeds(900, 1)


# ------------------------------------------------------------------ labels


def test_the_engineers_gains_are_found_again(piece: JazzPiece) -> None:
    """Spec C4: theta to a degree, g to 2 %; the label at the level as heard gives back the image below -60 dB."""
    for theta_deg in (-40.0, -12.0, 0.0, 33.0):
        left, right = stereo_gains(theta_deg, 1.1)
        image = np.concatenate([left * piece.solo, right * piece.solo])
        found = solo_gains(image + piece.accompaniment, piece.solo, piece.band, RATE)
        assert found is not None
        theta, gain = label(found, 1.0)
        assert theta == pytest.approx(theta_deg, abs=1.0)
        assert gain == pytest.approx(1.1, rel=0.02)
        theta, gain = label(found)
        heard = image.mean(axis=0)
        again = np.stack([g * heard for g in stereo_gains(theta, gain)])
        assert _db(again - image) - _db(image) < -60.0
        assert np.sqrt(2.0) - 0.01 <= gain <= 2.01


def test_a_mix_of_other_stems_has_no_label(piece: JazzPiece) -> None:
    stranger = np.random.default_rng(0).standard_normal(piece.mix.shape).astype(np.float32)
    assert solo_gains(stranger, piece.solo, piece.band, RATE) is None
    assert solo_gains(piece.mix, np.zeros_like(piece.solo), piece.band, RATE) is None


def _db(sound: FloatArray) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-30))


# ------------------------------------------------------------------ networks


def test_counts_by_arithmetic() -> None:
    """Spec C5."""
    assert highway_count(2049, 5) == 42_004_500
    assert highway_count(2049, 2) + 2049 * 40 + 40 == 16_883_800
    assert 1792 * 384 + 384 + highway_count(384, 3) + 384 * 256 + 256 == 1_674_112
    assert highway_count(256, 2) + 256 * 40 + 40 == 273_448


@needs_torch
def test_counts_and_agreement_of_all_forms() -> None:
    """Spec C5: torch, ONNX and NumPy within 1e-5."""
    import torch

    from tonmeister.training.jazz.networks import (
        build_pan,
        build_solo,
        centered,
        pan_onnx,
        published_order,
        solo_onnx,
    )

    torch.manual_seed(1)
    solo, pan = build_solo(), build_pan()
    assert _weights(solo) == 1_674_112
    assert _weights(pan) == 273_448
    rng = np.random.default_rng(2)
    x = rng.uniform(-10, 0, (5, 1792)).astype(np.float32)
    with torch.no_grad():
        wanted = torch.sigmoid(solo(centered(torch.from_numpy(x)))).numpy()
    run_solo = Network(
        solo_onnx(solo, bands=256, context=3), (_port("features", 1792),), (_port("masks", 256),), threads=1
    )
    np.testing.assert_allclose(run_solo.run({"features": x})["masks"], wanted, atol=1e-5)
    pool = pooling(256, 2049, RATE)
    power = rng.uniform(0, 1, (5, 2049)).astype(np.float32) ** 8
    with torch.no_grad():
        scores = pan(centered(torch.from_numpy(np.log10(np.maximum(power @ pool.T, 1e-10)))))
        angles = torch.log_softmax(scores[:, :19], dim=1).numpy()
    ports = (_port("angles", 19), _port("gains", 21))
    made = Network(pan_onnx(pan, pool), (_port("power", 2049),), ports, threads=1).run({"power": power})
    np.testing.assert_allclose(made["angles"], angles, atol=1e-5)
    first, second, dense = pan
    h = rng.standard_normal((4, 256)).astype(np.float32)
    with torch.no_grad():
        torched = second(first(torch.from_numpy(h))).numpy()
    rows = h
    for layer in highway_layers(published_order([first, second])):
        rows = layer(rows)
    np.testing.assert_allclose(rows, torched, atol=1e-5)
    assert len(published_order(pan)) == 10
    assert dense.weight.shape == (40, 256)


def _weights(network: Any) -> int:
    return sum(p.numel() for p in network.parameters())


def _port(name: str, size: int) -> Port:
    return Port(name, "float32", ("n", size))


# ------------------------------------------------------------------ recipes


@needs_torch
@needs_font
def test_both_recipes_from_pieces_to_cards(tmp_path: Path) -> None:
    """Two pieces and a few steps: files that load, figures with their baselines, the same bytes again."""
    from tonmeister.training.jazz.learning import LearningOptions
    from tonmeister.training.jazz.recipe import JazzRecipe, train_pan, train_solo

    font = smallest_font()
    assert font is not None
    few = LearningOptions(epochs=1, frames=256, batch=64)
    recipe = JazzRecipe(
        fonts=(font,),
        pieces=2,
        duration_s=3.0,
        test_pieces=1,
        solo_learning=few,
        pan_learning=few,
        cache=tmp_path,
    )
    told: list[str] = []
    card = train_solo(recipe, tmp_path / "s.onnx", progress=lambda stage, done: told.append(stage))
    assert {"making pieces", "learning", "testing"} == set(told)
    methods = card.metrics["synthetic"]["taught soloists"]["si_sdr_db"]
    assert {"jazz", "the recording itself", "pitch-informed", "ratio-mask oracle"} <= set(methods)
    assert methods["ratio-mask oracle"]["solo"] > methods["the recording itself"]["solo"]
    again = train_solo(recipe, tmp_path / "again.onnx", progress=lambda stage, done: None)
    assert again.sha256 == card.sha256
    placed = train_pan(recipe, tmp_path / "s.onnx", tmp_path / "p.onnx", progress=lambda stage, done: None)
    assert load_model(tmp_path / "p.onnx", kind="jazz-pan").card.sha256 == placed.sha256
    assert set(placed.settings["sharpness"]) == {"angle", "gain"}
    assert {"planted places", "random places"} == set(placed.metrics["synthetic"])


def test_wrong_inputs_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "m.onnx"
    assert run(["train", "jazz", "--what", "solo", "-o", str(output), "--quiet"]) == 2
    assert "--font" in capsys.readouterr().err
    output.write_bytes(b"there")
    assert run(["train", "jazz", "--what", "solo", "-o", str(output), "--quiet"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_bytes() == b"there"
