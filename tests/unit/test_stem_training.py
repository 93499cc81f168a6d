"""The recipe of the stem networks: material that depends on the content, networks of the right size, fair figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from makers_datasets import write
from makers_stems import RATE, plucked
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.engines.autoencoder.draft import ARRAY_SHAPES, Draft, seen
from tonmeister.engines.autoencoder.hearing import excerpt_of
from tonmeister.engines.autoencoder.hints import HINTS, hints
from tonmeister.engines.autoencoder.measures import NAMES, measures
from tonmeister.errors import BadInputError
from tonmeister.training.stems.drafting import DraftOptions, build_draft, learn_draft
from tonmeister.training.stems.engineer import engineered, listened
from tonmeister.training.stems.faithful import ratio_mask, rows, train_stages
from tonmeister.training.stems.features import fit_predictor, judge, select_features
from tonmeister.training.stems.learning import BandClip, LearningOptions, learn_bands, windows
from tonmeister.training.stems.material import Held
from tonmeister.training.stems.networks import (
    build_faithful,
    build_improved,
    dense_layers,
    onnx_network,
    parameter_count,
)
from tonmeister.training.stems.pairs import (
    StemPair,
    at_loudness,
    folder_pairs,
    loudness_of,
    pitch_shifted,
    synthesized_pairs,
)
from tonmeister.training.stems.scoring import oracle_curve_db, static_eq, summary
from tonmeister.training.stems.spectra import band_amplitudes, magnitudes
from tonmeister.training.synthesis.acoustics import apply_effect
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import FloatArray

# ---------------------------------------------------------------- networks


def test_the_networks_have_as_many_weights_as_the_papers_say() -> None:
    assert parameter_count(build_improved()) == 164_416
    assert parameter_count(build_faithful()) == 3_152_899
    assert parameter_count(build_faithful(mask=True)) == 3_152_899 + 1025 * 1025 + 1025


@pytest.mark.parametrize("profile", ["improved", "faithful"])
def test_onnx_and_torch_agree(profile: str) -> None:
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    if profile == "improved":
        network, mean, deviation = build_improved(32).eval(), rng.random(320), 0.5 + rng.random(320)
        x = rng.random((7, 320)).astype(np.float32) * 8
        with torch.no_grad():
            wanted = 18 * network(torch.from_numpy(((x - mean) / deviation).astype(np.float32))).numpy()
        data = onnx_network(dense_layers(network, mean, deviation), profile)
    else:
        network = build_faithful(16).eval()
        x = rng.random((7, 1025)).astype(np.float32)
        with torch.no_grad():
            wanted = network(torch.from_numpy(x)).numpy()
        data = onnx_network(dense_layers(network), profile)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    made = session.run(None, {session.get_inputs()[0].name: x})[0]
    np.testing.assert_allclose(made, wanted, atol=1e-4 if profile == "improved" else 1e-5)


def test_ten_seconds_give_1025_bins_and_431_frames() -> None:
    assert magnitudes(np.zeros(441_000, np.float32)).shape == (431, 1025)


def test_rows_are_spectra_and_those_of_the_released_code_are_not() -> None:
    """A sine of 1 kHz lies between bins 46 and 47 (46.44) in every row; the released layout mixes bins and times."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(5 * RATE) / RATE).astype(np.float32)
    spectra = magnitudes(tone)[2:-2]
    assert set(np.argmax(rows(spectra), axis=1)) <= {46, 47}
    assert not set(np.argmax(rows(spectra, as_released=True), axis=1)) <= {46, 47}
    assert rows(spectra, as_released=True).shape == spectra.shape


def test_the_mask_of_equal_spectra_is_one_and_always_finite() -> None:
    raw = np.abs(np.random.default_rng(0).standard_normal((20, 50))).astype(np.float32)
    raw[:, 10] = 0.0
    mask = ratio_mask(raw, raw)
    np.testing.assert_allclose(np.delete(mask, 10, axis=1), 1.0, rtol=1e-6)
    assert np.isfinite(ratio_mask(raw, raw + 1)).all()
    assert ratio_mask(raw, raw + 1).max() == 10.0


def test_the_faithful_stages_learn_spectra() -> None:
    """Stage 1 reconstructs at half the error of the mean frame; stage 2 learns another curve on top; stage 3 runs."""
    rng = np.random.default_rng(1)
    shapes = np.abs(rng.standard_normal((3, 65))).astype(np.float32)
    curve = np.linspace(0.5, 2.0, 65, dtype=np.float32)
    clips = []
    for _ in range(6):
        raw = (rng.random((80, 3)).astype(np.float32) ** 2 * 4) @ shapes
        clips.append((raw, raw * curve))
    network, errors, stopped = train_stages(clips, epochs=40, mask_epochs=2, neurons=16, seed=1)
    raw, stem = clips[0]
    assert not stopped
    assert errors["stage 1"] < 0.5 * float(np.abs(raw - raw.mean(0)).mean())
    assert errors["stage 2"] < float(np.abs(raw - stem).mean())
    assert set(errors) == {"stage 1", "stage 2", "stage 3"}
    assert parameter_count(network) == parameter_count(build_faithful(16, mask=True, bins=65))


