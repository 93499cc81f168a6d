"""``tonmeister train synthesize``: songs that nobody recorded, with everything that is true about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.training.synthesis.songs import SynthesisOptions

__all__ = ["command"]

_sources = click.Path(path_type=Path, exists=True)


@click.command(
    "synthesize",
    epilog=given.examples(
        "tonmeister train synthesize -o songs/ --songs 10",
        "tonmeister train synthesize -o songs/ --songs 100 --midi midi/ --voices takes/ --seed 7",
        "tonmeister train synthesize -o songs/ --songs 5 --no-soundfonts --no-drumkits --duration 10",
    ),
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder for the songs, one folder each.")  # fmt: skip
@click.option("--songs", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--start", type=click.IntRange(min=0), default=0, show_default=True,
              help="Number of the first song in the seed's stream.")  # fmt: skip
@click.option("--duration", "duration_s", type=float, default=30.0, show_default=True, metavar="S",
              help="Length of each song.")  # fmt: skip
@click.option("--rate", "sample_rate", type=int, default=44_100, show_default=True, metavar="HZ",
              help="Sample rate.")  # fmt: skip
@click.option("--midi", type=_sources, multiple=True, metavar="FOLDER|FILE",
              help="Take songs from MIDI files, too. May be given again.")  # fmt: skip
@click.option("--style", "styles", multiple=True, metavar="NAME",
              help="Compose in this style. May be given again. [default: all]")  # fmt: skip
@click.option("--soundfont", "soundfonts", type=given.existing_file, multiple=True, metavar="FILE",
              help="Play with this soundfont. May be given again. [default: those that 'doctor' finds]")  # fmt: skip
@click.option("--no-soundfonts", is_flag=True, help="Play everything with the built-in synthesizer.")
@click.option("--drumkit", "drumkits", type=_sources, multiple=True, metavar="FOLDER",
              help="Play drums with this kit of Hydrogen, too. May be given again. [default: those found]")  # fmt: skip
@click.option("--no-drumkits", is_flag=True, help="Use no drum kits of Hydrogen.")
@click.option("--voices", type=_sources, multiple=True, metavar="FOLDER|FILE",
              help="Recorded voices to sing what is written for voices. May be given again.")  # fmt: skip
@click.option("--faults", type=float, default=1.0, show_default=True, metavar="0..1",
              help="How faulty recordings are: 0 clean, 1 as in practice.")  # fmt: skip
@click.option("--moving-faders", type=float, default=0.0, show_default=True, metavar="0..1",
              help="Share of songs whose true faders move.")  # fmt: skip
@click.option("--format", "audio_format", type=click.Choice(("wav", "flac")), default="wav", show_default=True,
              help="Audio files; 24 bits.")  # fmt: skip
@click.option("--raw-only", is_flag=True, help="Leave out the dry and the processed tracks.")
@given.seed_option
@given.overwrite_option
@given.common
def command(
    output: Path,
    songs: int,
    start: int,
    audio_format: str,
    raw_only: bool,
    seed: int,
    overwrite: bool,
    settings: dict[str, Any],
    **how: Any,
) -> None:
    """Make songs with labelled tracks: as a mixer gets them, dry, processed, and mixed.

    Each folder holds raw tracks, the true mix and the plan that renders it, and song.json, which says what every
    track is and what was done to it. The same seed, options and sources give the same songs.
    """
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.training.synthesis.writing import FORMS, check_song_folders

    screen, options = Screen.of(settings), _options(**how)
    indices = range(start, start + songs)
    check_song_folders(output, indices, overwrite=overwrite)
    forms = () if raw_only else FORMS
    with when_interrupted(f"what is in {output} is complete"), screen.progress() as bars:
        bars("synthesizing", 0.0)
        made = []
        for number, index in enumerate(indices, 1):
            made.append(_made(seed, index, output, options, audio_format, forms, overwrite=overwrite))
            bars("synthesizing", number / songs)
    screen.show(_table(made), "")
    if screen.as_json:
        screen.json({"output": output, "seed": seed, "songs": made})
    screen.notes(note for song in made for note in song["notes"])
    screen.say(f"songs: {output}")


def _options(
    *,
    soundfonts: tuple[Path, ...],
    no_soundfonts: bool,
    drumkits: tuple[Path, ...],
    no_drumkits: bool,
    **rest: Any,
) -> SynthesisOptions:
    from tonmeister.errors import BadInputError
    from tonmeister.training.synthesis.songs import SynthesisOptions

    if soundfonts and no_soundfonts:
        raise BadInputError("--soundfont and --no-soundfonts contradict each other: give one of them")
    if drumkits and no_drumkits:
        raise BadInputError("--drumkit and --no-drumkits contradict each other: give one of them")
    return SynthesisOptions(
        soundfonts=() if no_soundfonts else soundfonts or None,
        drumkits=() if no_drumkits else drumkits or None,
        **rest,
    )


def _made(
    seed: int,
    index: int,
    output: Path,
    options: SynthesisOptions,
    audio_format: str,
    forms: tuple[str, ...],
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Make and write one song; what the caller is told about it."""
    from tonmeister.training.synthesis.randomness import song_seed
    from tonmeister.training.synthesis.songs import synthesize
    from tonmeister.training.synthesis.writing import song_folder, write_song

    song = synthesize(song_seed(seed, index), options)
    folder = song_folder(output, index)
    about = write_song(song, folder, audio_format=audio_format, forms=forms, overwrite=overwrite)
    return {"folder": folder, **about}


def _table(songs: list[dict[str, Any]]) -> Table:
    from tonmeister.cli.tables import table

    rows = (
        (s["folder"].name, s["title"], str(len(s["tracks"])), ", ".join(t["instrument"] for t in s["tracks"]))
        for s in songs
    )
    return table(("song", "title", "tracks", "instruments"), rows, right=("tracks",))
