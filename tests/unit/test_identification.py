"""What a track is: names and sounds weighed, who leads, which microphones belong together, the verb `identify`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makers import RATE, band, tone, write_folder
from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.identification.drum_type import DrumMeasures, drum_piece, drum_posterior, measured
from tonmeister.identification.evidence import NameClaim, Verdict, weighed
from tonmeister.identification.identify import Heard, Listener, identified, is_doubtful, settled
from tonmeister.identification.log_mel import PATCH_FRAMES, RATE_HZ
from tonmeister.identification.patches import Patch, loud_patches
from tonmeister.identification.sound_evidence import NOTHING_HEARD, SoundEvidence
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack, Track

WORDS = (
    "kick", "snare", "tom", "hihat", "cymbals", "overheads", "percussion", "bass", "electric_guitar",
    "acoustic_guitar", "piano", "organ", "synth", "strings", "brass", "flute", "voice",
)  # fmt: skip


def sound(unknown: float = 0.0, roles: Mapping[str, float] | None = None, **shares: float) -> SoundEvidence:
    """Evidence that gives some words their share and the rest what is left, evenly."""
    left = 1.0 - unknown - sum(shares.values())
    others = [word for word in WORDS if word not in shares]
    return SoundEvidence(
        {word: shares.get(word, left / len(others)) for word in WORDS}, unknown, dict(roles or {}), 10.0
    )


def said(instrument: str, confidence: float = 0.95, *, clear: bool = True) -> NameClaim:
    return NameClaim(instrument, confidence, f"the name says {instrument!r}", clear=clear)


NOTHING = NameClaim()


# ------------------------------------------------------------------ weighing


def test_without_sound_the_name_answers() -> None:
    assert weighed(said("kick")) == Verdict("kick", 0.95, "the name says 'kick'")
    assert weighed(NOTHING).instrument == "other"
    silent = weighed(said("kick"), NOTHING_HEARD)
    assert (silent.instrument, silent.probability) == ("kick", 0.95)
    assert "nothing to hear" in silent.evidence


def test_without_a_name_the_sound_answers() -> None:
    made = weighed(NOTHING, sound(bass=0.9))
    assert (made.instrument, made.by_sound, made.conflict) == ("bass", True, False)
    assert made.probability == pytest.approx(0.9, abs=0.01)
    assert "it sounds like bass (90%)" in made.evidence


def test_the_answer_is_the_deepest_word_that_is_probable() -> None:
    drums = weighed(NOTHING, sound(kick=0.35, snare=0.3, tom=0.25))
    assert drums.instrument == "drums"
    assert drums.probability == pytest.approx(0.9, abs=0.05)
    guitars = weighed(NOTHING, sound(electric_guitar=0.45, acoustic_guitar=0.45))
    assert guitars.instrument == "guitar"


@pytest.mark.parametrize("heard", [sound(unknown=0.8, kick=0.1), sound()])
def test_unknown_is_an_answer(heard: SoundEvidence) -> None:
    made = weighed(NOTHING, heard)
    assert (made.instrument, made.by_sound) == ("other", False)


def test_agreement_makes_surer_and_doubt_less_sure() -> None:
    agreeing, doubting = (
        weighed(said("kick"), sound(kick=0.7)),
        weighed(said("kick"), sound(kick=0.02, tom=0.5)),
    )
    assert agreeing.instrument == doubting.instrument == "kick"
    assert agreeing.probability > 0.97
    assert doubting.probability < 0.95
    assert not doubting.conflict, "pieces of one kit are no disagreement"


def test_a_clear_name_that_the_sound_contradicts_is_reported_and_kept() -> None:
    made = weighed(said("kick"), sound(bass=0.95, kick=0.002))
    assert (made.instrument, made.conflict, made.by_sound) == ("kick", True, False)
    assert made.probability < 0.6
    assert made.evidence == "the name says 'kick', but it sounds like bass (95%)"


def test_a_weak_word_gives_way_and_helps_where_it_can() -> None:
    against = weighed(said("bass", 0.4, clear=False), sound(piano=0.95))
    assert (against.instrument, against.by_sound, against.conflict) == ("piano", True, True)
    alone = weighed(NOTHING, sound(strings=0.45, voice=0.45)).instrument
    helped = weighed(said("strings", 0.6, clear=False), sound(strings=0.45, voice=0.45)).instrument
    assert (alone, helped) == ("other", "strings")


def test_the_more_special_word_is_kept_whoever_says_it() -> None:
    assert weighed(said("guitar"), sound(acoustic_guitar=0.9)).instrument == "acoustic_guitar"
    assert weighed(said("trumpet"), sound(brass=0.9)).instrument == "trumpet"
    assert weighed(said("trumpet", 0.4, clear=False), sound(brass=0.9)).instrument == "trumpet"
    assert weighed(said("guitar"), sound(acoustic_guitar=0.5, electric_guitar=0.4)).instrument == "guitar"


def test_what_the_model_was_not_taught_it_does_not_judge() -> None:
    made = weighed(said("sound_effect"), sound(kick=0.95))
    assert (made.instrument, made.probability, made.conflict) == ("sound_effect", 0.95, False)


def test_probabilities_are_probabilities() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        shares = random.dirichlet(np.full(len(WORDS), 0.3)) * random.uniform(0.2, 1.0)
        heard = SoundEvidence(
            dict(zip(WORDS, shares.tolist(), strict=True)), 1.0 - float(shares.sum()), {}, 5.0
        )
        name = said(str(random.choice(WORDS)), float(random.uniform(0, 1)), clear=bool(random.integers(2)))
        made = weighed(name, heard)
        assert 0.0 <= made.probability <= 1.0
        assert sum(made.shares.values()) == pytest.approx(1.0)


# ------------------------------------------------------------------ the drum-type stage


def hit(
    frequency_hz: float, decay_s: float, noise: float, *, low_hz: float = 0.0, every_s: float = 0.5
) -> Patch:
    """Hits of a tone and of noise above a frequency."""
    random = np.random.default_rng(1)
    time = np.arange(PATCH_FRAMES) / RATE_HZ
    envelope = np.exp(-(time % every_s) / decay_s)
    spectrum = np.fft.rfft(random.standard_normal(PATCH_FRAMES))
    spectrum[np.fft.rfftfreq(PATCH_FRAMES, 1 / RATE_HZ) < low_hz] = 0.0
    made = (1 - noise) * np.sin(2 * np.pi * frequency_hz * time) + noise * np.fft.irfft(
        spectrum, PATCH_FRAMES
    )
    return Patch((made * envelope)[None].astype(np.float32), 0.0, -10.0)


@pytest.mark.parametrize(
    ("patch", "piece"),
    [
        (hit(60, 0.06, 0.01), "kick"),
        (hit(190, 0.05, 0.5, low_hz=300), "snare"),
        (hit(8000, 0.03, 1.0, low_hz=6000, every_s=0.25), "hihat"),
        (hit(130, 0.2, 0.01, every_s=1.9), "tom"),
    ],
)
def test_pieces_of_the_kit_are_told_by_their_hits(patch: Patch, piece: str) -> None:
    measures = measured([patch], 1)
    assert measures is not None
    posterior = drum_posterior(measures)
    assert sum(posterior.values()) == pytest.approx(1.0)
    assert max(posterior, key=posterior.__getitem__) == piece, (measures, posterior)


def test_two_channels_of_dense_hits_are_overheads_or_room() -> None:
    near = drum_posterior(DrumMeasures(0.08, 4000.0, 0.3, 5.0, 0.4, 200.0, 2))
    far = drum_posterior(DrumMeasures(0.15, 2500.0, 0.7, 4.0, 0.3, 120.0, 2))
    assert max(near, key=near.__getitem__) == "overheads"
    assert far["room"] > near["room"]


def test_below_sixty_percent_it_is_any_drum() -> None:
    assert drum_piece({"kick": 0.59, "tom": 0.41}) == "drums"
    assert drum_piece({"kick": 0.61, "tom": 0.39}) == "kick"
    assert measured([], 1) is None
    assert measured([Patch(np.zeros((1, RATE_HZ), np.float32), 0.0, -200.0)], 1) is None


def test_the_drum_stage_helps_to_tell_pieces_apart_but_not_what_a_drum_is() -> None:
    undecided = sound(kick=0.4, tom=0.4)
    stage = {"kick": 0.97, "snare": 0.01, "tom": 0.01, "hihat": 0.01}
    assert weighed(NOTHING, undecided).instrument == "drums"
    assert weighed(NOTHING, undecided, stage).instrument == "kick"
    assert weighed(NOTHING, sound(bass=0.9), stage).instrument == "bass"


# ------------------------------------------------------------------ a song


def ears(answers: Mapping[str, SoundEvidence], heard: list[str] | None = None) -> Listener:
    """A listener that knows the answers, and remembers whom it was asked about."""

    def listen(track: Track) -> Heard:
        if heard is not None:
            heard.append(track.name)
        return Heard(answers.get(track.name, NOTHING_HEARD))

    return listen


def sounding(name: str, samples: np.ndarray, **known: object) -> Track:
    return Track(name, audio=Audio(np.atleast_2d(samples).astype(np.float32), RATE), **known)  # type: ignore[arg-type]


def test_a_mix_listens_only_where_names_leave_doubt(tmp_path: Path) -> None:
    sounds = band(1.0)
    sounds["Audio 07.wav"], sounds["Sub.wav"] = tone(100, 1.0), tone(50, 1.0)
    song = load_multitrack(write_folder(tmp_path / "song", sounds))
    assert {t.name for t in song.tracks if is_doubtful(t)} == {"Audio 07", "Sub"}
    heard: list[str] = []
    made = identified(song, ears=ears({"Audio 07": sound(piano=0.9)}, heard))
    assert sorted(heard) == ["Audio 07", "Sub"]
    assert (made["Audio 07"].instrument, made["Audio 07"].known_by) == ("piano", "sound")
    assert made["Audio 07"].confidence == pytest.approx(0.9, abs=0.01)
    assert made["Kick"] == song["Kick"]
    heard.clear()
    assert identified(song, listen="no", ears=ears({}, heard)) is song
    identified(song, listen="all", ears=ears({}, heard))
    assert len(heard) == len(song.tracks)


def test_conflicts_are_noted(tmp_path: Path) -> None:
    song = load_multitrack(write_folder(tmp_path / "song", band(1.0)))
    made = identified(song, listen="all", ears=ears({"Kick": sound(bass=0.95, kick=0.002)}))
    assert made["Kick"].instrument == "kick"
    assert any("01_Kick.wav" in note and "sounds like bass" in note for note in made.notes)


def test_a_person_stands_before_name_and_sound(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", band(1.0))
    (folder / "tonmeister.toml").write_text(
        '[tracks."Kick"]\ninstrument = "cajon"\n[tracks."Bass"]\nrole = "lead"\n', "utf-8"
    )
    song = load_multitrack(folder)
    assert song["Kick"].known_by == "person"
    everything = {name: sound(flute=0.99) for name in song.names}
    made = identified(song, listen="all", ears=ears(everything))
    assert made["Kick"] == song["Kick"]
    assert (made["Bass"].instrument, made["Bass"].role) == ("bass", "lead")


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    tracks = tuple(sounding(f"Audio {n}", np.ones(100) * 0.1) for n in range(7))
    song = Multitrack("song", tracks, RATE)
    answers = {t.name: sound(**{WORDS[n]: 0.9}) for n, t in enumerate(tracks)}
    one, four = (identified(song, ears=ears(answers), threads=n) for n in (1, 4))
    assert one == four
    assert [t.instrument for t in one.tracks] == list(WORDS[:7])


def test_no_model_leaves_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tonmeister.model_files import store

    monkeypatch.setattr(store, "MODELS_FOLDER", tmp_path)
    song = Multitrack(
        "song", (sounding("Audio 1", np.ones(100)), sounding("Kick", np.ones(100), known_by="name")), RATE
    )
    made = identified(song)
    assert made.tracks == song.tracks
    assert any("no model" in note for note in made.notes)


# ------------------------------------------------------------------ who leads


def phrases(
    *spans: tuple[float, float], level: float = 0.2, hz: float = 440.0, seconds: float = 8.0
) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    on = np.zeros(len(time))
    for start, end in spans:
        on[(time >= start) & (time < end)] = 1.0
    return level * on * np.sin(2 * np.pi * hz * time)


def roles(*tracks: Track) -> dict[str, str]:
    song = Multitrack("song", tracks, RATE)
    made, _ = settled(song, analyze(song, threads=1))
    return {t.name: t.role for t in made.tracks}


def heard_as(name: str, instrument: str, samples: np.ndarray, **known: object) -> Track:
    return sounding(
        name, samples, **{"instrument": instrument, "known_by": "sound", "confidence": 0.9, **known}
    )


def test_the_voice_that_sings_most_leads_and_others_back_it_or_take_turns() -> None:
    found = roles(
        heard_as("Audio 1", "voice", phrases((2, 4), hz=300)),
        heard_as("Audio 2", "voice", phrases((0, 5.5))),
        heard_as("Audio 3", "voice", phrases((5.6, 8), hz=500)),
        heard_as("Audio 4", "bass", phrases((0, 8), hz=80)),
    )
    assert found == {
        "Audio 1": "background",
        "Audio 2": "lead",
        "Audio 3": "foreground",
        "Audio 4": "foreground",
    }


def test_a_voice_that_a_name_calls_lead_leads() -> None:
    lead = heard_as("Lead Vox", "lead_voice", phrases((0, 2)), known_by="name", role="lead")
    found = roles(lead, heard_as("Audio 2", "voice", phrases((0, 8), hz=300)))
    assert found["Lead Vox"] == "lead"
    assert found["Audio 2"] != "lead"


def test_a_guitar_that_plays_less_and_no_softer_is_the_lead_guitar() -> None:
    found = roles(
        heard_as("Audio 1", "electric_guitar", phrases((0, 8), hz=200)),
        heard_as("Audio 2", "electric_guitar", phrases((3, 5), hz=900)),
    )
    assert found == {"Audio 1": "foreground", "Audio 2": "lead"}


def test_names_keep_their_roles() -> None:
    tracks = (
        heard_as("Gtr 1", "electric_guitar", phrases((0, 8)), known_by="name"),
        heard_as("Gtr 2", "electric_guitar", phrases((3, 5)), known_by="name"),
    )
    song = Multitrack("song", tracks, RATE)
    features = analyze(song, threads=1)
    assert settled(song, features) == (song, features)


# ------------------------------------------------------------------ microphones of one source


def test_microphones_of_one_source_are_found_by_correlation() -> None:
    random = np.random.default_rng(2)
    source = random.standard_normal(6 * RATE) * 0.1 * (np.arange(6 * RATE) % RATE < RATE // 2)
    late = np.concatenate((np.zeros(44), source[:-44])) * -0.5 + random.standard_normal(6 * RATE) * 0.003
    other = random.standard_normal(6 * RATE) * 0.1
    tracks = (
        heard_as("Audio 1", "bass", source), heard_as("Audio 2", "bass", late), heard_as("Audio 3", "bass", other),
        heard_as("Audio 4", "piano", source),
    )  # fmt: skip
    song = Multitrack("song", tracks, RATE)
    made, features = settled(song, analyze(song, threads=1))
    assert [t.group for t in made.tracks] == ["source of Audio 1", "source of Audio 1", None, None]
    (pair,) = features.pairs
    assert (pair.reference, pair.other, pair.inverted) == ("Audio 1", "Audio 2", True)
    assert pair.delay_ms == pytest.approx(1000 * 44 / RATE, abs=0.05)


# ------------------------------------------------------------------ the verb


def files(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert run(["identify", *arguments, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    for entry in data["files"]:
        assert {"file", "instrument", "family", "role", "probability", "evidence"} <= set(entry)
        assert 0.0 <= entry["probability"] <= 1.0
    return {entry["file"]: entry for entry in data["files"]}


def test_the_verb_tells_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = {
        "Rough Mix.wav": tone(440, 1.0, channels=2),
        "Click.wav": tone(1000, 1.0),
        "Audio 1.wav": tone(300, 1.0),
    }
    folder = write_folder(tmp_path / "song", band(1.0) | extra)
    found = files([str(folder), "--no-sound"], capsys)
    assert len(found) == 9
    assert (found["01_Kick.wav"]["instrument"], found["01_Kick.wav"]["family"]) == ("kick", "drums")
    assert found["06_Lead Vox.wav"]["role"] == "lead"
    assert {found["04_Gtr L.wav"]["name"], found["05_Gtr R.wav"]["name"]} == {"Gtr"}
    assert (found["Rough Mix.wav"]["kind"], found["Click.wav"]["kind"]) == ("print", "control")
    assert (found["Audio 1.wav"]["instrument"], found["Audio 1.wav"]["probability"]) == ("other", 0.0)


def test_single_files_will_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "song", band(1.0))
    found = files([str(folder / "01_Kick.wav"), str(folder / "03_Bass.wav"), "--no-sound"], capsys)
    assert [entry["instrument"] for entry in found.values()] == ["kick", "bass"]


def test_a_terminal_sees_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "song", band(1.0))
    assert run(["identify", str(folder), "--no-sound"]) == 0
    said_aloud = capsys.readouterr().out
    assert "lead voice (voice)" in said_aloud
    assert "the name says 'Kick'" in said_aloud


def test_what_is_no_audio_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.wav").write_bytes(b"no audio at all")
    assert run(["identify", str(tmp_path / "song.wav")]) == 2
    assert run(["identify", str(tmp_path / "nowhere.wav")]) == 2
    assert run(["identify"]) == 2
    assert "song.wav" in capsys.readouterr().err


def test_damaged_and_odd_files_are_heard_without_harm(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    broken = random.standard_normal(RATE).astype(np.float32)
    broken[::100] = np.nan
    odd = {
        "nan": (broken, RATE),
        "short": (random.standard_normal(RATE // 5) * 0.1, RATE),
        "phone": (random.standard_normal(8000) * 0.1, 8000),
        "silence": (np.zeros(RATE), RATE),
    }
    for name, (samples, rate) in odd.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(str(path), samples.astype(np.float32), rate, subtype="FLOAT")
        track = load_multitrack(write_one(tmp_path / name, path)).tracks[0]
        patches = loud_patches(track)
        assert all(np.isfinite(p.samples).all() for p in patches)
        if (measures := measured(patches, track.channels)) is not None:
            assert all(np.isfinite(value) for value in drum_posterior(measures).values())


def write_one(folder: Path, path: Path) -> Path:
    folder.mkdir()
    return Path(path.rename(folder / path.name)).parent


def test_the_pipeline_uses_it(tmp_path: Path) -> None:
    from tonmeister.pipeline import listen

    song = load_multitrack(write_folder(tmp_path / "song", band(1.0)))
    same, features = listen(song, names_only=True, threads=1)
    assert same == song
    assert set(features.tracks) == set(song.names)
    assert replace(song["Kick"], known_by="") != song["Kick"]
