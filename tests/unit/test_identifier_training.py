"""The recipe of the classifier: what is taught, how sounds are made, that the network learns, and what it is believed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tonmeister.errors import BadInputError
from tonmeister.identification.log_mel import BANDS, PATCH_STEPS
from tonmeister.training.identifier import tones
from tonmeister.training.identifier.calibration import calibrate, expected_calibration_error, shares
from tonmeister.training.identifier.clips import labelled_files, read_clips
from tonmeister.training.identifier.examples import Sources, draw
from tonmeister.training.identifier.fonts import RATE_HZ, Font
from tonmeister.training.identifier.kits import PatchKit, read_kit
from tonmeister.training.identifier.options import SoundFiles
from tonmeister.training.identifier.phrases import Hit, Note, compose, groove, strokes
from tonmeister.training.identifier.pictures import Pictures, as_bytes, as_floats, make_pictures
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.identifier.spoiling import fast_length, spoiled
from tonmeister.training.identifier.taught import (
    CLASSES,
    DRUM_NOTES,
    PERCUSSION_NOTES,
    ROLE_OF_STYLE,
    TAUGHT,
    UNKNOWN,
    taught_word,
)
from tonmeister.vocabulary import INSTRUMENTS, ROLES

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the extra train is not installed"
)
MADE = ("synth_bass", "sub_bass", "synth_lead", "ukulele", "lead_voice", "backing_voice", "speech")


def test_what_is_taught_is_in_the_vocabulary() -> None:
    assert set(CLASSES) - {UNKNOWN} <= set(INSTRUMENTS)
    assert len(CLASSES) >= 40
    assert set(DRUM_NOTES) | set(PERCUSSION_NOTES) <= set(CLASSES)
    assert set(ROLE_OF_STYLE.values()) <= set(ROLES)
    for word, taught in TAUGHT.items():
        assert taught.weight > 0, word
        assert taught.low < taught.high, word
        assert set(taught.styles) <= set(ROLE_OF_STYLE), word


@pytest.mark.parametrize(
    ("word", "taught"),
    [
        ("kick", "kick"),
        ("china", "crash"),
        ("djembe", "conga"),
        ("drums", None),
        ("other", None),
        ("ambience", None),
    ],
)
def test_relatives_stand_for_what_is_not_taught(word: str, taught: str | None) -> None:
    assert taught_word(word) == taught


@pytest.mark.parametrize("style", list(ROLE_OF_STYLE))
def test_phrases_stay_within_the_instrument(style: str) -> None:
    for seed in range(20):
        notes = compose(style, 40, 76, 3.0, np.random.default_rng(seed))
        assert notes
        assert all(
            40 <= n.key <= 76 and 0 <= n.start_s < 3.5 and n.length_s > 0 and 1 <= n.velocity <= 127
            for n in notes
        )
    assert compose(style, 40, 76, 3.0, np.random.default_rng(7)) == compose(
        style, 40, 76, 3.0, np.random.default_rng(7)
    )


def test_grooves_have_a_kick_and_single_pieces_are_single() -> None:
    for seed in range(10):
        assert "kick" in {hit.piece for hit in groove(4.0, np.random.default_rng(seed))}
        assert {hit.piece for hit in strokes("tom", 4.0, np.random.default_rng(seed))} == {"tom"}


FONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")


@pytest.mark.skipif(not FONT.is_file(), reason="the package timgm6mb-soundfont is not installed")
def test_a_phrase_of_a_font_does_not_depend_on_what_was_played_before() -> None:
    pytest.importorskip("fluidsynth", reason="the extra train is not installed")
    phrase = [Note(0.1, 0.5, 60, 100), Note(0.3, 0.4, 67, 90)]
    fresh = Font(FONT).play(0, 6, phrase, 0.8)
    used = Font(FONT)
    used.play(0, 19, [Note(0.0, 9.0, 48, 120)], 0.5001)
    difference = used.play(0, 6, phrase, 0.8) - fresh
    assert np.sqrt(np.mean(difference**2)) < 0.01 * np.sqrt(np.mean(fresh**2))
    assert np.abs(fresh).max() > 0.01


@pytest.mark.parametrize("word", MADE)
def test_made_sounds_are_finite_audible_and_repeatable(word: str) -> None:
    one, other = (draw(Sources((), ()), np.random.default_rng(11), word=word) for _ in range(2))
    assert one.word == word
    assert np.isfinite(one.samples).all()
    assert 0.01 < np.abs(one.samples).max() <= 1.0
    np.testing.assert_array_equal(one.samples, other.samples)


def test_a_singer_sings_the_note() -> None:
    sung = tones.play_singer([Note(0.0, 1.5, 57, 100)], 1.5, np.random.default_rng(2))[0]
    middle = sung[RATE_HZ // 2 : RATE_HZ]
    lags = np.correlate(middle, middle[: len(middle) // 2], "valid")[40:800]
    assert RATE_HZ / (40 + int(lags.argmax())) == pytest.approx(220.0, rel=0.04)


def test_a_revoiced_recording_sings_the_note() -> None:
    rng = np.random.default_rng(4)
    speech = np.asarray(0.1 * rng.standard_normal(2 * RATE_HZ), np.float32)
    sung = tones.revoice(speech, [Note(0.0, 0.5, 57, 100)], 0.5, np.random.default_rng(3))[0]
    assert np.isfinite(sung).all()
    assert np.abs(sung).max() > 0


def test_spoiling_is_repeatable_and_keeps_what_is_heard() -> None:
    sound = draw(Sources((), ()), np.random.default_rng(1), word="synth_bass", clean=True).samples
    for seed in range(8):
        one, other = (spoiled(sound, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
        assert 0.02 < np.abs(one).max() <= 1.01


def test_a_drum_machine_plays_what_is_asked_and_nothing_behind_the_end() -> None:
    kit, rng = PatchKit(), np.random.default_rng(4)
    assert {"kick", "snare", "hihat", "claps"} <= kit.pieces
    hits = [Hit(0.5, "snare", 100), Hit(1.3, "snare", 100), Hit(0.2, "nothing like it", 100)]
    sound = kit.play(hits, 1.0, rng)
    assert sound.shape == (2, RATE_HZ)
    assert not sound[:, : RATE_HZ // 2].any()
    assert sound[:, RATE_HZ // 2 :].any()


def test_patterns_keep_time() -> None:
    for seed in range(40):
        times = [hit.start_s for hit in strokes("hihat", 4.0, np.random.default_rng(seed))]
        assert all(0.0 <= t < 4.3 for t in times)
    steady = 0
    for seed in range(40):
        times = np.array([h.start_s for h in strokes("hihat", 4.0, np.random.default_rng(seed))])
        gaps = np.diff(np.sort(times))
        steady += len(gaps) > 3 and float(np.ptp(gaps)) < 0.1 * float(gaps.mean())
    assert steady >= 3  # some are played like a machine


def test_pictures_overheard_and_shifted_stay_pictures() -> None:
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    from tonmeister.training.identifier.learning import _overhearing, _shifted

    torch.manual_seed(0)
    images = torch.rand(64, BANDS, PATCH_STEPS)
    louder = _overhearing(images, torch)
    assert bool((louder >= images).all())
    assert bool((louder <= 1.0).all())
    assert bool((louder > images).any())
    shifted = _shifted(images, torch)
    moved = [
        by
        for image, other in zip(shifted, images, strict=True)
        for by in range(-2, 3)
        if torch.equal(image[4:-4], torch.roll(other, by, 0)[4:-4])
    ]
    assert len(moved) == 64
    assert set(moved) == {-2, -1, 0, 1, 2}


def test_fast_lengths_have_small_factors_only() -> None:
    import scipy.fft

    for frames in (1, 7, 97, 4801, 139_093, 240_007):
        assert fast_length(frames) >= frames
        rest = fast_length(frames)
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        assert rest == 1
        assert fast_length(frames) == scipy.fft.next_fast_len(frames, real=True)


def _stroke(path: Path, hz: float) -> None:
    t = np.arange(RATE_HZ // 10) / RATE_HZ
    soundfile.write(path, np.sin(2 * np.pi * hz * t) * np.exp(-t / 0.02), RATE_HZ)


def test_a_kit_is_read_by_what_its_sounds_are_called(tmp_path: Path) -> None:
    _stroke(tmp_path / "k1.wav", 60)
    _stroke(tmp_path / "s1.wav", 200)
    (tmp_path / "drumkit.xml").write_text(
        "<drumkit_info xmlns='http://www.hydrogen-music.org/drumkit'><instrumentList>"
        "<instrument><name>Bass Drum</name><layer><filename>k1.wav</filename></layer></instrument>"
        "<instrument><name>Snare Rock</name><layer><filename>s1.wav</filename></layer>"
        "<layer><filename>../../outside.wav</filename></layer><layer><filename>missing.wav</filename></layer></instrument>"
        "<instrument><name>Zap</name><layer><filename>k1.wav</filename></layer></instrument>"
        "</instrumentList></drumkit_info>",
        "utf-8",
    )
    kit = read_kit(tmp_path)
    assert kit.pieces == {"kick", "snare"}
    assert len(kit.strokes["snare"][0]) == 1
    played = kit.play([Hit(0.1, "kick", 127), Hit(0.2, "ride", 127)], 0.5, np.random.default_rng(0))
    assert played.shape == (2, RATE_HZ // 2)
    assert not played[:, : RATE_HZ // 11].any()
    assert played[:, RATE_HZ // 10 :].any()


def test_clips_are_read_with_the_words_people_write(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        _stroke(folder / name, 100)
    (folder / "labels.csv").write_text(
        "file,instrument\na.wav,bass drum\nb.wav,synth_bass\nc.wav,drums\n", "utf-8"
    )
    assert [word for _, word in labelled_files(folder)] == ["kick", "synth_bass", "drums"]
    assert [clip.word for clip in read_clips(tmp_path)] == ["kick", "synth_bass"]
    with pytest.raises(BadInputError, match=r"labels\.csv"):
        list(labelled_files(tmp_path))


def test_licences_are_those_that_are_stated(tmp_path: Path) -> None:
    assert licence_of(Path("x/FluidR3_GM.sf2")).startswith("MIT")
    assert licence_of(tmp_path) == "not stated"
    (tmp_path / "SOURCE.txt").write_text("from: a friend\nlicence: CC0 1.0\n", "utf-8")
    assert licence_of(tmp_path) == "CC0 1.0"


def test_without_soundfonts_it_says_what_to_give() -> None:
    with pytest.raises(BadInputError, match="--font"):
        SoundFiles().open()


def test_pictures_survive_bytes_to_half_a_step() -> None:
    picture = np.random.default_rng(0).random((BANDS, PATCH_STEPS)).astype(np.float32)
    np.testing.assert_allclose(as_floats(as_bytes(picture)), picture, atol=0.5 / 255 + 1e-6)


def test_a_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (6000, len(CLASSES)))
    cumulated = np.cumsum(shares(honest, 1.0, 0.0), axis=1)
    truth = (cumulated < rng.random((6000, 1))).sum(axis=1).clip(max=len(CLASSES) - 1)
    found = calibrate(2.0 * honest, truth)
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    assert found.loss_after < found.loss_before


def test_calibration_error_is_the_gap() -> None:
    assert expected_calibration_error([0.95] * 100, [True] * 95 + [False] * 5) == pytest.approx(0.0, abs=1e-9)
    assert expected_calibration_error([0.95] * 10, [False] * 10) == pytest.approx(0.95)


def toy_pictures(count: int = 90) -> Pictures:
    """Three classes that are a low stripe, a high stripe, and strokes."""
    rng = np.random.default_rng(0)
    images = 0.2 * rng.random((count, BANDS, PATCH_STEPS))
    classes = np.arange(count) % 3
    for image, number in zip(images, classes, strict=True):
        at = int(rng.integers(0, 10))
        if number == 0:
            image[at : at + 8] += 0.7
        elif number == 1:
            image[BANDS - 10 - at : BANDS - at] += 0.7
        else:
            image[:, at::16] += 0.7
    roles = np.where(classes == 2, -1, classes)
    return Pictures(as_bytes(images.clip(0, 1).astype(np.float32)), classes, roles, np.arange(count))


@pytest.fixture(scope="module")
def learned() -> Any:
    pytest.importorskip("torch", reason="the extra train is not installed")
    from tonmeister.training.identifier.learning import LearningOptions, learn
    from tonmeister.training.identifier.network import folded_weights

    return [folded_weights(learn(toy_pictures(), LearningOptions(epochs=8, batch=15), 3)) for _ in range(2)]


def test_the_network_learns_and_learns_the_same_again(learned: Any, tmp_path: Path) -> None:
    import onnxruntime

    from tonmeister.training.identifier.network import onnx_bytes

    one, other = learned
    for name, weights in one.items():
        np.testing.assert_array_equal(weights, other[name], err_msg=name)
    session = onnxruntime.InferenceSession(onnx_bytes(one, classes=len(CLASSES)))
    toy = toy_pictures(60)
    scores = session.run(["classes"], {"pictures": as_floats(toy.images)[:, None]})[0]
    assert (scores.argmax(axis=1) == toy.classes).mean() > 0.9


@needs_torch
def test_the_exported_network_is_the_trained_one() -> None:
    import onnxruntime
    import torch

    from tonmeister.model_files.onnx_reader import network_facts
    from tonmeister.model_files.operators import check_operators
    from tonmeister.training.identifier.network import build_network, folded_weights, onnx_bytes

    torch.manual_seed(0)
    network = build_network(len(CLASSES), len(ROLES))
    x = torch.rand(8, 1, BANDS, PATCH_STEPS)
    network(x)  # moves the running means, so that folding has something to fold
    network.eval()
    data = onnx_bytes(folded_weights(network), classes=len(CLASSES))
    check_operators(network_facts(data))
    made = np.concatenate(onnxruntime.InferenceSession(data).run(None, {"pictures": x.numpy()}), axis=1)
    np.testing.assert_allclose(made, network(x).detach().numpy(), atol=1e-5)
    assert len(data) < 2_000_000


def test_a_picture_depends_on_seed_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only = {word: TAUGHT[word] for word in ("sub_bass", "ukulele", "speech")}
    for name in ("TAUGHT", "CLASSES"):
        monkeypatch.setattr(
            f"tonmeister.training.identifier.examples.{name}", only if name == "TAUGHT" else tuple(only)
        )
    whole = make_pictures(Sources((), ()), range(4), 5)
    later = make_pictures(Sources((), ()), range(2, 4), 5)
    np.testing.assert_array_equal(whole.images[whole.examples >= 2], later.images)
    np.testing.assert_array_equal(
        Pictures.joined([whole, later]).classes[: len(whole.classes)], whole.classes
    )
