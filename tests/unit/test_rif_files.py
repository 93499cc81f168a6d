"""Rule documents as files: told apart by content, imported from beside, never overwritten by accident; RIF in RDF."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from makers_rif import DOCUMENTS, NO_SECOND_READER, document
from tonmeister.errors import BadInputError, OutputError
from tonmeister.rif.ast import walk
from tonmeister.rif.files import notation_of, read_document, read_rules, rules_text, write_rules
from tonmeister.rif.rules import rules_of
from tonmeister.rif.text_reader import read_text
from tonmeister.rif.xml_writer import write_xml

ONE = document("ex:kick # ex:Drum")


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_notation_is_told_by_the_content_not_by_the_name(tmp_path: Path) -> None:
    read = read_text(ONE)
    assert read_rules(put(tmp_path, "a.rif", ONE)) == read
    assert read_rules(put(tmp_path, "b.rifps", write_xml(read))) == read
    assert read_rules(put(tmp_path, "c", "\ufeff \n" + write_xml(read).partition("\n")[2])) == read
    (tmp_path / "d.rif").write_bytes(write_xml(read).replace("UTF-8", "UTF-16").encode("utf-16"))
    assert read_rules(tmp_path / "d.rif") == read


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    read = read_text(ONE)
    for name, start in (
        ("a.rif", "<?xml"),
        ("a.XML", "<?xml"),
        ("a.rifps", "Document("),
        ("a.txt", "Document("),
    ):
        write_rules(tmp_path / name, read)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
        assert read_rules(tmp_path / name) == read
    with pytest.raises(BadInputError, match="names no notation"):
        notation_of(Path("a.ttl"))
    with pytest.raises(BadInputError, match="cannot be written"):
        rules_text(read, "turtle")


def test_a_file_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = put(tmp_path, "a.rif", "precious")
    with pytest.raises(OutputError, match="already there"):
        write_rules(path, read_text(ONE))
    assert path.read_text() == "precious"
    write_rules(path, read_text(ONE), overwrite=True)
    assert read_rules(path) == read_text(ONE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.rif"]


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        read_rules(tmp_path / "none.rif")
    with pytest.raises(BadInputError, match="not UTF-8"):
        read_document(b"Document( \xff )")
    with pytest.raises(BadInputError, match="bytes are too many"):
        read_rules(put(tmp_path, "large.rif", "Document(" + " " * (5 << 20) + ")"))
    with pytest.raises(BadInputError, match=r"unsafe\.rifps:11:\d+: .* is not bound"):
        read_rules(put(tmp_path, "unsafe.rifps", document("Forall ?x ( ?x # ex:Drum )")))
    assert read_rules(tmp_path / "unsafe.rifps", check=False).group is not None


# ------------------------------------------------------------------ imports


def test_imported_rules_stand_before_the_own(tmp_path: Path) -> None:
    put(tmp_path, "more.rifps", document("ex:imported # ex:T", group="Group 7"))
    path = put(tmp_path, "main.rifps", "Document( Import(<more.rifps>) Group ( <own> # <T> ) )")
    first, second = rules_of(read_rules(path))
    assert (first.priority, second.priority) == (7, 0)
    assert len(read_rules(path, follow=False).imports) == 1


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    put(tmp_path, "base.rifps", ONE)
    put(tmp_path, "left.rifps", "Document( Import(<base.rifps>) )")
    path = put(tmp_path, "main.rifps", "Document( Import(<left.rifps>) Import(<base.rifps>) )")
    assert len(rules_of(read_rules(path))) == 1


@pytest.mark.parametrize(
    ("imported", "words"),
    [
        ("main.rifps", "imports itself"),
        ("loop.rifps", "imports itself"),
        ("http://example.org/rules.rif", "only files beside"),
        ("/etc/passwd", "only files beside"),
        ("../secret.rif", "lies outside"),
        ("missing.rif", "No such file"),
        ("data.ttl> <http://www.w3.org/ns/entailment/Simple", "profile"),
    ],
)
def test_imports_that_are_refused(tmp_path: Path, imported: str, words: str) -> None:
    put(tmp_path, "loop.rifps", "Document( Import(<main.rifps>) )")
    path = put(tmp_path, "main.rifps", f"Document( Import(<{imported}>) )")
    with pytest.raises(BadInputError, match=words):
        read_rules(path)


# ------------------------------------------------------------------ RIF in RDF, and a second reader

rdflib = pytest.importorskip("rdflib")

_RDF = """
@prefix rif: <http://www.w3.org/2007/rif#> .
@prefix ex: <http://example.org/desk#> .
[] a rif:Document ; rif:payload [ a rif:Group ;
  rif:behavior [ rif:Priority 4 ] ;
  rif:sentences ( ex:rule ) ] .
