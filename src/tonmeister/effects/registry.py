"""Where each effect lives: name -> "module:Class"; third parties add theirs as entry points.

The entry-point group is ``tonmeister.effects``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EFFECTS: Final[Mapping[str, str]] = {
    "gain": "tonmeister.effects.gain:Gain",
    "pan": "tonmeister.effects.pan:Pan",
    "alignment": "tonmeister.effects.alignment:Alignment",
    "high_pass": "tonmeister.effects.filters:HighPass",
    "low_pass": "tonmeister.effects.filters:LowPass",
    "equalizer": "tonmeister.effects.equalizer:Equalizer",
    "compressor": "tonmeister.effects.compressor:Compressor",
    "gate": "tonmeister.effects.gate:Gate",
    "deesser": "tonmeister.effects.deesser:Deesser",
    "saturation": "tonmeister.effects.saturation:Saturation",
    "learned": "tonmeister.effects.learned:Learned",
    "stem": "tonmeister.effects.stem_network:StemNetwork",
    "width": "tonmeister.effects.width:Width",
    "band_pan": "tonmeister.effects.band_pan:BandPan",
    "panorama": "tonmeister.effects.panorama:Panorama",
    "exciter": "tonmeister.effects.exciter:Exciter",
    "reverb": "tonmeister.effects.reverb:Reverb",
    "echo": "tonmeister.effects.echo:Echo",
    "limiter": "tonmeister.effects.limiter:Limiter",
}