# ---------------------------------------------------------------- learning


def leveled_clips(songs: int = 8) -> list[BandClip]:
    """Stems whose loud frames were turned down by 9 dB: no static curve can do that."""
    clips = []
    for song in range(songs):
        raw = band_amplitudes(plucked(2.0, seed=song))
        loud = np.sqrt((raw**2).sum(1, keepdims=True)) > 0.05
        finished = (raw * np.where(loud, 0.355, 1.0)).astype(np.float32)
        clips.append(BandClip(str(song), raw, finished, np.zeros(HINTS)))
    return clips


def test_what_follows_the_level_is_learned_and_an_interrupt_keeps_the_best() -> None:
    clips = leveled_clips()
    options = LearningOptions(steps=150, batch=4, length=32, hidden=24, checks=5)
    learned = learn_bands(clips, options, 0)
    x = (windows(clips[0].raw) - learned.mean) / learned.deviation
    with torch.no_grad():
        gains = 18 * learned.network(torch.from_numpy(x.astype(np.float32))).numpy()[:, 2:40]
    loud = np.sqrt((clips[0].raw ** 2).sum(1)) > 0.05
    assert gains[loud].mean() < -4.0
    assert gains[~loud].mean() > gains[loud].mean() + 2.0

    def stop(done: float, _: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    early = learn_bands(clips, options, 0, progress=stop)
    assert early.interrupted
    assert 0 < early.steps <= 90


def test_the_same_seed_learns_the_same() -> None:
    options = LearningOptions(steps=20, batch=2, length=16, hidden=8, checks=2)
    one, other = (dense_layers(learn_bands(leveled_clips(4), options, 5).network) for _ in range(2))
    for (a, b), (c, d) in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_networks_of_several_seeds_are_judged_by_the_same_songs() -> None:
    """The scaling is that of the songs learned from, so it tells which these were."""
    options = LearningOptions(steps=20, batch=2, length=16, hidden=8, checks=2)
    clips = leveled_clips(9)
    together = [learn_bands(clips, options, seed, split_seed=0).mean for seed in range(3)]
    apart = [learn_bands(clips, options, seed).mean for seed in range(3)]
    np.testing.assert_array_equal(together, [together[0]] * 3)
    assert any((mean != apart[0]).any() for mean in apart[1:])


def test_the_oracle_is_the_best_static_curve() -> None:
    raw = band_amplitudes(plucked(2.0))
    stem = raw * np.linspace(0.3, 2.0, 64, dtype=np.float32)
    np.testing.assert_allclose(
        oracle_curve_db(raw, stem), 20 * np.log10(np.linspace(0.3, 2.0, 64)), atol=0.01
    )
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    np.testing.assert_allclose(static_eq(tone, np.full(64, -6.0)), tone * 10 ** (-6 / 20), atol=1e-5)


def test_intervals_are_over_songs() -> None:
    table = {
        name: [(str(i // 3), error + 0.001 * i, 1.0) for i in range(30)]
        for name, error in (("identity", 1.0), ("group EQ", 0.9), ("oracle EQ", 0.5), ("network", 0.7))
    }
    figures = summary(table)
    assert figures["songs"] == 10
    assert figures["network below identity"]["low"] == pytest.approx(0.3)
    assert figures["network below oracle EQ"]["high"] == pytest.approx(-0.2)


# ---------------------------------------------------------------- material


def ringing(hertz: float) -> FloatArray:
    """Noise with a resonance."""
    noise = np.random.default_rng(2).standard_normal((1, 3 * RATE)).astype(np.float32) * 0.05
    effect = Equalizer((EqSection("peak", hertz, 14.0, 4.0), EqSection("high_shelf", 2000.0, -18.0, 0.7)))
    return apply_effect(effect, noise, RATE)[0]


@pytest.mark.parametrize("hertz", [500.0, 1500.0])
def test_the_engineer_cuts_where_the_resonance_is(hertz: float) -> None:
    raw = ringing(hertz)
    finished = engineered(raw, "guitar", Seeds.of(4), RATE)
    change = band_amplitudes(finished).mean(0) / band_amplitudes(raw).mean(0)
    decibels = 20 * np.log10(change)
    at = int(np.argmin(np.abs(np.sqrt(band_edges()[:-1] * band_edges()[1:]) - hertz)))
    around = [decibels[at - 8], decibels[at + 8]]
    assert decibels[at] < min(around) - 2.0


def band_edges() -> np.ndarray:
    from tonmeister.dsp.erb_bands import band_edges_hz

    return band_edges_hz()


def test_the_engineer_evens_out_what_is_uneven() -> None:
    steady = plucked(6.0)
    gain = np.where(np.arange(len(steady)) < len(steady) // 2, 1.0, 0.25).astype(np.float32)
    finished = engineered(steady * gain, "vocals", Seeds.of(5), RATE)
    half = len(steady) // 2
    before = 20 * np.log10((steady * gain)[:half].std() / (steady * gain)[half:].std())
    after = 20 * np.log10(finished[:half].std() / finished[half:].std())
    assert after < 0.7 * before
    assert listened(np.zeros(RATE, np.float32), RATE) is None


def test_synthesized_pairs_follow_from_the_seed_and_come_back_from_the_cache(tmp_path: Path) -> None:
    def made(cache: Path | None = None) -> list:
        return next(iter(synthesized_pairs([7], duration_s=2.0, soundfonts=(), cache=cache)))[1]

    one, other, kept = made(), made(tmp_path), made(tmp_path)
    assert len(one) == len(other) == len(kept) > 1
    assert "vocals" in {p.group for p in one}
    for a, b, c in zip(one, other, kept, strict=True):
        np.testing.assert_array_equal(a.raw, b.raw)
        np.testing.assert_array_equal(a.stem, c.stem)
        assert loudness_of(a.raw) == pytest.approx(-23.0, abs=0.05)
        assert loudness_of(a.stem) == pytest.approx(-23.0, abs=0.05)
        assert float(np.abs(a.raw - a.stem).max()) > 1e-3


def test_pitch_shifts_move_raw_and_stem_together() -> None:
    pair = next(iter(synthesized_pairs([7], duration_s=2.0, soundfonts=())))[1][0]
    up = pitch_shifted(pair, 4.0)
    assert up.song == pair.song
    assert len(up.raw) == len(up.stem) == pytest.approx(len(pair.raw) * 2 ** (-4 / 12), abs=2)


def wav(path: Path, samples: FloatArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, RATE, subtype="FLOAT")


def test_plain_folders_of_pairs_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    sound = plucked(2.0)
    for name, raw, stem in (
        ("bass good", sound, sound * 0.5),
        ("vocals turned", sound, -sound),
        ("keys longer", sound, np.concatenate([sound, sound])),
        ("guitar silent", sound, sound * 0),
        ("tuba", sound, sound),
    ):
        wav(tmp_path / "raw" / f"{name}.wav", raw)
        wav(tmp_path / "stem" / f"{name}.wav", stem)
    wav(tmp_path / "raw" / "bass alone.wav", sound)
    notes: list[str] = []
    pairs = list(folder_pairs(tmp_path, notes))
    assert [(p.group, p.song) for p in pairs] == [("bass", "bass good"), ("vocals", "vocals turned")]
    np.testing.assert_allclose(pairs[1].raw, pairs[1].stem, atol=1e-5)
    told = "\n".join(notes)
    for word in ("opposite polarity", "stem 4.00 s", "silent", "begin its name with", "there is no"):
        assert word in told


def test_medleydb_sums_the_raws_of_a_stem(tmp_path: Path) -> None:
    folder = tmp_path / "Audio" / "Band_Song"
    lines = [
        "title: Song", "stem_dir: Band_Song_STEMS", "raw_dir: Band_Song_RAW", "stems:",
        "  S01:", "    filename: S1.wav", "    instrument: electric bass", "    raw:",
        "      R01:", "        filename: R1.wav", "        instrument: electric bass",
        "      R02:", "        filename: R2.wav", "        instrument: electric bass",
        "  S02:", "    filename: S2.wav", "    instrument: drum set", "    raw:",
        "      R01:", "        filename: R1.wav", "        instrument: drum set",
    ]  # fmt: skip
    write(folder / "Band_Song_METADATA.yaml", "\n".join(lines) + "\n")
    a, b = plucked(2.0), plucked(2.0, seed=4)
    wav(folder / "Band_Song_RAW" / "R1.wav", a)
    wav(folder / "Band_Song_RAW" / "R2.wav", b)
    for name in ("S1", "S2"):
        wav(folder / "Band_Song_STEMS" / f"{name}.wav", a + b)
    (pair,) = folder_pairs(tmp_path, [])
    assert (pair.group, pair.song) == ("bass", "Song")
    leveled = at_loudness(a + b)
    assert leveled is not None
    np.testing.assert_allclose(pair.raw, leveled, atol=1e-4)
    np.testing.assert_allclose(pair.stem, pair.raw, atol=1e-5)


# ---------------------------------------------------------------- features


def test_selection_finds_what_was_done_and_figures_count_it() -> None:
    """Two of 129 measures were moved: one by a constant, one by half of itself."""
    rng = np.random.default_rng(0)
    raw = np.exp(rng.standard_normal((60, 129)))
    stem = raw.copy()
    stem[:, 16] += 3.0 + 0.1 * rng.standard_normal(60)
    stem[:, 9] = 0.5 * raw[:, 9] + 2.0
    selection = select_features(raw, stem, 0, trees=40)
    assert selection.names[0] in {NAMES[16], NAMES[9]}
    assert selection.accuracy > 0.9
    predicted = raw + 0.75 * (stem - raw)
    figures = judge(predicted, raw, stem, (NAMES[16], NAMES[9]), "bass", raw.std(0))
    assert figures.cut == pytest.approx(0.75)
    assert figures.cut_all == pytest.approx(0.75)
    assert figures.skill[NAMES[16]] == pytest.approx(0.75, abs=1e-3)
    assert figures.skill[NAMES[0]] == 1.0, "nothing was to do and nothing was done"


def test_the_draft_that_plays_is_the_one_that_learns() -> None:
    rng = np.random.default_rng(0)
    bands = (np.exp(rng.standard_normal((300, 64))) * 1e-3).astype(np.float32)
    bands[100:130] *= 1e-4
    hinted = rng.standard_normal(HINTS)
    told = seen(bands, hinted)
    network = build_draft(np.stack([told.scalars, told.scalars + 1]), 0.1).eval()
    torch.manual_seed(0)
    for name, weights in network.named_parameters():
        if not name.startswith("scalars"):
            torch.nn.init.normal_(weights, std=0.1)
    with torch.no_grad():
        said = network(*(torch.from_numpy(x)[None] for x in (told.maps, told.scalars, bands)))[0].numpy()
    state = network.state_dict()
    assert {n: tuple(a.shape) for n, a in state.items()} == dict(ARRAY_SHAPES)
    draft = Draft({n: a.numpy() for n, a in state.items()})
    np.testing.assert_allclose(draft.gains_db(bands, hinted), said, atol=1e-3)
    assert said.std(0).max() > 0.1, "it moves"
    assert said.std(1).max() > 0.1, "it is no mere fader"


def finished_notes(songs: int = 10) -> list[StemPair]:
    """Plucked strings, each with a bell where it stands out, then compressed."""
    pairs = []
    for song in range(songs):
        raw = at_loudness(plucked(3.0, seed=song))
        assert raw is not None
        chain = (
            Equalizer((EqSection("high_shelf", 1500.0, 8.0, 0.7),)),
            Compressor(-34.0, 5.0, attack_ms=5.0),
        )
        made = raw[None]
        for effect in chain:
            made = apply_effect(effect, made, RATE)
        stem = at_loudness(made[0])
        assert stem is not None
        pairs.append(StemPair("bass", str(song), raw, stem))
    return pairs


def test_a_draft_begins_as_the_raw_stem_and_learns_the_finished_one() -> None:
    pairs = finished_notes()
    clips = [
        BandClip(p.song, band_amplitudes(p.raw), band_amplitudes(p.stem), hints(p.raw, RATE)) for p in pairs
    ]
    held = [
        Held(i, pairs[i].raw, measures(pairs[i].stem, RATE), measures(pairs[i].raw, RATE)) for i in (0, 8)
    ]
    stem = np.stack([measures(p.stem, RATE) for p in pairs])
    fresh = build_draft(np.stack([seen(c.raw, c.hinted).scalars for c in clips]), 0.0).state_dict()
    draft = Draft({n: a.numpy() for n, a in fresh.items()})
    np.testing.assert_allclose(draft.drafted(pairs[0].raw, RATE, clips[0].hinted), pairs[0].raw, atol=1e-5)
    options = DraftOptions(steps=60, batch=4, dropout=0.0, checks=6)
    predictor, learned = fit_predictor(clips, held, stem, options, 0)
    gains = learned.draft.gains_db(clips[0].raw, clips[0].hinted)
    assert gains[:, 40:].mean() > gains[:, 5:20].mean() + 4.0, "the shelf"
    skill = dict(zip(NAMES, predictor.skill, strict=True))
    assert skill["energy_high.mean"] > 0.5
    excerpt = excerpt_of(pairs[8].raw[None], RATE)
    assert excerpt is not None
    said = predictor.predict(excerpt).values
    assert (said >= stem.min(0) - 1e-9).all()
    assert (said <= stem.max(0) + 1e-9).all()

    def stop(done: float, _: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    early, again = (learn_draft(clips, [0, 8], options, 0, progress=stop) for _ in range(2))
    for name in ARRAY_SHAPES:
        np.testing.assert_array_equal(early.draft.arrays[name], again.draft.arrays[name])
    assert early.interrupted
    assert 0 < early.steps < 60
    with pytest.raises(BadInputError, match="give more"):
        fit_predictor(clips, [], stem, options, 0)
