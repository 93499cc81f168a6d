"""Scores from MusicXML and MIDI: what is read, in which order it is played, and what is refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import mido
import pytest

from tonmeister.errors import BadInputError
from tonmeister.live.scores import Score, ScoreNote, TempoMark, read_score, score_of_notes

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="3.1"><work><work-title>A Piece</work-title></work>
<part-list><score-part id="P1"><part-name>Flute</part-name></score-part></part-list>"""


def note(step: str, duration: int, *, octave: int = 4, more: str = "", voice: int = 1) -> str:
    return (
        f"<note>{more}<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration><voice>{voice}</voice></note>"
    )


def xml(path: Path, *measures: str, head: str = HEAD) -> Path:
    numbered = "".join(f'<measure number="{i + 1}">{m}</measure>' for i, m in enumerate(measures))
    first = "<attributes><divisions>2</divisions></attributes>"
    body = numbered.replace('<measure number="1">', f'<measure number="1">{first}', 1)
    path.write_text(f'{head}<part id="P1">{body}</part></score-partwise>', "utf-8")
    return path


def played(score: Score) -> list[tuple[float, float, int]]:
    return [(n.onset_beats, n.length_beats, n.pitch) for n in score.notes]


def backward(times: str = "") -> str:
    return f'<barline location="right"><repeat direction="backward"{times}/></barline>'


def ending(number: str, kind: str, more: str = "") -> str:
    return f'<barline><ending number="{number}" type="{kind}"/>{more}</barline>'


# ------------------------------------------------------------------ MusicXML


def test_voices_chords_and_rests_stand_where_they_are_written(tmp_path: Path) -> None:
    measure = (
        note("C", 2)
        + note("E", 2, more="<chord/>")
        + "<note><rest/><duration>1</duration></note>"
        + note("D", 1)
        + "<backup><duration>4</duration></backup>"
        + "<forward><duration>2</duration></forward>"
        + note("G", 2, octave=3, voice=2)
    )
    score = read_score(xml(tmp_path / "a.musicxml", measure, note("C", 4)))
    assert score.title == "A Piece"
    assert played(score) == [(0, 1, 60), (0, 1, 64), (1, 1, 55), (1.5, 0.5, 62), (2, 2, 60)]
    assert {n.part for n in score.notes} == {"Flute"}
    assert [e.pitches for e in score.events] == [(60, 64), (55,), (62,), (60,)]


def test_accidentals_grace_notes_and_drums(tmp_path: Path) -> None:
    flat = note("B", 2).replace("<octave>", "<alter>-1</alter><octave>")
    grace = note("A", 0, more="<grace/>").replace("<duration>0</duration>", "")
    drum = "<note><unpitched><display-step>C</display-step></unpitched><duration>2</duration></note>"
    score = read_score(xml(tmp_path / "a.xml", grace + flat + drum))
    assert [(n.pitch, n.is_drum) for n in score.notes] == [(70, False), (38, True)]


def test_tied_notes_are_one(tmp_path: Path) -> None:
    first = note("C", 4).replace("</pitch>", '</pitch><tie type="start"/>')
    middle = note("C", 4).replace("</pitch>", '</pitch><tie type="stop"/><tie type="start"/>')
    last = note("C", 2).replace("</pitch>", '</pitch><tie type="stop"/>')
    score = read_score(xml(tmp_path / "a.xml", first, middle, last + note("C", 2)))
    assert played(score) == [(0, 5, 60), (5, 1, 60)]


@pytest.mark.parametrize(
    ("measures", "order"),
    [
        ((note("C", 2), note("D", 2) + backward(), note("E", 2)), "CDCDE"),
        ((note("C", 2), note("D", 2) + backward(' times="3"'), note("E", 2)), "CDCDCDE"),
        (
            (
                note("C", 2),
                '<barline location="left"><repeat direction="forward"/></barline>' + note("D", 2),
                note("E", 2) + backward(),
                note("F", 2),
            ),
            "CDEDEF",
        ),
        (
            (
                note("C", 2),
                ending("1", "start") + note("D", 2) + ending("1", "stop", '<repeat direction="backward"/>'),
                ending("2", "start") + note("E", 2) + ending("2", "discontinue"),
                note("F", 2),
                note("G", 2) + backward(),
            ),
            "CDCEFGFG",
        ),
        (
            (
                note("C", 2),
                ending("1, 2", "start")
                + note("D", 2)
                + ending("1, 2", "stop", '<repeat direction="backward"/>'),
                ending("3", "start") + note("E", 2) + ending("3", "stop"),
            ),
            "CDCDCE",
        ),
    ],
)
def test_repeats_are_played_out(measures: tuple[str, ...], order: str, tmp_path: Path) -> None:
    score = read_score(xml(tmp_path / "a.xml", *measures))
    names = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G"}
    assert "".join(names[n.pitch] for n in score.notes) == order
    assert [n.onset_beats for n in score.notes] == list(range(len(order)))


