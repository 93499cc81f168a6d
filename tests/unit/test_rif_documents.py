"""Every construct of the rule language, read and written in both notations, and what is refused with line and column."""

from __future__ import annotations

import pytest

from makers_rif import DOCUMENTS, document
from tonmeister.errors import BadInputError
from tonmeister.rif.ast import (
    And,
    Const,
    Do,
    Exists,
    External,
    Forall,
    Frame,
    Group,
    Implies,
    Import,
    Member,
    Modify,
    New,
    Node,
    Not,
    Or,
    Position,
    Retract,
    Var,
    decimal,
    iri,
    walk,
)
from tonmeister.rif.names import BOOLEAN, DOUBLE, FORWARD_CHAINING, LOCAL, PLAIN
from tonmeister.rif.problems import DEEPEST, LARGEST_BYTES, MOST_NODES
from tonmeister.rif.text_reader import read_formula, read_text
from tonmeister.rif.text_writer import formula_text, write_text
from tonmeister.rif.xml_reader import read_xml
from tonmeister.rif.xml_writer import write_xml

EX = "http://example.org/desk#"
RIF = "http://www.w3.org/2007/rif#"


def sentences(text: str) -> tuple[Node, ...]:
    group = read_text(document(text)).group
    assert group is not None
    return group.sentences


def refused(text: str, reader: str = "text") -> str:
    with pytest.raises(BadInputError) as caught:
        read_text(text, "a.rifps") if reader == "text" else read_xml(text, "a.rif")
    return str(caught.value)


def xml(payload: str) -> str:
    return f'<Document xmlns="{RIF}">\n<payload><Group><sentence>\n{payload}\n</sentence></Group></payload></Document>'


def test_there_are_thirty_documents() -> None:
    assert len(DOCUMENTS) >= 30


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_notations_say_the_same(name: str) -> None:
    read = read_text(DOCUMENTS[name])
    assert read_xml(write_xml(read)) == read
    assert read_text(write_text(read)) == read
    assert read_text(write_text(read_xml(write_xml(read)))) == read


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_was_written_is_written_again_byte_for_byte(name: str) -> None:
    read = read_text(DOCUMENTS[name])
    assert write_xml(read_xml(write_xml(read))) == write_xml(read)
    assert write_text(read_text(write_text(read))) == write_text(read)


# ------------------------------------------------------------------ what a construct becomes


def test_a_rule_with_patterns() -> None:
    (rule,) = sentences(
        "Forall ?x ?v such that ( ?x # ex:Drum ) ( If ?x[ex:level -> ?v] Then Do( Modify( ?x[ex:a -> 0.5] ) ) )"
    )
    x = Var("x")
    assert rule == Forall(
        (x, Var("v")),
        (Member(x, iri(EX + "Drum")),),
        Implies(
            Frame(x, ((iri(EX + "level"), Var("v")),)),
            Do((Modify(Frame(x, ((iri(EX + "a"), decimal("0.5")),))),)),
        ),
    )


def test_patterns_need_no_parentheses_of_their_own() -> None:
    (bare,) = sentences("Forall ?x such that ?x # ex:Drum ?x[ex:a -> 1] ( ?x[ex:b -> 2] )")
    (wrapped,) = sentences("Forall ?x such that ( ?x # ex:Drum ) ( ?x[ex:a -> 1] ) ( ?x[ex:b -> 2] )")
    (together,) = sentences("Forall ?x such that ( ?x # ex:Drum ?x[ex:a -> 1] ) ( ?x[ex:b -> 2] )")
    assert bare == wrapped == together


def test_a_conclusion_before_its_condition_is_the_same_rule() -> None:
    words = sentences("Forall ?x ( If ?x # ex:Drum Then ?x[ex:bus -> ex:kit] )")
    assert words == sentences("Forall ?x ( ?x[ex:bus -> ex:kit] :- ?x # ex:Drum )")
    assert words == sentences(
        "Forall ?x such that () ( ?x[ex:bus -> ex:kit] :- ?x # ex:Drum )".replace("such that () ", "")
    )


def test_literals_keep_text_and_type() -> None:
    (fact,) = sentences(DOCUMENTS["literals"].partition("Group (")[2].rpartition(")")[0].rpartition(")")[0])
    assert isinstance(fact, Frame)
    values = [value for _, value in fact.slots]
    assert values[1] == Const('line\nbreak "quoted" é', "http://www.w3.org/2001/XMLSchema#string")
    assert values[2] == Const("mot@fr-CA", PLAIN)
    assert [v.type.rpartition("#")[2] for v in values if isinstance(v, Const)] == [
        "string", "string", "PlainLiteral", "boolean", "integer", "decimal", "double", "double", "iri", "local",
    ]  # fmt: skip
    assert values[7] == Const("0.5", DOUBLE)
    assert values[9] == Const("here", LOCAL)
    assert values[3] == Const("true", BOOLEAN)


