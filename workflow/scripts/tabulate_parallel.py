"""Turn the rows of layouts into the table of cells, with what a model predicts."""

from job import job

from moebench import records, tables
from moebench.analysis.parallel.links import fit_links
from moebench.analysis.parallel.model import fit_model, predict
from moebench.analysis.parallel.tabulate import tabulate_cells

with job(snakemake):
    output, share = snakemake.output, snakemake.params.held_out_share
    cells = tabulate_cells(records.read(snakemake.input.layouts))
    links = fit_links(records.read(snakemake.input.links))
    model = fit_model(cells, links, share)
    tables.write(predict(cells, links, model, share), output.parallel)
    tables.write(links, output.links)
    tables.write(model, output.model)
