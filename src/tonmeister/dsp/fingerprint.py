"""A fingerprint of samples, at the speed of memory: eight running 64-bit hashes, one per place modulo eight.

h = (h xor bits) p, turned by 29 bits, p an odd constant: any changed sample changes its hash. It tells recordings
apart; it is no defense against someone who wants two to look alike.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import FloatArray

__all__ = ["Fingerprint"]

_HASHES: Final = 8
_PRIME: Final = np.uint64(0x9E3779B185EBCA87)
_TURN: Final = np.uint64(29)
_BACK: Final = np.uint64(35)


class Fingerprint:
    """The running hashes of one channel; blocks of any size give the same."""

    def __init__(self) -> None:
        self._state: NDArray[np.uint64] = np.arange(1, _HASHES + 1, dtype=np.uint64)
        self._position = 0

    def update(self, samples: FloatArray) -> None:
        """Take the next samples (frames,)."""
        _stir(np.ascontiguousarray(samples).view(np.uint32), self._position % _HASHES, self._state)
        self._position += len(samples)

    def digest(self) -> bytes:
        """Sixteen bytes for all samples so far."""
        data = self._state.tobytes() + self._position.to_bytes(8, "little")
        return hashlib.blake2b(data, digest_size=16).digest()


@kernel
def _stir(bits: NDArray[np.uint32], place: int, state: NDArray[np.uint64]) -> None:
    for i in range(len(bits)):
        n = (place + i) % _HASHES
        mixed = (state[n] ^ np.uint64(bits[i])) * _PRIME
        state[n] = (mixed << _TURN) | (mixed >> _BACK)
