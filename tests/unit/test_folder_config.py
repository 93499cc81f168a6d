"""tonmeister.toml: what it may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tonmeister.errors import BadInputError
from tonmeister.loading import FolderConfig, TrackSettings, read_config


def _config(folder: Path, text: str) -> FolderConfig:
    (folder / "tonmeister.toml").write_text(text, encoding="utf-8")
    return read_config(folder)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_config(tmp_path) == FolderConfig()


def test_everything_it_may_say(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        """
        title = "Ein Lied"
        tempo_bpm = 92.5
        genre = "folk"
        sample_rate = 48000
        exclude = ["*_old.wav"]
        locks = ["Kick", "Lead Vox.gain_db"]
        groups = { drums = ["Kick", "Snare"] }
        [tracks."Audio 01.wav"]
        instrument = "violin"
        role = "lead"
        name = "Geige"
        group = "strings"
        kind = "source"
        """,
    )
    assert config == FolderConfig(
        title="Ein Lied",
        tempo_bpm=92.5,
        genre="folk",
        sample_rate=48000,
        exclude=("*_old.wav",),
        locks=("Kick", "Lead Vox.gain_db"),
        tracks={"Audio 01.wav": TrackSettings("violin", "lead", "Geige", "strings", "source")},
        groups={"drums": ("Kick", "Snare")},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('titel = "x"', "'title'"),
        ('[tracks.Kick]\ninstrumnt = "kick"', "'instrument'"),
        ('[tracks.Kick]\ninstrument = "kik"', "'kick'"),
        ('[tracks.Kick]\ninstrument = "zzzz"', "use one of drums"),
        ('[tracks.Kick]\nrole = "leed"', "'lead'"),
        ('[tracks.Kick]\nkind = "prints"', "'print'"),
        ('[tracks.Kick]\nname = " "', "empty"),
        ("[tracks.Kick]\nname = 3", "not text"),
        ("tracks = 3", r"write \[tracks\]"),
        ('tempo_bpm = "92"', "not a number"),
        ("tempo_bpm = 1e9", "10 to 999 bpm"),
        ("tempo_bpm = nan", "not a number"),
        ("tempo_bpm = true", "not a number"),
        ("sample_rate = 44100.5", "whole number"),
        ("sample_rate = 3", "4000 to"),
        ('exclude = "a.wav"', "not a list"),
        ("locks = [1]", "not a list"),
        ('groups = { a = "Kick" }', "not a list"),
        ("title = ", "not valid TOML"),
    ],
)
def test_what_it_may_not_say(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        _config(tmp_path, text)
    assert "tonmeister.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_size_and_encoding(tmp_path: Path) -> None:
    path = tmp_path / "tonmeister.toml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(BadInputError, match="1 MiB"):
        read_config(tmp_path)
    path.write_bytes('title = "Mañana"'.encode("latin-1"))
    with pytest.raises(BadInputError, match="UTF-8"):
        read_config(tmp_path)
    path.write_bytes('title = "Mañana"\r\n'.encode("utf-8-sig"))
    assert read_config(tmp_path).title == "Mañana"
