"""What the tables made from routing traces may hold.

Everything is of what routers asked for, before capacity, unless it says so. Null stands for what
does not exist: the interval of a text of one window, the ties of a router that compares no scores.
"""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, count, encloses, interval, real, text
from moebench.analysis.specialisation.classes import CLASSES

STATES = ("untrained", "trained")

LAYER: Columns = {
    "router": text(),
    "seed": pa.Column(int),
    "state": pa.Column(str, pa.Check.isin(STATES)),
    "layer": count(),
}
EXPERT: Columns = {**LAYER, "expert": count()}


def _is_share_of_entropy(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["class_information_nats"] <= table["class_entropy_nats"] + 1e-9


SPECIALISATION = pa.DataFrameSchema(
    {
        **LAYER,
        "num_experts": count(),
        "top_k": count(),
        "num_windows": count(),
        "num_tokens": count(),
        "num_assignments": count(),
        "class_entropy_nats": real(0),
        "class_information_nats": real(0),
        "class_information_unbiased_nats": real(),
        **interval("class_information_unbiased_nats", low=-np.inf),
        "chance_nats": real(0),
        **interval("chance_nats"),
        "p_value": real(0, 1),
        "learnt_nats": real(nullable=True),  # trained less untrained, on the same windows
        **interval("learnt_nats", low=-np.inf),
        "vocabulary_share": real(0, 1),
        "vocabulary_chance": real(0, 1),
        "tied_rate": real(0, 1, nullable=True),
        "equal_weights_rate": real(0, 1),
    },
    checks=[
        encloses(name, f"{name}_low", f"{name}_high")
        for name in ("class_information_unbiased_nats", "learnt_nats")
    ]
    + [pa.Check(_is_share_of_entropy, error="more information than the classes hold")],
    unique=list(LAYER),
    coerce=True,
    name="specialisation",
)

LOAD = pa.DataFrameSchema(
    {**EXPERT, "requested_share": real(0, 1), "kept_share": real(0, 1), "fair_share": real(0, 1)},
    checks=pa.Check(
        lambda table: table["kept_share"] <= table["requested_share"] + 1e-12,
        error="more assignments kept than requested",
    ),
    unique=list(EXPERT),
    coerce=True,
    name="load per expert and layer",
)

SHARES = pa.DataFrameSchema(
    {
        **EXPERT,
        "token_class": pa.Column(str, pa.Check.isin(CLASSES)),
        "share": real(0, 1),
        **interval("share", low=-np.inf),
        "text_share": real(0, 1),
    },
    unique=[*EXPERT, "token_class"],
    coerce=True,
    name="classes of tokens per expert",
)

COACTIVATION = pa.DataFrameSchema(
    {**EXPERT, "other": count(), "share": real(0, 1), "by_load": real(0)},
    unique=[*EXPERT, "other"],
    coerce=True,
    name="experts that share tokens",
)

PASSAGE = pa.DataFrameSchema(
    {
        **LAYER,
        "position": count(),
        "token_id": count(),
        "text": text(),
        "num_experts": count(),
        "expert": count(),
        "weight": real(),
        "is_kept": pa.Column(bool),
        "is_first": pa.Column(bool),
        "is_tied": pa.Column(bool),
    },
    unique=[*LAYER, "position", "expert"],
    coerce=True,
    name="a passage, token by token",
)
