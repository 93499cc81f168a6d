"""The engine `jazz`: places and levels, the network's votes, who is the soloist, the blocks, the command."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makers import RATE, band, multitrack, noise, tone, write_folder
from tonmeister.audio import Audio
from tonmeister.cli import run
from tonmeister.decisions import AddInsert, Reason, SetGain, SetPan
from tonmeister.dsp.panning import pan_gains
from tonmeister.effects.band_pan import BandPan
from tonmeister.engines.base import load_engine
from tonmeister.engines.jazz.pan_net import Placed, load_pan_network, pooled, powers
from tonmeister.engines.jazz.placement import (
    ANGLES_DEG,
    CLASSES,
    GAINS,
    azimuth_deg,
    decode,
    encode,
    gain_db_of,
    gain_of_db,
    pan_of_theta,
    place_of_gains,
    stereo_gains,
    theta_of_pan,
)
from tonmeister.errors import BadInputError, ModelError
from tonmeister.hearing import TrackEar
from tonmeister.multitrack import Multitrack, Track
from tonmeister.pipeline import analyze
from tonmeister.units import FloatArray

# ------------------------------------------------------------------ places and levels


@given(st.floats(-45, 45), st.floats(0.01, 2))
def test_the_pan_law_keeps_the_power_and_is_inverted(theta_deg: float, gain: float) -> None:
    left, right = stereo_gains(theta_deg, gain)
    assert left**2 + right**2 == pytest.approx(gain**2, abs=1e-12)
    assert place_of_gains(left, right) == pytest.approx((theta_deg, gain), abs=1e-6)


@given(st.floats(-45, 45), st.floats(0.01, 2))
def test_a_plan_has_the_same_gains_for_the_same_place(theta_deg: float, gain: float) -> None:
    fader = 10 ** (gain_db_of(gain) / 20)
    in_plan = [fader * g for g in pan_gains(pan_of_theta(theta_deg))]
    assert in_plan == pytest.approx(list(stereo_gains(theta_deg, gain)), abs=1e-9)
    assert theta_of_pan(pan_of_theta(theta_deg)) == pytest.approx(theta_deg)
    assert gain_of_db(gain_db_of(gain)) == pytest.approx(gain)


def test_the_hard_right_trumpet() -> None:
    """One source, in every way of saying where it is."""
    assert stereo_gains(45.0, 1.0)[0] == pytest.approx(0.0, abs=1e-12)
    assert pan_of_theta(45.0) == 1.0
    assert azimuth_deg(45.0) == -30.0


def test_the_forty_classes_are_there_and_back() -> None:
    assert (len(ANGLES_DEG), len(GAINS), CLASSES) == (19, 21, 40)
    for angle in range(19):
        for gain in range(19, 40):
            assert encode(*decode(angle, gain)) == (angle, gain)
    assert encode(90.0, 7.0) == (18, 39)


# ------------------------------------------------------------------ votes


class Voting:
    """Votes for one angle and gain in loud frames, for others in soft ones."""

    sharpness: Mapping[str, float] = {"angle": 4.0, "gain": 4.0}

    def votes(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        loud = power.sum(axis=1) > 1e-3
        angles = np.where(loud[:, None], _logs(19, 13), _logs(19, 2))
        gains = np.where(loud[:, None], _logs(21, 14), _logs(21, 3))
        return angles.astype(np.float32), gains.astype(np.float32)


def _logs(count: int, best: int) -> np.ndarray:
    shares = np.full(count, 0.1 / (count - 1))
    shares[best] = 0.9
    return np.log(shares)


def test_loud_frames_decide_unless_all_count_alike() -> None:
    power = np.full((10, 4), 1e-5, np.float32)
    power[:2] = 1.0
    improved = pooled(Voting(), power, "improved", -40.0)
    faithful = pooled(Voting(), power, "faithful", -40.0)
    assert improved is not None
    assert faithful is not None
    assert improved.theta_deg.value == pytest.approx(20.0, abs=0.5)
    assert improved.gain.value == pytest.approx(1.4, abs=0.02)
    assert improved.theta_deg.confidence > 0.9
    assert (faithful.theta_deg.value, faithful.gain.value) == (-35.0, 0.3)


def test_silence_has_no_place() -> None:
    assert pooled(Voting(), np.zeros((9, 4), np.float32), "improved", -40.0) is None


def test_the_published_network_in_converted_arrays(tmp_path: Path) -> None:
    """Closed gates and one bias: every frame says the same; pickles and other arrays are refused."""
    square, row = np.zeros((2049, 2049), np.float16), np.zeros(2049, np.float16)
    layer = (square, row, square, np.full(2049, -1e4, np.float16))
    bias = np.zeros(40, np.float16)
    bias[[9, 33]] = 20.0
    path = tmp_path / "pan.npz"
    np.savez_compressed(path, *(layer * 2), np.zeros((2049, 40), np.float16), bias)
    placed = pooled(load_pan_network(str(path)), powers(noise(8000).samples[0]), "faithful", -40.0)
    assert placed is not None
    assert (placed.theta_deg.value, placed.gain.value) == (0.0, 1.4)
    np.savez(tmp_path / "no.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match="layers"):
        load_pan_network(str(tmp_path / "no.npz"))
    np.savez(tmp_path / "object.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ModelError, match="plain arrays"):
        load_pan_network(str(tmp_path / "object.npz"))


def test_a_louder_soloist_is_turned_down_more() -> None:
    """The shipped network: the same line, 9 dB louder and 9 dB softer than usual."""
    network = load_pan_network("jazz-pan")
    line = np.concatenate([tone(h, 0.4).samples[0] for h in (440, 523, 587, 659, 523)])
    gains = []
    for level_db in (-9.0, 9.0):
        placed = pooled(network, powers(line * np.float32(10 ** (level_db / 20))), "improved", -40.0)
        assert isinstance(placed, Placed)
        gains.append(placed.gain.value)
    assert gains[0] > gains[1]


# ------------------------------------------------------------------ the engine


def decided(song: Multitrack, **options: str) -> tuple[list[object], tuple[str, ...]]:
    features = analyze(song)
    engine = load_engine("jazz", options)
    engine.listen(TrackEar(song, features))  # type: ignore[attr-defined]
    return list(engine.decide(song, features)), tuple(engine.notes)  # type: ignore[attr-defined]


def trio(*, solo: str = "solo", channels: int = 1) -> Multitrack:
    line = Audio(
        np.concatenate([tone(h, 0.5, channels=channels).samples for h in (440, 523, 659)], axis=1), RATE
    )
    return multitrack((solo, line), ("accompaniment", noise(line.frames, 2, level=0.03)))


def test_the_soloist_gets_a_place_and_a_level_with_reasons() -> None:
    decisions, _ = decided(trio(channels=2), profile="faithful")
    kinds = [type(d) for d in decisions]
    assert kinds == [AddInsert, SetPan, SetGain]
    assert {d.strip for d in decisions} == {"solo"}  # type: ignore[attr-defined]
    for decision in decisions[1:]:
        reason: Reason = decision.reason  # type: ignore[attr-defined]
        assert "%" in reason.evidence
        assert reason.rule.startswith("jazz.")


def test_mono_soloists_need_no_collapse() -> None:
    decisions, _ = decided(trio(), profile="faithful")
    assert [type(d) for d in decisions] == [SetPan, SetGain]


def test_without_a_soloist_all_is_left_as_it_is() -> None:
    song = multitrack(("accompaniment", noise(RATE)), ("residual", noise(RATE, seed=2)))
    decisions, notes = decided(song)
    assert decisions == []
    assert "no soloist" in notes[0]


def test_a_silent_solo_track_is_no_soloist() -> None:
    silent = Audio(np.zeros((1, RATE), np.float32), RATE)
    decisions, notes = decided(multitrack(("solo", silent), ("accompaniment", noise(RATE))))
    assert decisions == []
    assert "no soloist" in notes[0]


def test_a_named_soloist_must_exist() -> None:
    with pytest.raises(BadInputError, match="sollo"):
        decided(trio(), solo="sollo")


def test_the_lead_is_the_soloist_of_other_songs() -> None:
    song = trio(solo="Tenor")
    lead = Track("Tenor", audio=song["Tenor"].audio, instrument="saxophone", role="lead")
    song = Multitrack(
        "song", (lead, Track("Drums", audio=song["accompaniment"].audio, instrument="drums")), RATE
    )
    decisions, _ = decided(song, profile="faithful")
    assert {d.strip for d in decisions} == {"Tenor"}  # type: ignore[attr-defined]


def test_an_engine_before_sets_where_the_fader_starts() -> None:
    song = trio()
    features = analyze(song)
    faders = []
    for start_db in (0.0, -40.0):
        engine = load_engine("jazz", {"blocks": "camts"})
        earlier = [SetGain(name, start_db, by="x") for name in song.names]
        made = engine.decide_after(song, features, earlier)  # type: ignore[attr-defined]
        faders.append(next(d.gain_db for d in made if isinstance(d, SetGain)))
    assert faders[0] - faders[1] == pytest.approx(40.0, abs=1e-6)


def test_balance_brings_the_soloist_to_its_place_over_the_rest() -> None:
    """CAMTS: 3 LU over the rest, by at most 6 dB."""
    song = trio()
    features = analyze(song)
    decisions, _ = decided(song, blocks="camts")
    (fader,) = (d.gain_db for d in decisions if isinstance(d, SetGain))
    was = (features["solo"].integrated_lufs or 0.0) - (features["accompaniment"].integrated_lufs or 0.0)
    assert fader == pytest.approx(np.clip(3.0 - was, -6.0, 6.0), abs=0.3)


def test_all_blocks_work_and_say_what_they_could_not() -> None:
    """Two dull tracks that mask one another: apart, brighter; there is no percussive half to lift."""
    decisions, notes = decided(trio(), style="early-jazz")
    kinds = {d.effect.kind for d in decisions if isinstance(d, AddInsert) and d.effect}
    assert "equalizer" in kinds
    assert "panorama" in kinds
    assert any("hps" in note for note in notes)
    pans = [d.effect for d in decisions if isinstance(d, AddInsert) and isinstance(d.effect, BandPan)]
    if pans:
        assert pans[0].pans == tuple(-p for p in pans[1].pans)


def test_an_unknown_block_names_the_nearest() -> None:
    with pytest.raises(BadInputError, match="cadsp"):
        load_engine("jazz", {"blocks": "cadps"})


# ------------------------------------------------------------------ effects


def test_octaves_stand_where_they_are_put_and_bass_in_the_middle() -> None:
    rate = 44_100
    effect = BandPan(pan_250=-1.0, pan_500=-1.0, pan_1000=1.0, pan_2000=1.0, pan_4000=1.0, pan_8000=1.0)
    for hertz, side in ((100.0, 0), (400.0, -1), (3000.0, 1)):
        sound = np.repeat(np.sin(2 * np.pi * hertz * np.arange(rate) / rate)[None], 2, axis=0)
        processor = effect.processor()
        processor.prepare(rate, 2, rate)
        left, right = processor.process(sound.astype(np.float32))[:, 8192:]
        balance = (np.std(right) - np.std(left)) / (np.std(right) + np.std(left))
        assert balance == pytest.approx(side, abs=0.01)


def test_the_panorama_doubles_angles_and_keeps_power() -> None:
    from tonmeister.effects.panorama import Panorama

    rate, theta = 44_100, 15.0
    gains = np.array(stereo_gains(theta, 1.0))[:, None]
    sound = gains * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    processor = Panorama(width=2.0).processor()
    processor.prepare(rate, 2, rate)
    out = processor.process(sound.astype(np.float32))[:, 8192:]
    found, gain = place_of_gains(*(math.sqrt(2) * np.std(out, axis=1)))
    assert found == pytest.approx(2 * theta, abs=0.1)
    assert gain == pytest.approx(1.0, abs=0.01)


# ------------------------------------------------------------------ the command


def test_the_command_mixes_with_it_and_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "song", band(1.6))
    output = tmp_path / "mix.wav"
    words = [
        "mix",
        str(folder),
        "-o",
        str(output),
        "--engine",
        "jazz",
        "--option",
        "profile=faithful",
        "--json",
    ]
    assert run(words) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert output.is_file()
    assert json.loads(Path(plan).read_text())["engine"] == "jazz" if isinstance(plan, str) else plan
    assert run(["mix", str(folder), "--dry-run", "--engine", "jazz", "--option", "blocks=x", "--quiet"]) == 2
    assert "blocks='x'" in capsys.readouterr().err
