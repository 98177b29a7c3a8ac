"""Tables of the PERFT room: every run, every arm with intervals and its place, learning curves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from moebench import tables
from moebench.analysis import blocks, frontier, statistics
from moebench.analysis.columns import add_interval
from moebench.analysis.perft import arms
from moebench.analysis.perft.schemas import ARM, CURVES, MEMORY, RUNS, SCORED, SIZE, SUMMARY
from moebench.analysis.rates import perplexity
from moebench.records import Row

NUM_DRAWS = 10_000
DRAWN = ("train_loss_nats", "answer_nll_nats", "accuracy")


def tabulate_runs(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per arm and seed."""
    table = arms.final_rows(rows)
    table["answer_ppl"] = table["answer_nll_nats"].map(perplexity)
    return tables.check(table[list(RUNS.columns)], RUNS)


def curves(rows: Sequence[Row]) -> pd.DataFrame:
    """Every quantity of DRAWN at every step of every run, one value a line."""
    read = [row for row in rows if row.kind in ("train_step", "validation")]
    if not read:
        raise ValueError("there is no training or validation row among the given rows")
    table = pd.DataFrame(
        [
            {key: arms.settings(row.spec)[key] for key in ("arm", "variant")}
            | {"seed": row.spec["seed"], "step": row.values["step"]}
            | {"quantity": quantity, "value": row.values[quantity]}
            for row in read
            for quantity in DRAWN
            if quantity in row.values
        ]
    )
    return tables.check(table.sort_values(["arm", "seed", "quantity", "step"]), CURVES)


def summarise(rows: Sequence[Row], rng: np.random.Generator) -> pd.DataFrame:
    """One line per arm: means over seeds, 95 % intervals, step time, place on both frontiers.

    ``answer_ppl`` is the exponential of the mean NLL, as is its interval. An arm is on a frontier
    where no other arm of correct weighting has fewer activated trainable parameters and a better
    score; the base alone, with none, is not in the comparison.
    """
    finals, timed = arms.final_rows(rows), arms.timed_rows(rows)
    nll, accuracy = (
        arms.crossed(finals, "seed", quantity) for quantity in ("answer_nll_nats", "accuracy")
    )
    by_arm = finals.groupby("arm", sort=False)
    shared = ["base", "data", *(key for key in ARM if key != "arm"), *SCORED, *SIZE]
    table = by_arm[shared].first().assign(num_seeds=by_arm.size())
    table = table.join(by_arm[list(MEMORY)].max()).assign(**arms.base_scores(rows))
    for quantity, values in (("answer_nll_nats", nll), ("accuracy", accuracy)):
        table[quantity] = values.mean(axis=1)
        add_interval(table, quantity, statistics.mean_interval(values.to_numpy()))
    for end in ("", "_low", "_high"):
        table[f"answer_ppl{end}"] = table[f"answer_nll_nats{end}"].map(perplexity)
    table["accuracy_questions_low"], table["accuracy_questions_high"] = proportion_confint(
        table["accuracy"] * table["num_scored_questions"],
        table["num_scored_questions"],
        alpha=statistics.SIGNIFICANCE,
        method="wilson",
    )
    _add_time(table, timed, rng)
    _add_frontier(table, "ppl", nll.to_numpy(), rng)
    _add_frontier(table, "accuracy", 1 - accuracy.to_numpy(), rng)
    return tables.check(table.reset_index()[list(SUMMARY.columns)], SUMMARY)


def _add_time(table: pd.DataFrame, timed: pd.DataFrame, rng: np.random.Generator) -> None:
    """The median step and its bootstrap interval; every arm was timed, in the same rounds."""
    time = arms.crossed(timed, "round", "train_time_s")
    if set(time.index) != set(table.index):
        different = ", ".join(sorted(set(time.index) ^ set(table.index)))
        raise ValueError(f"timed and trained arms differ in {different}; run the timing job again")
    time_AR = time.loc[table.index].to_numpy()
    table["train_time_s"] = np.median(time_AR, axis=1)
    draws_AD = statistics.median_draws(time_AR, rng, NUM_DRAWS)
    add_interval(table, "train_time_s", statistics.draws_interval(draws_AD))


def _add_frontier(
    table: pd.DataFrame, name: str, loss_AS: statistics.Array, rng: np.random.Generator
) -> None:
    """Who is beaten by nobody in both loss and activated parameters, and how surely."""
    size_A = table["num_activated_trainable_params"].to_numpy(float)
    is_correct_A = ~table["legacy_weighting"].to_numpy(bool)
    table[f"on_frontier_{name}"] = frontier.on_frontier(loss_AS.mean(axis=1), -size_A, is_correct_A)
    loss_AD = blocks.block_draws(loss_AS, rng, NUM_DRAWS)
    size_AD = np.broadcast_to(-size_A[:, None], loss_AD.shape)
    table[f"p_on_frontier_{name}"] = frontier.p_on_frontier(loss_AD, size_AD, is_correct_A)
