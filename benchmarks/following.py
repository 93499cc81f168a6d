"""How well a performance is followed through its score: errors of the place, of what is expected, and of moves.

    python benchmarks/following.py [--seeds 3] [--write]

Pieces and players are made up: tempo curves, loose timing, wrong notes, a skipped bar, another piece. The sound is plucked
strings in a small room, not the follower's own reference. "Place" is when an event was heard against when it was
played, "expected" what the event before it said about it, "move" when a scheduled fader move ends, "reaction" when one
ends that starts as soon as the event is known. Processor time is the follower's alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import makers_performances as make  # noqa: E402
from tonmeister.live.scheduling import RAMP_S, MoveScheduler, ScheduledMove  # noqa: E402
from tonmeister.live.score_following import Follower, FollowerOptions  # noqa: E402

BLOCK = 128
LATENCY_S = 0.008
BARS = 16
CASES = {
    "as written": {"curve": make.plain},
    "slower by a fifth": {"curve": make.slower},
    "faster by a sixth": {"curve": make.faster},
    "accelerando": {"curve": make.accelerando},
    "ritardando": {"curve": make.ritardando},
    "rubato": {"curve": make.rubato},
    "rubato, 10 % wrong notes": {"curve": make.rubato, "wrong": 0.1, "jitter_s": 0.015},
    "a bar skipped": {"curve": make.plain, "skip": (32.0, 36.0)},
}


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write FOLLOWING.md")
    asked = parser.parse_args()
    text = "\n".join(report(asked.seeds))
    print(text)
    if asked.write:
        (HERE / "FOLLOWING.md").write_text(text + "\n", "utf-8")


def report(seeds: int) -> Iterator[str]:
    """The tables as Markdown."""
    yield "# Following a score\n"
    yield f"`python benchmarks/following.py --seeds {seeds} --write`; median / 95 % in ms, {seeds} pieces of {BARS} bars.\n"
    for method in ("forward", "warping"):
        yield f"## {method}\n"
        yield "| performance | place | expected one event ahead | move | reaction | events heard | confidence | processor |"
        yield "|---|---|---|---|---|---|---|---|"
        everything = []
        for name, case in CASES.items():
            found = [played(seed, case, method) for seed in range(seeds)]
            everything += found
            yield row(name, found)
        yield row("all together", everything)
        yield ""
    yield "## Another piece\n"
    found = [played(seed, CASES["as written"], "forward", other=True) for seed in range(seeds)]
    mean = {key: float(np.nanmean([f[key] for f in found])) for key in ("confidence", "lost", "noticed")}
    yield (
        f"Median confidence {mean['confidence']:.2f}, lost for {mean['lost']:.0%} of the time, "
        f"first noticed after {mean['noticed']:.1f} s."
    )


def played(seed: int, case: dict, method: str, *, other: bool = False) -> dict:
    """Follow one performance in blocks, moves scheduled at every event."""
    score = make.piece(seed, bars=BARS)
    take = make.perform(make.piece(seed + 100, bars=BARS) if other else score, seed=seed, **case)
    follower = Follower(score, make.RATE, options=FollowerOptions(method=method))
    follower.update(np.zeros((1, 4 * BLOCK), np.float32))
    follower.reset()
    scheduler, moves, positions, used, known = MoveScheduler(LATENCY_S), {}, [], 0.0, -1
    for event in score.events:
        scheduler.add(ScheduledMove("fader", event.index))
    for k in range(0, take.sound.shape[1], BLOCK):
        before = time.process_time()
        place = follower.update(take.sound[:, k : k + BLOCK])
        used += time.process_time() - before
        positions.append(place)
        if place.event != known:
            known = place.event
            ahead = {p.event: p for p in follower.upcoming(8)}
            scheduler.replan(place.time_s, ahead, confidence=place.confidence)
        for action in scheduler.due(place.time_s):
            moves[score.events[action.move.event].beat] = action.start_s + action.ramp_s + LATENCY_S
    truth = take.times_s
    heard = {o.beat: o for o in follower.observed if o.beat in truth}
    lost = [p.mode == "lost" for p in positions]
    return {
        "place": [1000 * (o.time_s - truth[b]) for b, o in heard.items()],
        "expected": [
            1000 * (o.expected_s - truth[b]) for b, o in heard.items() if o.expected_s and o.event > 4
        ],
        "move": [1000 * (t - truth[b]) for b, t in moves.items() if b in truth and b > 4],
        "reaction": [1000 * (o.said_s + RAMP_S + LATENCY_S - truth[b]) for b, o in heard.items()],
        "heard": len(heard) / len(truth),
        "confidence": float(np.median([p.confidence for p in positions if p.mode != "waiting"])),
        "lost": float(np.mean(lost)),
        "noticed": next((p.time_s for p in positions if p.mode == "lost"), float("nan")),
        "cpu": used / (take.sound.shape[1] / make.RATE),
    }


def row(name: str, found: list[dict]) -> str:
    """One line of the table."""

    def errors(key: str) -> str:
        wrong = np.abs(np.concatenate([f[key] for f in found]))
        return f"{np.median(wrong):.0f} / {np.percentile(wrong, 95):.0f}"

    mean = {key: float(np.mean([f[key] for f in found])) for key in ("heard", "confidence", "cpu")}
    cells = [errors(key) for key in ("place", "expected", "move", "reaction")]
    cells += [f"{mean['heard']:.0%}", f"{mean['confidence']:.2f}", f"{mean['cpu']:.1%}"]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
