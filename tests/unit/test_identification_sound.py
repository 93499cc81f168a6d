"""What is heard of a track: pictures, loud stretches, the shipped classifier, and sounds it must not be fooled by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from tonmeister.audio import Audio
from tonmeister.errors import ModelError
from tonmeister.identification.classifier import MAX_BYTES, Classifier, classify, load_classifier
from tonmeister.identification.log_mel import (
    BANDS,
    HOP_FRAMES,
    PATCH_FRAMES,
    PATCH_STEPS,
    RATE_HZ,
    log_mel,
    mel_filters,
)
from tonmeister.identification.patches import PARTS, loud_patches
from tonmeister.identification.sound_evidence import NOTHING_HEARD, SoundEvidence
from tonmeister.multitrack import Track
from tonmeister.units import FloatArray
from tonmeister.vocabulary import FAMILIES, INSTRUMENTS

RATE = 44_100


def track(samples: FloatArray, rate: int = RATE) -> Track:
    return Track("t", audio=Audio(np.atleast_2d(np.asarray(samples, np.float32)), rate))


def time(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.arange(round(seconds * rate)) / rate


def kick(seconds: float = 6.0, rate: int = RATE) -> FloatArray:
    """A sine that falls from 150 to 50 Hz and dies away, every half second."""
    t = time(0.35, rate)
    hit = np.sin(2 * np.pi * (50 * t + 100 * 0.03 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.09)
    hit[: rate // 500] += 0.3 * np.random.default_rng(0).standard_normal(rate // 500)
    out = np.zeros(round(seconds * rate))
    for at in range(0, len(out), rate // 2):
        out[at : at + len(hit)] += hit[: len(out) - at]
    return np.asarray(0.5 * out, np.float32)


def hihat(seconds: float = 6.0, rate: int = RATE) -> FloatArray:
    """Six square waves of no common pitch and noise, above 7 kHz, in short strokes, four a second."""
    t = time(seconds, rate)
    metal = sum(np.sign(np.sin(2 * np.pi * hz * t + hz)) for hz in (205.3, 304.4, 369.6, 522.7, 540.0, 800.0))
    noise = 0.7 * np.random.default_rng(1).standard_normal(len(t))
    high = scipy.signal.butter(4, 7000, "high", fs=rate, output="sos")
    return np.asarray(
        0.2 * scipy.signal.sosfilt(high, metal + noise) * np.exp(-(t % 0.25) / 0.05), np.float32
    )


def bass(seconds: float = 6.0, rate: int = RATE) -> FloatArray:
    """Low notes with a dozen harmonics, two a second."""
    t = time(seconds, rate)
    hz = np.repeat([41.2, 55.0, 49.0, 61.7], len(t) // 4 + 1)[: len(t)]
    phase = 2 * np.pi * np.cumsum(hz) / rate
    tone = sum(np.sin(k * phase) / k**1.6 for k in range(1, 13))
    return np.asarray(0.3 * tone * np.exp(-(t % 0.5) / 0.4), np.float32)


def test_mel_filters_are_those_of_librosa() -> None:
    librosa_filters = pytest.importorskip("librosa.filters")
    theirs = librosa_filters.mel(
        sr=RATE_HZ, n_fft=2048, n_mels=BANDS, fmin=30.0, fmax=15_500.0, htk=True, norm=None, dtype=np.float64
    )
    np.testing.assert_allclose(mel_filters(), theirs, atol=1e-9)


def test_a_picture_is_the_mel_spectrum_that_scipy_finds() -> None:
    rng = np.random.default_rng(3)
    sound = scipy.signal.lfilter([1], [1, -0.9], rng.standard_normal(PATCH_FRAMES)).astype(np.float32)
    window = scipy.signal.get_window("hann", 2048)
    stft = scipy.signal.ShortTimeFFT(window, HOP_FRAMES, RATE_HZ)
    power = stft.spectrogram(sound.astype(float), p0=0, p1=PATCH_STEPS)
    mel = mel_filters() @ power
    expected = np.maximum(1 + 10 * np.log10(mel / mel.max()) / 80, 0)
    np.testing.assert_allclose(log_mel(sound[None]), expected, atol=1e-4)


@pytest.mark.parametrize("gain_db", [-60.0, -23.0, 20.0])
def test_level_and_polarity_change_no_picture(gain_db: float) -> None:
    sound = hihat(2.0, RATE_HZ)[None]
    changed = np.asarray(-sound * 10 ** (gain_db / 20), np.float32)
    np.testing.assert_allclose(log_mel(changed), log_mel(sound), atol=1e-4)


def test_channels_that_cancel_in_their_sum_are_heard_all_the_same() -> None:
    sound = bass(2.0, RATE_HZ)
    np.testing.assert_allclose(log_mel(np.stack([sound, -sound])), log_mel(sound[None]), atol=1e-5)


def test_pictures_have_one_shape_and_range() -> None:
    for frames in (1, 500, PATCH_FRAMES, PATCH_FRAMES * 2):
        picture = log_mel(np.ones((1, frames), np.float32))
        assert picture.shape == (BANDS, PATCH_STEPS)
        assert picture.min() >= 0.0
        assert picture.max() == pytest.approx(1.0)
    assert not log_mel(np.zeros((2, 100), np.float32)).any()


def test_only_the_loud_parts_are_heard() -> None:
    quiet = 0.001 * np.random.default_rng(0).standard_normal(40 * RATE)
    quiet[10 * RATE : 13 * RATE] += bass(3.0)
    patches = loud_patches(track(quiet))
    assert patches
    assert all(8.0 <= patch.start_s <= 13.0 for patch in patches)


def test_a_long_track_is_heard_in_few_places_all_over() -> None:
    patches = loud_patches(track(bass(60.0)))
    assert len(patches) == PARTS
    assert np.diff([patch.start_s for patch in patches]).max() < 2 * 60 / PARTS
    assert all(patch.samples.shape[1] <= PATCH_FRAMES for patch in patches)


def test_a_stroke_after_silence_is_heard_from_its_beginning() -> None:
    late = np.concatenate([np.zeros(RATE), kick(0.5)])
    (patch,) = loud_patches(track(late))
    peak = np.abs(patch.samples[0]).max()
    assert np.flatnonzero(np.abs(patch.samples[0]) > 0.5 * peak)[0] < 0.05 * RATE_HZ


def test_silence_is_nothing_heard() -> None:
    assert classify(track(np.zeros((2, RATE)))) is NOTHING_HEARD
    assert classify(track(np.full((1, RATE), 1e-6))) is NOTHING_HEARD
    assert NOTHING_HEARD.instrument is None
    assert NOTHING_HEARD.family is None


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier()


def test_the_shipped_classifier_is_small_and_knows_the_vocabulary(classifier: Classifier) -> None:
    assert classifier.model.path.stat().st_size < MAX_BYTES
    leaves = set(classifier.classes) - {"unknown"}
    assert leaves <= set(INSTRUMENTS)
    assert len(leaves - set(FAMILIES)) >= 20
    assert {"kick", "snare", "tom", "hihat", "crash", "ride", "overheads", "room"} <= leaves


@pytest.mark.parametrize(
    ("sound", "instrument", "family"),
    [(kick, "kick", "drums"), (hihat, "hihat", "drums"), (bass, None, "bass")],
    ids=["kick", "hihat", "bass"],
)
def test_made_up_instruments_are_known(
    classifier: Classifier, sound: Callable[[], FloatArray], instrument: str | None, family: str
) -> None:
    heard = classifier.classify(track(sound()))
    assert heard.family == family
    assert instrument in (None, heard.instrument)


def test_evidence_is_a_distribution(classifier: Classifier) -> None:
    heard = classifier.classify(track(kick()))
    assert sum(heard.probabilities.values()) + heard.unknown == pytest.approx(1.0)
    assert sum(heard.families.values()) + heard.unknown == pytest.approx(1.0)
    assert sum(heard.roles.values()) == pytest.approx(1.0)
    assert 1.0 < heard.seconds_heard < 6.0
    assert heard.nodes["drums"] == pytest.approx(heard.families["drums"])
    assert heard.nodes["kick"] == heard.probabilities["kick"]


def test_the_level_of_a_track_changes_nothing(classifier: Classifier) -> None:
    one, other = (classifier.classify(track(gain * bass())) for gain in (1.0, 0.01))
    assert one.instrument == other.instrument
    for word, probability in one.probabilities.items():
        assert other.probabilities[word] == pytest.approx(probability, abs=2e-3)


def test_the_sample_rate_changes_little(classifier: Classifier) -> None:
    families = {
        classifier.classify(track(kick(rate=rate), rate)).family for rate in (22_050, 44_100, 48_000, 96_000)
    }
    assert families == {"drums"}


def test_the_same_track_gives_the_same_evidence(classifier: Classifier) -> None:
    assert classifier.classify(track(hihat())) == classifier.classify(track(hihat()))


def _noise() -> FloatArray:
    return np.asarray(0.1 * np.random.default_rng(5).standard_normal((2, 5 * RATE)), np.float32)


def _rumble() -> FloatArray:
    walk = np.cumsum(np.random.default_rng(0).standard_normal(5 * RATE))
    return np.asarray(0.01 * (walk - np.convolve(walk, np.ones(500) / 500, "same")), np.float32)


@pytest.mark.parametrize("noise", [_noise, _rumble])
def test_steady_noise_is_unknown(classifier: Classifier, noise: Callable[[], FloatArray]) -> None:
    heard = classifier.classify(track(noise()))
    assert heard.instrument is None
    assert heard.unknown > 0.5


def test_a_full_mix_is_not_surely_one_instrument(classifier: Classifier) -> None:
    rng = np.random.default_rng(2)
    chords = sum(np.sin(2 * np.pi * hz * time(6.0)) for hz in (220.0, 277.2, 329.6, 440.0, 554.4))
    mix = kick() + hihat() + bass() + 0.05 * chords + 0.02 * rng.standard_normal(6 * RATE)
    heard = classifier.classify(track(mix))
    assert heard.unknown > 0.3 or max(heard.probabilities.values()) < 0.8


@pytest.mark.parametrize(
    "samples",
    [
        np.full((1, RATE), np.nan, np.float32),
        np.where(np.arange(RATE) % 100 == 0, np.inf, kick(1.0)).astype(np.float32),
        np.full((1, RATE), 0.5, np.float32),
        kick(0.2),
        kick(0.01),
        np.zeros((1, 0), np.float32),
        np.zeros((1, 1), np.float32),
        np.tile(kick(1.0), (6, 1)),
    ],
    ids=["nan", "inf", "dc", "200 ms", "10 ms", "empty", "one frame", "six channels"],
)
def test_odd_tracks_give_finite_evidence(classifier: Classifier, samples: FloatArray) -> None:
    heard = classifier.classify(track(samples))
    numbers = [*heard.probabilities.values(), *heard.roles.values(), heard.unknown]
    assert np.isfinite(numbers).all()
    assert all(0.0 <= number <= 1.0 for number in numbers)


def test_samples_that_are_no_numbers_do_not_hide_the_rest(classifier: Classifier) -> None:
    spoiled = kick()
    spoiled[1000:1010] = np.nan
    spoiled[2000] = np.inf
    assert classifier.classify(track(spoiled)).instrument == "kick"


def test_eight_kilohertz_and_short_clips_keep_their_family(classifier: Classifier) -> None:
    assert classifier.classify(track(kick(rate=8000), 8000)).family == "drums"
    assert classifier.classify(track(kick(0.3))).family == "drums"


def test_a_card_for_other_pictures_is_refused(classifier: Classifier) -> None:
    settings = dict(classifier.model.card.settings)
    for name, value in (
        ("front_end", {**settings["front_end"], "bands": 40}),
        ("classes", ["kick", "kazoo"]),
        ("classes", []),
        ("temperature", 0.0),
        ("temperature", "warm"),
        ("unknown_bias", True),
    ):
        card = dataclasses.replace(classifier.model.card, settings={**settings, name: value})
        with pytest.raises(ModelError):
            Classifier(dataclasses.replace(classifier.model, card=card))


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="card"):
        load_classifier(tmp_path / "m.onnx")


def test_the_family_can_be_sure_where_the_instrument_is_not() -> None:
    heard = SoundEvidence({"kick": 0.2, "snare": 0.2, "tom": 0.2, "piano": 0.3}, 0.1, {}, 1.0)
    assert heard.instrument == "piano"
    assert heard.family == "drums"
