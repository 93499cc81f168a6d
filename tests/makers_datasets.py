"""Tiny trees in the exact layouts of published datasets; a tenth of a second of sound per file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import soundfile

RATE = 8000
FRAMES = 800


def sound(path: Path, *, channels: int = 1, level: float = 0.1, rate: int = RATE) -> Path:
    """A file with a constant in each channel: the level, twice the level, and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = level * np.arange(1, channels + 1)[None, :] * np.ones((FRAMES, 1))
    soundfile.write(str(path), data, rate)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), "utf-8")
    return path


def write_json(path: Path, data: object) -> Path:
    return write(path, json.dumps(data))


MEDLEYDB_YAML = """\
album: An Album
artist: A Band
component: x
genre: Rock
has_bleed: 'no'
instrumental: 'no'
mix_filename: Band_Song_MIX.wav
origin: Somewhere
raw_dir: Band_Song_RAW
stem_dir: Band_Song_STEMS
stems:
  S01:
    component: melody
    filename: Band_Song_STEM_01.wav
    instrument: male singer
    raw:
      R01:
        filename: Band_Song_RAW_01_01.wav
        instrument: male singer
  S02:
    component: ''
    filename: Band_Song_STEM_02.wav
    instrument: drum set
    raw:
      R01:
        filename: Band_Song_RAW_02_01.wav
        instrument: kick drum
      R02:
        filename: Band_Song_RAW_02_02.wav
        instrument: snare drum
  S03:
    component: ''
    filename: Band_Song_STEM_03.wav
    instrument: kazoo
    raw:
      R01:
        filename: Band_Song_RAW_03_01.wav
        instrument: kazoo
title: Song
"""


def medleydb(root: Path) -> Path:
    song = root / "Audio" / "Band_Song"
    write(song / "Band_Song_METADATA.yaml", MEDLEYDB_YAML)
    sound(song / "Band_Song_MIX.wav", channels=2)
    for n in (1, 2, 3):
        sound(song / "Band_Song_STEMS" / f"Band_Song_STEM_{n:02}.wav", channels=2)
    for n in ("01_01", "02_01", "02_02", "03_01"):
        sound(song / "Band_Song_RAW" / f"Band_Song_RAW_{n}.wav")
    return root


def musdb18(root: Path) -> Path:
    import av

    for split, name in (("train", "A Band - One"), ("test", "B Band - Two")):
        path = root / split / f"{name}.stem.mp4"
        path.parent.mkdir(parents=True)
        with av.open(str(path), "w", format="mp4") as container:
            streams = [container.add_stream("aac", rate=44100, layout="stereo") for _ in range(5)]
            for k, stream in enumerate(streams):
                data = np.full((2, 4096), 0.05 * (k + 1), np.float32)
                frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
                frame.sample_rate = 44100
                container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
    return root


def musdb18_hq(root: Path) -> Path:
    for split in ("train", "test"):
        for name in ("mixture", "vocals", "drums", "bass", "other"):
            sound(root / split / f"Band {split} - Song" / f"{name}.wav", channels=2)
    return root


def dsd100(root: Path) -> Path:
    for part in ("Dev", "Test"):
        song = f"051 - Band - Song {part}"
        sound(root / "Mixtures" / part / song / "mixture.wav", channels=2)
        for name in ("vocals", "drums", "bass", "other"):
            sound(root / "Sources" / part / song / f"{name}.wav", channels=2)
    return root


