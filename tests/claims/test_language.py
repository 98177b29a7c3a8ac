"""What may stand in a claim, and what each function says of a small table."""

import pandas as pd
import pytest

from moebench.analysis.claims import language, readings
from moebench.analysis.claims.evaluate import NUMBERS, PREDICATES, judge
from moebench.analysis.claims.language import ClaimError
from moebench.analysis.claims.smallest import Smallest, smallest_effect
from moebench.analysis.claims.view import Missing, View

TABLE = pd.DataFrame(
    {
        "router": ["a", "b", "c", "a", "b", "c"],
        "size": [1, 1, 1, 2, 2, 2],
        "time_s": [1.0, 2.0, 4.0, 3.0, 5.0, 4.0],
    }
)


def verdict(text, table=TABLE, smallest=0):
    """Of printed numbers."""
    read = readings.published([("toy", table)])
    view = View.whole(read, smallest_effect(smallest))
    return judge(language.predicate(text), view).verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all(time_s[router == 'a'] < time_s[router == 'b'], by=size)", "supported"),
        ("all(time_s[router == 'b'] < time_s[router == 'c'], by=size)", "refuted"),
        ("any(time_s[router == 'b'] < time_s[router == 'c'], by=size)", "supported"),
        ("any(time_s[router == 'b'] < time_s[router == 'a'], by=size)", "refuted"),
        ("all(increasing(time_s, along=size), by=router)", "tie"),
        ("increasing(time_s[router == 'a'], along=size)", "supported"),
        ("decreasing(time_s[router == 'a'], along=size)", "refuted"),
        ("decreasing(0 - time_s[router == 'a'], along=size)", "supported"),
        ("all(lowest(time_s, router == 'a'), by=size)", "supported"),
        ("all(highest(time_s, router == 'c'), by=size)", "refuted"),
        ("any(highest(time_s, router == 'c'), by=size)", "supported"),
        ("all(ordered(time_s, router, 'a', 'b', 'c'), by=size)", "refuted"),
        ("all(ordered(time_s, router, 'a', 'c', 'b'), by=size)", "refuted"),
        ("ordered(sum(time_s), router, 'a', 'b', 'c')", "supported"),
        ("abs(time_s[router == 'a' and size == 1] - 3) == 2", "supported"),
        ("min(time_s) == 1 and max(time_s) == 5", "supported"),
        ("sum(time_s) == 19 and mean(time_s[size == 2]) == 4", "supported"),
        ("slope(time_s[router == 'a'], along=size) > 0", "not testable"),
        ("not (min(time_s) > 1)", "tie"),
        ("not (min(time_s) > 2)", "supported"),
        ("1 < time_s[router == 'b' and size == 1] < 3", "supported"),
        ("3 < time_s[router == 'b' and size == 1] < 9", "refuted"),
        ("time_s > 0", "supported"),
        ("time_s > 1.5", "refuted"),
        ("min(time_s) > 2 or max(time_s) > 2", "supported"),
        ("min(time_s) != 1", "refuted"),
        ("time_s[router not in ('a', 'b')] >= 4", "supported"),
        ("time_s[not router == 'c' and size <= 1] * 2 / 4 - 0.25 > 0.2", "supported"),
        ("-time_s < 0", "supported"),
    ],
)
def test_a_predicate_has_the_verdict_that_the_table_gives(text, expected):
    if expected == "not testable":
        with pytest.raises(Missing, match="2 values of size, where a line takes three"):
            verdict(text)
    else:
        assert verdict(text) == expected


def test_a_line_has_its_slope_and_its_straightness():
    line = pd.DataFrame({"x": [1, 2, 4], "y": [3.0, 5.0, 9.0], "z": [1.0, 5.0, 1.0]})
    assert verdict("slope(y, along=x) == 2 and linearity(y, along=x) >= 0.999", line) == "supported"
    assert verdict("linearity(z, along=x) >= 0.99", line) == "refuted"


def test_a_null_holds_in_no_comparison():
    table = TABLE.assign(kind=["x", None, "y", None, None, "y"])
    for condition in ("kind != 'x'", "kind not in ('x',)", "kind == 'y'"):
        assert verdict(f"min(time_s[{condition}]) == 4", table) == "supported"


