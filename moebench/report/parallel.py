"""What came out of the parallel room, in sentences: every number and tie from its tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from moebench.analysis.parallel.model import held_out_error
from moebench.analysis.parallel.schemas import CELL
from moebench.figures import layouts
from moebench.figures.notes import join
from moebench.figures.ticks import seconds
from moebench.report import rst
from moebench.report.layout_advice import advice

TARGET_ERROR = 0.25
MODEL_COLUMNS = {  # heading: column, format
    "per call in µs": ("call_s", 1e6, "{:.1f}"),
    "per expert in µs": ("expert_s", 1e6, "{:.1f}"),
    "GFLOP/s": ("operation_s", 1e9, "{:.1f}"),
    "GB/s": ("byte_s", 1e9, "{:.1f}"),
    "factor on collectives": ("collective_factor", 1.0, "{:.2f}"),
    "cells fitted": ("num_fitted_cells", 1.0, "{:.0f}"),
    "error on them": ("fitted_median_relative_error", 1.0, "{:.0%}"),
    "cells held out": ("num_held_out_cells", 1.0, "{:.0f}"),
    "error on these": ("held_out_median_relative_error", 1.0, "{:.0%}"),
}
RATES = ("operation_s", "byte_s")  # shown as their inverse
SHOWN_IF_ANY = (*RATES, "collective_factor")
SAME_CELL = ["document", "published_layout", "world_size", "num_experts", "batch_size", "top_k"]


def page(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Parts of the page, from the tables of the room by their names."""
    parallel = tables["parallel"].drop_duplicates(list(CELL))
    published = tables["published"]
    found = advice(tables["regimes"], tables["borders"], tables["predictions"])
    return [
        rst.heading("Replicated, sharded or distributed experts", 1),
        rst.bullets(asked(parallel)),
        rst.heading("Which layout to take", 2),
        rst.bullets(found),
        rst.heading("How far to trust the numbers", 2),
        rst.bullets([*repeatability(parallel), *model_error(parallel), *unjudged(tables["model"])]),
        model_table(tables["model"]),
        rst.heading("What a collective costs here", 2),
        links_table(tables["links"]),
        rst.heading("Beside the published durations", 2),
        rst.bullets(beside_published(published)),
        published_table(published),
    ]


def asked(parallel: pd.DataFrame) -> list[str]:
    """What was compared, with what."""
    names = [layouts.label(name) for name in layouts.order(parallel["layout"])]
    crowded = sorted(parallel.loc[parallel["oversubscribed"], "world_size"].unique())
    sentences = [
        f"Compared: {'; '.join(names)}.",
        f"{len(parallel)} cells on {join(_texts(parallel['num_cores']))} cores, "
        f"{join(_texts(parallel['threads']))} thread per rank, ranks talking through "
        f"{join(_texts(parallel['backend']))}; batch {rst.span(parallel['batch_size'])}, width "
        f"{rst.span(parallel['feature_dim'])}, top-k {rst.span(parallel['top_k'])}.",
    ]
    if crowded:
        sentences.append(
            f"At {join(map(str, crowded))} ranks there are more ranks than cores: they take turns, "
            "so these numbers say how such a run behaves, not how the layout scales."
        )
    return sentences


def repeatability(cells: pd.DataFrame) -> list[str]:
    """How far medians of one cell lie apart, within its job and in the first block."""
    sentences = []
    halves = cells["halves_ratio"].dropna()
    if len(halves):
        apart = halves.where(halves > 1, 1 / halves)
        sentences.append(
            "Earlier and later calls of a cell, halves of one job, have medians that differ by a "
            f"factor of {apart.median():.2f} (median over {len(apart)} cells) and "
            f"{apart.max():.2f} (largest); {(apart <= 1.15).mean():.0%} of the cells lie within "
            "15 %."
        )
    first = cells["first_block_ratio"].dropna()
    if len(first):
        sentences.append(
            f"The first block of a cell takes {first.median():.2f} times as long as the others "
            f"(median over cells; 95 % of cells below {first.quantile(0.95):.2f})."
        )
    return sentences


def model_error(parallel: pd.DataFrame) -> list[str]:
    """The error on held-out cells, and whether it meets the target."""
    error = held_out_error(parallel)
    if np.isnan(error):
        return ["No held-out cell has a prediction, so nothing judges the model."]
    verdict = "met" if error <= TARGET_ERROR else "NOT met"
    held_out = int(parallel.loc[parallel["is_held_out"], "predicted_duration_s"].notna().sum())
    sentences = [
        f"The model's median relative error on {held_out} held-out cells is {error:.0%}; the "
        f"target of {TARGET_ERROR:.0%} is {verdict}."
    ]
    known = parallel.groupby("layout")["predicted_duration_s"].count()
    absent = layouts.order(known.index[known == 0])
    if absent:
        names = "; ".join(layouts.label(name) for name in absent)
        sentences.append(f"Nothing is predicted of these layouts: {names}.")
    return sentences


