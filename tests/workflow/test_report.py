"""The report of a finished run, as its reader sees it."""

import subprocess
import sys

import pytest

from tests.workflow import report_reader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(smoke_run, tmp_path_factory):
    """The report of the smoke run, built without a warning about its texts."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    command = ["-m", "snakemake", "--configfile", "config/smoke.yaml", "--report", str(path)]
    built = subprocess.run(
        [sys.executable, *command], cwd=smoke_run, capture_output=True, text=True, check=False
    )
    output = built.stdout + built.stderr
    assert built.returncode == 0, output
    assert "WARNING" not in output
    assert "ERROR" not in output
    return path


@pytest.fixture(scope="module")
def browser(report, tmp_path_factory):
    missing = report_reader.missing()
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: apt-get install chromium-driver")
    with report_reader.visitor(report, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_the_report_shows_every_figure(browser, smoke_run, tmp_path):
    made = {path.name for path in (smoke_run / "results/figures").glob("*.[sp][vn]g")}
    assert made
    shown = report_reader.pictures(browser, "Figures", tmp_path)
    assert {picture.name for picture in shown} == made
    for picture in shown:
        assert min(picture.width_px, picture.height_px) >= 300, picture
    assert len(list(tmp_path.glob("*.screenshot.png"))) == len(made)


def test_the_first_page_says_what_came_out_and_its_title_can_be_read(browser, smoke_run):
    browser.refresh()
    text, title_y = report_reader.landing(browser)
    assert title_y >= 0
    for page in (smoke_run / "results/report").glob("*.rst"):
        for line in page.read_text().splitlines():
            if line.startswith("* "):
                assert line[2:].replace("\\", "") in " ".join(text.split())


def test_the_report_has_its_categories(browser):
    assert {"Figures", "Findings", "Environment"} <= set(report_reader.categories(browser))


def test_the_report_asks_nobody_on_the_network(browser):
    names = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert not [name for name in names if name.startswith("http")]
