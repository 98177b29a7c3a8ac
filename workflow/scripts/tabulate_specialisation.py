"""Turn the routing traces of an experiment into tables of what its experts do."""

import json
from pathlib import Path

import numpy as np
from job import job

from moebench import tables, traces
from moebench.analysis.specialisation import tabulate
from moebench.analysis.specialisation.passage import tabulate_passage

with job(snakemake):
    output, wanted = snakemake.output, snakemake.params.spec
    found = traces.read(snakemake.input.traces)
    facts = json.loads(Path(snakemake.input.facts).read_text(encoding="utf-8"))
    rng = np.random.default_rng(wanted["seed"])
    text = tabulate.read_text(found, facts["vocab"], wanted["num_shuffles"], rng)
    tables.write(tabulate.tabulate_specialisation(found, text), output.specialisation)
    tables.write(tabulate.tabulate_load(found), output.load)
    tables.write(tabulate.tabulate_shares(found, text), output.shares)
    tables.write(tabulate.tabulate_coactivation(found), output.coactivation)
    passage = tabulate_passage(found, facts["vocab"], wanted["passage_tokens"])
    tables.write(passage, output.passage)
