"""The two ways from sound to tracks, block by block: masks on short-time spectra, and waveforms segment by segment.

A process takes (channels, frames) at its estimator's rate and gives (tracks, channels, frames), later but complete.
What it gives does not depend on the blocks it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import numpy as np

from tonmeister.dsp.stft import Stft, StftAnalysis, StftSynthesis
from tonmeister.errors import ModelError
from tonmeister.separation.base import BlockMaskEstimator, MaskEstimator, Spectrum, WaveEstimator
from tonmeister.separation.channels import downmix_matrix, groups, spread
from tonmeister.separation.masks import MaskRule, soft
from tonmeister.separation.wiener import BLOCK_FRAMES, wiener
from tonmeister.units import FloatArray

__all__ = ["MaskProcess", "Process", "WaveProcess", "process_for"]

CHUNK_FRAMES: Final = BLOCK_FRAMES
"""Spectra that are masked, and perhaps refined, at once."""
OVERLAP: Final = 0.25
"""Share of a segment that is cross-faded with the next."""

Masked = tuple[Spectrum, FloatArray]


class Process(Protocol):
    """Sound in, tracks out."""

    def push(self, block: FloatArray) -> FloatArray:
        """Take (channels, frames), give what is now complete, (tracks, channels, frames)."""

    def finish(self) -> FloatArray:
        """The rest: then as many frames have come out as went in."""


def process_for(
    estimator: MaskEstimator | WaveEstimator, channels: int, rule: MaskRule = soft, wiener_rounds: int = 0
) -> Process:
    """The process that runs an estimator over a recording; `rule` and `wiener_rounds` are for those that give masks."""
    if isinstance(estimator, MaskEstimator):
        return MaskProcess(estimator, channels, rule, wiener_rounds)
    return WaveProcess(estimator, channels)


class MaskProcess:
    """Cuts tracks out of the recording's own spectra, its phase kept; the Wiener filter may refine them."""

    def __init__(
        self, estimator: MaskEstimator, channels: int, rule: MaskRule = soft, wiener_rounds: int = 0
    ) -> None:
        framing = estimator.framing
        stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
        self._analysis = StftAnalysis(stft)
        self._syntheses = [StftSynthesis(stft) for _ in estimator.tracks]
        self._ear = _Ear(estimator, channels, rule)
        self._masking = (
            _BlockMasking(self._ear, estimator.block_frames)
            if isinstance(estimator, BlockMaskEstimator)
            else _LocalMasking(self._ear, estimator.context_frames)
        )
        self._wiener_rounds = wiener_rounds
        self._frames = 0

    def push(self, block: FloatArray) -> FloatArray:
        self._frames += block.shape[1]
        return self._cut(self._masking.push(self._analysis.push(block)))

    def finish(self) -> FloatArray:
        cut = self._cut(self._masking.finish(self._analysis.finish()))
        rest = np.stack([s.finish(self._frames) for s in self._syntheses])
        return np.concatenate([cut, rest], axis=-1)

    def _cut(self, parts: Iterator[Masked]) -> FloatArray:
        """Masks on spectra, and back to sound."""
        made = [np.zeros((len(self._syntheses), self._ear.channels, 0), np.float32)]
        for spectrum, masks in parts:
            cut: Iterable[Spectrum] = (spectrum * mask for mask in masks)
            if self._wiener_rounds:
                cut = wiener(np.stack(list(cut)), spectrum, self._wiener_rounds)
            made.append(np.stack([s.push(one) for s, one in zip(self._syntheses, cut, strict=True)]))
        return np.concatenate(made, axis=-1)


class _Ear:
    """Asks an estimator for masks, and checks and widens what it says."""

    def __init__(self, estimator: MaskEstimator, channels: int, rule: MaskRule) -> None:
        self.channels = channels
        self._estimator = estimator
        self._rule = rule
        self._downmix = downmix_matrix(channels) if channels > 2 else None

    def __call__(self, spectrum: Spectrum) -> FloatArray:
        """Masks (tracks, channels or 1, bins, frames)."""
        heard = spectrum if self._downmix is None else _mixed_down(self._downmix, spectrum)
        masks = self._rule(np.asarray(self._estimator.masks(heard), np.float32))
        if not np.isfinite(masks).all():
            raise ModelError("the model gives masks that are not numbers: it is damaged, give another model")
        return masks if self._downmix is None else spread(masks, self.channels)


def _mixed_down(matrix: FloatArray, spectrum: Spectrum) -> Spectrum:
    return np.tensordot(matrix, spectrum, axes=1).astype(np.complex64, copy=False)


class _LocalMasking:
    """Masks chunk by chunk, each with as many neighbors as the masks depend on."""

    def __init__(self, ear: _Ear, context: int) -> None:
        self._ear, self._context = ear, context
        self._held: Spectrum | None = None
        self._behind = 0
        """How many of the held spectra are masked already and only context."""

    def push(self, spectrum: Spectrum) -> Iterator[Masked]:
        self._held = _joined(self._held, spectrum)
        while self._held.shape[-1] >= self._behind + CHUNK_FRAMES + self._context:
            yield self._masked(CHUNK_FRAMES)

    def finish(self, spectrum: Spectrum) -> Iterator[Masked]:
        yield from self.push(spectrum)
        assert self._held is not None
        while left := self._held.shape[-1] - self._behind:
            yield self._masked(min(left, CHUNK_FRAMES))

    def _masked(self, count: int) -> Masked:
        held, behind = self._held, self._behind
        assert held is not None
        masks = self._ear(held[..., : behind + count + self._context])
        here = slice(behind, behind + count)
        drop = max(behind + count - self._context, 0)
        self._held, self._behind = held[..., drop:], behind + count - drop
        return held[..., here], masks[..., here]


