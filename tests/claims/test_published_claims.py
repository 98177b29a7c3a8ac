"""Verdicts on the published data, against those that were reached by hand, claim by claim."""

import re
import shutil

import pandas as pd
import pytest

from moebench import published_files, tables
from moebench.analysis.claims import entries, known_tables
from moebench.analysis.claims.ledger import ledger
from tests.specs import ROOT

PUBLISHED = ROOT / "resources/published"
BY_HAND = ROOT.parent / "shared/reference/claims.csv"
# How a verdict by hand begins, and what it says in the words of the ledger. A statement about every
# case that holds in some of them is refuted.
READ_AS = {
    "holds in 1 of 3": "refuted",
    "holds": "supported",
    "size part holds": "supported",
    "supported": "supported",
    "approximately": "supported",
    "matches CSV": "supported",
    "numbers hold": "supported",
    "ranking holds": "supported",
    "consistent": "supported",
    "fails": "refuted",
    "partly": "refuted",
    "baseline only": "refuted",
    "mostly holds": "refuted",
    "only at": "refuted",
    "contradicted": "refuted",
    "ppl holds": "refuted",
    "not supported": "not testable here",
    "untestable": "not testable here",
    "definition": "not testable here",
}


@pytest.fixture(scope="module")
def found():
    return entries.read(ROOT / "config/claims.yaml")


@pytest.fixture(scope="module")
def published():
    return {path.stem: tables.read_plain(path) for path in PUBLISHED.glob("*.csv")}


@pytest.fixture(scope="module")
def judged(found, published):
    return ledger(found, published, {}, drawn=[]).set_index(["id", "data"])


def explained():
    """Disagreements that docs/claims.md explains: our verdict by the claim's id."""
    page = (ROOT / "docs/claims.md").read_text()
    return dict(re.findall(r"^\| (C\d{3}-\d\d) \| ([a-z ]+) \|", page, re.MULTILINE))


def by_hand():
    if not BY_HAND.exists():
        pytest.skip(f"{BY_HAND} is not there: verdicts by hand are no part of the project")
    table = pd.read_csv(BY_HAND).set_index("id")["verdict_on_published_data"]
    return {key: next(READ_AS[each] for each in READ_AS if told.startswith(each))
            for key, told in table.items()}  # fmt: skip


def test_all_claims_of_the_four_documents_are_in_the_ledger(found):
    assert {key for key in found.claims if key.startswith("C")} == set(by_hand())


@pytest.mark.slow
def test_verdicts_on_published_data_are_those_by_hand_or_their_difference_is_explained(judged):
    ours = judged.xs("published", level="data")["verdict"]
    differing = {key: ours[key] for key, other in by_hand().items() if ours[key] != other}
    assert differing == explained()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "verdict", "num_refuted"),
    [("C000-20", "refuted", 4), ("C001-02", "supported", 0), ("C002-11", "refuted", 1)],
)
def test_some_verdicts_with_the_number_of_cases_that_was_counted_by_hand(
    judged, key, verdict, num_refuted
):
    line = judged.loc[(key, "published")]
    assert (line["verdict"], line["num_refuted"]) == (verdict, num_refuted)


def test_the_headline_is_refuted_and_says_by_what(judged):
    line = judged.loc[("C003-11", "published")]
    assert line["verdict"] == "refuted"
    assert "experiment=unified, capacity_factor=1.25" in line["decided_by"]
    assert "hash, then topk_hard: 6.492 < 6.153" in line["decided_by"]


def test_a_run_that_makes_no_tables_supports_nothing(judged):
    assert set(judged.xs("here", level="data")["verdict"]) == {"not testable here"}


def test_every_claim_names_tables_and_columns_that_there_are(found, published):
    known = known_tables.of_run(found.experiments)
    entries.check(found, published, known_tables.columns(known))


def test_the_published_files_are_the_ones_on_record():
    files = sorted(PUBLISHED.glob("*.csv"))
    published_files.check(PUBLISHED / published_files.SUMS, files)
    assert set(published_files.digests(PUBLISHED / published_files.SUMS)) == {
        path.name for path in files
    }


def test_a_published_file_that_was_edited_is_refused(tmp_path):
    folder = shutil.copytree(PUBLISHED, tmp_path / "published")
    text = (folder / "unified.csv").read_text()
    (folder / "unified.csv").write_text(text.replace("5.498171599204365", "5.498171599204364"))
    with pytest.raises(ValueError, match="unified.csv is not the file whose sha256 stands in"):
        published_files.check(folder / "SHA256SUMS", sorted(folder.glob("*.csv")))
