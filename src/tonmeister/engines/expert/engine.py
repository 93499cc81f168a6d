"""The engine: findings of the whole song, exact smoothing from part to part, decisions with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from tonmeister.decisions import AddInsert, Automate, Decision, Mute, Reason, SetGain, SetPan
from tonmeister.engines.base import CausalMixer
from tonmeister.engines.expert.decoding import Decoded, decode, worth_moving
from tonmeister.engines.expert.filtering import Chain
from tonmeister.engines.expert.inserts import EQ_NODES, compressor, equalizer
from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.loading import load_any
from tonmeister.engines.expert.numbers import CONFIDENCE, number, value
from tonmeister.engines.expert.options import ExpertOptions
from tonmeister.engines.expert.panorama import Place, place
from tonmeister.engines.expert.reading import Evidence, Reader
from tonmeister.engines.expert.reasons import rules_behind, told, weights
from tonmeister.engines.expert.rooms import rooms
from tonmeister.engines.expert.sections import SongPart, found_parts, marked_parts, names_of
from tonmeister.engines.expert.soundcheck import Trim, soundcheck
from tonmeister.engines.expert.utility import Situation, best_step
from tonmeister.engines.prediction import compressor_change_db, filter_change_db, predicted_lufs
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, PARAMETERS, Curve
from tonmeister.units import DoubleArray

__all__ = ["ExpertEngine", "Ridden"]


class ExpertEngine:
    """An engineer's knowledge as a Bayesian network."""

    name: ClassVar[str] = "expert"
    Options: ClassVar[type[ExpertOptions]] = ExpertOptions

    def __init__(self, options: ExpertOptions | None = None, *, seed: int = 0) -> None:
        """Read the model; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or ExpertOptions()
        own = self._options.model
        self.known: Knowledge = load_any(Path(own).expanduser() if own else None)

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """Every decision of the mix."""
        return list(_Song(multitrack, features, self.known, self._options, self.name).decisions())

    def start(self, multitrack: Multitrack, plan: MixPlan) -> CausalMixer:
        """Begin a performance."""
        from tonmeister.engines.expert.mixer import ExpertMixer

        return ExpertMixer(
            multitrack, plan, self.known, improved=self._options.profile == "improved", by=self.name
        )


@dataclass(frozen=True, eq=False)
class Ridden:
    """One decision of one track through the parts of the song."""

    chances: tuple[DoubleArray, ...]
    """P(state | everything found) per part."""
    chosen: tuple[Decoded, ...]
    """What is held in each part."""
    moved: tuple[bool, ...]


class _Song:
    """One song on its way through the network."""

    def __init__(
        self,
        multitrack: Multitrack,
        features: MultitrackFeatures,
        known: Knowledge,
        options: ExpertOptions,
        by: str,
    ) -> None:
        self._multitrack, self._features, self._known = multitrack, features, known
        self._options, self._by, self._model = options, by, known.model
        self._improved = options.profile == "improved"
        self._left_out = dict(_left_out(multitrack, features))
        self._tracks = [t for t in multitrack.tracks if t.name not in self._left_out]
        self._parts = self._songs_parts()
        self._trims = soundcheck(self._tracks, features, known, faithful=not self._improved)
        self._found = self._findings()
        names = [n.name for n in self._model.network.nodes.values() if n.kind in ("given", "score", "sound")]
        self._chains = {node: Chain(self._model.network, node, names) for node in self._model.choices}

    def _songs_parts(self) -> list[SongPart]:
        if self._options.sections:
            return marked_parts(self._options.sections, self._features.duration_s)
        return found_parts(self._features)

    def _findings(self) -> list[dict[str, Evidence]]:
        """Per part, what is found about each track."""
        reader = Reader(self._multitrack, self._features, self._known, self._model, soft=self._improved,
                        delivery=self._options.delivery)  # fmt: skip
        song, tracks = reader.song(), {t.name: reader.track(t.name) for t in self._tracks}
        trims = {n: t.gain_db for n, t in self._trims.items()}
        offsets = {n: t.offset_lu for n, t in self._trims.items()}
        rows = []
        for index, part in enumerate(self._parts):
            here = song | reader.part(part, index, len(self._parts))
            levels = reader.loudness(part, trims, offsets)
            rows.append({n: here | tracks[n] | levels.get(n, Evidence()) for n in tracks})
        return rows

    # Posteriors

    def _ridden(self, node: str) -> dict[str, Ridden]:
        """A decision of all tracks through the parts."""
        chain, choice = self._chains[node], self._model.choices[node]
        slices = [self._stacked(row, chain) for row in self._found]
        chances = [np.broadcast_to(c, (len(self._tracks), c.shape[-1])) for c in chain.smooth(slices)]
        result = {}
        for index, track in enumerate(self._tracks):
            mine = tuple(np.asarray(c[index]) for c in chances)
            result[track.name] = (
                self._held(mine, node, track.name) if choice.control == "fader_db" else _still(mine, choice)
            )
        return result

    def _stacked(self, row: Mapping[str, Evidence], chain: Chain) -> dict[str, DoubleArray]:
        """Findings of all tracks as (tracks, states) per node."""
        network = self._model.network
        names = [n for n in chain.findings if any(n in e.found for e in row.values())]
        return {
            n: np.stack(
                [row[t.name].found.get(n, np.ones(len(network.nodes[n].states))) for t in self._tracks]
            )
            for n in names
        }

    def _held(self, chances: tuple[DoubleArray, ...], node: str, name: str) -> Ridden:
        """From part to part: moved where it is worth it, held elsewhere."""
        choice = self._model.choices[node]
        chosen: list[Decoded] = []
        moved: list[bool] = []
        if not self._options.moves and chances:
            chances = (np.asarray(np.mean([c for c in chances if np.isfinite(c).all()], axis=0)),) * len(
                chances
            )
        heard = [len(self._tracks) == 1 or "Loudness" in row[name].found for row in self._found]
        for index, chance in enumerate(chances):
            held = chosen[-1] if chosen else None
            present = heard[index]
            if not np.isfinite(chance).all() or (held is not None and not present and self._improved):
                chosen.append(held or Decoded(0.0, choice.values.index(0.0), 0.0, False))
                moved.append(False)
                continue
            new = self._chosen(chance, node, name, index, held)
            move = held is None or (
                worth_moving(new, held.value, chance, choice, section_start=True) if self._improved
                else new.value != held.value
            )  # fmt: skip
            chosen.append(new if move or held is None else held)
            moved.append(move)
        ridden = Ridden(chances, tuple(chosen), tuple(moved))
        return _waiting(ridden, heard) if self._improved else ridden

    def _chosen(self, chance: DoubleArray, node: str, name: str, index: int, held: Decoded | None) -> Decoded:
        """The mean of the posterior, or the step of the highest expected utility."""
        choice = self._model.choices[node]
        decoded = decode(chance, choice)
        if (
            self._options.choose == "mean"
            or decoded.value is None
            or "Prominence" not in self._model.network.nodes
        ):
            return decoded
        evidence = self._found[index][name]
        chain = Chain(self._model.network, "Prominence", list(evidence.found))
        prominence = chain.asked_with(evidence.found, chain.start())
        situation = Situation(
            prominence, evidence.values.get("Loudness", 0.0), evidence.values.get("masked", 0.0),
            held.value if held is not None and self._improved else None,
        )  # fmt: skip
        best = best_step(choice.values, situation)
        return Decoded(choice.values[best], best, float(chance[best]), False)

    # Decisions

    def decisions(self) -> Iterator[Decision]:
        """All decisions, in the order in which a person would make them."""
        for name, reason in self._left_out.items():
            yield Mute(name, True, reason=reason, by=self._by)
        if not self._tracks:
            return
        ridden = {node: self._ridden(node) for node in self._chains}
        levels_db, changes_db = {}, {}
        for track in self._tracks:
            inserts = list(self._inserts(track, ridden))
            yield from inserts
            changes_db[track.name] = self._change_db(track, inserts)
        faders = ridden["FaderStep"]
        common_db = self._common_db(faders, changes_db)
        for track in self._tracks:
            base_db = self._trims[track.name].gain_db - changes_db[track.name] + common_db
            levels_db[track.name] = self._level_db(faders[track.name], base_db)
            yield from self._fader(track, faders[track.name], base_db)
        yield from self._pans(ridden, levels_db)
        if "ReverbSend" in ridden:
            yield from rooms(
                self._tracks, self._features, ridden["ReverbSend"], self._model.choices["ReverbSend"], levels_db,
                self._multitrack.tempo_bpm or self._features.tempo_bpm, self._multitrack.names,
                lambda name, state: self._why("ReverbSend", name, 0, ridden["ReverbSend"][name], state), self._by,
            )  # fmt: skip
        yield SetGain(MASTER, 0.0, reason=self._whole(common_db), by=self._by)

    def _whole(self, common_db: float) -> Reason:
        target = value("soundcheck.mix_loudness")
        words = ", ".join(
            f"{name} at {part.start_s:.0f} s"
            for name, part in zip(names_of(self._parts), self._parts, strict=True)
        )
        text = (
            f"The faders add up to {target.numbers[0]:.0f} LUFS ({common_db:+.1f} dB on each): the master stays at unity. "
            f"The song has {len(self._parts)} part{'s' if len(self._parts) > 1 else ''}: {words}."
        )
        taught = f"; taught by {', '.join(self._model.taught_by)}" if self._model.taught_by else ""
        source = f"after Ren, Bocko et al., AES 129 (2010){taught}"
        return Reason(text, source, "expert.whole", target.evidence, CONFIDENCE[target.evidence])

    def _common_db(self, faders: Mapping[str, Ridden], changes_db: Mapping[str, float]) -> float:
        """One gain for all, so that the predicted mix has its loudness."""
        series = [
            self._features[t.name].momentary_lufs + np.float32(changes_db[t.name]) for t in self._tracks
        ]
        gains = [
            self._level_db(faders[t.name], self._trims[t.name].gain_db - changes_db[t.name])
            for t in self._tracks
        ]
        together = predicted_lufs(series, gains)
        return 0.0 if together is None else number("soundcheck.mix_loudness") - together

    def _level_db(self, ridden: Ridden, base_db: float) -> float:
        """Mean fader of a track over the song, weighted by the length of the parts; a part that is off counts not."""
        lengths = [p.end_s - p.start_s for p in self._parts]
        pairs = [
            (c.value, length) for c, length in zip(ridden.chosen, lengths, strict=True) if c.value is not None
        ]
        total = sum(length for _, length in pairs)
        if total <= 0.0:
            return PARAMETERS["gain_db"].minimum
        return base_db + sum(v * length for v, length in pairs) / total

    def _fader(self, track: Track, ridden: Ridden, base_db: float) -> Iterator[Decision]:
        gains = [_fader_db(base_db, c.value) for c in ridden.chosen]
        first = self._why(
            "FaderStep", track.name, 0, ridden, ridden.chosen[0].state, self._base_text(track, base_db)
        )
        if all(abs(g - gains[0]) < 1e-9 for g in gains):
            yield SetGain(track.name, gains[0], reason=first, by=self._by)
            return
        notes = [*first.notes]
        for index, (part, called) in enumerate(zip(self._parts, names_of(self._parts), strict=True)):
            if index and ridden.moved[index] and abs(gains[index] - gains[index - 1]) > 1e-9:
                why = self._why("FaderStep", track.name, index, ridden, ridden.chosen[index].state)
                notes.append(
                    f"{called} from {part.start_s:.1f} s: {gains[index]:+.1f} dB ({why.rule}): {why.text}"
                )
        text = f"It moves with the parts of the song, {min(gains):+.1f} to {max(gains):+.1f} dB. {first.text}"
        reason = Reason(text, first.source, first.rule, first.evidence, first.confidence, tuple(notes))
        yield Automate(track.name, "gain_db", self._curve(gains), reason=reason, by=self._by)

    def _curve(self, gains: Sequence[float]) -> Curve:
        """A ramp that arrives as each part begins."""
        ramp_s = number("ramp.section_ms") / 1000.0
        times, values = [0.0], [gains[0]]
        for part, gain in zip(self._parts[1:], gains[1:], strict=True):
            if abs(gain - values[-1]) > 1e-9:
                times += [max(part.start_s - ramp_s, times[-1] + 1e-3), part.start_s]
                values += [values[-1], gain]
        return Curve(tuple(round(t, 6) for t in times), tuple(values))

    def _base_text(self, track: Track, base_db: float) -> str:
        trim: Trim = self._trims[track.name]
        measured = self._features[track.name].integrated_lufs or 0.0
        text = f"From {measured:.1f} LUFS the soundcheck puts it at {base_db:+.1f} dB"
        if trim.reference is not None:
            text += f" ({trim.offset_lu:+.1f} LU against equal loudness: {trim.reference.source} [{trim.reference.grade}])"
        elif trim.offset_lu:
            text += f" ({trim.offset_lu:+.1f} LU: {trim.sharing} tracks share the level)"
        return text + "."

    def _inserts(self, track: Track, ridden: Mapping[str, Mapping[str, Ridden]]) -> Iterator[AddInsert]:
        bands = {n: ridden[n][track.name].chosen[0] for n in EQ_NODES if n in ridden}
        effect = equalizer({n: d.value or 0.0 for n, d in bands.items()})
        if effect is not None:
            moved = max(bands, key=lambda n: abs(bands[n].value or 0.0))
            text = ", ".join(f"{s.gain_db:+.1f} dB at {s.frequency_hz:.0f} Hz" for s in effect.sections) + "."
            reason = self._why(moved, track.name, 0, ridden[moved][track.name], bands[moved].state, text)
            yield AddInsert(track.name, effect, reason=reason, by=self._by)
        if "Comp" in ridden:
            decided = ridden["Comp"][track.name].chosen[0]
            ratio = self._model.choices["Comp"].values[decided.state] or 1.0
            squeeze = compressor(ratio, self._features[track.name])
            if squeeze is not None:
                text = f"{ratio:g}:1 above {squeeze.threshold_db:.1f} dB."
                reason = self._why("Comp", track.name, 0, ridden["Comp"][track.name], decided.state, text)
                yield AddInsert(track.name, squeeze, reason=reason, by=self._by)

    def _change_db(self, track: Track, inserts: Sequence[AddInsert]) -> float:
        """What the inserts do to the loudness, predicted."""
        from tonmeister.effects.compressor import Compressor
        from tonmeister.effects.equalizer import Equalizer

        measured, change_db = self._features[track.name], 0.0
        for insert in inserts:
            if isinstance(insert.effect, Equalizer):
                change_db += filter_change_db(measured.third_octave_db, [insert.effect], measured.sample_rate)
            elif isinstance(insert.effect, Compressor):
                change_db += compressor_change_db(
                    insert.effect, measured.level_db, measured.peak_level_db, gain_db=change_db,
                    third_octave_db=measured.third_octave_db, sample_rate=measured.sample_rate,
                )  # fmt: skip
        return change_db

    def _pans(
        self, ridden: Mapping[str, Mapping[str, Ridden]], levels_db: Mapping[str, float]
    ) -> Iterator[SetPan]:
        if "Pan" not in ridden:
            return
        loud = {
            t.name: levels_db[t.name] + (self._features[t.name].integrated_lufs or 0.0) for t in self._tracks
        }
        top = max(loud.values())
        images = {t.name: _keeps_image(t, self._features) for t in self._tracks}
        chances = {t.name: ridden["Pan"][t.name].chances[0] for t in self._tracks}
        places: dict[str, Place] = place(
            self._tracks, chances, {n: v - top for n, v in loud.items()}, images, self._model.choices["Pan"]
        )
        for track in self._tracks:
            spot = places[track.name]
            reason = self._why("Pan", track.name, 0, ridden["Pan"][track.name], spot.state, "")
            note = spot.notes or ("which side: the lighter one, away from what is there",) * (spot.pan != 0.0)
            reason = Reason(
                reason.text,
                reason.source,
                reason.rule,
                reason.evidence,
                spot.confidence,
                (*reason.notes, *note),
            )
            yield SetPan(track.name, spot.pan, reason=reason, by=self._by)

    # Reasons

    def _why(self, node: str, name: str, index: int, ridden: Ridden, state: int, text: str = "") -> Reason:
        """The rules behind a choice, and the findings that tipped it."""
        chain, evidence = self._chains[node], self._found[index][name]
        forward, backward = chain.messages([dict(row[name].found.items()) for row in self._found])
        found = weights(chain, state, evidence.found, forward[index], backward[index])
        behind = rules_behind(self._model, node, state, evidence.found, forward[index], chain.before)
        spoke = [rule for rule, weight in behind if weight > 0.05][:2]
        label = self._model.network.nodes[node].states[state]
        chance = float(ridden.chances[index][state])
        says = f" {spoke[0].text}" if spoke else " No rule speaks: the habit."
        taught = self._model.learned(node)
        source = spoke[0].source if spoke else "habit of the hand-built model"
        if taught:
            source = f"learned from {', '.join(self._model.taught_by)}; {source}"
        grade = "M" if taught else spoke[0].grade if spoke else "R"
        tipped = f"P({_worded(label)}) = {chance:.0%}: {told(found, evidence.words)}"
        rule = f"expert.{spoke[0].id}" if spoke else f"expert.{node}"
        more = tuple(f"{rule.id}: {rule.text} [{rule.grade}] {rule.source}" for rule in spoke[1:])
        return Reason(
            (text + says).strip(), source, rule, f"{grade}; {tipped}", ridden.chosen[index].confidence, more
        )


def _worded(state: str) -> str:
    """A state's label as a reader writes it: ``m4_5`` is -4.5."""
    if len(state) > 1 and state[0] in "mp" and state[1].isdigit():
        sign = "-" if state[0] == "m" else "+" if state != "p0" else ""
        return sign + state[1:].replace("_", ".") + " dB"
    if len(state) > 1 and state[0] in "lr" and state[1:].isdigit():
        return f"{state[1:]}% {'left' if state[0] == 'l' else 'right'}"
    if state == "c":
        return "center"
    return state.replace("_", " ")


