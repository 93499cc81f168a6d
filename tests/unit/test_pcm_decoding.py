"""Our own decoding of plain WAV files gives the very bits that libsndfile gives."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makers import RATE, noise
from tonmeister.audio import open_audio
from tonmeister.audio_output import write_audio
from tonmeister.dsp.pcm import PcmDecoder, open_quickly
from tonmeister.errors import AudioFileError
from tonmeister.riff import pcm_layout


def written(path: Path, subtype: str, channels: int = 1, form: str = "WAV") -> Path:
    samples = noise(5003, channels, level=0.4).samples
    samples[:, :4] = (1.0, -1.0, 0.0, 1e-9)
    soundfile.write(str(path), np.clip(samples, -1, 1).T, RATE, subtype=subtype, format=form)
    return path


def decoded_by_us(path: Path) -> bool:
    with open_quickly(path) as reader:
        return isinstance(reader._decoder, PcmDecoder)


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_the_bits_are_those_of_libsndfile(tmp_path: Path, subtype: str, channels: int, form: str) -> None:
    path = written(tmp_path / "a.wav", subtype, channels, form)
    assert decoded_by_us(path)
    with open_quickly(path) as ours, open_audio(path) as theirs:
        for frames in (1, 700, 4096, 4096):
            assert np.array_equal(ours.read(frames), theirs.read(frames))


def test_rows_are_filled_and_padded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_24", 2)
    target = np.ones((2, 6000), np.float32)
    with open_quickly(path) as ours, open_audio(path) as theirs:
        assert ours.read_into(target) == 5003
        assert np.array_equal(target[:, :5003], theirs.read(6000))
        assert not target[:, 5003:].any()
        assert ours.read_into(target) == 0
        assert not target.any()


def test_files_with_a_chunk_behind_the_audio_are_understood(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(1001))
    assert decoded_by_us(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_U8", "DOUBLE", "ALAW"])
def test_other_sample_formats_are_left_to_libsndfile(tmp_path: Path, subtype: str) -> None:
    assert not decoded_by_us(written(tmp_path / "a.wav", subtype))


def test_an_odd_header_is_left_to_libsndfile(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_16")
    data = bytearray(path.read_bytes())
    layout = pcm_layout(path)
    assert layout is not None
    assert (layout.start, layout.frames, layout.channels) == (44, 5003, 1)
    data[28:32] = struct.pack("<I", 7)  # bytes per second that cannot be
    path.write_bytes(data)
    assert pcm_layout(path) is None
    assert not decoded_by_us(path)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_16")
    with open_quickly(path) as reader:
        reader.read(100)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(AudioFileError, match="cut off"):
            reader.read(5000)
