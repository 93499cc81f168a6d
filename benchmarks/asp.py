"""How far the engine `asp` gets: grounding, conflicts, cost and time against the number of tracks.

    python benchmarks/asp.py [--tracks 4,8,16,24,32,64,128] [--songs 3] [--write]

Songs are random: usual instruments, humps of spectra, masking drawn at random and denser than in recordings. With
--write the tables go to ASP.md. Times are of this machine; costs and conflicts are the same on every one.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from makers_asp import random_song  # noqa: E402
from tonmeister.engines.asp.facts import facts_of  # noqa: E402
from tonmeister.engines.asp.solve import Limits, NothingFoundError, Solution, solve  # noqa: E402

CONFLICTS = (100, 300, 1_000, 3_000, 10_000, 20_000, 100_000)
PLENTY_S = 600.0


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", default="4,8,16,24,32,64,128")
    parser.add_argument("--songs", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    sizes = [int(n) for n in asked.tracks.split(",")]
    text = "\n".join([*_sizes_table(sizes, asked.songs), "", *_conflicts_table(sizes)])
    print(text)
    if asked.write:
        page = HERE / "ASP.md"
        head, mark, _ = page.read_text("utf-8").partition("<!-- measured -->\n")
        page.write_text(f"{head}{mark}\n{_machine()}\n\n{text}\n", "utf-8")


def _machine() -> str:
    from importlib.metadata import version

    return f"Measured with clingo {version('clingo')}, Python {platform.python_version()}, one core, {platform.machine()}."


def _solved(count: int, seed: int, conflicts: int) -> Solution:
    return solve(facts_of(*random_song(seed, count)), limits=Limits(conflicts, PLENTY_S))


def _sizes_table(sizes: Sequence[int], songs: int) -> Iterator[str]:
    yield f"Default limit ({Limits().conflicts} conflicts a part), medians over {songs} random songs:"
    yield ""
    yield "| tracks | ground rules | rules a track | grounding s | solving s | conflicts | proved best |"
    yield "|---|---|---|---|---|---|---|"
    for count in sizes:
        found = [_solved(count, seed, Limits().conflicts) for seed in range(songs)]
        rules = statistics.median(s.rules for s in found)
        times = [statistics.median(getattr(s, what) for s in found) for what in ("grounding_s", "solving_s")]
        conflicts = statistics.median(s.conflicts for s in found)
        proved = f"{sum(s.proved for s in found)} of {songs}"
        yield (
            f"| {count} | {rules:.0f} | {rules / count:.0f} | {times[0]:.2f} | {times[1]:.2f} | {conflicts:.0f} | {proved} |"
        )


def _conflicts_table(sizes: Sequence[int]) -> Iterator[str]:
    yield "Cost against conflicts, one song each: balance/masking/wishes/processing, * if proved best, seconds."
    yield ""
    yield "| conflicts | " + " | ".join(f"{n} tracks" for n in sizes) + " |"
    yield "|---" * (len(sizes) + 1) + "|"
    proved: set[int] = set()
    for conflicts in CONFLICTS:
        cells = []
        for count in sizes:
            cells.append("=" if count in proved else _cell(count, conflicts))
            if "*" in cells[-1]:
                proved.add(count)
        yield f"| {conflicts} | " + " | ".join(cells) + " |"


def _cell(count: int, conflicts: int) -> str:
    try:
        solution = _solved(count, 0, conflicts)
    except NothingFoundError:
        return "none"
    cost = "/".join(str(solution.cost[p]) for p in (4, 3, 2, 1))
    seconds = solution.grounding_s + solution.solving_s
    return f"{cost}{' *' if solution.proved else ''} ({seconds:.1f})"


if __name__ == "__main__":
    main()
