import ast
import json
import re
import shutil

import pandas as pd
import pytest
import synthetic
from PIL import Image

from moebench import registry
from moebench.figures import base
from moebench.provenance import file_digest

NAMES = synthetic.ARM_FIGURES


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_equal_tables_give_equal_bytes_of_about_900_browser_pixels(results, tmp_path, name):
    first = synthetic.draw(results, name)
    shutil.move(results / "figures", tmp_path / "first")
    second = synthetic.draw(results, name)
    for suffix in (".svg", ".png", ".json", ".rst"):
        one, other = tmp_path / "first" / first.name, second
        assert one.with_suffix(suffix).read_bytes() == other.with_suffix(suffix).read_bytes()
    width_pt = float(re.search(r'width="([\d.]+)pt"', second.read_text())[1])
    assert width_pt * 96 / 72 == pytest.approx(900, abs=1)
    with Image.open(second.with_suffix(".png")) as image:
        assert image.width >= 1800


@pytest.mark.slow
def test_svg_and_png_carry_the_digest_of_their_inputs_and_no_date(svg):
    content = json.loads(svg.with_suffix(".json").read_text())
    with Image.open(svg.with_suffix(".png")) as image:
        description = image.info["Description"]
    assert content["inputs_sha256"] in description
    text = svg.read_text()
    assert content["inputs_sha256"] in text
    assert not re.search(r"dc:date|20\d\d-\d\d", text)
    drawn = content["chain"][0]["outputs"]
    assert drawn[svg.name] == file_digest(svg)
    assert drawn[svg.with_suffix(".png").name] == file_digest(svg.with_suffix(".png"))


@pytest.mark.slow
def test_another_table_gives_another_digest(results, svg):
    before = json.loads(svg.with_suffix(".json").read_text())["inputs_sha256"]
    with open(results / "tables/unified_summary.csv", "a") as file:
        file.write("\n")
    synthetic.draw(results, "frontier")
    assert json.loads(svg.with_suffix(".json").read_text())["inputs_sha256"] != before


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_figure_is_cut_off(tables, name):
    figure = registry.load(base.Figure, name)()
    assert not synthetic.cut_off(base.render(figure, tables))


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_of_a_figure_are_known_without_importing_it(name):
    literal = registry.constant("figures", name, "columns")
    assert literal == registry.load(base.Figure, name).columns


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_column_is_named_with_those_there_are(tables, name):
    figure = registry.load(base.Figure, name)()
    spoilt = {**tables, "summary": tables["summary"].drop(columns="causality")}
    with pytest.raises(ValueError, match=f"figure {name}: table 'summary' has no column causality"):
        base.render(figure, spoilt)


def test_a_second_swept_setting_is_refused(tables):
    figure = registry.load(base.Figure, "frontier")()
    doubled = tables | {"summary": pd.concat([tables["summary"]] * 2)}
    with pytest.raises(ValueError, match="have one router and capacity_factor"):
        base.render(figure, doubled)


def test_a_missing_or_empty_table_is_named(tables):
    figure = registry.load(base.Figure, "overlay")()
    with pytest.raises(ValueError, match="figure overlay draws table 'curves'; given: summary"):
        base.render(figure, {"summary": tables["summary"]})
    with pytest.raises(ValueError, match="table 'curves' has no rows"):
        base.render(figure, {**tables, "curves": tables["curves"][:0]})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_one_seed_without_intervals_can_be_drawn(tables, name):
    intervals = [c for c in tables["summary"] if c.endswith(("_low", "_high"))]
    tables["summary"][intervals] = float("nan")
    tables["curves"] = tables["curves"][tables["curves"]["seed"] == 0]
    figure = registry.load(base.Figure, name)()
    base.render(figure, tables)
    if name == "frontier":
        assert "too few repetitions" in figure.caption(tables)
    if name == "overlay":
        assert "One seed" in figure.caption(tables)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_of_dense_networks_only_can_be_drawn(tables, name):
    dense = {
        kind: table[table["router"].str.startswith("dense")].reset_index()
        if "router" in table
        else table
        for kind, table in tables.items()
    }
    figure = registry.load(base.Figure, name)()
    base.render(figure, dense)
    assert figure.caption(dense)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_table_with_nothing_measured_can_be_drawn_and_says_so(tables, name):
    empty = (
        tables["summary"]
        .select_dtypes("number")
        .columns.difference(["capacity_factor", "num_experts"])
    )
    tables["summary"][empty] = float("nan")
    figure = registry.load(base.Figure, name)()
    base.render(figure, tables)
    if name not in ("overlay", "balance_over_time"):  # which draw other tables too
        assert re.search("Not .*drawn", figure.caption(tables))


def test_no_figure_imports_another_so_that_editing_one_redraws_it_alone():
    figures = set(registry.names("figures"))
    for name in figures:
        tree = ast.parse((registry.ROOT / "figures" / f"{name}.py").read_text())
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules = {node.module.rpartition(".")[2] for node in froms}
        modules |= {each.name for node in froms for each in node.names}
        assert not modules & figures, name
