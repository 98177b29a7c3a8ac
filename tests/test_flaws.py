"""The page of flaws is what its two files say, and every test that it names is there."""

import ast
from pathlib import Path

import pytest

from moebench import published_flaws
from tests.specs import ROOT

FACTS = ROOT / "resources" / "published" / "flaws.csv"
ANSWERS = ROOT / "resources" / "flaws.yaml"
PAGE = ROOT / "docs" / "flaws.md"
MARK = "a test keeps it so.\n\n"
REFERENCE = ROOT.parent / "shared" / "reference" / "flaws.csv"


def names_of_tests():
    """Names of all test functions, read from the sources."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_the_page_ends_with_what_the_program_explains(request):
    expected = published_flaws.explain(published_flaws.read(FACTS, ANSWERS))
    written, found, told = PAGE.read_text().partition(MARK)
    assert found
    if request.config.getoption("--update-golden"):
        PAGE.write_text(written + MARK + expected)
        told = expected
    assert told == expected, "run: pytest --update-golden tests/test_flaws.py"


def test_every_test_that_proves_a_flaw_absent_is_there():
    there = names_of_tests()
    for flaw, answer in published_flaws.read(FACTS, ANSWERS):
        for name in answer.tests:
            assert name in there, f"{flaw.id}: {name}"


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"{REFERENCE} is not there")
def test_every_flaw_of_the_reference_has_its_line():
    lines = REFERENCE.read_text().splitlines()[1:]
    wanted = [line.split(",")[:3] for line in lines]
    found = [flaw for flaw, _ in published_flaws.read(FACTS, ANSWERS)]
    assert len(wanted) == 85
    assert [[flaw.id, flaw.area, flaw.severity] for flaw in found] == wanted


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("status: open", "status: absent", "R16: Value error, what is absent names the tests"),
        ("R01:", "R99:", "R01 stands in one of"),
        ("status: absent", "status: perhaps", "R01.status: Input should be 'absent' or 'open'"),
    ],
)
def test_answers_that_do_not_fit_are_named(tmp_path: Path, old, new, message):
    changed = tmp_path / "flaws.yaml"
    changed.write_text(ANSWERS.read_text().replace(old, new, 1))
    with pytest.raises(published_flaws.FlawError, match=message):
        published_flaws.read(FACTS, changed)
