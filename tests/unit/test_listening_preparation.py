"""A listening test on disk: equally loud, in step, blind, the same from the same seed, usable without sight or mouse."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyebur128
import pytest
import soundfile

from makers import RATE, band, multitrack, noise, plan_for, write_folder
from makers_listening import key_of
from tonmeister.analysis import analyze
from tonmeister.audio import Audio, read_audio
from tonmeister.cli import run
from tonmeister.errors import BadInputError
from tonmeister.evaluation.listening.answers import COLUMNS
from tonmeister.evaluation.listening.excerpts import (
    Excerpt,
    Loudness,
    busiest_excerpt,
    common_lufs,
    faded,
    lag_frames,
    matched,
)
from tonmeister.evaluation.listening.key import read_key
from tonmeister.evaluation.listening.page import page_html
from tonmeister.evaluation.listening.prepare import Prepared, Settings, prepare_test
from tonmeister.evaluation.listening.webmushra import config, yaml_text
from tonmeister.loading import load_multitrack
from tonmeister.render import render

SECONDS = 4.0
LATE_FRAMES = 700
ENGINES = ("sum", "textbook", "loudness")
WORDS = (*ENGINES, "adaptive", "human", "raw", "aster", "birch", "human_mix")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One song with a person's mix that begins late, one without."""
    folder = tmp_path_factory.mktemp("songs")
    tracks = band(SECONDS)
    write_folder(folder / "aster" / "raw", tracks)
    gains = (0.6, 0.3, 0.4, 0.5, 0.2, 1.2)
    person = sum(g * a.samples for g, a in zip(gains, tracks.values(), strict=True)) * np.ones((2, 1))
    late = np.pad(0.5 * person, ((0, 0), (LATE_FRAMES, 0)))
    soundfile.write(str(folder / "aster" / "human_mix.wav"), late.T, RATE, subtype="PCM_24")
    write_folder(folder / "birch", {n: Audio(a.samples * 0.02, RATE) for n, a in tracks.items()})
    return [folder / "aster", folder / "birch"]


SETTINGS = Settings(
    engines=ENGINES, excerpts={"": Excerpt(0.8, 2.5)}, criteria=("Preference", "Clarity"), seed=3
)


