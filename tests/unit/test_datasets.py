"""What single layouts promise beyond the contract, and trees that are damaged, foreign or hostile."""

from __future__ import annotations

import json
import struct
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import makers_datasets as make
from tonmeister.audio import read_audio
from tonmeister.cli import run
from tonmeister.datasets.base import DATASETS, DatasetSong, open_dataset
from tonmeister.datasets.labels import label_table, midi_program, read_label
from tonmeister.datasets.reading import inside, read_yaml
from tonmeister.datasets.rock_band import channel_map
from tonmeister.errors import AudioFileError, BadInputError
from tonmeister.vocabulary import INSTRUMENTS


def only(path: Path) -> DatasetSong:
    (song,) = open_dataset(path).songs()
    return song


def instruments(song: DatasetSong) -> dict[str, str]:
    return {t.name: t.instrument for t in song.multitrack.tracks}


# ------------------------------------------------------------------ labels


def test_every_word_of_the_tables_is_in_the_vocabulary() -> None:
    data = tomllib.loads(resources.files("tonmeister.datasets").joinpath("labels.toml").read_text("utf-8"))
    for name in data:
        if name != "general-midi":
            assert set(label_table(name).values()) <= set(INSTRUMENTS), name


def test_general_midi_is_covered_without_gap_or_overlap() -> None:
    data = tomllib.loads(resources.files("tonmeister.datasets").joinpath("labels.toml").read_text("utf-8"))
    covered = [n for first, last, _ in data["general-midi"]["programs"] for n in range(first, last + 1)]
    assert covered == list(range(129))
    assert {midi_program(n, "").instrument for n in covered} <= set(INSTRUMENTS)
    assert not midi_program(129, "x").mapped


def test_labels_are_folded_and_unknown_ones_kept() -> None:
    assert read_label("good-sounds", "Sax_Alto").instrument == "saxophone"
    assert read_label("moisesdb", "kick drum").instrument == "kick"
    unknown = read_label("medleydb", "kazoo")
    assert (unknown.word, unknown.instrument, unknown.mapped) == ("kazoo", "other", False)


# ------------------------------------------------------------------ single layouts


def test_medleydb_has_raw_tracks_stems_and_the_mix(tmp_path: Path) -> None:
    song = only(make.medleydb(tmp_path))
    assert instruments(song) == {
        "S01 R01 male singer": "lead_voice",
        "S02 R01 kick drum": "kick",
        "S02 R02 snare drum": "snare",
        "S03 R01 kazoo": "other",
    }
    tracks = song.multitrack
    assert tracks["S01 R01 male singer"].role == "lead"
    assert tracks["S02 R01 kick drum"].group == tracks["S02 R02 snare drum"].group == "S02"
    assert "kazoo" in tracks["S03 R01 kazoo"].evidence
    assert [t.instrument for t in song.stem_tracks] == ["lead_voice", "drums", "other"]
    assert [r.file for r in tracks.references] == ["Band_Song_MIX.wav"]
    assert song.metadata["artist"] == "A Band"
    assert song.unmapped == ("kazoo",)


def test_medleydb_without_raw_tracks_falls_back_on_its_stems(tmp_path: Path) -> None:
    song_folder = make.medleydb(tmp_path) / "Audio" / "Band_Song"
    for file in (song_folder / "Band_Song_RAW").iterdir():
        file.unlink()
    song = only(tmp_path)
    assert len(song.tracks) == 3
    assert "no raw tracks here: the stems stand for them" in song.notes
    assert len(song.missing) == 4


def test_a_list_of_labels_counts_where_they_agree(tmp_path: Path) -> None:
    song_folder = make.medleydb(tmp_path) / "Audio" / "Band_Song"
    agreeing = make.MEDLEYDB_YAML.replace("instrument: kazoo", "instrument: [violin section, cello section]")
    make.write(song_folder / "Band_Song_METADATA.yaml", agreeing)
    assert only(tmp_path).tracks[3].label.instrument == "string_section"
    differing = make.MEDLEYDB_YAML.replace("instrument: kazoo", "instrument: [violin section, piano]")
    make.write(song_folder / "Band_Song_METADATA.yaml", differing)
    assert only(tmp_path).tracks[3].label.instrument == "other"


