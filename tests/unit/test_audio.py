"""Reading and writing sound: every format, every fault."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from makers import RATE, noise, tone
from tonmeister.audio import Audio, AudioReader, open_audio, probe, read_audio
from tonmeister.audio_output import AudioWriter, check_output, write_audio
from tonmeister.errors import AudioFileError, BadInputError, MissingExtraError
from tonmeister.riff import wav_facts
from tonmeister.units import db_to_gain, gain_to_db


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "16", 2.0 / 2**15),
        ("a.wav", "24", 2.0 / 2**23),
        ("a.wav", "32", 1e-7),
        ("a.wav", "32f", 0.0),
        ("a.rf64", "24", 2.0 / 2**23),
        ("a.flac", "24", 2.0 / 2**23),
        ("a.flac", "16", 2.0 / 2**15),
        ("a.aiff", "24", 2.0 / 2**23),
    ],
)
def test_lossless_files_come_back(tmp_path: Path, name: str, subtype: str, error: float) -> None:
    audio = noise(5000, 2)
    write_audio(tmp_path / name, audio, subtype=subtype)
    back = read_audio(tmp_path / name)
    assert (back.sample_rate, back.channels, back.frames) == (RATE, 2, 5000)
    assert np.abs(back.samples - audio.samples).max() <= error


@pytest.mark.parametrize(("name", "rate"), [("a.ogg", 44100), ("a.mp3", 44100), ("a.opus", 48000)])
def test_lossy_files_come_back_about_as_loud(tmp_path: Path, name: str, rate: int) -> None:
    audio = tone(440, 1.0, rate=rate, channels=2)
    write_audio(tmp_path / name, audio)
    back = read_audio(tmp_path / name)
    assert back.sample_rate == rate
    middle = slice(rate // 4, rate * 3 // 4)
    assert np.std(back.samples[:, middle]) == pytest.approx(np.std(audio.samples[:, middle]), rel=0.05)


@pytest.mark.parametrize("subtype", ["DOUBLE", "PCM_U8", "PCM_32"])
def test_other_sample_formats_are_read(tmp_path: Path, subtype: str) -> None:
    audio = tone(440, 0.1)
    soundfile.write(str(tmp_path / "a.wav"), audio.samples.T, RATE, subtype=subtype)
    assert np.abs(read_audio(tmp_path / "a.wav").samples - audio.samples).max() < (
        0.01 if "8" in subtype else 1e-6
    )


def test_containers_are_read_with_their_streams(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "song.stem.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("aac", rate=RATE, layout="stereo") for _ in range(2)]
        for index, stream in enumerate(streams):
            sound = tone(440 * (index + 1), 0.5, channels=2).samples
            for start in range(0, sound.shape[1], 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(sound[:, start : start + 1024]), format="fltp", layout="stereo"
                )
                frame.sample_rate = RATE
                frame.pts = start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    info = probe(path)
    assert (info.streams, info.channels, info.sample_rate) == (2, 2, RATE)
    for index in range(2):
        back = read_audio(path, stream=index)
        spectrum = np.abs(np.fft.rfft(back.samples[0]))
        assert np.argmax(spectrum) * RATE / back.frames == pytest.approx(440 * (index + 1), abs=5)
        assert abs(back.frames - RATE // 2) <= 2048
    with pytest.raises(AudioFileError, match="2 audio streams"):
        probe(path, stream=2)


def test_containers_without_the_extra_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.m4a").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"tonmeister\[formats\]"):
        probe(tmp_path / "a.m4a")


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.sampled_from([8000, 44100, 48000]))
@settings(max_examples=20, deadline=None)
def test_blocks_of_any_size_give_the_same_resampled_sound(sizes: list[int], rate: int) -> None:
    audio = noise(3000, 2)
    with AudioReader.from_memory(audio, rate) as reader:
        whole = reader.read(1 << 20)
    assert whole.shape[1] == reader.frames
    with AudioReader.from_memory(audio, rate) as reader:
        parts = [reader.read(size) for size in sizes]
        parts.append(reader.read(1 << 20))
    assert np.allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)


def test_resampling_keeps_time_and_level() -> None:
    audio = tone(1000, 1.0)
    with AudioReader.from_memory(audio, 48000) as reader:
        out = reader.read(1 << 20)
    times = np.arange(48000) / 48000
    assert np.abs(out[0, 500:-500] - 0.3 * np.sin(2 * np.pi * 1000 * times)[500:-500]).max() < 1e-4


def test_dither_is_triangular_seeded_and_only_on_integers(tmp_path: Path) -> None:
    quiet = Audio(np.full((1, 50_000), 0.3 / 2**15, np.float32), RATE)
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name, quiet, subtype="16")
    steps = read_audio(tmp_path / "a.wav").samples[0] * 2**15
    assert np.mean(steps) == pytest.approx(0.3, abs=0.02)  # without dither it would be 0
    assert np.var(steps) == pytest.approx(2 / 12 + 0.25 / 3 + 1 / 24, abs=0.08)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    write_audio(tmp_path / "f.wav", quiet, subtype="32f")
    assert np.array_equal(read_audio(tmp_path / "f.wav").samples, quiet.samples)


def test_full_scale_does_not_wrap_around(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(np.array([[1.5, -1.5, 1.0, -1.0]], np.float32), RATE), subtype="16")
    assert np.sign(read_audio(tmp_path / "a.wav").samples[0]).tolist() == [1, -1, 1, -1]


def test_title_and_time_reference_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with AudioWriter(path, RATE, 1, title="Mein Lied", time_reference_frames=123_456_789) as writer:
        writer.write(noise(333).samples)
    info = probe(path)
    assert (info.title, info.time_reference_frames, info.frames) == ("Mein Lied", 123_456_789, 333)
    assert wav_facts(path).missing_bytes == 0
    assert path.stat().st_size == struct.unpack("<I", path.read_bytes()[4:8])[0] + 8


def test_long_files_become_rf64(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE, 2, frames=2**31, time_reference_frames=5) as writer:
        writer.write(noise(100, 2).samples)
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RF64"
    assert (probe(tmp_path / "a.wav").frames, probe(tmp_path / "a.wav").time_reference_frames) == (100, 5)


def truncated_wav(path: Path) -> None:
    write_audio(path, noise(5000), subtype="16")
    path.write_bytes(path.read_bytes()[:3000])


def truncated_flac(path: Path) -> None:
    write_audio(path, noise(50_000))
    path.write_bytes(path.read_bytes()[:30_000])


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("no.wav", None, "no such file"),
        ("empty.wav", lambda p: p.write_bytes(b""), "0 bytes"),
        ("text.wav", lambda p: p.write_text("dear diary"), "not readable as audio"),
        ("cut.wav", truncated_wav, "cut off"),
        ("cut.flac", truncated_flac, "cut off|damaged"),
        ("text.mp4", lambda p: p.write_text("dear diary"), "not readable as audio"),
        ("header.wav", lambda p: p.write_bytes(b"RIFF\x00\x00\x00\x00WAVE"), "not readable as audio"),
    ],
)
def test_faulty_files_give_one_clear_line(tmp_path: Path, name: str, make, said: str) -> None:  # type: ignore[no-untyped-def]
    if make:
        make(tmp_path / name)
    with pytest.raises(AudioFileError, match=said) as caught:
        read_audio(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_streamed_wav_without_a_length_is_no_fault(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(1000), subtype="16")
    data = bytearray((tmp_path / "a.wav").read_bytes()[: 44 + 2000])
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "pipe.wav").write_bytes(data)
    assert read_audio(tmp_path / "pipe.wav").frames == 1000


def test_nothing_remains_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    writer = AudioWriter(tmp_path / "a.wav", RATE, 1)
    with pytest.raises(KeyboardInterrupt), writer:  # noqa: PT012
        writer.write(noise(100).samples)
        assert not (tmp_path / "a.wav").exists()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_outputs_are_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "there.wav").write_bytes(b"mine")
    for path, said in (
        (tmp_path / "there.wav", "--overwrite"),
        (tmp_path / "a.xyz", "unknown audio format"),
        (tmp_path / "none" / "a.wav", "no such folder"),
        (tmp_path, "unknown audio format"),
    ):
        with pytest.raises(BadInputError, match=said):
            check_output(path, overwrite=False)
    check_output(tmp_path / "there.wav", overwrite=True)
    assert (tmp_path / "there.wav").read_bytes() == b"mine"


def test_a_format_that_cannot_hold_the_sound_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="choose another format"):
        AudioWriter(tmp_path / "a.opus", 44100, 2)
    with pytest.raises(BadInputError, match="does not hold '32f'"):
        AudioWriter(tmp_path / "a.flac", RATE, 2, subtype="32f")
    assert not list(tmp_path.iterdir())


def test_open_audio_reads_in_blocks(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(1000, 2), subtype="32f")
    with open_audio(tmp_path / "a.wav") as reader:
        assert [b.shape for b in reader.blocks(400)] == [(2, 400), (2, 400), (2, 200)]


@given(st.floats(-190, 100))
@settings(max_examples=50)
def test_decibels_and_back(level_db: float) -> None:
    assert gain_to_db(db_to_gain(level_db)) == pytest.approx(level_db, abs=1e-9)
