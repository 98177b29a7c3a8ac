"""Figures and sentences from the tables that the analysis makes, not from made-up ones."""

import pandas as pd
import pytest
import synthetic

from moebench import registry
from moebench.analysis.experiment import tabulate
from moebench.figures import base
from moebench.report import findings, rst
from moebench.spec import StatisticsSpec
from tests import rows


@pytest.fixture(scope="module", params=[(0, 1, 2), (0,)], ids=["three seeds", "one seed"])
def analysed(request, tmp_path_factory):
    """Tables as a figure reads them: from CSV."""
    readings = rows.plausible(seeds=request.param)
    folder = tmp_path_factory.mktemp("tables")
    made = tabulate(readings, StatisticsSpec())
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: pd.read_csv(folder / f"{name}.csv") for name in made}


@pytest.mark.slow
@pytest.mark.parametrize("name", synthetic.ARM_FIGURES)
def test_every_figure_draws_the_tables_of_the_analysis(analysed, name):
    figure = registry.load(base.Figure, name)()
    base.render(figure, analysed)
    assert "nan" not in figure.caption(analysed)


@pytest.mark.slow
def test_the_findings_of_the_tables_of_the_analysis_make_a_page(analysed, tmp_path):
    parts = findings.page("unified", analysed, synthetic.TOKENS)
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    assert "nan" not in "\n".join(parts)
    has_intervals = analysed["summary"]["num_seeds"].min() > 1
    assert ("too few seeds" in "\n".join(parts)) != has_intervals
