"""Files in place of a sound card: read ahead they are the same sound, and the process that plays asks for precedence."""

from __future__ import annotations

import os
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest

from makers_live import small_band
from tonmeister.errors import AudioFileError
from tonmeister.live.precedence import take_precedence
from tonmeister.live.sources import FileInputs, ReadAhead
from tonmeister.units import FloatArray


@pytest.mark.parametrize("block", [1000, 128, 8192, 20_011])
def test_files_read_ahead_are_the_same_sound(block: int) -> None:
    song = small_band(0.5)
    with FileInputs(song) as plain:
        whole = np.zeros((plain.lanes, song.frames + 3 * block), np.float32)
        plain.read_into(whole)
    got = np.ones_like(whole)
    with ReadAhead(FileInputs(song)) as ahead:
        for start in range(0, whole.shape[1], block):
            target = got[:, start : start + block]
            ahead.read_into(target)
            assert ahead.position == start + target.shape[1]
        assert (ahead.lanes, ahead.frames) == (plain.lanes, plain.frames)
    assert np.array_equal(got, whole)


def test_a_damaged_file_is_told_to_whoever_reads() -> None:
    class Damaged(FileInputs):
        def read_into(self, target: FloatArray) -> None:
            raise AudioFileError("drums.wav: damaged at 1.00 s")

    with (
        ReadAhead(Damaged(small_band(0.1))) as ahead,
        pytest.raises(AudioFileError, match=r"drums\.wav: damaged"),
    ):
        ahead.read_into(np.zeros((ahead.lanes, 64), np.float32))


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only Linux has these classes")
def test_precedence_is_what_the_system_grants_and_nothing_fails_without() -> None:
    def classes() -> tuple[int, bool, int]:
        return os.sched_getscheduler(0), take_precedence(), os.sched_getscheduler(0)

    with ThreadPool(1) as pool:  # a thread of its own: the class stays with it
        before, granted, after = pool.apply(classes)
    assert after == (os.SCHED_FIFO if granted else before)