class _BlockMasking:
    """Masks of blocks that overlap by half, cross-faded in straight lines."""

    def __init__(self, ear: _Ear, block_frames: int) -> None:
        self._ear = ear
        self._half = max(block_frames // 2, 1)
        self._held: Spectrum | None = None
        self._earlier: FloatArray | None = None
        """What the block before says about the first half of this one."""

    def push(self, spectrum: Spectrum) -> Iterator[Masked]:
        self._held = _joined(self._held, spectrum)
        while self._held.shape[-1] > 2 * self._half:
            masks = self._faded(self._held[..., : 2 * self._half])
            self._earlier = masks[..., self._half :]
            part, self._held = self._held[..., : self._half], self._held[..., self._half :]
            yield part, masks[..., : self._half]

    def finish(self, spectrum: Spectrum) -> Iterator[Masked]:
        yield from self.push(spectrum)
        assert self._held is not None
        yield self._held, self._faded(self._held)

    def _faded(self, block: Spectrum) -> FloatArray:
        masks = self._ear(block)
        if self._earlier is None:
            return masks
        fade = ((np.arange(self._half) + 0.5) / self._half).astype(np.float32)
        mixed = fade * masks[..., : self._half] + (1.0 - fade) * self._earlier
        return np.concatenate([mixed, masks[..., self._half :]], axis=-1)


def _joined(held: Spectrum | None, more: Spectrum) -> Spectrum:
    return more if held is None else np.concatenate([held, more], axis=-1)


class WaveProcess:
    """Lets an estimator make the waveforms; the seams of its segments are cross-faded in straight lines.

    Before the beginning and behind the end the recording is mirrored, so that no edge of a segment is heard.
    """

    def __init__(self, estimator: WaveEstimator, channels: int) -> None:
        self._estimator = estimator
        self._channels = channels
        self._overlap = max(round(OVERLAP * estimator.segment_frames), 1)
        self._step = estimator.segment_frames - self._overlap
        self._held = np.zeros((channels, 0), np.float32)
        self._tail: FloatArray | None = None
        self._early: int | None = None
        """How much of what comes next lies before the beginning; None: the beginning is not yet mirrored."""
        self._left = 0

    def push(self, block: FloatArray) -> FloatArray:
        self._left += block.shape[1]
        self._held = np.concatenate([self._held, block], axis=1)
        if self._early is None and self._held.shape[1] > self._overlap:
            self._mirror_start()
        return self._made()

    def finish(self) -> FloatArray:
        if self._early is None:
            self._mirror_start()
        frames = self._held.shape[1]
        needed = -(-frames // self._step) * self._step + self._overlap
        self._held = np.pad(self._held, ((0, 0), (0, needed - frames)), mode="reflect")
        left = self._left
        return self._made()[..., :left]

    def _mirror_start(self) -> None:
        self._held = np.pad(self._held, ((0, 0), (self._overlap, 0)), mode="reflect")
        self._early = self._overlap

    def _made(self) -> FloatArray:
        """Everything that whole segments can give."""
        pieces = [np.zeros((len(self._estimator.tracks), self._channels, 0), np.float32)]
        while self._early is not None and self._held.shape[1] >= self._step + self._overlap:
            segment = self._faded(self._waves(self._held[:, : self._step + self._overlap]))
            pieces.append(segment[..., self._early : self._step])
            self._tail, self._early = segment[..., self._step :], 0
            self._held = self._held[:, self._step :]
        made = np.concatenate(pieces, axis=-1)
        self._left -= made.shape[-1]
        return made

    def _faded(self, segment: FloatArray) -> FloatArray:
        if self._tail is not None:
            fade = ((np.arange(self._overlap) + 0.5) / self._overlap).astype(np.float32)
            segment[..., : self._overlap] *= fade
            segment[..., : self._overlap] += (1.0 - fade) * self._tail
        return segment

    def _waves(self, segment: FloatArray) -> FloatArray:
        """The estimator's answer for all channels, one pair or single channel after the other."""
        waves = np.zeros((len(self._estimator.tracks), *segment.shape), np.float32)
        for group in groups(self._channels):
            for heard in [group] if self._estimator.channels == 2 else [(c,) for c in group]:
                given = np.resize(segment[list(heard)], (self._estimator.channels, segment.shape[1]))
                answer = np.asarray(self._estimator.waves(given), np.float32)
                if not np.isfinite(answer).all():
                    raise ModelError(
                        "the model gives samples that are not numbers: it is damaged, give another model"
                    )
                waves[:, list(heard)] = (
                    answer if len(heard) == answer.shape[1] else answer.mean(1, keepdims=True)
                )
        return waves