def test_musdb18_tells_the_streams_apart(tmp_path: Path) -> None:
    train, test = open_dataset(make.musdb18(tmp_path)).songs()
    assert (train.title, train.metadata["artist"], train.split, test.split) == (
        "One",
        "A Band",
        "train",
        "test",
    )
    assert instruments(train) == {"drums": "drums", "bass": "bass", "other": "other", "vocals": "voice"}
    levels = {}
    for track in train.multitrack.tracks:
        with track.open(44100) as reader:
            levels[track.name] = float(np.median(reader.read(4096)[0, 1500:3000]))
    assert levels == pytest.approx({"drums": 0.10, "bass": 0.15, "other": 0.20, "vocals": 0.25}, abs=0.02)


def test_moisesdb_leaves_the_click_out(tmp_path: Path) -> None:
    song = only(make.moisesdb(tmp_path))
    assert [e.why for e in song.missing] == ["a click track, by its label"]
    assert set(instruments(song).values()) == {"lead_voice", "kick", "hihat", "percussion", "other"}
    assert "has bleed" in song.multitrack["drums: hi-hat"].evidence


def test_slakh_uses_programs_and_says_what_was_not_rendered(tmp_path: Path) -> None:
    train, valid, test = open_dataset(make.slakh2100(tmp_path)).songs()
    assert (train.split, valid.split, test.split) == ("train", "valid", "test")
    assert instruments(train) == {
        "S00 Distortion Guitar": "electric_guitar",
        "S01 Drums": "drums",
        "S03 Odd": "other",
    }
    assert [e.why for e in train.missing] == ["was not rendered, says the metadata"]


def test_enst_keeps_the_order_of_the_microphones_and_unknown_channels(tmp_path: Path) -> None:
    song = only(make.enst_drums(tmp_path))
    words = ["kick", "snare", "hihat", "tom", "overheads", "overheads", "other"]
    assert list(instruments(song).values()) == words
    assert song.unmapped == ("cowbell",)
    assert [s.name for s in song.stems] == ["dry_mix", "wet_mix"]


def test_rock_band_files_and_channel_maps(tmp_path: Path) -> None:
    separate, whole = open_dataset(make.rock_band(tmp_path)).songs()
    found = instruments(separate)
    assert (found["bass"], found["rhythm"], found["drums 1"]) == ("electric_bass", "electric_guitar", "kick")
    assert [e.file for e in separate.missing] == ["preview.ogg"]
    song = whole.multitrack
    assert [(t.name, t.instrument, t.channels) for t in song.tracks] == [
        ("kick", "kick", 1),
        ("kit", "drums", 2),
        ("bass", "electric_bass", 1),
        ("guitar", "electric_guitar", 2),
        ("vocals", "lead_voice", 1),
        ("crowd", "ambience", 2),
        ("song", "other", 1),
    ]
    with song["guitar"].open(make.RATE) as reader:
        heard = np.median(reader.read(make.FRAMES), axis=1)
    assert heard == pytest.approx([0.10, 0.12], abs=0.01)
    target = np.ones((2, 1000), np.float32)
    with song["guitar"].open(make.RATE) as reader:
        got = reader.read_into(target)
    assert got == make.FRAMES
    assert not target[:, got:].any()


def test_rhythm_without_a_bass_beside_it_is_the_bass(tmp_path: Path) -> None:
    folder = make.rock_band(tmp_path) / "A Band - Song"
    (folder / "bass.ogg").unlink()
    assert instruments(next(open_dataset(tmp_path).songs()))["rhythm"] == "bass"


def test_a_song_with_one_mixed_file_has_no_tracks(tmp_path: Path) -> None:
    make.write(tmp_path / "x" / "song.ini", "[song]\nname = X\n")
    make.sound(tmp_path / "x" / "song.ogg", channels=2)
    song = only(tmp_path)
    assert (song.tracks, song.mix is not None) == ((), True)
    with pytest.raises(BadInputError, match="no track to mix"):
        _ = song.multitrack


def test_irmas_says_that_its_clips_are_music(tmp_path: Path) -> None:
    songs = list(open_dataset(make.irmas(tmp_path)).songs())
    assert [s.split for s in songs] == ["train"] * 3 + ["test"] * 2
    assert "predominant" in songs[0].multitrack.tracks[0].evidence
    assert songs[3].tracks[0].label.instrument == "other"
    assert songs[3].metadata["instruments"] == "gel, voi"
    assert songs[4].tracks[0].label.instrument == "piano"


