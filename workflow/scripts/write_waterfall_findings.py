"""Say in sentences which defect of the published recipe moves what."""

from job import job

from moebench import tables
from moebench.analysis.waterfall import WATERFALL
from moebench.report import rst, waterfall

with job(snakemake):
    table = tables.read(snakemake.input.waterfall, WATERFALL)
    rst.write(waterfall.page(table), snakemake.output.rst, snakemake.output.html)
