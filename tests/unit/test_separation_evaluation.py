"""Separation: museval as the oracle, known ratios, silent sources, what is refused."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from makers import RATE, noise, write_folder
from makers_mixes import rises
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.bss_eval import bss_eval
from tonmeister.evaluation.pages import separation_page
from tonmeister.evaluation.separation import evaluate_separation, score_stems, sdr_db, si_sdr_db


def museval_metrics() -> Any:
    """`museval.metrics` without `museval`, whose import asks for the program ffmpeg."""
    found = importlib.util.find_spec("museval")
    assert found is not None
    package = types.ModuleType("museval_oracle")
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules.setdefault("museval_oracle", package)
    return importlib.import_module("museval_oracle.metrics")


def sources(count: int, channels: int, frames: int, *, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((count, channels, frames))


def test_bss_eval_is_that_of_museval() -> None:
    references = sources(2, 2, 9000)
    estimates = references + 0.3 * references[::-1] + 0.02 * sources(2, 2, 9000, seed=1)
    estimates[0, 1] = np.roll(estimates[0, 1], 5)
    estimates[1, :, 3000:6000] = 0.0  # a silent window
    ours = bss_eval(references, estimates, window=3000, hop=3000)
    theirs = museval_metrics().bss_eval(
        references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), window=3000, hop=3000
    )
    for one, other in zip((ours.sdr_db, ours.isr_db, ours.sir_db, ours.sar_db), theirs, strict=False):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.isnan(ours.sdr_db[:, 1]).all()


def test_equal_channels_do_not_break_the_system() -> None:
    mono = sources(2, 1, 6000)
    stereo = np.repeat(mono, 2, axis=1)
    estimates = mono + 0.3 * mono[::-1]
    one = bss_eval(mono, estimates, window=3000, hop=3000)
    two = bss_eval(stereo, np.repeat(estimates, 2, axis=1), window=3000, hop=3000)
    np.testing.assert_allclose(one.sir_db, two.sir_db, atol=0.05)


def test_known_ratios() -> None:
    reference, other = sources(2, 2, 50_000)
    assert sdr_db(reference, reference) == 200.0
    assert sdr_db(reference, 0.5 * reference) == pytest.approx(6.02, abs=0.01)
    assert si_sdr_db(reference, 0.5 * reference) == 200.0
    assert si_sdr_db(reference, -3 * reference) == 200.0
    assert sdr_db(reference, reference + 0.1 * other) == pytest.approx(20.0, abs=0.1)
    assert si_sdr_db(reference, 2 * reference + 0.2 * other) == pytest.approx(20.0, abs=0.1)


def test_each_ratio_sees_its_own_fault() -> None:
    references = sources(2, 1, 6000)
    strange = sources(2, 1, 6000, seed=9)

    def medians(estimates: np.ndarray) -> tuple[float, float, float]:
        found = bss_eval(references, estimates, window=3000, hop=3000)
        return tuple(float(np.median(v[0])) for v in (found.sdr_db, found.sir_db, found.sar_db))  # type: ignore[return-value]

    leaking = [medians(references + g * references[::-1]) for g in (0.1, 0.3, 0.9)]
    noisy = [medians(references + g * strange) for g in (0.1, 0.3, 0.9)]
    assert rises([-v[1] for v in leaking])
    assert rises([-v[0] for v in leaking])
    assert rises([-v[2] for v in noisy])
    assert leaking[2][2] > noisy[2][2] + 30  # leakage is no artifact


def test_folders_are_matched_by_name(tmp_path: Path) -> None:
    vocals, drums = noise(RATE, 2, seed=1), noise(RATE, 2, seed=2)
    references = write_folder(
        tmp_path / "true", {"Vocals.wav": vocals, "drums.flac": drums, "bass.wav": drums}
    )
    leak = Audio(vocals.samples + 0.1 * drums.samples, RATE)
    rest = Audio(0.9 * drums.samples, RATE)
    estimates = write_folder(
        tmp_path / "found", {"vocals.wav": leak, "drums.wav": rest, "residual.wav": rest}
    )
    result = evaluate_separation(estimates, references)
    assert set(result.tracks) == {"vocals", "drums"}
    assert result.tracks["vocals"].sdr_db == pytest.approx(20.0, abs=0.1)
    assert result.tracks["vocals"].bss_sir_db == pytest.approx(20.0, abs=0.5)
    assert result.null_db is not None
    assert result.null_db < -90
    assert "bass.wav: not estimated" in result.notes
    data = result.to_dict()
    assert set(data["tracks"]["drums"]) >= {"sdr_db", "si_sdr_db"}
    json.dumps(data, allow_nan=False)
    assert separation_page(result).sections[0].rows[0][0] == "drums"


def test_the_null_against_a_mix(tmp_path: Path) -> None:
    vocals, drums = noise(RATE, 1, seed=1), noise(RATE, 1, seed=2)
    stems = write_folder(tmp_path / "stems", {"vocals.wav": vocals, "drums.wav": drums})
    mixed = Audio(vocals.samples + drums.samples + 0.01 * noise(RATE, 1, seed=3).samples, RATE)
    write_folder(tmp_path, {"song.wav": mixed})
    result = evaluate_separation(stems, stems, mix=tmp_path / "song.wav")
    assert result.null_db == pytest.approx(-43.0, abs=0.3)
    assert result.null_against == "the mix"


def test_silent_sources() -> None:
    sound, silence = noise(RATE, 1).samples.astype(np.float64), np.zeros((1, RATE))
    scores, said = score_stems(
        {"a": (sound, sound), "b": (silence, 0.1 * sound), "c": (sound, silence)}, RATE
    )  # fmt: skip
    assert scores["a"].sdr_db == 200.0
    assert (scores["b"].sdr_db, scores["b"].silent) == (None, "reference")
    assert scores["b"].leak_db == pytest.approx(-26.0, abs=0.1)
    assert (scores["c"].sdr_db, scores["c"].silent) == (0.0, "estimate")
    assert scores["a"].bss_sdr_db is not None
    assert len(said) == 2


def test_a_shorter_window_than_the_signal_is_not_needed() -> None:
    short = sources(2, 1, 2000)
    assert bss_eval(short, short + 0.1 * short[::-1], window=44_100, hop=44_100).sdr_db.shape == (2, 1)


@pytest.mark.parametrize(
    ("estimate", "why"),
    [
        ({"vocal.wav": noise(RATE)}, "has no 'vocal'.*did you mean 'vocals'"),
        ({"vocals.wav": noise(RATE // 2)}, "one length"),
        ({"vocals.wav": noise(RATE, 2)}, "mono or both"),
        ({}, "holds no audio"),
    ],
)
def test_what_does_not_match_is_one_clear_error(tmp_path: Path, estimate: dict[str, Audio], why: str) -> None:
    references = write_folder(tmp_path / "true", {"vocals.wav": noise(RATE)})
    estimates = write_folder(tmp_path / "found", estimate)
    with pytest.raises(BadInputError, match=why):
        evaluate_separation(estimates, references)


def test_all_silent_is_refused(tmp_path: Path) -> None:
    silent = write_folder(tmp_path / "a", {"vocals.wav": Audio(np.zeros((1, RATE)), RATE)})
    with pytest.raises(BadInputError, match="all references are silent"):
        evaluate_separation(silent, silent)
