"""What a call of a layout costs: calls, experts, operations and bytes of a rank, and collectives.

    time = share of a core * (call_s + expert_s * experts + operation_s * FLOPs + byte_s * bytes)
           + collective_factor * collectives as the probes of the links have them

Each layout and direction has costs of its own, fitted to the medians of some of the cells; the rest
of the cells judge the fit. The collectives' factor is 1 where a layout's collectives cost what they
cost alone, more where ranks come to them at different times. Shapes: C cells, J terms.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis.parallel import layout_costs, positive_sum
from moebench.analysis.parallel.derived import MODEL, SIZE
from moebench.analysis.parallel.links import Links, LinksLike
from moebench.analysis.parallel.schemas import CELL

Array = NDArray[np.float64]
Arm = tuple[str, str]  # layout, direction

TERMS = ("call_s", "expert_s", "operation_s", "byte_s", "collective_factor")
ARM = ["layout", "direction"]
FEWEST_CELLS = 3  # fewer would be repeated exactly by any model


@dataclass(frozen=True)
class Model:
    """Costs (J) of each term, by layout and direction."""

    costs: Mapping[Arm, Array]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Model":
        """The model that a table of costs holds, as far as held-out cells have judged it.

        Costs can be made to fit a few cells exactly and then predict anything: where no cell of a
        layout and direction was held out, nobody can tell, so nothing is predicted.
        """
        table = table[table["num_held_out_cells"] > 0]
        values = table[list(TERMS)].to_numpy(float)
        keys = zip(table["layout"], table["direction"], strict=True)
        return cls(dict(zip(keys, values, strict=True)))

    def duration_s(self, cells: pd.DataFrame, links: LinksLike) -> "pd.Series[float]":
        """Predicted time of each cell; NaN where its layout has no costs or a link no probe.

        ``cells`` has the columns of a size, ``layout`` and ``cores_per_rank``, at most 1.
        """
        predicted = pd.Series(np.nan, index=cells.index, dtype=float)
        for (layout, direction), group in cells.groupby(ARM, sort=False):
            cost_J = self.costs.get((str(layout), str(direction)))
            if cost_J is not None and layout_costs.is_known(str(layout)):
                predicted.loc[group.index] = np.dot(terms(group, links), cost_J)
        return predicted


def terms(cells: pd.DataFrame, links: LinksLike) -> Array:
    """Terms (C, J) of cells of one layout and direction; NaN where a collective was not probed."""
    layout, direction = cells["layout"].iloc[0], cells["direction"].iloc[0]
    work = layout_costs.work(layout, cells)
    share_C = cells["cores_per_rank"].to_numpy(float)
    if work.is_alone:
        share_C = np.ones_like(share_C)
    collectives_C = links.times_s(layout_costs.messages(layout, direction, cells), len(cells))
    own_CJ = np.stack([np.ones(len(cells)), work.experts_C, work.flops_C, work.bytes_C], axis=1)
    return np.column_stack([own_CJ / share_C[:, None], collectives_C])


def fit_model(cells: pd.DataFrame, links: pd.DataFrame, held_out_share: float) -> pd.DataFrame:
    """One line of costs per layout and direction, with its errors on cells fitted and held out.

    ``cells`` and ``links`` are the tables of these names.
    A layout whose costs are unknown, or with fewer than three cells to fit, has no line.
    """
    prepared = with_split(cells.drop_duplicates(list(CELL)), held_out_share)
    lines = []
    for (layout, direction), group in prepared.groupby(ARM, sort=True):
        if not layout_costs.is_known(str(layout)):
            continue
        term_CJ = terms(group, Links.of(links))
        time_C = group["median_duration_s"].to_numpy(float)
        is_probed_C = np.isfinite(term_CJ).all(axis=1)
        is_held_out_C = group["is_held_out"].to_numpy(bool)
        is_fitted_C = is_probed_C & ~is_held_out_C
        if is_fitted_C.sum() < FEWEST_CELLS:
            continue
        cost_J = positive_sum.fit(term_CJ[is_fitted_C], time_C[is_fitted_C])
        error_C = positive_sum.relative_errors(term_CJ @ cost_J, time_C)
        judged_C = is_probed_C & is_held_out_C
        lines.append(
            {"layout": layout, "direction": direction}
            | dict(zip(TERMS, cost_J, strict=True))
            | {
                "num_fitted_cells": int(is_fitted_C.sum()),
                "num_held_out_cells": int(judged_C.sum()),
                "fitted_median_relative_error": np.median(error_C[is_fitted_C]),
                "held_out_median_relative_error": (
                    np.median(error_C[judged_C]) if judged_C.any() else np.nan
                ),
            }
        )
    return tables.check(pd.DataFrame(lines, columns=list(MODEL.columns)), MODEL)


def predict(
    cells: pd.DataFrame, links: pd.DataFrame, model: pd.DataFrame, held_out_share: float
) -> pd.DataFrame:
    """The cells with ``predicted_duration_s``, and ``is_held_out`` for those that judge the fit."""
    prepared = with_split(cells, held_out_share)
    return cells.assign(
        predicted_duration_s=Model.of(model).duration_s(prepared, Links.of(links)),
        is_held_out=prepared["is_held_out"],
    )


def with_split(cells: pd.DataFrame, held_out_share: float) -> pd.DataFrame:
    """Cells with their share of a core, and whether they are held out.

    All layouts of one size fall on the same side. The order is that of a digest of the
    size, so it depends on nothing but the sizes, and the share is met to within one.
    """
    sizes = cells[list(SIZE)].drop(columns=["direction", "backend", "communicator"])
    keys = [json.dumps(list(map(int, size))) for size in sizes.itertuples(index=False)]
    ordered = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    held_out = set(ordered[: math.floor(held_out_share * len(ordered))])
    return with_cores(cells).assign(is_held_out=[key in held_out for key in keys])


def with_cores(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with the share of a core that each thread of a rank has, at most 1."""
    num_threads = cells["world_size"] * cells["threads"]
    return cells.assign(cores_per_rank=np.minimum(1.0, cells["num_cores"] / num_threads))


def held_out_error(cells: pd.DataFrame) -> float:
    """Median relative error over the held-out cells that have a prediction; NaN without any."""
    measured = cells.drop_duplicates(list(CELL))
    judged = measured[measured["is_held_out"]].dropna(subset=["predicted_duration_s"])
    errors_C = positive_sum.relative_errors(
        judged["predicted_duration_s"].to_numpy(float), judged["median_duration_s"].to_numpy(float)
    )
    return float(np.median(errors_C)) if len(errors_C) else np.nan
