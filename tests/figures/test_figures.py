"""What a figure draws, read back from the drawing and compared with its table."""

import matplotlib.colors as colours
import matplotlib.transforms as transforms
import numpy as np
import pytest
import synthetic
from matplotlib.text import Text

from moebench.figures import base, overlay, smoothing, style, surfaces
from moebench.figures.frontier import Frontier, measured, vertices
from moebench.figures.gate_balance import GateBalance
from moebench.figures.load_vs_ppl import LoadVsPpl
from moebench.figures.overlay import Overlay


def lines(axes, prefix):
    return {line.get_gid(): line for line in axes.lines if str(line.get_gid()).startswith(prefix)}


def is_hollow(line):
    return colours.to_hex(line.get_markerfacecolor()) == "#ffffff"


def test_frontier_draws_every_cell_once_and_scores_with_the_future_in_view_beside_hollow(tables):
    canvas = base.render(Frontier(), tables)
    cells = lines(canvas.axes[0], "cell")
    assert len(cells) == len(tables["summary"])
    assert not any(is_hollow(line) for line in cells.values())
    beside = lines(canvas.axes[0], "parallel")
    assert set(beside) == {"parallel expert choice CF 1.0", "parallel expert choice CF 1.25"}
    assert all(is_hollow(line) for line in beside.values())
    for name, line in beside.items():  # where both scores are equal, the hollow one is seen around
        full = cells[name.replace("parallel", "cell")]
        assert line.get_markersize() >= full.get_markersize() + 4
    summary = tables["summary"].set_index(["router", "capacity_factor"])
    for factor in (1.0, 1.25):
        [ppl] = beside[f"parallel expert choice CF {factor}"].get_ydata()
        assert ppl == pytest.approx(summary.loc[("expert_choice", factor), "val_ppl"])
    legend = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert "expert choice, later tokens in view" in legend


def test_frontier_markers_stand_where_the_table_says(tables):
    cells = lines(base.render(Frontier(), tables).axes[0], "cell")
    for row in tables["summary"].itertuples():
        line = cells[f"cell {style.cell(row.router, row.capacity_factor)}"]
        assert line.get_xdata()[0] == pytest.approx(row.train_tokens_per_s)
        assert np.log(line.get_ydata()[0]) == pytest.approx(row.val_nll_causal_nats)


def test_frontier_staircase_keeps_out_who_looks_at_later_tokens_unsaid(tables):
    caught = tables["summary"]["router"] == "expert_choice"
    tables["summary"].loc[caught, "on_frontier"] = True
    tables["summary"].loc[caught, "causality"] = "token-local"  # and certified non-causal
    cells = measured(tables["summary"])
    canvas = base.render(Frontier(), tables)
    (stairs,) = lines(canvas.axes[0], "frontier").values()
    corners = set(zip(stairs.get_xdata(), stairs.get_ydata(), strict=True))
    assert len(vertices(cells)) == 5
    assert corners >= set(vertices(cells))
    members, _, caught = Frontier().caption(tables).partition("Kept off")
    assert "expert choice CF" not in members
    assert "expert choice CF 1.0 and expert choice CF 1.25" in caught
    assert (np.diff(stairs.get_xdata()) >= 0).all()


def test_frontier_rings_and_prints_the_open_memberships_only(tables):
    axes = base.render(Frontier(), tables).axes[0]
    rings = [line for line in axes.lines if line.get_gid() == "unsure"]
    p = tables["summary"]["p_on_frontier"]
    assert len(rings) == ((p > 0.05) & (p < 0.95)).sum() == 5
    written = [text.get_text() for text in axes.texts]
    assert "softmax top-k CF 1.25 (p=0.78)" in written
    assert "dense (equal FLOPs)" in written


