"""Every claim fits the rows that the configs ask for: it has a verdict there, or a reason."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moebench.analysis import cells
from moebench.analysis.claims import entries, known_tables
from moebench.analysis.claims.ledger import ledger
from moebench.spec import expand, parse
from tests.specs import ROOT, read_config

RNG = np.random.default_rng(0)


def filled(name, rows):
    """Rows with a made-up number in every other column of the table, and intervals around it."""
    table = pd.DataFrame(rows)
    schema = known_tables.of_run(["unified"])[name]
    for column, kind in schema.columns.items():
        if column not in table and not column.endswith(("_low", "_high", "_low_s", "_high_s")):
            is_count = "int" in str(kind.dtype).lower()
            table[column] = RNG.integers(1, 9, len(table)) if is_count else RNG.random(len(table))
    for column in table.select_dtypes("float"):
        low, high = f"{column}_low", f"{column}_high"
        if low in schema.columns:
            table[low], table[high] = 0.99 * table[column], 1.01 * table[column]
    if name == "parallel":
        table["median_low_s"] = 0.99 * table["median_duration_s"]
        table["median_high_s"] = 1.01 * table["median_duration_s"]
    return table


def of_layouts(config):
    jobs = config.parallel.jobs.values()
    cells = [cell.model_dump() for job in jobs for cell in job.cells]
    return filled("parallel", [cell | {"sweep": name} for cell in cells for name in cell["sweeps"]])


def of_energy(spec):
    networks = [("dense_total", "dense"), ("dense_active", "dense")]
    networks += [("moe", kernel) for kernel in spec.kernels]
    grid = itertools.product(spec.sizes, networks, spec.batch_sizes, spec.dtypes, ("host", "node"))
    rows = [
        {"size": size, "network": network, "kernel": kernel, "batch_size": batch, "dtype": dtype}
        | {"boundary": boundary, "energy_reason": None}
        for size, (network, kernel), batch, dtype, boundary in grid
    ]
    return filled("energy_cells", rows)


def of_capacity(spec):
    rows = [cell.model_dump() for cell in spec.cells()]
    traced = [
        row | {"routing": "trace", "router": each} for row in rows[:60] for each in ("softk",)
    ]
    keys = list(known_tables.OF_ROOMS["capacity"].columns)[:6]
    table = pd.DataFrame(rows + traced)[keys].drop_duplicates()
    return filled("capacity", table.to_dict("records"))


def of_runs(config, experiment):
    runs = [run for run in expand(config).values() if run.experiment == experiment]
    return filled(
        "unified", [cells.settings(run.model_dump()) | {"seed": run.seed} for run in runs]
    )


@pytest.mark.slow
@pytest.mark.parametrize("overlays", [(), ("seeds.yaml",)], ids=["default", "seeds"])
def test_every_claim_can_be_put_to_the_rows_of_a_config(overlays):
    config = parse(read_config(*overlays))
    here = {name: of_runs(config, name) for name in config.experiments}
    here |= {
        "parallel": of_layouts(config),
        "energy_cells": of_energy(config.energy),
        "capacity": of_capacity(config.capacity),
    }
    found = entries.read(ROOT / "config/claims.yaml")
    published = {
        name: pd.read_csv(ROOT / f"resources/published/{name}.csv")
        for trial in entries.trials(found, "published").values()
        for name in trial.tables
    }
    table = ledger(found, published, here, drawn=[])
    misfits = table[table["reason"].str.contains("do not fit", na=False)]
    assert misfits[["id", "reason"]].to_numpy().tolist() == []
    tried = table[(table["data"] == "here") & (table["verdict"] != "not testable here")]
    layouts = [key for key in found.claims if key.startswith(("C000", "C001"))]
    trials = set(layouts) & set(entries.trials(found, "here"))
    assert trials <= set(tried["id"]), "both configs measure these rows"
    for key in ("C002-02", "C002-07", "C003-01", "C003-11", "C003-12", "M-01", "M-02", "M-03"):
        assert key in set(tried["id"])