def test_tempo_markers_and_jumps(tmp_path: Path) -> None:
    tempo = (
        '<direction><direction-type><rehearsal>A</rehearsal></direction-type><sound tempo="60"/></direction>'
    )
    mark = (
        "<direction><direction-type><metronome><beat-unit>eighth</beat-unit><per-minute>60</per-minute>"
        "</metronome></direction-type></direction>"
    )
    jump = '<direction><direction-type><words>D.C.</words></direction-type><sound dacapo="yes"/></direction>'
    score = read_score(xml(tmp_path / "a.xml", tempo + note("C", 4), mark + note("D", 4) + jump))
    assert score.tempi == (TempoMark(0.0, 1.0), TempoMark(2.0, 2.0))
    assert score.markers == ((0.0, "A"),)
    assert score.seconds(3.0) == pytest.approx(4.0)
    assert score.beats(4.0) == pytest.approx(3.0)
    assert score.duration_s == pytest.approx(6.0)
    assert "da capo" in score.notes_to_reader[0]


def test_compressed_scores_are_the_same(tmp_path: Path) -> None:
    plain = xml(tmp_path / "a.musicxml", note("C", 2))
    with zipfile.ZipFile(tmp_path / "b.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.write(plain, "score.musicxml")
    assert read_score(tmp_path / "b.mxl").notes == read_score(plain).notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<score-partwise", "is damaged XML"),
        ("<score-timewise/>", "is not <score-partwise>"),
        ("<score-partwise/>", "holds no notes"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><score-partwise/>', "declares entities"),
        (
            "<score-partwise><part><measure><attributes><divisions>x</divisions></attributes></measure></part>"
            "</score-partwise>",
            "a number that is none",
        ),
        (
            "<score-partwise><part><measure><note><pitch><step>H</step><octave>4</octave></pitch><duration>1</duration>"
            "</note></measure></part></score-partwise>",
            "a number that is none",
        ),
        (
            "<score-partwise><part><measure><note><pitch><step>C</step><octave>4</octave></pitch><duration>inf</duration>"
            "</note></measure></part></score-partwise>",
            "a number that is none",
        ),
    ],
)
def test_foreign_and_damaged_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.musicxml"
    file.write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=message):
        read_score(file)


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, data, message in (
        ("a.wav", b"x", "is no score"),
        ("a.mid", b"MThd", "is no MIDI file"),
        ("b.mid", b"nothing", "is no MIDI file"),
        ("a.mxl", b"PK\x05\x06" + bytes(18), "holds no MusicXML"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInputError, match=message):
            read_score(tmp_path / name)
    with pytest.raises(BadInputError, match="cannot be read"):
        read_score(tmp_path / "none.mid")


def test_reading_needs_no_music_library_that_might_fetch_things(tmp_path: Path) -> None:
    read_score(xml(tmp_path / "a.musicxml", note("C", 2)))
    assert "partitura" not in sys.modules


# ------------------------------------------------------------------ MIDI


def midi(path: Path, *messages: mido.Message, ticks: int = 480) -> Path:
    file = mido.MidiFile(ticks_per_beat=ticks)
    file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def test_midi_notes_tempi_and_markers(tmp_path: Path) -> None:
    score = read_score(
        midi(
            tmp_path / "a.mid",
            mido.MetaMessage("track_name", name="Piano"),
            mido.MetaMessage("set_tempo", tempo=1_000_000),
            mido.Message("note_on", note=60, velocity=80),
            mido.Message("note_on", note=64, velocity=70, time=240),
            mido.Message("note_on", note=60, velocity=0, time=240),
            mido.MetaMessage("marker", text="chorus"),
            mido.MetaMessage("set_tempo", tempo=500_000),
            mido.Message("note_off", note=64, time=480),
            mido.Message("note_on", channel=9, note=36, velocity=90),
            mido.Message("note_off", channel=9, note=36, time=120),
        )
    )
    assert score.notes == (
        ScoreNote(0.0, 1.0, 60, 80, "Piano"),
        ScoreNote(0.5, 1.5, 64, 70, "Piano"),
        ScoreNote(2.0, 0.25, 36, 90, "Piano", is_drum=True),
    )
    assert score.tempi == (TempoMark(0.0, 1.0), TempoMark(1.0, 0.5))
    assert score.markers == ((1.0, "chorus"),)
    assert score.events[2].pitches == ()
    assert score.events[2].written_s == pytest.approx(1.5)


def test_midi_without_notes_or_beats_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no notes"):
        read_score(midi(tmp_path / "a.mid", mido.MetaMessage("track_name", name="x")))
    data = bytearray(midi(tmp_path / "b.mid", mido.Message("note_on", note=60)).read_bytes())
    data[12:14] = bytes([0xE7, 40])
    (tmp_path / "b.mid").write_bytes(data)
    with pytest.raises(BadInputError, match=r"counts in frames|is no MIDI file"):
        read_score(tmp_path / "b.mid")


def test_endless_scores_are_refused() -> None:
    with pytest.raises(BadInputError, match="lasts 1e\\+06 beats"):
        score_of_notes("x", [ScoreNote(0, 1e6, 60)])
    with pytest.raises(BadInputError, match="at most"):
        score_of_notes("x", [ScoreNote(0, 1, 60)] * 500_001)