def test_good_sounds_groups_the_microphones_of_a_sound(tmp_path: Path) -> None:
    flute, saxophone = open_dataset(make.good_sounds(tmp_path)).songs()
    assert [t.group for t in flute.tracks] == ["flute", "flute"]
    assert not saxophone.tracks
    assert saxophone.missing[0].why == "has no take of sound 2"


def test_mixing_secrets_reads_the_names(tmp_path: Path) -> None:
    song = only(make.mixing_secrets(tmp_path))
    assert (song.title, song.metadata["artist"]) == ("Milk Blues", "Angela Wade")
    assert [t.instrument for t in song.multitrack.tracks] == ["kick", "snare", "bass", "lead_voice", "other"]


def test_synthesized_songs_keep_their_words_and_their_tempo(tmp_path: Path) -> None:
    song = only(make.synthesized(tmp_path))
    assert instruments(song) == {"Kick": "kick", "Lead Vox": "lead_voice", "X": "other"}
    assert song.multitrack["Lead Vox"].role == "lead"
    assert song.multitrack.tempo_bpm == 121.5
    assert [t.channels for t in song.stem_tracks] == [2, 2, 2]
    file = tmp_path / "song-000000" / "song.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    assert "schema_version=9" in only(tmp_path).problem


# ------------------------------------------------------------------ trees that are not right


