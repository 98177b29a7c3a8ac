"""The waterfall: one line per router and stage, with intervals and what the last repair moved.

Shapes: A arms, routers of one stage; S seeds; D draws.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa
from scipy import stats

from moebench import tables
from moebench.analysis.blocks import block_draws
from moebench.analysis.columns import count, encloses, interval, positive, real, text
from moebench.analysis.statistics import Array, draws_interval, mean_interval
from moebench.records import Row

NUM_DRAWS = 10_000
CHANGES = ("nll_change_nats", "speed_ratio")

WATERFALL = pa.DataFrameSchema(
    {
        "stage": count(),
        "repair": text(),
        "router": text(),
        "trained_as": text(),
        "causality": text(),
        "num_seeds": count(),
        "val_nll_nats": real(0),
        **interval("val_nll_nats", -np.inf),
        "val_ppl": real(1),
        **interval("val_ppl"),
        "tokens_per_s": positive(),
        **interval("tokens_per_s"),
        "rank": count(),
        "rank_low": real(1, nullable=True),
        "rank_high": real(1, nullable=True),
        "nll_change_nats": real(nullable=True),
        **interval("nll_change_nats", -np.inf),
        "speed_ratio": positive(nullable=True),
        **interval("speed_ratio"),
    },
    checks=[
        encloses(name, f"{name}_low", f"{name}_high")
        for name in ("val_nll_nats", "val_ppl", "tokens_per_s", "nll_change_nats", "speed_ratio")
    ],
    unique=["stage", "router"],
    coerce=True,
    name="waterfall",
)


def tabulate_waterfall(rows: Sequence[Row], rng: np.random.Generator) -> pd.DataFrame:
    """One line per stage and router.

    Speeds are compared and averaged as logarithms, since what a repair does is a factor. A change
    is that from the stage before, paired by seed; the first stage has none.
    """
    readings = _readings(rows)
    stages = [here for _, here in readings.groupby("stage", sort=True)]
    parts = [
        _stage(here, before, rng) for before, here in zip([None, *stages], stages, strict=False)
    ]
    return tables.check(pd.concat(parts, ignore_index=True), WATERFALL)


def _readings(rows: Sequence[Row]) -> pd.DataFrame:
    kept = ("stage", "repair", "router", "trained_as", "seed")
    return pd.DataFrame(
        {
            **{key: row.spec[key] for key in kept},
            "val_nll_nats": row.values["val_nll_nats"],
            "log_ppl": np.log(row.values["val_ppl"]),
            "causality": row.values["causality"],
            "log_speed": np.log(row.values["tokens_per_s"]),
        }
        for row in rows
    )


def _stage(
    here: pd.DataFrame, before: pd.DataFrame | None, rng: np.random.Generator
) -> pd.DataFrame:
    nll, speed = (_crossed(here, name) for name in ("val_nll_nats", "log_speed"))
    first = here.drop_duplicates("router").set_index("router").loc[nll.index]
    table = (
        first[["stage", "repair", "trained_as", "causality"]]
        .reset_index()
        .assign(num_seeds=nll.shape[1])
    )
    _add(table, "val_nll_nats", nll.to_numpy())
    _add(table, "val_ppl", _crossed(here, "log_ppl").to_numpy(), exponential=True)
    _add(table, "tokens_per_s", speed.to_numpy(), exponential=True)
    _add_ranks(table, nll.to_numpy(), rng)
    if before is None:
        nothing = [f"{name}{end}" for name in CHANGES for end in ("", "_low", "_high")]
        return table.assign(**dict.fromkeys(nothing, np.nan))
    past_nll, past_speed = (_crossed(before, name) for name in ("val_nll_nats", "log_speed"))
    _add(table, CHANGES[0], (nll - past_nll.loc[nll.index]).to_numpy())
    _add(table, CHANGES[1], (speed - past_speed.loc[speed.index]).to_numpy(), exponential=True)
    return table


def _crossed(readings: pd.DataFrame, name: str) -> pd.DataFrame:
    """A quantity with a row per router and a column per seed; every router has every seed."""
    crossed = readings.pivot(index="router", columns="seed", values=name)
    assert not crossed.isna().to_numpy().any(), "a router lacks a seed"
    return crossed


def _add(table: pd.DataFrame, name: str, x_AS: Array, *, exponential: bool = False) -> None:
    """Mean over seeds and its interval; of logarithms, back as a factor."""
    back = np.exp if exponential else np.asarray
    low, high = mean_interval(x_AS)
    for end, values in (("", x_AS.mean(axis=1)), ("_low", low), ("_high", high)):
        table[f"{name}{end}"] = back(values)


def _add_ranks(table: pd.DataFrame, nll_AS: Array, rng: np.random.Generator) -> None:
    """Rank by loss, 1 the best, and its 95 % interval over draws."""
    table["rank"] = stats.rankdata(nll_AS.mean(axis=1), method="min").astype(int)
    draws_AD = block_draws(nll_AS, rng, NUM_DRAWS)
    if np.isnan(draws_AD).any():
        table["rank_low"] = table["rank_high"] = np.nan
        return
    ranks_AD = stats.rankdata(draws_AD, axis=0)
    low, high = draws_interval(ranks_AD.astype(float))
    table["rank_low"], table["rank_high"] = np.floor(low), np.ceil(high)
