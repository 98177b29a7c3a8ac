"""What the figures of layouts draw, from tables whose truth is known."""

from itertools import combinations

import matplotlib.colors as colours
import pandas as pd
import pytest
import synthetic

from moebench import registry
from moebench.analysis.parallel.borders import borders
from moebench.analysis.parallel.model import Model, fit_model, predict
from moebench.analysis.parallel.regimes import regimes
from moebench.analysis.parallel.scaling import predictions
from moebench.figures import base, layouts, style, sweeps, ticks
from moebench.figures.duration_by_batch import DurationByBatch
from moebench.figures.layout_memory import LayoutMemory
from moebench.figures.predicted_duration import PredictedDuration
from moebench.figures.rank_forecast import RankForecast
from moebench.figures.regime_map import RegimeMap
from moebench.figures.throughput_by_ranks import ThroughputByRanks
from moebench.figures.time_split import TimeSplit
from tests.analysis.parallel import truth

pytestmark = pytest.mark.slow

TABLES = {"parallel", "regimes", "borders", "predictions"}
NAMES = [
    name
    for name in registry.names("figures")
    if set(registry.constant("figures", name, "columns")) <= TABLES
]
FIGURES = {
    name: {"latency_s": 1e-6, "bandwidth_bytes_per_s": 1e10, "source": "made up"}
    for name in ("near", "far")
}


@pytest.fixture(scope="module")
def made():
    cells = truth.cells(noise=0.03)
    table = fit_model(cells, truth.links_table(), 0.3)
    model = Model.of(table)
    cells = predict(cells, truth.links_table(), table, 0.3)
    return {
        "parallel": cells,
        "regimes": regimes(cells),
        "borders": borders(cells, model, truth.LINKS),
        "predictions": predictions(cells, model, FIGURES),
    }


@pytest.fixture
def tables(made):
    return {name: table.copy() for name, table in made.items()}


