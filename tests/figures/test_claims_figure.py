"""What is drawn and said of verdicts, against the ledger."""

import matplotlib.colors as colours
import pandas as pd
import pytest

from moebench.figures import base
from moebench.figures.verdicts import SIGNS, Verdicts
from moebench.report import claims, rst


def line(key, data, verdict, **changed):
    tested = verdict != "not testable here"
    return {
        "id": key, "source": f"source {key[0]}", "claim": f"What {key} says.", "data": data,
        "verdict": verdict, "reason": None if tested else "nobody measured it",
        "decided_by": "size=2: a = 1 < b = 2" if tested else None,
        "effect": 0.5 if tested else None, "effect_low": 0.25 if tested else None,
        "effect_high": 0.75 if tested else None, "smallest_effect": "5 %",
        "num_comparisons": 3 if tested else 0, "left_out": None, "tables": "unified",
        "later_tokens_verdict": None, "later_tokens_decided_by": None,
        "where": None, "predicate": "a < b" if tested else None,
        "figure": "unified_frontier" if key == "A-01" else None, "note": None,
    } | changed  # fmt: skip


@pytest.fixture
def ledger():
    verdicts = {
        "A-01": ("supported", "refuted"),
        "A-02": ("tie", "underpowered"),
        "B-01": ("supported", "supported"),
        "B-02": ("refuted", "not testable here"),
    }
    return pd.DataFrame(
        line(key, data, verdict)
        for key, both in verdicts.items()
        for data, verdict in zip(("published", "here"), both, strict=True)
    )


def test_every_verdict_is_a_square_of_its_claim_with_its_sign(ledger):
    canvas = base.render(Verdicts(), {"claims": ledger})
    squares = {each.get_gid(): each for axes in canvas.axes for each in axes.patches}
    wanted = {f"{each.id} {each.data} {each.verdict}" for each in ledger.itertuples()}
    assert set(squares) == wanted
    face = squares["A-01 here refuted"].get_facecolor()
    assert colours.to_hex(face) == SIGNS["refuted"].face
    written = [text.get_text() for axes in canvas.axes for text in axes.texts]
    assert sorted(written) == sorted(SIGNS[each].letter for each in ledger["verdict"])
    above, below = (squares[f"A-01 {each}"] for each in ("published supported", "here refuted"))
    assert above.get_x() == below.get_x()
    assert above.get_y() > below.get_y()


def test_no_two_signs_look_alike_in_grey():
    assert len({sign.letter for sign in SIGNS.values()}) == len(SIGNS)
    assert len({sign.face for sign in SIGNS.values()}) == len(SIGNS)


def test_the_designs_that_claims_on_ranks_speak_of_are_named(ledger):
    assert "designs" not in "\n".join(claims.summary(ledger))
    is_here = (ledger["id"] == "B-01") & (ledger["data"] == "here")
    ledger.loc[is_here, "where"] = "layout in ('single_loop', 'expert_replicated')"
    [sentence] = [each for each in claims.summary(ledger)[1].splitlines() if "designs" in each]
    assert ": one process, a loop over samples; expert parallel, routing replicated." in sentence


def test_the_caption_counts_and_names_what_turns_round(ledger):
    said = Verdicts().caption({"claims": ledger})
    assert said.startswith("4 claims, on published data: 2 supported, 1 refuted, 1 tie; on this")
    assert "Of 2 claims that are supported or refuted on both, 1 turn round: A-01." in said
    same = ledger[ledger["id"] == "B-01"]
    assert "all have the same verdict" in Verdicts().caption({"claims": same})
    untested = ledger[ledger["id"] == "B-02"]
    assert "No claim is supported or refuted on both" in Verdicts().caption({"claims": untested})


def test_the_page_says_what_decided_and_links_to_its_evidence(ledger, tmp_path):
    parts = [*claims.summary(ledger), *claims.entries(ledger)]
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<a class="reference external" href="../figures/unified_frontier.svg">' in page
    assert '<a class="reference external" href="../tables/unified.csv">' in page
    assert "A-01, supported on published data and refuted on this run" in page
    assert "claimed size=2: a = 1 &lt; b = 2; effect +50.0% (+25.0% to +75.0%)" in page
    assert "this run: nobody measured it" in page
    assert "nan" not in page.lower().replace("finan", "")


def test_what_later_tokens_would_have_said_stands_beside_the_verdict_of_this_run():
    told = {"later_tokens_verdict": "supported", "later_tokens_decided_by": "val_ppl = 4 < 5"}
    table = pd.DataFrame(
        [line("A-01", "published", "supported"), line("A-01", "here", "refuted", **told)]
    )
    page = " ".join("\n".join(claims.entries(table)).replace("\\", "").split())
    published, here = page.split("this run: ", maxsplit=1)
    assert "with later tokens in view supported: val_ppl = 4 < 5" in here
    assert "with later tokens" not in published


@pytest.mark.parametrize(
    ("low", "high", "smallest", "said"),
    [
        (None, None, "5 %", "effect +50.0% (no interval), smallest that matters 5 %"),
        (0.5, 0.5, "0.02", "effect +0.5, smallest that matters 0.02"),
        (0.25, 0.75, "0.02", "effect +0.5 (+0.25 to +0.75), smallest"),
    ],
)
def test_an_effect_is_told_with_its_interval_or_the_want_of_one(low, high, smallest, said):
    one = {"effect_low": low, "effect_high": high, "smallest_effect": smallest}
    table = pd.DataFrame([line("A-01", data, "tie", **one) for data in ("published", "here")])
    assert said in "\n".join(claims.entries(table)).replace("\\", "")
