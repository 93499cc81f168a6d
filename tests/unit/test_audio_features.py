"""Audio features against a reference: librosa and hand-made formulas, perfect for the same, monotone in faults."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal

from makers_mixes import RATE, compressed, louder, panned, rises, song, tilted, wider
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.diff_mst import WEIGHTS, bark_filters, feature_distance, global_features
from tonmeister.evaluation.distribution import FEATURES, af_mmd, mmd_squared
from tonmeister.evaluation.figures import Group
from tonmeister.evaluation.fxnorm import (
    dynamic_features,
    fxnorm_groups,
    panning_features,
    spectral_features,
)

SONG = song()


def errors(reference: Audio, estimate: Audio) -> dict[str, float]:
    """Every figure by its name."""
    groups: tuple[Group, ...] = fxnorm_groups(reference, estimate)
    return {f.name: f.value for g in groups for f in g.figures if f.value is not None}


def test_spectral_features_are_those_of_librosa() -> None:
    signal = SONG.samples[0]
    found = spectral_features(signal, RATE)
    window = np.sqrt(scipy.signal.get_window("hann", 4096))
    magnitude = np.abs(librosa.stft(signal, n_fft=4096, hop_length=1024, window=window, center=False))
    common = {"S": magnitude, "sr": RATE}
    np.testing.assert_allclose(
        found["centroid"], librosa.feature.spectral_centroid(**common)[0] + 1, rtol=1e-4
    )
    np.testing.assert_allclose(
        found["bandwidth"], librosa.feature.spectral_bandwidth(**common)[0] + 1, rtol=1e-4
    )
    rolloff = librosa.feature.spectral_rolloff(**common, roll_percent=0.85)[0] + 1
    assert np.mean(np.abs(found["rolloff"] - rolloff) < 1e-6) > 0.95  # a bin where rounding decides
    np.testing.assert_allclose(found["rolloff"], rolloff, atol=1.5 * RATE / 4096)
    contrast = librosa.feature.spectral_contrast(**common, fmin=250.0, n_bands=4, quantile=0.02)
    np.testing.assert_allclose(found["contrast_low"], contrast[0], atol=1e-3)
    np.testing.assert_allclose(found["contrast_mid"], contrast[1:4].mean(0), atol=1e-3)
    np.testing.assert_allclose(found["contrast_high"], contrast[-1], atol=1e-3)
    flatness = librosa.feature.spectral_flatness(S=magnitude)[0]
    np.testing.assert_allclose(found["flatness"], 1 - 10 * np.log10(flatness), rtol=1e-3)


def test_dynamic_features_by_hand() -> None:
    found = dynamic_features(SONG.samples[:1])
    frame = SONG.samples[0, 2048 : 2048 + 4096].astype(np.float64)
    level = 20 * np.log10(np.sqrt(np.mean(frame**2)))
    assert found["level"][2] == pytest.approx(1 - level, rel=1e-5)
    assert found["spread"][2] == pytest.approx(
        np.mean(np.abs(20 * np.log10(np.abs(frame)) - level)), rel=1e-4
    )
    assert found["crest"][2] == pytest.approx(20 * np.log10(np.abs(frame).max()) / level, rel=1e-4)


def test_panning_of_known_places() -> None:
    noise = SONG.samples[:1]
    center = panning_features(np.repeat(noise, 2, axis=0), RATE)
    left = panning_features(np.concatenate([noise, 0 * noise]), RATE)
    half = panning_features(np.concatenate([noise, 0.5 * noise]), RATE)
    for name in ("panning_total", "panning_low", "panning_mid", "panning_high"):
        assert center[name].max() == pytest.approx(0.0, abs=1e-6)
        assert left[name].min() == pytest.approx(1.0, abs=1e-6)
        assert half[name].mean() == pytest.approx(1 - 2 * 0.5 / 1.25, abs=1e-4)


def test_the_same_is_perfect() -> None:
    found = errors(SONG, SONG)
    assert len(found) == 2 + 7 + 4 + 3 + 4
    assert set(found.values()) == {0.0}


def test_each_group_sees_its_own_fault() -> None:
    tilt = [errors(SONG, tilted(SONG, s)) for s in (0, 0.5, 1, 2)]
    assert rises([e["spectral_mean"] for e in tilt])
    assert rises([e["centroid"] for e in tilt])
    pan = [errors(SONG, panned(SONG, p)) for p in (0, 0.1, 0.25, 0.5)]
    assert rises([e["panning_mean"] for e in pan])
    squash = [errors(SONG, compressed(SONG, a)) for a in (0.01, 1, 3, 8)]
    assert rises([e["dynamic_mean"] for e in squash])
    gain = [errors(SONG, louder(SONG, -g)) for g in (0, 1, 3, 6)]
    assert rises([e["loudness_mean"] for e in gain])


def test_gain_alone_changes_only_the_loudness_group() -> None:
    found = errors(SONG, louder(SONG, -6.0))
    lufs = found.pop("integrated_lufs"), found.pop("sample_peak"), found.pop("loudness_mean")
    assert min(lufs) > 0.1
    assert max(found.values()) < 1e-3


def test_a_reference_in_the_center_has_no_panning_error() -> None:
    mono = Audio(np.repeat(SONG.samples[:1], 2, axis=0), RATE)
    panning = fxnorm_groups(mono, SONG)[2]
    assert panning["panning_total"].value is None
    assert panning["panning_total"].note


def test_too_short_is_refused() -> None:
    with pytest.raises(BadInputError, match="at least 44032"):
        fxnorm_groups(song(0.5), song(0.5))


def test_global_features_of_known_signals() -> None:
    times = np.arange(2 * RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * times)
    found = global_features(Audio(np.stack([sine, 0.5 * sine]), RATE))
    assert found["rms"] == pytest.approx([1 / np.sqrt(2), 0.5 / np.sqrt(2)], rel=1e-4)
    assert found["crest"] == pytest.approx([3.01, 3.01], abs=0.01)
    assert found["width"][0] == pytest.approx((0.5 / 1.5) ** 2, rel=1e-4)
    assert found["imbalance"][0] == pytest.approx((0.25 - 1) / 1.25, rel=1e-4)
    assert found["bark"].shape == (48,)
    peak_band = int(np.argmax(found["bark"][:24]))
    assert bark_filters(RATE)[peak_band, round(1000 * 32768 / RATE)] > 0.4


def test_feature_distance_is_the_weighted_sum() -> None:
    other = tilted(SONG, 1.0)
    group = feature_distance(SONG, other)
    a, b = global_features(SONG), global_features(other)
    expected = sum(w * np.mean((a[n] - b[n]) ** 2) for n, w in WEIGHTS.items())
    assert group["af_loss"].value == pytest.approx(expected)
    assert feature_distance(SONG, SONG)["af_loss"].value == 0.0


def test_feature_distance_is_monotone() -> None:
    def loss(other: Audio, part: str) -> float:
        return feature_distance(SONG, other)[part].value or 0.0

    assert rises([loss(louder(SONG, g), "rms") for g in (0, 1, 3, 6)])
    assert rises([loss(compressed(SONG, a), "crest") for a in (0.01, 1, 3, 8)])
    assert rises([loss(wider(SONG, w), "width") for w in (1, 1.5, 2, 3)])
    assert rises([loss(panned(SONG, p), "imbalance") for p in (0, 0.1, 0.3, 0.6)])
    assert rises([loss(tilted(SONG, s), "bark") for s in (0, 0.5, 1, 2)])


def mixes(first: int, *, seconds: float = 3.6) -> list[Audio]:
    return [song(seconds, seed=first + k, width=0.3 + 0.1 * k) for k in range(4)]


def test_af_mmd_sees_an_inverted_channel_and_a_tilt() -> None:
    references, others = mixes(0), mixes(10)
    inverted = [Audio(m.samples * np.array([[1], [-1]], np.float32), RATE) for m in others]
    dull = [tilted(m, -2.0) for m in others]
    plain = af_mmd(references, others)
    assert plain.features == FEATURES
    assert (plain.references, plain.estimates) == (4, 4)
    assert af_mmd(references, inverted).af_mmd > plain.af_mmd + 20
    assert af_mmd(references, dull).af_mmd > plain.af_mmd + 20


def test_mmd_is_unbiased_and_keeps_its_sign() -> None:
    random = np.random.default_rng(0)
    values = [
        mmd_squared(random.standard_normal((12, 3)), random.standard_normal((12, 3)))[0] for _ in range(200)
    ]
    assert np.mean(values) == pytest.approx(0.0, abs=0.01)
    assert min(values) < 0
    x, y = random.standard_normal((5, 2)), random.standard_normal((6, 2)) + 1
    value, width = mmd_squared(y, x)
    kernel = lambda a, b: np.exp(-np.sum((a - b) ** 2) / (2 * width**2))  # noqa: E731
    by_hand = (
        np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
        + np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
        - 2 * np.mean([kernel(a, b) for a in x for b in y])
    )
    assert value == pytest.approx(by_hand)


def test_distributions_refuse_what_they_cannot_compare() -> None:
    with pytest.raises(BadInputError, match="at least two of each"):
        af_mmd(mixes(0)[:1], mixes(0)[:2])
    with pytest.raises(BadInputError, match="give stereo"):
        af_mmd([Audio(SONG.samples[:1], RATE)] * 2, mixes(0)[:2])
    with pytest.raises(BadInputError, match=r"3\.5 s"):
        af_mmd([song(1.0)] * 2, [song(1.0)] * 2)
