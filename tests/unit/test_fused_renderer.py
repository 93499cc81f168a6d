"""The fast renderer against the plain one, and both against float64 arithmetic written out here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import signal

from makers import RATE, multitrack, noise, plan_for, tone
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
from tonmeister.effects.deesser import Deesser
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass, LowPass
from tonmeister.effects.gain import Gain
from tonmeister.effects.gate import Gate
from tonmeister.effects.limiter import Limiter
from tonmeister.effects.reverb import Reverb
from tonmeister.effects.width import Width
from tonmeister.fused.group import LANES, Member, grouped
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import Section, render_blocks
from tonmeister.strip import Curve, Insert, Strip

FRAMES = 20_000
BOUND = 10 ** (-110 / 20)
"""The fast way may differ from the plain one by this, re full scale: float32 rounds at -144 dB."""


def song(tracks: int = 11) -> Multitrack:
    """Mono and stereo tracks of different lengths."""
    return multitrack(
        *((f"T{k:02d}", noise(FRAMES - 37 * k, 2 if k % 4 == 1 else 1, seed=k)) for k in range(tracks))
    )


def every_chain() -> list[Decision]:
    """Chains of many shapes, routes, curves; some with inserts that do not run in lanes."""
    low, high = EqSection("low_shelf", 120.0, 4.0), EqSection("peak", 60.0, -9.0, 8.0)
    return [
        AddBus("Drums"),
        AddBus("Room", kind="return"),
        AddInsert("Room", Reverb(mix=1.0)),
        AddInsert("T00", HighPass(35.0, order=4)),
        AddInsert(
            "T00", Compressor(threshold_db=-32.0, ratio=4.0, knee_db=9.0, attack_ms=3.0, makeup_db=5.0)
        ),
        AddInsert("T00", Equalizer((low, high))),
        SetOutput("T00", "Drums"),
        AddInsert("T01", Compressor(threshold_db=-30.0, ratio=20.0, sidechain_high_pass_hz=150.0)),
        SetPan("T01", 0.4),
        AddInsert("T02", Gate(threshold_db=-30.0, range_db=40.0, ratio=8.0)),
        AddInsert("T02", LowPass(4000.0)),
        SetPolarity("T02"),
        AddInsert("T03", Gain(-5.0)),
        AddInsert("T03", Compressor(threshold_db=-20.0, ratio=2.0)),
        AddInsert("T03", Gain(3.0)),
        SetDelay("T03", 4.2),
        SetPolarity("T03"),
        AddInsert("T04", Limiter()),
        AddInsert("T04", HighPass(100.0)),
        Automate("T04", "gain_db", Curve((0.05, 0.2, 0.3), (-96.0, 3.0, -20.0))),
        AddInsert("T05", Equalizer((high, low, EqSection("high_shelf", 8000.0, 6.0)))),
        Automate("T05", "pan", Curve((0.0, 0.1, 0.4), (-1.0, 1.0, 0.2))),
        AddSend("T05", "Room", -6.0),
        Automate("T05", "send:Room", Curve((0.0, 0.3), (-40.0, 0.0))),
        AddInsert("T06", Width(1.5)),
        AddInsert("T06", HighPass(50.0)),
        AddSend("T06", "Room", -10.0, pre_fader=True),
        SetGain("T06", -96.0),
        AddInsert("T07", Deesser(threshold_db=-30.0, ratio=4.0)),
        Mute("T08"),
        AddInsert("T08", Limiter()),
        SetGain("T09", -3.0),
        AddSend("T09", "Drums", -3.0),
    ]


def rendered(track: Multitrack, plan: MixPlan, **how: object) -> np.ndarray:
    return np.concatenate(list(render_blocks(track, plan, **how)), axis=1)  # type: ignore[arg-type]


def test_the_fast_way_sounds_like_the_plain_one() -> None:
    plan = plan_for(song(), every_chain())
    fast, plain = (rendered(song(), plan, fused=fused) for fused in (True, False))
    assert np.abs(fast - plain).max() < BOUND
    assert np.abs(plain).max() > 0.3


def test_sinks_get_the_same_either_way() -> None:
    plan = plan_for(song(), every_chain())
    taken: list[dict[str, list[np.ndarray]]] = []
    for fused in (True, False):
        got: dict[str, list[np.ndarray]] = {}
        rendered(
            song(), plan, fused=fused, block_frames=4096,
            stems=lambda n, b, got=got: got.setdefault(f"stem {n}", []).append(b.copy()),
            taps=lambda n, b, got=got: got.setdefault(f"tap {n}", []).append(b.copy()),
            plain_sum=lambda n, b, got=got: got.setdefault(n, []).append(b.copy()),
        )  # fmt: skip
        taken.append(got)
    fast, plain = taken
    assert fast.keys() == plain.keys()
    for name, blocks in plain.items():
        assert np.abs(np.concatenate(fast[name], axis=1) - np.concatenate(blocks, axis=1)).max() < BOUND, name


def test_the_mix_is_the_same_bits_with_and_without_sinks() -> None:
    plan = plan_for(song(), every_chain())
    assert np.array_equal(rendered(song(), plan), rendered(song(), plan, taps=lambda n, b: None))


@pytest.mark.parametrize(("threads", "block_frames"), list(itertools.product((1, 3), (333, 4096, 20_001))))
def test_cutting_and_threads_change_no_bit(threads: int, block_frames: int) -> None:
    plan = plan_for(song(), every_chain())
    reference = rendered(song(), plan, threads=2, block_frames=8192)
    assert np.array_equal(rendered(song(), plan, threads=threads, block_frames=block_frames), reference)


def test_the_order_of_tracks_changes_no_bit() -> None:
    one = song()
    turned = Multitrack(one.title, one.tracks[::-1], one.sample_rate)
    assert np.array_equal(
        rendered(turned, plan_for(turned, every_chain())), rendered(one, plan_for(one, every_chain()))
    )


def test_a_section_moves_the_curves_along() -> None:
    moves = [Automate("T05", "pan", Curve((0.0, 0.4), (-1.0, 1.0))), SetGain("T01", -3.0)]
    plan = plan_for(song(), moves)
    part = rendered(song(), plan, section=Section(7_001, 5_000))
    assert np.array_equal(part, rendered(song(), plan)[:, 7_001:12_001])


def sections_of(chain: Sequence[HighPass | Equalizer]) -> np.ndarray:
    rows = [e.coefficients(RATE) if isinstance(e, Equalizer) else e.sections(RATE) for e in chain]
    flat = np.concatenate(rows)
    return np.column_stack([flat[:, :3], np.ones(len(flat)), flat[:, 3:]])


def compressed(x: np.ndarray, effect: Compressor) -> np.ndarray:
    """The equations of `dsp.dynamics`, sample by sample in float64."""
    attack = math.exp(-1000.0 / (effect.attack_ms * RATE))
    release = math.exp(-1000.0 / (effect.release_ms * RATE))
    gain_db, out = 0.0, np.empty_like(x)
    for n, value in enumerate(x):
        over = 20 * math.log10(max(abs(value), 1e-15)) - effect.threshold_db
        slope, half = 1 / effect.ratio - 1, effect.knee_db / 2
        target = 0.0 if over <= -half else slope * over
        if abs(over) < half:
            target = slope * (over + half) ** 2 / (2 * effect.knee_db)
        pole = attack if target < gain_db else release
        gain_db = pole * gain_db + (1 - pole) * target
        out[n] = value * 10 ** ((gain_db + effect.makeup_db) / 20)
    return out


def test_a_chain_is_float64_arithmetic() -> None:
    """High-pass at 20 Hz, narrow peak at 40 Hz: where float32 recursions fail."""
    rumble = tone(40.0, 0.5, level=0.4).samples + noise(RATE // 2, 1, level=0.1).samples
    track = multitrack(("A", Audio(rumble, RATE)))
    filters = [HighPass(20.0, order=4), Equalizer((EqSection("peak", 40.0, 6.0, 12.0),))]
    squeeze = Compressor(threshold_db=-20.0, ratio=3.0, knee_db=6.0, attack_ms=5.0, release_ms=80.0)
    plan = plan_for(track, [AddInsert("A", e) for e in (*filters, squeeze)] + [SetGain("A", -6.0)])
    x = signal.sosfilt(sections_of(filters), rumble[0].astype(np.float64))
    expected = compressed(x, squeeze) * 10 ** (-6.0 / 20)
    for fused in (True, False):
        mix = rendered(track, plan, fused=fused)
        assert np.array_equal(mix[0], mix[1])
        assert np.abs(mix[0] - expected).max() < 10 ** (-120 / 20)


def test_what_rings_down_is_exact_silence_in_the_end() -> None:
    """Memories do not linger in tiny numbers, which processors are slow at."""
    burst = np.zeros((1, 8 * RATE), np.float32)
    burst[0, :500] = noise(500).samples
    track = multitrack(("A", Audio(burst, RATE)))
    plan = plan_for(track, [AddInsert("A", HighPass(200.0)), AddInsert("A", Compressor(-40.0, 4.0))])
    mix = rendered(track, plan)
    tail = np.abs(mix[0, RATE:])
    assert not tail[tail > 0].min(initial=1.0) < 1e-31
    assert not mix[:, -RATE:].any()


def strip(name: str, *effects: object) -> Strip:
    return Strip(name, inserts=tuple(Insert(str(i), e) for i, e in enumerate(effects)))  # type: ignore[arg-type]


def test_lanes_are_filled_and_pairs_stay_together() -> None:
    eq, squeeze = HighPass(80.0), Compressor()
    made = [
        Member(strip(f"{k:02d}", *chain), channels, RATE, 64)
        for k, (chain, channels) in enumerate(
            [((eq, squeeze), 1), ((eq, squeeze), 2), ((eq,), 1), ((), 1), ((), 2), ((eq, squeeze, eq), 1)] * 4
        )
    ]
    groups = grouped(made)
    assert sorted(m.strip.name for g in groups for m in g) == sorted(m.strip.name for m in made)
    for group in groups:
        starts = np.cumsum([0, *(m.channels for m in group)])
        assert starts[-1] <= LANES
        assert all(s % 2 == 0 for s, m in zip(starts, group, strict=False) if m.channels == 2)
    lanes = sum(m.channels for m in made)
    assert len(groups) <= lanes // LANES + 2
