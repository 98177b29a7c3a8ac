"""Compare the order of the routers between experiments."""

import numpy as np
import pandas as pd
from job import job

from moebench import tables
from moebench.analysis import rank_stability

with job(snakemake):
    files, outputs, rng = snakemake.input, snakemake.output, np.random.default_rng(0)
    read = [map(pd.read_csv, files[kind]) for kind in ("runs", "summary", "contrasts")]
    found = [
        condition
        for name, *given in zip(snakemake.params.experiments, *read, strict=True)
        for condition in rank_stability.conditions(name, *given, rng)
    ]
    among = rank_stability.distinct(found)
    tables.write(rank_stability.stability(among), outputs.stability)
    tables.write(rank_stability.ranks(among), outputs.ranks)
    tables.write(rank_stability.distribution(among), outputs.distribution)
