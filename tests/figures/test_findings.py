"""Sentences of the report, each against the table it was read from."""

import re

import pandas as pd
import pytest
import synthetic

from moebench.records import Row
from moebench.report import comparisons, findings, gains, rst, settings


@pytest.fixture
def text():
    tables = {
        "summary": synthetic.summary(),
        "contrasts": synthetic.contrasts(),
        "curves": synthetic.curves(),
        "hypervolume": synthetic.hypervolume(),
        "speed_up": synthetic.speed_up(),
        "comparison": synthetic.comparison(),
    }
    parts = findings.page("unified", tables, synthetic.TOKENS)
    return "\n".join(parts)


def test_the_best_arm_without_later_tokens_is_named_although_one_is_lower_with_them(text):
    assert "Lowest perplexity of the arms: softmax top-k CF 1.25, perplexity 5.977" in text
    assert "expert choice CF 1.25 looks at later tokens, and with them in view" in text
    assert "has perplexity 5.830, at which no text can be generated" in text
    assert "What counts here is perplexity 7.121" in text


def test_who_looks_at_later_tokens_unsaid_is_named_and_ranked_nowhere():
    table = synthetic.summary()
    table.loc[table["router"] == "softk", "certified"] = "non-causal"
    sentences = findings.quality(table, synthetic.contrasts())
    assert "softmax" not in sentences[0]
    assert "softmax top-k CF 1.25 is ranked nowhere" in " ".join(sentences)


def test_a_router_that_repeats_a_published_mistake_is_ranked_nowhere():
    table, pairs = synthetic.summary(), synthetic.contrasts()
    renamed = {"softk": "legacy_softk"}
    table["router"] = table["router"].replace(renamed)
    for side in "ab":
        pairs[f"router_{side}"] = pairs[f"router_{side}"].replace(renamed)
    sentences = findings.quality(table, pairs)
    assert "softmax" not in sentences[0]
    assert "repeats a published mistake on purpose and is ranked nowhere" in " ".join(sentences)
    assert "Of 8 routed arms" in comparisons.against_dense(table, pairs)[0]


def test_another_best_arm_gives_another_sentence():
    table = synthetic.summary()
    table.loc[table["router"] == "hash", "val_nll_causal_nats"] = 1.5
    sentences = findings.quality(table, synthetic.contrasts())
    assert sentences[0].startswith("Lowest perplexity of the arms: hash CF 1.0")


def test_a_tie_is_called_a_tie_and_a_difference_is_not(text):
    assert "softmax top-k CF 1.25 ties with dense (equal parameters)" in text
    better = re.search(r"softmax top-k CF 1.25 is better than (.*), beyond", text)[1]
    assert better == (
        "top-1 CF 1.25, equal-weight top-k CF 1.25, hash CF 1.25, expert choice CF 1.25 and "
        "dense (equal FLOPs)"
    )


def test_a_tie_names_what_would_have_been_found_and_an_equivalence_its_margin(text):
    assert (
        "Perplexities that differ by 2.0% would have been told apart in four of five"
        in " ".join(text.replace("four experiments of five", "four of five").split())
    )
    table = synthetic.contrasts()
    table["conclusion"] = table["conclusion"].replace("tie", "equivalent")
    sentences = " ".join(comparisons.verdicts(("softk", 1.25), synthetic.summary(), table))
    assert "is equivalent to dense (equal parameters)" in sentences
    assert "lies within 0.5% of the perplexity" in sentences
    assert " ties " not in sentences


def test_the_smaller_of_two_shares_comes_first():
    table = synthetic.contrasts().assign(conclusion="tie")
    sizes = [0.05 if number % 2 else 0.15 for number in range(len(table))]
    sentences = comparisons.verdicts(
        ("softk", 1.25), synthetic.summary(), table.assign(minimum_detectable_nats=sizes)
    )
    assert "differ by 5.1% to 16.2% would" in " ".join(sentences)


def test_verdicts_read_the_same_from_both_sides():
    table = synthetic.contrasts()
    assert comparisons.conclusions(("softk", 1.25), table)[("hash", 1.25)][0] == "better"
    assert comparisons.conclusions(("hash", 1.25), table)[("softk", 1.25)][0] == "worse"