def test_every_function_of_the_language_can_be_called_and_no_other():
    given = {name: each.gives for name, each in language.SIGNATURES.items()}
    assert given == dict.fromkeys(PREDICATES, "predicate") | dict.fromkeys(NUMBERS, "number")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s <", "is no expression"),
        ("", "is no expression"),
        ("time_s", "is no predicate"),
        ("1 + 1", "is no predicate"),
        ("lowest(time_s, time_s)", "is no condition"),
        ("all(time_s < 3)", "must be all(predicate, by=column)"),
        ("increasing(time_s, by=size)", "must be increasing(number, along=column)"),
        ("ordered(time_s, router, 'a')", "must be ordered(number, column, 'text', 'text', ...)"),
        ("ordered(time_s, router, 'a', b)", "is no text in quotes"),
        ("min(time_s, time_s) < 1", "must be min(number)"),
        ("__import__('os').system('true') == 0", "gives no number here"),
        ("exec('1') < 1", "'exec' gives no number here"),
        ("time_s.__class__ == 1", "is no number"),
        ("(lambda: 1)() < 2", "gives no number"),
        ("[t for t in time_s] < 2", "is no number"),
        ("time_s ** 9 < 2", "is no number"),
        ("time_s < 'a'", "is no number"),
        ("time_s is 3", "no comparison of numbers"),
        ("time_s[0] < 2", "is no condition"),
        ("time_s[router == size] < 2", "is no condition"),
        ("all(time_s < 2, by='size')", "is no column"),
        ("time_s < True", "is no number"),
        ("abs(time_s)", "'abs' gives no predicate here"),
        ("all(time_s < 2, by=size) < 1", "'all' gives no number here"),
    ],
)
def test_what_is_no_claim_is_refused_in_one_line(text, message):
    with pytest.raises(ClaimError) as error:
        language.predicate(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s[router == 'a'] < time_s[router == 'b']", "2 rows against 2 others"),
        ("time_s[size == 1] < time_s[router == 'b']", "3 rows against 2 others"),
        ("increasing(time_s, along=size)", "has 3 rows where one is wanted"),
        ("router < 2", "holds no numbers"),
    ],
)
def test_rows_that_cannot_be_paired_are_an_error_and_not_a_verdict(text, message):
    with pytest.raises(ClaimError, match=message):
        verdict(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time_s[router == 'd'] < 1", "no row where router == 'd'"),
        ("all(time_s[router == 'd'] < 1, by=size)", "size=1: no row where router == 'd'"),
        ("lowest(time_s[router == 'a' and size == 1], router == 'a')", "no row where"),
        ("increasing(time_s[router == 'a' and size == 1], along=size)", "no row"),
        ("empty_s > 0", "empty_s is null in 5 of 6 rows"),
        ("time_s / (time_s - 1) > 0", "divides by 0"),
        ("ordered(max(time_s), router, 'a', 'd')", "d: no row"),
    ],
)
def test_nothing_to_test_on_is_no_verdict(text, reason):
    with pytest.raises(Missing, match=reason.replace("(", r"\(")):
        verdict(text, TABLE.assign(empty_s=[1.0, *[None] * 5]))


def test_a_group_without_what_is_compared_is_left_out_and_named():
    read = readings.published([("toy", TABLE[:-2])])
    text = "all(time_s[router == 'a'] < time_s[router == 'b'], by=size)"
    outcome = judge(language.predicate(text), View.whole(read, Smallest(0, False)))
    assert outcome.verdict == "supported"
    assert outcome.left_out == ("size=2: no row where router == 'b'",)


def test_the_comparison_that_decides_is_the_worst_of_all_and_the_best_of_any():
    def decided(text):
        read = readings.published([("toy", TABLE)])
        outcome = judge(language.predicate(text), View.whole(read, Smallest(0, False)))
        return outcome.decisive

    closest = decided("all(time_s[router == 'a'] < time_s[router == 'c'], by=size)")
    assert (closest.where, closest.effect) == ("size=2", 1.0)
    assert closest.text == "time_s[router == 'a'] = 3 < time_s[router == 'c'] = 4"
    best = decided("any(time_s[router == 'a'] < time_s[router == 'c'], by=size)")
    assert (best.where, best.effect) == ("size=1", 3.0)


@pytest.mark.parametrize(("given", "value", "is_share"), [("2 %", 0.02, True), (0.1, 0.1, False)])
def test_the_smallest_effect_is_a_share_or_a_number(given, value, is_share):
    assert smallest_effect(given) == Smallest(value, is_share)


@pytest.mark.parametrize("given", ["two", "-1 %", -1, "nan", "2 percent"])
def test_what_is_no_smallest_effect_is_refused(given):
    with pytest.raises(ValueError, match="is no smallest effect; write 0.02"):
        smallest_effect(given)
