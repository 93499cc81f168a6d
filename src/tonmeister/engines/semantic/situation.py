"""One song as rules see it: tracks, buses and the song as owners in a store, with the rules as constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tonmeister.constraints import Directed, Read, Store, Value
from tonmeister.constraints.expressions import compiled
from tonmeister.engines.semantic.capabilities import Selection
from tonmeister.engines.semantic.compiling import Compiled, compiled_rule, is_about_facts
from tonmeister.engines.semantic.documents import KnownRule
from tonmeister.engines.semantic.terms import (
    features,
    local_name,
    owner_classes,
    properties,
    textbook_terms,
    tm,
)
from tonmeister.engines.textbook.measures import NAMES, track_lookup
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.rif.ast import Const, Frame, Member, iri
from tonmeister.rif.facts import Facts
from tonmeister.rif.production import run
from tonmeister.rif.values import constant

__all__ = ["DRUM_BUS", "MIX_BUS", "SONG", "Situation", "filled_store", "owner_of"]

SONG: Final = "song"
DRUM_BUS: Final = "bus/drums"
MIX_BUS: Final = "bus/mix"
_FIRINGS_EACH: Final = 10
"""A rule that fires more often than this for every track runs in a loop."""
_TRACK_NODE: Final = "urn:tonmeister:owner#"


def owner_of(track: str) -> str:
    """The owner that stands for a track."""
    return f"track/{track}"


@dataclass
class Situation:
    """The store of one song, and which rule said what."""

    store: Store
    rules: Mapping[str, KnownRule]
    """Rules in use, by IRI."""
    instances: tuple[Compiled, ...] = ()
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Owner -> objects that rules make for it, in the order of the rules."""
    roles: Mapping[str, tuple[str, KnownRule]] = field(default_factory=dict)
    """Track -> the role a rule has given it."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        rules: Sequence[KnownRule],
        selection: Selection,
        multitrack: Multitrack,
        measured: MultitrackFeatures,
        *,
        heard: Sequence[str],
        faithful: bool,
    ) -> Situation:
        """Facts first, by production rules; then everything else as constraints."""
        in_use = {known.iri: known for known in rules}
        tracks = [multitrack[name] for name in heard]
        values = _measurements(tracks, multitrack, measured)
        facts = [known for known in rules if is_about_facts(known.rule)]
        owners, roles, notes = _settled_facts(facts, tracks, multitrack, values, selection)
        texts = {owner_of(t.name): _texts(t, multitrack) for t in tracks}
        instances = [
            instance
            for known in rules
            if not is_about_facts(known.rule)
            for instance in compiled_rule(known.rule, owners, texts, selection.meanings)
        ]
        store, made = filled_store(owners, instances, faithful=faithful)
        store.update({key: value for key, value in values.items() if value is not None})
        given = {owner_of(t.name): role for t in tracks if (role := roles.get(t.name)) is not None}
        store.update({(owner, "role"): role for owner, (role, _) in given.items()})
        named = {name: (role, in_use[rule]) for name, (role, rule) in roles.items() if rule}
        return cls(store, in_use, tuple(instances), made, named, notes)

    def measured(self, owner: str, values: Mapping[str, float | None]) -> None:
        """What is known about a bus or the song by now."""
        self.store.update({(owner, name): value for name, value in values.items()})

    def speaking(self, owner: str, name: str) -> KnownRule | None:
        """The rule that decides a parameter now."""
        decided = self.store.decided_by(owner, name)
        return self.rules.get(decided) if decided else None

    def unknown(self, instance: Compiled) -> tuple[str, ...]:
        """The features that keep an instance of a rule from being decided, as nobody measured them."""
        network: list[Read] = []
        quantity = compiled(instance.condition, lambda read: _number_in(network, read))
        known = [self.store.get(read.owner, read.property) for read in network]
        plain = quantity(known)
        missing = {
            r.property for r, v in zip(network, known, strict=True) if v is None and r.property in features()
        }
        return tuple(sorted(missing)) if plain is not True and missing else ()

    def spoken(self) -> list[tuple[str, str, tuple[tuple[str, int, Value], ...]]]:
        """(owner, parameter, who says what, the winner first) wherever several rules speak now."""
        found = []
        for owner, name in dict.fromkeys(_targets(self.instances)):
            said = self.store.spoken(owner, name)
            if len(said) > 1:
                found.append((owner, name, said))
        return found


def _targets(instances: Iterable[Compiled]) -> list[tuple[str, str]]:
    return [
        (c.target.owner, c.target.property)
        for instance in instances
        for c in instance.constraints
        if isinstance(c, Directed)
    ]


def _number_in(network: list[Read], read: Read) -> int:
    if read not in network:
        network.append(read)
    return network.index(read)


def _parent(owner: str) -> str | None:
    return None if owner in (MIX_BUS, SONG) else MIX_BUS


def filled_store(
    owners: Mapping[str, frozenset[str]], instances: Sequence[Compiled], *, faithful: bool
) -> tuple[Store, dict[str, tuple[str, ...]]]:
    """A store with all owners and rules, and which objects rules make for whom."""
    store = Store(faithful=faithful)
    store.define(*properties())
    for owner, classes in owners.items():
        store.owner(owner, classes, parent=_parent(owner) if MIX_BUS in owners else None)
    belonging: dict[str, list[str]] = {}
    for instance in instances:
        for made in instance.made:
            store.owner(made.name, made.classes)
        for constraint in instance.constraints:
            if isinstance(constraint, Directed) and constraint.target.property in ("stepOf", "sectionOf"):
                owner = str(getattr(constraint.value, "value", None))
                belonging.setdefault(owner, []).append(constraint.target.owner)
    store.add(*(constraint for instance in instances for constraint in instance.constraints))
    return store, {owner: tuple(objects) for owner, objects in belonging.items()}


# ------------------------------------------------------------------ what is measured


def _measurements(
    tracks: Sequence[Track], multitrack: Multitrack, measured: MultitrackFeatures
) -> dict[tuple[str, str], Value]:
    """Features of all tracks and of the song, under our names."""
    tempo_bpm = multitrack.tempo_bpm or measured.tempo_bpm
    names = {name: term for name, term in textbook_terms()["features"].items() if name in NAMES}
    values: dict[tuple[str, str], Value] = {}
    for track in tracks:
        lookup = track_lookup(measured[track.name], measured, tempo_bpm, jarp=False)
        for name, term in names.items():
            if name.startswith("track."):
                values[owner_of(track.name), term] = lookup(name)
            elif name.startswith("song."):
                values[SONG, term] = lookup(name)
        values |= _more(track, measured[track.name])
        several = bool(track.group) and sum(t.group == track.group for t in tracks) > 1
        values[owner_of(track.name), "section"] = "several" if several else "single"
    values |= _brightness(tracks, measured)
    return values


def _more(track: Track, measured: TrackFeatures) -> dict[tuple[str, str], Value]:
    owner = owner_of(track.name)
    return {
        (owner, "spread"): measured.spread_hz,
        (owner, "rolloff"): measured.rolloff_hz,
        (owner, "correlation"): measured.correlation,
    }


def _brightness(tracks: Sequence[Track], measured: MultitrackFeatures) -> dict[tuple[str, str], Value]:
    """(centroid - lowest) / (highest - lowest), over the tracks of the song."""
    centroids = {t.name: c for t in tracks if (c := measured[t.name].centroid_hz) is not None}
    low, high = min(centroids.values(), default=0.0), max(centroids.values(), default=0.0)
    return {
        (owner_of(name), "brightness"): (c - low) / (high - low) if high > low else 0.5
        for name, c in centroids.items()
    }


def _texts(track: Track, multitrack: Multitrack) -> frozenset[str]:
    layout = "stereo" if track.channels > 1 else "mono"
    attributes = [f"attribute={word}" for word in (*track.attributes, layout)]
    return frozenset(
        (*attributes, *(f"genre={w}" for w in multitrack.genre.casefold().replace(",", " ").split()))
    )


# ------------------------------------------------------------------ facts


def _settled_facts(
    rules: Sequence[KnownRule],
    tracks: Sequence[Track],
    multitrack: Multitrack,
    values: Mapping[tuple[str, str], Value],
    selection: Selection,
) -> tuple[dict[str, frozenset[str]], dict[str, tuple[str, str]], tuple[str, ...]]:
    """Owners with their classes, roles with the rule that gave them ('' for the given one), and notes."""
    owners = {owner_of(t.name): owner_classes(t.instrument) for t in tracks}
    owners |= {SONG: frozenset({"Song"}), DRUM_BUS: frozenset({"DrumBus", "Strip"})}
    owners[MIX_BUS] = frozenset({"MixBus", "Strip"})
    roles = {t.name: (t.role, "") for t in tracks}
    if not rules:
        return owners, roles, ()
    facts = _facts(tracks, multitrack, owners, values, selection)
    outcome = run(
        [known.rule for known in rules], facts, most_firings=_FIRINGS_EACH * len(rules) * max(1, len(tracks))
    )
    for firing in outcome.firings:
        for subject, key, value in firing.writes:
            name = _track_named(subject, tracks)
            word = str(getattr(value, "value", ""))
            if name and key == iri(tm("role")) and multitrack[name].confidence < 1.0:
                roles[name] = (local_name(word) or word, firing.rule.name)
    for instance, cls in facts.members():
        name, added = _track_named(instance, tracks), local_name(getattr(cls, "value", ""))
        if name and added:
            owners[owner_of(name)] |= {added}
    return owners, roles, (*outcome.notes, *(str(c) for c in outcome.conflicts))


def _track_named(subject: object, tracks: Sequence[Track]) -> str | None:
    number = str(getattr(subject, "value", "")).removeprefix(_TRACK_NODE)
    return tracks[int(number)].name if number.isdigit() and int(number) < len(tracks) else None


def _facts(
    tracks: Sequence[Track],
    multitrack: Multitrack,
    owners: Mapping[str, frozenset[str]],
    values: Mapping[tuple[str, str], Value],
    selection: Selection,
) -> Facts:
    """What production rules start from: memberships, tags and measurements of every track."""
    also: dict[str, list[Const]] = {}
    for needed, meant in selection.meanings.items():
        if needed != meant and (name := local_name(meant)):
            also.setdefault(name, []).append(iri(needed))
    facts = Facts()
    for number, track in enumerate(tracks):
        node, owner = iri(f"{_TRACK_NODE}{number}"), owner_of(track.name)
        for cls in sorted(owners[owner]):
            facts.add(Member(node, iri(tm(cls))))
        section = str(values[owner, "section"])
        facts.add(
            Frame(node, ((iri(tm("role")), iri(tm(track.role))), (iri(tm("section")), iri(tm(section)))))
        )
        for text in sorted(_texts(track, multitrack)):
            key, _, word = text.partition("=")
            facts.add(Frame(node, ((iri(tm(key)), constant(word)),)))
        for (of, name), value in values.items():
            if of == owner and isinstance(value, float):
                for key in (iri(tm(name)), *also.get(name, ())):
                    facts.add(Frame(node, ((key, constant(value)),)))
    return facts
