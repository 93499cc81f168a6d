"""Rule files: reading, refusing, matching, order, override, lint."""

from __future__ import annotations

import itertools

import pytest

from tonmeister.engines.textbook.matching import Settings, Subject, apply_rules
from tonmeister.engines.textbook.rules import RuleSet, check_text
from tonmeister.errors import BadInputError


def rule(
    name: str, do: str, *, tags: str = "", when: str = "", stage: str = "dynamics", more: str = ""
) -> str:
    return (
        f'[[rule]]\nid = "{name}"\nsource = "test"\nevidence = "R"\nstage = "{stage}"\ncomment = "Because."\n'
        f"tags = {{{tags}}}\nwhen = [{when}]\ndo = [{do}]\n{more}\n"
    )


def ratio(value: float) -> str:
    return f'{{set = "compressor.ratio", to = "{value}"}}'


KICK = {
    "instrument": frozenset({"kick"}),
    "role": frozenset({"foreground"}),
    "section": frozenset({"single"}),
}


def outcome(
    *rules: str, stage: str = "dynamics", profile: str = "improved", **values: float | None
) -> Settings:
    lookup = {f"track.{name}": value for name, value in values.items()}
    subject = Subject("Kick", KICK, lambda name: lookup.get(name))
    return apply_rules(RuleSet.parse("".join(rules)), stage, subject, profile=profile)


def value_of(settings: Settings, parameter: str = "compressor.ratio") -> float:
    return settings.values[parameter].value


ANY, DRUMS, EXACT = "", 'instrument = ["drums"]', 'instrument = ["kick"]'
ROLE = 'instrument = ["drums"], role = ["foreground"]'


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [(ANY, DRUMS), (DRUMS, EXACT), (EXACT, ROLE), (ANY, ROLE), (DRUMS, 'role = ["foreground"]')],
)
def test_the_more_particular_rule_wins_wherever_it_stands(weaker: str, stronger: str) -> None:
    if stronger == 'role = ["foreground"]':  # one list each; an instrument has depth
        weaker, stronger = stronger, weaker
    general, particular = rule("general", ratio(2), tags=weaker), rule("particular", ratio(5), tags=stronger)
    for order in ((general, particular), (particular, general)):
        settings = outcome(*order)
        assert value_of(settings) == 5
        assert [e.text for e in settings.log if e.state == "overridden"] == [
            "compressor.ratio: 2 of general overridden by particular"
        ]


def test_equal_rank_follows_the_file() -> None:
    assert value_of(outcome(rule("a", ratio(2), tags=EXACT), rule("b", ratio(3), tags=EXACT))) == 3
    assert value_of(outcome(rule("b", ratio(3), tags=EXACT), rule("a", ratio(2), tags=EXACT))) == 2


def test_order_of_rules_about_different_parameters_changes_nothing() -> None:
    actions = {
        "a": ratio(2),
        "b": '{set = "compressor.knee_db", to = "3"}',
        "c": '{set = "compressor.attack_ms", to = "7"}',
    }
    found = [
        {name: s.value for name, s in outcome(*(rule(n, actions[n]) for n in order)).values.items()}
        for order in itertools.permutations(actions)
    ]
    assert all(values == found[0] for values in found)


def test_offsets_add_up_and_settings_do_not() -> None:
    step = '{offset = "gain_db", by = "%s"}'
    settings = outcome(
        rule("a", step % "default", stage="balance"),
        rule("b", step % "-little", stage="balance"),
        rule("c", step % "lot", stage="balance"),
        stage="balance",
    )
    assert [o.level_db for o in settings.offsets] == [3.0, -1.5, 6.0]


@pytest.mark.parametrize(
    ("crest", "state", "fires"), [(12.0, "fired", True), (9.0, "not needed", False), (None, "unknown", False)]
)
def test_tests_are_three_valued(crest: float | None, state: str, fires: bool) -> None:
    settings = outcome(rule("a", ratio(2), when='"track.crest_db > 10"'), crest_db=crest)
    assert bool(settings.values) is fires
    assert [e.state for e in settings.log] == [state]
    if crest is None:
        assert "track.crest_db is not known" in settings.log[0].text


def test_a_value_that_needs_what_is_missing_is_not_set() -> None:
    threshold = '{set = "compressor.threshold_db", to = "track.peak_db - 12.5"}'
    assert not outcome(rule("a", threshold)).values
    assert value_of(outcome(rule("a", threshold), peak_db=-3.0), "compressor.threshold_db") == -15.5


@pytest.mark.parametrize(
    ("tags", "fires"),
    [
        ("", True),
        ('instrument = ["snare", "kick"]', True),
        ('instrument = ["snare"]', False),
        ('instrument = ["percussion"]', False),
        ('role = ["lead"]', False),
        ('genre = ["jazz"]', False),
        ('instrument = ["drums"], role = ["lead", "foreground"]', True),
        ('processor = ["compressor"]', True),
    ],
)
def test_every_named_list_must_be_met(tags: str, fires: bool) -> None:
    assert bool(outcome(rule("a", ratio(2), tags=tags)).values) is fires


