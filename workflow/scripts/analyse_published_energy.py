"""Analyse the published energies again, and line up all that was measured elsewhere."""

import numpy as np
from job import job

from moebench import published_energy, tables
from moebench.analysis.energy import published
from moebench.analysis.energy.elsewhere import elsewhere, read_measured

with job(snakemake):
    windows = published_energy.read(snakemake.input.windows)
    training = published_energy.read_training(snakemake.input.training)
    analysed = published.analyse(windows, np.random.default_rng(0))
    tables.write(analysed, snakemake.output.published)
    tables.write(training, snakemake.output.training)
    brought = [read_measured(path) for path in snakemake.input.measured]
    tables.write(elsewhere(windows, brought), snakemake.output.elsewhere)
