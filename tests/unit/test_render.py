"""Laws of the renderer."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makers import RATE, multitrack, noise, plan_for
from tonmeister.audio import Audio
from tonmeister.decisions import (
    AddBus,
    AddInsert,
    AddSend,
    Automate,
    Decision,
    Mute,
    SetDelay,
    SetGain,
    SetOutput,
    SetPan,
    SetPolarity,
)
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.gain import Gain
from tonmeister.effects.limiter import Limiter
from tonmeister.effects.reverb import Reverb
from tonmeister.effects.saturation import Saturation
from tonmeister.errors import PlanError
from tonmeister.multitrack import Multitrack
from tonmeister.plan import LOUDNESS_SLOT, MixPlan
from tonmeister.render import Section, process_strip, render, render_blocks, split_master
from tonmeister.strip import Curve, pan_gains

FRAMES = 30_000


def song() -> Multitrack:
    return multitrack(
        ("Kick", noise(FRAMES, 1, seed=1)),
        ("Keys", noise(FRAMES - 777, 2, seed=2)),
        ("Vox", noise(FRAMES, 1, seed=3)),
    )


def full_console() -> list[Decision]:
    """Something of everything, latency on some paths included."""
    return [
        AddBus("Drums"),
        AddBus("Reverb", kind="return"),
        SetOutput("Kick", "Drums"),
        AddInsert("Kick", HighPass(40.0)),
        AddInsert("Kick", Compressor(threshold_db=-30.0)),
        AddInsert("Drums", Saturation(drive_db=6.0)),
        AddInsert("Keys", Equalizer((EqSection("peak", 800.0, -3.0, 1.0),))),
        AddInsert("Reverb", Reverb(mix=1.0)),
        AddSend("Vox", "Reverb", -12.0),
        AddSend("Kick", "Reverb", -20.0, pre_fader=True),
        SetPan("Keys", -0.3),
        Automate("Vox", "gain_db", Curve((0.0, 0.3, 0.5), (0.0, -12.0, 3.0))),
        Automate("Vox", "pan", Curve((0.1, 0.4), (-1.0, 1.0))),
        Automate("Vox", "send:Reverb", Curve((0.1, 0.4), (-30.0, -3.0))),
        AddInsert("master", Compressor(threshold_db=-12.0)),
        AddInsert("master", Gain(6.0), LOUDNESS_SLOT),
        AddInsert("master", Limiter()),
    ]


def rendered(track: Multitrack, plan: MixPlan, **how: object) -> np.ndarray:
    return np.concatenate(list(render_blocks(track, plan, **how)), axis=1)  # type: ignore[arg-type]


def plain_sum(track: Multitrack) -> np.ndarray:
    total = np.zeros((2, track.frames))
    for one in track.tracks:
        assert one.audio is not None
        total[:, : one.audio.frames] += one.audio.samples
    return total.astype(np.float32)


def test_a_unity_plan_is_the_plain_sum() -> None:
    assert np.array_equal(render(song(), plan_for(song())).samples, plain_sum(song()))


@pytest.mark.parametrize(("threads", "block_frames"), list(itertools.product((1, 2), (512, 4001, 16384))))
def test_block_size_and_threads_change_nothing(threads: int, block_frames: int) -> None:
    plan = plan_for(song(), full_console())
    reference = rendered(song(), plan, threads=1, block_frames=1 << 15)
    assert np.array_equal(rendered(song(), plan, threads=threads, block_frames=block_frames), reference)


def test_the_order_of_tracks_changes_nothing() -> None:
    turned = dataclasses.replace(song(), tracks=song().tracks[::-1])
    plan = plan_for(song(), full_console())
    assert np.array_equal(
        render(turned, plan_for(turned, full_console())).samples, render(song(), plan).samples
    )


def test_length_is_kept_and_stems_sum_to_the_premaster_bus() -> None:
    stems: dict[str, list[np.ndarray]] = {}
    decisions = [d for d in full_console() if d.strip != "master"]
    mix = rendered(
        song(), plan_for(song(), decisions), stems=lambda n, b: stems.setdefault(n, []).append(b.copy())
    )
    joined = {name: np.concatenate(blocks, axis=1) for name, blocks in stems.items()}
    assert set(joined) == {"Keys", "Vox", "Drums", "Reverb"}
    total = np.zeros(mix.shape)
    for name in sorted(joined):
        assert joined[name].shape == mix.shape == (2, FRAMES)
        total += joined[name]
    assert np.array_equal(total.astype(np.float32), mix)


def test_parallel_paths_are_aligned_for_latency() -> None:
    """One track with a late effect, its inverted copy without: they cancel up to what the effect does."""
    audio = Audio(noise(FRAMES, 1, seed=5).samples * 0.1, RATE)
    pair = multitrack(("A", audio), ("B", audio))
    late = AddInsert("A", Limiter())
    mix = render(pair, plan_for(pair, [late, SetPolarity("B")])).samples
    assert np.abs(mix).max() < 1e-6
    assert np.abs(render(pair, plan_for(pair, [late])).samples - 2 * audio.samples).max() < 1e-6


def test_the_plain_sum_and_taps_are_aligned_with_the_mix() -> None:
    sums: list[np.ndarray] = []
    taps: dict[str, list[np.ndarray]] = {}
    rendered(
        song(),
        plan_for(song(), full_console()),
        plain_sum=lambda _, b: sums.append(b.copy()),
        taps=lambda n, b: taps.setdefault(n, []).append(b.copy()),
    )
    assert np.array_equal(np.concatenate(sums, axis=1), plain_sum(song()))
    assert {np.concatenate(b, axis=1).shape for b in taps.values()} == {(2, FRAMES)}


@given(pan=st.floats(-1, 1), gain_db=st.floats(-60, 20))
@settings(max_examples=25, deadline=None)
def test_fader_and_pan_are_the_law_in_the_plan(pan: float, gain_db: float) -> None:
    track = multitrack(("A", noise(500, 1)))
    mix = render(track, plan_for(track, [SetGain("A", gain_db), SetPan("A", pan)])).samples
    theta = (pan + 1) * math.pi / 4
    expected = math.sqrt(2) * 10 ** (gain_db / 20) * np.array([[math.cos(theta)], [math.sin(theta)]])
    assert track.tracks[0].audio is not None
    assert np.allclose(mix, expected * track.tracks[0].audio.samples, rtol=1e-5, atol=1e-7)


def test_pan_law_is_constant_power_and_unity_in_the_center() -> None:
    assert pan_gains(0.0) == (1.0, 1.0)
    for pan in np.linspace(-1, 1, 9):
        left, right = pan_gains(float(pan))
        assert left**2 + right**2 == pytest.approx(2.0)


def test_automation_is_sample_accurate_behind_latency() -> None:
    """A step of the fader lands on the same frame with and without a late insert."""
    ones = Audio(np.full((1, FRAMES), 0.1, np.float32), RATE)
    at = 12_345
    curve = Curve((at / RATE, (at + 1) / RATE), (0.0, -96.0))
    track = multitrack(("A", ones))
    for inserts in ([], [AddInsert("A", Limiter())]):
        mix = render(track, plan_for(track, [*inserts, Automate("A", "gain_db", curve)])).samples[0]
        assert mix[at] == pytest.approx(0.1, rel=1e-5)
        assert mix[at + 1] == 0.0


def test_curves_are_straight_lines_in_decibels() -> None:
    ones = Audio(np.ones((1, RATE), np.float32), RATE)
    track = multitrack(("A", ones))
    mix = render(track, plan_for(track, [Automate("A", "gain_db", Curve((0.0, 1.0), (0.0, -20.0)))])).samples
    assert 20 * math.log10(mix[0, RATE // 2]) == pytest.approx(-10.0, abs=1e-3)


def test_mute_delay_and_polarity() -> None:
    track = multitrack(("A", noise(4000)), ("B", noise(4000, seed=9)))
    a = track["A"].audio
    assert a is not None
    muted = render(track, plan_for(track, [Mute("B")])).samples
    assert np.array_equal(muted, np.repeat(a.samples, 2, axis=0))
    late = render(track, plan_for(track, [Mute("B"), SetDelay("A", 1000 * 441 / RATE)])).samples
    assert np.array_equal(late[:, 441:], muted[:, :-441])
    assert np.array_equal(render(track, plan_for(track, [Mute("B"), SetPolarity("A")])).samples, -muted)


def test_a_section_is_the_same_part_of_the_whole() -> None:
    plan = plan_for(
        song(), [SetPan("Keys", 0.4), Automate("Vox", "gain_db", Curve((0.0, 0.6), (0.0, -12.0)))]
    )
    whole = rendered(song(), plan)
    part = rendered(song(), plan, section=Section(10_000, 5_000))
    assert np.array_equal(part, whole[:, 10_000:15_000])
    assert rendered(song(), plan, section=Section(29_000, 5_000)).shape == (2, 1_000)


def test_splitting_the_master_changes_nothing() -> None:
    plan = plan_for(song(), [*full_console(), SetGain("master", -1.0)])
    head, rest = split_master(plan)
    blocks = process_strip(rest, render_blocks(song(), head), RATE)
    assert np.array_equal(np.concatenate(list(blocks), axis=1), rendered(song(), plan))


def test_a_fader_at_the_bottom_is_off() -> None:
    track = multitrack(("A", noise(100)))
    assert not render(track, plan_for(track, [SetGain("A", -96.0)])).samples.any()


def test_a_plan_for_other_tracks_is_refused() -> None:
    plan = plan_for(multitrack(("A", noise(10)), ("B", noise(10))))
    with pytest.raises(PlanError, match="'B' not in the folder"):
        render(multitrack(("A", noise(10))), plan)
    with pytest.raises(PlanError, match="does not know 'C'"):
        render(multitrack(("A", noise(10)), ("B", noise(10)), ("C", noise(10))), plan)
    with pytest.raises(PlanError, match="48000 Hz"):
        render(multitrack(("A", noise(10)), ("B", noise(10))), dataclasses.replace(plan, sample_rate=48000))
