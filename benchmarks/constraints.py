"""How quickly the constraint store follows a change: a table for CONSTRAINTS.md.

    python benchmarks/constraints.py [--write]

Three situations: random chained rules, the shipped rule library on a made song, and a constant sum of faders. One change
at a time, each timed: the median, the 99th of a hundred, and how long computing everything from nothing takes, all in
processor time, so that a busy machine measures the same. With --write the table goes to CONSTRAINTS.md.
"""

from __future__ import annotations

import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from makers_asp import random_song
from tonmeister.constraints import (
    Call,
    Constant,
    Directed,
    Equation,
    Property,
    Quantified,
    Read,
    Store,
    Total,
)
from tonmeister.engines.semantic.engine import SemanticEngine
from tonmeister.engines.semantic.situation import owner_of
from tonmeister.units import Range

CHANGES = 2000


def chained(tracks: int, rules: int, seed: int = 1) -> Store:
    """Conditional rules over 12 features and 20 parameters, each parameter reading an earlier one."""
    chance = random.Random(seed)
    store = Store()
    store.define(*(Property(f"f{i}", "feature") for i in range(12)))
    store.define(*(Property(f"p{i}", default=0.0, range=Range(-1000.0, 1000.0)) for i in range(20)))
    for track in range(tracks):
        store.owner(f"t{track}", {"Track"})
    for number in range(rules):
        target = chance.randrange(20)
        before = f"p{chance.randrange(target)}" if target else "f0"
        value = Call(
            "+", (Call("*", (Read("?t", f"f{chance.randrange(12)}"), Constant(0.5))), Read("?t", before))
        )
        test = Call(">", (Read("?t", f"f{chance.randrange(12)}"), Constant(chance.uniform(-1.0, 1.0))))
        rule = Directed(Read("?t", f"p{target}"), value, test, chance.randrange(3), f"r{number}")
        store.add(Quantified((("?t", "Track"),), rule))
    store.update({(f"t{t}", f"f{i}"): chance.uniform(-2.0, 2.0) for t in range(tracks) for i in range(12)})
    return store


def summed(tracks: int) -> Store:
    """Faders whose sum stays."""
    store = Store()
    store.define(Property("level", default=0.0, range=Range(-60.0, 12.0)))
    for track in range(tracks):
        store.owner(f"t{track}", {"Track"})
    total = Total("sum", "?t", "Track", Read("?t", "level"))
    store.add(Equation(total, Constant(-3.0 * tracks), name="sum"))
    return store


def timed(store: Store, change: Callable[[int], tuple[tuple[str, str], float]]) -> tuple[float, float, float]:
    """(median, 99th of a hundred, everything from nothing) in milliseconds."""
    store.values()
    taken = []
    for number in range(CHANGES):
        key, value = change(number)
        start = time.thread_time()
        store.set(key, value)
        taken.append(1000.0 * (time.thread_time() - start))
    start = time.thread_time()
    fresh = store.rebuilt()
    fresh.values()
    whole_ms = 1000.0 * (time.thread_time() - start)
    assert fresh.values() == store.values()
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98], whole_ms


def rows() -> list[tuple[str, float, float, float]]:
    """One row a situation."""
    chance = random.Random(2)
    found = []
    for tracks, rules in ((8, 20), (32, 60), (40, 20), (64, 120)):
        store = chained(tracks, rules)

        def feature(number: int, tracks: int = tracks) -> tuple[tuple[str, str], float]:
            return (f"t{chance.randrange(tracks)}", f"f{chance.randrange(12)}"), chance.uniform(-2.0, 2.0)

        found.append((f"{tracks} tracks x {rules} chained rules", *timed(store, feature)))
    for tracks in (12, 32):
        multitrack, features = random_song(3, tracks)
        engine = SemanticEngine()
        situation = engine.situation(multitrack, features)
        names = multitrack.names

        def crest(number: int, names: tuple[str, ...] = names) -> tuple[tuple[str, str], float]:
            return (owner_of(chance.choice(names)), "crest"), chance.uniform(6.0, 20.0)

        label = f"{tracks} tracks, the {len(engine.choice.applied)} shipped rules, crest factor"
        found.append((label, *timed(situation.store, crest)))
    for tracks in (3, 32):
        store = summed(tracks)

        def fader(number: int, tracks: int = tracks) -> tuple[tuple[str, str], float]:
            return (f"t{chance.randrange(tracks)}", "level"), chance.uniform(-6.0, 0.0)

        found.append((f"{tracks} faders with a constant sum", *timed(store, fader)))
    return found


def table() -> str:
    """What was measured, as Markdown."""
    head = (
        f"Measured with Python {platform.python_version()}, one core, {platform.machine()}; {CHANGES} changes a row.",
        "",
        "| situation | median, ms | 99 %, ms | from nothing, ms |",
        "|---|---|---|---|",
    )
    return "\n".join((*head, *(f"| {label} | {a:.3f} | {b:.3f} | {c:.0f} |" for label, a, b, c in rows())))


def main() -> None:
    """Print the table, and write it when asked to."""
    text = table()
    print(text)
    if "--write" in sys.argv:
        page = Path(__file__).with_name("CONSTRAINTS.md")
        head, mark, _ = page.read_text("utf-8").partition("<!-- measured -->\n")
        page.write_text(f"{head}{mark}\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
