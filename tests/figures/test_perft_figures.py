"""Figures and page of the PERFT room, read back and compared with their tables."""

import matplotlib.colors as colours
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from moebench import published_perft, registry
from moebench import tables as written
from moebench.analysis.perft import tabulate
from moebench.analysis.perft.contrasts import contrasts
from moebench.analysis.perft.published import redraw, statements
from moebench.analysis.perft.tabulate import curves, summarise
from moebench.figures import adapters, base, style
from moebench.figures.perft_curves import PerftCurves
from moebench.figures.perft_frontier import PerftFrontier, twins
from moebench.figures.perft_published import PerftPublished
from moebench.records import Row
from moebench.report import perft
from tests.analysis.perft.synthetic import ARMS, BASE_NATS, SEEDS, rows
from tests.specs import ROOT

pytestmark = pytest.mark.slow

FIGURES = (PerftFrontier, PerftCurves, PerftPublished)


def make_tables(found, folder):
    """Tables as a figure reads them: from CSV."""
    published = published_perft.read(ROOT / "resources" / "published" / "perft.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabulate, "NUM_DRAWS", 200)
        summary = summarise(found, np.random.default_rng(0))
    made = {
        "summary": summary,
        "curves": curves(found),
        "contrasts": contrasts(found),
        "published": redraw(published),
        "statements": statements(published),
    }
    for name, table in made.items():
        written.write(table, folder / f"{name}.csv")
    return {name: pd.read_csv(folder / f"{name}.csv") for name in made}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def tables(folder):
    return make_tables(rows(), folder)


def drawn(axes, prefix):
    return {line.get_gid(): line for line in axes.lines if str(line.get_gid()).startswith(prefix)}


@pytest.mark.slow
def test_every_adapter_stands_where_its_table_says_in_both_panels(tables):
    canvas = base.render(PerftFrontier(), tables)
    for axes, of in zip(
        canvas.axes,
        (lambda each: each.accuracy, lambda each: 1 / each.answer_ppl),
        strict=True,
    ):
        markers = drawn(axes, "arm ")
        assert len(markers) == len(ARMS)
        for each in tables["summary"].itertuples():
            line = markers[f"arm {each.arm}"]
            assert line.get_xdata()[0] == each.num_activated_trainable_params
            assert line.get_ydata()[0] == pytest.approx(of(each))


def test_only_the_legacy_arm_is_hollow_and_size_follows_rank(tables):
    markers = drawn(base.render(PerftFrontier(), tables).axes[0], "arm ")
    hollow = {
        name
        for name, line in markers.items()
        if colours.to_hex(line.get_markerfacecolor()) == "#ffffff"
    }
    assert hollow == {"arm routed_rank=4_num_adapters=4_top_k=1_legacy_weighting=True"}
    small, large = (markers[f"arm single_rank={rank}"].get_markersize() for rank in (4, 16))
    assert small < large


def test_a_smaller_share_of_the_adapters_is_paler(tables):
    shades = {
        (each.top_k, each.num_adapters): sum(adapters.shade(each))
        for each in tables["published"].query("rank == 8 and variant == 'routed'").itertuples()
    }
    assert shades[1, 8] > shades[1, 4] > shades[2, 4]


@pytest.mark.slow
def test_the_staircase_has_the_members_as_corners_and_never_falls(tables):
    for axes, name in zip(
        base.render(PerftFrontier(), tables).axes, ("accuracy", "ppl"), strict=True
    ):
        (stairs,) = drawn(axes, "frontier").values()
        corners = set(zip(stairs.get_xdata(), stairs.get_ydata(), strict=True))
        members = tables["summary"][tables["summary"][f"on_frontier_{name}"]]
        scores = members["accuracy"] if name == "accuracy" else 1 / members["answer_ppl"]
        sizes = members["num_activated_trainable_params"]
        assert corners >= set(zip(sizes, scores, strict=True))
        assert (np.diff(stairs.get_ydata()) >= 0).all()
        assert (np.diff(stairs.get_xdata()) >= 0).all()


def test_the_legacy_arm_is_told_beside_its_twin(tables):
    [(right, wrong)] = twins(tables["summary"])
    assert wrong.arm == f"{right.arm}_legacy_weighting=True"
    caption = PerftFrontier().caption(tables)
    assert f"{wrong.answer_ppl:.3f} in place of {right.answer_ppl:.3f}" in caption


def test_curves_are_means_over_seeds_with_the_base_as_a_level(tables):
    canvas = base.render(PerftCurves(), tables)
    columns = len(set(tables["summary"]["variant"]))
    held_out = canvas.axes[columns : 2 * columns]
    found = {name: line for axes in held_out for name, line in drawn(axes, "curve ").items()}
    assert len(found) == len(ARMS)
    table = tables["curves"]
    chosen = table[(table["arm"] == "embedded_rank=4") & (table["quantity"] == "answer_nll_nats")]
    line = found["curve embedded_rank=4"]
    assert line.get_ydata().tolist() == pytest.approx(
        chosen.groupby("step")["value"].mean().tolist()
    )
    (level,) = drawn(held_out[0], "base").values()
    assert level.get_ydata()[0] == tables["summary"]["base_answer_nll_nats"].iloc[0]


def test_the_published_figure_has_every_run_on_both_axes_and_every_statement(tables):
    canvas = base.render(PerftPublished(), tables)
    for axes, axis in zip(
        canvas.axes, ("published_efficiency", "num_activated_lora_params"), strict=True
    ):
        runs = drawn(axes, "run ")
        assert len(runs) == 22
        xs = sorted(line.get_xdata()[0] for line in runs.values())
        assert xs == sorted(tables["published"][axis])
    written = " ".join(text.get_text() for text in canvas.texts)
    for statement in set(tables["statements"]["statement"]):
        assert statement in written
    assert "fails (1 of 3)" in written


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__name__)
def test_a_caption_is_one_paragraph_without_holes(figure, tables):
    caption = figure().caption(tables)
    assert "\n" not in caption
    assert "nan" not in caption.lower()