def test_profiles_and_disputed_rules_stay_out() -> None:
    only = rule("a", ratio(2), more='profiles = ["faithful"]')
    assert not outcome(only).values
    assert outcome(only, profile="faithful").values
    assert not outcome(rule("a", ratio(2), more="disputed = true")).fired


def test_values_are_clipped_to_their_range_and_logged() -> None:
    settings = outcome(rule("a", ratio(200)))
    assert value_of(settings) == 20
    assert [e.state for e in settings.log] == ["fired", "clipped"]


@pytest.mark.parametrize(("definition", "expected"), [("tau", 22.0), ("63", 22.0), ("10-90", 10.0)])
def test_times_come_to_one_definition(definition: str, expected: float) -> None:
    settings = outcome(rule("a", f'{{set = "compressor.attack_ms", to = "22", time = "{definition}"}}'))
    assert value_of(settings, "compressor.attack_ms") == pytest.approx(expected)


GOOD = rule("a", ratio(2))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('source = "test"', 'source = ""'), "source is missing"),
        (GOOD.replace('evidence = "R"', 'evidence = "X"'), "evidence='X'"),
        (GOOD.replace('stage = "dynamics"', 'stage = "dynamic"'), "did you mean 'dynamics'"),
        (GOOD.replace('comment = "Because."', ""), "comment is missing"),
        (GOOD + GOOD, "used 2 times"),
        (rule("a", ratio(2), tags='instrument = ["kik"]'), "instrument='kik'"),
        (rule("a", ratio(2), tags='instruments = ["kick"]'), "tag list='instruments'"),
        (rule("a", ratio(2), when='"track.crest_db"'), "not a test"),
        (rule("a", ratio(2), when='"track.crest_db > track.centroid_hz"'), "one unit"),
        (rule("a", '{set = "compressor.ratio", to = "track.peak_db"}'), "cannot be set"),
        (rule("a", '{set = "compressor.rate", to = "2"}'), "parameter='compressor.rate'"),
        (rule("a", '{set = "compressor.ratio"}'), "needs a value"),
        (rule("a", '{set = "compressor.ratio", to = "2", speed = 3}'), "key of set='speed'"),
        (rule("a", '{push = "x"}'), "exactly one verb"),
        (rule("a", '{word = "boomy"}'), "word='boomy'"),
        (rule("a", '{offset = "gain_db", by = "loads"}'), "amount='loads'"),
        (rule("a", '{bypass = "phaser"}'), "processor='phaser'"),
        (rule("a", '{set = "equalizer.section_db", to = "2"}'), "needs shape"),
        (rule("a", ratio(2), more='use = "check"'), "may be shipped"),
        (rule("a", ratio(2), more='colour = "red"'), "key='colour'"),
        ("[meta]\nschema = 2\n", "schema=2"),
        ("[[rule]\n", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_rule_file_names_file_and_rule(text: str, says: str) -> None:
    with pytest.raises(BadInputError) as caught:
        RuleSet.parse(text, origin="mine.toml")
    assert says in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_check_reports_every_error_at_once() -> None:
    bad = rule("a", '{push = "x"}') + rule("b", ratio(2), tags='role = ["star"]')
    assert [(f.severity, f.rule) for f in check_text(bad)] == [("error", "a"), ("error", "b")]


def test_check_finds_a_rule_that_is_never_heard() -> None:
    shadowed = rule("a", ratio(2), tags=EXACT) + rule("b", ratio(3), tags=EXACT)
    heard = rule("a", ratio(2), tags=DRUMS) + rule("b", ratio(3), tags=EXACT)
    guarded = rule("a", ratio(2), tags=EXACT) + rule("b", ratio(3), tags=EXACT, when='"track.crest_db > 3"')
    found = [
        [f.rule for f in RuleSet.parse(t).check() if "never heard" in f.text]
        for t in (shadowed, heard, guarded)
    ]
    assert found == [["a"], [], []]


def test_check_names_parameters_nobody_sets() -> None:
    texts = [f.text for f in RuleSet.parse(GOOD).check()]
    assert "no rule sets compressor.knee_db" in texts
    assert "no rule sets compressor.ratio" not in texts


def test_rules_can_be_left_out_by_id_grade_or_source() -> None:
    rules = RuleSet.parse(rule("a", ratio(2)) + rule("b", ratio(3)).replace('"test"', '"A book (1999)"'))
    assert [r.id for r in rules.without(["a"]).rules] == ["b"]
    assert [r.id for r in rules.without(["book"]).rules] == ["a"]
    assert not rules.without(["R"]).rules
    assert len(rules.without([""]).rules) == 2
