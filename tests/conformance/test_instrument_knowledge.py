"""The shipped tables of the engine `instrument`, and what becomes of tables that cannot be meant."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tonmeister.engines import load_engine
from tonmeister.engines.instrument.meters import contour_db, weight_db
from tonmeister.engines.instrument.numbers import class_spectrum_db, spectrum_names
from tonmeister.engines.instrument.table import SHIPPED, load_table
from tonmeister.errors import BadInputError
from tonmeister.units import db_to_power, power_to_db
from tonmeister.vocabulary import INSTRUMENTS, ROLES

FOLDER = files("tonmeister.engines.instrument")
TEXT = SHIPPED.read_text("utf-8")
DATA = tomllib.loads(TEXT)
TABLE = load_table()
GRADES = {"P", "Pa", "C", "S", "M", "R"}


def rows() -> list[tuple[str, dict[str, object]]]:
    found = [(f"correction.{meter}", entry) for meter, entry in DATA["correction"].items()]
    for name, entry in DATA["class"].items():
        found += [(f"class.{name}.{part}", entry[part]) for part in ("level", "pan", "eq") if part in entry]
    return found


@pytest.mark.parametrize(("where", "entry"), rows(), ids=[where for where, _ in rows()])
def test_every_row_says_where_it_comes_from_and_may_be_shipped(where: str, entry: dict[str, object]) -> None:
    assert entry["source"]
    assert entry["evidence"] in GRADES
    assert entry["use"] == "ship"


@pytest.mark.parametrize("file", ["numbers.toml", "iso226.toml", "spectra.toml"])
def test_the_other_files_have_sources_too(file: str) -> None:
    data = tomllib.loads(FOLDER.joinpath(file).read_text("utf-8"))
    for record in data.get("value", [data["meta"]]):
        assert record["source"]
        assert record["evidence"] in GRADES
        assert record["use"] == "ship"
        assert "unit" in record


def test_the_header_says_that_the_figures_are_substitutes() -> None:
    assert DATA["meta"]["status"] == "substitute"
    assert DATA["meta"]["schema"] == 1
    assert DATA["meta"]["meter"] == "bs1770"
    assert DATA["class"]["kick"]["level"]["target_lu"] == -4.4
    assert TABLE.level("bass").by_role["foreground"] == -6.2
    assert TABLE.level("drums").by_role["foreground"] == -4.0


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_every_instrument_has_a_class_with_a_level_a_place_and_a_tone(instrument: str) -> None:
    label = TABLE.class_of_instrument(instrument)
    assert label is not None
    for role in ROLES:
        assert -24 < TABLE.level(label).by_role[role] <= 0
    assert TABLE.pan(label).mode
    assert TABLE.eq(label).source.text


def test_the_pieces_of_the_kit_add_up_to_the_kit() -> None:
    """Kick, snare and the measured rest make the whole, and the split of the rest makes the rest."""
    rest = [TABLE.level(name).by_role["foreground"] for name in ("overheads", "toms", "room", "hihat")]
    assert power_to_db(sum(map(db_to_power, rest))) == pytest.approx(-3.9, abs=0.1)
    assert power_to_db(db_to_power(-4.4) + db_to_power(-6.7) + db_to_power(-3.9)) == pytest.approx(
        -0.1, abs=0.05
    )


def test_equalization_is_coarse() -> None:
    for name in TABLE.rows:
        row = TABLE.eq(name)
        assert len(row.sections) <= 2
        for section in row.sections:
            assert abs(section.gain_db) <= 3.0
            assert section.q <= 1.0


def test_class_spectra_add_up_to_their_total() -> None:
    for name in spectrum_names():
        assert power_to_db(float((10 ** (class_spectrum_db(name) / 10)).sum())) == pytest.approx(
            0.0, abs=0.03
        )


# ------------------------------------------------------------------ the contour (ISO 226)


@pytest.mark.parametrize("phon", [40.0, 60.0, 80.0])
def test_1_khz_is_as_loud_as_its_level(phon: float) -> None:
    hz, level_db = contour_db(phon)
    assert float(np.interp(1000.0, hz, level_db)) == pytest.approx(phon, abs=0.05)


@pytest.mark.parametrize(("phon", "hz", "level_db"), [(40.0, 100.0, 64.4), (60.0, 20.0, 109.5)])
def test_published_points_of_the_contour(phon: float, hz: float, level_db: float) -> None:
    assert float(np.interp(hz, *contour_db(phon))) == pytest.approx(level_db, abs=0.1)


@pytest.mark.parametrize(
    ("hz", "weight"), [(63, -22.2), (100, -15.6), (1000, 0.0), (4000, 2.1), (8000, -11.5)]
)
def test_weights_at_70_phon(hz: float, weight: float) -> None:
    assert float(weight_db(np.array([hz]), 70.0)[0]) == pytest.approx(weight, abs=0.1)


def test_the_weight_is_nothing_below_hearing_and_held_above_the_table() -> None:
    below, above, edge = weight_db(np.array([19.0, 16000.0, 12500.0]), 70.0)
    assert below <= -200
    assert above == pytest.approx(edge)


# ------------------------------------------------------------------ bad tables


def refused(tmp_path: Path, old: str, new: str, **options: str) -> str:
    assert old in TEXT
    path = tmp_path / "own.toml"
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(BadInputError) as caught:
        load_engine("instrument", {"table": str(path), **options})
    assert "own.toml" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("target_lu   = -4.4", "target_lv   = -4.4", ("class.kick.level.target_lv", "target_lu", "instrument.level.kick")),
        ('aliases     = ["kick"', 'alias     = ["kick"', ("class.kick.alias", "aliases", "instrument.kick")),
        ('[class.kick]\nparent      = "drums"', '[class.kick]\nparent      = "drum"', ("class.kick.parent", "drums")),
        ('[class.drums]\nparent      = "other"', '[class.drums]\nparent      = "kick"', ("class.drums.parent", "circle")),
        ("q = 0.7, db = 2.5", "q = 0.7, db = 9.5", ("class.kick.eq", "9.5", "-3 to 3", "instrument.eq.kick")),
        ("q = 0.7, db = 2.5", "q = 4.0, db = 2.5", ("class.kick.eq", "4.0", "instrument.eq.kick")),
        ('"lead"\ntarget_lu   = -6.2', '"leed"\ntarget_lu   = -6.2', ("class.bass.level.relative_to", "lead")),
        ("position = 0.0", "position = 2.0", ("class.kick.pan", "-1 to 1", "instrument.pan.kick")),
        ('mode     = "fixed"', 'mode     = "fixd"', ("class.kick.pan.mode", "fixed")),
        ('instruments = ["kick"]', 'instruments = ["kik"]', ("class.kick.instruments", "kick")),
        ("schema   = 1", "schema   = 7", ("meta.schema", "7")),
        ('meter    = "bs1770"', 'meter    = "vu"', ("meta.meter", "vu")),
        ("[class.kick.level]", "[class.kick.levels]", ("class.kick.levels",)),
        ("[meta]", "[meta", ("TOML",)),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_with_file_key_and_rule(
    tmp_path: Path, old: str, new: str, said: tuple[str, ...]
) -> None:
    message = refused(tmp_path, old, new)
    for word in said:
        assert word in message


def test_a_table_for_another_meter_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, 'meter    = "bs1770"', 'meter    = "iso226"', meter="bs1770")
    assert "meter='iso226'" in message
    assert "instrument.level" in message
    at = TEXT.index("# What a class reads on another meter")
    path = tmp_path / "plain.toml"
    path.write_text(TEXT[:at] + TEXT[TEXT.index("# ----", at) :], "utf-8")
    load_engine("instrument", {"table": str(path), "meter": "bs1770"})
    with pytest.raises(BadInputError, match=r"plain\.toml: meter='bs1770'"):
        load_engine("instrument", {"table": str(path), "meter": "iso226"})


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.toml"):
        load_engine("instrument", {"table": "nowhere.toml"})


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(BadInputError, match="phon"):
        load_engine("instrument", {"phon": "30"})
    with pytest.raises(BadInputError, match="meter"):
        load_engine("instrument", {"meter": "vu"})