def moisesdb(root: Path) -> Path:
    song = root / "moisesdb_v0.1" / "0a1b2c3d-0000-4000-8000-000000000001"
    words = [
        ("vocals", "v1", "lead female singer"),
        ("drums", "d1", "kick drum"),
        ("drums", "d2", "hi-hat"),
        ("percussion", "p1", "a-tonal percussion (claps, shakers, congas, cowbell etc)"),
        ("other", "o1", "click track"),
        ("other", "o2", "hurdy-gurdy"),
    ]
    stems: dict[str, list[dict[str, object]]] = {}
    for stem, name, word in words:
        sound(song / stem / f"{name}.wav", channels=2)
        stems.setdefault(stem, []).append(
            {"id": name, "extension": "wav", "trackType": word, "has_bleed": name == "d2"}
        )
    data = {
        "song": "Song", "artist": "A Band", "genre": "rock",
        "stems": [{"id": s, "stemName": s, "tracks": t} for s, t in stems.items()],
    }  # fmt: skip
    write_json(song / "data.json", data)
    return root


SLAKH_YAML = """\
UUID: 1a81ae09
audio_dir: stems
midi_dir: MIDI
normalized: true
overall_gain: 0.18
stems:
  S00:
    audio_rendered: true
    inst_class: Guitar
    is_drum: false
    midi_program_name: Distortion Guitar
    midi_saved: true
    plugin_name: elektrik_guitar.nkm
    program_num: 30
  S01:
    audio_rendered: true
    inst_class: Drums
    is_drum: true
    midi_program_name: Drums
    plugin_name: session_kit_full.nkm
    program_num: 128
  S02:
    audio_rendered: false
    inst_class: Sound Effects
    is_drum: false
    midi_program_name: FX 8 (sci-fi)
    plugin_name: None
    program_num: 103
  S03:
    audio_rendered: true
    inst_class: Oddity
    is_drum: false
    midi_program_name: Odd
    plugin_name: odd.nkm
    program_num: 999
target_peak: -1.0
"""


def slakh2100(root: Path) -> Path:
    for split, number in (("train", 1), ("validation", 2), ("test", 3)):
        song = root / split / f"Track{number:05}"
        write(song / "metadata.yaml", SLAKH_YAML)
        sound(song / "mix.flac")
        for n in (0, 1, 3):
            sound(song / "stems" / f"S{n:02}.flac")
        (song / "MIDI").mkdir()
    return root


def enst_drums(root: Path) -> Path:
    audio = root / "drummer_1" / "audio"
    for channel in ("kick", "snare", "hi-hat", "tom_1", "overhead_L", "overhead_R", "dry_mix", "wet_mix"):
        stereo = channel.endswith("mix")
        sound(audio / channel / "036_phrase_disco_simple_slow_sticks.wav", channels=2 if stereo else 1)
    sound(audio / "cowbell" / "036_phrase_disco_simple_slow_sticks.wav")
    write(root / "drummer_1" / "annotation" / "036_phrase_disco_simple_slow_sticks.txt", "0.1 bd\n")
    return root


def mixing_secrets(root: Path) -> Path:
    song = root / "AngelaWade_MilkBlues_Full"
    for name in ("01_Kick", "02_SnareUp", "03_BassDI", "04_LeadVox", "05_Xyzzy"):
        sound(song / f"{name}.wav")
    return root


def rock_band(root: Path) -> Path:
    song = root / "A Band - Song"
    write(song / "song.ini", "[song]\nname = Song\nartist = A Band\ngenre = Rock\n")
    (song / "notes.mid").write_bytes(b"MThd")
    for part in ("song", "guitar", "bass", "rhythm", "drums_1", "drums_2", "drums_3", "vocals", "preview"):
        sound(song / f"{part}.ogg", channels=2)
    other = root / "B Band - Song"
    write(other / "songs.dta", SONGS_DTA)
    ogg = sound(other / "whole.ogg", channels=10, level=0.02)
    data = ogg.read_bytes()
    ogg.unlink()
    (other / "song.mogg").write_bytes(struct.pack("<II", 0x0A, 24) + bytes(16) + data)
    return root


SONGS_DTA = """\
('song'  ; what it is called
   ('name' "B")
   (song (name "songs/b/b")
      (tracks ((drum (0 1 2)) (bass (3)) ('guitar' (4 5)) (vocals (6))))
      (crowd_channels 8 9)
      (pans (0.0 -1.0 1.0 0.0 -1.0 1.0 0.0 0.0 -1.0 1.0)) (vols (0 0 0 0 0 0 0 0 0 0))))
"""


