"""``tonmeister evaluate alignment`` with a score: follows a performance; match files as the truth."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import pytest
import soundfile

import makers_performances as make
from tonmeister.cli import run
from tonmeister.errors import BadInputError
from tonmeister.evaluation.alignment import read_times
from tonmeister.evaluation.match_file import read_match
from tonmeister.live.scores import Score

MATCH = """\
info(matchFileVersion,1.0.0).
info(midiClockUnits,480).
info(midiClockRate,500000).
scoreprop(timeSignature,6/8,1:1,0,0.0000).
snote(n1,[D,n],5,1:1,0,1/8,-1.0000,0.0000,[v1,staff1])-note(n0,74,480,500,72,1,1).
snote(n2,[C,n],3,1:1,0,1/4,0.0000,2.0000,[v5,staff2])-note(n1,48,960,1000,70,1,1).
snote(n3,[E,n],3,1:1,0,1/4,0.0000,2.0000,[v5])-note(n2,52,1008,1020,70,1,1).
snote(n4,[E,n],3,1:1,0,1/4,2.0000,4.0000,[v5])-deletion.
insertion-note(n9,52,1300,1320,70,1,1).
sustain(20077,43).
"""


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """take.wav, piece.mid and truth.csv of a played piece."""
    folder = tmp_path_factory.mktemp("take")
    score = make.piece(1, bars=6)
    played = make.perform(score, make.rubato)
    soundfile.write(str(folder / "take.wav"), played.sound.T, make.RATE)
    write_midi(folder / "piece.mid", score)
    lines = "".join(f"{beat},{time_s}\n" for beat, time_s in played.times_s.items())
    (folder / "truth.csv").write_text(f"beat,seconds\n{lines}")
    return folder


def write_midi(path: Path, score: Score) -> None:
    moments = [(n.onset_beats, 1, n.pitch) for n in score.notes]
    moments += [(n.onset_beats + n.length_beats, 0, n.pitch) for n in score.notes]
    track, before = mido.MidiTrack(), 0
    for beat, on, pitch in sorted(moments):
        ticks = round(480 * beat)
        track.append(mido.Message("note_on", note=pitch, velocity=64 * on, time=ticks - before))
        before = ticks
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)


def test_a_performance_is_followed_and_compared(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "evaluate",
        "alignment",
        str(take / "take.wav"),
        "--score",
        str(take / "piece.mid"),
        "--json",
    ]
    assert run([*arguments, "--match", str(take / "truth.csv"), "--times", str(take / "followed.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["median_ms"] < 50
    assert found["p95_ms"] < 200
    assert found["expected"]["median_ms"] < 100
    assert found["missing"] <= 2
    assert found["follower"]["confidence"] > 0.8
    assert found["follower"]["lost_s"] == 0
    assert run(["evaluate", "alignment", str(take / "truth.csv"), str(take / "followed.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["median_ms"] == pytest.approx(found["median_ms"], abs=1e-3)


def test_without_a_truth_it_says_what_it_followed(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "alignment", str(take / "take.wav"), "--score", str(take / "piece.mid")]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["median_ms"], found["p95_ms"]) == (None, None)
    assert run([*arguments, "--method", "warping"]) == 0
    assert "of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["take.wav"], "nothing to compare"),
        (["take.wav", "truth.csv", "--score", "piece.mid"], "exclude each other"),
        (["truth.csv", "truth.csv", "--match", "truth.csv"], "--match belongs to --score"),
        (["truth.csv", "--score", "piece.mid"], "not readable as audio"),
        (["take.wav", "--score", "truth.csv"], "is no score"),
        (["take.wav", "--score", "piece.mid", "--times", "truth.csv"], "exists already"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, take: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(take / a) if (take / a).exists() else a for a in arguments]
    assert run(["evaluate", "alignment", *given]) == 2
    assert message in capsys.readouterr().err


def test_match_files_are_read_in_quarter_notes(tmp_path: Path) -> None:
    file = tmp_path / "a.match"
    file.write_text(MATCH)
    assert read_match(file) == [(0.0, 0.5), (0.5, pytest.approx(1.025))]
    assert read_times(file) == [("0.0", 0.5), ("0.5", pytest.approx(1.025))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "holds no pairs"),
        (MATCH.replace("-1.0000", "x"), "cannot be read"),
        (MATCH.replace("Units,480", "Units,0"), "cannot be read"),
        (MATCH + "scoreprop(timeSignature,3/4,9:1,0,0.0000).\n", "changes the unit"),
    ],
)
def test_damaged_match_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.match"
    file.write_text(text)
    with pytest.raises(BadInputError, match=message):
        read_match(file)
