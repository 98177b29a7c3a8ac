"""What the figures of the energy room draw, and what they say where there is nothing to draw."""

import io

import matplotlib.colors as colours
import pandas as pd
import pytest

from moebench import registry
from moebench.analysis.energy.boundaries import LABELS
from moebench.figures import base, networks, style
from tests.analysis.energy.windows import REASON, estimate, tables_of, windows

pytestmark = pytest.mark.slow

WITH_JOULES = ["inferences_per_joule", "power"]
ALL = [*WITH_JOULES, "inferences_per_s", "crossover_boundaries", "energy_batch", "roofline"]


def as_written(tables):
    """Tables as they come back from their files."""
    return {
        name: pd.read_csv(io.StringIO(table.to_csv(index=False))) for name, table in tables.items()
    }


@pytest.fixture(scope="module")
def without_meter():
    return as_written(tables_of(windows(with_joules=False, batches=(1, 128), noise=0.02)))


@pytest.fixture(scope="module")
def with_meter():
    home = windows(60e6, noise=0.02).assign(device="NVIDIA H200")
    here = windows(batches=(1, 128), noise=0.02)
    poor = here["network"].eq("dense_total") & here["size"].eq("xxl")
    here.loc[poor, ["train_accuracy", "is_at_chance"]] = [0.1, True]
    measured = [("resources/measured/h200/energy.jsonl.gz", "2026-11-20", home)]
    return as_written(tables_of(here, measured))


def draw(name, tables):
    figure = registry.load(base.Figure, name)()
    return base.render(figure, tables), figure.caption(tables)


def frames(canvas):
    return [axes for axes in canvas.axes if axes.get_gid() == "empty"]


def lines(axes, prefix):
    return {line.get_gid(): line for line in axes.lines if str(line.get_gid()).startswith(prefix)}


def titled(canvas, start):
    [axes] = [axes for axes in canvas.axes if axes.get_title().startswith(start)]
    return axes


@pytest.mark.slow
def test_without_a_meter_the_panels_of_energy_are_empty_frames_that_say_why(without_meter):
    for name in (*WITH_JOULES, "energy_batch"):
        canvas, caption = draw(name, without_meter)
        [empty] = frames(canvas)
        assert not empty.lines
        assert REASON in " ".join(empty.texts[0].get_text().split())
        assert REASON in caption


@pytest.mark.slow
def test_without_a_meter_speed_and_published_energy_are_drawn(without_meter):
    canvas, _ = draw("inferences_per_s", without_meter)
    assert not frames(canvas)
    canvas, caption = draw("inferences_per_joule", without_meter)
    assert len(lines(titled(canvas, "published"), "line")) == 3
    assert "Published data: at 2.7 M the dense network is 7.09 times thriftier" in caption


@pytest.mark.slow
def test_points_stand_where_the_table_says(with_meter):
    canvas, _ = draw("inferences_per_joule", with_meter)
    axes = titled(canvas, "this machine: f32, batch 128")
    cells = networks.named(with_meter["cells"])
    for each in cells[cells["batch_size"] == 128].itertuples():
        [line] = [at for at in axes.lines if at.get_gid() == f"{each.name} {each.size}"]
        assert line.get_xdata()[0] == each.num_params
        assert line.get_ydata()[0] == each.inferences_per_j


@pytest.mark.slow
def test_what_was_brought_home_has_a_panel_with_device_and_date(with_meter):
    canvas, caption = draw("inferences_per_joule", with_meter)
    axes = titled(canvas, "measured 2026-11-20: NVIDIA H200")
    assert len(lines(axes, "line")) == 5
    assert "Measured 2026-11-20: NVIDIA H200" in caption


@pytest.mark.slow
def test_networks_that_did_not_learn_are_hollow_with_their_accuracy(with_meter):
    canvas, _ = draw("inferences_per_joule", with_meter)
    for start, poor in (
        ("published", {"dense_total xl", "dense_total xxl"}),
        ("this machine: f32, batch 128", {"dense_total xxl"}),
    ):
        axes = titled(canvas, start)
        points = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        hollow = {
            line.get_gid()
            for line in points
            if colours.to_hex(line.get_markerfacecolor()) == "#ffffff"
        }
        assert hollow == poor
    written = {text.get_text() for text in titled(canvas, "published").texts}
    assert written == {"61%", "10%"}


