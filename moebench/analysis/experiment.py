"""All tables of one experiment that trains routers, from its rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from moebench.analysis.attainment import attainment
from moebench.analysis.contrasts import contrasts
from moebench.analysis.hypervolume import hypervolume
from moebench.analysis.runs import curves, loads, tabulate_runs
from moebench.analysis.speed_up import speed_ups
from moebench.analysis.summary import measure, summary
from moebench.records import Row
from moebench.spec import StatisticsSpec

SEED = 0  # of all draws: equal rows give equal tables


def tabulate(
    rows: Sequence[Row], statistics: StatisticsSpec, certificates: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Tables by name; those of the frontier share one set of draws."""
    rng = np.random.default_rng(SEED)
    arms = measure(rows, rng, certificates)
    return {
        "runs": tabulate_runs(rows),
        "summary": summary(arms),
        "attainment": attainment(arms),
        "hypervolume": hypervolume(arms, statistics),
        "speed_up": speed_ups(rows, arms, rng),
        "curves": curves(rows),
        "loads": loads(rows),
        "contrasts": contrasts(rows, statistics),
    }
