"""Teaching the engine expert: counts and prior, hidden nodes, logs and their converters, reaction lag, the command."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from makers import band, write_folder
from makers_expert import random_network
from makers_features import song, track
from tonmeister.cli import run
from tonmeister.decisions import AddSend, Automate, Mute, Reason, SetGain, SetPan
from tonmeister.engines.expert.inference import Query
from tonmeister.engines.expert.knowledge import knowledge
from tonmeister.engines.expert.learning import Cases, blended, cases_of_states, expected_counts, learn
from tonmeister.engines.expert.model import Model, load_model
from tonmeister.engines.expert.network import Network, Node, Table
from tonmeister.engines.expert.oplog import Move, OperationLog, load_oplog, oplog_text, read_oplog
from tonmeister.engines.expert.rules import compile_table
from tonmeister.errors import BadInputError
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import Curve
from tonmeister.training.expert.osc import ADDRESSES, oplog_of_osc, packet_messages, x32_fader_db
from tonmeister.training.expert.performances import (
    Performance,
    cases_of,
    events_text,
    performance_of_song,
    read_events,
)
from tonmeister.training.expert.plan_edits import oplog_of_plan
from tonmeister.training.expert.reaction import reaction_lag
from tonmeister.training.expert.reaper import oplog_of_reaper
from tonmeister.training.expert.simulation import sampled, simulated_performance, table_error
from tonmeister.training.expert.teaching import teach

MODEL = knowledge().model


# Tables


def test_the_worked_row() -> None:
    habit = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    hand = habit * np.exp(np.array([0, 0, 0, 1, 1]))
    hand /= hand.sum()
    found = blended(np.array([0.0, 0.0, 2.0, 10.0, 3.0]), hand, 10.0)
    assert found == pytest.approx([0.026, 0.053, 0.186, 0.543, 0.192], abs=6e-4)
    assert found.sum() == pytest.approx(1.0)


def test_the_limits_of_the_prior_and_rows_never_seen() -> None:
    random = np.random.default_rng(1)
    hand = random.dirichlet(np.ones(4), size=6)
    counts = random.integers(0, 20, size=(6, 4)).astype(float)
    counts[2] = 0.0
    assert np.abs(blended(counts, hand, 1e9) - hand).max() < 1e-6
    few = blended(counts, hand, 1e-9)
    seen = counts.sum(axis=1) > 0
    assert np.abs(few[seen] - counts[seen] / counts[seen].sum(axis=1, keepdims=True)).max() < 1e-6
    for kappa in (1e-9, 1.0, 1e9, math.inf):
        assert blended(counts, hand, kappa)[2].tolist() == pytest.approx(hand[2].tolist(), abs=1e-15)
    assert np.array_equal(blended(counts, hand, math.inf), hand)
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(BadInputError, match="kappa"):
            blended(counts, hand, bad)


def known_and_hidden(random: np.random.Generator) -> tuple[Model, Network]:
    """Cause -> hidden -> effect, a hand-built guess and a truth."""
    nodes = {
        "C": Node("C", ("a", "b", "c")),
        "H": Node("H", ("x", "y"), "hidden"),
        "D": Node("D", ("p", "q", "r"), "decision"),
    }
    cause = Table("C", (), np.array([0.5, 0.3, 0.2]))
    guess_h = Table("H", ("C",), np.array([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]]))
    guess_d = Table("D", ("H",), np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]))
    truth_h = Table("H", ("C",), np.array([[0.95, 0.05], [0.3, 0.7], [0.05, 0.95]]))
    truth_d = Table("D", ("H",), np.array([[0.8, 0.15, 0.05], [0.05, 0.1, 0.85]]))
    network = Network("guess", nodes, {"C": cause, "H": guess_h, "D": guess_d})
    return Model(network), network.with_tables(truth_h, truth_d)


def drawn(network: Network, random: np.random.Generator, count: int, hide: tuple[str, ...] = ()) -> Cases:
    rows = [sampled(network, random, {}) for _ in range(count)]
    return cases_of_states(
        network, [{n: network.nodes[n].states[i] for n, i in row.items() if n not in hide} for row in rows]
    )


def test_learned_tables_come_nearer_to_a_known_network_with_every_case() -> None:
    random = np.random.default_rng(2)
    model, truth = known_and_hidden(random)
    weights = np.array([1.0, 1.0])
    errors = []
    for count in (20, 200, 2000):
        taught = learn(model, drawn(truth, np.random.default_rng(3), count), kappa=5.0, nodes=("D",)).model
        errors.append(table_error(truth, taught.network, "D", weights))
    before = table_error(truth, model.network, "D", weights)
    assert before > errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02


def test_hidden_nodes_are_learned_from_their_shadows_and_keep_their_names() -> None:
    random = np.random.default_rng(4)
    model, truth = known_and_hidden(random)
    cases = drawn(truth, random, 3000, hide=("H",))
    taught = learn(model, cases, kappa=1.0)
    assert taught.nodes == ("H", "D")
    gains = taught.log_likelihoods
    assert all(b > a - 1e-6 for a, b in pairwise(gains))
    assert gains[-1] > gains[0] + 0.05
    weights = np.ones(2)
    assert table_error(truth, taught.model.network, "D", weights) < 0.5 * table_error(
        truth, model.network, "D", weights
    )
    assert taught.model.network.tables["D"].values[0, 0] > 0.6
    assert taught.model.counts["D"].sum() == pytest.approx(3000.0)


def test_expected_counts_of_known_cases_are_counts_and_of_unknown_ones_their_posterior() -> None:
    random = np.random.default_rng(5)
    network = random_network(random, 4)
    child = next(n for n in network.order if network.tables[n].parents)
    rows = [sampled(network, random, {}) for _ in range(50)]
    states = [{n: network.nodes[n].states[i] for n, i in row.items()} for row in rows]
    counts = expected_counts(network, child, cases_of_states(network, states))
    wanted = np.zeros_like(counts)
    for row in rows:
        wanted[tuple(row[n] for n in network.tables[child].scope)] += 1.0
    assert np.array_equal(counts, wanted)
    parent = network.tables[child].parents[0]
    blind = [{n: s for n, s in row.items() if n != parent} for row in states]
    expected = expected_counts(network, child, cases_of_states(network, blind))
    assert expected.sum() == pytest.approx(50.0)
    axis = network.tables[child].scope.index(parent)
    assert expected.sum(axis=axis) == pytest.approx(wanted.sum(axis=axis))


def test_nothing_to_learn_is_said() -> None:
    with pytest.raises(BadInputError, match="no cases"):
        Cases({})
    only = cases_of_states(MODEL.network, [{"Role": "lead"}])
    with pytest.raises(BadInputError, match="no decision"):
        learn(MODEL, only)
    with pytest.raises(BadInputError, match="the node has others"):
        learn(MODEL, Cases({"FaderStep": np.eye(3)}))


# A simulated engineer


def other_engineer() -> Model:
    """One who mixes the other way round: the lead behind, the pad in front."""
    swapped = {"lead": "pad", "pad": "lead"}
    rules = [
        replace(
            r, when={k: tuple(swapped.get(s, s) for s in v) if k == "Role" else v for k, v in r.when.items()}
        )
        for r in MODEL.rules
        if r.then == "Prominence"
    ]
    network = MODEL.network
    parents = [network.nodes[p] for p in network.tables["Prominence"].parents]
    return MODEL.with_tables(
        compile_table(network.nodes["Prominence"], parents, MODEL.habits["Prominence"], rules)
    )


def decided(model: Model, cases: Cases) -> float:
    """Mean log-probability of the faders that were chosen, given what was found."""
    found = {n: rows for n, rows in cases.found.items() if n != "FaderStep"}
    chances = Query(model.network, ("FaderStep",), found).run(found)
    chosen = np.argmax(cases.found["FaderStep"], axis=1)
    return float(np.mean(np.log(chances[np.arange(len(chosen)), chosen])))


def test_a_simulated_engineer_is_recovered_from_the_log_and_its_lag_removed() -> None:
    truth = other_engineer()
    random = np.random.default_rng(6)
    performances = [simulated_performance(truth, random, events=40, strips=6, lag_s=0.46) for _ in range(6)]
    lesson = teach(knowledge(), performances, kappa=2.0)
    for reaction in lesson.reactions:
        assert reaction.lag_s == pytest.approx(0.46, abs=0.06)
    held_out = cases_of(
        simulated_performance(truth, np.random.default_rng(99), events=40, lag_s=0.0, lag_sd_s=0.0), MODEL
    )
    before, after, best = (decided(m, held_out) for m in (MODEL, lesson.model, truth))
    assert before < best
    assert after > before + 0.05 * (best - before)
    hand = teach(knowledge(), performances[:1], kappa=math.inf).model
    for name, table in MODEL.network.tables.items():
        assert np.array_equal(hand.network.tables[name].values, table.values)


def test_a_log_that_is_late_teaches_to_be_late_unless_the_lag_is_removed() -> None:
    random = np.random.default_rng(7)
    performance = simulated_performance(
        MODEL, random, events=60, strips=3, spacing_s=2.0, lag_s=1.3, lag_sd_s=0.02
    )
    truth = simulated_performance(
        MODEL, np.random.default_rng(7), events=60, strips=3, spacing_s=2.0, lag_s=0.0, lag_sd_s=0.0
    )
    right = np.argmax(cases_of(truth, MODEL).found["FaderStep"], axis=1)
    late = np.argmax(cases_of(performance, MODEL).found["FaderStep"], axis=1)
    lag = reaction_lag(performance.log.onsets(), [e.time_s for e in performance.events])
    mended = np.argmax(cases_of(performance.shifted(lag.lag_s), MODEL).found["FaderStep"], axis=1)
    assert lag.lag_s == pytest.approx(1.3, abs=0.05)
    assert len(right) == len(late) == len(mended)
    assert np.mean(mended == right) > 0.95 > np.mean(late == right)


def test_no_lag_is_found_where_there_is_none() -> None:
    random = np.random.default_rng(8)
    moves = np.sort(random.uniform(0, 300, 60))
    events = np.arange(0.0, 300.0, 1.7)
    lag = reaction_lag(list(moves), list(events))
    assert not lag.found
    assert "no reaction lag" in str(lag)
    assert "too few" in str(reaction_lag([1.0], [0.5]))


def test_events_come_back_from_their_file() -> None:
    performance = simulated_performance(MODEL, np.random.default_rng(9), events=5)
    events, always = read_events(events_text(performance))
    assert events == performance.events
    assert always == performance.always
    head = '{"format": "tonmeister-events", "schema_version": 1, "events": '
    bad = (("{}", "format"), (head + "[{}]}", "missing"), (head + '[{"t_s": 2}, {"t_s": 1}]}', "order"))
    for text, why in bad:
        with pytest.raises(BadInputError, match=why):
            read_events(text)


# The structure


def test_the_structure_follows_the_data_among_the_arcs_that_make_sense() -> None:
    pytest.importorskip("pyagrum")
    from tonmeister.training.expert.structure import family_table, restructured

    network = MODEL.network
    values = np.vstack([np.eye(4) * 0.96 + 0.01, [[0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]]])
    truth = network.with_tables(Table("Comp", ("Role",), values))
    random = np.random.default_rng(10)
    kept = ("Instrument", "Crest", "Genre", "Delivery", "Role", "Comp")
    rows = [sampled(truth, random, {}) for _ in range(1500)]
    cases = cases_of_states(truth, [{n: truth.nodes[n].states[row[n]] for n in kept} for row in rows])
    for score in ("bic", "bdeu"):
        model, told = restructured(knowledge(), cases, score=score)
        assert model.network.tables["Comp"].parents == ("Role",), score
        assert told == ("Comp: Instrument, Crest, Genre, Delivery -> Role",)
        assert model.network.tables["FaderStep"].parents == network.tables["FaderStep"].parents
    taught = learn(model, cases, kappa=1.0, nodes=("Comp",)).model
    assert table_error(truth, taught.network, "Comp", np.array([1, 1, 1, 1, 1, 0.0])) < 0.05
    prior = family_table(network, "Comp", ("Role",))
    assert prior.values.sum(axis=-1) == pytest.approx(np.ones(6))
    with pytest.raises(BadInputError, match="structure"):
        restructured(knowledge(), cases, score="mdl")


# Operation logs

HEAD = (
    '{"format": "tonmeister-oplog", "schema_version": 1, "clock": "performance_s", "operator": "anon-1", '
    '"strips": ["Vox", "Gtr"]}\n'
)
LINE = '{"t_s": 41.2, "strip": "Vox", "control": "fader_db", "value": -3.0, "touch": true}\n'


def test_a_log_comes_back_from_its_text() -> None:
    log = read_oplog(HEAD + LINE + '{"t_s": 41.7, "strip": "Vox", "control": "fader_db", "touch": false}\n'
                     '{"t_s": 42, "strip": "Gtr", "control": "send_db:Room", "value": -6, "by": "textbook"}\n')  # fmt: skip
    assert log.strips == ("Vox", "Gtr")
    assert log.moves[0] == Move(41.2, "Vox", "fader_db", -3.0)
    assert log.moves[1].value is None
    assert log.moves[2].by == "textbook"
    assert read_oplog(oplog_text(log)) == log
    assert log.handled("Vox", "fader_db")
    assert not log.handled("Gtr", "send_db:Room")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (HEAD, "no operation"),
        (HEAD + LINE + LINE.replace("41.2", "41.1"), "line 3: t_s=41.1 comes after 41.2"),
        (HEAD + LINE.replace("Vox", "Voks"), "strip='Voks' is not known .did you mean 'Vox'"),
        (HEAD + LINE.replace("fader_db", "fader"), "control='fader' is not known"),
        (HEAD + LINE.replace("-3.0", "NaN"), "NaN"),
        (HEAD + LINE.replace("-3.0", "1e999"), "not a number"),
        (HEAD + LINE.replace("-3.0", "99"), "out of range"),
        (HEAD + LINE.replace("-3.0", '"loud"'), "not a number"),
        (HEAD + LINE.replace("41.2", "-1"), "before the beginning"),
        (HEAD + LINE.replace('"value": -3.0, ', ""), "value is missing"),
        (HEAD + LINE.replace('"strip": "Vox", ', ""), "strip is missing"),
        (HEAD + "[1]\n", "no object"),
        (HEAD + "rubbish\n", "line 2: is not JSON"),
        (LINE, "format"),
        (HEAD.replace("performance_s", "wall"), "clock"),
        (HEAD.replace('["Vox", "Gtr"]', '["Vox", "Vox"]'), "two strips"),
        (HEAD.replace("1,", "2,"), "schema_version"),
    ],
)
def test_a_bad_log_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why) as error:
        read_oplog(text)
    assert "\n" not in str(error.value)


def test_the_log_of_the_live_desk_is_read(tmp_path: Path) -> None:
    from tonmeister.live.operations import OPERATIONS
    from tonmeister.live.operations import OperationLog as Written

    with Written(tmp_path, ["Vox", "Gtr"]) as log:
        log.touched(1.0, SetGain("Vox", -3.0))
        log.released(1.5, "Vox", "fader_db")
        log.touched(2.0, Mute("Gtr", True))
        log.moved(3.0, SetGain("Gtr", -1.0, by="expert"))
        log.moved(3.0, AddSend("Gtr", "Room", -6.0, by="expert"))
    found = load_oplog(tmp_path / OPERATIONS)
    assert [m.value for m in found.moves] == [-3.0, None, 1.0, -1.0, -6.0]
    assert [m.by for m in found.moves] == ["", "", "", "expert", "expert"]


# Converters


def test_edits_of_a_plan_become_moves_of_a_hand() -> None:
    records = [TrackRecord("Vox", "v.wav"), TrackRecord("Gtr", "g.wav")]
    engine = [
        SetGain("Vox", -3.0, reason=Reason("r"), by="textbook"),
        SetPan("Gtr", 0.3, reason=Reason("r"), by="textbook"),
    ]
    plan = MixPlan.of(engine, title="song", sample_rate=48_000, tracks=records)
    with pytest.raises(BadInputError, match="no person moved"):
        oplog_of_plan(plan)
    curve = Curve((0.0, 10.0, 12.0), (-3.0, -3.0, 1.0))
    edited = plan.with_decisions([SetPan("Gtr", -0.5), Automate("Vox", "gain_db", curve)])
    log = oplog_of_plan(edited)
    hands = [m for m in log.moves if not m.by]
    assert [(m.t_s, m.strip, m.control, m.value) for m in hands] == [
        (0.0, "Gtr", "pan", -0.5), (0.0, "Vox", "fader_db", -3.0), (10.0, "Vox", "fader_db", -3.0),
        (12.0, "Vox", "fader_db", 1.0),
    ]  # fmt: skip
    assert {m.by for m in log.moves} == {"", "textbook"}
    assert log.track("Gtr", "pan") == ([0.0, 0.0], [0.3, -0.5])


PROJECT = """<REAPER_PROJECT 0.1 "7.0" 1700000000
  TEMPO 120 4 4
  <TRACK {A}
    NAME "Lead Vox"
    VOLPAN 0.5 -0.25 -1 -1 1
    MUTESOLO 0 0 0
    <VOLENV2
      EGUID {B}
      ACT 1 -1
      PT 0 1 0
      PT 12.5 0.5 0 0 1
    >
    <PANENV2
      ACT 1 -1
      PT 3 0.75 0
    >
    <ITEM
      NAME other.wav
      <VOLENV
        PT 1 9 0
      >
    >
  >
  <TRACK {C}
    NAME Gtr
    VOLPAN 0 1 -1 -1 1
    MUTESOLO 1 0 0
    <VOLENV2
      ACT 0 -1
      PT 4 1 0
    >
  >