def test_the_best_router_is_named_beside_a_better_dense_network():
    table = synthetic.summary()
    assert sum("Lowest" in each for each in findings.quality(table, synthetic.contrasts())) == 1
    table.loc[table["router"] == "dense_total", "val_nll_causal_nats"] = 1.5
    sentences = findings.quality(table, synthetic.contrasts())
    lowest = [each for each in sentences if each.startswith("Lowest")]
    assert "of the arms: dense (equal parameters)" in lowest[0]
    assert "routers among them: softmax top-k CF 1.25" in lowest[1]


def test_one_seed_is_said_to_test_nothing():
    summary, contrasts = synthetic.summary(), synthetic.contrasts()
    contrasts[["verdict", "conclusion"]] = None
    summary[["val_ppl_causal_low", "val_ppl_causal_high", "p_on_frontier"]] = float("nan")
    sentences = " ".join(findings.quality(summary, contrasts))
    assert "was not tested against" in sentences
    assert "no interval: too few seeds" in sentences
    assert " ties " not in sentences
    assert len(findings.frontier(summary)) == 1


def test_dense_networks_are_compared_with_every_ranked_router(text):
    contrasts = synthetic.contrasts()
    pairs = comparisons.conclusions(("dense", None), contrasts)
    routed = {arm: told[0] for arm, told in pairs.items() if arm[1] is not None}
    better = sum(told == "worse" for told in routed.values())
    assert len(routed) == 10
    worse = sum(told == "better" for told in routed.values())
    ties = 10 - better - worse
    assert (
        f"Of 10 routed arms, {better} are better than dense (equal FLOPs), {ties} tie with it and "
        f"{worse} are worse." in text
    )


def test_open_memberships_of_the_frontier_carry_their_probability(text):
    assert "leaves membership open (its probability): equal-weight top-k CF 1.0 (0.61)" in text
    assert "dense (equal FLOPs) (1.00)" not in text


def test_the_bigram_model_is_beaten_by_as_many_arms_as_the_table_says(text):
    below = (synthetic.summary()["val_ppl_causal"] < 6.5).sum()
    assert f"perplexity 6.500 on the same held-out text; {below} of 12 arms are below." in text
    assert "do not compare" not in text


def test_arms_that_no_more_than_a_bigram_learnt_are_not_to_be_compared():
    [said] = findings.against_bigram(synthetic.summary(), {"bigram_val_ppl": 1.0})
    assert "0 of 12 arms are below. They have not learnt more than pairs of tokens" in said
    assert said.endswith("do not compare routers by this experiment.")


def test_one_router_alone_is_not_asked_which_is_worth_its_cost():
    tokens = {"num_train_tokens": 1, "num_validation_tokens": 1, "tokenizer": "char"}
    tokens["vocab_size"] = 2
    every = synthetic.summary()
    one = every[every["router"] == "softk"]
    assert findings.asked(every, tokens)[0].startswith("Which router is worth its cost? Compared:")
    assert findings.asked(one, tokens)[0].startswith("Compared: softmax top-k, at capacity")


def test_the_published_order_stands_beside_the_measured_one(text):
    assert "published equal-weight top-k, softmax top-k; here softmax top-k, equal-weight" in text
    assert "compatible with 1 of 2 published ranks" in text


def test_how_far_the_loss_still_fell_is_told(text):
    curves = synthetic.curves()
    losses = curves[curves["quantity"] == "val_nll_nats"]
    fall = [losses.loc[losses["step"] == step, "value"].mean() for step in (225, 300)]
    told = f"Between steps 225 and 300 the held-out loss moved by {fall[1] - fall[0]:+.3f} nats"
    assert fall[1] < fall[0] - 0.005
    assert told in text
    assert "longer training would lower it further" in " ".join(text.split())
    settled = curves.assign(value=2.0)
    assert "would change little" in findings.at_the_end(settled)[0]
    assert findings.at_the_end(curves[curves["step"] == 300]) == []


