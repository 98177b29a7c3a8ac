"""What the ledger of claims may hold: a row per claim and data, published or of this run."""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.claims.outcome import NOT_TESTABLE, VERDICTS
from moebench.analysis.columns import count, real, text

PUBLISHED, HERE = "published", "here"


def _has_reason_unless_tested(table: pd.DataFrame) -> "pd.Series[bool]":
    is_untested = table["verdict"] == NOT_TESTABLE
    return (
        (table["reason"].notna() == is_untested)
        & (table["decided_by"].isna() == is_untested)
        & (table["effect"].isna() == is_untested)
    )


def _adds_up(table: pd.DataFrame) -> "pd.Series[bool]":
    parts = ["num_supported", "num_refuted", "num_tied", "num_underpowered"]
    return table[parts].sum(axis=1) == table["num_comparisons"]


CLAIMS = pa.DataFrameSchema(
    {
        "id": text(),
        "source": text(),
        "claim": text(),
        "data": pa.Column(str, pa.Check.isin([PUBLISHED, HERE])),
        "verdict": pa.Column(str, pa.Check.isin(VERDICTS)),
        "reason": text(nullable=True),  # why it cannot be tested
        "decided_by": text(nullable=True),  # the comparison that did, with its numbers
        "effect": real(nullable=True),  # of that comparison: above 0 on the claim's side
        "effect_low": real(nullable=True),  # null: the numbers have no interval
        "effect_high": real(nullable=True),
        # Of this run, where a router looks at later tokens: what the scores with them would say.
        "later_tokens_verdict": pa.Column(str, pa.Check.isin(VERDICTS), nullable=True),
        "later_tokens_decided_by": text(nullable=True),
        "smallest_effect": text(),
        "num_comparisons": count(),
        "num_supported": count(),
        "num_refuted": count(),
        "num_tied": count(),
        "num_underpowered": count(),
        "left_out": text(nullable=True),  # groups without what is compared
        "tables": text(nullable=True),
        "where": text(nullable=True),
        "predicate": text(nullable=True),
        "figure": text(nullable=True),  # null: not drawn in this run
        "note": text(nullable=True),
    },
    checks=[
        pa.Check(_has_reason_unless_tested, error="a verdict has either numbers or a reason"),
        pa.Check(_adds_up, error="the comparisons do not add up"),
    ],
    unique=["id", "data"],
    coerce=True,
    name="claims",
)
