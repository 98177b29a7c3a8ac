"""What the table of certificates may hold, one line per router, drop policy and pool."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from moebench.analysis.certificates import verdict
from moebench.analysis.columns import Columns, count, encloses, interval, real, text
from moebench.analysis.schemas import CAUSALITIES

PROBES = ("future", "mates", "past")


def _follows(table: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each class is the one that its readings show."""
    readings = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return table["found"] == [verdict.found(each) for each in readings]


def _changes() -> Columns:
    columns: Columns = {}
    for probe in PROBES:
        columns[f"{probe}_output_change"] = real(0)
        columns[f"{probe}_routes_changed"] = real(0, 1)
    return columns


GAINS = ("suffix_benefit_nats", "decode_gap_nats")
CERTIFICATES = pa.DataFrameSchema(
    {
        "certificate": pa.Column(str, unique=True),
        "router": text(),
        "router_options": text(),
        "drop_policy": text(),
        "pool": text(),
        "declared": pa.Column(str, pa.Check.isin(CAUSALITIES)),
        "found": pa.Column(str, pa.Check.isin(CAUSALITIES)),
        **_changes(),
        "num_toys": count(),
        "floor_nats": real(0),
        "heldout_nats": real(0),
        "leak_nats": real(),
        **interval("leak_nats", low=-np.inf),
        "trained_in": text(),
        "num_windows": count(),
        "parallel_nats": real(0),
        **{name: real() for name in GAINS},
        **interval("suffix_benefit_nats", low=-np.inf),
        **interval("decode_gap_nats", low=-np.inf),
        "code_digest": text(),
    },
    checks=[
        pa.Check(_follows, error="found is not what the readings of its line show"),
        *(encloses(name, f"{name}_low", f"{name}_high") for name in ("leak_nats", *GAINS)),
    ],
    coerce=True,
    name="certificates",
)