def test_runs_of_unlike_lengths_are_each_compared_with_themselves():
    long, short = synthetic.curves(), synthetic.curves()
    short = short[short["step"] <= 150].assign(num_steps=150)
    short.loc[short["quantity"] == "val_nll_nats", "value"] = 9.0
    curves = pd.concat([long.assign(num_steps=300), short], ignore_index=True)
    fall = [long.loc[long["quantity"].eq("val_nll_nats") & long["step"].eq(step), "value"].mean()
            for step in (225, 300)]  # fmt: skip
    [sentence] = findings.at_the_end(curves)
    assert f"moved by {(fall[1] - fall[0]) / 2:+.3f} nats" in sentence
    assert "last two scorings of a run" in sentence


def test_drops_are_those_of_the_table(text):
    table = synthetic.summary()
    worst = table.loc[table["drop_rate"].idxmax()]
    assert f"Most assignments dropped: hash CF 1.0, {worst['drop_rate']:.1%}" in text


def test_the_table_of_arms_has_a_row_per_arm_and_a_dash_for_nothing():
    text = findings.arms_table(synthetic.summary())
    assert text.count("   * -") == 1 + 12
    lowest = synthetic.summary()["val_bits_per_byte_causal"].min()
    assert f"{lowest:.3f}" in text
    with_later_tokens = synthetic.summary()["val_bits_per_byte"].min()
    assert f"{with_later_tokens:.3f}" not in text
    assert "0.0%" in text
    assert "nan" not in text


def test_settings_are_read_from_the_rows_and_differences_are_listed():
    rows = [
        Row(
            kind="final",
            spec={"experiment": name, "seed": seed, "model": {"dim": 64}, "router_options": {}},
            setting={"device": "cpu", "time": f"{seed} o'clock"},
            values={},
        )
        for name in ("unified", "other")
        for seed in range(3)
    ]
    assert settings.distinct([row.spec for row in rows]) == [
        ("experiment", "unified, other"),
        ("seed", "0, 1, 2"),
        ("model.dim", "64"),
        ("router_options", "{}"),
    ]
    page = "\n".join(settings.page(rows))
    assert "device" in page
    assert "o'clock" not in page
    assert page.index("Settings of unified") < page.index("Settings of other")


def test_many_different_values_are_counted():
    assert settings.distinct([{"seed": n} for n in range(9)]) == [("seed", "9 different values")]


def test_a_page_shows_special_characters_as_they_stand(tmp_path):
    parts = [rst.heading("a_b*", 1), rst.bullets(["`x` |y| \\z"]), rst.table(["k_"], [["*"]])]
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert all(each in html for each in ("a_b*", "`x` |y| \\z", "k_"))


def test_a_mistake_in_a_page_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(Exception, match="Inline emphasis start-string without end-string"):
        rst.write(["an *open emphasis"], tmp_path / "page.rst", tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_what_routers_add_to_dense_networks_has_its_interval_and_its_verdict(text):
    assert "open up 1.300 (1.200 to 1.400) times the area" in text
    assert "perplexity 10.000 at 6,950 tokens/s" in text
    assert "The 8 routed arms add 0.200 (0.050 to 0.400) of that" in text
    assert "which is more than nothing" in text
    assert "surely be lost: softmax top-k CF 1.25 (0.150 (0.010 to 0.300))." in text
    table = synthetic.hypervolume().assign(verdict="tie")
    assert "not told from nothing" in " ".join(gains.volume(table))
    assert "surely" not in " ".join(gains.volume(table))
    assert "untested" in " ".join(gains.volume(table.assign(verdict=None)))


def test_without_a_dense_network_there_is_no_volume_and_it_is_said():
    (sentence,) = gains.volume(synthetic.hypervolume().iloc[:0])
    assert sentence.startswith("No hypervolume is given")


def test_speed_ups_are_counted_by_outcome_and_bounds_are_no_numbers(text):
    assert "Matched by FLOPs, counted in tokens, of 5 routed arms" in text
    assert "2 certainly came down to it sooner, 1 neither sooner nor later" in text
    assert "The largest speed-up is that of softmax top-k CF 1.25, 1.400 (1.300 to 1.500)." in text
    table = synthetic.speed_up()
    missed = table[table["outcome"] == "not reached"]
    sentences = gains.speed_up(missed)
    assert len(sentences) == 2
    assert all("No speed-up is more than 0.900." in each for each in sentences)
    unbounded = pd.concat([missed, missed.assign(speed_up_at_most=float("nan"))])
    assert all("No speed-up is more" not in each for each in gains.speed_up(unbounded))
