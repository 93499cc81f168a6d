"""What the services of `targets.toml` do to a mix: gain applied, and the room that is left or missing.

A service with a loudness target plays a mix at gain = target - integrated loudness. Above 0 dB of room (ceiling
minus true peak after that gain) the mix plays untouched; below it the service limits or raises less. A mix that
is turned down leaves room that its limiter has spent for nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tonmeister.targets import Target, targets

__all__ = ["Platform", "platforms"]


@dataclass(frozen=True, slots=True)
class Platform:
    """One service; gains and rooms in dB."""

    name: str
    target_lufs: float
    ceiling_dbtp: float
    gain_db: float
    """Applied by the service; positive is up."""
    true_peak_dbtp: float
    """After that gain."""
    room_db: float
    """Ceiling minus that true peak; negative: the service limits, or raises less."""
    clean_gain_db: float
    """The gain that keeps the ceiling without a limiter."""
    verdict: str
    evidence: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def platforms(integrated_lufs: float | None, true_peak_dbtp: float | None) -> tuple[Platform, ...]:
    """Every target with a loudness; none for a silent mix."""
    if integrated_lufs is None or true_peak_dbtp is None:
        return ()
    return tuple(
        _platform(t, integrated_lufs, true_peak_dbtp) for t in targets().values() if t.lufs is not None
    )


def _platform(target: Target, integrated_lufs: float, true_peak_dbtp: float) -> Platform:
    assert target.lufs is not None
    assert target.ceiling_dbtp is not None
    wanted = target.lufs - integrated_lufs
    gain = min(wanted, 0.0) if target.only_down else wanted
    peak = true_peak_dbtp + gain
    room = target.ceiling_dbtp - peak
    return Platform(
        target.name, target.lufs, target.ceiling_dbtp, gain, peak, room,
        min(gain, target.ceiling_dbtp - true_peak_dbtp), _verdict(gain, room, wanted),
        target.evidence, target.source,
    )  # fmt: skip


def _verdict(gain_db: float, room_db: float, wanted_db: float) -> str:
    if room_db < -0.05 and gain_db > 0.05:
        return f"{-room_db:.1f} dB over the ceiling: limited, or played that much softer"
    if room_db < -0.05:
        return f"true peak {-room_db:.1f} dB over the ceiling: may clip in the codec"
    if gain_db < -0.05:
        return f"turned down {-gain_db:.1f} dB; {room_db:.1f} dB of peak room stay unused"
    if gain_db < wanted_db - 0.05:
        return f"played as it is, {wanted_db:.1f} dB softer than others: this service only turns down"
    return f"turned up {gain_db:.1f} dB" if gain_db > 0.05 else "played as it is"
