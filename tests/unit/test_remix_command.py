"""``separate``, ``remix`` and ``evaluate remix`` on a small recording: files, numbers, JSON, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from makers import RATE, write_folder
from makers_recordings import song, stems
from tonmeister.analysis.mix import measure_mix
from tonmeister.audio import Audio, read_audio
from tonmeister.cli import run
from tonmeister.plan_file import load_plan
from tonmeister.separation.remix_law import achieved_gain_db, share_reached
from tonmeister.units import FloatArray

SECONDS = 2.0
NULL = 10 ** (-90 / 20)
RPCA = ("vocals", "accompaniment", "residual")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("song") / "Finished Song.wav", song(SECONDS).samples)


def wav(path: Path, sound: FloatArray, rate: int = RATE, subtype: str = "PCM_24") -> Path:
    soundfile.write(str(path), sound.T, rate, subtype=subtype)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert run([str(a) for a in (*arguments, "--json")]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    return dict(data)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of an error."""
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == 2
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1, text
    return text


def lufs(sound: FloatArray, rate: int = RATE) -> float:
    value = measure_mix([sound], rate, len(sound)).integrated_lufs
    assert value is not None
    return value


def test_separate_writes_a_file_per_track_and_they_add_up(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "tracks"
    data = told(capsys, "separate", recording, "-o", out, "--model", "rpca")
    assert data["model"] == "rpca"
    assert sorted(p.name for p in out.iterdir()) == sorted(f"{name}.wav" for name in RPCA)
    assert list(data["tracks"]) == list(RPCA)
    total = sum(read_audio(out / f"{name}.wav").samples.astype(np.float64) for name in RPCA)
    assert np.abs(total - read_audio(recording).samples).max() < NULL
    assert "exists already" in refused(capsys, "separate", recording, "-o", out, "--model", "rpca")
    assert run(["separate", str(recording), "-o", str(out), "--model", "rpca", "--overwrite", "-q"]) == 0


def test_separated_tracks_are_a_folder_to_mix(recording: Path, tmp_path: Path) -> None:
    assert run(["separate", str(recording), "-o", str(tmp_path / "t"), "-q"]) == 0
    mix = ["mix", str(tmp_path / "t"), "-o", str(tmp_path / "mix.wav"), "--engine", "sum", "--target", "none"]
    assert run([*mix, "--bits", "32f", "--names-only", "-q"]) == 0
    assert np.abs(read_audio(tmp_path / "mix.wav").samples - read_audio(recording).samples).max() < NULL


def test_a_remix_that_moves_nothing_is_the_recording(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "same.wav"
    assert run(["remix", str(recording), "-o", str(out), "--bits", "32f", "--gain", "vocals=0", "-q"]) == 0
    assert np.abs(read_audio(out).samples - read_audio(recording).samples).max() < NULL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["same.plan.json", "same.wav"]


def test_faders_move_what_was_asked_and_keep_the_loudness(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "r.wav", tmp_path / "tracks"
    data = told(
        capsys, "remix", recording, "-o", out, "--model", "rpca", "--gain", "vocals=+3", "--gain", "residual=-1",
        "--pan", "accompaniment=-45", "--tracks", kept, "--bits", "32f", "--plain-faders",
    )  # fmt: skip
    assert {t["name"]: (t["gain_db"], t["pan"]) for t in data["tracks"]} == {
        "vocals": (3.0, 0.0), "accompaniment": (0.0, -1.0), "residual": (-1.0, 0.0),
    }  # fmt: skip
    before, after = read_audio(recording).samples, read_audio(out).samples
    assert lufs(after) == pytest.approx(lufs(before), abs=0.1)
    plan = load_plan(tmp_path / "r.plan.json")
    assert plan["vocals"].gain_db == 3.0
    again = tmp_path / "again.wav"
    assert (
        run(["render", str(kept), str(tmp_path / "r.plan.json"), "-o", str(again), "--bits", "32f", "-q"])
        == 0
    )
    assert np.abs(read_audio(again).samples - after).max() < 1e-6


def test_faders_make_up_for_what_a_track_does_not_hold(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The true voice moves by what was asked, nearer than with the fader at what was asked."""
    kept = tmp_path / "tracks"
    data = told(
        capsys, "remix", recording, "-o", tmp_path / "r.wav", "--model", "nmf", "--gain", "vocals=3",
        "--tracks", kept, "--bits", "32f", "--target", "none",
    )  # fmt: skip
    mixture, e = (read_audio(p).samples.astype(float) for p in (recording, kept / "vocals.wav"))
    share = np.vdot(e, e) / np.vdot(e, mixture)
    fader = next(t["gain_db"] for t in data["tracks"] if t["name"] == "vocals")
    assert fader == pytest.approx(20 * np.log10(1 + (10 ** (3 / 20) - 1) / share), abs=0.01)
    true = stems(SECONDS)["vocals"].astype(float)
    made = read_audio(tmp_path / "r.wav").samples.astype(float)
    reached = 20 * np.log10(share_reached(true, mixture - true, made))
    assert abs(reached - 3.0) < abs(achieved_gain_db(3.0, share_reached(true, mixture - true, e)) - 3.0)


def test_a_remix_is_linear_in_its_faders(recording: Path, tmp_path: Path) -> None:
    """y = x + (g - 1) e, where nothing brings it to a loudness."""
    out, kept = tmp_path / "r.wav", tmp_path / "tracks"
    remix = [
        "remix",
        str(recording),
        "-o",
        str(out),
        "--model",
        "rpca",
        "--gain",
        "vocals=-6",
        "--target",
        "none",
    ]
    assert run([*remix, "--tracks", str(kept), "--bits", "32f", "-q", "--plain-faders"]) == 0
    x, e = read_audio(recording).samples, read_audio(kept / "vocals.wav").samples
    assert np.abs(read_audio(out).samples - (x + (10 ** (-6 / 20) - 1) * e)).max() < NULL


def test_off_and_an_engine(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = told(
        capsys, "remix", recording, "-o", tmp_path / "o.wav", "--model", "rpca", "--gain", "vocals=off"
    )
    assert {t["name"]: t["muted"] for t in off["tracks"]}["vocals"] is True
    data = told(
        capsys, "remix", recording, "-o", tmp_path / "e.wav", "--model", "rpca", "--engine", "loudness",
        "--gain", "accompaniment=-2", "--target", "-20",
    )  # fmt: skip
    assert data["engine"] == "loudness"
    assert data["after"]["integrated_lufs"] == pytest.approx(-20.0, abs=0.1)
    plain = told(
        capsys,
        "remix",
        recording,
        "-o",
        tmp_path / "p.wav",
        "--model",
        "rpca",
        "--engine",
        "loudness",
        "--target",
        "-20",
    )
    gains = [{t["name"]: t["gain_db"] for t in d["tracks"]} for d in (data, plain)]
    assert gains[0]["accompaniment"] == pytest.approx(gains[1]["accompaniment"] - 2.0)
    assert gains[0]["vocals"] == pytest.approx(gains[1]["vocals"])


def test_balance_moves_only_beyond_its_dead_band(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def vocals(wanted: str) -> tuple[float, str]:
        data = told(
            capsys,
            "remix",
            recording,
            "-o",
            tmp_path / "b.wav",
            "--model",
            "rpca",
            "--balance",
            wanted,
            "--overwrite",
            "--plain-faders",
        )
        fader = next(t["gain_db"] for t in data["tracks"] if t["name"] == "vocals")
        return fader, next(n for n in data["notes"] if n.startswith("vocals"))

    _, note = vocals("vocals=0")
    stands = float(note.split("at ")[1].split(" LU")[0]) if "stands" in note else float(note.split()[1])
    for off in (-1.0, 0.0, 1.0):
        gain_db, note = vocals(f"vocals={stands + off}")
        assert gain_db == 0.0
        assert "left as it is" in note
    assert vocals(f"vocals={stands + 2.5}")[0] == pytest.approx(2.5, abs=0.06)
    assert -6.0 < vocals(f"vocals={stands - 20}")[0] < -2.0  # the law allows less than the limit of 6 dB
    assert vocals("vocals")[1]


def test_more_than_a_separation_carries_is_said(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an expected SDR the law speaks, without one the limit of 6 dB; small changes pass in silence."""

    def notes(model: str, gain: str) -> str:
        data = told(
            capsys,
            "remix",
            recording,
            "-o",
            tmp_path / "n.wav",
            "--model",
            model,
            "--gain",
            gain,
            "--overwrite",
        )
        return " ".join(data["notes"])

    assert "more than this separation carries: an SDR of about" in notes("nmf", "vocals=+18")
    assert "beyond 6 dB" in notes("center", "center=-9")
    assert "more than" not in notes("nmf", "vocals=+0.5")


@pytest.mark.parametrize("channels", [1, 2])
def test_short_mono_and_slow_recordings(channels: int, tmp_path: Path) -> None:
    sound = song(0.3, 8_000).samples[:channels]
    short = wav(tmp_path / "short.wav", sound, 8_000)
    remix = ["remix", str(short), "-o", str(tmp_path / "r.wav"), "--model", "rpca", "--gain", "vocals=3"]
    assert run([*remix, "--bits", "32f", "-q"]) == 0
    made = read_audio(tmp_path / "r.wav")
    assert (made.sample_rate, made.frames, made.channels) == (8_000, sound.shape[1], 2)


def test_silence_gives_silence(tmp_path: Path) -> None:
    quiet = wav(tmp_path / "quiet.wav", np.zeros((2, RATE), np.float32))
    remix = ["remix", str(quiet), "-o", str(tmp_path / "r.wav"), "--model", "rpca", "--gain", "vocals=3"]
    assert run([*remix, "--balance", "vocals", "--bits", "32f", "-q"]) == 0
    assert not read_audio(tmp_path / "r.wav").samples.any()


def test_surround_is_separated_and_not_remixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = np.concatenate([song(1.0).samples] * 3)
    surround = wav(tmp_path / "five.wav", sound)
    assert run(["separate", str(surround), "-o", str(tmp_path / "t"), "--model", "center", "-q"]) == 0
    total = sum(read_audio(p).samples.astype(np.float64) for p in (tmp_path / "t").iterdir())
    assert np.abs(total - read_audio(surround).samples).max() < NULL
    text = refused(
        capsys, "remix", surround, "-o", tmp_path / "r.wav", "--model", "center", "--gain", "center=3"
    )
    assert "channels=6" in text
    assert not (tmp_path / "r.wav").exists()


def test_refusals_are_one_line_that_helps(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.wav"
    said = refused(capsys, "remix", recording, "-o", out, "--model", "rpca", "--gain", "vocls=3")
    assert "did you mean 'vocals'" in said
    assert "accompaniment, residual" in said
    assert "did you mean 'rpca'" in refused(
        capsys, "separate", recording, "-o", tmp_path / "t", "--model", "rpac"
    )
    for options, words in (
        (["--gain", "vocals"], "write TRACK=VALUE"),
        (["--gain", "vocals=loud"], "'loud' is not a number"),
        (["--gain", "vocals=nan"], "not a number"),
        (["--gain", "vocals=60"], "out of range"),
        (["--pan", "vocals=90"], "-45 (left) to 45 (right)"),
        (["--mask", "hard:7"], "between 0 and 1"),
        (["--engine", "textbok"], "did you mean 'textbook'"),
        (["--balance", "drums"], "makes no track 'drums'"),
    ):
        assert words in refused(capsys, "remix", recording, "-o", out, "--model", "rpca", *options)
    assert not (tmp_path / "t").exists()
    assert "does not exist" in refused(capsys, "separate", tmp_path / "none.wav", "-o", tmp_path / "t")
    bad = song(1.0).samples.copy()
    bad[0, 30_000] = np.nan
    spoiled = wav(tmp_path / "bad.wav", bad, subtype="FLOAT")
    assert "sample 30000 of channel 1" in refused(
        capsys, "separate", spoiled, "-o", tmp_path / "t", "--model", "center"
    )
    zeroed = [
        "separate",
        str(spoiled),
        "-o",
        str(tmp_path / "t"),
        "--model",
        "center",
        "--bad-samples",
        "zero",
        "-q",
    ]
    assert run(zeroed) == 0
    assert not list(tmp_path.glob(".tonmeister-*"))


def test_help_lists_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("separate", "remix"):
        assert run([verb, "--help"]) == 0
        text = capsys.readouterr().out
        assert "hpss" in text
        assert "harmonic, percussive" in text


def test_evaluate_remix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    true = {n: s.astype(np.float64) for n, s in stems(2.0).items() if n in ("vocals", "drums")}
    guess = {"vocals": 0.9 * true["vocals"] + 0.1 * true["drums"], "drums": 0.8 * true["drums"]}
    folders = [
        write_folder(
            tmp_path / name,
            {f"{n}.wav": Audio(s.astype(np.float32), RATE) for n, s in parts.items()},
            "FLOAT",
        )
        for name, parts in (("est", guess), ("ref", true))
    ]
    data = told(capsys, "evaluate", "remix", *folders, "--gain", "3", "--gain", "-6")
    rows = data["tracks"]["drums"]
    assert [row["asked_db"] for row in rows] == [3.0, -6.0]
    gain = 10 ** (3 / 20)
    assert rows[0]["achieved_db"] == pytest.approx(20 * np.log10(1 + (gain - 1) * 0.8), abs=0.05)
    error = (gain - 1) * 0.2 * true["drums"]
    wanted = gain * true["drums"] + true["vocals"]
    assert rows[0]["sdr_db"] == pytest.approx(10 * np.log10(np.sum(wanted**2) / np.sum(error**2)), abs=0.01)
    assert rows[0]["expected_sdr_db"] == pytest.approx(rows[0]["sdr_db"], abs=0.3)
    assert rows[0]["loudness_error_lu"] == pytest.approx(-0.3, abs=0.3)
    perfect = told(capsys, "evaluate", "remix", folders[1], folders[1])["tracks"]["vocals"]
    assert [r["asked_db"] for r in perfect] == [-3.0, 3.0]
    assert all(r["achieved_db"] == pytest.approx(r["asked_db"], abs=1e-6) for r in perfect)
    assert all(r["sdr_db"] == 200.0 for r in perfect)
    assert "gain=0" in refused(capsys, "evaluate", "remix", *folders, "--gain", "0")
    assert run(["evaluate", "remix", *map(str, folders), "--report", str(tmp_path / "page")]) == 0
    assert "achieved dB" in capsys.readouterr().out