ex:rule a rif:Forall ; rif:vars ( [ a rif:Var ; rif:varname "x" ] ) ;
  rif:formula [ a rif:Implies ;
    rif:if [ a rif:Member ; rif:instance [ a rif:Var ; rif:varname "x" ] ;
             rif:class [ a rif:Const ; rif:constIRI "http://example.org/desk#Drum" ] ] ;
    rif:then [ a rif:Do ; rif:actions ( [ a rif:Modify ; rif:target [ a rif:Frame ;
      rif:object [ a rif:Var ; rif:varname "x" ] ;
      rif:slots ( [ rif:slotkey [ a rif:Const ; rif:constIRI "http://example.org/desk#level" ] ;
                    rif:slotvalue [ a rif:Const ; rif:value -6 ] ] ) ] ] ) ] ] .
"""


def test_rules_written_as_a_graph(tmp_path: Path) -> None:
    rule = "(* ex:rule *) Forall ?x ( If ?x # ex:Drum Then Do( Modify( ?x[ex:level -> -6] ) ) )"
    assert read_rules(put(tmp_path, "a.ttl", _RDF)) == read_text(document(rule, group="Group 4"))


def second_reader(text: str) -> object:
    """The graph that rdflib-rif makes of RIF XML."""
    pytest.importorskip("rdflib_rif")
    graph = rdflib.Graph()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph.parse(data=text, format="rif")
    return graph


@pytest.mark.parametrize("name", sorted(set(DOCUMENTS) - NO_SECOND_READER - {"empty"}))
def test_a_second_reader_finds_the_same_rules(name: str) -> None:
    read = read_text(DOCUMENTS[name])
    graph = second_reader(write_xml(read))
    found = {
        kind: _count(graph, kind)
        for kind in ("Forall", "Implies", "Frame", "Modify", "Assert", "Retract", "Execute")
    }
    assert found == {kind: _ours(read, kind) for kind in found}
    assert read_document(graph.serialize(format="turtle")) == read  # type: ignore[attr-defined]


def _count(graph: object, kind: str) -> int:
    rif = "http://www.w3.org/2007/rif#"
    triples = graph.subjects(rdflib.RDF.type, rdflib.URIRef(rif + kind))  # type: ignore[attr-defined]
    return len(set(triples))


def _ours(read: object, kind: str) -> int:
    nodes = list(walk(read))  # type: ignore[arg-type]
    own = sum(type(node).__name__ == kind for node in nodes)
    if kind == "Frame":
        own += sum(len(m.frames) for n in nodes if (m := getattr(n, "metadata", None)) is not None)
    return own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@prefix rif: <http://www.w3.org/2007/rif#> .\n[] a rif:Document", "not valid Turtle"),
        ("@prefix rif: <http://www.w3.org/2007/rif#> .\n[] a rif:Group .", "holds 0 rule documents"),
        (_RDF.replace("rif:Modify", "rif:Modfy"), "did you mean 'Modify'"),
        (_RDF.replace("rif:if", "rif:when"), "needs exactly one rif:if"),
        (_RDF.replace("( ex:rule )", "( ex:rule").replace("] .\nex:rule", "] .\nex:rule"), "not valid Turtle"),
        (_RDF.replace('rif:constIRI "http://example.org/desk#Drum"', 'rif:name "x"'), "needs rif:constIRI"),
        (_RDF.replace("rif:sentences ( ex:rule )", "rif:sentences ex:list"), "should be a list"),
        (_RDF.replace('rif:varname "x" ] ) ;', 'rif:varname "a b" ] ) ;'), "is not a name"),
    ],
)  # fmt: skip
def test_mistakes_in_graphs_name_the_node(text: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        read_document(text, "a.ttl")


def test_a_rule_that_contains_itself_is_refused() -> None:
    loop = """@prefix rif: <http://www.w3.org/2007/rif#> . @prefix ex: <http://e/> .
      [] a rif:Document ; rif:payload ex:g . ex:g a rif:Group ; rif:sentences ( ex:g ) ."""
    with pytest.raises(BadInputError, match="contains itself"):
        read_document(loop)