def test_groups_carry_priority_and_strategy() -> None:
    group = read_text(DOCUMENTS["priorities"]).group
    assert group is not None
    first, second = group.sentences
    assert isinstance(first, Group)
    assert isinstance(second, Group)
    assert (first.priority, first.strategy) == (10, None)
    assert (second.priority, second.strategy) == (-3, FORWARD_CHAINING)


def test_metadata_belong_to_what_follows() -> None:
    (rule,) = sentences(DOCUMENTS["metadata"].partition("Group (")[2].rpartition(")")[0].rpartition(")")[0])
    assert isinstance(rule, Forall)
    assert rule.name == EX + "a-rule"
    assert rule.metadata is not None
    assert rule.metadata.value("http://purl.org/dc/terms/source") == "a book"
    assert rule.metadata.values("http://purl.org/dc/terms/creator") == (EX + "me",)
    assert isinstance(rule.body, Implies)
    assert rule.body.name == EX + "inner"
    assert rule.body.condition.name == EX + "test"


def test_imports_and_base() -> None:
    assert read_text(DOCUMENTS["import"]).imports == (
        Import("more.rifps"),
        Import("facts.ttl", "http://www.w3.org/ns/entailment/Simple"),
    )
    group = read_text(DOCUMENTS["base"]).group
    assert group == Group((Member(iri("http://example.org/kick"), iri("http://example.org/Drum")),))


def test_xml_base_completes_relative_names() -> None:
    text = f'<Document xmlns="{RIF}" xml:base="http://example.org/"><payload><Group><sentence><Member>' + (
        f'<instance><Const type="{RIF}iri">kick</Const></instance><class><Const type="{RIF}iri">#Drum</Const></class>'
    ) + "</Member></sentence></Group></payload></Document>"  # fmt: skip
    assert read_xml(text).group == Group(
        (Member(iri("http://example.org/kick"), iri("http://example.org/#Drum")),)
    )


def test_do_may_leave_out_the_parentheses_around_action_variables() -> None:
    (plain,) = sentences("Do( ?s New() Assert( ?s # ex:Send ) )")
    (wrapped,) = sentences("Do( ( ?s New() ) Assert( ?s # ex:Send ) )")
    assert plain == wrapped
    assert isinstance(plain, Do)
    assert plain.variables[0].binding == New()


def test_retract_takes_objects_and_attributes() -> None:
    (rule,) = sentences("Forall ?x ( If ?x # ex:Drum Then Do( Retract( ?x ) Retract( ?x ex:pan ) ) )")
    assert [n for n in walk(rule) if isinstance(n, Retract)] == [
        Retract(Var("x")),
        Retract(Var("x"), iri(EX + "pan")),
    ]


def test_positions_are_lines_and_columns() -> None:
    document_read = read_text("Document(\n  Group (\n   ?x # ?y ) )")
    assert document_read.group is not None
    assert document_read.group.position == Position(2, 3)
    assert document_read.group.sentences[0].position == Position(3, 4)
    element = read_xml(xml("<And/>")).group
    assert element is not None
    assert element.sentences[0].position == Position(3, 1)


def test_positions_and_prefixes_are_not_part_of_equality() -> None:
    one = read_text("Document( Prefix(a <http://e/>) Group ( a:x # a:y ) )")
    other = read_text("Document(\n\n Prefix(b <http://e/>) Group ( b:x # <http://e/y> ) )")
    assert one == other
    assert hash(one) == hash(other)


def test_prefixes_survive_xml() -> None:
    read = read_text(DOCUMENTS["and"])
    assert dict(read_xml(write_xml(read)).prefixes) == dict(read.prefixes)


