"""``tonmeister apply-effect``: a file through a learned effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonmeister.audio import Audio
    from tonmeister.effects.learned import Learned
    from tonmeister.units import FloatArray

__all__ = ["command"]

_BLOCK = 1 << 14


@click.command(
    "apply-effect",
    epilog=given.examples(
        "tonmeister apply-effect guitar.wav pedal.npz -o guitar-pedal.wav",
        "tonmeister apply-effect guitar.wav pedal.npz -o half.wav --input-gain 6 --mix 0.5",
    ),
)
@click.argument("source", metavar="IN", type=given.existing_file)
@click.argument("model", metavar="MODEL", type=click.Path())
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Where the sound goes; the ending says the format.")  # fmt: skip
@click.option("--input-gain", "input_gain_db", type=float, default=0.0, show_default=True, metavar="DB",
              help="Level into the device: what it does depends on it.")  # fmt: skip
@click.option("--output-gain", "output_gain_db", type=float, default=0.0, show_default=True, metavar="DB",
              help="Level behind the device.")  # fmt: skip
@click.option("--mix", type=float, default=1.0, show_default=True, metavar="0-1",
              help="How much of it is the device; the rest is the sound as it was.")  # fmt: skip
@given.bits_option
@given.overwrite_option
@given.common
def command(
    source: Path, model: str, output: Path, settings: dict[str, Any], bits: str | None, overwrite: bool,
    **parameters: Any,
) -> None:  # fmt: skip
    """Send the file IN through the learned effect MODEL."""
    from tonmeister.audio import Audio, read_audio
    from tonmeister.audio_output import check_output, write_audio
    from tonmeister.cli.screen import Screen
    from tonmeister.effects.learned import Learned
    from tonmeister.effects.learned_files import load_device
    from tonmeister.learned_effects.domain import domain_of, outside

    check_output(output, overwrite=overwrite, subtype=bits)
    screen, effect = Screen.of(settings), Learned(model=model, **parameters)
    device, card = load_device(model)
    audio = read_audio(source)
    _check_finite(source, audio)
    with screen.progress() as bars:
        made, late, told = _through(effect, audio, bars)
    write_audio(output, Audio(made, audio.sample_rate), subtype=bits, overwrite=overwrite)
    notes = outside(domain_of(audio.samples, audio.sample_rate), card.settings.get("domain") or {})
    notes += told
    if device.sample_rate != audio.sample_rate:
        what = "filters" if device.network is None else "sound"
        notes.append(f"learned at {device.sample_rate} Hz, used at {audio.sample_rate} Hz: {what} converted")
    if (peak := float(abs(made).max(initial=0.0))) > 1.0 and bits != "32f":
        notes.append(
            f"peak={peak:.2f} is beyond full scale and clipped: turn --output-gain down or use --bits 32f"
        )
    if screen.as_json:
        screen.json({"output": output, "network": device.name, "latency_frames": late,
                     "metrics": card.metrics, "notes": notes})  # fmt: skip
    screen.notes(notes)
    screen.say(f"written: {output}")


def _check_finite(source: Path, audio: Audio) -> None:
    import numpy as np

    from tonmeister.errors import AudioFileError

    if not np.isfinite(audio.samples).all():
        raise AudioFileError(f"{source}: holds values that are no numbers: export it again")


def _through(
    effect: Learned, audio: Audio, told: Callable[[str, float], None]
) -> tuple[FloatArray, int, list[str]]:
    """The sound behind the effect, as long as before and not late; how late the effect was; what it has to say."""
    import numpy as np

    from tonmeister.effects.base import remarks

    processor = effect.processor()
    processor.prepare(audio.sample_rate, audio.channels, _BLOCK)
    late = processor.latency_frames
    padded = np.pad(audio.samples, ((0, 0), (0, late)))
    for start in range(0, padded.shape[1], _BLOCK):
        block = padded[:, start : start + _BLOCK]
        block[:] = processor.process(block.copy())
        told("render", (start + block.shape[1]) / padded.shape[1])
    return np.ascontiguousarray(padded[:, late:]), late, remarks([processor])
