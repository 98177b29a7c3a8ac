"""Say which layout is the fastest where, here and elsewhere, and what others published."""

from job import job

from moebench import published_parallel, tables
from moebench.analysis.parallel.borders import borders
from moebench.analysis.parallel.comparison import compare_published
from moebench.analysis.parallel.derived import LINKS, MODEL
from moebench.analysis.parallel.links import Links
from moebench.analysis.parallel.model import Model
from moebench.analysis.parallel.regimes import regimes
from moebench.analysis.parallel.scaling import predictions
from moebench.analysis.parallel.schemas import PARALLEL

with job(snakemake):
    files, output = snakemake.input, snakemake.output
    cells = tables.read(files.parallel, PARALLEL)
    links = Links.of(tables.read(files.links, LINKS))
    model = Model.of(tables.read(files.model, MODEL))
    tables.write(regimes(cells), output.regimes)
    tables.write(borders(cells, model, links), output.borders)
    tables.write(predictions(cells, model, snakemake.params.links), output.predictions)
    published = published_parallel.read(files.published)
    tables.write(compare_published(cells, published), output.published)
