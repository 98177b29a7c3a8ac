"""Quality: whether a network has learnt its task, and what an inference costs at equal loss."""

import numpy as np
import pandas as pd

NUM_CLASSES = 10  # of the published workload, and of the one measured here
CHANCE_FACTOR = 1.5  # a network that always names the commonest class is somewhat above 1 / classes
LEARNED = 0.8  # training accuracy from which on a network counts as having learnt the task
CHANCE = "chance"
PARTLY = "partly"
YES = "learned"
UNKNOWN = "unknown"
LEARNING = [YES, PARTLY, CHANCE, UNKNOWN]


def learning(
    accuracy: "pd.Series[float]", is_at_chance: "pd.Series[bool] | None" = None
) -> "pd.Series[str]":
    """``learned``, ``partly`` or ``chance`` for each accuracy; ``unknown`` where there is none.

    ``accuracy`` is that on the training set, the only one that was published, so that networks here
    and there are judged alike. ``is_at_chance`` is the test on held-out data, where there was one;
    else an accuracy near 1 / classes is chance.
    """
    at_chance = accuracy < CHANCE_FACTOR / NUM_CLASSES
    if is_at_chance is not None:
        at_chance = is_at_chance.fillna(False).astype(bool)
    conditions = [accuracy.isna(), at_chance, accuracy < LEARNED]
    words = np.select(conditions, [UNKNOWN, CHANCE, PARTLY], YES)
    return pd.Series(words, index=accuracy.index, dtype="str")