>
"""


def test_automation_of_a_reaper_project_is_read() -> None:
    log = oplog_of_reaper(PROJECT)
    assert log.strips == ("Lead Vox", "Gtr")
    times, values = log.track("Lead Vox", "fader_db")
    assert times == [0.0, 12.5]
    assert values == pytest.approx([-6.02, -12.04], abs=0.01)
    read = oplog_of_reaper(PROJECT.replace('NAME "Lead Vox"', 'NAME "Lead Vox"\n    AUTOMODE 1'))
    assert read.track("Lead Vox", "fader_db")[1] == pytest.approx([0.0, -6.02], abs=0.01)
    assert log.track("Lead Vox", "pan") == ([3.0], [-0.75])
    assert log.track("Lead Vox", "mute") == ([0.0], [0.0])
    assert log.track("Gtr", "fader_db") == ([0.0], [-144.0])
    assert log.track("Gtr", "pan") == ([0.0], [1.0])
    assert log.track("Gtr", "mute") == ([0.0], [1.0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello", "no REAPER project"),
        ("<REAPER_PROJECT\n>\n", "no track"),
        (PROJECT[:-10], "cut off"),
        (PROJECT + ">\n", "never began"),
        (PROJECT.replace("PT 12.5 0.5", "PT 12.5 x"), "'x' is not a number"),
        (PROJECT.replace("PT 12.5 0.5 0 0 1", "PT 12.5"), "a time and a value"),
        (PROJECT.replace("PT 12.5 0.5", "PT 12.5 nan"), "out of any range"),
        ("<REAPER_PROJECT\n" + "<A\n" * 100, "too deep"),
    ],
)
def test_a_bad_project_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        oplog_of_reaper(text)


def osc_text(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def osc_message(address: str, value: float) -> bytes:
    return osc_text(address) + osc_text(",f") + struct.pack(">f", value)


def osc_bundle(time_s: float, *elements: bytes) -> bytes:
    inside = b"".join(struct.pack(">i", len(e)) + e for e in elements)
    return b"#bundle\0" + struct.pack(">Q", round(time_s * 2**32)) + inside


def stream(*packets: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(p)) + p for p in packets)


def test_recorded_osc_is_read_in_all_three_forms() -> None:
    first = osc_bundle(1000.0, osc_message("/ch/01/mix/fader", 0.75), osc_message("/ch/02/mix/pan", 0.25))
    later = osc_bundle(
        1002.5, osc_bundle(1002.5, osc_message("/ch/01/mix/fader", 0.5)), osc_message("/meters/1", 1.0)
    )
    log = oplog_of_osc(stream(first, later), ["Vox", "Gtr"])
    assert log.track("Vox", "fader_db") == ([0.0, 2.5], [0.0, -10.0])
    assert log.track("Gtr", "pan") == ([0.0], [-0.5])
    timed = b"TOSC1\0\0\0" + b"".join(
        struct.pack(">d", t) + struct.pack(">i", len(p)) + p
        for t, p in ((5.0, osc_message("/track/3/volume/db", -4.0)), (7.0, osc_message("/track/3/mute", 1.0)))
    )
    assert oplog_of_osc(timed).track("channel 3", "mute") == ([2.0], [1.0])
    packet = osc_message("/strip/1/fader_db", 1.5)
    header = bytes([0x45, 0]) + struct.pack(">H", 28 + len(packet)) + bytes(5) + bytes([17]) + bytes(10)
    frame = bytes(14) + header + struct.pack(">HHHH", 10023, 10023, 8 + len(packet), 0) + packet
    other = bytes(14) + b"\x60" + bytes(60)
    pcap = b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 65535, 1)
    pcap += b"".join(
        struct.pack("<IIII", 100 + k, 500_000, len(f), len(f)) + f
        for k, f in enumerate((frame, other, frame))
    )
    assert oplog_of_osc(pcap, ["Vox"]).track("Vox", "fader_db") == ([0.0, 2.0], [1.5, 1.5])


def test_the_fader_law_of_the_x32() -> None:
    for position, level_db in ((1.0, 10.0), (0.75, 0.0), (0.5, -10.0), (0.25, -30.0), (0.0625, -60.0)):
        assert x32_fader_db(position) == pytest.approx(level_db)
    assert x32_fader_db(0.0) < -100.0
    assert len({control for _, control, _ in ADDRESSES}) == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "says when"),
        (stream(osc_message("/ch/01/mix/fader", 0.5)), "says when"),
        (stream(b"abc"), "multiples of four"),
        (b"\0\0\0\x40abcd", "does not fit"),
        (stream(osc_bundle(1.0, b"nope")), "without an end|neither"),
        (stream(osc_bundle(1.0, osc_text("/ch/01/mix/fader") + osc_text(",f"))), "end too soon"),
        (stream(osc_bundle(1.0, osc_text("/ch/01/mix/fader") + osc_text(",?"))), "not known"),
        (stream(osc_bundle(1.0, osc_message("/ch/01/mix/fader", math.nan))), "not a number"),
        (stream(osc_bundle(1.0, osc_message("/ch/99999/mix/fader", 0.0))), "no such channel"),
        (stream(osc_bundle(1.0, osc_message("/meters/1", 0.0))), "no move"),
        (b"\xd4\xc3\xb2\xa1" + bytes(4), "damaged"),
    ],
)
def test_bad_osc_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        oplog_of_osc(data)


def test_bundles_nested_without_end_are_refused() -> None:
    packet = osc_message("/a", 1.0)
    for _ in range(20):
        packet = osc_bundle(1.0, packet)
    with pytest.raises(BadInputError, match="too deep"):
        list(packet_messages(packet))


# The command


def test_an_edited_plan_teaches_a_model_that_mixes_its_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = write_folder(tmp_path / "song", band(1.2))
    plan, model = tmp_path / "song.plan.json", tmp_path / "mine.json"
    moves = [
        "--set",
        "Lead Vox.gain_db=-30",
        "--set",
        "Bass.gain_db=-12",
        "--set",
        "Kick.gain_db=-12",
        "--set",
        "Snare.gain_db=-12",
    ]
    assert run(["decide", str(song), "--engine", "expert", *moves, "-o", str(plan), "--quiet"]) == 0
    capsys.readouterr()
    arguments = [
        "train",
        "expert",
        "--log",
        str(plan),
        "--data",
        str(song),
        "--kappa",
        "0.1",
        "-o",
        str(model),
        "--json",
    ]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cases"] == 4
    assert set(told["nodes"]) == {"Prominence", "FaderStep"}
    assert load_model(model).taught_by == ("song.plan.json",)
    assert run([*arguments]) == 2
    gains = {}
    for name, options in (("hand", []), ("taught", ["--option", f"model={model}"])):
        path = tmp_path / f"{name}.json"
        assert run(["decide", str(song), "--engine", "expert", *options, "-o", str(path), "--quiet"]) == 0
        strips = {s["name"]: s for s in json.loads(path.read_text())["strips"]}
        others = [s["gain_db"] for n, s in strips.items() if "Gtr" in n]
        gains[name] = strips["Lead Vox"]["gain_db"] - sum(others) / len(others)
    assert gains["taught"] < gains["hand"] - 1.0
    capsys.readouterr()
    assert run(["rules", "expert", str(model), "--node", "FaderStep", "--json"]) == 0
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert max(abs(r["strength_in_tables"] - r["strength"]) for r in rules) > 0.01


def test_the_rules_are_listed_both_ways_and_the_network_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "expert", "--save", str(tmp_path / "n.svg"), "--json"]) == 0
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert len(rules) == len(MODEL.rules)
    assert all(r["source"] and r["strength_in_tables"] == pytest.approx(r["strength"]) for r in rules)
    assert (tmp_path / "n.svg").read_text().startswith("<svg")
    assert run(["rules", "expert", "--induced", "--node", "EqPresence", "--json"]) == 0
    induced = json.loads(capsys.readouterr().out)["rules"]
    assert {"voice-presence", "drums-presence"} <= {i for r in induced for i in r["known_as"]}
    for name in ("n.json", "n.bif"):
        assert run(["rules", "expert", "--save", str(tmp_path / name), "--quiet"]) == 0
        assert run(["rules", "expert", str(tmp_path / name), "--node", "Mute", "--quiet"]) == 0
    assert run(["rules", "expert", "--save", str(tmp_path / "n.svg")]) == 2
    assert run(["rules", "expert", "--save", str(tmp_path / "n.doc")]) == 2
    assert run(["rules", "expert", "--node", "Nobody"]) == 2


def test_what_a_desk_records_is_learned_against_the_tracks_it_recorded() -> None:
    multitrack, features = song(track("Vox", "lead_voice", "lead"), track("Gtr", "guitar"))
    moves = [Move(0.0, "master", "fader_db", 0.0, by="desk"), Move(0.5, "Vox", "fader_db", -3.0)]
    log = OperationLog(("Vox", "Gtr", "master"), tuple(moves))
    cases = cases_of(performance_of_song(log, multitrack, features, knowledge()), MODEL)
    assert len(cases) == len(cases.found["FaderStep"])
    assert (cases.found["Role"].argmax(axis=1) == 0).all()
    other = OperationLog(("Voks",), (Move(0.5, "Voks", "fader_db", -3.0),))
    with pytest.raises(BadInputError, match="did you mean 'Vox'"):
        performance_of_song(other, multitrack, features, knowledge())


def test_a_performance_without_events_cannot_teach() -> None:
    log = OperationLog(("Vox",), (Move(0.0, "Vox", "fader_db", 0.0),))
    with pytest.raises(BadInputError, match="no events"):
        cases_of(Performance(log, ()), MODEL)
