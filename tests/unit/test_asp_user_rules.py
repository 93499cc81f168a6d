"""Rule files of a user: what is refused, and that the message names file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("clingo")

from makers_features import song, track
from tonmeister.engines import load_engine
from tonmeister.engines.asp.user_rules import read_rules
from tonmeister.errors import BadInputError


def rules(folder: Path, text: str, name: str = "mine.lp") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lead(1).\n:- at_pan(T,P) P > 0.\n", r"mine\.lp:2: syntax error"),
        ("#script (python)\nimport os\n#end.\n", r"mine\.lp:1: #script is not allowed"),
        ("a.\n#external b.\n", r"mine\.lp:2: #external is not allowed"),
        ("#program other.\n", r"mine\.lp:1: #program is not allowed"),
        ("x(@f(1)).\n", r"mine\.lp:1: calling functions by @"),
        ("x(@getenv).\n", "calling functions by @"),
        ("#theory t { }.\n", "#theory is not allowed"),
        ('#include "../other.lp".\n', r"mine\.lp:1: '\.\./other\.lp' lies outside"),
        ('a.\n#include "/etc/passwd".\n', r"mine\.lp:2: '/etc/passwd' lies outside"),
        ("#include <incmode>.\n", "is not allowed"),
        (":- at_pam(T,P), P > 0.\n", r"mine\.lp:1: nothing defines at_pam/2 \(did you mean 'at_pan'"),
        ("\n:- at_pan(T), track(T).\n", r"mine\.lp:2: at_pan has 2 arguments, not 1"),
        (":- at_pan(T,P), P > Q.\n", r"mine\.lp:1: .*unsafe"),
        ('#include "missing.lp".\n', "missing.lp"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = rules(tmp_path, text)
    with pytest.raises(BadInputError, match=message):
        load_engine("asp", {"rules": str(file)}).decide(*song(track("a", "piano"), track("b", "kick")))


@pytest.mark.parametrize(
    "text",
    [
        "% #script in a comment\n:- at_pan(T,P), P > 100. % @f(x)\n",
        '%* #external\n  #program *%\nx("#script @f").\n',
        ":~ at_pan(T,P), P > 0. [1@3,mine,T]\n",
        "#minimize { P@1,T : at_pan(T,P), P > 0 }.\n",
        "#maximize { 1@2,T : at_pan(T,0) }.\n",
        "#const far = 4.\n:- pair(T,U), at_pan(T,P), |P| < far, P > 100.\n",
    ],
)
def test_what_is_allowed(tmp_path: Path, text: str) -> None:
    assert read_rules(rules(tmp_path, text))


def test_files_beside_are_included_once_and_checked_together(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    rules(tmp_path / "parts", "wide(T) :- instrument(T,piano).\n", "kinds.lp")
    main = rules(
        tmp_path, '#include "parts/kinds.lp".\n#include "parts/kinds.lp".\n:- wide(T), at_pan(T,0).\n'
    )
    statements = read_rules(main)
    assert [Path(s.origin).name for s in statements] == ["mine.lp", "kinds.lp"]
    assert "#include" not in statements[0].text
    assert {"wide", "at_pan"} <= statements[1].predicates


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    rules(tmp_path, "ok.\n\nbroken(.\n", "part.lp")
    with pytest.raises(BadInputError, match=r"part\.lp:3: "):
        read_rules(rules(tmp_path, '#include "part.lp".\n'))


def test_a_file_that_leads_to_itself_is_read_once(tmp_path: Path) -> None:
    assert len(read_rules(rules(tmp_path, '#include "mine.lp".\na.\n'))) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b.\n"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.lp"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"mine\.lp"):
        read_rules(path)


def test_rules_that_grow_for_ever_are_stopped(tmp_path: Path) -> None:
    file = rules(tmp_path, "count(1).\ncount(N+1) :- count(N).\n")
    engine = load_engine("asp", {"rules": str(file), "seconds": "1.5"})
    with pytest.raises(BadInputError, match=r"mine\.lp: the rules .*(growing|grow)"):
        engine.decide(*song(track("a", "piano")))


def test_a_search_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    """Pigeons without enough holes: easy to write, hard to refute."""
    text = (
        "pigeon(1..14). hole(1..13).\n1 { sits(P,H) : hole(H) } 1 :- pigeon(P).\n"
        ":- sits(P,H), sits(Q,H), P < Q.\n"
    )
    engine = load_engine("asp", {"rules": str(rules(tmp_path, text)), "conflicts": "2000"})
    with pytest.raises(Exception, match="no mix was found within 2000 conflicts"):
        engine.decide(*song(track("a", "piano")))
