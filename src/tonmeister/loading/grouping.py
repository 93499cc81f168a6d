"""What belongs together: left and right, the microphones of one source; and names that may not be the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tonmeister.loading.config import FolderConfig
from tonmeister.loading.drafts import Draft
from tonmeister.loading.files import comparable
from tonmeister.multitrack import Track
from tonmeister.naming import is_microphone_set, split_side
from tonmeister.naming.sides import Side

__all__ = ["with_groups", "with_pairs", "with_unique_names"]

RESERVED_NAMES = frozenset({"master"})
"""Strips of the console that no track may be named after."""
_SHORTEST_PARTNER = 0.9
"""Share of the longer file that its partner must last: less is a take of its own."""


def with_pairs(drafts: Sequence[Draft]) -> tuple[list[Draft], list[str]]:
    """Mono files whose names differ in left and right only become one stereo draft; notes say which."""
    partners, notes = _partners(drafts)
    rights = {id(right) for right in partners.values()}
    joined = []
    for draft in drafts:
        if right := partners.get(id(draft)):
            joined.append(_joined(draft, right))
            notes.append(
                f"{draft.file} and {right.file}: joined as the left and right of {joined[-1].name!r}"
            )
        elif id(draft) not in rights:
            joined.append(draft)
    return joined, notes


def _partners(drafts: Sequence[Draft]) -> tuple[dict[int, Draft], list[str]]:
    """The right draft of each left one, by identity; notes tell of pairs that do not fit."""
    partners, notes = {}, []
    for sides in _sides(drafts).values():
        if len(sides["left"]) != 1 or len(sides["right"]) != 1:
            continue
        (left,), (right,) = sides["left"], sides["right"]
        if misfit := _misfit(left, right):
            notes.append(f"{left.file} and {right.file}: not joined as left and right, {misfit}")
        else:
            partners[id(left)] = right
    return partners, notes


def _sides(drafts: Sequence[Draft]) -> Mapping[tuple[str, str], Mapping[Side, list[Draft]]]:
    found: dict[tuple[str, str], dict[Side, list[Draft]]] = defaultdict(lambda: {"left": [], "right": []})
    for draft in drafts:
        rest, side = split_side(draft.stem)
        entry = draft.entries[0]
        if side and entry.info.channels == 1 and not draft.settings.name:
            folder = str(entry.source.path.parent)
            found[folder, comparable(rest)][side].append(draft)
    return found


def _misfit(left: Draft, right: Draft) -> str:
    a, b = left.entries[0].info, right.entries[0].info
    if a.sample_rate != b.sample_rate:
        return f"their sample rates differ ({a.sample_rate} and {b.sample_rate} Hz)"
    if min(a.frames, b.frames) < _SHORTEST_PARTNER * max(a.frames, b.frames):
        return f"their lengths differ ({a.duration_s:.2f} and {b.duration_s:.2f} s)"
    return ""


def _joined(left: Draft, right: Draft) -> Draft:
    attributes = tuple(a for a in left.guess.attributes if a not in ("left", "right"))
    return replace(
        left,
        entries=left.entries + right.entries,
        guess=replace(left.guess, attributes=attributes),
        settings=left.settings.over(right.settings),
        name=split_side(left.stem)[0],
    )


def with_unique_names(drafts: Sequence[Draft]) -> tuple[list[Draft], list[str]]:
    """Drafts with a name each; the second of the same name gets a 2, and a note says so."""
    wanted = {comparable(draft.name) for draft in drafts}
    used: set[str] = set()
    named, notes = [], []
    for draft in drafts:
        name = next(n for n in _candidates(draft.name) if _is_free(n, draft.name, wanted, used))
        used.add(comparable(name))
        if name != draft.name:
            why = "is the console's own" if comparable(draft.name) in RESERVED_NAMES else "is taken"
            notes.append(f"{draft.file}: the name {draft.name!r} {why}, the strip is {name!r}")
        named.append(replace(draft, name=name))
    return named, notes


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name} {number}"
        number += 1


def _is_free(name: str, wanted_name: str, wanted: set[str], used: set[str]) -> bool:
    """Whether the name may be given: not reserved, not used, and not what another draft is called."""
    key = comparable(name)
    return key not in used | RESERVED_NAMES and (name == wanted_name or key not in wanted)


def with_groups(drafts: Sequence[Draft], config: FolderConfig) -> list[Track]:
    """Tracks with the groups that the configuration gives them, or that several microphones of a source form."""
    automatic = _microphone_sets(drafts)
    chosen = {comparable(word): group for group, words in config.groups.items() for word in words}
    tracks = []
    for draft in drafts:
        called = (chosen[key] for call in draft.calls() if (key := comparable(call)) in chosen)
        group = draft.settings.group or next(called, None) or automatic.get(draft.name)
        tracks.append(replace(draft.track(), group=group))
    return tracks


def _microphone_sets(drafts: Sequence[Draft]) -> dict[str, str]:
    """Group of each draft's name, where names differ in microphones only."""
    by_key: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.guess.source_key and draft.kind == "source" and not draft.settings.instrument:
            by_key[draft.guess.source_key].append(draft)
    return {
        draft.name: key.replace("_", " ")
        for key, members in by_key.items()
        if is_microphone_set([draft.guess for draft in members])
        for draft in members
    }