def plain(root: Path) -> Path:
    for song in ("one", "two"):
        for name in ("Kick", "Bass", "Lead Vox"):
            sound(root / song / f"{name}.wav")
    return root


def good_sounds(root: Path) -> Path:
    file = "sound_files/flute_x/{}/0000.wav"
    for microphone in ("akg", "neumann"):
        sound(root / "good-sounds" / file.format(microphone))
    write_json(
        root / "sounds.json",
        {
            "1": {
                "id": 1,
                "instrument": "flute",
                "note": "C",
                "octave": 4,
                "klass": "good-sound",
                "pack_id": 1,
            },
            "2": {"id": 2, "instrument": "sax_alto", "note": "D", "octave": 4, "klass": "bad", "pack_id": 1},
        },
    )
    takes = {
        str(n): {"id": n, "microphone": m, "filename": file.format(m), "sound_id": 1}
        for n, m in ((1, "akg"), (2, "neumann"))
    }
    write_json(root / "takes.json", takes)
    write_json(root / "packs.json", {"1": {"id": 1, "name": "flute_x"}})
    write_json(root / "ratings.json", {})
    return root


def irmas(root: Path) -> Path:
    for label in ("cel", "gel", "voi"):
        sound(root / "IRMAS-TrainingData" / label / f"008__[{label}][nod][cla]0058__1.wav", channels=2)
    part = root / "IRMAS-TestingData-Part1" / "Part1"
    for name, labels in (("one-1", "gel\t\nvoi\t\n"), ("two-1", "pia\t\n")):
        sound(part / f"{name}.wav", channels=2)
        write(part / f"{name}.txt", labels)
    return root


def nsynth(root: Path) -> Path:
    for split in ("train", "test"):
        notes = {}
        for family, source in (("bass", "synthetic"), ("keyboard", "acoustic")):
            name = f"{family}_{source}_033-022-050"
            notes[name] = {
                "note_str": name, "instrument_str": f"{family}_{source}_033", "instrument_family_str": family,
                "instrument_source_str": source, "pitch": 22, "velocity": 50, "qualities_str": ["dark"],
                "sample_rate": 16000,
            }  # fmt: skip
            sound(root / f"nsynth-{split}" / "audio" / f"{name}.wav", rate=16000)
        write_json(root / f"nsynth-{split}" / "examples.json", notes)
    return root


def synthesized(root: Path) -> Path:
    song = root / "song-000000"
    tracks = []
    for number, (name, instrument, role, group) in enumerate(
        (
            ("Kick", "kick", "foreground", "drums"),
            ("Lead Vox", "lead_voice", "lead", None),
            ("X", "kazoo", "", None),
        ),
        1,
    ):
        file = f"{number:02d}_{name}.wav"
        sound(song / file)
        sound(song / "processed" / file, channels=2)
        tracks.append(
            {
                "file": file,
                "name": name,
                "track": name,
                "instrument": instrument,
                "role": role,
                "group": group,
            }
        )
    sound(song / "mix.wav", channels=2)
    about = {
        "schema_version": 1,
        "title": "Made Up",
        "seed": 3,
        "style": "rock",
        "tempo_bpm": 121.5,
        "mix": "mix.wav",
    }
    write_json(song / "song.json", about | {"plan": "true.plan.json", "tracks": tracks})
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "synthesized": synthesized,
    "medleydb": medleydb,
    "musdb18": musdb18,
    "musdb18-hq": musdb18_hq,
    "dsd100": dsd100,
    "moisesdb": moisesdb,
    "slakh2100": slakh2100,
    "enst-drums": enst_drums,
    "good-sounds": good_sounds,
    "irmas": irmas,
    "nsynth": nsynth,
    "rock-band": rock_band,
    "mixing-secrets": mixing_secrets,
    "plain": plain,
}