@pytest.mark.slow
def test_one_seed_is_drawn_without_intervals_and_says_so(tmp_path):
    tables = make_tables(rows(seeds=SEEDS[:1]), tmp_path)
    assert "One seed, so no intervals" in PerftFrontier().caption(tables)
    base.render(PerftFrontier(), tables)
    base.render(PerftCurves(), tables)


def test_variants_differ_in_colour_marker_and_grey():
    looks = [adapters.look(name) for name in adapters.LOOKS]
    assert len({each.colour for each in looks}) == len({each.marker for each in looks}) == 5
    greys = sorted(style.lightness(each.colour) for each in looks)
    assert min(np.diff(greys)) > 9


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in registry.names("figures") if "perft" in name])
def test_equal_tables_give_equal_bytes_of_about_900_browser_pixels(tables, folder, tmp_path, name):
    drawings = []
    for place in ("first", "second"):
        files = {
            kind: tmp_path / place / f"{name}.{kind}" for kind in ("svg", "png", "caption", "json")
        }
        wanted = registry.constant("figures", name, "columns")
        paths = {table: folder / f"{table}.csv" for table in wanted}
        base.publish(name, paths, files, rule="draw_figure", params={})
        drawings.append([files[kind].read_bytes() for kind in ("svg", "png", "caption")])
    assert drawings[0] == drawings[1]
    with Image.open(tmp_path / "first" / f"{name}.png") as image:
        assert image.width >= 1800


QUESTIONS = {
    "num_train_questions": 2700,
    "num_held_out_questions": 300,
    "num_train_too_long": 3,
    "num_held_out_too_long": 1,
    "cutoff": 192,
}


def page(tables, base_rows=()):
    return "\n".join(
        perft.page(
            tables["summary"], tables["contrasts"], tables["statements"], QUESTIONS, base_rows
        )
    )


def test_the_page_tells_ties_differences_and_what_the_fault_costs(tables):
    text = page(tables)
    assert "R 1/4 r4 beats S r4 by" in text
    assert "which the seeds do not tell apart: R 1/4 r4 and R 1/4 r4 frozen" in text
    assert "in place of" in text
    assert "4 questions are longer than 192 tokens" in text
    below = (tables["summary"]["answer_nll_nats_high"] < BASE_NATS).sum()
    assert 0 < below < 6
    assert f"{below} of 6 adapters are below" in text


def test_better_is_lower_for_a_loss_and_higher_for_accuracy(tables):
    question = "Does a larger rank help?"
    loss, accuracy = [line for line in page(tables).splitlines() if question in line]
    assert "By loss on answers" in loss
    assert "By accuracy" in accuracy
    assert "S r16 beats S r4" in loss
    assert "S r16 beats S r4" in accuracy


def test_the_page_names_the_base_that_was_pretrained_here(tables):
    row = Row(kind="final", spec={}, setting={}, values={"val_ppl": 5.0, "bigram_val_ppl": 12.0})
    assert "perplexity 5.000 on held-out text, where a bigram model has 12.000" in page(
        tables, [row]
    )
