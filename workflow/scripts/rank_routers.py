"""Compare the order of the routers between experiments."""

import numpy as np
import pandas as pd
from job import job

from moebench import tables
from moebench.analysis import rank_stability

with job(snakemake):
    files, outputs, rng = snakemake.input, snakemake.output, np.random.default_rng(0)
    each = zip(snakemake.params.experiments, files.runs, files.contrasts, strict=True)
    found = [
        condition
        for name, runs, pairs in each
        for condition in rank_stability.conditions(name, pd.read_csv(runs), pd.read_csv(pairs), rng)
    ]
    among = rank_stability.distinct(found)
    tables.write(rank_stability.stability(among), outputs.stability)
    tables.write(rank_stability.ranks(among), outputs.ranks)
    tables.write(rank_stability.distribution(among), outputs.distribution)
