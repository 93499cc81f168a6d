"""The order of rules in reading track names: each line is a name that a simpler rule would get wrong."""

from __future__ import annotations

import unicodedata

import pytest

from tonmeister.naming import identify_name
from tonmeister.vocabulary import is_a


@pytest.mark.parametrize(
    ("name", "instrument"),
    [
        ("BassDrum", "kick"),
        ("SubKick", "kick"),
        ("SynthBass", "synth_bass"),
        ("BassClarinet", "clarinet"),
        ("BassTrombone", "trombone"),
        ("BassFlute", "flute"),
        ("ElecPiano", "electric_piano"),
        ("BackingVox", "backing_voice"),
        ("HarmonyVox", "backing_voice"),
        ("LeadGtr", "electric_guitar"),
        ("DrumsRoom", "room"),
        ("GtrRoom", "guitar"),
        ("OHSnare", "overheads"),
        ("SnareUp", "snare"),
        ("Upright Piano", "piano"),
        ("Upright Bass", "double_bass"),
        ("01_Kick", "kick"),
        ("808_Bass", "sub_bass"),
        ("808 Kick", "kick"),
        ("Rev Gtr", "guitar"),
        ("Masters of Choir", "choir"),
        ("violão", "acoustic_guitar"),
        ("tromba", "trumpet"),
        ("caja", "snare"),
        ("caixa", "snare"),
        ("Horn", "french_horn"),
        ("basse", "bass"),
        ("grosse caisse", "kick"),
        ("E-Gtr", "electric_guitar"),
        ("Hi Hat", "hihat"),
        ("BVs", "backing_voice"),
        ("T1", "tom"),
        ("AcGtr", "acoustic_guitar"),
        ("57_Amp", "electric_guitar"),
        ("12_str", "acoustic_guitar"),
        ("12_Strings", "string_section"),
        ("Bass Guitar", "electric_bass"),
        ("Pad Strings", "synth_pad"),
        ("FILL SCRATCH", "drum_loop"),
        ("Kick Click", "kick"),
        ("Drum Mix", "drums"),
        ("Vox Master", "voice"),
        ("Delay Gtr", "guitar"),
    ],
)
def test_the_right_word_names_the_instrument(name: str, instrument: str) -> None:
    guess = identify_name(name)
    assert (guess.instrument, guess.kind) == (instrument, "source")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Song_master", "print"),
        ("Piano Man_mix", "print"),
        ("Rough Mix Vox Up", "print"),
        ("Stereo", "print"),
        ("Masters of Choir", "source"),
        ("Stereo Synth", "source"),
        ("Verb Plate", "return"),
        ("Vox Reverb", "return"),
        ("BGVOX ECHO", "source"),
        ("Guide Vox", "control"),
        ("Scratch Vox", "control"),
        ("SCRATCH BEAT", "source"),
        ("Click", "control"),
        ("Cue", "control"),
        ("Rescue Guitar", "source"),
    ],
)
def test_what_kind_of_file_it_is(name: str, kind: str) -> None:
    assert identify_name(name).kind == kind


@pytest.mark.parametrize(
    "name", ["Tomorrow", "Audio 07_2", "Track 3", "Hatred", "Basically", "Oboist's", "", "...", "🎸"]
)
def test_words_are_never_found_inside_other_words(name: str) -> None:
    guess = identify_name(name)
    assert (guess.instrument, guess.label, guess.confidence) == ("other", "", 0.0)


def test_position_and_side_become_attributes() -> None:
    assert "top" in identify_name("SnareUp").attributes
    assert "bottom" in identify_name("Snare Btm").attributes
    assert "sub" in identify_name("SubKick").attributes
    assert "side" in identify_name("sidestick01").attributes
    assert "reversed" in identify_name("Rev Gtr").attributes
    assert "room" in identify_name("GtrRoom").attributes
    assert {"double", "lead"} <= set(identify_name("Lead Vox DT").attributes)
    assert "section" in identify_name("Chorus BGVs").attributes
    assert identify_name("Припев вокал").attributes == ("section",)
    assert "number 3" in identify_name("Vocal_Take3").attributes


def test_roles_come_from_the_name() -> None:
    assert identify_name("Lead Vox").role == "lead"
    assert identify_name("Voz principal").role == "lead"
    assert identify_name("Соло гитара").role == "lead"
    assert identify_name("LeadGtr").role == "lead"
    assert identify_name("Lead Vox DT").role == "background"
    assert identify_name("BackingVox").role == "background"
    assert identify_name("Backing Gtr").role == "background"
    assert identify_name("Pad").role == "background"
    assert identify_name("Kick").role == "foreground"


def test_weak_words_need_company() -> None:
    alone, numbered, company = identify_name("K"), identify_name("K 2"), identify_name("K In")
    assert (alone.instrument, alone.weak, alone.confidence) == ("kick", True, 0.4)
    assert numbered.weak
    assert alone.confidence < numbered.confidence < company.confidence
    assert not company.weak
    assert "hints" in alone.evidence
    assert identify_name("Gtr B").instrument == "guitar"


def test_the_same_name_in_another_normalization_is_the_same() -> None:
    for name in ("Große Trommel", "Violão", "Chœurs", "Малый барабан", "Batería", "Flügel"):
        composed = identify_name(unicodedata.normalize("NFC", name))
        assert identify_name(unicodedata.normalize("NFD", name)) == composed
        assert composed.label


def test_accents_of_other_scripts_are_letters() -> None:
    assert identify_name("Малый").instrument == "snare"
    assert identify_name("Малыи").instrument == "other"


def test_evidence_is_in_words() -> None:
    assert identify_name("03_Kick In.wav").evidence == "the name says 'Kick'"
    assert identify_name("Schlagzeug").evidence == "the name says 'Schlagzeug' (German)"
    assert identify_name("Audio 1").evidence == "the name says nothing known"


def test_instruments_said_by_names_stay_in_their_families() -> None:
    assert is_a(identify_name("Congas").instrument, "percussion")
    assert is_a(identify_name("UkeleleDI").instrument, "plucked")
