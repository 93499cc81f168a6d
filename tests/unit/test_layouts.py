"""Loudspeaker layouts and places in them: names, masks, directions, signs, and what a downmix makes of them."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.audio import probe
from tonmeister.audio_output import AudioWriter
from tonmeister.cli import options
from tonmeister.dsp.panning import pan_gains
from tonmeister.riff import channel_mask
from tonmeister.spatial.binaural import Binaural
from tonmeister.spatial.layouts import LAYOUT_NAMES, LAYOUTS, layout
from tonmeister.spatial.placing import center_share, direction_gains, placement
from tonmeister.strip import PLACE, Place
from tonmeister.vocabulary import INSTRUMENTS, ROLES

RATE = 48_000
HEIGHTS = [name for name in LAYOUTS if name.endswith(".4")]


def energy_direction(gains: np.ndarray, name: str) -> tuple[float, float]:
    """Azimuth and elevation of the energy vector, degrees."""
    x, y, z = (gains**2) @ layout(name).directions
    return float(np.rad2deg(np.arctan2(y, x))), float(np.rad2deg(np.arctan2(z, np.hypot(x, y))))


def angle_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    vectors = [
        np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        for a, e in np.deg2rad([one, other])
    ]
    return float(np.rad2deg(np.arccos(np.clip(vectors[0] @ vectors[1], -1.0, 1.0))))


# ------------------------------------------------------------------ names, order, files


def test_the_command_line_offers_the_layouts_there_are() -> None:
    assert set(options.LAYOUTS) == set(LAYOUT_NAMES)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("5.1", "M+030 M-030 M+000 LFE1 M+110 M-110"),
        ("7.1", "M+030 M-030 M+000 LFE1 M+090 M-090 M+135 M-135"),
        ("5.1.4", "M+030 M-030 M+000 LFE1 M+110 M-110 U+030 U-030 U+110 U-110"),
        ("7.1.4", "M+030 M-030 M+000 LFE1 M+090 M-090 M+135 M-135 U+045 U-045 U+135 U-135"),
    ],
)
def test_channels_have_the_order_of_bs2051(name: str, labels: str) -> None:
    assert " ".join(layout(name).labels) == labels


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_wave_order_follows_the_bits_of_the_mask(name: str) -> None:
    made = layout(name)
    bits = [made.speakers[i].mask for i in made.wave_order]
    assert bits == sorted(bits)
    assert sum(bits) == made.channel_mask
    assert bin(made.channel_mask).count("1") == made.channels


def test_backs_come_before_sides_in_a_wav_file_of_7_1() -> None:
    made = layout("7.1")
    assert [made.labels[i] for i in made.wave_order[4:]] == ["M+135", "M-135", "M+090", "M-090"]


@pytest.mark.parametrize(
    ("name", "mask"),
    [("quad", 0x33), ("5.1", 0x60F), ("7.1", 0x63F), ("5.1.4", 0x2D60F), ("7.1.4", 0x2D63F)],
)
def test_a_wav_file_says_which_loudspeakers_it_is_for(name: str, mask: int, tmp_path: Path) -> None:
    made = layout(name)
    path = tmp_path / "layout.wav"
    levels = np.arange(1, made.channels + 1, dtype=np.float32)[:, None] / 32
    with AudioWriter(path, RATE, made.channels, subtype="32f", channel_mask=made.channel_mask) as writer:
        writer.write(np.repeat(levels, 100, axis=1))
    assert channel_mask(path) == made.channel_mask == mask
    samples, rate = soundfile.read(str(path))
    assert rate == RATE
    np.testing.assert_allclose(samples[0], levels[:, 0])
    assert (probe(path).channels, probe(path).frames) == (made.channels, 100)


def test_a_stereo_file_is_plain_as_before(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE, 2) as writer:
        writer.write(np.zeros((2, 10), np.float32))
    assert channel_mask(tmp_path / "a.wav") is None


# ------------------------------------------------------------------ directions


@pytest.mark.parametrize("name", ["quad", "5.1", "7.1", *HEIGHTS])
def test_the_energy_vector_points_where_the_source_is(name: str) -> None:
    elevations = (0.0, 20.0, 30.0, 45.0, 60.0) if name in HEIGHTS else (0.0,)
    for azimuth_deg in range(-180, 180, 15):
        for elevation_deg in elevations:
            gains = direction_gains(layout(name), azimuth_deg, elevation_deg)
            assert (gains**2).sum() == pytest.approx(1.0)
            found = energy_direction(gains, name)
            bound_deg = 5.0 if abs(azimuth_deg) <= 30 and elevation_deg == 0 else 15.0
            assert angle_between(found, (azimuth_deg, elevation_deg)) < bound_deg / 5


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_a_loudspeaker_plays_its_own_direction_alone(name: str) -> None:
    made = layout(name)
    for channel, speaker in enumerate(made.speakers):
        if not speaker.lfe:
            gains = direction_gains(made, speaker.azimuth_deg, speaker.elevation_deg)
            np.testing.assert_allclose(gains, np.eye(made.channels)[channel], atol=1e-7)


def test_the_low_channel_is_never_panned_to_nor_mixed_down() -> None:
    for name in ("5.1", "7.1.4"):
        lfe = layout(name).index("LFE1")
        assert not layout(name).downmix[:, lfe].any()
        assert not direction_gains(layout(name), 3.0, 20.0)[lfe]


def test_stereo_folds_what_is_behind_to_the_front() -> None:
    np.testing.assert_allclose(direction_gains(layout("stereo"), 110.0), [1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(direction_gains(layout("stereo"), 180.0), [0.5**0.5] * 2)


def test_a_hard_right_trumpet_is_right_in_every_representation() -> None:
    """One source: pan +1, azimuth -30, its right loudspeaker, the right ear first and louder."""
    left, right = pan_gains(1.0)
    assert abs(left) < 1e-12 < right
    for name in LAYOUTS:
        for mode in ("exact", "free"):
            gains = placement(Place(), layout(name), mode) @ [left, right]
            assert int(np.argmax(np.abs(gains))) == layout(name).labels.index("M-030")
        assert energy_direction(direction_gains(layout(name), -30.0), name)[0] == pytest.approx(-30.0)
    click = np.zeros((layout("7.1.4").channels, 400), np.float32)
    click[layout("7.1.4").labels.index("M-030"), 0] = 1.0
    head = Binaural(layout("7.1.4"), RATE)
    ears = head.process(click)
    assert (ears[1] ** 2).sum() > 1.5 * (ears[0] ** 2).sum()
    assert np.argmax(np.abs(ears[1])) < np.argmax(np.abs(ears[0]))


# ------------------------------------------------------------------ the downmix

places = st.builds(
    Place,
    elevation_deg=st.floats(0, 90),
    spread_deg=st.floats(0, 360),
    center=st.floats(0, 1),
)


@given(place=places, name=st.sampled_from(list(LAYOUTS)))
@settings(max_examples=150, deadline=None)
def test_an_exact_place_leaves_the_downmix_as_it_was(place: Place, name: str) -> None:
    made = layout(name)
    np.testing.assert_allclose(made.downmix @ placement(place, made, "exact"), np.eye(2), atol=1e-9)


@given(
    place=st.builds(Place, azimuth_deg=st.floats(-180, 180), elevation_deg=st.floats(0, 90), spread_deg=st.floats(0, 120)),
    name=st.sampled_from(["5.1", "7.1.4"]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_free_place_keeps_the_level_of_its_middle_in_the_downmix(place: Place, name: str) -> None:
    made = layout(name)
    middle = made.downmix @ placement(place, made, "free") @ [1.0, 1.0]
    assert np.linalg.norm(middle) == pytest.approx(2.0**0.5)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.585, 1.0])
def test_the_center_takes_what_left_and_right_share(share: float) -> None:
    made = layout("5.1")
    gains = center_share(np.eye(6)[:, :2], np.eye(6)[2], share)
    left, right, center = (gains @ [1.0, 1.0])[:3]
    assert left == right == pytest.approx(1.0 - share)
    assert center == pytest.approx(2.0**0.5 * share)
    np.testing.assert_allclose((gains @ [1.0, -1.0])[:3], [1.0, -1.0, 0.0], atol=1e-12)
    assert made.downmix[:, 2] @ [1, 1] == pytest.approx(2.0**0.5)
    if share == 0.585:  # each side of the phantom image is 6 dB below the center
        assert 20 * np.log10(center / left) == pytest.approx(6.0, abs=0.05)


def test_loudness_weights_are_those_of_bs1770() -> None:
    np.testing.assert_allclose(layout("5.1").loudness_weights, [1, 1, 1, 0, 1.41, 1.41])
    np.testing.assert_allclose(layout("7.1.4").loudness_weights, [1, 1, 1, 0, 1.41, 1.41, 1, 1, 1, 1, 1, 1])


# ------------------------------------------------------------------ the table of places


def test_the_table_of_places_speaks_in_known_words_and_has_a_row_for_everyone() -> None:
    text = files("tonmeister.spatial").joinpath("places.toml").read_text("utf-8")
    rows = tomllib.loads(text)["place"]
    for row in rows:
        assert set(row.get("instruments", ())) <= set(INSTRUMENTS)
        assert set(row.get("roles", ())) <= set(ROLES)
        assert row["text"].endswith(".")
        numbers = set(row) - {"id", "text", "names", "kinds", "roles", "instruments"}
        assert numbers <= set(PLACE)
        assert all(row[name] in PLACE[name] for name in numbers)
        assert row.get("azimuth_deg", 0.0) == 0.0  # exact mode takes every row
    assert len({row["id"] for row in rows}) == len(rows)
    assert not set(rows[-1]) & {"names", "kinds", "roles", "instruments"}


def test_the_numbers_have_sources_and_grades() -> None:
    text = files("tonmeister.spatial").joinpath("numbers.toml").read_text("utf-8")
    for row in tomllib.loads(text)["value"]:
        assert row["source"]
        assert row["evidence"] in ("P", "C", "S", "M", "R")