def test_an_unknown_tree_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    make.write(tmp_path / "readme.txt", "nothing")
    with pytest.raises(
        BadInputError, match=r"looked for .*medleydb: .*_METADATA\.yaml.*nsynth: .*examples\.json"
    ):
        open_dataset(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        open_dataset(tmp_path / "readme.txt")
    with pytest.raises(BadInputError, match=r"layout='slak' is not known \(did you mean 'slakh2100'"):
        open_dataset(tmp_path, "slak")


def test_a_missing_file_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = make.medleydb(tmp_path) / "Audio" / "Band_Song" / "Band_Song_RAW"
    (folder / "Band_Song_RAW_02_02.wav").unlink()
    song = only(tmp_path)
    assert len(song.multitrack.tracks) == 3
    assert [e.file for e in song.multitrack.excluded] == ["Band_Song_RAW_02_02.wav"]


def _truncate(path: Path) -> None:
    path.write_text(path.read_text("utf-8")[: path.stat().st_size // 2] + "\n  : [", "utf-8")


@pytest.mark.parametrize(
    ("maker", "damaged", "message"),
    [
        (make.medleydb, "Audio/Band_Song/Band_Song_METADATA.yaml", "is damaged YAML"),
        (make.slakh2100, "train/Track00001/metadata.yaml", "is damaged YAML"),
        (make.moisesdb, "moisesdb_v0.1/0a1b2c3d-0000-4000-8000-000000000001/data.json", "is damaged JSON"),
    ],
)
def test_damaged_metadata_is_one_songs_problem(
    maker: Callable[[Path], Path], damaged: str, message: str, tmp_path: Path
) -> None:
    root = maker(tmp_path)
    _truncate(root / damaged)
    songs = list(open_dataset(root).songs())
    assert message in songs[0].problem
    with pytest.raises(BadInputError, match=message):
        _ = songs[0].multitrack
    assert all(not song.problem for song in songs[1:])


@pytest.mark.parametrize(
    "data", ["[]", "3", '{"stems": 3}', '{"stems": [4]}', '{"stems": [{"tracks": [5]}]}']
)
def test_metadata_of_another_shape_is_a_problem(data: str, tmp_path: Path) -> None:
    make.write(tmp_path / "a" / "data.json", data)
    assert "data.json" in only(tmp_path).problem


def test_metadata_may_not_lead_out_of_the_song(tmp_path: Path) -> None:
    root = make.medleydb(tmp_path)
    file = root / "Audio" / "Band_Song" / "Band_Song_METADATA.yaml"
    file.write_text(make.MEDLEYDB_YAML.replace("Band_Song_RAW_01_01.wav", "../../../../secret.wav"))
    assert "must lie below" in only(root).problem
    for name in ("/etc/passwd", "..\\up.wav", "", "a/../../b"):
        with pytest.raises(BadInputError, match="must lie below"):
            inside(tmp_path, name)


def test_yaml_does_not_grow(tmp_path: Path) -> None:
    bomb = make.write(tmp_path / "a.yaml", "a: &a [x, x]\nb: [*a, *a]\n")
    with pytest.raises(BadInputError, match="aliases"):
        read_yaml(bomb)
    deep = make.write(tmp_path / "b.yaml", "[" * 50 + "]" * 50)
    with pytest.raises(BadInputError, match="nested deeper"):
        read_yaml(deep)
    foreign = make.write(tmp_path / "c.yaml", "!!python/object/apply:os.getcwd []\n")
    with pytest.raises(BadInputError, match="damaged YAML"):
        read_yaml(foreign)
    long = tmp_path / "d.yaml"
    long.write_bytes(b"#" * (5 << 20))
    with pytest.raises(BadInputError, match="longer than"):
        read_yaml(long)


def test_channel_maps_that_say_nothing_or_too_much(tmp_path: Path) -> None:
    assert channel_map("(song (tracks (drum (0 1)) (bass 2)))", "x") == {"drum": (0, 1), "bass": (2,)}
    with pytest.raises(BadInputError, match="names no channels"):
        channel_map("(song (name 3))", "x.dta")
    with pytest.raises(BadInputError, match="brackets are open"):
        channel_map("(song (tracks", "x.dta")
    with pytest.raises(BadInputError, match="nested deeper"):
        channel_map("(" * 40 + ")" * 40, "x.dta")
    folder = make.rock_band(tmp_path) / "B Band - Song"
    make.write(folder / "songs.dta", "(tracks ((drum (0 1)) (bass (40))))")
    problem = list(open_dataset(tmp_path).songs())[1].problem
    assert "the file has 10" in problem
    (folder / "songs.dta").unlink()
    make.write(folder / "song.ini", "[song]\n")
    assert "put its songs.dta beside it" in list(open_dataset(tmp_path).songs())[1].problem


def test_an_encrypted_or_cut_mogg_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.mogg"
    for head in (struct.pack("<II", 0x0B, 24), b"\x0a\x00", struct.pack("<II", 0x0A, 1 << 30), b""):
        file.write_bytes(head)
        with pytest.raises(AudioFileError):
            read_audio(file)


def test_a_file_that_is_no_audio_is_named(tmp_path: Path) -> None:
    root = make.musdb18_hq(tmp_path)
    make.write(root / "train" / "Band train - Song" / "bass.wav", "no audio")
    with pytest.raises(AudioFileError, match=r"bass\.wav: not readable as audio"):
        _ = next(open_dataset(root).songs()).multitrack


def test_a_damaged_song_ini_is_a_problem(tmp_path: Path) -> None:
    folder = make.rock_band(tmp_path) / "A Band - Song"
    make.write(folder / "song.ini", "name = no section\n")
    assert "song.ini: is damaged" in next(open_dataset(tmp_path).songs()).problem


# ------------------------------------------------------------------ the command


def test_the_command_lists_songs_and_what_has_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make.medleydb(tmp_path)
    assert run(["train", "datasets", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dataset"]["name"] == "medleydb"
    assert found["unmapped"] == {"kazoo": 1}
    (song,) = found["songs"]
    assert [t["instrument"] for t in song["tracks"]] == ["lead_voice", "kick", "snare", "other"]
    assert [t["mapped"] for t in song["tracks"]] == [True, True, True, False]
    assert run(["train", "datasets", str(root)]) == 0
    out, err = capsys.readouterr()
    assert "CC BY-NC-SA" in out
    assert "no word here for 'kazoo' (1)" in err


def test_the_command_without_a_path_lists_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "datasets", "--json"]) == 0
    assert [layout["name"] for layout in json.loads(capsys.readouterr().out)["layouts"]] == list(DATASETS)
    assert run(["train", "datasets"]) == 0
    assert "slakh2100" in capsys.readouterr().out


def test_the_command_refuses_and_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "datasets", str(tmp_path)]) == 2
    assert "looked for" in capsys.readouterr().err
    root = make.nsynth(tmp_path / "n")
    assert run(["train", "datasets", str(root), "--songs", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["songs"]) == 3
    assert run(["train", "datasets", str(root), "--layout", "irmas"]) == 2
    assert "it looks like nsynth" in capsys.readouterr().err


def test_a_damaged_song_is_listed_with_its_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make.moisesdb(tmp_path)
    make.write(root / "moisesdb_v0.1" / "0a1b2c3d-0000-4000-8000-000000000001" / "data.json", "{")
    assert run(["train", "datasets", str(root)]) == 0
    out, err = capsys.readouterr()
    assert "damaged" in out
    assert "is damaged JSON" in err
