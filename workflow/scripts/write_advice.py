"""Say what to choose, from the tables of this run."""

from pathlib import Path

from job import job

from moebench import records, tables
from moebench.report import rst
from moebench.report.advice import questions, written

with job(snakemake):
    found = {Path(path).stem: tables.read_plain(path) for path in snakemake.input.tables}
    experiment = snakemake.params.experiment
    answers = questions.answers(experiment, found)
    machine = questions.machine(experiment, found)
    page = written.page(answers, machine)
    records.write_text(written.text(answers, machine), snakemake.output.text)
    records.write_text(written.as_json(answers, machine), snakemake.output.json)
    records.write_text("\n".join(page), snakemake.output.rst)
    full = [*page, *written.evidence(answers)]
    rst.write(full, snakemake.output.evidence, snakemake.output.html)
