"""How close `mix --reference` comes: to the very mix of scrambled tracks, and to another song.

    python benchmarks/matching.py TRACKS --reference MIX [--scramble 12] [--seed 0] [--whole] [--engine textbook]
    python benchmarks/matching.py TRACKS --reference OTHER_SONG [--engine textbook]

With --scramble every track first gets a random gain within that many decibels; the true answer is its inverse, and the
table shows how far each fader is from it once the mean is taken off. --whole measures the whole song, too, not only the
part that was rendered while matching.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from tonmeister.analysis import measure
from tonmeister.audio import Audio, read_audio
from tonmeister.evaluation.diff_mst import feature_distance
from tonmeister.evaluation.songs import scrambled
from tonmeister.evaluation.spectral_losses import sum_difference
from tonmeister.matching import match
from tonmeister.matching.desk import equal_power
from tonmeister.matching.matcher import Matched
from tonmeister.multitrack import Multitrack
from tonmeister.pipeline import decide, listen, load_multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import render_blocks
from tonmeister.tonal_balance import tonal_balance
from tonmeister.units import FloatArray


def main() -> None:
    """Match and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tracks", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--engine", default="textbook")
    parser.add_argument("--scramble", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true")
    asked = parser.parse_args()
    song = load_multitrack(asked.tracks)
    mixed = scrambled(song, asked.scramble, asked.seed)
    mixed, features = listen(mixed, names_only=True)
    start = decide(mixed, features, engine=asked.engine)
    began = time.process_time()
    found = match(mixed, features, start, asked.reference)
    print(f"{song.title}: {len(mixed.tracks)} tracks, reference {found.reference}, start {asked.engine}")
    print(f"matching took {time.process_time() - began:.0f} s of processor time\n")
    _distances(found)
    if asked.scramble:
        _faders(song, mixed, found.plan)
    if asked.whole:
        _whole(mixed, start, found, asked.reference)


def _distances(found: Matched) -> None:
    print(f"{found.distance}:")
    for name, value in (("plain sum", found.plain_sum), ("start", found.before), ("matched", found.after)):
        print(f"  {name:10} {value:8.3f}  {100 * (1 - value / found.plain_sum):5.1f} % below the plain sum")
    for stage in found.stages:
        kept = "kept" if stage.kept else "left out"
        print(f"  {stage.name}: {stage.moves} moves, {stage.before:.3f} to {stage.after:.3f}, {kept}")


def _faders(song: Multitrack, mixed: Multitrack, plan: MixPlan) -> None:
    """Fader plus scramble is the same for all tracks when the answer is right; pans of such stems are centered."""
    totals = {
        t.name: plan[t.name].gain_db + t.input_gain_db - song[t.name].input_gain_db for t in mixed.tracks
    }
    heard = {n: g for n, g in totals.items() if not plan[n].muted and plan[n].gain_db > -90}
    middle = float(np.median(list(heard.values())))
    errors = {name: gain - middle for name, gain in heard.items()}
    print(f"\nfaders against the true inverse, {len(errors)} tracks: mean |error| "
          f"{np.mean(np.abs(list(errors.values()))):.2f} dB, largest {max(map(abs, errors.values())):.2f} dB; "
          f"pans: largest {max(abs(plan[n].pan) for n in heard):.2f}")  # fmt: skip
    for name, error in errors.items():
        moves = "  moves" if "gain_db" in plan[name].automation else ""
        print(f"  {name:32} scrambled {mixed[name].input_gain_db:+6.1f}  fader {plan[name].gain_db:+6.1f}  "
              f"error {error:+5.2f}  pan {plan[name].pan:+.2f}{moves}")  # fmt: skip


def _whole(mixed: Multitrack, start: MixPlan, found: Matched, reference: Path) -> None:
    """The same distances over the whole song, tonal balance and loudness range."""
    plain: list[FloatArray] = []
    matched = np.concatenate(
        list(render_blocks(mixed, found.plan, plain_sum=lambda _, b: plain.append(b.copy()))), axis=1
    )
    begun = np.concatenate(list(render_blocks(mixed, start)), axis=1)
    other = read_audio(reference, mixed.sample_rate)
    rows = {"plain sum": np.concatenate(plain, axis=1), "start": begun, "matched": matched}
    print(
        f"\n{'whole song':12}{'distance':>10}{'LRA':>7}{'side share':>12}  tonal balance against the reference, dB"
    )
    target = measure([other.samples], other.sample_rate, 2)
    wanted = np.array(tonal_balance(target.third_octave_db).deviation_db)
    for name, samples in rows.items():
        own = measure([samples], mixed.sample_rate, 2)
        tonal = np.array(tonal_balance(own.third_octave_db).deviation_db) - wanted
        print(f"{name:12}{_distance(other, samples, found):10.3f}{own.loudness_range_lu or 0:7.1f}"
              f"{own.side_share or 0:12.3f}  {np.abs(tonal[1:-1]).mean():.1f} mean of 63 Hz to 8 kHz")  # fmt: skip
    print(f"{'reference':12}{0.0:10.3f}{target.loudness_range_lu or 0:7.1f}{target.side_share or 0:12.3f}")


def _distance(reference: Audio, samples: FloatArray, found: Matched) -> float:
    if not found.same_song:
        other = Audio(equal_power(samples, reference.samples), reference.sample_rate)
        return float(feature_distance(reference, other)["af_loss"].value or 0.0)
    frames = min(samples.shape[1], reference.frames)
    wanted = reference.samples[:, :frames]
    return sum_difference(wanted, equal_power(samples[:, :frames], wanted)).total


if __name__ == "__main__":
    main()