@pytest.fixture(scope="module")
def test_on_disk(songs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_test(songs, tmp_path_factory.mktemp("out") / "test", SETTINGS)


def loudness_of(path: Path) -> float:
    audio, rate = soundfile.read(str(path), always_2d=True)
    state = pyebur128.R128State(audio.shape[1], rate, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(audio).ravel(), len(audio))
    return float(pyebur128.get_loudness_global(state))


def test_all_versions_are_equally_loud_and_equally_long(test_on_disk: Prepared) -> None:
    files = sorted((test_on_disk.folder / "page" / "audio").iterdir())
    assert len(files) == 4 + 3
    levels = [loudness_of(path) for path in (*files, test_on_disk.folder / "page" / "level.wav")]
    assert max(levels) - min(levels) < 0.1
    assert np.mean(levels) == pytest.approx(test_on_disk.lufs, abs=0.05)
    assert {soundfile.info(str(path)).frames for path in files} == {round(2.5 * RATE)}


def test_the_person_s_mix_is_put_in_step(test_on_disk: Prepared) -> None:
    files = {
        c.engine: test_on_disk.folder / "page" / c.file
        for c in test_on_disk.key.conditions.values()
        if c.song == "s1"
    }
    plain, person = (read_audio(files[name]).samples for name in ("sum", "human"))
    assert lag_frames(plain, person, RATE) == 0
    assert any("+15.9 ms late" in note for note in test_on_disk.notes)


def test_a_song_without_a_person_s_mix_says_so(test_on_disk: Prepared) -> None:
    engines = {c.engine for c in test_on_disk.key.conditions.values() if c.song == "s2"}
    assert engines == set(ENGINES)
    assert any(note.startswith("birch: no mix by a person") for note in test_on_disk.notes)


def test_nothing_that_listeners_get_names_a_condition(test_on_disk: Prepared) -> None:
    pattern = re.compile(rb"\b(" + "|".join(WORDS).encode() + rb")\b", re.IGNORECASE)
    for part in ("page", "webmushra"):
        for path in (test_on_disk.folder / part).rglob("*"):
            assert not pattern.search(path.name.encode()), path
            if path.suffix in (".html", ".js", ".css", ".yaml"):
                assert not pattern.findall(path.read_bytes()), path
            elif path.suffix == ".wav":
                data = path.read_bytes()
                start = data.index(b"data")
                size = int.from_bytes(data[start + 4 : start + 8], "little")
                assert not pattern.findall(data[:start] + data[start + 8 + size :]), path
    assert "key.json" not in (test_on_disk.page).read_text("utf-8")
    assert not any(p.name == "key.json" for p in (test_on_disk.folder / "page").rglob("*"))


def test_the_metadata_of_all_sounds_is_the_same(test_on_disk: Prepared) -> None:
    around = set()
    for path in (test_on_disk.folder / "page" / "audio").iterdir():
        data = path.read_bytes()
        start = data.index(b"data")
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        around.add(re.sub(rb"PEAK.{20}", b"", data[:start], flags=re.DOTALL) + data[start + 8 + size :])
    assert len(around) == 1


def test_one_seed_gives_one_test_and_another_gives_other_names(
    songs: list[Path], test_on_disk: Prepared, tmp_path: Path
) -> None:
    again = prepare_test(songs, tmp_path / "again", SETTINGS)
    for path in sorted(p for p in test_on_disk.folder.rglob("*") if p.is_file()):
        assert (again.folder / path.relative_to(test_on_disk.folder)).read_bytes() == path.read_bytes(), path
    other = prepare_test(songs[1:], tmp_path / "other", Settings(excerpts={"": Excerpt(0.8, 1.0)}, seed=4))
    assert not set(other.key.conditions) & set(again.key.conditions)
    assert other.key.test != again.key.test


def test_the_key_tells_every_version(test_on_disk: Prepared) -> None:
    key = read_key(test_on_disk.folder / "key.json")
    assert key == test_on_disk.key
    assert sorted(f"audio/{p.name}" for p in (test_on_disk.folder / "page" / "audio").iterdir()) == sorted(
        c.file for c in key.conditions.values()
    )
    assert [name for name, _ in key.conditions.items()] == sorted(key.conditions)


def test_an_existing_test_is_kept_unless_asked_and_other_files_always(
    songs: list[Path], tmp_path: Path
) -> None:
    quick = Settings(excerpts={"": Excerpt(0.8, 1.0)})
    output = tmp_path / "test"
    first = prepare_test(songs[1:], output, quick)
    (output / "answers.csv").write_text("mine")
    with pytest.raises(BadInputError, match="exists already"):
        prepare_test(songs[1:], output, quick)
    second = prepare_test(
        songs[1:], output, Settings(excerpts={"": Excerpt(0.8, 1.0)}, seed=9), overwrite=True
    )
    assert first.key.test != second.key.test
    assert (output / "answers.csv").read_text() == "mine"
    assert sorted(p.name for p in output.iterdir()) == ["answers.csv", "key.json", "page", "webmushra"]


def test_nothing_remains_of_a_failed_attempt(songs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="behind the end of the song"):
        prepare_test(songs, tmp_path / "a" / "test", Settings(excerpts={"birch": Excerpt(3.0, 10.0)}))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadInputError, match="none of the songs"):
        prepare_test(songs, tmp_path / "test", Settings(excerpts={"third": Excerpt(0.0, 1.0)}))
    with pytest.raises(BadInputError, match="two songs are called 'birch'"):
        prepare_test([songs[1], songs[1]], tmp_path / "test", Settings())


def test_a_silent_excerpt_is_refused(tmp_path: Path) -> None:
    quiet = np.concatenate([noise(RATE).samples, np.zeros((1, 3 * RATE))], axis=1)
    folder = write_folder(tmp_path / "song", {"Bass.wav": Audio(quiet, RATE)})
    with pytest.raises(BadInputError, match="silent or shorter"):
        prepare_test([folder], tmp_path / "test", Settings(excerpts={"": Excerpt(2.0, 1.0)}))


def test_versions_that_are_one_sound_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", band(2.0))
    song = load_multitrack(folder)
    plain = render(song, plan_for(song))
    soundfile.write(str(folder / "Mix.wav"), 0.25 * plain.samples.T, RATE, subtype="FLOAT")
    notes = prepare_test([folder], tmp_path / "test", Settings()).notes
    assert any("sum and human are the same sound" in note for note in notes)