def lines(axes, prefix):
    return {line.get_gid(): line for line in axes.lines if str(line.get_gid()).startswith(prefix)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_layouts_can_be_drawn_and_says_no_nan(tables, name):
    figure = registry.load(base.Figure, name)()
    canvas = base.render(figure, tables)
    assert canvas.get_figwidth() == pytest.approx(style.WIDTH_IN)
    assert not synthetic.cut_off(canvas)
    assert "nan" not in figure.caption(tables)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_one_cell_without_intervals_and_predictions_can_be_drawn(tables, name):
    cells = tables["parallel"].iloc[:1].copy()
    unknown = ["median_low_s", "median_high_s", "predicted_duration_s"]
    cells[unknown] = float("nan")
    figure = registry.load(base.Figure, name)()
    few = {**tables, "parallel": cells, "regimes": regimes(cells)}
    base.render(figure, few)
    assert "nan" not in figure.caption(few)


def test_looks_of_layouts_are_told_apart_by_marker_and_by_line_or_lightness():
    looks = list(layouts.LOOKS.values())
    assert len({look.marker for look in looks}) == len(looks)
    assert len({look.colour for look in looks}) == len(looks)
    for one, other in combinations(looks, 2):
        difference = abs(style.lightness(one.colour) - style.lightness(other.colour))
        assert one.line != other.line or difference >= 20, (one, other)


def test_every_layout_there_is_has_a_look_a_name_and_letters():
    names = set(registry.names("parallel/layouts"))
    assert names <= set(layouts.LOOKS)
    assert set(layouts.LOOKS) == set(layouts.LABELS) == set(layouts.SHORT)
    assert len(set(layouts.SHORT.values())) == len(layouts.SHORT)


@pytest.mark.slow
def test_a_line_goes_through_the_medians_of_its_layout_and_panel(tables):
    canvas = base.render(DurationByBatch(), tables)
    panel = sweeps.panels(DurationByBatch().values(tables["parallel"]), "batch_size")[0][0]
    mine = panel.cells.query("layout == 'tensor' and direction == 'forward'")
    line = lines(canvas.axes[0], "line tensor")["line tensor"]
    expected = mine.sort_values("batch_size")
    assert list(line.get_xdata()) == expected["batch_size"].tolist()
    assert list(line.get_ydata()) == pytest.approx(expected["median_duration_s"].tolist())
    assert canvas.axes[0].get_xscale() == canvas.axes[0].get_yscale() == "log"


@pytest.mark.slow
def test_markers_are_hollow_exactly_where_ranks_outnumber_cores(tables):
    canvas = base.render(ThroughputByRanks(), tables)
    for axes in canvas.axes:
        for line in axes.lines:
            if line.get_marker() not in ("None", "", None):
                is_hollow = colours.to_hex(line.get_markerfacecolor()) == "#ffffff"
                assert all((x > truth.NUM_CORES) == is_hollow for x in line.get_xdata())
    assert "Hollow: more ranks than cores." in ThroughputByRanks().caption(tables)


def test_the_interval_of_a_rate_is_that_of_the_duration_turned_round(tables):
    cells = ThroughputByRanks().values(tables["parallel"])
    assert (cells["low"] <= cells["value"]).all()
    assert (cells["high"] >= cells["value"]).all()
    assert (cells["high"] * cells["median_low_s"]).tolist() == pytest.approx(
        cells["batch_size"].tolist()
    )


def test_what_is_not_drawn_is_counted(tables):
    chosen, num_left_out = sweeps.panels(DurationByBatch().values(tables["parallel"]), "batch_size")
    assert len(chosen) == sweeps.MOST_PANELS
    assert num_left_out == 9 - sweeps.MOST_PANELS
    assert f"Panels that did not fit: {num_left_out};" in DurationByBatch().caption(tables)


@pytest.mark.slow
def test_sweeps_that_share_cells_share_a_panel(tables):
    cells = tables["parallel"]
    once, _ = sweeps.panels(DurationByBatch().values(cells), "batch_size")
    again = cells[cells["batch_size"] <= 64].assign(sweep="parallel_again")
    both = DurationByBatch().values(pd.concat([cells, again]))
    panels, _ = sweeps.panels(both, "batch_size")
    assert len({panel.title for panel in panels}) == len(panels)
    assert [panel.title for panel in panels] == [panel.title for panel in once]
    assert len(panels[0].cells) == len(once[0].cells)


@pytest.mark.slow
def test_sweeps_that_differ_in_what_no_title_says_keep_panels_of_their_own(tables):
    cells = tables["parallel"].query("world_size == 8")
    other = cells.assign(sweep="wide_hidden", median_duration_s=2 * cells["median_duration_s"])
    both = DurationByBatch().values(pd.concat([cells, other]))
    titles = [panel.title for panel in sweeps.panels(both, "batch_size")[0]]
    assert any(title.endswith("wide_hidden") for title in titles)
    assert len(set(titles)) == len(titles)


@pytest.mark.slow
def test_a_layout_that_was_measured_at_one_value_of_the_axis_is_not_drawn(tables):
    cells = tables["parallel"]
    is_alone = (cells["layout"] == "tensor") & (cells["batch_size"] > cells["batch_size"].min())
    panels, _ = sweeps.panels(DurationByBatch().values(cells[~is_alone]), "batch_size")
    assert all("tensor" not in set(panel.cells["layout"]) for panel in panels)


@pytest.mark.slow
def test_the_map_names_the_rival_of_a_tie_in_its_legend(tables):
    sizes = tables["regimes"].assign(is_tie=True, tied_with="expert_tensor")
    canvas = base.render(RegimeMap(), tables | {"regimes": sizes})
    [legend] = canvas.legends
    assert "E×T: expert and tensor parallel" in [text.get_text() for text in legend.get_texts()]


@pytest.mark.slow
def test_a_split_that_was_not_measured_is_said_to_be(tables):
    cells = tables["parallel"]
    most = (
        cells["batch_size"] * cells["feature_dim"]
        == (cells["batch_size"] * cells["feature_dim"]).max()
    )
    canvas = base.render(
        TimeSplit(),
        {"parallel": cells[~(most & (cells["direction"] == "forward_backward"))]},
    )
    words = {text.get_text() for axes in canvas.axes for text in axes.texts}
    is_both = cells["direction"].nunique() == 2
    assert ("not measured" in words) == is_both


@pytest.mark.slow
def test_the_map_has_a_rectangle_per_size_in_the_colour_of_the_fastest_and_hatches_ties(tables):
    canvas = base.render(RegimeMap(), tables)
    drawn = [patch for axes in canvas.axes for patch in axes.patches]
    sizes = tables["regimes"]
    shown = sizes[(sizes["num_experts"] == 4) & (sizes["top_k"] == 2)]
    assert len(drawn) == len(shown)
    assert sum(bool(patch.get_hatch()) for patch in drawn) == shown["is_tie"].sum()
    by_name = pd.Series([patch.get_gid().split()[1] for patch in drawn]).value_counts()
    assert by_name.to_dict() == shown["fastest_layout"].value_counts().to_dict()
    for patch in drawn:
        name = patch.get_gid().split()[1]
        assert colours.to_hex(patch.get_facecolor()) == layouts.look(name).colour.lower()


def test_another_winner_gives_another_caption(tables):
    before = RegimeMap().caption(tables)
    tables["regimes"][["fastest_layout", "is_tie"]] = ["expert_tensor", False]
    after = RegimeMap().caption(tables)
    assert after != before
    assert "expert and tensor parallel 12, ties 0" in after


def test_the_error_in_the_caption_is_that_of_the_held_out_cells(tables):
    cells = tables["parallel"]
    is_judged = cells["is_held_out"]
    cells.loc[is_judged, "predicted_duration_s"] = 1.5 * cells.loc[is_judged, "median_duration_s"]
    assert f"on the {is_judged.sum()} held-out cells: 50%" in PredictedDuration().caption(tables)


def test_bars_of_a_time_split_add_up_to_one(tables):
    canvas = base.render(TimeSplit(), tables)
    for axes in canvas.axes:
        ends = {}
        for patch in axes.patches:
            ends[patch.get_y()] = ends.get(patch.get_y(), 0) + patch.get_width()
        assert len(ends) == len(truth.LAYOUTS)
        assert list(ends.values()) == pytest.approx([1.0] * len(ends))


def test_a_forecast_is_called_a_prediction_in_every_panel_and_in_words(tables):
    canvas = base.render(RankForecast(), tables)
    for axes in canvas.axes:
        assert "PREDICTION" in [text.get_text() for text in axes.texts]
        assert lines(axes, "forecast")
    assert RankForecast().caption(tables).startswith("Predicted, not measured")


def test_durations_are_told_in_the_unit_that_fits():
    assert [ticks.seconds(value) for value in (12_345.6, 2.0, 0.0042, 17.3e-6)] == [
        "12,346 s", "2 s", "4.2 ms", "17.3 µs",
    ]  # fmt: skip


@pytest.mark.slow
def test_how_far_predicted_memory_holds_is_counted_in_all_and_in_large_cells():
    MIB = 2**20
    cells = (
        truth.cells()
        .iloc[:4]
        .assign(
            peak_memory_bytes=[MIB, 20 * MIB, 40 * MIB, 80 * MIB],
            predicted_memory_bytes=[MIB // 9, 19 * MIB, 80 * MIB, 79 * MIB],
        )
    )
    said = LayoutMemory().caption({"parallel": cells})
    assert "within 25% in 2 of 4 cells; of those that need 10 MiB or more in 2 of 3." in said


@pytest.mark.slow
def test_equal_tables_give_equal_bytes(tables, tmp_path):
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    kinds = {"svg": "svg", "png": "png", "caption": "rst", "json": "json"}
    wanted = {name: tmp_path / f"{name}.csv" for name in ("regimes", "borders")}
    written = []
    for folder in ("one", "two"):
        outputs = {kind: tmp_path / folder / f"map.{end}" for kind, end in kinds.items()}
        outputs["svg"].parent.mkdir()
        base.publish("regime_map", wanted, outputs, rule="draw_figure", params={})
        written.append([path.read_bytes() for path in outputs.values()])
    assert written[0] == written[1]


def test_a_room_without_links_or_models_says_that_nothing_is_predicted(tables):
    few = {**tables, "predictions": tables["predictions"][:0], "borders": tables["borders"][:0]}
    base.render(RankForecast(), few)
    assert RankForecast().caption(few).startswith("Nothing is predicted")
    base.render(RegimeMap(), few)
    assert "No border is drawn" in RegimeMap().caption(few)
