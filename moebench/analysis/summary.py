"""The summary: one line per router and capacity factor, with intervals and the frontier."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis import blocks, cells, frontier, statistics
from moebench.analysis.certificates import gate
from moebench.analysis.columns import add_interval
from moebench.analysis.rates import perplexity
from moebench.analysis.schemas import BALANCE, BY_MODE, SUMMARY
from moebench.analysis.statistics import Array
from moebench.records import Row

NUM_DRAWS = 10_000
# What all seeds of a cell share because it follows from what was asked for.
SHARED = (
    *("num_params", "num_active_params", "top_k", "causality", "causal_mode", "learned"),
    *("device", "dtype"),
)


class Arms(NamedTuple):
    """What was measured of each arm, and draws of what seeds and rounds leave open.

    ``table`` has a line per arm, indexed by cell; ``nll_AD`` and ``speed_AD`` hold draws of
    ``val_nll_causal_nats`` and ``train_tokens_per_s``. A draw holds all arms at once. Whatever is
    said of the frontier comes from these draws and no others.
    """

    table: pd.DataFrame
    nll_AD: Array
    speed_AD: Array
    is_ranked_A: NDArray[np.bool_]

    @property
    def has_draws(self) -> bool:
        """Whether there are seeds and rounds enough to draw from."""
        return not (np.isnan(self.nll_AD).any() or np.isnan(self.speed_AD).any())


def measure(
    rows: Sequence[Row], rng: np.random.Generator, certificates: pd.DataFrame | None = None
) -> Arms:
    """Means over seeds, the median speed, and draws of both.

    An arm that a certificate shows to look at later tokens and not to say so is not ranked. Losses
    are drawn from the block model, which assumes that arms scatter alike around their seed; speeds
    from a bootstrap of whole rounds.
    """
    finals, timed = cells.final_rows(rows), cells.timed_rows(rows)
    cells.match(finals, timed)
    nll = cells.crossed(finals, "seed", "val_nll_nats")
    causal_nll = cells.crossed(finals, "seed", "val_nll_causal_nats")
    time = cells.crossed(timed, "round", "train_time_s").loc[nll.index]
    table = _over_seeds(finals, cells.setting_keys([row for row in rows if row.kind == "final"]))
    table = table.join(cells.speeds(timed))
    assert table.index.equals(nll.index)

    gate.add(table, certificates)
    nll_AD = blocks.block_draws(causal_nll.to_numpy(), rng, NUM_DRAWS)
    time_AD = statistics.median_draws(time.to_numpy(), rng, NUM_DRAWS)
    speed_AD = table["train_tokens"].to_numpy()[:, None] / time_AD
    _add_quality(table, nll, "val_nll_nats", "val_ppl")
    _add_quality(table, causal_nll, "val_nll_causal_nats", "val_ppl_causal")
    # Both are of the same bytes, so that bits go with nats.
    lost = table["val_nll_causal_nats"] / table["val_nll_nats"]
    table["val_bits_per_byte_causal"] = lost * table["val_bits_per_byte"]
    add_interval(table, "train_tokens_per_s", statistics.draws_interval(speed_AD))
    return Arms(table, nll_AD, speed_AD, gate.may_be_ranked(table).to_numpy())


def summarise(
    rows: Sequence[Row], rng: np.random.Generator, certificates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The summary of rows, see ``summary``."""
    return summary(measure(rows, rng, certificates))


def summary(arms: Arms) -> pd.DataFrame:
    """One line per arm: means over seeds, the median speed, 95 % intervals, the frontier.

    The frontier is one of causal scores. The interval of the perplexity is that of the NLL,
    exponentiated, and ``val_ppl`` is the exponential of the mean NLL: perplexities have a geometric
    mean. The interval of an arm's NLL comes from its own seeds; its chance to be on the frontier
    compares it with other arms, which the block model does better.
    """
    table = arms.table.copy()
    table["on_frontier"] = frontier.on_frontier(
        table["val_nll_causal_nats"].to_numpy(),
        table["train_tokens_per_s"].to_numpy(),
        arms.is_ranked_A,
    )
    table["p_on_frontier"] = frontier.p_on_frontier(arms.nll_AD, arms.speed_AD, arms.is_ranked_A)
    return tables.check(table, SUMMARY)


def _over_seeds(finals: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Settings, what the seeds share, and means of what they do not; indexed by cell."""
    by_cell = finals.groupby("cell", sort=False)
    shared = list(dict.fromkeys([*keys, *SHARED]))
    varying = by_cell[shared].nunique(dropna=False).max() > 1
    if varying.any():
        raise ValueError(f"{varying.idxmax()} differs between seeds of one arm")
    means = [*BALANCE, "val_bits_per_byte", *BY_MODE]
    return (
        by_cell[shared]
        .first()
        .join(by_cell[means].mean(skipna=False))
        .assign(num_seeds=by_cell.size(), peak_resident_bytes=by_cell["peak_resident_bytes"].max())
    )


def _add_quality(table: pd.DataFrame, nll: pd.DataFrame, nll_name: str, ppl_name: str) -> None:
    table[nll_name] = nll.to_numpy().mean(axis=1)
    add_interval(table, nll_name, statistics.mean_interval(nll.to_numpy()))
    for end in ("", "_low", "_high"):
        table[f"{ppl_name}{end}"] = table[f"{nll_name}{end}"].map(perplexity)
