"""The synthetic engineer: a plausible balance as a true `MixPlan`, and what it makes of the raw tracks.

The engineer knows what each track is and what its recording did to it, and answers both: filters take back part of
a microphone's response, compressors start from the track's own peaks, faders meet a loudness that depends on the
instrument, and moving faders even out levels. The rest is taste, drawn from the seed. Every number is in
``engineer.toml`` with its source.

No strip feeds a bus and the master does nothing, so the mix is the sum of the tracks' strips, exactly.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.decisions import AddInsert, Automate, Decision, Reason, SetGain, SetPan
from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.reverb import Reverb
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import PARAMETERS, Curve
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import DoubleArray, FloatArray
from tonmeister.vocabulary import parents

__all__ = ["ENGINEER", "Desk", "DeskTrack"]

ENGINEER: Final = "synthetic engineer"
_RIDE_STEP_S: Final = 0.25
_RIDE_SMOOTH_S: Final = 1.5
_RIDE_LIMIT_DB: Final = 6.0
_ACTIVE_DB: Final = -30.0
"""A track is playing where its short-term level is at most this far below its loudest."""


@dataclass(frozen=True, eq=False)
class DeskTrack:
    """What the engineer gets of a track."""

    name: str
    instrument: str
    role: str
    raw: FloatArray = field(repr=False)
    recording: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    text = files("tonmeister.training.synthesis").joinpath("engineer.toml").read_text("utf-8")
    return tomllib.loads(text)


def _entry(table: str, instrument: str) -> Any:
    """The entry of the most exact word, or of ``other``."""
    entries = _table()[table]
    return next((entries[word] for word in parents(instrument) if word in entries), entries.get("other"))


@dataclass(frozen=True, eq=False)
class Desk:
    """The engineer's console with a song on it; it runs when its outputs are asked for."""

    title: str
    sample_rate: int
    tempo_bpm: float
    tracks: tuple[DeskTrack, ...]
    seeds: Seeds
    moving: bool = False

    @cached_property
    def multitrack(self) -> Multitrack:
        """The raw tracks, truly labelled."""
        tracks = tuple(
            Track(
                t.name,
                audio=Audio(t.raw, self.sample_rate),
                instrument=t.instrument,
                role=t.role,
                confidence=1.0,
                evidence="synthesized",
                group=t.group,
            )
            for t in self.tracks
        )
        return Multitrack(self.title, tracks, self.sample_rate, tempo_bpm=self.tempo_bpm)

    @cached_property
    def plan(self) -> MixPlan:
        """The engineer's settings."""
        inserts = list(self._inserts())
        levels, series = self._measured(inserts)
        return self._plan([*inserts, *self._pans(), *self._faders(levels, series)])

    @cached_property
    def settings(self) -> tuple[Decision, ...]:
        """Inserts and pans: what is settled before any strip has run."""
        return (*self._inserts(), *self._pans())

    @cached_property
    def targets_lu(self) -> Mapping[str, float]:
        """How loud each track is to be in the mix, against the lead voice."""
        return {t.name: self._target(t) for t in self.tracks}

    @cached_property
    def outputs(self) -> Mapping[str, FloatArray]:
        """Behind each strip's fader and pan, by track, as the renderer makes it; float32 (2, frames)."""
        return self._run(self.plan)

    @cached_property
    def mix(self) -> FloatArray:
        """The outputs, added up in float64 in the order of the tracks: float32 (2, frames).

        The renderer's own mix is the same up to the rounding of its tracks to float32.
        """
        total = np.zeros((2, self.tracks[0].raw.shape[1]))
        for track in self.tracks:
            total += self.outputs[track.name]
        return total.astype(np.float32)

    def _run(self, plan: MixPlan) -> dict[str, FloatArray]:
        from tonmeister.render import render_blocks

        names = [t.name for t in self.tracks]
        taps: dict[str, list[FloatArray]] = {name: [] for name in names}

        def take(name: str, block: FloatArray) -> None:
            if name in taps:
                taps[name].append(block.copy())

        for _ in render_blocks(self.multitrack, plan, threads=1, taps=take):
            pass
        return {name: np.concatenate(taps[name], axis=1) for name in names}

    def _plan(self, decisions: Sequence[Decision]) -> MixPlan:
        records = [
            TrackRecord(
                t.name, t.name, t.instrument, t.role, 1.0, "synthesized",
                channels=len(t.raw), frames=t.raw.shape[1], group=t.group,
            )
            for t in self.tracks
        ]  # fmt: skip
        return MixPlan.of(
            decisions, title=self.title, sample_rate=self.sample_rate, tracks=records, engine=ENGINEER
        )

    # -------------------------------------------------------------- inserts

    def _inserts(self) -> Iterator[Decision]:
        for track in self.tracks:
            seeds = self.seeds.child("strip", track.name)
            chain = (
                (self._high_pass(track, seeds.generator("high_pass")), "Room below for others."),
                (self._equalizer(track, seeds.generator("equalizer")), "Corrects the recording; taste."),
                (self._compressor(track, seeds.generator("compressor")), "Evens out its peaks."),
                (self._reverb(track, seeds.generator("reverb")), "A room to be in."),
            )
            for effect, why in chain:
                if effect is not None:
                    yield AddInsert(track.name, effect, reason=_reason(why), by=ENGINEER)

    def _high_pass(self, track: DeskTrack, random: np.random.Generator) -> Effect | None:
        low, high = _entry("high_pass", track.instrument)
        chance, cutoff_hz = random.random(), float(random.uniform(low, high))
        return HighPass(cutoff_hz) if chance < 0.7 else None

    def _equalizer(self, track: DeskTrack, random: np.random.Generator) -> Effect | None:
        """Takes back the two largest faults of the response, then what the instrument usually gets."""
        about = _table()["correction"]
        sections = []
        for fault in _largest_faults(track.recording, 2):
            share = float(np.clip(random.normal(about["share"], about["spread"]), 0.0, 1.2))
            sections.append(
                EqSection(fault["shape"], fault["frequency_hz"], -share * fault["gain_db"], fault["q"])
            )
        for shape, hertz, gain_db, q in _entry("tone", track.instrument) or ():
            wanted, more, place = random.random(), random.normal(1.0, 0.4), random.normal(0.0, 0.15)
            if wanted < 0.7:
                frequency_hz = float(hertz * 2**place)
                sections.append(EqSection(shape, frequency_hz, float(np.clip(gain_db * more, -9, 9)), q))
        return Equalizer(tuple(sections)) if sections else None

    def _compressor(self, track: DeskTrack, random: np.random.Generator) -> Effect | None:
        """Turns the peaks down: at `reduce` above the threshold times (1 - 1 / ratio) they lose that much."""
        about = _entry("compression", track.instrument)
        chance, ratio = random.random(), float(random.uniform(*about["ratio"]))
        reduce_db = float(random.uniform(*about["reduce_db"]))
        attack_ms, release_ms = (float(random.uniform(*about[n])) for n in ("attack_ms", "release_ms"))
        peak_db = _usual_peak_db(track.raw, self.sample_rate)
        if chance >= about["chance"] or peak_db is None:
            return None
        threshold_db = float(np.clip(peak_db - reduce_db / (1 - 1 / ratio), -80.0, 0.0))
        return Compressor(threshold_db, ratio, 6.0, attack_ms, release_ms)

    def _reverb(self, track: DeskTrack, random: np.random.Generator) -> Effect | None:
        about = _entry("reverb", track.instrument)
        chance, mix = random.random(), float(random.uniform(*about["mix"]))
        spread, damping_hz = float(random.normal(1.0, 0.2)), float(random.choice([4000.0, 6000.0, 8000.0]))
        if chance >= about["chance"]:
            return None
        beat_s = 60.0 / self.tempo_bpm
        return Reverb(
            decay_s=float(np.clip(round(15 * beat_s * spread) / 5, 0.6, 3.0)),
            predelay_ms=float(np.clip(1000 * beat_s / 16, 30.0, 90.0)),
            damping_hz=damping_hz,
            low_cut_hz=200.0,
            mix=mix,
        )

    # -------------------------------------------------------------- pans and faders

    def _pans(self) -> Iterator[Decision]:
        """Every lone source on the side that has less; several of a kind alternate."""
        leaning = 0.0
        for track in self.tracks:
            random = self.seeds.generator("pan", track.name)
            by_role = _table()["pans_by_role"].get(track.role)
            about = by_role or _entry("pans", track.instrument)
            wide = len(track.raw) == 2
            away = abs(random.normal(about["at"], about["spread"])) * (0.3 if wide else 1.0)
            coin = 1.0 if random.random() < 0.5 else -1.0
            side = -float(np.sign(leaning)) or coin
            pan = round(float(np.clip(side * away, -0.95, 0.95)), 3)
            leaning += pan
            if pan:
                yield SetPan(track.name, pan, reason=_reason("A place of its own."), by=ENGINEER)

    def _faders(
        self, levels: Mapping[str, float | None], series: Mapping[str, DoubleArray]
    ) -> Iterator[Decision]:
        targets = {name: lu for name, lu in self.targets_lu.items() if levels[name] is not None}
        together = 10 * np.log10(sum(10 ** (lu / 10) for lu in targets.values())) if targets else 0.0
        shift = _table()["mix"]["lufs"] - together
        rides = self._rides(series) if self.moving else {}
        for name, target in targets.items():
            gain_db = round(PARAMETERS["gain_db"].clip(target + shift - (levels[name] or 0.0)), 3)
            why = _reason(f"To {target + shift:.1f} LUFS in the mix.")
            if name in rides:
                curve = _curve(gain_db + rides[name])
                yield Automate(name, "gain_db", curve, reason=why, by=ENGINEER)
            else:
                yield SetGain(name, gain_db, reason=why, by=ENGINEER)

    def _target(self, track: DeskTrack) -> float:
        """Loudness against the lead voice: of the instrument, else of the role; with taste, and one for all drums."""
        targets = _table()["targets"]
        if all(t.instrument != "overheads" for t in self.tracks):
            targets = targets | _table()["targets_without_overheads"]
        known = next((w for w in parents(track.instrument) if w in targets), None)
        about = targets[known] if known else _table()["targets_by_role"][track.role]
        taste = self.seeds.generator("level", track.name).normal(0.0, about["spread"])
        kit = self.seeds.generator("level of the kit").normal(0.0, 2.0)
        return float(about["lu"] + taste + (kit if "drums" in parents(track.instrument) else 0.0))

    def _measured(
        self, inserts: Sequence[Decision]
    ) -> tuple[dict[str, float | None], dict[str, DoubleArray]]:
        """Loudness of each track behind its inserts, LUFS, and its level every `_RIDE_STEP_S`, dB."""
        from tonmeister.analysis.meter import LoudnessMeter

        outputs = self._run(self._plan(inserts))
        levels, series = {}, {}
        for name, sound in outputs.items():
            meter = LoudnessMeter(self.sample_rate, 2, peaks=False)
            meter.update(sound)
            levels[name] = meter.integrated_lufs
            series[name] = _level_series(sound, round(_RIDE_STEP_S * self.sample_rate))
        return levels, series

    def _rides(self, series: Mapping[str, DoubleArray]) -> dict[str, DoubleArray]:
        """What the hand does to each fader, dB around its place, one value every `_RIDE_STEP_S`."""
        power = {name: 10 ** (level / 10) for name, level in series.items()}
        total = np.sum(list(power.values()), axis=0)
        rides = {}
        for track in self.tracks:
            about = _entry("rides", track.instrument)
            own, playing = _deviation(series[track.name])
            others, _ = _deviation(10 * np.log10(np.maximum(total - power[track.name], 1e-12)))
            drift = _drift(len(own), self.seeds.generator("ride", track.name)) * about["drift_db"]
            ride = np.where(playing, about["others"] * others - about["own"] * own, np.nan)
            rides[track.name] = np.clip(_smoothed(_bridged(ride)) + drift, -_RIDE_LIMIT_DB, _RIDE_LIMIT_DB)
        return rides


