"""Figures and pages of what experts have learnt draw and say what their tables hold."""

import dataclasses
import json

import matplotlib.colors as colours
import numpy as np
import pandas as pd
import pytest

from moebench import registry
from moebench.analysis.specialisation import tabulate
from moebench.analysis.specialisation.passage import tabulate_passage
from moebench.figures import base, experts
from moebench.report import passage as passage_page
from moebench.report import rst, specialisation
from tests.traced import S, trace, traces

VOCABULARY = ["<eod>", "a", "<", "\n", "7"]
NAMES = (
    "expert_load", "class_information", "token_classes", "routing_heatmap", "passage_by_expert",
    "coactivation",
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Tables of two routers, as a figure reads them: from CSV."""
    made = traces()
    others = [dataclasses.replace(each, router="top1") for each in made.traces]
    single = [trace(each.seed, each.state, each.layer, "hash") for each in made.traces]
    even = [dataclasses.replace(each, weight_M=np.full_like(each.weight_M, 0.5)) for each in single]
    made = dataclasses.replace(made, traces=[*made.traces, *others, *even])
    text = tabulate.read_text(made, VOCABULARY, 40, np.random.default_rng(0))
    found = {
        "specialisation": tabulate.tabulate_specialisation(made, text),
        "load": tabulate.tabulate_load(made),
        "shares": tabulate.tabulate_shares(made, text),
        "coactivation": tabulate.tabulate_coactivation(made),
        "passage": tabulate_passage(made, VOCABULARY, S),
    }
    folder = tmp_path_factory.mktemp("tables")
    for name, table in found.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: pd.read_csv(folder / f"{name}.csv") for name in found}


def figure(name):
    return registry.load(base.Figure, name)()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_and_its_caption_has_no_hole(name, tables):
    drawing = figure(name)
    base.render(drawing, tables)
    assert "nan" not in drawing.caption(tables)


def test_bars_are_as_high_as_what_was_asked_for_and_kept(tables):
    canvas = base.render(figure("expert_load"), tables)
    load = tables["load"]
    mine = load[(load["router"] == "top1") & (load["seed"] == 0) & (load["layer"] == 0)]
    trained = mine[mine["state"] == "trained"]
    heights = [bar.get_height() for bar in canvas.axes[2].patches]
    wanted = [*trained["requested_share"], *trained["kept_share"]]
    assert canvas.axes[2].get_title() == "top-1"
    assert heights == pytest.approx(wanted)


def test_every_trace_has_its_marker_and_untrained_ones_are_hollow(tables):
    canvas = base.render(figure("class_information"), tables)
    marks = [line for axes in canvas.axes for line in axes.lines if line.get_gid()]
    assert len(marks) == len(tables["specialisation"])
    for line in marks:
        is_hollow = colours.to_hex(line.get_markerfacecolor()) == "#ffffff"
        assert is_hollow == line.get_gid().startswith("untrained")


def test_a_passage_names_the_expert_of_every_token_beside_its_colour(tables):
    canvas = base.render(figure("passage_by_expert"), tables)
    mine = tables["passage"]
    mine = mine[(mine["router"] == "softk") & (mine["layer"] == 1) & (mine["state"] == "trained")]
    mine = mine[mine["is_first"]].sort_values("position")
    axes = canvas.axes[1]
    assert axes.get_title(loc="left") == "softmax top-k"
    faces = [colours.to_hex(patch.get_facecolor(), keep_alpha=False) for patch in axes.patches]
    assert faces == [experts.colour(expert).lower() for expert in mine["expert"]]
    numbers = [text.get_text().strip("()") for text in axes.texts[1::2]]
    assert numbers == [str(expert) for expert in mine["expert"]]


@pytest.mark.parametrize("name", ["passage_by_expert"])
def test_equal_weights_are_said_to_be_no_preference(name, tables):
    assert "Weights tie with hash" in figure(name).caption(tables)


def test_the_map_of_tokens_is_as_dark_as_their_weights(tables):
    canvas = base.render(figure("routing_heatmap"), tables)
    image = canvas.axes[0].images[0].get_array()
    assert np.asarray(image).sum(axis=0) == pytest.approx([1.0] * S)


def test_a_matrix_of_pairs_has_the_shares_of_its_table_and_no_diagonal(tables):
    canvas = base.render(figure("coactivation"), tables)
    pairs = tables["coactivation"]
    mine = pairs[(pairs["router"] == "softk") & (pairs["seed"] == 0) & (pairs["layer"] == 1)]
    wanted = mine[mine["state"] == "trained"].set_index(["expert", "other"])["share"]
    axes = next(a for a in canvas.axes if a.get_ylabel() == "trained\nexpert")
    drawn = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert np.isnan(np.diagonal(drawn)).all()
    for (expert, other), share in wanted.items():
        assert drawn[expert, other] == pytest.approx(share)
    assert {text.get_text() for text in axes.texts} == {f"{100 * each:.0f}" for each in wanted}


def test_without_pairs_the_matrix_says_so(tables):
    empty = {"coactivation": tables["coactivation"].iloc[:0]}
    assert "no token has two experts" in figure("coactivation").caption(empty)
    base.render(figure("coactivation"), empty)


def test_colours_of_experts_carry_black_text():
    for expert in range(8):
        red, green, blue = colours.to_rgb(experts.colour(expert))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.55


def test_a_token_without_ink_is_shown_by_a_sign():
    shown = [experts.glyph(json.dumps(text)) for text in (" ", "\n", "<eod>", "<", "null")]
    assert shown == ["\u00b7", "\u23ce", "\u25a1", "<", "null"]


def test_the_page_says_of_random_routers_that_training_changed_nothing(tables, tmp_path):
    parts = specialisation.page(tables)
    text = "\n".join(parts)
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    assert text.count("a tie with the untrained model") == 3
    assert "All experts of a token weigh the same with hash" in text
    assert "No router had equal scores" in text
    assert "nan" not in text


def test_experts_are_idle_that_few_ask_for_of_their_fair_share():
    load = pd.DataFrame(
        {"router": "top1", "state": "trained", "requested_share": [0.9, 0.005, 0.0001],
         "fair_share": 1 / 16}
    )  # fmt: skip
    assert specialisation.idle(load)[0].endswith("over layers and seeds: top-1 1.")
    assert specialisation.idle(load.head(2))[0].startswith("No trained expert")


def test_the_pair_that_is_named_shares_most_beyond_its_loads():
    pair = {"router": "softk", "seed": 0, "state": "trained", "layer": 0}
    table = pd.DataFrame(
        [
            pair | {"expert": 0, "other": 1, "share": 0.9, "by_load": 0.95},
            pair | {"expert": 2, "other": 3, "share": 0.6, "by_load": 0.2},
            pair | {"expert": 4, "other": 5, "share": 0.02, "by_load": 0.001},
        ]
    )
    [sentence] = specialisation.mates(table)
    assert "60% of the tokens of expert 2" in sentence
    assert specialisation.mates(table[table["share"] == 0.9]) == []


def test_the_coloured_passage_shows_every_token_of_every_layer_and_state(tables):
    page = passage_page.page(tables["passage"])
    assert page.count('<span class="token') == 3 * 2 * 2 * S
    assert page.count("<h3>") == 12
    assert "<small>" in page
    assert "&lt;<small>" in page
