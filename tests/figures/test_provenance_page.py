"""The page that says where every figure comes from."""

import pytest
import synthetic

from moebench.provenance import file_digest, json_digest
from moebench.report import provenance, rst


@pytest.fixture
def page(results, svg, monkeypatch, tmp_path):
    monkeypatch.chdir(results.parent)
    parts = provenance.page([svg.with_suffix(".json")])
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    return (tmp_path / "page.html").read_text()


def test_every_file_behind_a_figure_is_listed_once_with_its_whole_hash(results, page):
    files = [path for path in results.rglob("*") if path.suffix in (".csv", ".jsonl", ".npy")]
    assert files
    for path in files:
        drawn = path.name != "unified_curves.csv"  # which another figure draws
        assert page.count(file_digest(path)) == (1 if drawn else page.count(str(path.name)))
    for rule in ("draw_figure", "summarise_runs", "train_router", "export_corpus"):
        assert f"<p>{rule}</p>" in page


def test_the_overview_digests_all_files_of_a_level(results, svg, page):
    rows = sorted(file_digest(path) for path in results.rglob("rows.jsonl"))
    assert len(rows) == 2
    assert f"2: {json_digest(rows)[:12]}" in page
    assert f"unified_frontier {file_digest(svg)[:12]}" in page
    drawn = [results / f"tables/unified_{name}.csv" for name in ("attainment", "summary")]
    assert f"2: {json_digest(sorted(map(file_digest, drawn)))[:12]}" in page
    assert f"<p>{file_digest(results / 'corpora/tales/manifest.json')[:12]}</p>" in page


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("../../resources/published/energy.csv", "published"),
        ("../tables/energy.csv", "tables"),
        ("../perft/base/model.safetensors", "weights"),
        ("../perft/questions/train.jsonl", "text"),
        ("unified_frontier.svg", None),
    ],
)
def test_a_file_stands_at_its_level(name, level):
    assert provenance.level(name) == level


def test_a_figure_whose_sidecar_was_changed_has_no_page(svg):
    changed = svg.with_suffix(".json")
    changed.write_text(changed.read_text().replace("frontier", "Frontier", 1))
    with pytest.raises(ValueError, match="not as it was written; draw the figure again"):
        provenance.page([changed])


def test_the_code_that_drew_stands_beside_the_file(page, results):
    assert synthetic.sidecar.code("moebench.figures.frontier")["digest"] in page