def test_a_formula_is_read_and_shown_by_itself() -> None:
    text = "And( ?x[tm:pan -> 0.5] Not( External(pred:numeric-less-than(?v 3)) ) )"
    formula = read_formula(text)
    assert formula_text(formula) == text
    kinds = {type(node) for node in walk(formula)}
    assert {And, Not, External, Frame} <= kinds
    assert not kinds & {Or, Exists}


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("Document( Group ( tm:x # tm:y ) )", "1:19", "prefix 'tm' is not declared"),
        ("Document(\n Prefix(tm <urn:a#>)\n Group ( tn:x # tm:y ) )", "3:10", "did you mean 'tm'"),
        ("Document( Prefix(tm <urn:a>) Prefix(tm <urn:b>) )", "1:37", "declared twice"),
        ("Dokument()", "1:1", "begins with Document("),
        ("Document( Group () Group () )", "1:20", "one group"),
        ("Document( Gruop () )", "1:11", "did you mean 'Group'"),
        ("Document( Group 1.5 () )", "1:17", "not an integer"),
        ("Document( Group ( ?x ) )", "1:19", "alone is not a formula"),
        ("Document( Group ( If ?x # ?y Than ?x # ?z ) )", "1:30", "'Then' is missing"),
        ("Document( Group ( Forall ( ?x # ?y ) ) )", "1:26", "a variable is missing"),
        ("Document( Group ( Do( ) ) )", "1:19", "at least one action"),
        ("Document( Group ( Do( Assign( ?x # ?y ) ) ) )", "1:23", "'Assign' is not an action"),
        ("Document( Group ( Do( Modify( ?x # ?y ) ) ) )", "1:31", "a frame is missing"),
        ("Document( Group ( Do( Assert( ?x = ?y ) ) ) )", "1:31", "Equal cannot be asserted"),
        ("Document( Group ( Do( Execute( ?x # ?y ) ) ) )", "1:32", "a name with arguments"),
        ("Document( Group ( Not( ?x # ?y ) ) )", "1:19", "Not cannot be a conclusion"),
        ("Document( Group ( <p>(<a> -> 1) ) )", "1:27", "named arguments are not supported"),
        ("Document( Group ( ?x = <f>(1) ) )", "1:24", "function symbols of RIF-BLD"),
        ("Document( Group ( <f>(1)[<a> -> 2] ) )", "1:19", "function symbols of RIF-BLD"),
        ("Document( Group ( ?x[<a> 1] ) )", "1:26", "'->' is missing"),
        ("Document( Group ( Naf( ?x # ?y ) ) )", "1:19", "negation as failure"),
        ('Document( Group ( ?x[<a> -> "open] ) )', "1:29", "a string begins here"),
        ('Document( Group ( ?x[<a> -> "\\q"] ) )', "1:29", "not an escape"),
        ('Document( Group ( ?x[<a> -> "1"^^integer] ) )', "1:34", "the type of a literal"),
        ("Document( Group ( ?x # ?y )", "1:28", "')' is missing at the end"),
        ("Document( Group () ) more", "1:22", "behind the end"),
        ("Document( Group ( ?x § ?y ) )", "1:22", "not part of the language"),
        ("Document( Group ( ?x[<a b> -> 1] ) )", "1:22", "an IRI begins here"),
        ("Document( /* open", "1:11", "a comment begins here"),
        ("Document( Group ( (* ?x # ?y *) ?x # ?y ) )", "1:22", "metadata holds frames"),
        ("Document( Group ( ?x[(* <a> *) <b> -> 1] ) )", "1:22", "metadata has no meaning before a term"),
        ("Document( Group ( Forall ?x such that ( ?x # ?y ?x # ?z ) ) )", "1:59", "the rule in parentheses is missing"),
    ],
)  # fmt: skip
def test_mistakes_in_presentation_syntax_say_where(text: str, where: str, words: str) -> None:
    message = refused(text)
    assert message.startswith(f"a.rifps:{where}: ")
    assert words in message


