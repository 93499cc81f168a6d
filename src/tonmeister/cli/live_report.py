"""What a performance was like, for a reader and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.live.link import Gauges
    from tonmeister.live.show import Show

__all__ = ["report"]


def report(
    screen: Screen,
    show: Show,
    gauges: Gauges,
    asked: Mapping[str, Any],
    moves: int,
    latency_frames: int,
    notes: Sequence[str],
) -> None:
    """The figures, on stdout, and the places of the files, on stderr."""
    from tonmeister.cli.tables import table

    figures = _figures(show, gauges, moves, latency_frames)
    rows = [(name, text) for name, text in _words(figures).items()]
    screen.show(table(("", ""), rows))
    if screen.as_json:
        files = {"output": asked["output"], "record": asked["record"]}
        screen.json({**files, "engine": asked["engine"], **figures, "notes": list(notes)})
    for name in ("output", "record"):
        if asked[name]:
            screen.say(f"{'mix' if name == 'output' else 'recording'}: {asked[name]}")


def _figures(show: Show, gauges: Gauges, moves: int, latency_frames: int) -> dict[str, Any]:
    from tonmeister.live.meters import cpu_share

    per_ms = show.sample_rate / 1000.0
    return {
        "played_s": min(gauges.position, show.frames) / show.sample_rate,
        "tracks": len(show.channels),
        "block_frames": show.block_frames,
        "blocks": gauges.blocks,
        "deadline_us": 1000.0 * show.block_frames / per_ms,
        "block_cpu_us": {
            "mean": gauges.cpu_us / max(gauges.blocks, 1),
            **{f"p{100 * p:g}": gauges.percentile_us(p) for p in (0.5, 0.99, 0.999)},
            "longest": gauges.longest_us,
        },
        "cpu_share": cpu_share(show, gauges),
        "over_deadline": gauges.over(1000.0 * show.block_frames / per_ms),
        "late_blocks": gauges.misses,
        "dropouts": gauges.dropouts,
        "precedence": gauges.has_precedence,
        "desk_latency_ms": latency_frames / per_ms,
        "block_latency_ms": show.block_frames / per_ms,
        "device_latency_ms": gauges.device_latency_ms,
        "moves": moves,
    }


def _words(figures: Mapping[str, Any]) -> dict[str, str]:
    times = figures["block_cpu_us"]
    return {
        "played": f"{figures['played_s']:.1f} s, {figures['tracks']} tracks, {figures['moves']} moves of the engine",
        "processor time": f"{figures['cpu_share']:.0%} of one core; a block of {figures['deadline_us']:.0f} us took "
        f"{times['mean']:.0f} us on average, {times['p99']:.0f} (99 %), {times['p99.9']:.0f} (99.9 %), "
        f"{times['longest']:.0f} at most",
        "blocks": f"{figures['blocks']}, {figures['over_deadline']} that took longer than they last, "
        f"{figures['late_blocks']} late, {figures['dropouts']} dropouts",
        "latency": f"{figures['desk_latency_ms']:.1f} ms of effects, {figures['block_latency_ms']:.1f} ms of blocks, "
        f"{figures['device_latency_ms']:.1f} ms of the device",
    }
