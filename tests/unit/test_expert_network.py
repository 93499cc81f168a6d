"""The network of the engine expert: queries against brute force and pyAgrum, filters, files, pictures, refusals."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from makers_expert import enumerated, random_findings, random_network, two_slice_network, unrolled
from tonmeister.engines.expert.bif import bif_text, load_bif, network_from_bif, save_bif
from tonmeister.engines.expert.evidence import FLOOR, Bins, hard, hardened, likelihood, soft
from tonmeister.engines.expert.filtering import Chain
from tonmeister.engines.expert.inference import Query, posterior, posteriors
from tonmeister.engines.expert.knowledge import knowledge
from tonmeister.engines.expert.loading import load_any
from tonmeister.engines.expert.model import load_model, model_from_dict, model_to_dict, save_model
from tonmeister.engines.expert.network import Network, Node, Table, uniform
from tonmeister.engines.expert.picture import picture
from tonmeister.errors import BadInputError

# Queries


@pytest.mark.parametrize("kind", ["none", "hard", "soft"])
@pytest.mark.parametrize("seed", range(8))
def test_posteriors_equal_enumeration(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    network = random_network(random, int(random.integers(2, 8)))
    heard = [str(n) for n in random.permutation(list(network.nodes))[:3]]
    findings = random_findings(random, network, heard, kind)
    for name, found in posteriors(network, findings).items():
        assert found == pytest.approx(enumerated(network, name, findings), abs=1e-9)


def test_a_batch_is_what_its_rows_are() -> None:
    random = np.random.default_rng(3)
    network = random_network(random, 6)
    rows = [random_findings(random, network, ["N1", "N4"], "soft") for _ in range(5)]
    together = Query(network, ("N2",), ["N1", "N4"]).run(
        {n: np.stack([r[n] for r in rows]) for n in ("N1", "N4")}
    )
    assert together.shape == (5, len(network.nodes["N2"].states))
    for row, found in zip(rows, together, strict=True):
        assert found == pytest.approx(enumerated(network, "N2", row), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_posteriors_equal_those_of_another_library(seed: int) -> None:
    gum = pytest.importorskip("pyagrum")
    from tonmeister.engines.expert.foreign import from_pyagrum, to_pyagrum

    random = np.random.default_rng(seed)
    network = random_network(random, 7)
    findings = random_findings(random, network, ["N1", "N3"], "soft")
    theirs = to_pyagrum(network)
    engine = gum.LazyPropagation(theirs)
    engine.setEvidence({n: f.tolist() for n, f in findings.items()})
    engine.makeInference()
    back = from_pyagrum(theirs)
    for name in network.nodes:
        assert engine.posterior(name).toarray() == pytest.approx(posterior(network, name, findings), abs=1e-9)
        assert back.tables[name].ordered(network.tables[name].parents) == pytest.approx(
            network.tables[name].values
        )


def test_findings_that_cannot_be_true_together_are_refused() -> None:
    light, lamp = Node("Light", ("off", "on")), Node("Lamp", ("off", "on"))
    same = Table("Lamp", ("Light",), np.eye(2))
    network = Network("n", {"Light": light, "Lamp": lamp}, {"Light": uniform(light), "Lamp": same})
    with pytest.raises(BadInputError, match="cannot be true together"):
        posterior(network, "Light", {"Light": hard(light, "on"), "Lamp": hard(lamp, "off")})


# Slices


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_filter_and_smoother_equal_the_unrolled_network(kind: str) -> None:
    random = np.random.default_rng(5)
    network = two_slice_network(random)
    slices = [random_findings(random, network, ["X", "Y"] if k != 2 else ["X"], kind) for k in range(4)]
    whole = unrolled(network, 4)
    for asked in ("F", "A", "H"):
        chain = Chain(network, asked, ["X", "Y"])
        message = chain.start()
        for k, findings in enumerate(slices):
            chances, message = chain.forward(message, findings)
            past = {f"{n}_{j}": f for j in range(k + 1) for n, f in slices[j].items()}
            assert chances == pytest.approx(posterior(whole, f"{asked}_{k}", past), abs=1e-9)
        every = {f"{n}_{j}": f for j in range(4) for n, f in slices[j].items()}
        for k, chances in enumerate(chain.smooth(slices)):
            assert chances == pytest.approx(posterior(whole, f"{asked}_{k}", every), abs=1e-9)


def test_the_unrolled_network_is_what_enumeration_says() -> None:
    random = np.random.default_rng(6)
    network = two_slice_network(random)
    whole = unrolled(network, 3)
    findings = {
        "Y_0": np.array([0.2, 0.7, 0.1]),
        "X_1": np.array([1.0, 0.0]),
        "Y_2": np.array([0.0, 1.0, 1.0]),
    }
    for asked in ("F_2", "H_0"):
        assert posterior(whole, asked, findings) == pytest.approx(
            enumerated(whole, asked, findings), abs=1e-9
        )


def test_strips_are_filtered_side_by_side() -> None:
    random = np.random.default_rng(7)
    network = two_slice_network(random)
    chain = Chain(network, "F", ["X", "Y"])
    strips = [[random_findings(random, network, ["X", "Y"], "soft") for _ in range(3)] for _ in range(4)]
    stacked = [{n: np.stack([s[k][n] for s in strips]) for n in ("X", "Y")} for k in range(3)]
    for index, one in enumerate(strips):
        for together, alone in zip(chain.smooth(stacked), chain.smooth(one), strict=True):
            assert together[index] == pytest.approx(alone, abs=1e-12)


# Findings


def test_a_number_is_shared_by_the_two_nearest_centers() -> None:
    centers = (-12.0, -6.0, 0.0, 4.0, 8.0)
    assert soft(-3.0, centers) == pytest.approx([FLOOR, 0.5, 0.5, FLOOR, FLOOR])
    assert soft(0.0, centers) == pytest.approx([FLOOR, FLOOR, 1.0, FLOOR, FLOOR])
    assert soft(99.0, centers) == pytest.approx([FLOOR, FLOOR, FLOOR, FLOOR, 1.0])
    assert hardened(soft(-4.0, centers)).tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_silence_is_no_finding_and_nonsense_is_refused() -> None:
    node = Node("Loudness", ("low", "high"))
    bins = Bins("Loudness", "x_lu", (0.0, 1.0))
    assert likelihood(node, float("nan"), bins) is None
    for finding in ("loud", (0.0, 0.0), (1.0,), (1.0, -1.0), (float("nan"), 1.0)):
        with pytest.raises(BadInputError, match="Loudness"):
            likelihood(node, finding, bins)
    with pytest.raises(BadInputError, match="no scale"):
        likelihood(node, 3.0, None)


# Files


def test_a_network_saved_as_bif_gives_the_same_posteriors(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    network = random_network(random, 7)
    save_bif(network, tmp_path / "n.bif")
    again = load_bif(tmp_path / "n.bif")
    for name in network.nodes:
        parents = network.tables[name].parents
        assert again.tables[name].ordered(parents) == pytest.approx(network.tables[name].values, abs=1e-7)
    findings = random_findings(random, network, ["N0", "N5"], "soft")
    for name, found in posteriors(network, findings).items():
        assert posterior(again, name, findings) == pytest.approx(found, abs=1e-7)


@pytest.mark.parametrize("ending", [".bif", ".xdsl", ".net"])
def test_another_library_reads_what_is_written_and_the_other_way_round(ending: str, tmp_path: Path) -> None:
    gum = pytest.importorskip("pyagrum")
    from tonmeister.engines.expert.foreign import load_foreign, save_foreign, to_pyagrum

    network = random_network(np.random.default_rng(12), 6)
    path = tmp_path / f"n{ending}"
    if ending == ".bif":
        save_bif(network, path)
        theirs = gum.loadBN(str(path))
        gum.saveBN(theirs, str(tmp_path / "theirs.bif"))
        again = [load_foreign(path), load_bif(tmp_path / "theirs.bif")]
    else:
        save_foreign(network, path)
        again = [load_foreign(path)]
    assert to_pyagrum(network).check() == ()
    for found in again:
        for name in network.nodes:
            values = found.tables[name].ordered(network.tables[name].parents)
            assert values == pytest.approx(network.tables[name].values, abs=2e-6)


def test_bif_with_one_flat_table_and_comments_is_read() -> None:
    text = """network unknown { } // as other programs write it
    variable A { type discrete [ 2 ] { yes, no }; property something = 1; }
    variable B { type discrete [ 3 ] { x, y, z }; }
    /* a table runs over the node's own states slowest */
    probability ( A ) { table 0.25 , 0.75 ; }
    probability ( B | A ) { table 0.1 0.5 0.2 0.3 0.7 0.2 ; }"""
    network = network_from_bif(text)
    assert network.tables["A"].values.tolist() == [0.25, 0.75]
    assert network.tables["B"].values.tolist() == [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("variable A { type discrete[2] {a, b}; } probability (A) { table 0.5 0.6; }", "add up to 1"),
        ("variable A { type discrete[2] {a, b}; } probability (A) { table 0.5; }", "2 were expected"),
        ("variable A { type discrete[2] {a, b}; }", "no table"),
        ("probability (A) { table 1; }", "no variable"),
        ("variable A { type discrete[2] {a, b}", "ends in the middle"),
        ("variable A { type discrete[2] {a, b}; } probability (A) { table x 1; }", "could not convert"),
        ("rubbish", "expected"),
        (
            "variable A { type discrete[2] {a, b}; } variable B { type discrete[2] {a, b}; }"
            "probability (A | B) { (a) 1 0; (b) 0 1; } probability (B | A) { (a) 1 0; (b) 0 1; }",
            "circle",
        ),
        (
            "variable A { type discrete[2] {a, b}; } variable B { type discrete[2] {a, b}; }"
            "probability (B) { table 1 0; } probability (A | B) { (a) 1 0; }",
            "missing",
        ),
    ],
)
def test_bad_bif_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=why) as error:
        network_from_bif(text)
    assert "\n" not in str(error.value)


def test_five_parents_and_wrong_shapes_are_refused() -> None:
    nodes = {f"P{k}": Node(f"P{k}", ("a", "b")) for k in range(5)} | {"C": Node("C", ("a", "b"))}
    tables = {n: uniform(nodes[n]) for n in nodes}
    many = Table("C", tuple(f"P{k}" for k in range(5)), np.full([2] * 6, 0.5))
    with pytest.raises(BadInputError, match="5 parents"):
        Network("n", nodes, {**tables, "C": many})
    with pytest.raises(BadInputError, match="shape"):
        Network("n", nodes, {**tables, "C": Table("C", ("P0",), np.full((2, 3), 1 / 3))})
    with pytest.raises(BadInputError, match="P9"):
        Network("n", nodes, {**tables, "C": Table("C", ("P9",), np.full((2, 2), 0.5))})
    for name in ("3db", "Lead Vox", "p-1"):
        with pytest.raises(BadInputError, match="a name is"):
            Node(name, ("a", "b"))


def test_a_model_saved_as_json_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    model = knowledge().model
    save_model(model, tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    for name, table in model.network.tables.items():
        assert np.array_equal(again.network.tables[name].values, table.values)
        assert again.network.tables[name].parents == table.parents
        assert again.network.nodes[name] == model.network.nodes[name]
    assert again.network.before == model.network.before
    assert again.rules == model.rules
    assert again.choices == model.choices
    assert again.bins == model.bins
    assert again.kappa == model.kappa
    assert model_to_dict(again) == model_to_dict(model)
    rule = next(r for r in model_to_dict(model)["rules"] if r["id"] == "entry-open")
    assert rule["rows"] == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("damage", ["format", "schema_version", "tables", "nodes", "values", "nan"])
def test_a_damaged_model_is_refused(damage: str, tmp_path: Path) -> None:
    data = model_to_dict(knowledge().model)
    if damage == "values":
        data["tables"][0]["values"][0] = 0.9
    elif damage == "nan":
        (tmp_path / "m.json").write_text('{"format": NaN}')
        with pytest.raises(BadInputError, match="NaN"):
            load_model(tmp_path / "m.json")
        return
    else:
        data[damage] = None
    with pytest.raises(BadInputError):
        model_from_dict(data)


def test_a_network_of_another_program_keeps_the_rules_that_fit(tmp_path: Path) -> None:
    network = knowledge().model.network
    save_bif(network, tmp_path / "n.bif")
    known = load_any(tmp_path / "n.bif")
    assert known.model.rules == knowledge().model.rules
    assert known.model.network.before == network.before
    small = Network("small", {"A": Node("A", ("a", "b"))}, {"A": uniform(Node("A", ("a", "b")))})
    save_bif(small, tmp_path / "small.bif")
    with pytest.raises(BadInputError, match="Instrument"):
        load_any(tmp_path / "small.bif")


def test_the_picture_shows_every_node_and_every_arc() -> None:
    network = knowledge().model.network
    root = ElementTree.fromstring(picture(network))
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(network.nodes) <= words
    arcs = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("marker-end")]
    assert len(arcs) == len(network.arcs)
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    spots = {(e.get("x"), e.get("y")) for e in boxes}
    assert len(spots) == len(network.nodes)


def test_text_of_a_network_is_the_same_again() -> None:
    network = two_slice_network(np.random.default_rng(1))
    again = network_from_bif(bif_text(network))
    assert again.before == network.before
    assert {n: v.kind for n, v in again.nodes.items()} == {n: v.kind for n, v in network.nodes.items()}
    assert bif_text(replace(again, name=network.name)) == bif_text(network)