def test_frontier_names_overlap_neither_each_other_nor_markers(tables):
    axes = base.render(Frontier(), tables).axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(tables["summary"])
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_frontier_names_cross_no_interval_where_there_is_room(tables):
    axes = base.render(Frontier(), tables).axes[0]
    through = [
        transforms.Bbox(axes.transData.transform(np.column_stack(line.get_data())))
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    assert len(through) == 2 * len(tables["summary"])
    for text in axes.texts:
        text.get_window_extent()  # finds the place
        box = Text.get_window_extent(text)  # without the line to its point
        assert not any(box.overlaps(line) for line in through), text


def test_frontier_leaves_out_and_names_what_was_not_measured(tables):
    tables["summary"].loc[0, "train_tokens_per_s"] = None
    cells = lines(base.render(Frontier(), tables).axes[0], "cell")
    assert "cell top-1 CF 1.0" not in cells
    assert "Not drawn, for want of a measure: top-1 CF 1.0." in Frontier().caption(tables)


@pytest.mark.slow
def test_overlay_has_a_column_per_capacity_factor_and_a_line_per_router(tables):
    canvas = base.render(Overlay(), tables)
    assert len(canvas.axes) == 6
    for axes in canvas.axes:
        assert len(lines(axes, "curve")) == len(synthetic.ARMS)
        assert len(axes.collections) == len(synthetic.ARMS)


def test_overlay_bands_reach_from_the_lowest_to_the_highest_seed(tables):
    curves = tables["curves"]
    band = smoothing.bands(curves, "val_ppl", 1.25)
    here = band[(band["router"] == "softk") & (band["step"] == 300)].iloc[0]
    seeds = curves[
        (curves["router"] == "softk")
        & (curves["capacity_factor"] == 1.25)
        & (curves["step"] == 300)
        & (curves["quantity"] == "val_ppl")
    ]["value"]
    assert len(seeds) == 3
    assert (here["min"], here["max"]) == (seeds.min(), seeds.max())
    assert here["mean"] == pytest.approx(seeds.mean())


def test_overlay_smooths_the_training_loss_within_a_run_and_nothing_else(tables):
    curves = tables["curves"]
    smooth = overlay.smoothed(curves)
    held_out = curves["quantity"] != "train_loss_nats"
    assert smooth.loc[held_out, "value"].equals(curves.loc[held_out, "value"])
    run = (curves["router"] == "softk") & (curves["capacity_factor"] == 1.0) & (curves["seed"] == 1)
    run &= ~held_out
    steps = curves[run]["step"].between(95, 105)
    assert overlay.smoothing_steps(curves) == 11
    expected = curves[run][steps]["value"].mean()
    assert smooth[run][curves[run]["step"] == 100]["value"].item() == pytest.approx(expected)


def test_load_vs_ppl_draws_demand_left_and_service_right_and_dense_as_levels(tables):
    left, right = base.render(LoadVsPpl(), tables).axes
    summary = tables["summary"].set_index(["router", "capacity_factor"])
    for axes, column in ((left, "load_cv_routed"), (right, "load_cv")):
        line = lines(axes, "cells softk")["cells softk"]
        assert list(line.get_xdata()) == [summary.loc[("softk", f), column] for f in (1.0, 1.25)]
        assert len(lines(axes, "cells")) == 5
        assert len(lines(axes, "level")) == 2
        hollow = lines(axes, "cells expert")["cells expert_choice"]
        assert is_hollow(hollow)
        assert list(hollow.get_ydata()) == [
            summary.loc[("expert_choice", f), "val_ppl_causal"] for f in (1.0, 1.25)
        ]
    assert "Hollow: load with later tokens in view" in LoadVsPpl().caption(tables)


def test_learning_curves_name_who_ends_lowest_without_later_tokens(tables):
    caption = Overlay().caption(tables)
    assert "perplexity at the end, without later tokens, is 5.98: softmax top-k CF 1.25" in caption
    assert "Curves of expert choice are read with later tokens in view." in caption


def test_gate_balance_names_routers_without_an_entropy(tables):
    axes = base.render(GateBalance(), tables).axes[0]
    assert set(lines(axes, "cells")) == {
        "cells top1", "cells topk_hard", "cells softk", "cells expert_choice"
    }  # fmt: skip
    assert "no such measure: hash, dense (equal FLOPs) and dense (equal parameters)." in (
        GateBalance().caption(tables)
    )


def test_gate_balance_marks_the_largest_entropy(tables):
    axes = base.render(GateBalance(), tables).axes[0]
    (limit,) = lines(axes, "largest").values()
    assert limit.get_xdata()[0] == pytest.approx(np.log(8))


def test_frontier_shades_between_the_outer_surfaces_and_draws_the_median(tables):
    axes = base.render(Frontier(), tables).axes[0]
    (median,) = [line for line in axes.lines if line.get_gid() == "median"]
    attained = tables["attainment"]
    here = attained[attained["attained_in"] == 0.5]
    drawn = dict(zip(median.get_xdata(), median.get_ydata(), strict=True))
    for speed, nats in zip(here["train_tokens_per_s"], here["val_nll_causal_nats"], strict=True):
        assert drawn[speed] == pytest.approx(np.exp(nats))
    (band,) = [each for each in axes.collections if each.get_gid() == "attained"]
    slow = axes.get_xlim()[0]
    edges = [y for x, y in band.get_paths()[0].vertices if x == slow]
    assert sorted({round(y, 6) for y in edges}) == pytest.approx(
        [np.exp(1.79 - 0.02), np.exp(1.79 + 0.02)]
    )
    assert "more than 5% and fewer than 95% of the draws" in Frontier().caption(tables)


def test_frontier_without_draws_has_no_surface(tables):
    tables["attainment"] = tables["attainment"].iloc[:0]
    axes = base.render(Frontier(), tables).axes[0]
    assert not [each for each in axes.collections if each.get_gid() == "attained"]
    assert "Shaded" not in Frontier().caption(tables)


def test_a_surface_is_as_good_as_its_slowest_corner_that_is_as_fast(tables):
    edge = surfaces.edge(tables["attainment"], 0.5, np.array([1e4, 20_000, 20_001, 27_800, 3e4]))
    assert edge == pytest.approx(np.exp([1.79, 1.79, 1.90, 1.90, np.inf]))
