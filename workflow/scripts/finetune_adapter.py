"""Finetune and score one adapter with every seed."""

from pathlib import Path

from job import job

from moebench.perft.cell import Inputs, finetune_cell
from moebench.spec import AdapterRunSpec

with job(snakemake):
    given = snakemake.input
    finetune_cell(
        [AdapterRunSpec(**spec) for spec in snakemake.params.specs],
        Inputs(
            base=Path(given.base[0]).parent,
            train=Path(given.train),
            held_out=Path(given.held_out),
        ),
        rows=Path(snakemake.output.rows),
        adapters=list(map(Path, snakemake.output.adapters)),
        code=snakemake.params.code["digest"],
    )
