"""The page of the energy room: sentences against tables, and no joule that nobody measured."""

import io

import pandas as pd
import pytest

from moebench.report import energy, energy_sentences, rst
from tests.analysis.energy.windows import REASON, estimate, tables_of, windows
from tests.joules import A_JOULE, outside_quarantine

pytestmark = pytest.mark.slow


def as_written(tables):
    return {
        name: pd.read_csv(io.StringIO(table.to_csv(index=False))) for name, table in tables.items()
    }


def rendered(tables, folder):
    """The page as HTML."""
    rst.write(energy.page(tables), folder / "page.rst", folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def without_meter():
    return as_written(tables_of(windows(with_joules=False, noise=0.02)))


@pytest.fixture(scope="module")
def with_meter():
    home = windows(60e6).assign(device="NVIDIA H200")
    measured = [("resources/measured/h200/energy.jsonl.gz", "2026-11-20", home)]
    return as_written(tables_of(windows(noise=0.02), measured))


@pytest.mark.slow
def test_the_page_of_a_run_without_a_meter_holds_no_joule_of_its_own(without_meter, tmp_path):
    html = rendered(without_meter, tmp_path)
    assert A_JOULE.search(html), "the published joules are gone, so nothing is tested"
    text = outside_quarantine(html)
    assert REASON in text
    assert "inferences/s" in text
    assert A_JOULE.search(text) is None
    assert "inferences/J" not in text


@pytest.mark.slow
def test_a_joule_that_slipped_out_of_its_block_is_seen(without_meter, with_meter, tmp_path):
    assert A_JOULE.search(outside_quarantine(rendered(with_meter, tmp_path))) is None
    for slip in ("12.5 J", "3 W", "770 inf/J", "1.2 kJ", "115 joules", "60 watts"):
        assert A_JOULE.search(slip)
    without_block = "".join(energy.published(without_meter))
    assert A_JOULE.search(without_block)


@pytest.mark.slow
def test_a_run_with_a_meter_shows_joules_and_says_how_they_were_measured(with_meter, tmp_path):
    text = outside_quarantine(rendered(with_meter, tmp_path))
    assert "inferences/J" in text
    assert "Energy is measured in 20 cells (nvml counter on GPU-0)" in text
    assert "in joules (GPU): better from" in text


def test_the_published_crossovers_are_told_with_their_interval_and_their_lean(without_meter):
    text = energy.published(without_meter)
    assert "115 M (105 M to 12" in text
    assert "xl dense (equal parameters) (61%)" in text
    assert "xxl dense (equal parameters) (10%, chance)" in text
    assert "between large and xl, so it leans on them" in text


@pytest.mark.slow
def test_what_was_brought_home_is_told_with_device_and_date_in_its_own_block(with_meter):
    heading, block = energy.brought_home(with_meter["elsewhere"])
    assert block.startswith(".. container:: elsewhere")
    assert "NVIDIA H200, 2026-11-20: 20 cells" in block
    assert energy.brought_home(with_meter["elsewhere"].query("origin == 'published'")) == []


@pytest.mark.slow
def test_an_estimate_stands_in_a_block_of_its_own(without_meter, tmp_path):
    html = rendered({**without_meter, "estimate": estimate()}, tmp_path)
    assert "J for one inference" in html
    assert "Not measured, but computed from declared constants (a guess)" in html
    assert A_JOULE.search(outside_quarantine(html)) is None


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("within", "better from 115 M parameters on (105 M to 125 M)"),
        ("not below", "better from 105 M parameters on at the earliest, best guess 115 M"),
        ("not above", "better from 125 M parameters on at the latest, best guess 115 M"),
        ("none", "no crossover below 2.8 G: the dense network is better there"),
        ("throughout", "better at every size from 2.7 M to 2.8 G"),
        ("tie", "a tie at every size from 2.7 M to 2.8 G"),
        ("undecided", "undecided between 2.7 M and 2.8 G, best guess 115 M"),
        ("unreplicated", "115 M, from a single block, so without an interval"),
    ],
)
def test_every_verdict_has_its_sentence(without_meter, verdict, words):
    line = without_meter["crossover"].iloc[[0]].assign(
        verdict=verdict, crossover_params=115e6, crossover_params_low=105e6,
        crossover_params_high=125e6, all_learned=False,
    )  # fmt: skip
    text = energy_sentences.crossover(next(line.itertuples(index=False)))
    assert words in text
    assert text.endswith("Some of these networks have not learnt their task.")


def test_networks_at_chance_and_networks_that_were_never_trained_are_named(without_meter):
    cells = without_meter["cells"].copy()
    assert energy_sentences.learning(cells) == ["Every network has learnt its task."]
    cells.loc[cells["size"] == "xl", "learning"] = "unknown"
    cells.loc[(cells["size"] == "xxl") & (cells["network"] == "dense_total"), "learning"] = "chance"
    chance, unknown = energy_sentences.learning(cells)
    assert "buy nothing: xxl dense (equal parameters)." in chance
    assert unknown.startswith("Not trained")


def test_the_published_batch_is_told_and_the_others_are_counted(without_meter):
    table = without_meter["crossover"]
    both = pd.concat([table, table.assign(batch_size=1)])
    told = energy.crossovers(both, without_meter["factors"])
    assert not any("batch 1," in sentence for sentence in told)
    assert told[-1] == "8 more, of other batches and pairs, are in the table."
