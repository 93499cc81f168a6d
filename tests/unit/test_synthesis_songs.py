"""Synthesized songs: deterministic, truly labelled, recorded with faults, mixed by an engineer whose plan is true."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

from makers_synthesis import needs_font, smallest_font, write_midi
from tonmeister.decisions import Automate
from tonmeister.effects.filters import HighPass
from tonmeister.effects.reverb import Reverb
from tonmeister.errors import BadInputError
from tonmeister.plan_file import plan_from_dict, plan_to_dict
from tonmeister.render import render
from tonmeister.training.synthesis.acoustics import apply_effect, apply_sections, recorded_through
from tonmeister.training.synthesis.dataset import song_dataset
from tonmeister.training.synthesis.drums import SPEED_OF_SOUND, record_kit
from tonmeister.training.synthesis.engineer import Desk, DeskTrack
from tonmeister.training.synthesis.performing import Performed
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.recording import record
from tonmeister.training.synthesis.scores import no_notes
from tonmeister.training.synthesis.songs import (
    Provenance,
    SynthesisOptions,
    SynthesizedSong,
    songs,
    synthesize,
)
from tonmeister.vocabulary import INSTRUMENTS, ROLES

RATE = 22_050
OPTIONS = SynthesisOptions(duration_s=3.0, sample_rate=RATE, soundfonts=(), drumkits=())


def same(one: SynthesizedSong, other: SynthesizedSong) -> bool:
    return one.title == other.title and all(
        np.array_equal(a.raw, b.raw) and np.array_equal(a.dry, b.dry) and a.recording == b.recording
        for a, b in itertools.zip_longest(one.tracks, other.tracks)
    )


# ------------------------------------------------------------------ songs


def test_a_song_is_a_function_of_its_seed() -> None:
    first = synthesize(4, OPTIONS)
    synthesize(5, OPTIONS)
    again = synthesize(4, OPTIONS)
    assert same(first, again)
    assert np.array_equal(first.mix, again.mix)
    assert plan_to_dict(first.plan) == plan_to_dict(again.plan)
    assert not same(first, synthesize(5, OPTIONS))


@needs_font
def test_a_song_from_soundfonts_is_a_function_of_its_seed() -> None:
    options = SynthesisOptions(
        duration_s=2.0, sample_rate=RATE, soundfonts=(smallest_font() or Path(),), drumkits=()
    )
    first = synthesize(1, options)
    synthesize(2, options)
    assert same(first, synthesize(1, options))
    assert any(t.provenance.kind == "soundfont" for t in first.tracks)


def test_the_stream_can_be_shared_out() -> None:
    whole = list(itertools.islice(songs(9, OPTIONS), 4))
    even, odd = (list(itertools.islice(songs(9, OPTIONS, start=i, step=2), 2)) for i in (0, 1))
    assert all(map(same, whole, (even[0], odd[0], even[1], odd[1])))


@pytest.mark.parametrize("seed", range(6))
def test_a_song_is_complete_and_truly_labelled(seed: int) -> None:
    song = synthesize(seed, OPTIONS)
    assert len({t.name for t in song.tracks}) == len(song.tracks) >= 1
    for track in song.tracks:
        assert track.instrument in INSTRUMENTS
        assert track.role in ROLES
        assert track.raw.dtype == track.dry.dtype == np.float32
        assert track.raw.shape[0] == track.dry.shape[0] in (1, 2)
        assert track.raw.shape[1] == track.dry.shape[1] == song.frames == 3 * RATE
        assert np.abs(track.raw).max() > 0.01
        assert np.isfinite(track.raw).all()
        assert track.provenance.kind in ("synthesizer", "singer")
        record = next(t for t in song.plan.tracks if t.name == track.name)
        assert (record.instrument, record.role) == (track.instrument, track.role)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"duration_s=0\.1 is out of range"):
        SynthesisOptions(duration_s=0.1)
    with pytest.raises(BadInputError, match="sample_rate=100"):
        SynthesisOptions(sample_rate=100)
    with pytest.raises(BadInputError, match="fewest_parts=9 is more than most_parts=2"):
        SynthesisOptions(fewest_parts=9, most_parts=2)


def test_songs_come_from_midi_and_damaged_files_are_told(tmp_path: Path) -> None:
    write_midi(tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd nothing")
    options = SynthesisOptions(
        duration_s=3.0, sample_rate=RATE, soundfonts=(), drumkits=(), midi=(tmp_path,), share_of_midi=1.0
    )
    made = [synthesize(seed, options) for seed in range(6)]
    assert {s.title for s in made} == {"good"}
    assert any("bad.mid: " in note for s in made for note in s.notes)
    assert {t.provenance.score for s in made for t in s.tracks} == {"good.mid"}
    alone = SynthesisOptions(soundfonts=(), drumkits=(), midi=(tmp_path / "bad.mid",), share_of_midi=1.0)
    with pytest.raises(BadInputError, match=r"bad\.mid"):
        synthesize(0, alone)


# ------------------------------------------------------------------ recording


def test_without_faults_a_track_is_its_dry_sound_at_some_level() -> None:
    dry = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.1
    recorded = record(dry, "piano", Seeds.of(1), sample_rate=RATE, faults=0.0)
    assert set(recorded.detail) == {"level"}
    ratio = recorded.raw / dry
    assert np.ptp(ratio) < 1e-4 * ratio.mean()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_room_by_convolution_is_the_effect_itself(channels: int) -> None:
    sound = np.random.default_rng(0).standard_normal((channels, 2 * RATE)).astype(np.float32) * 0.1
    room = Reverb(decay_s=0.25, damping_hz=4500.0, size=0.2, mix=0.4, predelay_ms=7.0)
    sections = HighPass(60.0).sections(RATE)
    heard = recorded_through(sound, room, sections, RATE)
    wanted = apply_sections(sections, apply_effect(room, sound, RATE))
    assert heard.shape == sound.shape
    assert ((heard - wanted) ** 2).sum() < 1e-7 * (wanted**2).sum()


def test_every_step_of_a_recording_draws_for_itself() -> None:
    dry = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.1
    clean, faulty = (
        record(dry, "piano", Seeds.of(1), sample_rate=RATE, faults=faults).detail for faults in (0.0, 1.0)
    )
    assert clean["level"]["peak_db"] == faulty["level"]["peak_db"]
    assert len(faulty) > 1


def test_all_faults_happen_and_are_told() -> None:
    dry = np.random.default_rng(0).standard_normal((1, RATE // 8)).astype(np.float32) * 0.1
    told: set[str] = set()
    for seed in range(160):
        recorded = record(dry, "violin", Seeds.of(seed), sample_rate=RATE, faults=1.0)
        told |= set(recorded.detail)
        if "polarity" in recorded.detail and "room" not in recorded.detail:
            assert float((recorded.raw * dry).sum()) < 0
        if "clipping" in recorded.detail and {"polarity", "offset"}.isdisjoint(recorded.detail):
            top = np.abs(recorded.raw).max()
            assert np.count_nonzero(np.abs(recorded.raw) > 0.999 * top) >= 3
    assert told == {
        "room", "microphone", "processing", "level", "noise", "hum", "clipping", "polarity", "offset",
    }  # fmt: skip


def hit(name: str, at_s: float) -> Performed:
    dry = np.zeros((1, RATE), np.float32)
    start = int(at_s * RATE)
    dry[0, start : start + 500] = np.random.default_rng(len(name)).standard_normal(500) * 0.2
    return Performed(name.title(), name, "foreground", dry, Provenance("synthesizer", name), no_notes())


def test_microphones_of_a_kit_hear_the_other_pieces_later_and_weaker() -> None:
    pieces = [hit("kick", 0.1), hit("snare", 0.5), hit("hihat", 0.8)]
    microphones = {m.own.name: m for m in record_kit(pieces, Seeds.of(1), sample_rate=RATE)}
    kick = next(m for name, m in microphones.items() if name.startswith("Kick"))
    heard = np.abs(kick.heard[0])
    own, snare = heard[int(0.1 * RATE) :][:500].max(), heard[int(0.5 * RATE) :][:900].max()
    assert 0.001 * own < snare < 0.5 * own
    assert set(kick.detail["bleed_db"]) == {"Snare", "Hihat"}
    assert all(-60 < level < 0 for level in kick.detail["bleed_db"].values())
    arrives = int(np.flatnonzero(heard[int(0.45 * RATE) :])[0]) + int(0.45 * RATE) - int(0.5 * RATE)
    assert 0.3 < arrives / RATE * SPEED_OF_SOUND < 1.0
    overheads = microphones["Overheads"].heard
    assert overheads.shape == (2, RATE)
    assert all(np.abs(overheads[:, int(at * RATE) :][:, :900]).max() > 0.01 for at in (0.1, 0.5, 0.8))
    assert {m.group for m in microphones.values()} == {"drums"}


# ------------------------------------------------------------------ the engineer


def test_the_processed_tracks_are_the_mix_and_the_plan_renders_it() -> None:
    song = synthesize(0, OPTIONS)
    total = np.zeros(song.mix.shape)
    for track in song.tracks:
        assert track.processed.shape == (2, song.frames)
        total += track.processed
    assert np.array_equal(total.astype(np.float32), song.mix)
    loaded = plan_from_dict(plan_to_dict(song.plan))
    assert loaded == song.plan
    rendered = render(song.multitrack, loaded).samples
    assert np.abs(rendered - song.mix).max() < 1e-6 * np.abs(song.mix).max()


def test_a_balance_follows_the_targets() -> None:
    """The same sound as lead voice and as hi-hat: the voice is much louder in the mix, whatever the raw levels."""
    sound = np.random.default_rng(0).standard_normal((1, 3 * RATE)).astype(np.float32) * 0.05
    quiet, loud = sound * np.float32(0.1), sound
    for seed in range(3):
        tracks = (
            DeskTrack("Voice", "lead_voice", "lead", quiet),
            DeskTrack("Hat", "hihat", "foreground", loud),
            DeskTrack("Over", "overheads", "foreground", loud),
        )
        desk = Desk("song", RATE, 120.0, tracks, Seeds.of(seed))
        voice, hat = (float((desk.outputs[name] ** 2).mean()) for name in ("Voice", "Hat"))
        assert 10 * np.log10(voice / hat) > 8


def test_the_engineer_takes_back_part_of_a_microphones_response() -> None:
    sound = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.05
    fault = {"shape": "peak", "frequency_hz": 700.0, "gain_db": 8.0, "q": 1.0}
    tracks = (DeskTrack("Keys", "piano", "foreground", sound, {"microphone": {"sections": [fault]}}),)
    plan = Desk("song", RATE, 120.0, tracks, Seeds.of(0)).plan
    section = plan["Keys"].insert("equalizer").sections[0]  # type: ignore[union-attr]
    assert section.frequency_hz == 700.0
    assert -9.6 <= section.gain_db <= -1.0


def test_moving_faders_even_out_levels() -> None:
    time_s = np.arange(12 * RATE) / RATE
    swell = np.where(time_s < 6, 0.02, 0.2)
    voice = (np.sin(2 * np.pi * 300 * time_s) * swell)[None].astype(np.float32)
    keys = (np.sin(2 * np.pi * 500 * time_s) * 0.1)[None].astype(np.float32)
    tracks = (
        DeskTrack("Voice", "lead_voice", "lead", voice),
        DeskTrack("Keys", "piano", "foreground", keys),
    )
    desk = Desk("song", RATE, 120.0, tracks, Seeds.of(3), moving=True)
    assert any(isinstance(d, Automate) for d in desk.plan.decisions)
    curve = desk.plan["Voice"].automation["gain_db"]
    early, late = (np.mean(curve.values[part]) for part in (slice(4, 20), slice(28, 44)))
    assert early - late > 2.0
    assert np.ptp(curve.values) <= 12.0
    assert plan_from_dict(plan_to_dict(desk.plan)) == desk.plan


def test_a_silent_track_is_mixed_without_fault() -> None:
    sound = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.05
    tracks = (
        DeskTrack("Keys", "piano", "foreground", sound),
        DeskTrack("Nothing", "flute", "lead", np.zeros((1, RATE), np.float32)),
    )
    for moving in (False, True):
        desk = Desk("song", RATE, 120.0, tracks, Seeds.of(0), moving=moving)
        assert np.isfinite(desk.mix).all()
        assert not desk.outputs["Nothing"].any()


# ------------------------------------------------------------------ torch


def labels(song: SynthesizedSong) -> list[str]:
    return [t.instrument for t in song.tracks]


def test_a_torch_dataset_streams_what_a_transform_makes() -> None:
    pytest.importorskip("torch")
    dataset = song_dataset(9, OPTIONS, transform=labels)
    first = next(songs(9, OPTIONS))
    assert list(itertools.islice(dataset, len(first.tracks))) == labels(first)
    again = pickle.loads(pickle.dumps(dataset))
    assert next(iter(again)) == labels(first)[0]
    assert same(next(iter(song_dataset(9, OPTIONS))), first)


def test_the_melody_of_a_midi_song_is_sung_where_there_are_voices(tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid")
    options = SynthesisOptions(
        duration_s=3.0,
        sample_rate=RATE,
        soundfonts=(),
        drumkits=(),
        midi=(tmp_path,),
        share_of_midi=1.0,
        share_of_singers=1.0,
    )
    made = [synthesize(seed, options) for seed in range(6)]
    assert any(t.instrument == "lead_voice" and t.role == "lead" for s in made for t in s.tracks)