def _waiting(ridden: Ridden, heard: Sequence[bool]) -> Ridden:
    """Before a track first plays, its fader waits where it will begin."""
    first = next((i for i, there in enumerate(heard) if there), 0)
    return Ridden(
        ridden.chances,
        (ridden.chosen[first],) * first + ridden.chosen[first:],
        (False,) * (first + 1) + ridden.moved[first + 1 :],
    )


def _still(chances: tuple[DoubleArray, ...], choice: object) -> Ridden:
    """A decision that holds for the whole song: by the mean of what the parts say."""
    from tonmeister.engines.expert.model import Choice

    assert isinstance(choice, Choice)
    good = [c for c in chances if np.isfinite(c).all()]
    mean = (
        np.asarray(np.mean(good, axis=0)) if good else np.full(len(choice.values), 1.0 / len(choice.values))
    )
    chosen = decode(mean, choice)
    return Ridden((mean,) * len(chances), (chosen,) * len(chances), (True,) + (False,) * (len(chances) - 1))


def _fader_db(base_db: float, step_db: float | None) -> float:
    allowed = PARAMETERS["gain_db"]
    return allowed.minimum if step_db is None else round(allowed.clip(base_db + step_db), 2)


def _keeps_image(track: Track, features: MultitrackFeatures) -> bool:
    """Whether a stereo recording has an image to keep (not the same signal twice)."""
    width = features[track.name].width
    return track.channels > 1 and (width is None or width > 1e-4)


def _left_out(multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[tuple[str, Reason]]:
    """The tracks that are not mixed, and why."""
    for name in multitrack.names:
        if features[name].silent:
            yield (
                name,
                Reason(
                    "Nothing in this file is loud enough to hear.",
                    "ITU-R BS.1770-4: absolute gate of -70 LUFS",
                    "expert.silent",
                ),
            )
    for kept, again in features.duplicates:
        if {kept, again} <= set(multitrack.names) and not features[again].silent:
            text = f"The same audio as {kept}: two copies would only be twice as loud."
            yield again, Reason(text, "measurement", "expert.duplicate", "equal checksums")
