"""Which defect of the published recipe moves what, in sentences: every number from the table."""

from typing import Any

import pandas as pd

from moebench.figures import style
from moebench.figures.notes import join
from moebench.figures.repairs import LONG
from moebench.report import rst

SPEED_FELT = 1.03  # a smaller factor is not worth a sentence, however sure


def page(table: pd.DataFrame) -> list[str]:
    """Parts of the page, from the table of the waterfall."""
    stages = [stage for _, stage in table.groupby("stage", sort=True)]
    return [
        rst.heading("Which defect of the published recipe moves what?", 1),
        rst.bullets([*ends(stages[0], stages[-1]), *claim(stages[0], stages[-1])]),
        rst.heading("Repair by repair", 2),
        rst.bullets([repair(*pair) for pair in zip(stages, stages[1:], strict=False)]),
        rst.heading("Perplexity, rate and rank at every stage", 2),
        stages_table(table),
    ]


def ends(first: pd.DataFrame, last: pd.DataFrame) -> list[str]:
    """What the whole way does to rates and to the order."""
    falls = first.set_index("router")["tokens_per_s"] / last.set_index("router")["tokens_per_s"]
    low, high = sorted((falls.min(), falls.max()))
    return [
        f"From the published recipe to ours, the reported rate falls by a factor of {low:.3g} to "
        f"{high:.3g}, depending on the router.",
        f"Order by perplexity, best first: {_order(first)} by the published recipe, "
        f"{_order(last)} by ours.",
    ]


def claim(first: pd.DataFrame, last: pd.DataFrame) -> list[str]:
    """What the interval of each rank leaves of the order."""
    sentences = []
    for name, stage in (("By the published recipe", first), ("By ours", last)):
        if stage["rank_low"].isna().any():
            sentences.append(f"{name}, too few seeds ran to tell the routers apart.")
            continue
        sure = stage[stage["rank_low"] == stage["rank_high"]]
        named = [
            f"{style.label(each['router'])} (rank {each['rank']})"
            for each in sure.sort_values("rank").to_dict("records")
        ]
        told = f"certain is {join(named)}" if named else "no rank is certain"
        sentences.append(f"{name}, {told}; the seeds leave the other ranks open.")
    return sentences


def repair(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """What one repair moves, beyond the spread of the seeds."""
    what = LONG[after["repair"].iloc[0]]
    moved = [_change(each) for each in after.to_dict("records") if _is_moved(each)]
    factor = _speed(after)
    faster = (
        [] if factor else [_factor(each) for each in after.to_dict("records") if _is_felt(each)]
    )
    parts = []
    if moved:
        parts.append(f"moves the loss of {join(moved)} nats per token")
    if factor is not None:
        parts.append(f"changes the reported rate by a factor of {factor}")
    if faster:
        parts.append(f"changes the rate of {join(faster)}")
    if _order(before) != _order(after):
        parts.append(f"changes the order of the means to {_order(after)}")
    return f"{what} {'; it '.join(parts) if parts else 'moves nothing that the seeds can tell'}."


def stages_table(table: pd.DataFrame) -> str:
    """One row per stage and router."""
    rows = [
        [
            "published recipe" if each["repair"] == "published" else LONG[each["repair"]],
            style.label(each["router"], each["causality"]),
            _interval(each, "val_ppl", ".2f"),
            _interval(each, "tokens_per_s", ",.0f"),
            _interval(each, "rank", ".0f"),
        ]
        for each in table.to_dict("records")
    ]
    return rst.table(["last repair", "router", "perplexity", "reported tokens/s", "rank"], rows)


def _is_moved(each: Any) -> bool:
    """Whether the interval of a change leaves out 0; without an interval, nothing is said."""
    return bool(each["nll_change_nats_low"] > 0 or each["nll_change_nats_high"] < 0)


def _change(each: Any) -> str:
    low, high = each["nll_change_nats_low"], each["nll_change_nats_high"]
    change = f"{each['nll_change_nats']:+.3f} ({low:+.3f} to {high:+.3f})"
    return f"{style.label(each['router'])} by {change}"


def _is_felt(each: Any) -> bool:
    """Whether the factor of a rate is large enough to matter, and its interval leaves out 1."""
    low, high = each["speed_ratio_low"], each["speed_ratio_high"]
    ratio = each["speed_ratio"]
    return bool(max(ratio, 1 / ratio) >= SPEED_FELT and (low > 1 or high < 1))


def _factor(each: Any) -> str:
    low, high = each["speed_ratio_low"], each["speed_ratio_high"]
    factor = f"{each['speed_ratio']:.2f} ({low:.2f} to {high:.2f})"
    return f"{style.label(each['router'])} by a factor of {factor}"


def _speed(after: pd.DataFrame) -> str | None:
    """The factor by which all rates change, where all do so and clearly."""
    low, high = after["speed_ratio"].min(), after["speed_ratio"].max()
    if max(low, 1 / high) < SPEED_FELT:
        return None
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"


def _order(stage: pd.DataFrame) -> str:
    ranked = stage.sort_values(["rank", "router"], kind="stable")["router"]
    return ", ".join(map(style.label, ranked))


def _interval(each: Any, name: str, shape: str) -> str:
    low, high = each[f"{name}_low"], each[f"{name}_high"]
    value = format(each[name], shape)
    return value if pd.isna(low) else f"{value} ({low:{shape}} to {high:{shape}})"
