"""The ways between the two processes: nothing is changed, reordered or read twice; what is lost is counted."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.live.ring import Arena, Journal, Order, OrderQueue, Tape

RULES = settings(max_examples=60, deadline=None, derandomize=True)


def arena() -> Arena:
    return Arena(bytearray(1 << 16))


@RULES
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), max_size=30))
def test_a_tape_gives_back_what_was_written(steps: list[tuple[int, int]]) -> None:
    tape = Tape(arena(), 3, 100)
    written = np.zeros((3, 0), np.float32)
    got = 0
    for frames, wanted in steps:
        block = np.arange(written.shape[1], written.shape[1] + frames) + np.array([[0.1], [0.2], [0.3]])
        block = block.astype(np.float32)
        written = np.concatenate([written, block], axis=1)
        tape.write(block[:2], block[2:])
        while wanted and tape.waiting > 60:  # a reader that keeps up
            np.testing.assert_array_equal(tape.read(20), written[:, got : got + 20])
            got += 20
        take = min(wanted, tape.waiting)
        lost = tape.lost_frames
        part = tape.read(take)
        if tape.lost_frames == lost:
            np.testing.assert_array_equal(part, written[:, got : got + take])
        got += take
    assert tape.written == written.shape[1]


def test_a_reader_too_slow_hears_silence_and_counts_it() -> None:
    tape = Tape(arena(), 1, 10)
    for start in range(0, 30, 5):
        tape.write(np.full((1, 5), start + 1, np.float32), np.zeros((0, 5), np.float32))
    first = tape.read(25)
    assert tape.lost_frames == 20
    assert first[0].tolist() == [0.0] * 20 + [21.0] * 5
    assert tape.read(5)[0].tolist() == [26.0] * 5


def test_both_sides_see_one_buffer() -> None:
    buffer = bytearray(1 << 12)
    writer, reader = Tape(Arena(buffer), 2, 16), Tape(Arena(buffer), 2, 16)
    writer.write(np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32))
    assert reader.waiting == 4
    assert reader.read(4).tolist() == [[1.0] * 4, [0.0] * 4]


@RULES
@given(
    st.lists(
        st.builds(
            Order, st.integers(0, 9), st.integers(0, 99), st.integers(0, 1 << 50),
            st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 1 << 30),
        ),
        max_size=40,
    ),
    st.integers(1, 5),
)  # fmt: skip
def test_orders_arrive_whole_once_and_in_order(orders: list[Order], every: int) -> None:
    buffer = bytearray(1 << 14)
    writer, reader = OrderQueue(Arena(buffer), 8), OrderQueue(Arena(buffer), 8)
    sent, got = [], []
    for count, order in enumerate(orders):
        if writer.put(order):
            sent.append(order)
        if count % every == 0 and (order_got := reader.take()) is not None:
            got.append(order_got)
    while (order_got := reader.take()) is not None:
        got.append(order_got)
    assert got == sent
    assert len(sent) >= min(len(orders), 8)


def test_a_full_queue_refuses() -> None:
    queue = OrderQueue(arena(), 2)
    assert [queue.put(Order(1, 0, k)) for k in range(3)] == [True, True, False]
    assert queue.take() == Order(1, 0, 0)
    assert queue.put(Order(1, 0, 9))


def test_half_a_record_is_not_taken() -> None:
    buffer = bytearray(1 << 12)
    writer, reader = OrderQueue(Arena(buffer), 4), OrderQueue(Arena(buffer), 4)
    writer.put(Order(1, 2, 3, 4.0))
    words = np.frombuffer(buffer, np.int64)
    whole = words[2]
    words[2] = 77  # the index has not arrived yet
    assert reader.take() is None
    words[2] = whole
    assert reader.take() == Order(1, 2, 3, 4.0)


@RULES
@given(st.lists(st.integers(0, 7), max_size=20))
def test_a_journal_gives_every_row_or_counts_it(writes: list[int]) -> None:
    journal = Journal(arena(), 2, 5)
    count, read = 0, 0
    for rows in writes:
        for _ in range(rows):
            journal.write(np.array([count, -count], np.float64))
            count += 1
        got = journal.read()
        kept = min(rows, 5)
        assert got[:, 0].tolist() == list(range(count - kept, count))
        read += kept
    assert journal.lost_rows == count - read
