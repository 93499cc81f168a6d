"""What synthesized songs are made from: compositions, MIDI files, soundfonts, drum kits, voices, the synthesizer."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from makers_synthesis import needs_font, smallest_font, write_midi
from tonmeister.errors import BadInputError
from tonmeister.training.synthesis import instruments, soundfonts
from tonmeister.training.synthesis.composing import compose, styles
from tonmeister.training.synthesis.drum_patches import PIECES, play_drum
from tonmeister.training.synthesis.drumkits import DrumKit
from tonmeister.training.synthesis.midi import find_midi, read_midi
from tonmeister.training.synthesis.patches import patch_names, play_patch
from tonmeister.training.synthesis.performing import Band
from tonmeister.training.synthesis.randomness import Seeds, song_seed
from tonmeister.training.synthesis.scores import Part, arrange, note_array
from tonmeister.training.synthesis.singer import sing
from tonmeister.training.synthesis.songs import SynthesisOptions
from tonmeister.training.synthesis.soundfonts import load_soundfont
from tonmeister.training.synthesis.voices import find_voices, sung_spans
from tonmeister.vocabulary import INSTRUMENTS, ROLES, is_a

RATE = 22_050
SYNTHESIZER = SynthesisOptions(duration_s=2.0, sample_rate=RATE, soundfonts=(), drumkits=())


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    soundfile.write(str(path), samples.T, rate, subtype="PCM_16")


def dominant_hz(sound: np.ndarray, rate: int) -> float:
    """Period of the strongest autocorrelation between 50 and 1000 Hz, as a frequency."""
    mono = sound.mean(0).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(mono, 2 * len(mono))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(mono)]
    first, last = rate // 1000, rate // 50
    return rate / (first + int(np.argmax(likeness[first:last])))


# ------------------------------------------------------------------ randomness


def test_a_name_has_its_own_stream_whatever_else_is_drawn() -> None:
    seeds = Seeds.of(3).child("kick")
    alone = seeds.generator("timing").random(4)
    seeds.generator("level").random(100)
    assert np.array_equal(seeds.generator("timing").random(4), alone)
    assert not np.array_equal(seeds.generator("level").random(4), alone)
    assert len({song_seed(7, i) for i in range(1000)}) == 1000


# ------------------------------------------------------------------ tables


def test_every_word_of_the_tables_is_in_the_vocabulary() -> None:
    words = {instruments.instrument_of_program(p) for p in range(128)}
    words |= (
        set(instruments.melodic_sounds()) | set(instruments.kit_keys()) | set(instruments.percussion_keys())
    )
    assert words <= set(INSTRUMENTS)
    assert {instruments.piece_of_key(k) for k in range(128)} <= set(INSTRUMENTS)


def test_every_sound_of_the_tables_can_be_played_without_a_soundfont() -> None:
    assert {s.patch for s in instruments.melodic_sounds().values()} <= set(patch_names())
    assert set(instruments.kit_keys()) | set(instruments.percussion_keys()) <= set(PIECES)


# ------------------------------------------------------------------ composing


@pytest.mark.parametrize("style", styles())
def test_a_style_is_composed_within_the_compass_of_its_instruments(style: str) -> None:
    for seed in range(4):
        score = compose(Seeds.of(seed), length_s=10.0, among=(style,))
        assert score.style == style
        assert score.end_s > 10.0 * 1.15
        for part in score.parts:
            assert part.role in ROLES
            assert part.instrument in INSTRUMENTS
            sound = instruments.melodic_sounds().get(part.instrument)
            if sound:
                assert part.notes["pitch"].min() >= sound.lowest - 12
                assert part.notes["pitch"].max() <= sound.highest + 12


def test_an_unknown_style_names_the_nearest() -> None:
    with pytest.raises(BadInputError, match="did you mean 'funk'"):
        compose(Seeds.of(0), length_s=1.0, among=("fonk",))


def test_an_arrangement_is_an_excerpt_that_keeps_within_its_length() -> None:
    score = compose(Seeds.of(1), length_s=60.0, among=("rock",))
    arranged = arrange(score, SYNTHESIZER, Seeds.of(1))
    assert len(arranged.parts) >= SYNTHESIZER.fewest_parts
    for part in arranged.parts:
        assert part.notes["start_s"].min() >= 0
        assert part.end_s <= SYNTHESIZER.duration_s + 1e-9
        assert np.all(np.diff(part.notes["start_s"]) >= 0)
        assert part.notes["velocity"].min() >= 1
        assert part.notes["velocity"].max() <= 127


# ------------------------------------------------------------------ MIDI


def test_a_midi_file_is_read_along_its_tempi(tmp_path: Path) -> None:
    score = read_midi(write_midi(tmp_path / "song.mid"))
    parts = {p.instrument: p for p in score.parts}
    assert set(parts) == {"drums", "tambourine", "piano"}
    assert parts["drums"].notes["start_s"].tolist() == pytest.approx([0.25, 0.75, 1.5, 2.5])
    assert parts["piano"].notes["start_s"][0] == pytest.approx(0.05)
    assert parts["piano"].role == "lead"
    assert score.tempo_bpm == pytest.approx(120.0)


@pytest.mark.parametrize(
    "content", [b"", b"MThd", b"no midi at all", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\xff\xff\xff\xff"]
)
def test_a_damaged_midi_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.mid"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"damaged\.mid: ") as refused:
        read_midi(path)
    assert "\n" not in str(refused.value)


def test_midi_without_notes_or_files_is_refused(tmp_path: Path) -> None:
    empty = mido.MidiFile()
    empty.tracks.append(mido.MidiTrack())
    empty.save(str(tmp_path / "empty.mid"))
    with pytest.raises(BadInputError, match="holds no notes"):
        read_midi(tmp_path / "empty.mid")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInputError, match="holds no MIDI file"):
        find_midi([tmp_path / "folder"])
    with pytest.raises(BadInputError, match="no such file or folder"):
        find_midi([tmp_path / "nowhere"])
    assert find_midi([tmp_path]) == (tmp_path / "empty.mid",)


# ------------------------------------------------------------------ soundfonts


@needs_font
def test_a_soundfont_gives_the_same_samples_whatever_was_played_before() -> None:
    font = load_soundfont(smallest_font() or Path(), RATE)
    piano = note_array([(0.0, 0.3, 60, 100), (0.3, 0.3, 64, 80)])
    first = font.play(piano, bank=0, program=0, frames=RATE)
    font.play(note_array([(0.0, 0.9, 50, 127)]), bank=0, program=48, frames=RATE)
    assert np.array_equal(font.play(piano, bank=0, program=0, frames=RATE), first)
    assert load_soundfont(smallest_font() or Path(), RATE) is font
    assert np.abs(first).max() > 0.01


@needs_font
def test_a_soundfont_plays_in_tune_and_in_time() -> None:
    font = load_soundfont(smallest_font() or Path(), RATE)
    sound = font.play(note_array([(0.5, 0.4, 69, 100)]), bank=0, program=73, frames=RATE)
    assert not sound[:, : int(0.49 * RATE)].any()
    assert dominant_hz(sound[:, int(0.6 * RATE) :], RATE) == pytest.approx(440.0, rel=0.03)


@needs_font
def test_the_pieces_of_a_kit_add_up_to_the_whole_kit() -> None:
    font = smallest_font()
    options = SynthesisOptions(
        duration_s=2.0, sample_rate=RATE, soundfonts=(font or Path(),), drumkits=(), share_of_synthesizer=0.0
    )
    score = compose(Seeds.of(5), length_s=2.0, among=("rock",))
    drums = next(p for p in arrange(score, options, Seeds.of(5)).parts if p.instrument == "drums")
    pieces = Band(options).play_percussion(drums, "", Seeds.of(6), electronic=False)
    assert len(pieces) >= 3
    program = pieces[0].provenance.program or 0
    loaded = load_soundfont(font or Path(), RATE)
    whole = loaded.play(drums.notes, bank=soundfonts.DRUM_BANK, program=program, frames=options.frames)
    together = np.sum([p.dry for p in pieces], axis=0)
    beginning = np.zeros(options.frames, bool)  # a voice of FluidSynth begins from where it was last used
    for start_s in drums.notes["start_s"]:
        at = round(start_s * RATE / 64) * 64
        beginning[at : at + 64] = True
    apart = np.abs(together - whole)
    assert apart[:, ~beginning].max() < 1e-4 * np.abs(whole).max()
    assert (apart**2).sum() < 1e-2 * (whole**2).sum()


def test_what_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such soundfont"):
        load_soundfont(tmp_path / "nowhere.sf2", RATE)


@needs_font
def test_a_damaged_soundfont_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.sf2"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(BadInputError, match="FluidSynth cannot read it"):
        load_soundfont(path, RATE)


def test_a_machine_without_soundfonts_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(soundfonts, "_FOLDERS", ())
    with pytest.raises(BadInputError, match=r"apt install .*--no-soundfonts"):
        Band(SynthesisOptions(drumkits=()))


# ------------------------------------------------------------------ the built-in synthesizer


@pytest.mark.parametrize("name", patch_names())
def test_a_patch_plays_in_tune(name: str) -> None:
    notes = note_array([(0.1, 0.8, 57, 100)])
    random = Seeds.of(2).generator(name)
    sound = play_patch(name, notes, frames=RATE, sample_rate=RATE, random=random)
    assert sound.shape == (2, RATE)
    assert sound.dtype == np.float32
    assert not sound[:, : int(0.099 * RATE)].any()
    assert 0.01 < np.abs(sound).max() < 1.5
    played = sound[:, int(0.3 * RATE) : int(0.85 * RATE)]
    if name not in ("membrane", "synth_pluck"):  # one is no tone, the other has died away
        assert dominant_hz(played, RATE) == pytest.approx(220.0, rel=0.03)


@pytest.mark.parametrize("piece", sorted(PIECES))
def test_a_drum_sounds_where_it_is_struck(piece: str) -> None:
    keys = {**instruments.kit_keys(), **instruments.percussion_keys()}.get(piece, (60,))
    notes = note_array([(0.2, 0.1, keys[0], 110), (0.7, 0.1, keys[-1], 60)])
    sound = play_drum(piece, notes, frames=RATE, sample_rate=RATE, random=Seeds.of(1).generator(piece))
    assert sound.shape == (1, RATE)
    assert not sound[:, : int(0.2 * RATE) - 1].any()
    loud, soft = (np.abs(sound[:, int(a * RATE) : int((a + 0.1) * RATE)]).max() for a in (0.2, 0.7))
    assert loud > 0.1
    assert 0 < soft < loud


def test_the_singer_sings_the_melody() -> None:
    notes = note_array([(0.1, 0.8, 57, 100), (1.0, 0.9, 59, 100)])
    for seed in range(2):
        sound = sing(notes, frames=2 * RATE, sample_rate=RATE, random=Seeds.of(seed).generator())
        low, high = (dominant_hz(sound[:, int(a * RATE) : int((a + 0.4) * RATE)], RATE) for a in (0.4, 1.4))
        assert high / low == pytest.approx(2 ** (2 / 12), rel=0.02)
        assert np.log2(low / 220.0) % 1 == pytest.approx(0, abs=0.04) or np.log2(low / 220.0) % 1 > 0.96


# ------------------------------------------------------------------ drum kits


def write_kit(folder: Path, instruments_xml: str, *, head: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    click = np.exp(-np.arange(2000) / 200.0, dtype=np.float32)[None] * 0.5
    for name in ("kick.wav", "soft.wav", "hard.wav"):
        write_wav(folder / name, click if name != "hard.wav" else -click, RATE)
    text = f"{head}<drumkit_info xmlns='x'><name>Test Kit</name><license>CC0</license>{instruments_xml}</drumkit_info>"
    (folder / "drumkit.xml").write_text(text, "utf-8")
    return folder


def drum(name: str, *layers: tuple[str, float]) -> str:
    inside = "".join(f"<layer><filename>{f}</filename><max>{m}</max></layer>" for f, m in layers)
    return f"<instrument><name>{name}</name>{inside}</instrument>"


def test_a_kit_plays_the_layer_for_the_velocity(tmp_path: Path) -> None:
    xml = drum("Kick", ("kick.wav", 1.0)) + drum("Snare 1", ("hard.wav", 1.0), ("soft.wav", 0.5))
    kit = DrumKit.read(write_kit(tmp_path / "kit", xml))
    assert (kit.name, kit.license, set(kit.pieces)) == ("Test Kit", "CC0", {"kick", "snare"})
    notes = note_array([(0.1, 0.1, 38, 40), (0.5, 0.1, 38, 120)])
    sound, names = kit.play("snare", notes, frames=RATE, sample_rate=RATE, random=Seeds.of(0).generator())
    assert names == "Snare 1"
    assert sound[0, int(0.1 * RATE) + 5] > 0 > sound[0, int(0.5 * RATE) + 5]


def test_a_kit_reads_only_files_beside_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "outside.wav", np.ones((1, 100), np.float32) * 0.1, RATE)
    folder = write_kit(tmp_path / "kit", drum("Kick", ("../outside.wav", 1.0)))
    with pytest.raises(BadInputError, match="holds no drum that is known"):
        DrumKit.read(folder)


@pytest.mark.parametrize(
    ("head", "xml", "why"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "declares a document type"),
        ("", "<unclosed>", "is not XML"),
        ("", drum("Didgeridoo", ("kick.wav", 1.0)), "holds no drum that is known"),
    ],
)
def test_what_is_no_kit_is_refused(tmp_path: Path, head: str, xml: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        DrumKit.read(write_kit(tmp_path / "kit", xml, head=head))


def test_a_folder_without_a_kit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="give a folder with a drumkit"):
        DrumKit.read(tmp_path)


# ------------------------------------------------------------------ voices


def write_voices(folder: Path) -> Path:
    """Two phrases of half a second each, with a pause of a second; a lead and a backing voice."""
    folder.mkdir()
    time_s = np.arange(3 * RATE) / RATE
    sung = ((time_s > 0.5) & (time_s < 1.0)) | ((time_s > 2.0) & (time_s < 2.5))
    for name, hertz in (("Lead Vox.wav", 200.0), ("Backing Vocals.wav", 300.0)):
        write_wav(
            folder / name, (np.sin(2 * np.pi * hertz * time_s) * sung * 0.5)[None].astype(np.float32), RATE
        )
    return folder


def test_recorded_voices_are_cut_into_phrases_and_known_by_their_names(tmp_path: Path) -> None:
    voices = find_voices([write_voices(tmp_path / "voices")])
    assert {v.path.name: v.instrument for v in voices} == {
        "Lead Vox.wav": "lead_voice",
        "Backing Vocals.wav": "backing_voice",
    }
    phrases = voices[0].phrases(RATE)
    assert [p.shape[1] / RATE for p in phrases] == pytest.approx([0.5, 0.5], abs=0.11)


def test_a_recorded_voice_sings_only_where_the_song_has_a_voice(tmp_path: Path) -> None:
    options = SynthesisOptions(
        duration_s=8.0, sample_rate=RATE, soundfonts=(), drumkits=(), voices=(write_voices(tmp_path / "v"),)
    )
    notes = note_array([(1.0, 1.0, 60, 100), (2.0, 1.5, 62, 100), (6.0, 1.5, 60, 100)])
    assert sung_spans(notes) == [(1.0, 3.5), (6.0, 7.5)]
    sung = Band(options).sing(Part("Lead", "lead_voice", notes, "lead"), "", Seeds.of(0))
    assert sung is not None
    assert sung.instrument == "lead_voice"
    assert sung.provenance.source == "Lead Vox.wav"
    level = np.abs(sung.dry).max(0)
    assert not level[:RATE].any()
    assert level[RATE : 2 * RATE].max() > 0.1
    assert not level[int(4.2 * RATE) : 6 * RATE].any()
    backing = Band(options).sing(Part("Choir", "backing_voice", notes), "", Seeds.of(0))
    assert backing is not None
    assert is_a(backing.instrument, "backing_voice")


def test_voices_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="holds no audio file"):
        find_voices([tmp_path / "empty"])
    write_wav(tmp_path / "silent.wav", np.zeros((1, RATE), np.float32), RATE)
    with pytest.raises(BadInputError, match="is silent"):
        find_voices([tmp_path / "silent.wav"])[0].phrases(RATE)
