"""Rules between engines: table to document to table, document to solver and back, and one effect in three engines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

pytest.importorskip("clingo")

from makers import band, tone, write_folder
from makers_rif import document
from tonmeister.analysis import analyze
from tonmeister.decisions import Decision, SetPan
from tonmeister.engines.base import load_engine
from tonmeister.engines.exchange.asp_in import asp_document, asp_shipped
from tonmeister.engines.exchange.asp_out import asp_program
from tonmeister.engines.exchange.exchange import converted, exported
from tonmeister.engines.exchange.textbook_in import textbook_table
from tonmeister.engines.exchange.textbook_out import textbook_document
from tonmeister.engines.semantic.documents import SHIPPED
from tonmeister.engines.textbook.records import Rule
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.errors import BadInputError
from tonmeister.features import MultitrackFeatures
from tonmeister.loading import load_multitrack
from tonmeister.multitrack import Multitrack
from tonmeister.rif.check import check_document
from tonmeister.rif.files import read_document, read_rules, rules_text, write_rules
from tonmeister.rif.names import CREATOR, LICENSE, SOURCE, TM
from tonmeister.rif.rules import rules_of
from tonmeister.rif.text_reader import read_text

RATIO = '[{ set = "compressor.ratio", to = "4" }]'
SHELF = '{ set = "equalizer.section_db", to = "2", shape = "low_shelf", frequency_hz = 120 }'
HEAD = """[meta]
schema = 1
"""
ROW = """[[rule]]
id = "{id}"
source = "a book"
evidence = "S"
stage = "{stage}"
tags = {tags}
when = {when}
do = {do}
comment = "Because."
"""


def table(stage: str, do: str, *, tags: str = "{}", when: str = "[]", name: str = "own.rule") -> RuleSet:
    return RuleSet.parse(HEAD + ROW.format(id=name, stage=stage, tags=tags, when=when, do=do))


def said(rule: Rule) -> dict[str, object]:
    """All that a row says, comparable."""
    return {
        "id": rule.id, "source": rule.source, "evidence": rule.evidence, "stage": rule.stage, "why": rule.comment,
        "tags": {k: v for k, v in rule.tags.items() if v}, "profiles": rule.profiles, "disputed": rule.disputed,
        "when": [test.root for test in rule.when],
        "do": [
            (a.verb, a.target, a.amount.root if a.amount else None, a.level_db, a.time, dict(a.details))
            for a in rule.do
        ],
    }  # fmt: skip


# ------------------------------------------------------------------ table <-> document


def test_the_shipped_table_survives_both_ways() -> None:
    shipped = RuleSet.shipped()
    out = textbook_document(shipped, own=True)
    assert out.left_out == ()
    assert len(out.kept) == len(shipped.rules) + len(shipped.defaults)
    back = textbook_table(read_document(rules_text(out.result, "xml")))
    assert back.left_out == ()
    again = RuleSet.parse(back.result)
    assert [said(rule) for rule in again.rules] == [said(rule) for rule in shipped.rules]
    assert {k: (e.root, *rest) for k, (e, *rest) in again.defaults.items()} == {
        k: (e.root, *rest) for k, (e, *rest) in shipped.defaults.items()
    }


def test_the_shipped_document_is_the_shipped_table() -> None:
    assert read_rules(SHIPPED / "textbook.rifps") == exported("textbook").result


def test_documents_are_safe_and_carry_their_provenance() -> None:
    read = exported("textbook").result
    check_document(read)
    for rule in rules_of(read):
        assert rule.metadata is not None
        for key in (CREATOR, LICENSE, SOURCE, TM + "evidence"):
            assert rule.metadata.value(key), (rule.name, key)


def test_a_table_of_somebody_else_does_not_become_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        HEAD + ROW.format(id="own.a", stage="pan", tags="{}", when="[]", do='[{ pan = "0", mode = "fixed" }]')
    )
    (rule,) = rules_of(exported(str(path)).result)
    assert rule.metadata is not None
    assert rule.metadata.value(SOURCE) == "a book"
    assert rule.metadata.value(CREATOR) is None


@pytest.mark.parametrize(
    "rules",
    [
        table("dynamics", RATIO, when='["track.crest_db > 10 or track.rms_db < -30"]'),
        table("dynamics", RATIO, when='["not (track.crest_db > 10 and track.rms_db < -30)"]'),
        table("dynamics", '[{ set = "compressor.attack_ms", to = "2.7", time = "10-90" }]'),
        table("dynamics", '[{ set = "compressor.threshold_db", to = "min(track.peak_db - 12.5, 0 - track.crest_db * 2)" }]'),
        table("pan", '[{ pan = "0.35", mode = "place", width = 0.8 }]', tags='{ instrument = ["guitar"], role = ["lead"] }'),
        table("pan", '[{ pan = "0", mode = "keep" }]', tags='{ genre = ["jazz"], kind = ["mono"], section = ["several"] }'),
        table("tone", f'[{{ word = "mud", amount = -1.5 }}, {SHELF}]'),
        table("balance", '[{ route = "Kit" }, { offset = "gain_db", by = "-little" }]'),
        table("space", '[{ set = "reverb.decay_s", to = "clamp(3 * song.beat_s, 0.6, 3)" }]', when='["song.beat_s > 0"]'),
        table("mix_bus", '[{ set = "compressor.ratio", to = "1.5" }]', when='["bus.crest_db > 9", "song.tracks > 4"]'),
        table("tags", '[{ role = "background" }]', tags='{ role = ["foreground"] }'),
        table("high_pass", '[{ bypass = "high_pass" }]', when='["song.tracks > 2"]'),
    ],
    ids=range(12),
)  # fmt: skip
def test_rows_survive_both_ways(rules: RuleSet) -> None:
    out = textbook_document(rules)
    assert out.left_out == ()
    check_document(out.result)
    back = textbook_table(read_document(rules_text(out.result, "text")))
    assert back.left_out == ()
    (before,), (after,) = rules.rules, RuleSet.parse(back.result).rules
    wanted, found = said(before), said(after)
    for key in ("when", "tags"):  # tests are rewritten, and a processor is named where none was
        wanted.pop(key), found.pop(key)
    assert found == wanted
    assert {k: v for k, v in after.tags.items() if k != "processor" and v} == {
        k: v for k, v in before.tags.items() if k != "processor" and v
    }
    for values in (
        {"crest_db": 12.0, "rms_db": -20.0},
        {"crest_db": 8.0, "rms_db": -40.0},
        {"rms_db": -40.0},
        {},
    ):
        assert _verdicts(after, values) == _verdicts(before, values)


def _verdicts(rule: Rule, values: dict[str, float]) -> bool:
    """Whether all tests are true; 5 for whatever a case does not say about buses and songs."""

    def lookup(name: str) -> float | None:
        return values.get(name.removeprefix("track.")) if name.startswith("track.") else 5.0

    results = [test.evaluate(lookup) for test in rule.when]
    return all(result is True for result in results)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (table("pan", '[{ bypass = "panner" }]'), "leaving out the panner has no name"),
        (table("drum_bus", RATIO, tags='{ instrument = ["snare"] }'), "a bus has no instrument"),
        (table("mix_bus", RATIO, tags='{ instrument = ["snare"] }'), "only tracks have one"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_said_are_listed(rules: RuleSet, reason: str) -> None:
    (left,) = textbook_document(rules).left_out
    assert left.rule == "own.rule"
    assert reason in left.reason


@pytest.mark.parametrize(
    ("actions", "condition", "reason"),
    [
        ("Modify( ?t[tm:gain -> 3] )", "", "tm:gain is no parameter of the table"),
        ("Retract( ?t tm:pan )", "", "takes nothing back"),
        ("Modify( ?t[tm:compressorRatio -> 4 tm:highPassCutoff -> 80] )", "", "one stage"),
        ("Modify( ?t[tm:compressorRatio -> External(tm:log10(10))] )", "", "log10 is no function"),
        ("Modify( ?t[tm:compressorRatio -> 4] )", "Not( ?t # tm:Kick )", "negate the comparison"),
        ("Modify( ?t[tm:compressorRatio -> 4] )", 'External(pred:contains("a" "b"))', "not a test the table knows"),
        ("Modify( ?t[tm:compressorRatio -> 400] )", "", ""),
    ],
)  # fmt: skip
def test_rules_the_table_has_no_words_for_are_listed(actions: str, condition: str, reason: str) -> None:
    body = f"If {condition} Then Do( {actions} )" if condition else f"Do( {actions} )"
    outcome = textbook_table(
        read_text(document(f"(* ex:r *) Forall ?t such that ( ?t # tm:Track ) ( {body} )"))
    )
    if not reason:  # out of range: the table clips, and says so when it runs
        assert outcome.kept == ("r",)
        return
    (left,) = outcome.left_out
    assert left.rule == "r"
    assert reason in left.reason


def test_constraints_are_no_rows() -> None:
    text = document(
        "Forall ?t ?p such that ( ?t # tm:Track ) ( If ?t[tm:pan -> ?p] Then External(pred:numeric-less-than(?p 0.8)) )"
    )
    (left,) = textbook_table(read_text(text)).left_out
    assert "kept true" in left.reason


# ------------------------------------------------------------------ document <-> solver


def test_wishes_survive_both_ways(tmp_path: Path) -> None:
    first = asp_program(exported("textbook").result)
    path = tmp_path / "wishes.lp"
    path.write_text(first.result)
    back = asp_document(path)
    assert back.left_out == ()
    assert back.kept == first.kept
    assert {line for line in asp_program(back.result).result.splitlines() if line.startswith(":~")} == {
        line for line in first.result.splitlines() if line.startswith(":~")
    }


def test_rules_of_a_person_for_the_solver_become_documents(tmp_path: Path) -> None:
    path = tmp_path / "own.lp"
    path.write_text(
        "%% name: own.hihat\n%% says: It stands there.\n%% source: a photograph\n%% evidence: S\n"
        ":~ instrument(T,hihat), at_pan(T,P). [|P+3|@6,mine,T]\n"
        ":- role(T,lead), not instrument(T,bass), at_pan(T,P), P != 0.\n"
        ":~ track(T), at_depth(T,R). [R@5,dry,T]\n"
        ":~ instrument(T,tom), at_pan(T,P). [||P|-4|@5,wide,T]\n"
        ":- low(T), at_pan(T,P), P != 0.\n"
        "far(T) :- at_pan(T,P), |P| > 8.\n"
    )
    outcome = asp_document(path)
    first, *rest = rules_of(outcome.result)
    assert first.metadata is not None
    assert first.metadata.value(SOURCE) == "a photograph"
    assert [r.priority for r in (first, *rest)] == [1, 1000, 0, 0]
    assert [left.reason.rpartition(": ")[2] for left in outcome.left_out] == [
        "low(T) has no words in rule documents",
        "only demands (:-) and wishes (:~, priority 5 or higher) say something about a mix",
    ]
    again = asp_program(outcome.result).result
    assert ":- role(T,lead), not instrument(T,bass), at_pan(T,P), P != 0." in again
    assert ":~ instrument(T,hihat), at_pan(T,P). [|P+3|@6,r_own_hihat,T]" in again
    (tmp_path / "broken.lp").write_text(":- at_pan(T,P")
    with pytest.raises(BadInputError, match=r"broken\.lp"):
        asp_document(tmp_path / "broken.lp")


def test_the_tables_of_the_solver_are_exported_and_its_logic_is_listed() -> None:
    outcome = asp_shipped()
    check_document(outcome.result)
    assert {"asp.place.hihat", "asp.depth.voice"} <= set(outcome.kept)
    assert {"asp.balance", "asp.masked_apart", "asp.level.bass"} <= {left.rule for left in outcome.left_out}
    assert textbook_table(outcome.result).left_out == ()


def test_what_the_solver_cannot_be_asked_is_listed() -> None:
    reasons = {left.rule: left.reason for left in asp_program(exported("textbook").result).left_out}
    assert (
        "no expressions" in reasons["textbook.pan.low"] or "knows instruments" in reasons["textbook.pan.low"]
    )
    assert "between two steps" in reasons["textbook.pan.electric_guitar"]
    assert "side by side" in reasons["textbook.pan.acoustic_guitar"]
    assert "tm:highPassCutoff" in reasons["textbook.snare.high_pass"]


def test_unknown_sources_and_targets() -> None:
    with pytest.raises(BadInputError, match="did you mean 'textbook'"):
        exported("texbook")
    with pytest.raises(BadInputError, match="cannot take rules"):
        converted(exported("textbook").result, "adaptive")
    with pytest.raises(BadInputError, match="only rules of the engine textbook"):
        exported("asp", without="R?")
    assert "textbook.kick.comp" not in exported("textbook", without="R?").kept


# ------------------------------------------------------------------ one rule, three engines

ONCE = document(
    """
  Group 10 (
    (* ex:percussion *) Forall ?t such that ( ?t # tm:Track ) (
      If ?t # tm:Percussion Then Do( Modify( ?t[tm:panPosition -> -0.6 tm:panMode -> "fixed"] ) ) ) )
  Group 20 (
    (* ex:shaker *) Forall ?t such that ( ?t # tm:Track ) (
      If And( ?t # tm:Shaker ?t[tm:role -> tm:foreground] )
      Then Do( Modify( ?t[tm:panPosition -> 0.2 tm:panMode -> "side"] ) ) ) )
  Group 10 (
    (* ex:keys *) Forall ?t such that ( ?t # tm:Track ) (
      If Or( ?t # tm:Piano ?t # tm:Organ ) Then Do( Modify( ?t[tm:panPosition -> 0.6 tm:panMode -> "fixed"] ) ) ) )"""
)
WANTED = {"Tambourine": -0.6, "Shaker": 0.2, "Piano": 0.6}


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> tuple[Multitrack, MultitrackFeatures]:
    tracks = {name: audio for name, audio in band(1.2).items() if "Gtr" not in name}
    tracks |= {f"{name}.wav": tone(1000.0 * index, 1.2) for index, name in enumerate(WANTED, 1)}
    loaded = load_multitrack(write_folder(tmp_path_factory.mktemp("once") / "song", tracks))
    return loaded, analyze(loaded)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Path]:
    """The rule, written once, for each engine."""
    once = read_text(ONCE)
    write_rules(tmp_path / "once.rif", once)
    for target, ending in (("textbook", "toml"), ("asp", "lp")):
        outcome = converted(once, target)
        assert outcome.left_out == ()
        (tmp_path / f"once.{ending}").write_text(outcome.result)
    return {
        "semantic": tmp_path / "once.rif",
        "textbook": tmp_path / "once.toml",
        "asp": tmp_path / "once.lp",
    }


@pytest.mark.parametrize("engine", ["textbook", "semantic", "asp"])
def test_a_rule_written_once_has_one_effect_in_three_engines(
    engine: str, song: tuple[Multitrack, MultitrackFeatures], written: dict[str, Path]
) -> None:
    assert _pans(load_engine(engine, {"rules": str(written[engine])}).decide(*song)) == WANTED
    assert _pans(load_engine(engine).decide(*song)) != WANTED


def _pans(decisions: Iterable[Decision]) -> dict[str, float]:
    return {d.strip: round(d.pan, 3) for d in decisions if isinstance(d, SetPan) and d.strip in WANTED}
