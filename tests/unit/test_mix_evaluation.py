"""The report on one mix: stereo by frequency, services, facts, masking, pairs of mixes and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makers import band, multitrack, noise, plan_for, write_folder
from makers_mixes import RATE, louder, panned, rises, song, tilted, wider
from tonmeister.audio import Audio
from tonmeister.decisions import SetGain
from tonmeister.errors import BadInputError
from tonmeister.evaluation.facts import end_silence_s
from tonmeister.evaluation.masking_report import masking_report
from tonmeister.evaluation.mix_metrics import compare_mixes, evaluate_mix
from tonmeister.evaluation.pages import mix_page
from tonmeister.evaluation.platforms import platforms
from tonmeister.evaluation.stereo import stereo_bands, stereo_warnings
from tonmeister.multitrack import Multitrack, Track
from tonmeister.targets import targets

SONG = song()


def write(path: Path, audio: Audio) -> Path:
    soundfile.write(str(path), audio.samples.T, audio.sample_rate, subtype="FLOAT")
    return path


def test_stereo_of_known_signals() -> None:
    one, other = noise(2 * RATE, 2, seed=3).samples
    same, apart, against = (
        stereo_bands(Audio(np.stack(pair), RATE)) for pair in ((one, one), (one, other), (one, -one))
    )
    for band_ in same:
        assert band_.side_share == pytest.approx(0.0, abs=1e-7)
        assert band_.mono_change_db == pytest.approx(0.0, abs=1e-6)
    assert apart[0].mono_change_db == pytest.approx(-3.01, abs=0.1)
    assert apart[0].correlation == pytest.approx(0.0, abs=0.03)
    assert against[0].side_share == pytest.approx(1.0)
    assert against[0].mono_change_db is not None
    assert against[0].mono_change_db < -60
    assert len(same) == 11


def test_stereo_warnings_name_the_fault() -> None:
    low = song().samples
    spectrum = np.fft.rfft(low[1].astype(np.float64))
    spectrum[np.fft.rfftfreq(low.shape[1], 1 / RATE) < 90] *= -1
    cancelled = np.stack([low[0], np.fft.irfft(spectrum, low.shape[1])])
    said = stereo_warnings(stereo_bands(Audio(cancelled, RATE)))
    assert any("63 Hz: the channels cancel in mono" in s for s in said)
    mono = Audio(np.repeat(low[:1], 2, axis=0), RATE)
    assert any("near mono" in s for s in stereo_warnings(stereo_bands(mono)))
    assert any("unusually wide" in s for s in stereo_warnings(stereo_bands(wider(SONG, 6))))


def test_side_share_grows_with_the_width() -> None:
    assert rises([stereo_bands(wider(SONG, w))[0].side_share or 0.0 for w in (0, 0.5, 1, 2, 4)])


def test_services() -> None:
    rows = {p.name: p for p in platforms(-10.0, -0.5)}
    assert set(rows) == {t.name for t in targets().values() if t.lufs is not None}
    spotify = rows["spotify"]
    assert spotify.gain_db == pytest.approx(-4.0)
    assert spotify.true_peak_dbtp == pytest.approx(-4.5)
    assert spotify.room_db == pytest.approx(3.5)
    assert "turned down 4.0 dB; 3.5 dB" in spotify.verdict
    soft = {p.name: p for p in platforms(-20.0, -3.0)}
    assert soft["youtube"].gain_db == 0.0
    assert "only turns down" in soft["youtube"].verdict
    assert soft["spotify"].gain_db == pytest.approx(6.0)
    assert soft["spotify"].clean_gain_db == pytest.approx(2.0)
    assert "4.0 dB over the ceiling" in soft["spotify"].verdict
    assert platforms(None, None) == ()


def test_silence_at_the_ends() -> None:
    padded = np.pad(SONG.samples, ((0, 0), (RATE // 2, RATE // 4)))
    before, after = end_silence_s(Audio(padded, RATE))
    assert before == pytest.approx(0.5, abs=0.01)
    assert after == pytest.approx(0.25, abs=0.01)


def test_a_mix_by_itself(tmp_path: Path) -> None:
    clipped = np.clip(SONG.samples * 3, -1, 1) + np.float32(0.0)
    result = evaluate_mix(write(tmp_path / "mix.wav", Audio(clipped, RATE)))
    assert {g.key for g in result.groups} == {"facts", "tonal_balance", "stereo"}
    assert result["facts"]["clipped_runs"].value
    assert any("clipped in" in n for n in result.notes)
    assert all(
        f.unit and f.better in ("higher", "lower", "neutral") for g in result.groups for f in g.figures
    )
    json.dumps(result.to_dict(), allow_nan=False)
    assert mix_page(result).sections[0].title == "Loudness and level"


def test_a_mono_mix_is_measured_without_stereo(tmp_path: Path) -> None:
    result = evaluate_mix(write(tmp_path / "mono.wav", Audio(SONG.samples[:1], RATE)))
    assert result.stereo == ()
    assert "the mix is mono: nothing is said about stereo" in result.notes


def test_a_mix_against_itself_is_perfect(tmp_path: Path) -> None:
    path = write(tmp_path / "mix.wav", SONG)
    result = evaluate_mix(path, reference=path)
    for group in result.groups:
        if group.key.startswith(("fxnorm", "diff_mst", "spectral", "console")):
            assert {f.value for f in group.figures} == {0.0}, group.key
    assert result["difference"]["loudness_difference"].value == 0.0
    assert "4096/1024/4096" in result["spectral_losses"].method


def test_loudness_is_matched_first_unless_asked_otherwise() -> None:
    matched, said = compare_mixes(SONG, louder(SONG, -4.0))
    assert any("brought +4.0 dB" in s for s in said)
    by_key = {g.key: g for g in matched}
    assert by_key["difference"]["loudness_difference"].value == pytest.approx(-4.0, abs=0.01)
    assert by_key["spectral_losses"]["mr_stft"].value == pytest.approx(0.0, abs=0.01)
    as_it_is = {g.key: g for g in compare_mixes(SONG, louder(SONG, -4.0), match_loudness=False)[0]}
    assert (as_it_is["spectral_losses"]["mr_stft"].value or 0.0) > 0.3


def test_lateness_and_polarity_are_said() -> None:
    late = Audio(np.roll(SONG.samples, 441, axis=1), RATE)
    assert any("+10.00 ms late" in s for s in compare_mixes(SONG, late)[1])
    upside_down = Audio(-SONG.samples, RATE)
    assert any("opposite polarity" in s for s in compare_mixes(SONG, upside_down)[1])


@pytest.mark.parametrize(
    ("reference", "mix", "why"),
    [
        (SONG, Audio(SONG.samples * 0, RATE), "silent"),
        (SONG, Audio(SONG.samples[:1], RATE), "give stereo"),
        (song(6.0), SONG, "one song"),
        (song(0.5), song(0.5), "at least 1.00 s"),
    ],
    ids=["silent", "mono", "length", "short"],
)
def test_what_cannot_be_compared_is_one_clear_error(
    tmp_path: Path, reference: Audio, mix: Audio, why: str
) -> None:
    paths = write(tmp_path / "reference.wav", reference), write(tmp_path / "mix.wav", mix)
    with pytest.raises(BadInputError, match=why) as caught:
        evaluate_mix(paths[1], reference=paths[0])
    assert "\n" not in str(caught.value)


def test_another_rate_is_converted(tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.wav", SONG)
    spectrum = np.fft.rfft(SONG.samples.astype(np.float64))
    half = np.fft.irfft(spectrum[:, : SONG.frames // 4 + 1], SONG.frames // 2) / 2
    mix = write(tmp_path / "mix.wav", Audio(half, RATE // 2))
    result = evaluate_mix(mix, reference=reference)
    assert result["difference"]["loudness_difference"].value == pytest.approx(0.0, abs=0.5)
    assert result.measured.sample_rate == RATE


def voices_and_noise(guitar_db: float) -> Multitrack:
    voice, guitar = noise(3 * RATE, 1, seed=1).samples, noise(3 * RATE, 1, seed=2).samples
    tracks = (
        Track("Guitar", audio=louder(Audio(guitar, RATE), guitar_db), instrument="electric_guitar"),
        Track("Voice", audio=Audio(voice, RATE), instrument="lead_voice"),
        Track("Nothing", audio=Audio(np.zeros((1, RATE)), RATE)),
    )
    return Multitrack("song", tracks, RATE)


def test_masking_grows_with_the_masker_and_voices_come_first() -> None:
    reports = [masking_report(voices_and_noise(g)) for g in (-20, -10, 0, 10)]
    assert [r.rows[0].name for r in reports] == ["Voice"] * 4
    assert rises([r.rows[0].hidden or 0.0 for r in reports])
    assert rises([r.rows[0].masker_to_signal_db or 0.0 for r in reports])
    assert reports[0].rows[0].hidden_by["Guitar"] == pytest.approx(reports[0].rows[0].hidden or 0.0, rel=1e-3)
    silent = next(r for r in reports[0].rows if r.name == "Nothing")
    assert (silent.hidden, silent.lufs) == (None, None)
    json.dumps(reports[0].to_dict(), allow_nan=False)


def test_masking_as_the_plan_has_it() -> None:
    plain = voices_and_noise(0.0)
    plan = plan_for(plain, [SetGain("Guitar", -10.0)])
    rendered, direct = masking_report(plain, plan), masking_report(voices_and_noise(-10.0))
    assert rendered.rows[0].hidden == pytest.approx(direct.rows[0].hidden, rel=1e-3)
    assert rendered.rows[0].lufs == pytest.approx(direct.rows[0].lufs, abs=0.01)


def test_masking_of_a_band_is_a_section_of_the_page(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "song", band(2.0))
    from tonmeister.loading import load_multitrack

    masking = masking_report(load_multitrack(folder))
    mix = write(tmp_path / "mix.wav", SONG)
    page = mix_page(evaluate_mix(mix, masking=masking))
    matrix = next(s for s in page.sections if s.title == "Masking matrix")
    assert matrix.rows[0][0] == "Lead Vox"
    assert len(matrix.columns) == len(matrix.rows) + 1


def test_tonal_balance_follows_a_tilt(tmp_path: Path) -> None:
    def top(slope: float) -> float:
        result = evaluate_mix(write(tmp_path / f"{slope}.wav", tilted(SONG, slope)))
        return result["tonal_balance"]["octave_8000_hz"].value or 0.0

    assert rises([top(s) for s in (-2.0, 0.0, 2.0)])


def test_imbalance_follows_the_pan(tmp_path: Path) -> None:
    def imbalance(pan: float) -> float:
        return -(
            evaluate_mix(write(tmp_path / "m.wav", panned(SONG, pan)))["stereo"]["imbalance"].value or 0.0
        )

    assert rises([imbalance(p) for p in (0.0, 0.2, 0.5)])


def test_memory_multitrack_is_supported() -> None:
    made = multitrack(("a", noise(RATE)), ("b", noise(RATE, seed=1)))
    assert len(masking_report(made).rows) == 2
