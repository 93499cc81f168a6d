"""Models are believed only when size, checksum, card and contents agree, and run only when they just compute."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonmeister.errors import BadInputError, ModelError
from tonmeister.model_files.card import ModelCard, Port, TrainingData, read_card
from tonmeister.model_files.onnx_reader import network_facts
from tonmeister.model_files.shipped import MODELS_FOLDER, SHIPPED, shipped_cards
from tonmeister.model_files.store import load_model, save_model

onnx = pytest.importorskip("onnx", reason="the extra train is not installed")
helper = onnx.helper


def card(**changes: Any) -> ModelCard:
    made = ModelCard(
        name="doubler",
        kind="test",
        summary="doubles",
        licence="MIT",
        format="onnx",
        created="2026-01-31",
        recipe={"command": "by hand", "seed": 0},
        training_data=(TrainingData("nothing", "MIT", "none"),),
        metrics={"error": 0.0},
        limits=("Doubles only.",),
        inputs=(Port("x", "float32", ("n", 3)),),
        outputs=(Port("y", "float32", ("n", 3)),),
    )
    return dataclasses.replace(made, **changes)


def network(
    nodes: list[Any] | None = None,
    *,
    opset: int = 17,
    domains: tuple[str, ...] = (),
    constants: tuple[Any, ...] = (),
) -> Any:
    nodes = nodes or [helper.make_node("Add", ["x", "x"], ["y"])]
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], list(constants))
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=sets)
    model.ir_version = 8
    return model


def onnx_bytes(*args: Any, **kwargs: Any) -> bytes:
    return bytes(network(*args, **kwargs).SerializeToString())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "doubler.onnx"
    save_model(path, onnx_bytes(), card())
    return path


def rewritten(path: Path, **changes: Any) -> None:
    data = json.loads(path.with_suffix(".json").read_text("utf-8"))
    path.with_suffix(".json").write_text(json.dumps({**data, **changes}), "utf-8")


def test_what_is_saved_is_loaded_and_runs(saved: Path) -> None:
    model = load_model(saved, kind="test")
    assert model.card.summary == "doubles"
    assert model.card.bytes == saved.stat().st_size
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(model.run({"x": x})["y"], 2 * x)


def test_a_network_that_is_asked_often_says_the_same(saved: Path) -> None:
    found = load_model(saved, kind="test").network
    assert found is not None
    one, other = found.asked_often(rows=1), found.asked_often(rows=1)
    said = one(np.array([1.0, 2.0, 3.0], np.float32))
    other(np.array([7.0, 8.0, 9.0], np.float32))
    np.testing.assert_array_equal(said, [[2.0, 4.0, 6.0]], "the other has memory of its own")
    np.testing.assert_array_equal(one(np.full(3, 4.0, np.float32)), [[8.0, 8.0, 8.0]])


def test_a_network_that_says_more_rows_than_it_hears_is_not_asked_often(tmp_path: Path) -> None:
    path = tmp_path / "more.onnx"
    save_model(path, onnx_bytes([helper.make_node("Concat", ["x", "x"], ["y"], axis=0)]), card())
    found = load_model(path, kind="test").network
    assert found is not None
    with pytest.raises(ModelError, match="not as long as its input"):
        found.asked_often(rows=1)


def test_the_card_reads_back_as_it_was_written(saved: Path) -> None:
    read = read_card(saved.with_suffix(".json"))
    assert dataclasses.replace(read, sha256="", bytes=0) == card()


def test_facts_of_a_network_are_those_the_onnx_library_sees() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Exp", ["a"], ["y"])]
    model = network(nodes)
    facts = network_facts(model.SerializeToString())
    assert facts.operators == {(n.domain, n.op_type) for n in model.graph.node}
    assert (facts.nodes, facts.ir_version) == (len(model.graph.node), model.ir_version)
    assert facts.opsets == {(o.domain, o.version) for o in model.opset_import}


def test_a_flipped_byte_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    saved.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="checksum"):
        load_model(saved, kind="test")


def test_a_file_cut_off_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-7])
    with pytest.raises(ModelError, match="cut off"):
        load_model(saved, kind="test")


def test_a_model_without_its_card_is_refused(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="needs its card"):
        load_model(saved, kind="test")


def test_a_model_of_another_kind_is_refused(saved: Path) -> None:
    with pytest.raises(ModelError, match="kind='test', and 'separator' is needed"):
        load_model(saved, kind="separator")


def test_a_model_too_large_for_its_purpose_is_refused(saved: Path) -> None:
    with pytest.raises(ModelError, match="more than a model of this kind may have"):
        load_model(saved, kind="test", max_bytes=saved.stat().st_size - 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "schema_version=2"),
        ({"schema_version": None}, "schema_version is missing"),
        ({"format": "pickle"}, "format='pickle'"),
        ({"sha256": "0" * 63}, "sha256"),
        ({"created": "yesterday"}, "created"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"licence": ""}, "licence"),
        ({"inputs": [{"name": "x", "dtype": "float32", "shape": "n"}]}, "a shape is a list"),
        ({"metrics": []}, "metrics"),
        ({"bytes": -1}, "bytes=-1"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(saved: Path, changes: dict[str, Any], said: str) -> None:
    rewritten(saved, **changes)
    with pytest.raises(ModelError, match=said):
        load_model(saved, kind="test")


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"schema_version": 1, "bytes": NaN}', "[" * 5000])
def test_a_card_that_is_no_json_object_is_refused(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text, "utf-8")
    with pytest.raises(ModelError):
        load_model(saved, kind="test")


def test_a_network_with_other_ports_than_its_card_is_refused(saved: Path) -> None:
    rewritten(saved, outputs=[{"name": "y", "dtype": "float32", "shape": ["n", 4]}])
    with pytest.raises(ModelError, match="outputs are"):
        load_model(saved, kind="test")


@pytest.mark.parametrize("x", [np.zeros((2, 4), np.float32), np.zeros((2, 3)), np.zeros(3, np.float32)])
def test_inputs_of_another_shape_or_type_are_refused(saved: Path, x: Any) -> None:
    with pytest.raises(ModelError, match="the network takes x float32"):
        load_model(saved, kind="test").run({"x": x})


def _with_branch() -> bytes:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "b",
        [],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)],
    )
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    node = helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    return onnx_bytes([node], constants=(yes,))


def _with_external_weights() -> bytes:
    tensor = onnx.numpy_helper.from_array(np.ones(3, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return onnx_bytes([helper.make_node("Add", ["x", "w"], ["y"])], constants=(tensor,))


def _with_external_constant() -> bytes:
    tensor = onnx.numpy_helper.from_array(np.ones(3, np.float32), "w")
    tensor.external_data.add(key="location", value="weights.bin")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    return onnx_bytes(nodes)


def _with_function() -> bytes:
    model = network([helper.make_node("Twice", ["x"], ["y"], domain="own")], domains=("own",))
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(
        helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    )
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: onnx_bytes([helper.make_node("Loop", ["", "", "x"], ["y"])]), "operator 'Loop'"),
        (
            lambda: onnx_bytes([helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")]),
            "com.microsoft.Gelu",
        ),
        (
            lambda: onnx_bytes([helper.make_node("PythonOp", ["x"], ["y"], domain="x")]),
            "operator 'x.PythonOp'",
        ),
        (_with_branch, "branches or loops"),
        (_with_external_weights, "other files"),
        (_with_external_constant, "other files"),
        (_with_function, "functions of its own"),
        (lambda: onnx_bytes(opset=4), "opset"),
        (lambda: b"RIFF\x24\x00\x00\x00WAVEfmt ", "not an ONNX network|cut off"),
        (lambda: b"", "not an ONNX network"),
    ],
    ids=[
        "loop",
        "vendor",
        "own-domain",
        "branch",
        "external",
        "constant",
        "function",
        "opset",
        "wav",
        "empty",
    ],
)
def test_networks_that_do_more_than_compute_are_refused(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        save_model(tmp_path / "bad.onnx", data(), card())
    assert not list(tmp_path.iterdir())


def test_a_foreign_network_under_a_valid_card_is_refused_on_loading(saved: Path) -> None:
    import hashlib

    data = _with_external_weights()
    saved.write_bytes(data)
    rewritten(saved, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match="other files"):
        load_model(saved, kind="test")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_networks_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(_with_branch() if data.draw(st.booleans()) else onnx_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(ModelError):
        network_facts(bytes(whole[:cut]))


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    return {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], np.int64)}


def test_arrays_are_saved_and_loaded(tmp_path: Path) -> None:
    save_model(tmp_path / "m.npz", arrays(), card(format="npz", inputs=(), outputs=()))
    model = load_model(tmp_path / "m.npz", kind="test")
    for name, array in arrays().items():
        np.testing.assert_array_equal(model.array(name), array)
    with pytest.raises(ModelError, match="no array 'c'"):
        model.array("c")
    with pytest.raises(ModelError, match="cannot be run"):
        model.run({})


def test_the_same_arrays_give_the_same_file(tmp_path: Path) -> None:
    for name in ("m1.npz", "m2.npz"):
        save_model(tmp_path / name, arrays(), card(format="npz"))
    assert (tmp_path / "m1.npz").read_bytes() == (tmp_path / "m2.npz").read_bytes()


def _foreign_npz(tmp_path: Path, **stored: Any) -> Path:
    """A valid card, and a file of other contents whose size and checksum the card was made to match."""
    import hashlib

    path = tmp_path / "m.npz"
    save_model(path, arrays(), card(format="npz"))
    buffer = io.BytesIO()
    np.savez(buffer, **stored)
    path.write_bytes(buffer.getvalue())
    rewritten(path, bytes=len(buffer.getvalue()), sha256=hashlib.sha256(buffer.getvalue()).hexdigest())
    return path


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"a": arrays()["a"]}, "not those that the card names"),
        ({**arrays(), "a": arrays()["a"].astype(np.float64)}, "float64"),
        ({**arrays(), "a": arrays()["a"].T}, "not a float32"),
        ({**arrays(), "a": np.full((2, 3), np.nan, np.float32)}, "numbers that are none"),
        ({**arrays(), "a": np.array([{"x": 1}], dtype=object)}, "plain arrays"),
    ],
    ids=["missing", "type", "shape", "nan", "pickle"],
)
def test_arrays_other_than_the_card_names_are_refused(
    tmp_path: Path, stored: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        load_model(_foreign_npz(tmp_path, **stored), kind="test")


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "m.npz"
    save_model(path, arrays(), card(format="npz"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 3_000_000)
    path.write_bytes(buffer.getvalue())
    rewritten(path, bytes=len(buffer.getvalue()), sha256=hashlib.sha256(buffer.getvalue()).hexdigest())
    with pytest.raises(ModelError, match="unpack to more"):
        load_model(path, kind="test", max_bytes=1_000_000)


def test_an_existing_model_is_not_replaced_unasked(saved: Path) -> None:
    with pytest.raises(BadInputError, match="exists already"):
        save_model(saved, onnx_bytes(), card())
    save_model(saved, onnx_bytes(), card(), overwrite=True)


def test_a_name_nobody_ships_lists_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'identifier'"):
        load_model("identifer", kind="test")


def test_every_shipped_file_is_listed_and_every_listed_one_is_there() -> None:
    weights = {p.stem for p in MODELS_FOLDER.iterdir() if p.suffix in (".onnx", ".npz")}
    cards = {p.stem for p in MODELS_FOLDER.glob("*.json")}
    assert weights == cards == set(SHIPPED)


def test_shipped_cards_say_what_a_user_must_know() -> None:
    for name, shipped in shipped_cards().items():
        assert shipped.name == name
        assert shipped.licence
        assert shipped.limits
        assert shipped.training_data
        assert shipped.recipe["command"]
        assert "seed" in shipped.recipe
