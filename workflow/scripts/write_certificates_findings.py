"""Say in sentences which routers look at later tokens."""

from job import job

from moebench import tables
from moebench.analysis.certificates.schemas import CERTIFICATES
from moebench.report import certificates, rst

with job(snakemake):
    found = tables.read(snakemake.input.certificates, CERTIFICATES)
    rst.write(certificates.page(found), snakemake.output.rst, snakemake.output.html)
