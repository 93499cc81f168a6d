"""A folder of files becomes a multitrack; what is repaired is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tonmeister.errors import AudioFileError, BadInputError
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack


def _wav(
    path: Path, *, seconds: float = 0.1, rate: int = 48000, channels: int = 1, value: float = 0.1
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.full((round(seconds * rate), channels), value, np.float32)
    soundfile.write(path, samples, rate, subtype="PCM_24", format=None if path.suffix != ".wav" else "WAV")
    return path


def _folder(folder: Path, *names: str, **options: float) -> Path:
    for name in names:
        _wav(folder / name, **options)  # type: ignore[arg-type]
    return folder


def _config(folder: Path, text: str) -> None:
    (folder / "tonmeister.toml").write_text(text, encoding="utf-8")


def _said(multitrack: Multitrack, *words: str) -> bool:
    return any(all(word in note for word in words) for note in multitrack.notes)


def test_a_folder_of_tracks(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "Lied", "01_Kick.wav", "02_Bass DI.wav", "10_LeadVox.wav", "9_Pad.flac")
    (folder / "notes.txt").write_text("tempo 92")
    (folder / ".hidden.wav").write_text("not audio")
    (folder / "._01_Kick.wav").write_text("resource fork")
    multitrack = load_multitrack(folder)
    assert multitrack.title == "Lied"
    assert multitrack.names == ("Kick", "Bass DI", "Pad", "LeadVox")
    assert [t.instrument for t in multitrack.tracks] == ["kick", "bass", "synth_pad", "lead_voice"]
    assert [t.role for t in multitrack.tracks] == ["foreground", "foreground", "background", "lead"]
    assert multitrack.sample_rate == 48000
    assert multitrack.folder == folder
    assert multitrack.notes == ()
    assert multitrack["Kick"].confidence == 0.95
    assert multitrack["Kick"].evidence == "the name says 'Kick'"
    assert multitrack.frames == 4800


def test_names_of_many_kinds(tmp_path: Path) -> None:
    names = ("Große Trommel.wav", "Violão (1).wav", "Voz 🎤.wav", "Барабаны.wav", "a b  c.wav", "x=y.z.wav")
    multitrack = load_multitrack(_folder(tmp_path, *names))
    assert set(multitrack.names) == {"Große Trommel", "Violão (1)", "Voz 🎤", "Барабаны", "a b c", "x=y.z"}
    assert multitrack["Große Trommel"].instrument == "kick"
    assert multitrack["Барабаны"].instrument == "drums"


def test_two_files_of_one_name(tmp_path: Path) -> None:
    multitrack = load_multitrack(_folder(tmp_path, "01_Vox.wav", "02_vox.wav", "03_Vox 2.wav", "04_Bass.wav"))
    assert multitrack.names == ("Vox", "vox 3", "Vox 2", "Bass")
    assert _said(multitrack, "02_vox.wav", "'vox 3'")


def test_the_name_of_the_master_strip_is_reserved(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "Master.wav", "Kick.wav")
    _config(folder, '[tracks."Master.wav"]\nkind = "source"')
    multitrack = load_multitrack(folder)
    assert multitrack.names == ("Kick", "Master 2")
    assert _said(multitrack, "Master.wav", "console")


def test_the_rate_of_most_files_wins(tmp_path: Path) -> None:
    _folder(tmp_path, "Kick.wav", "Snare.wav", rate=44100)
    _wav(tmp_path / "Bass.wav", rate=96000)
    multitrack = load_multitrack(tmp_path)
    assert multitrack.sample_rate == 44100
    assert _said(multitrack, "Bass.wav", "96000", "44100")
    assert not _said(multitrack, "Kick.wav", "resampled")
    assert load_multitrack(tmp_path, sample_rate=48000).sample_rate == 48000
    _config(tmp_path, "sample_rate = 32000")
    assert load_multitrack(tmp_path).sample_rate == 32000


def test_a_tie_goes_to_the_higher_rate(tmp_path: Path) -> None:
    _wav(tmp_path / "Kick.wav", rate=8000)
    _wav(tmp_path / "Pad.wav", rate=96000, channels=2)
    multitrack = load_multitrack(tmp_path)
    assert multitrack.sample_rate == 96000
    assert multitrack["Pad"].channels == 2
    assert multitrack["Kick"].frames_at(96000) == 9600
    blocks = list(multitrack["Kick"].blocks(96000, 4000))
    assert sum(block.shape[1] for block in blocks) == 9600


def test_different_lengths_are_said_once(tmp_path: Path) -> None:
    for i, seconds in enumerate((0.1, 0.2, 0.3, 0.15, 0.25)):
        _wav(tmp_path / f"Perc {i}.wav", seconds=seconds)
    multitrack = load_multitrack(tmp_path)
    assert len([n for n in multitrack.notes if "lengths" in n]) == 1
    assert _said(multitrack, "0.2 s", "'Perc 0'", "1 more")


def test_one_frame_of_difference_is_not_worth_saying(tmp_path: Path) -> None:
    _wav(tmp_path / "Kick.wav", seconds=4800 / 48000)
    _wav(tmp_path / "Bass.wav", seconds=4801 / 48000)
    assert load_multitrack(tmp_path).notes == ()


def test_prints_clicks_and_returns(tmp_path: Path) -> None:
    names = (
        "Kick.wav",
        "Gtr.wav",
        "Song_master.wav",
        "Rough Mix.wav",
        "Click.wav",
        "Guide Vox.wav",
        "Verb Plate.wav",
    )
    multitrack = load_multitrack(_folder(tmp_path, *names))
    assert multitrack.names == ("Gtr", "Kick", "Verb Plate")
    assert {t.file for t in multitrack.references} == {"Song_master.wav", "Rough Mix.wav"}
    assert {t.kind for t in multitrack.references} == {"print"}
    assert {e.file for e in multitrack.excluded} == {"Click.wav", "Guide Vox.wav"}
    assert (multitrack["Verb Plate"].kind, multitrack["Verb Plate"].instrument) == ("return", "ambience")
    assert _said(multitrack, "Click.wav", "left out")
    assert _said(multitrack, "Song_master.wav", "reference")
    assert _said(multitrack, "Verb Plate.wav", "printed effect")


def test_a_printed_bus_beside_its_tracks_is_pointed_out(tmp_path: Path) -> None:
    multitrack = load_multitrack(_folder(tmp_path, "Kick.wav", "Snare.wav", "Drum Bus.wav", "Bass.wav"))
    assert _said(multitrack, "Drum Bus.wav", "'Kick', 'Snare'")


def test_left_and_right_are_joined(tmp_path: Path) -> None:
    _wav(tmp_path / "OH_L.wav", value=0.25)
    _wav(tmp_path / "OH_R.wav", value=-0.5)
    _folder(tmp_path, "Piano (L).wav", "Piano (R).wav", "Kick.wav")
    multitrack = load_multitrack(tmp_path)
    assert multitrack.names == ("Kick", "OH", "Piano")
    overheads = multitrack["OH"]
    assert (overheads.channels, overheads.instrument, len(overheads.sources)) == (2, "overheads", 2)
    assert not {"left", "right"} & set(overheads.attributes)
    block = next(overheads.blocks(48000, 16))
    np.testing.assert_allclose(block[:, 0], [0.25, -0.5], atol=1e-6)
    assert _said(multitrack, "OH_L.wav and OH_R.wav", "joined")


@pytest.mark.parametrize(
    ("left", "right"),
    [({"rate": 44100}, {"rate": 48000}), ({"seconds": 0.1}, {"seconds": 0.2})],
)
def test_sides_that_do_not_fit_stay_apart(
    tmp_path: Path, left: dict[str, float], right: dict[str, float]
) -> None:
    _wav(tmp_path / "Gtr L.wav", **left)  # type: ignore[arg-type]
    _wav(tmp_path / "Gtr R.wav", **right)  # type: ignore[arg-type]
    multitrack = load_multitrack(tmp_path)
    assert multitrack.names == ("Gtr L", "Gtr R")
    assert _said(multitrack, "not joined")
    assert multitrack["Gtr L"].attributes == ("left",)


def test_stereo_files_and_hands_are_no_sides(tmp_path: Path) -> None:
    _folder(tmp_path, "Piano Left Hand.wav", "Piano Right Hand.wav")
    _folder(tmp_path, "Gtr L.wav", "Gtr R.wav", channels=2)
    assert len(load_multitrack(tmp_path).tracks) == 4


def test_microphones_of_one_source_form_a_group(tmp_path: Path) -> None:
    names = (
        "KickIn.wav", "KickOut.wav", "SubKick.wav", "SnareTop.wav", "Snare Btm.wav", "UkeleleMic.wav", "UkeleleDI.wav",
        "Gtr 1 DI.wav", "Gtr 1 Amp.wav", "Gtr 2.wav", "Vox.wav", "Vox DT.wav",
    )  # fmt: skip
    groups = {t.name: t.group for t in load_multitrack(_folder(tmp_path, *names)).tracks}
    assert groups["KickIn"] == groups["KickOut"] == groups["SubKick"] == "kick"
    assert groups["SnareTop"] == groups["Snare Btm"] == "snare"
    assert groups["UkeleleMic"] == groups["UkeleleDI"] == "ukulele"
    assert groups["Gtr 1 DI"] == groups["Gtr 1 Amp"] == "guitar 1"
    assert groups["Gtr 2"] is groups["Vox"] is groups["Vox DT"] is None


def test_the_title_in_all_names_is_taken_off(tmp_path: Path) -> None:
    names = (
        "7.Artist_Stem_VOX LEAD.wav",
        "7.Artist_Stem_KICK.wav",
        "7.Artist_Stem_HATS.wav",
        "REFERENCE.wav",
    )
    multitrack = load_multitrack(_folder(tmp_path, *names))
    assert multitrack.names == ("HATS", "KICK", "VOX LEAD")
    assert multitrack["HATS"].file == "7.Artist_Stem_HATS.wav"
    assert len(multitrack.references) == 1


def test_the_only_voice_leads(tmp_path: Path) -> None:
    multitrack = load_multitrack(_folder(tmp_path, "Vox.wav", "BGV.wav", "LeadGtr.wav", "Vox Dbl.wav"))
    assert multitrack["Vox"].role == "lead"
    assert "only voice" in multitrack["Vox"].evidence
    assert multitrack["LeadGtr"].role == "foreground"
    assert multitrack["Vox Dbl"].role == "background"


def test_several_voices_stay_in_the_foreground(tmp_path: Path) -> None:
    multitrack = load_multitrack(_folder(tmp_path, "Anna Vox.wav", "Bob Vox.wav", "LeadGtr.wav"))
    assert [t.role for t in multitrack.tracks] == ["foreground", "foreground", "lead"]


def test_subfolders(tmp_path: Path) -> None:
    _folder(tmp_path / "Drums", "01.wav", "Snare.wav")
    _folder(tmp_path / "Vocals", "Lead.wav")
    (tmp_path / ".cache").mkdir()
    _wav(tmp_path / ".cache" / "x.wav")
    with pytest.raises(BadInputError, match=r"\(Drums, Vocals\).*--recursive"):
        load_multitrack(tmp_path)
    multitrack = load_multitrack(tmp_path, recursive=True)
    assert [t.instrument for t in multitrack.tracks] == ["drums", "snare", "lead_voice"]
    assert "folder and file name" in multitrack.tracks[0].evidence
    _wav(tmp_path / "Bass.wav")
    assert load_multitrack(tmp_path).names == ("Bass",)


def test_what_is_no_folder_of_tracks(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such folder"):
        load_multitrack(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="no audio files here"):
        load_multitrack(tmp_path)
    with pytest.raises(BadInputError, match="is one audio file"):
        load_multitrack(_wav(tmp_path / "a" / "Kick.wav"))
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(BadInputError, match="no audio"):
        load_multitrack(tmp_path / "readme.txt")
    _folder(tmp_path / "b", "Mix.wav", "Click.wav")
    with pytest.raises(BadInputError, match=r"Mix\.wav \(a finished mix.*Click\.wav"):
        load_multitrack(tmp_path / "b")
    with pytest.raises(BadInputError, match="sample_rate=7"):
        load_multitrack(tmp_path / "a", sample_rate=7)


def _text(path: Path) -> None:
    path.write_text("this is not audio")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncated(path: Path) -> None:
    content = _wav(path, seconds=0.5).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _surround(path: Path) -> None:
    _wav(path, channels=6)


@pytest.mark.parametrize("make", [_text, _empty, _truncated, _surround])
def test_a_file_that_cannot_be_mixed_is_an_error_with_a_way_out(tmp_path: Path, make: object) -> None:
    assert callable(make)
    _wav(tmp_path / "Kick.wav")
    make(tmp_path / "Bad [1].wav")
    with pytest.raises(AudioFileError, match=r"Bad \[1\]\.wav") as caught:
        load_multitrack(tmp_path)
    assert "exclude" in str(caught.value)
    assert "\n" not in str(caught.value)
    _config(tmp_path, 'exclude = ["Bad [1].wav"]')
    multitrack = load_multitrack(tmp_path)
    assert multitrack.names == ("Kick",)
    assert multitrack.excluded[0].file == "Bad [1].wav"


def test_a_file_without_frames_is_left_out(tmp_path: Path) -> None:
    _wav(tmp_path / "Kick.wav")
    _wav(tmp_path / "Snare.wav", seconds=0)
    multitrack = load_multitrack(tmp_path)
    assert multitrack.names == ("Kick",)
    assert _said(multitrack, "Snare.wav", "no audio")


def test_settings_win_over_names(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, "Audio 01.wav", "Audio 02.wav", "Gtr_L.wav", "Gtr_R.wav", "Kick.wav", "Old.wav", "Click.wav"
    )
    _config(
        folder,
        """
        title = "Lied"
        tempo_bpm = 92
        genre = "folk"
        locks = ["Kick"]
        exclude = ["old*", "nothing*"]
        groups = { rhythm = ["Kick", "Audio 02.wav"] }
        [tracks."Audio 01.wav"]
        instrument = "violin"
        role = "lead"
        name = "Geige"
        [tracks."audio 02"]
        instrument = "choir"
        [tracks.Gtr]
        instrument = "acoustic_guitar"
        [tracks."Click.wav"]
        kind = "source"
        instrument = "percussion"
        """,
    )
    multitrack = load_multitrack(folder)
    assert set(multitrack.names) == {"Geige", "Audio 02", "Gtr", "Kick", "Click"}
    violin = multitrack["Geige"]
    assert (violin.instrument, violin.role, violin.confidence) == ("violin", "lead", 1.0)
    assert violin.evidence == "tonmeister.toml"
    assert multitrack["Audio 02"].role == "background"
    assert multitrack["Gtr"].instrument == "acoustic_guitar"
    assert (multitrack["Click"].kind, multitrack["Click"].instrument) == ("source", "percussion")
    assert multitrack["Kick"].group == multitrack["Audio 02"].group == "rhythm"
    assert (multitrack.title, multitrack.tempo_bpm, multitrack.genre) == ("Lied", 92, "folk")
    assert multitrack.locks == ("Kick",)
    assert [e.file for e in multitrack.excluded] == ["Old.wav"]
    assert _said(multitrack, "'nothing*'", "matches no file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tracks.Kik]\nrole = "lead"', "'Kik'.*'Kick'"),
        ('groups = { low = ["Bsas"] }', "'Bsas'.*'Bass'"),
    ],
)
def test_settings_for_tracks_that_are_not_there(tmp_path: Path, text: str, said: str) -> None:
    folder = _folder(tmp_path, "Kick.wav", "Bass.wav")
    _config(folder, text)
    with pytest.raises(BadInputError, match=said):
        load_multitrack(folder)


def test_two_tracks_set_to_one_name(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "Audio 1.wav", "Audio 2.wav")
    _config(folder, '[tracks."Audio 1"]\nname = "Vox"\n[tracks."Audio 2"]\nname = "Vox"')
    assert load_multitrack(folder).names == ("Vox", "Vox 2")


def test_a_stem_file_is_one_track_per_stream(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "Artist - Song.stem.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("aac", rate=44100, layout="stereo") for _ in range(5)]
        for i, stream in enumerate(streams):
            frame = av.AudioFrame.from_ndarray(
                np.full((2, 1024), 0.1 * i, np.float32), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 44100, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    for given in (path, tmp_path):
        multitrack = load_multitrack(given)
        assert multitrack.names == ("drums", "bass", "other", "vocals")
        assert [t.sources[0].stream for t in multitrack.tracks] == [1, 2, 3, 4]
        assert [t.name for t in multitrack.references] == ["mixture"]
        assert multitrack["vocals"].role == "lead"
    assert load_multitrack(path).title == "Artist - Song"
