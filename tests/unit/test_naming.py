"""The token table, sides, tidy names and shared words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.naming import identify_name, is_microphone_set, split_side, tidy_name, without_shared_words
from tonmeister.naming.table import STAGES, token_table
from tonmeister.naming.words import fold
from tonmeister.vocabulary import INSTRUMENTS, KINDS, ROLES


def test_every_meaning_speaks_the_vocabulary() -> None:
    table = token_table()
    for key, senses in table.senses.items():
        assert key == fold(key) != ""
        for sense in senses:
            assert sense.stage in STAGES
            assert sense.instrument in (None, *INSTRUMENTS)
            assert sense.role in (None, *ROLES)
            assert set(sense.applies_to) <= set(INSTRUMENTS)
            assert set(sense.yields_to) <= {*INSTRUMENTS, "all"}
            assert (sense.stage in ("position", "source", "generic")) <= (sense.instrument is not None)


def test_combinations_and_roles_speak_the_vocabulary() -> None:
    table = token_table()
    labels = {sense.label for senses in table.senses.values() for sense in senses}
    for rule in table.combinations:
        for part in rule.of:
            assert part in INSTRUMENTS or part.removeprefix("label:") in labels
        assert (rule.result in INSTRUMENTS) != (rule.keep in (1, 2))
    assert set(table.roles) <= set(INSTRUMENTS)
    assert set(table.roles.values()) <= set(ROLES)


def test_long_names_end_soon() -> None:
    assert identify_name("bass" * 60 + "z").instrument == "other"
    assert identify_name("kick" + "_x" * 2000).instrument == "kick"


def test_microphone_attributes_exist() -> None:
    known = {a for senses in token_table().senses.values() for sense in senses for a in sense.attributes}
    assert token_table().microphone_attributes <= known


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("01_Kick In.wav", "Kick In"),
        ("808_Bass.flac", "808 Bass"),
        ("12. Lead_Vox .aif", "Lead Vox"),
        ("07.wav", "07"),
        ("Song.stem.mp4", "Song"),
        ("Vox\u202e\x07 2.wav", "Vox 2"),
        ("Gitarre 🎸.wav", "Gitarre 🎸"),
        ("Violão.wav", "Violão"),
        ("__.wav", "track"),
        ("Pad (low.wav", "Pad low"),
    ],
)
def test_tidy_names(name: str, expected: str) -> None:
    assert tidy_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OH L.wav", ("OH", "left")),
        ("OHR", ("OH", "right")),
        ("Gtr_L", ("Gtr", "left")),
        ("07_Piano (R).wav", ("Piano", "right")),
        ("roomr", ("room", "right")),
        ("L Gtr 2", ("Gtr 2", "left")),
        ("Flügel links", ("Flügel", "left")),
        ("GTRL", ("GTR", "left")),
        ("Piano Left Hand", ("Piano Left Hand", None)),
        ("L", ("L", None)),
        ("Kick", ("Kick", None)),
    ],
)
def test_sides(name: str, expected: tuple[str, str | None]) -> None:
    assert split_side(name) == expected


def test_what_all_names_share_is_taken_off() -> None:
    names = ["7.Artist_Stem_VOX LEAD.m4a", "7.Artist_Stem_KICK.m4a", "7.Artist_Stem_Bass.m4a"]
    assert without_shared_words(names) == ["VOX LEAD", "KICK", "Bass"]
    assert without_shared_words(["1_Kick_ogg", "2_Snare_ogg", "3_Pad_ogg"]) == ["Kick", "Snare", "Pad"]


@pytest.mark.parametrize(
    "names",
    [
        ["Kick In", "Kick Out", "Kick Sub"],
        ["Guitar 1", "Guitar 2", "Guitar 3"],
        ["Song Kick", "Song Snare"],
        ["Vox", "Vox 2", "Vox Bass"],
    ],
)
def test_shared_words_that_mean_something_stay(names: list[str]) -> None:
    assert without_shared_words(names) == names


def test_microphones_of_one_source_share_a_key() -> None:
    guesses = [identify_name(n) for n in ("Kick In", "BD Out", "Bass Drum")]
    assert {g.source_key for g in guesses} == {"kick"}
    assert is_microphone_set(guesses)
    assert not is_microphone_set(guesses[:1])
    assert identify_name("T1 Top").source_key != identify_name("T2 Top").source_key
    assert identify_name("Vox").source_key != identify_name("Vox DT").source_key


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gets_a_guess_within_the_vocabulary(name: str) -> None:
    guess = identify_name(name)
    assert guess.instrument in INSTRUMENTS
    assert guess.role in ROLES
    assert guess.kind in KINDS
    assert 0.0 <= guess.confidence <= 1.0
    assert bool(guess.label) == (guess.confidence > 0)
    assert tidy_name(name).strip()
    rest, _ = split_side(name)
    assert rest


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.sampled_from(["Kick In", "Lead Vox", "E-Gtr", "Hi Hat", "Bass DI"]), st.integers(1, 99))
def test_case_separators_and_track_numbers_change_nothing(name: str, number: int) -> None:
    plain = identify_name(name)
    for spelled in (
        f"{number:02d}_{name}",
        name.upper(),
        name.lower(),
        name.replace(" ", "_"),
        f"{name}.wav",
    ):
        guess = identify_name(spelled)
        assert (guess.instrument, guess.role, guess.attributes) == (
            plain.instrument,
            plain.role,
            plain.attributes,
        )