def test_scrambled_stems_are_compared_with_their_own_sum(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", band(2.0))
    prepared = prepare_test([folder], tmp_path / "test", Settings(scramble_db=12.0, audio_format="flac"))
    assert "human" in prepared.key.engines()
    assert not any("same sound" in note for note in prepared.notes)
    assert all(c.file.endswith(".flac") for c in prepared.key.conditions.values())


def test_the_part_with_most_tracks_is_chosen() -> None:
    frames = 12 * RATE
    window = np.zeros(frames)
    window[5 * RATE : 8 * RATE] = 1.0
    always, sometimes = noise(frames, seed=1), noise(frames, seed=2)
    song = multitrack(("a", always), ("b", Audio(sometimes.samples * window, RATE)))
    found = busiest_excerpt(analyze(song), seconds=3.0, end_s=12.0)
    assert found.start_s == pytest.approx(5.0, abs=0.3)
    assert found.seconds == 3.0
    assert busiest_excerpt(analyze(song), seconds=3.0, end_s=6.0).start_s == pytest.approx(3.0, abs=0.1)
    assert busiest_excerpt(analyze(song), seconds=30.0, end_s=12.0) == Excerpt(0.0, 12.0)


@pytest.mark.parametrize("lag", [-4000, -1, 0, 1, 333, 40000])
def test_a_lag_is_found_whatever_the_balance(lag: int) -> None:
    random = np.random.default_rng(0)
    parts = random.standard_normal((3, 2, 4 * RATE))
    reference = parts.sum(axis=0)
    other = np.roll(0.1 * parts[0] + 0.7 * parts[1] + 0.3 * parts[2], lag, axis=1)
    assert lag_frames(reference.astype(np.float32), other.astype(np.float32), RATE) == lag
    strange = random.standard_normal(reference.shape).astype(np.float32)
    assert lag_frames(reference.astype(np.float32), strange, RATE) is None


def test_peaks_lower_the_common_loudness_and_are_never_limited() -> None:
    assert common_lufs([Loudness(-10.0, 0.0), Loudness(-30.0, -12.0)]) == -23.0
    assert common_lufs([Loudness(-10.0, 0.0), Loudness(-40.0, -2.0)]) == -39.0
    samples = noise(RATE, 2).samples
    louder, gain_db = matched(samples, RATE, -23.0, "noise")
    assert louder == pytest.approx(samples * 10 ** (gain_db / 20), rel=1e-5)


def test_fades_touch_the_ends_only() -> None:
    ones = np.ones((2, 2 * RATE), np.float32)
    soft = faded(ones, RATE)
    assert soft[:, 0] == pytest.approx(0.0, abs=1e-4)
    assert soft[:, -1] == pytest.approx(0.0, abs=1e-4)
    assert (soft[:, RATE // 10 : RATE] == 1.0).all()


class Tags(HTMLParser):
    """All elements in order: (tag, attributes), and what is inside of what."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], "elements are left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(test_on_disk: Prepared) -> Tags:
    return Tags(test_on_disk.page.read_text("utf-8"))


def test_the_page_loads_nothing_from_outside_and_all_it_loads_is_there(
    page: Tags, test_on_disk: Prepared
) -> None:
    loaded = [a["src"] for t in ("script", "audio", "img") for a in page.all(t) if "src" in a]
    loaded += [a["href"] for a in page.all("link")]
    assert len(loaded) == 2 + 1 + 7 + 1
    for name in loaded:
        assert (test_on_disk.page.parent / name).is_file(), name
    for path in test_on_disk.page.parent.glob("*.*"):
        if path.suffix in (".html", ".js", ".css"):
            assert not re.search(r"https?:|//[a-z]|fetch\(|XMLHttp|import\(|url\(", path.read_text("utf-8"))


def test_every_version_has_a_named_button_slider_and_sound(page: Tags, test_on_disk: Prepared) -> None:
    names = [a["data-condition"] for a in page.all("li") if "data-condition" in a]
    assert sorted(names) == sorted(test_on_disk.key.conditions)
    labels = {a["for"] for a in page.all("label") if "for" in a}
    sliders = [a for a in page.all("input") if a["type"] == "range"]
    assert {f"rate-{name}" for name in names} <= {a["id"] for a in sliders}
    for slider in sliders:
        assert slider["id"] in labels
        assert slider["aria-valuetext"]
    rated = [a for a in sliders if a["id"].startswith("rate-")]
    assert {(a["min"], a["max"], a["step"]) for a in rated} == {("0", "100", "1")}
    assert sum(
        "aria-pressed" in a and a["class"] == "play" for a in page.all("button") if "class" in a
    ) == len(names)


def test_every_control_has_a_name_and_messages_are_announced(page: Tags) -> None:
    labels = {a.get("for") for a in page.all("label")}
    text = [a for a in (*page.all("textarea"), *page.all("input")) if a.get("type") != "checkbox"]
    assert all(a["id"] in labels for a in text)
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    roles = [a["role"] for _, a in page.elements if "role" in a]
    assert "status" in roles
    assert "alert" in roles
    assert page.all("html")[0]["lang"] == "en"


def test_the_script_finds_every_element_it_asks_for(page: Tags, test_on_disk: Prepared) -> None:
    script = (test_on_disk.page.parent / "listening.js").read_text("utf-8")
    ids = {a["id"] for _, a in page.elements if "id" in a}
    assert set(re.findall(r'\$\$\("([\w-]+)"\)', script)) <= ids


def test_the_key_table_names_what_the_script_does(test_on_disk: Prepared) -> None:
    folder = test_on_disk.page.parent
    script, page = (folder / "listening.js").read_text("utf-8"), test_on_disk.page.read_text("utf-8")
    for key in re.findall(r'key === "([a-z])"', script):
        assert f"<kbd>{key.upper()}</kbd>" in page
    assert "prefers-reduced-motion" in (folder / "listening.css").read_text("utf-8")


def test_the_data_of_the_page_names_columns_songs_and_questions(test_on_disk: Prepared) -> None:
    text = test_on_disk.page.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="test">(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found.group(1))
    assert data["columns"] == list(COLUMNS)
    assert data["songs"] == ["s1", "s2"]
    assert [c["name"] for c in data["criteria"]] == ["Preference", "Clarity"]
    script = (test_on_disk.page.parent / "listening.js").read_text("utf-8")
    written = re.search(r"const row = \{(.*?)\};", script, re.DOTALL)
    assert written
    assert set(COLUMNS) <= set(re.findall(r"(\w+):", written.group(1)))


def test_text_of_a_key_cannot_break_out_of_the_page() -> None:
    key = key_of(1)
    name = next(iter(key.conditions))
    strange = dict(key.conditions) | {'"><script>x</script>': key.conditions[name]}
    html = page_html(type(key)(key.test, 0, key.criteria, {"s1": key.songs["s1"]}, strange))
    assert "<script>x" not in html


def of_yaml(text: str) -> Any:
    """Read block mappings and lists with JSON scalars: what the emitter writes, by indentation alone."""
    lines = [
        (len(line) - len(line.lstrip()), line.strip())
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]

    def block(at: int, indent: int) -> tuple[Any, int]:
        found: Any = [] if lines[at][1].startswith("-") and not lines[at][1].startswith('"') else {}
        while at < len(lines) and lines[at][0] == indent:
            line = lines[at][1]
            head, rest = ("", line[1:].strip()) if isinstance(found, list) else line.split('":', 1)
            at += 1
            if rest.strip():
                value = json.loads(rest)
            else:
                value, at = block(at, lines[at][0])
            if isinstance(found, list):
                found.append(value)
            else:
                found[json.loads(head + '"')] = value
        return found, at

    return block(0, 0)[0]


def test_the_configuration_for_webmushra_says_the_same_test(test_on_disk: Prepared) -> None:
    folder = test_on_disk.folder / "webmushra"
    data = of_yaml((folder / "configs" / "listening.yaml").read_text("utf-8"))
    assert data == config(test_on_disk.key)
    first, (order, *trials), last = data["pages"]
    assert (first["type"], order, last["type"]) == ("volume", "random", "finish")
    assert [t["id"] for t in trials] == ["s1-preference", "s1-clarity", "s2-preference", "s2-clarity"]
    for trial in trials:
        files = {*trial["stimuli"].values(), trial["reference"]}
        assert all((folder / file).is_file() for file in files)
        assert len(files) == len(test_on_disk.key.versions(trial["id"][:2]))
    plain = next(c for c in test_on_disk.key.conditions.values() if (c.song, c.engine) == ("s1", "sum"))
    assert trials[0]["reference"].endswith(Path(plain.file).name)


@pytest.mark.parametrize("data", [{"a": "yes: #no", "b": [1, True, {"c": "é\n", "d": [["x"], []]}], "e": {}}])
def test_yaml_comes_back_as_it_was(data: dict[str, Any]) -> None:
    assert of_yaml(yaml_text(data)) == data


def test_the_command_prepares_a_test_and_refuses_what_cannot_be(
    songs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = shutil.copytree(songs[1], tmp_path / "song")
    command = ["evaluate", "listening", str(song), "-o", str(tmp_path / "test"), "--excerpt", "song=0.5:1.0"]
    assert run([*command, "--criterion", "excitement", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["songs"]["song"] == {"start_s": 0.5, "seconds": 1.0, "versions": 2, "human": None}
    assert (data["criteria"], data["engines"]) == (["Excitement"], ["sum", "textbook"])
    assert Path(data["page"]).is_file()
    for wrong, words in (
        (["--engines", "txtbook"], "did you mean 'textbook'"),
        (["--criterion", "Clearness"], "there is no criterion"),
        (["--excerpt", "3"], "write START:SECONDS"),
        ([], "exists already"),
    ):
        assert run([*command, *wrong]) == 2
        assert words in capsys.readouterr().err
