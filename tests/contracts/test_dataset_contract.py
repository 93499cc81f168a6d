"""Every dataset reader: recognized from its tree alone, lazy, in our words, with the dataset's own kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from makers_datasets import FRAMES, TREES
from tonmeister.datasets.base import DATASETS, SPLITS, DatasetSong, dataset_type, open_dataset
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import INSTRUMENTS, ROLES


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("datasets")
    return {name: make(root / f"tree-{i}") for i, (name, make) in enumerate(TREES.items())}


@pytest.fixture(scope="module", params=sorted(DATASETS))
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def songs(layout: str, trees: dict[str, Path]) -> list[DatasetSong]:
    return list(open_dataset(trees[layout]).songs())


def test_every_layout_has_a_tree_to_try() -> None:
    assert set(TREES) == set(DATASETS)


def test_a_tree_is_recognized_as_what_it_is(layout: str, trees: dict[str, Path]) -> None:
    assert open_dataset(trees[layout]).info.name == layout
    assert open_dataset(trees[layout], layout).info.name == layout


def test_a_named_layout_refuses_another_tree(layout: str, trees: dict[str, Path]) -> None:
    other = "nsynth" if layout != "nsynth" else "dsd100"
    with pytest.raises(BadInputError, match=rf"is not {layout}, looked for .*: it looks like {other}"):
        open_dataset(trees[other], layout)


def test_it_says_where_it_comes_from_and_what_may_be_done(layout: str) -> None:
    info = dataset_type(layout).info
    assert info.name == layout
    assert all((info.title, info.licence, info.citation, info.looks_for))
    assert not info.url or info.url.startswith("http")


def test_songs_have_titles_splits_and_tracks(songs: list[DatasetSong]) -> None:
    assert songs
    for song in songs:
        assert song.title
        assert song.dataset
        assert song.split in SPLITS
        assert not song.problem
    assert any(song.tracks for song in songs)


def test_names_are_unique_in_a_song(songs: list[DatasetSong]) -> None:
    for song in songs:
        for tracks in (song.tracks, song.stems):
            assert len({t.name.casefold() for t in tracks}) == len(tracks)


def test_multitracks_are_in_our_words_and_keep_theirs(songs: list[DatasetSong]) -> None:
    for song in (s for s in songs if s.tracks):
        multitrack = song.multitrack
        assert multitrack.tracks
        assert all(t.instrument in INSTRUMENTS and t.role in ROLES for t in multitrack.tracks)
        assert all(t.evidence for t in multitrack.tracks)
        assert len(multitrack.names) == len(song.tracks)


def test_a_label_without_a_word_here_is_other_and_said(songs: list[DatasetSong]) -> None:
    for song in songs:
        for track in song.tracks:
            if not track.label.mapped:
                opened = song.multitrack[track.name]
                assert (opened.instrument, opened.confidence) == ("other", 0.0)
                assert track.label.word in song.unmapped


def test_the_sound_is_read_when_it_is_asked_for(songs: list[DatasetSong]) -> None:
    song = next(s for s in songs if s.tracks)
    for track in song.multitrack.tracks:
        assert track.audio is None
        heard = sum(block.shape[1] for block in track.blocks(track.native_rate, 512))
        assert heard >= FRAMES
        assert track.channels <= 2


def test_listing_reads_no_audio(layout: str, trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    if layout in ("plain", "mixing-secrets", "rock-band"):
        pytest.skip("reads headers: pairs of files and maps of channels depend on them")

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("audio was opened")

    monkeypatch.setattr("tonmeister.datasets.base.probe", forbidden)
    assert list(open_dataset(trees[layout]).songs())
