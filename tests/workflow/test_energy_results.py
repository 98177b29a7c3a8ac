"""What the energy room leaves behind on a machine without a meter."""

import pandas as pd
import pytest

from tests.joules import A_JOULE, outside_quarantine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def without_meter(smoke_run):
    """The finished run, where no joule was measured in it."""
    windows = pd.read_csv(smoke_run / "results/tables/energy.csv")
    if windows["energy_j"].notna().any():
        pytest.skip("this machine has a meter")
    return smoke_run


def test_the_page_shows_no_joule_of_this_run_and_says_why(without_meter):
    html = (without_meter / "results/report/energy_findings.html").read_text(encoding="utf-8")
    text = outside_quarantine(html)
    assert A_JOULE.search(html)
    assert A_JOULE.search(text) is None
    assert "Energy is unavailable in" in text
    assert "inferences/s" in text


def test_captions_show_published_joules_only(without_meter):
    captions = sorted((without_meter / "results/figures").glob("energy_*.rst"))
    assert len(captions) == 7
    for path in captions:
        own, _, _ = path.read_text(encoding="utf-8").partition("Published data:")
        assert A_JOULE.search(own) is None, path.name


def test_the_published_data_are_analysed_in_the_same_run(without_meter):
    lines = pd.read_csv(without_meter / "results/tables/energy_published.csv")
    gross = lines[(lines["kernel"] == "chosen") & (lines["boundary"] == "gpu")]
    assert gross["crossover_params"].item() == pytest.approx(114.9e6, rel=1e-3)
    assert set(pd.read_csv(without_meter / "results/tables/energy_crossover.csv")["quantity"]) == {
        "time"
    }
