"""``tonmeister train separation``: teach a network to take finished recordings apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.errors import BadInputError

__all__ = ["command"]

_path = click.Path(exists=True, path_type=Path)
_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_NETWORKS = ("deep-remix", "web-remix", "ensemble", "ensemble-combiner", "fcn")


@click.command(
    "separation",
    epilog=given.examples(
        "tonmeister train separation --network deep-remix --songs 200 --voices takes/ -o voice.onnx",
        "tonmeister train separation --network ensemble --songs 0 --data MUSDB18-HQ/ -o four.onnx",
    ),
)
@click.option("--network", type=click.Choice(_NETWORKS), required=True, help="Which network.")
@click.option("--preset", default="small", show_default=True, metavar="NAME",
              help="How large and how taught: paper, small, medium (deep-remix only).")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The model, NAME.onnx.")
@click.option("--data", type=_folder, multiple=True, metavar="DIR",
              help="Dataset of songs as stems (see 'tonmeister train datasets'). May be given again.")  # fmt: skip
@click.option("--songs", type=click.IntRange(min=0), default=200, show_default=True,
              help="Songs to synthesize and learn from.")  # fmt: skip
@click.option("--midi", type=_path, multiple=True, metavar="FOLDER|FILE",
              help="Songs as notes, besides composed ones. May be given again.")  # fmt: skip
@click.option("--soundfont", "soundfonts", type=given.existing_file, multiple=True, metavar="FILE",
              help="Play with this soundfont. May be given again. [default: those that 'doctor' finds]")  # fmt: skip
@click.option("--no-soundfonts", is_flag=True, help="Play everything with the built-in synthesizer.")
@click.option("--drumkit", "drumkits", type=_folder, multiple=True, metavar="FOLDER",
              help="Play drums with this kit of Hydrogen, too. May be given again.")  # fmt: skip
@click.option("--voices", type=_path, multiple=True, metavar="FOLDER|FILE",
              help="Recordings in which a voice sounds alone. May be given again.")  # fmt: skip
@click.option("--singers", type=click.IntRange(min=0), default=200, show_default=True,
              help="Synthetic voices that sing by themselves.")  # fmt: skip
@click.option("--test-songs", type=click.IntRange(min=0), default=0, show_default=True,
              help="Songs to synthesize for the figures on the card; 0: no figures.")  # fmt: skip
@click.option(
    "--test-midi", type=_path, multiple=True, metavar="FOLDER|FILE", help="Notes of songs to test on."
)
@click.option("--test-soundfont", "test_soundfonts", type=given.existing_file, multiple=True, metavar="FILE",
              help="Soundfont of songs to test on.")  # fmt: skip
@click.option("--test-drumkit", "test_drumkits", type=_folder, multiple=True, metavar="FOLDER",
              help="Drum kit of songs to test on.")  # fmt: skip
@click.option("--test-voices", type=_path, multiple=True, metavar="FOLDER|FILE", help="Voices to test on.")
@click.option("--examples", type=click.IntRange(min=1), default=600, show_default=True,
              help="Mixtures of six seconds to learn from.")  # fmt: skip
@click.option(
    "--sweeps", type=click.IntRange(min=1), help="How often to go through them. [default: the preset's]"
)
@click.option("--patches", type=click.IntRange(min=1), help="Patches of a sweep. [default: the preset's]")
@click.option("--ensemble", default="ensemble", show_default=True, metavar="NAME|FILE",
              help="Whose masks an ensemble-combiner combines; the songs must not be those it learned from.")  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the songs' stems there, to go on later.")  # fmt: skip
@given.seed_option
@given.overwrite_option
@given.common
def command(output: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Teach a network of Deep Remix or of the web remixer with songs whose parts are known.

    Songs are synthesized, read from datasets, or both. What is given to test on is never learned from. The model's card
    says what was used and how good it is.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.training.separation.recipe import train_separation

    screen = Screen.of(settings)
    given.check_names({"the model": output}, overwrite=asked["overwrite"])
    if output.suffix != ".onnx":
        raise BadInputError(f"{output}: the model is an ONNX file: give NAME.onnx")
    with screen.progress() as bars:
        card = train_separation(_options(asked), output, overwrite=asked["overwrite"], progress=bars)
    if screen.as_json:
        screen.json({"output": output, "card": card.to_dict()})
    for track, figures in card.metrics.get("held_out_synthetic", {}).items():
        if isinstance(figures, dict) and "si_sdr_db" in figures:
            screen.show(
                f"{track}: SI-SDR {figures['si_sdr_db']:.1f} dB, {figures['si_sdr_gain_db']:+.1f} dB over the mixture"
            )
    screen.say(f"model: {output}")


def _options(asked: dict[str, Any]) -> Any:
    import dataclasses

    from tonmeister.cli.again import call_again
    from tonmeister.training.separation.presets import preset
    from tonmeister.training.separation.recipe import EVALUATION_SEED, RecipeOptions

    chosen = preset(asked["network"], asked["preset"])
    changed = {name: asked[name] for name in ("sweeps", "patches") if asked[name]}
    learning = dataclasses.replace(chosen.learning, **changed)
    return RecipeOptions(
        preset=dataclasses.replace(chosen, learning=learning),
        sources=_sources(asked, "", asked["seed"]),
        test=_sources(asked, "test_", EVALUATION_SEED),
        examples=asked["examples"],
        ensemble=asked["ensemble"],
        seed=asked["seed"],
        command=call_again(),
    )


def _sources(asked: dict[str, Any], kind: str, seed: int) -> Any:
    """Songs to learn from, or with `kind` ``test_`` to test on."""
    from tonmeister.training.separation.stems import SongSources
    from tonmeister.training.synthesis.soundfonts import find_soundfonts

    fonts = asked[f"{kind}soundfonts"] or (() if asked["no_soundfonts"] else find_soundfonts())
    return SongSources(
        songs=asked[f"{kind}songs"],
        seed=seed,
        midi=_files(asked[f"{kind}midi"], (".mid", ".midi")),
        soundfonts=tuple(fonts),
        drumkits=tuple(asked[f"{kind}drumkits"]),
        voices=_files(asked[f"{kind}voices"], None),
        singers=0 if kind or not asked["songs"] else asked["singers"],
        data=() if kind else tuple(asked["data"]),
        cache=asked["cache"],
    )


def _files(given_paths: tuple[Path, ...], suffixes: tuple[str, ...] | None) -> tuple[Path, ...]:
    """The files, and those in the folders; audio files without `suffixes`."""
    from tonmeister.audio import AUDIO_SUFFIXES

    wanted = suffixes or AUDIO_SUFFIXES
    found: list[Path] = []
    for path in given_paths:
        inside = (
            sorted(p for p in path.rglob("*") if p.suffix.casefold() in wanted) if path.is_dir() else [path]
        )
        found += inside
    return tuple(found)