def unjudged(model: pd.DataFrame) -> list[str]:
    """Layouts and directions of which no cell was held out, so that nothing judges their costs."""
    names = []
    for direction, costs in model.groupby("direction", sort=True):
        alone = costs.loc[costs["num_held_out_cells"] == 0, "layout"]
        which = [layouts.label(name) for name in layouts.order(alone)]
        if len(which) == len(costs):
            which = ["all layouts"]
        names += [f"{name} ({layouts.DIRECTIONS[str(direction)]})" for name in which]
    if not names:
        return []
    return [
        "Nothing is predicted, and no costs are shown, where no cell was held out to judge them: "
        f"{'; '.join(names)}."
    ]


def model_table(model: pd.DataFrame) -> str:
    """Costs of each layout and direction, as rates where a reader expects one."""
    lines = []
    for each in (
        model[model["num_held_out_cells"] > 0]
        .sort_values(["layout", "direction"])
        .to_dict("records")
    ):
        line = [layouts.label(each["layout"]), layouts.DIRECTIONS[each["direction"]]]
        for column, scale, form in MODEL_COLUMNS.values():
            value = each[column] if each[column] or column not in SHOWN_IF_ANY else np.nan
            line.append(_shown(value, column in RATES, scale, form))
        lines.append(line)
    return rst.table(["layout", "direction", *MODEL_COLUMNS], lines) if lines else ""


def _shown(value: float, is_rate: bool, scale: float, form: str) -> str:
    """A cost for a reader; a dash where there is none."""
    return rst.shown(1 / value / scale if is_rate else value * scale, form)


def links_table(links: pd.DataFrame) -> str:
    """Latency and bandwidth of each collective at each number of ranks."""
    lines = [
        [
            each["collective"].replace("_", "-"),
            str(each["world_size"]) + (" (share cores)" if each["is_oversubscribed"] else ""),
            f"{each['latency_s'] * 1e6:.1f}",
            _shown(each["bandwidth_bytes_per_s"], False, 1e-9, "{:.2f}"),
            f"{each['median_relative_error']:.0%}",
        ]
        for each in links.to_dict("records")
    ]
    header = ["collective", "ranks", "latency in µs", "GB/s", "error of the fit"]
    return rst.table(header, lines)


def beside_published(published: pd.DataFrame) -> list[str]:
    """How far the published durations of one design lie from the same design here."""
    if published.empty:
        return ["No published cell was measured here."]
    sentences = []
    for name, group in published.groupby("published_layout", sort=False):
        for role in ("same design", "done well"):
            ratio = group.loc[group["role"] == role, "published_over_measured"]
            if len(ratio):
                mine = layouts.label(group.loc[group["role"] == role, "layout"].iloc[0])
                sentences.append(
                    f"{name} as published takes {ratio.median():.1f} times as long as {mine} here "
                    f"(median of {len(ratio)} cells, {ratio.min():.1f} to {ratio.max():.1f})."
                )
    same = published[published["role"] == "same design"].groupby(
        [*SAME_CELL, "feature_dim"], dropna=False
    )["published_duration_s"]
    spread = (same.max() / same.min())[same.size() > 1]
    if len(spread):
        sentences.append(
            f"The published tables hold {len(spread)} configurations more than once; their "
            f"durations differ by up to {spread.max():.1f} times."
        )
    return sentences


def published_table(published: pd.DataFrame) -> str:
    """Published cells, and both layouts that stand beside each."""
    lines = [
        [
            f"{each['document']}, {each['table'].replace('_', ' ')}",
            each["published_layout"],
            *(str(each[name]) for name in ("world_size", "batch_size", "top_k")),
            str(each["measured_feature_dim"]),
            seconds(each["published_duration_s"]),
            layouts.label(each["layout"]),
            seconds(each["median_duration_s"]) + ("*" if each["oversubscribed"] else ""),
        ]
        for each in published.to_dict("records")
    ]
    header = [
        *("report, table", "layout", "ranks", "batch", "top-k", "width here", "published"),
        *("layout here", "median here (*: ranks share cores)"),
    ]
    return rst.table(header, lines) if lines else ""


def _texts(values: "pd.Series[Any]") -> list[str]:
    return [str(value) for value in sorted(values.unique())]
