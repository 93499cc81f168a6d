"""Splits of the spatial stage: parts that add up, rooms that are told from direct sound, feeds that are unlike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from tonmeister.spatial.bus import SpatialBus
from tonmeister.spatial.decorrelation import AllPass, Delay, Feeds, RoomFeeds
from tonmeister.spatial.layouts import layout
from tonmeister.spatial.splitting import AmbienceSplit, MedianSplit, Split
from tonmeister.strip import Place, Strip
from tonmeister.units import FloatArray

RATE = 44_100
EXACT = 10 ** (-100 / 20)
MAKERS: dict[str, Callable[[int], Split]] = {
    "room": AmbienceSplit,
    "mono room": lambda rate: AmbienceSplit(rate, mono=True),
    "transient": lambda rate: MedianSplit("transient", rate),
    "harmonic": lambda rate: MedianSplit("harmonic", rate),
}


def noise(frames: int, *, seed: int = 0, channels: int = 2) -> FloatArray:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal((channels, frames))).astype(np.float32)


def cut(sound: FloatArray, lengths: Iterable[int]) -> list[FloatArray]:
    """The sound in blocks of these lengths, then the rest."""
    edges = np.minimum(np.cumsum([0, *lengths]), sound.shape[1])
    pieces = [sound[:, a:b] for a, b in itertools.pairwise(edges)]
    return [*pieces, sound[:, edges[-1] :]]


def parts(split: Split, blocks: Iterable[FloatArray]) -> tuple[FloatArray, FloatArray]:
    made = [split.push(block) for block in blocks] + [split.finish()]
    part, rest = (np.concatenate(both, axis=1) for both in zip(*made, strict=True))
    return part, rest


def feeds(room: RoomFeeds, blocks: Iterable[FloatArray]) -> FloatArray:
    return np.concatenate([*(room.push(block) for block in blocks), room.finish()], axis=1)


# ------------------------------------------------------------------ adding up, blocks


@pytest.mark.parametrize("kind", MAKERS)
@given(
    lengths=st.lists(st.integers(0, 5000), max_size=5),
    frames=st.integers(1, 12_000),
    rate=st.sampled_from([8000, RATE]),
)
@settings(max_examples=12, deadline=None)
def test_part_and_rest_are_the_signal_however_it_is_cut(
    kind: str, lengths: list[int], frames: int, rate: int
) -> None:
    sound = noise(frames)
    part, rest = parts(MAKERS[kind](rate), cut(sound, lengths))
    assert part.shape == rest.shape == sound.shape
    assert np.abs(part + rest - sound).max() < EXACT
    whole, _ = parts(MAKERS[kind](rate), [sound])
    np.testing.assert_allclose(part, whole, atol=10 ** (-90 / 20))


@pytest.mark.parametrize("kind", MAKERS)
def test_silence_has_no_parts(kind: str) -> None:
    part, rest = parts(MAKERS[kind](RATE), [np.zeros((2, 9000), np.float32)])
    assert not part.any()
    assert not rest.any()


@given(count=st.integers(1, 5), lead=st.booleans(), frames=st.integers(1, 3000))
@settings(max_examples=25, deadline=None)
def test_feeds_add_up_to_what_they_were_made_from(count: int, lead: bool, frames: int) -> None:
    sound = noise(frames)[0]
    for kind, delays_ms in ((Delay, (10.4, 7.0, 3.0)), (AllPass, (65.0, 40.0, 20.0))):
        made = Feeds(count, lambda level, k=kind, d=delays_ms: k(d[level], RATE), lead=lead)  # type: ignore[misc]
        assert np.abs(made.process(sound).sum(axis=0) - sound).max() < EXACT


@pytest.mark.parametrize("surrounds", [1, 2, 3, 4])
@pytest.mark.parametrize("front", [True, False])
def test_the_feeds_of_each_side_are_that_side(surrounds: int, front: bool) -> None:
    sound = noise(30_000)
    made = feeds(RoomFeeds(surrounds, RATE, front=front), cut(sound, [7000, 100, 9000]))
    sides = made.reshape(2, 1 + surrounds, -1).sum(axis=1)
    assert np.abs(sides - sound).max() < EXACT


def test_an_all_pass_passes_every_frequency_alike() -> None:
    impulse = np.zeros(1 << 17, np.float32)
    impulse[0] = 1.0
    response = np.abs(np.fft.rfft(AllPass(65.0, RATE).process(impulse)))
    np.testing.assert_allclose(response, 1.0, atol=1e-3)


# ------------------------------------------------------------------ coherence


@pytest.mark.parametrize("kind", [Delay, AllPass])
def test_two_feeds_do_not_correlate_in_any_octave(kind: type[Delay]) -> None:
    """Law B7: below 0.15 at lag zero in octaves from 250 Hz to 8 kHz."""
    sound = noise(10 * RATE)[0]
    one, other = Feeds(2, lambda level: kind(10.4 if kind is Delay else 65.0, RATE)).process(sound)
    for middle_hz in (250, 500, 1000, 2000, 4000, 8000):
        band = signal.butter(4, [middle_hz / 2**0.5, middle_hz * 2**0.5], "bandpass", fs=RATE, output="sos")
        a, b = signal.sosfilt(band, one), signal.sosfilt(band, other)
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15


@pytest.mark.parametrize("front", [True, False])
def test_no_two_loudspeakers_of_a_room_correlate(front: bool) -> None:
    made = feeds(RoomFeeds(4, RATE, front=front), [noise(3 * RATE)])
    alike = np.corrcoef(made[made.any(axis=1)])
    assert np.abs(alike - np.eye(len(alike))).max() < 0.15


def test_the_loudspeakers_of_one_side_do_not_correlate_for_a_room_in_mono_either() -> None:
    made = feeds(RoomFeeds(4, RATE), [np.repeat(noise(3 * RATE)[:1], 2, axis=0)])
    for side in (made[:5], made[5:]):
        assert np.abs(np.corrcoef(side) - np.eye(5)).max() < 0.15


# ------------------------------------------------------------------ what is a room


def test_the_same_sound_in_both_channels_is_direct_and_different_ones_are_room() -> None:
    one, other = noise(RATE), noise(RATE, seed=1)
    panned, _ = parts(AmbienceSplit(RATE), [one[:1] * np.array([[1.0], [0.3]], np.float32)])
    unlike, _ = parts(AmbienceSplit(RATE), [np.concatenate([one[:1], other[:1]])])
    assert (panned**2).mean() < 1e-4 * (one**2).mean()
    assert (unlike**2).mean() > 0.4 * (one**2).mean()


def test_the_energy_of_an_added_room_is_found() -> None:
    """Quality goal: within 3 dB, over rooms of -15 to 0 dB."""
    random = np.random.default_rng(3)
    dry = np.zeros(2 * RATE)
    dry[:: RATE // 4] = 1.0
    burst = np.exp(-np.arange(3000) / 500) * random.standard_normal(3000)
    dry = signal.fftconvolve(dry, burst)[: 2 * RATE]
    tail = np.exp(-np.arange(RATE // 2) / RATE * 8)
    room = np.stack(
        [signal.fftconvolve(dry, tail * random.standard_normal(len(tail)))[: len(dry)] for _ in "lr"]
    )
    room *= np.sqrt((dry**2).mean() / (room**2).mean())
    errors_db = []
    for level_db in (-15.0, -9.0, -3.0, 0.0):
        added = room * 10 ** (level_db / 20)
        found, _ = parts(AmbienceSplit(RATE), [(dry + added).astype(np.float32)])
        errors_db.append(10 * np.log10((found**2).mean() / (added**2).mean()))
    assert np.median(np.abs(errors_db)) < 3.0


def test_a_mono_room_is_what_decays_and_is_never_more_than_the_cap() -> None:
    hit = (np.exp(-np.arange(RATE) / 4000) * noise(RATE)[0]).astype(np.float32)
    found, _ = parts(AmbienceSplit(RATE, mono=True), [np.stack([hit, hit])])
    assert np.abs(found[0] - found[1]).max() == 0.0
    assert (found**2).sum() < 0.3**2 * 2 * (hit**2).sum()
    share = [
        np.sqrt((found[0, a:b] ** 2).sum() / (hit[a:b] ** 2).sum()) for a, b in ((0, 1000), (6000, 10_000))
    ]
    assert share[0] < 0.5 * share[1]


def test_a_click_is_struck_and_a_tone_is_held() -> None:
    click = np.zeros((2, RATE), np.float32)
    click[:, RATE // 2] = 1.0
    tone = np.repeat(np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[None], 2, axis=0).astype(np.float32)
    for kind, mine, foreign in (("transient", click, tone), ("harmonic", tone, click)):
        own, _ = parts(MAKERS[kind](RATE), [mine])
        none, _ = parts(MAKERS[kind](RATE), [foreign])
        inner = slice(RATE // 4, -RATE // 4)
        assert (own[:, inner] ** 2).sum() > 0.8 * (mine[:, inner] ** 2).sum()
        assert (none[:, inner] ** 2).sum() < 0.01 * (foreign[:, inner] ** 2).sum()


# ------------------------------------------------------------------ the bus

SIGNALS = {
    "noise": noise(9000),
    "silence": np.zeros((2, 9000), np.float32),
    "mono": np.repeat(noise(9000)[:1], 2, axis=0),
    "anti-phase": noise(9000)[:1] * np.array([[1.0], [-1.0]], np.float32),
    "one side": noise(9000) * np.array([[1.0], [0.0]], np.float32),
    "short": noise(40),
}


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("name", ["stereo", "quad", "5.1", "7.1.4"])
def test_an_exact_bus_has_the_stereo_mix_for_its_downmix(kind: str, name: str) -> None:
    """Law B4, with two strips at once, whatever they sound like."""
    one, other = SIGNALS[kind], 0.5 * SIGNALS[kind][::-1]
    strips = [
        Strip("one", place=Place(center=0.585, ambience=1.0, lfe_db=-10.0)),
        Strip("other", place=Place(spread_deg=150.0, elevation_deg=30.0, ambience=0.6)),
    ]
    bus = SpatialBus(strips, layout(name), "exact", RATE)
    made = []
    for a, b in zip(cut(one, [3000, 50]), cut(other, [3000, 50]), strict=True):
        bus.take("one", a)
        bus.take("other", b)
        made.append(bus.mix(a + b))
    stack = np.concatenate([*made, bus.finish()], axis=1)
    assert stack.shape == (2 + layout(name).channels, one.shape[1])
    assert np.isfinite(stack).all()
    assert np.abs(layout(name).downmix @ stack[2:] - stack[:2]).max() < 10 ** (-90 / 20)
    np.testing.assert_allclose(stack[:2], one + other)


@given(
    center=st.floats(0, 1),
    ambience=st.floats(0, 1),
    spread=st.floats(0, 360),
    name=st.sampled_from(["5.1", "7.1.4"]),
)
@settings(max_examples=15, deadline=None)
def test_an_exact_bus_keeps_the_downmix_for_every_place(
    center: float, ambience: float, spread: float, name: str
) -> None:
    sound = noise(6000, seed=7)
    place = Place(center=center, ambience=ambience, spread_deg=spread)
    bus = SpatialBus([Strip("one", place=place)], layout(name), "exact", RATE)
    bus.take("one", sound)
    stack = np.concatenate([bus.mix(sound), bus.finish()], axis=1)
    assert np.abs(layout(name).downmix @ stack[2:] - sound).max() < 10 ** (-90 / 20)


def test_a_free_bus_keeps_octave_levels_and_the_mono_sum() -> None:
    """Law B5: octaves of the downmix within 1 dB, less than 1 LU lost in mono."""
    sound = (noise(4 * RATE) + np.repeat(noise(4 * RATE, seed=5)[:1], 2, axis=0)).astype(np.float32)
    place = Place(spread_deg=120.0, center=0.3, ambience=1.0)
    bus = SpatialBus([Strip("one", place=place)], layout("7.1.4"), "free", RATE)
    bus.take("one", sound)
    stack = np.concatenate([bus.mix(sound), bus.finish()], axis=1)
    downmix = layout("7.1.4").downmix @ stack[2:]
    for middle_hz in (63, 125, 250, 500, 1000, 2000, 4000, 8000):
        band = signal.butter(4, [middle_hz / 2**0.5, middle_hz * 2**0.5], "bandpass", fs=RATE, output="sos")
        one, other = ((signal.sosfilt(band, s) ** 2).sum() for s in (sound, downmix))
        assert abs(10 * np.log10(other / one)) < 1.0
    assert (downmix.mean(axis=0) ** 2).sum() > 10**-0.1 * (sound.mean(axis=0) ** 2).sum()


def test_the_low_channel_holds_low_sound() -> None:
    """Law B8: above 200 Hz at least 40 dB below its total, for sound with as much power in every octave."""
    spectrum = np.fft.rfft(noise(4 * RATE)[0])
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[: 4 * 20] = 0.0
    pink = np.repeat(np.fft.irfft(spectrum)[None], 2, axis=0).astype(np.float32)
    bus = SpatialBus([Strip("one", place=Place(lfe_db=0.0))], layout("5.1"), "exact", RATE)
    bus.take("one", pink)
    lfe = np.concatenate([bus.mix(pink), bus.finish()], axis=1)[2 + 3]
    power = np.abs(np.fft.rfft(lfe)) ** 2
    hz = np.fft.rfftfreq(len(lfe), 1 / RATE)
    assert 10 * np.log10(power[hz > 200].sum() / power.sum()) < -40.0
