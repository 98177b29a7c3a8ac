"""Turn energy windows into cells, crossovers, the ladder of kernels and costs at equal loss."""

from job import job

from moebench import tables
from moebench.analysis.energy import schemas
from moebench.analysis.energy.cells import cells
from moebench.analysis.energy.crossovers import crossovers
from moebench.analysis.energy.doubles import refuse
from moebench.analysis.energy.equal_loss import equal_loss
from moebench.analysis.energy.factors import factors
from moebench.analysis.energy.ladder import ladder

with job(snakemake):
    windows = tables.read(snakemake.input.windows, schemas.ENERGY)
    refuse(windows, snakemake.input.windows)
    tables.write(cells(windows), snakemake.output.cells)
    tables.write(crossovers(windows), snakemake.output.crossover)
    tables.write(ladder(windows), snakemake.output.gains)
    tables.write(factors(windows), snakemake.output.factors)
    tables.write(equal_loss(windows), snakemake.output.equal_loss)
