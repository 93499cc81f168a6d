"""The engine `autoencoder`: which tracks are stems, whether they are like what was learned, and what is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from makers_stems import RATE, constant_layers, plucked, stem_model
from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.decisions import AddBus, AddInsert, Decision, SetGain, SetOutput
from tonmeister.dsp.erb_bands import centers_hz
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.stem_network import StemNetwork
from tonmeister.engines.autoencoder.controller import PARAMETERS, Moves, control
from tonmeister.engines.autoencoder.domain import fit_to, numbers
from tonmeister.engines.autoencoder.engine import AutoencoderEngine
from tonmeister.engines.autoencoder.groups import GROUPS, group_of
from tonmeister.engines.autoencoder.hearing import Excerpt, excerpt_of, loudness_lufs, through
from tonmeister.engines.autoencoder.hints import HINTS, hints
from tonmeister.engines.autoencoder.measures import DESCRIPTORS, NAMES, measures
from tonmeister.engines.autoencoder.options import AutoencoderOptions
from tonmeister.engines.autoencoder.targets import Targets
from tonmeister.engines.autoencoder.words import _DESCRIPTOR, moves_text
from tonmeister.errors import BadInputError
from tonmeister.hearing import TrackEar
from tonmeister.multitrack import Multitrack, Track
from tonmeister.training.stems.features import PUBLISHED
from tonmeister.units import FloatArray
from tonmeister.vocabulary import INSTRUMENTS

# ---------------------------------------------------------------- measures


def test_the_measures_have_every_name_of_the_published_selection() -> None:
    assert 60 <= len(NAMES) <= 150
    assert len(set(NAMES)) == len(NAMES)
    for names, _ in PUBLISHED.values():
        assert set(names) <= set(NAMES)


def test_measures_of_a_sine_are_what_they_must_be() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    values = dict(zip(NAMES, measures(tone, RATE), strict=True))
    assert values["rms.mean"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
    assert values["rms.dmean"] < 0.02
    assert values["energy_mid_low.mean"] - values["energy_low.mean"] > 40
    assert values["centroid.mean"] == pytest.approx(np.log2(440), abs=0.05)
    assert values["pitch_salience.mean"] > 0.8
    louder = dict(zip(NAMES, measures(2 * tone, RATE), strict=True))
    assert louder["leq.mean"] - values["leq.mean"] == pytest.approx(6.02, abs=0.05)
    assert not measures(tone[:1000], RATE).any()


def test_hints_of_a_sine_that_pauses_are_what_they_must_be() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)).astype(np.float32)
    tone[2 * RATE :] = 0.0
    values = hints(tone, RATE)
    assert values.shape == (HINTS,)
    assert values[0] == pytest.approx(3.01, abs=0.1), "the crest factor of a sine"
    assert values[7] == pytest.approx(20 * np.log10(0.5), abs=0.01), "the highest peak"
    bands = values[8:33]
    assert bands[12] == pytest.approx(0.0, abs=1.0), "800 to 1008 Hz"
    assert np.delete(bands, [12, 13]).max() < -50.0, "the next one shares a bin"
    assert values[37:40].max() < 1.5, "one phrase, at one level"
    assert 0.4 < values[40] < 0.6, "half of the time it sounds"
    assert not hints(np.zeros(RATE, np.float32), RATE).any()


def test_loudness_agrees_with_the_meter() -> None:
    from tonmeister.training.stems.pairs import loudness_of

    for seed in range(3):
        sound = plucked(4.0, seed=seed)
        assert loudness_lufs(sound, RATE) == pytest.approx(loudness_of(sound), abs=0.05)
    assert loudness_lufs(np.zeros(RATE, np.float32), RATE) is None


# ---------------------------------------------------------------- groups and domain


def test_every_instrument_has_one_group_or_none() -> None:
    assert group_of("electric_bass") == "bass"
    assert group_of("banjo") == "guitar"
    assert group_of("backing_voice") == "vocals"
    assert group_of("synth_pad") == "keys"
    assert group_of("speech") is group_of("kick") is group_of("violin") is None
    assert {group_of(word) for word in INSTRUMENTS} == {*GROUPS, None}


def test_far_outside_the_training_range_nothing_is_done() -> None:
    values = np.zeros(len(NAMES))
    ranges = {name: [-1.0, 0.0, 1.0] for name in NAMES}
    assert fit_to(values, ranges).amount == 1.0
    values[: len(NAMES) // 6] = 9.0
    partly = fit_to(values, ranges)
    assert 0.5 <= partly.amount < 1.0
    assert len(partly.farthest) == 3
    values[: len(NAMES) // 3] = 9.0
    assert fit_to(values, ranges).amount == 0.0


# ---------------------------------------------------------------- controller


def excerpt(sound: FloatArray) -> Excerpt:
    made = excerpt_of(sound[np.newaxis], RATE)
    assert made is not None
    return made


def aimed_at(sound: FloatArray) -> Targets:
    values = excerpt(sound).values
    spread = np.maximum(0.05 * np.abs(values), 0.05)
    return Targets(values, spread, np.full(len(NAMES), 0.5))


def test_targets_that_are_met_ask_for_nothing() -> None:
    sound = plucked(3.0)
    moves = control(excerpt(sound), aimed_at(sound))
    assert moves.effects == ()
    assert moves.before == moves.after
    assert moves.evaluations == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_the_controller_finds_its_way_and_never_away(seed: int) -> None:
    """Targets are those of the sound through a compressor and a shelf; the search has neither seen."""
    sound = plucked(3.0, seed=seed)
    chain = (
        Equalizer((EqSection("high_shelf", 6000.0, 4.0, 0.7),)), Compressor(-30.0, 4.0, 6.0, 8.0, 100.0),
    )  # fmt: skip
    moves = control(excerpt(sound), aimed_at(through(chain, sound, RATE)))
    assert moves.after < 0.6 * moves.before
    assert 0 < moves.evaluations <= numbers("controller.evaluations")[0]
    assert moves.compressor is not None
    assert moves.moved
    made = through(moves.effects, excerpt(sound).samples, RATE)
    loudness = loudness_lufs(made, RATE)
    assert loudness is not None
    assert loudness + moves.level_db == pytest.approx(-23.0, abs=0.05)


def test_targets_without_skill_ask_for_nothing() -> None:
    sound = plucked(3.0)
    targets = aimed_at(plucked(3.0, hertz=600.0))
    moves = control(excerpt(sound), Targets(targets.values, targets.spread, np.zeros(len(NAMES))))
    assert moves.effects == ()
    assert len(PARAMETERS) <= 6


# ---------------------------------------------------------------- engine


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stems")
    gains = np.where(centers_hz() < 300, -4.0, 2.0).astype(np.float32)
    for group in GROUPS:
        stem_model(folder / f"stem-{group}.onnx", constant_layers(gains), group=group)
    return str(folder)


def song(*tracks: tuple[str, str, FloatArray, str | None]) -> Multitrack:
    made = tuple(
        Track(n, audio=Audio(x[np.newaxis], RATE), instrument=i, role="foreground", confidence=1.0,
              evidence="test", group=g)
        for n, i, x, g in tracks
    )  # fmt: skip
    return Multitrack("Song", made, RATE)


def decided(
    multitrack: Multitrack, options: AutoencoderOptions, earlier: tuple[Decision, ...] | None = None
) -> tuple[list[Decision], list[str]]:
    features = analyze(multitrack)
    engine = AutoencoderEngine(options)
    engine.listen(TrackEar(multitrack, features))
    made = (
        engine.decide(multitrack, features)
        if earlier is None
        else engine.decide_after(multitrack, features, earlier)
    )
    return list(made), engine.notes


def inserts(decisions: list[Decision], strip: str) -> dict[str, object]:
    return {d.slot: d.effect for d in decisions if isinstance(d, AddInsert) and d.strip == strip}


def test_each_stem_gets_its_network_at_its_loudness_and_stays_as_loud(models: str) -> None:
    soft = (0.1 * plucked(4.0)).astype(np.float32)
    multitrack = song(("Bass", "electric_bass", soft, None), ("Kick", "kick", plucked(4.0, 1), None))
    decisions, notes = decided(multitrack, AutoencoderOptions(models=models, balance="loudness"))
    effect = inserts(decisions, "Bass")["stem"]
    assert isinstance(effect, StemNetwork)
    measured = analyze(multitrack)["Bass"].integrated_lufs
    assert measured is not None
    assert effect.input_gain_db == pytest.approx(-23.0 - measured, abs=0.01)
    made = through([effect], soft, RATE)
    before, after = (loudness_lufs(x, RATE) for x in (soft, made))
    assert before is not None
    assert after == pytest.approx(before, abs=0.3)
    assert inserts(decisions, "Kick") == {}
    assert any("kick (Kick)" in note for note in notes)
    reason = next(d.reason for d in decisions if isinstance(d, AddInsert))
    assert "lows" in reason.text
    assert "-" in reason.text


def test_it_sets_levels_only_where_no_engine_did(models: str) -> None:
    multitrack = song(
        ("Bass", "electric_bass", plucked(3.0), None), ("Piano", "piano", plucked(3.0, 2), None)
    )
    alone, _ = decided(multitrack, AutoencoderOptions(models=models, balance="loudness"))
    assert {d.strip for d in alone if isinstance(d, SetGain)} == {"Bass", "Piano"}
    after, _ = decided(multitrack, AutoencoderOptions(models=models), (SetGain("Bass", -3.0, by="other"),))
    assert not [d for d in after if isinstance(d, SetGain)]


def test_tone_and_dynamics_of_an_earlier_engine_give_way(models: str) -> None:
    sound = plucked(4.0)
    multitrack = song(("Bass", "electric_bass", sound, None))
    earlier = (
        SetGain("Bass", -3.0, by="other"),
        AddInsert("Bass", Compressor(-40.0, 4.0, makeup_db=3.0), by="other"),
        AddInsert("Bass", Equalizer((EqSection("peak", 300.0, 6.0),)), by="other"),
    )
    decisions, _ = decided(multitrack, AutoencoderOptions(models=models), earlier)
    found = inserts(decisions, "Bass")
    assert found["compressor"] is None
    assert found["equalizer"] is None
    effect = found["stem"]
    assert isinstance(effect, StemNetwork)
    before = loudness_lufs(through([e.effect for e in earlier[1:] if e.effect], sound, RATE), RATE)  # type: ignore[union-attr]
    after = loudness_lufs(through([effect], sound, RATE), RATE)
    assert after == pytest.approx(before, abs=0.3)


def test_several_recordings_of_one_source_are_one_stem(models: str) -> None:
    near, far = plucked(4.0), (0.4 * plucked(4.0)).astype(np.float32)
    multitrack = song(
        ("Gtr SM57", "electric_guitar", near, "Gtr"), ("Gtr Ribbon", "electric_guitar", far, "Gtr"),
        ("Gtr 2", "electric_guitar", plucked(4.0, 5, 220.0), None),
    )  # fmt: skip
    decisions, _ = decided(multitrack, AutoencoderOptions(models=models, balance="loudness"))
    (bus,) = [d for d in decisions if isinstance(d, AddBus)]
    assert {d.strip for d in decisions if isinstance(d, SetOutput) and d.to == bus.strip} == {
        "Gtr SM57", "Gtr Ribbon",
    }  # fmt: skip
    assert "stem" in inserts(decisions, bus.strip)
    assert "stem" in inserts(decisions, "Gtr 2")
    assert "stem" not in inserts(decisions, "Gtr SM57")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"groups": "bass,vocal"}, "did you mean 'vocals'|vocals"),
        ({"amount": 1.5}, "amount"),
        ({"profile": "faithful"}, "do not come with tonmeister"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, object], word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        AutoencoderEngine(AutoencoderOptions(**options))  # type: ignore[arg-type]


def test_a_model_of_another_profile_is_refused(tmp_path: Path) -> None:
    eye = [(np.eye(1025, dtype=np.float32), np.zeros(1025, np.float32))]
    stem_model(tmp_path / "stem-bass.onnx", eye, "faithful")
    with pytest.raises(BadInputError, match="profile=faithful"):
        AutoencoderEngine(AutoencoderOptions(models=str(tmp_path), groups="bass"))


def test_reasons_name_features_in_words_with_their_unit() -> None:
    assert set(_DESCRIPTOR) == set(DESCRIPTORS)
    rows = (("hpcp_33.max", 0.1, 0.3, 0.3, 0.7), ("energy_high.mean", -60.0, -55.0, -52.0, 0.8))
    moves = Moves(None, None, 0.0, 2.0, 1.0, 9, rows)
    text = moves_text(moves, "tone", "vocals")
    assert text.startswith(
        "Mean of energy above 4 kHz -60, finished stems like it -52, now -55 dB (predicted 80% better"
    )
    assert moves_text(Moves(None, None, 0.0, 2.0, 1.0, 9), "tone", "keys") == "Nearer to finished keys stems."