CONST = f'<Const type="{RIF}iri">a</Const>'


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("<Document", "1:1", "not well-formed"),
        (f'<Document xmlns="{RIF}">\n<payload>\n</Document>', "3:3", "not well-formed XML: mismatched tag"),
        ("<Document/>", "1:1", "namespace of RIF"),
        ('<Document xmlns="http://example.org/"/>', "1:1", "is not a rule document"),
        (f'<Group xmlns="{RIF}"/>', "1:1", "outermost element is <Document>"),
        (xml("<Impies/>"), "3:1", "did you mean 'Implies'"),
        (xml("<Implies><if><And/></if></Implies>"), "3:1", "exactly one <then>"),
        (xml("<Member><instance/></Member>"), "3:9", "holds 1 element, found 0"),
        (xml(f"<Frame><object>{CONST}</object><slot>{CONST}</slot></Frame>"), "", "holds 2 elements, found 1"),
        (xml(f"<Atom><op>{CONST}</op><slot>{CONST}</slot></Atom>"), "3:1", "named arguments are not supported"),
        (xml(f"<Equal><left><Expr><op>{CONST}</op></Expr></left></Equal>"), "3:14", "function symbol of RIF-BLD"),
        (xml(f"<Equal><left><Const>a</Const></left><right>{CONST}</right></Equal>"), "3:14", "has no type"),
        (xml("<Forall><formula><And/></formula></Forall>"), "3:1", "declares no variable"),
        (xml("<Forall><declare><Var>a b</Var></declare><formula><And/></formula></Forall>"), "3:18", "'a b' is not a name"),
        (xml("<And>text</And>"), "3:1", "the text 'text' does not belong here"),
        (xml("<Do><actions/></Do>"), "3:1", "at least one action"),
        (xml("<Or/>"), "3:1", "does not belong in <sentence>"),
        (xml("<Group><behavior><Priority>high</Priority></behavior></Group>"), "3:18", "'high' is not an integer"),
        (xml("<Naf/>"), "3:1", "negation as failure"),
        (xml(f"<External><content><Frame><object>{CONST}</object></Frame></content></External>"), "3:20", "external Frame"),
        (xml('<And xmlns:o="urn:o"><o:formula/></And>'), "3:22", "<{urn:o}formula>"),
    ],
)  # fmt: skip
def test_mistakes_in_xml_say_where(text: str, where: str, words: str) -> None:
    message = refused(text, "xml")
    assert message.startswith(f"a.rif:{where}")
    assert words in message


# ------------------------------------------------------------------ attacks


def test_entities_are_refused_before_they_expand() -> None:
    bomb = (
        '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
        + f'<Document xmlns="{RIF}">&b;</Document>'
    )
    assert "document type (DOCTYPE) is refused" in refused(bomb, "xml")


def test_external_entities_are_never_opened() -> None:
    text = f'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Document xmlns="{RIF}">&e;</Document>'
    message = refused(text, "xml")
    assert "DOCTYPE" in message
    assert "root" not in message


def test_deep_documents_are_refused() -> None:
    assert "nested deeper" in refused(xml("<And><formula>" * 5000), "xml")
    nested = "And( " * (DEEPEST + 1) + ")" * (DEEPEST + 1)
    assert "nested deeper" in refused(document(nested))
    assert "nested deeper" in refused(document("Group ( " * 5000 + ")" * 5000))
    assert "nested deeper" in refused(document("ex:a[ex:b -> " + "List( " * 5000 + "]"))


@pytest.mark.parametrize(
    "opening",
    [
        "(* ",
        "(* <a>[<b> -> 1] ",
        "If ",
        "Forall ?x such that ( ",
        "Forall ?x ( ",
        "Do( Assert( ",
        "External(<a>( ",
        "<a> :- ",
    ],
)
def test_whatever_is_repeated_without_end_is_refused(opening: str) -> None:
    assert refused(document(opening * 5000))


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("And( ", "", " )"),
        ("Forall ?x ( ", "?x # ?x", " )"),
        ("Group ( ", "", " )"),
        ("ex:a[ex:b -> List( ", "1", " )]"),
    ],
)
def test_what_is_deep_but_not_too_deep_is_read_and_written(opening: str, inside: str, closing: str) -> None:
    levels = 1 if "[" in opening else DEEPEST - 6
    read = read_text(document(opening * levels + inside + closing * levels))
    assert read_xml(write_xml(read)) == read == read_text(write_text(read))


def test_large_documents_are_refused() -> None:
    space = " " * LARGEST_BYTES
    assert "bytes are too many" in refused(f"Document({space})")
    assert "bytes are too many" in refused(f'<Document xmlns="{RIF}">{space}</Document>', "xml")


def test_many_elements_are_refused() -> None:
    assert "elements: a rule document is smaller" in refused(xml("<a/>" * (MOST_NODES + 1)), "xml")
    assert "words: a rule document is smaller" in refused("( " * (MOST_NODES + 1))


def test_broken_encodings_are_refused() -> None:
    with pytest.raises(BadInputError, match="not well-formed"):
        read_xml(b'<?xml version="1.0" encoding="UTF-8"?><Document>\xff\xfe</Document>')
    with pytest.raises(BadInputError, match="encoding"):
        read_xml(b'<?xml version="1.0" encoding="klingon"?><Document/>')


def test_characters_that_xml_cannot_hold_are_refused_by_the_writer() -> None:
    read = read_text(document('ex:a[ex:b -> "\\u0001"]'))
    assert read_text(write_text(read)) == read
    with pytest.raises(BadInputError, match=r"U\+0001 cannot stand in XML"):
        write_xml(read)