@pytest.mark.slow
def test_the_published_crossover_is_drawn_under_every_boundary(without_meter):
    canvas, caption = draw("crossover_boundaries", without_meter)
    left = canvas.axes[0]
    for kernel in ("naive", "chosen"):
        curve = lines(left, "crossover")[f"crossover {kernel}"]
        assert curve.get_xdata().min() == -65
        assert curve.get_xdata().max() == 500
    assert lines(left, "time")["time"].get_ydata()[0] == pytest.approx(593.7e6, rel=1e-3)
    for part in ("115 M (105 M to 12", "15 M to 50 M with", "173 M to 334 M with", "594 M in time"):
        assert part in caption
    notes = " ".join(text.get_text().replace("\n", " ") for text in left.texts)
    assert "xl: MoE 94%, dense 61%" in notes
    assert "xxl: MoE 90%, dense 10% (chance)" in notes


@pytest.mark.slow
def test_crossovers_found_here_stand_beside_the_published_ones(with_meter, without_meter):
    right = draw("crossover_boundaries", with_meter)[0].axes[1]
    rows = [text.get_text() for text in right.get_yticklabels()]
    assert sum("GPU" in row for row in rows) == 6
    right = draw("crossover_boundaries", without_meter)[0].axes[1]
    assert all("time alone" in text.get_text() for text in right.get_yticklabels())


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ["none", "throughout", "tie", "undecided", "unreplicated"])
def test_a_crossover_that_is_no_number_is_written_in_words(without_meter, verdict):
    table = without_meter["crossover"].assign(verdict=verdict, crossover_params=float("nan"))
    canvas, _ = draw("crossover_boundaries", {**without_meter, "crossover": table})
    assert not lines(canvas.axes[1], "here")
    assert len(canvas.axes[1].texts) == len(canvas.axes[1].get_yticks())


@pytest.mark.slow
def test_training_curves_stand_above_the_published_ones(with_meter):
    canvas, caption = draw("energy_training", with_meter)
    assert len(canvas.axes) == 8
    assert [len(lines(axes, "curve")) for axes in canvas.axes] == [3, 3, 3, 3, 3, 3, 3, 2]
    assert "Here: below 80 % at the end: xxl dense (equal parameters) (10%)." in caption


def test_where_nothing_was_trained_or_compared_the_published_data_still_stand(without_meter):
    empty = {name: table.iloc[:0] for name, table in without_meter.items()}
    nothing = {**without_meter, "training": empty["training"], "crossover": empty["crossover"]}
    for name, count in (("energy_training", 4), ("crossover_boundaries", 1)):
        canvas, _ = draw(name, nothing)
        assert len(frames(canvas)) == 1
        assert len(canvas.axes) == count + 1
    with pytest.raises(ValueError, match="table 'cells' has no rows"):
        draw("power", {**without_meter, "cells": empty["cells"]})


def test_the_roofline_draws_every_cell_under_its_roof(without_meter):
    canvas, caption = draw("roofline", without_meter)
    [axes] = canvas.axes
    roof = lines(axes, "roof")["roof"]
    points = [line for line in axes.lines if line is not roof]
    assert len(points) == len(without_meter["cells"])
    assert max(line.get_ydata()[0] for line in points) == pytest.approx(roof.get_ydata().max())
    assert "not the device's rated ones" in caption


@pytest.mark.slow
def test_an_estimate_is_hatched_and_called_so():
    canvas, caption = draw("energy_estimate", {"estimate": estimate()})
    bars = [bar for axes in canvas.axes for bar in axes.patches]
    assert len(bars) == len(estimate())
    assert all(bar.get_hatch() for bar in bars)
    assert all(axes.get_title().startswith("estimate") for axes in canvas.axes)
    assert "not a measurement" in caption


def test_looks_of_networks_differ_in_marker_and_in_line_or_grey():
    looks = {name: networks.look(name) for name in networks.LOOKS if name != "moe"}
    assert len({look.marker for look in looks.values()}) == len(looks)
    for one in looks:
        for other in looks:
            a, b = looks[one], looks[other]
            difference = abs(style.lightness(a.colour) - style.lightness(b.colour))
            assert one == other or a.line != b.line or difference >= 20, (one, other)


def test_every_boundary_has_a_name_for_a_reader():
    pytest.importorskip("moebench.energy.boundaries")
    from moebench.energy.boundaries import BOUNDARIES

    assert set(BOUNDARIES) <= set(LABELS)


@pytest.mark.parametrize(
    ("num_params", "text"),
    [(2_687_192, "2.7 M"), (114.9e6, "115 M"), (2_789_237_600, "2.8 G"), (640, "640")],
)
def test_sizes_are_written_for_a_reader(num_params, text):
    assert networks.size(num_params) == text
