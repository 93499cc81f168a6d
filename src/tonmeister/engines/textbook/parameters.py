"""What a rule may set, and within which range: a value outside is clipped, and the log says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonmeister.units import Range

__all__ = ["PARAMETERS", "PROCESSORS"]

PROCESSORS: Final = ("high_pass", "compressor", "deesser", "equalizer", "fader", "panner", "reverb", "bus")
"""Kinds of processor a rule may speak about."""

PARAMETERS: Final[Mapping[str, Range]] = {
    "high_pass.cutoff_hz": Range(20.0, 1000.0, "Hz", "log"),
    "high_pass.order": Range(2.0, 4.0),
    "compressor.threshold_db": Range(-60.0, 0.0, "dB"),
    "compressor.ratio": Range(1.0, 20.0),
    "compressor.knee_db": Range(0.0, 24.0, "dB"),
    # Attack and release limits: Moffat & Sandler, AES 145 (2018), table 1.
    "compressor.attack_ms": Range(0.1, 250.0, "ms", "log"),
    "compressor.release_ms": Range(5.0, 3000.0, "ms", "log"),
    "compressor.sidechain_high_pass_hz": Range(20.0, 500.0, "Hz", "log"),
    "deesser.frequency_hz": Range(2000.0, 12000.0, "Hz", "log"),
    "deesser.threshold_db": Range(-60.0, 0.0, "dB"),
    "deesser.ratio": Range(1.0, 20.0),
    "deesser.range_db": Range(0.0, 12.0, "dB"),
    "equalizer.section_db": Range(-12.0, 12.0, "dB"),
    "masking.limit_db": Range(0.0, 6.0, "dB"),
    "fader.target_lu": Range(-40.0, 6.0, "LU"),
    "fader.kit_lu": Range(-40.0, 6.0, "LU"),
    "fader.section_share": Range(0.0, 1.0),
    "pan.position": Range(-1.0, 1.0),
    "reverb.decay_s": Range(0.3, 3.0, "s", "log"),
    "reverb.predelay_ms": Range(0.0, 120.0, "ms"),
    "reverb.damping_hz": Range(2000.0, 20000.0, "Hz", "log"),
    "reverb.low_cut_hz": Range(20.0, 1000.0, "Hz", "log"),
    "reverb.loudness_lu": Range(-40.0, -9.0, "LU"),
    "send.gain_db": Range(-40.0, 12.0, "dB"),
}
"""Parameter -> range. ``fader.target_lu`` is relative to the lead, ``fader.kit_lu`` to the drum bus."""