def _reason(text: str) -> Reason:
    return Reason(text, source=ENGINEER)


def _largest_faults(recording: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    sections = recording.get("microphone", {}).get("sections", ())
    return sorted(sections, key=lambda s: -abs(s["gain_db"]))[:count]


def _usual_peak_db(raw: FloatArray, sample_rate: int) -> float | None:
    """95th percentile of the peaks of 50 ms in which the track plays; None in silence."""
    step = max(1, sample_rate // 20)
    whole = raw.shape[1] // step * step
    peaks = np.abs(raw[:, :whole]).max(0).reshape(-1, step).max(1)
    if not len(peaks) or peaks.max() <= 0:
        return None
    playing = peaks[peaks > peaks.max() * 10 ** (_ACTIVE_DB / 20)]
    return float(20 * np.log10(np.percentile(playing, 95)))


def _level_series(sound: FloatArray, step: int) -> DoubleArray:
    """Mean-square level of steps, dB; shape (steps,), at least one."""
    whole = max(sound.shape[1] // step, 1) * step
    padded = np.pad(sound[:, :whole], ((0, 0), (0, max(0, whole - sound.shape[1]))))
    power = (padded.astype(np.float64) ** 2).sum(0).reshape(-1, step).mean(1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def _deviation(level_db: DoubleArray) -> tuple[DoubleArray, Any]:
    """Distance from the mean where something plays, at most 12 dB, and where that is."""
    playing = level_db > level_db.max() + _ACTIVE_DB
    return np.clip(level_db - level_db[playing].mean(), -12.0, 12.0), playing


def _bridged(values: DoubleArray) -> DoubleArray:
    """Gaps filled with straight lines."""
    there = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), there, values[there]) if len(there) else np.zeros(len(values))


def _smoothed(values: DoubleArray) -> DoubleArray:
    """A hand is slow: a Hann window of `_RIDE_SMOOTH_S`, the ends held."""
    half = round(_RIDE_SMOOTH_S / _RIDE_STEP_S / 2)
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(values, half, mode="edge"), window / window.sum(), mode="valid")


def _drift(count: int, random: np.random.Generator) -> DoubleArray:
    """Slow noise of unit deviation, with a memory of three seconds."""
    keep = float(np.exp(-_RIDE_STEP_S / 3.0))
    steps = random.standard_normal(count) * np.sqrt(1 - keep * keep)
    value, drift = float(random.standard_normal()), np.empty(count)
    for i, step in enumerate(steps):
        value = keep * value + step
        drift[i] = value
    return drift


def _curve(values_db: DoubleArray) -> Curve:
    """A fader's way, a point in the middle of every step."""
    times = (np.arange(len(values_db)) + 0.5) * _RIDE_STEP_S
    clipped = np.clip(values_db, PARAMETERS["gain_db"].minimum, PARAMETERS["gain_db"].maximum)
    return Curve(tuple(times.tolist()), tuple(np.round(clipped, 3).tolist()))
