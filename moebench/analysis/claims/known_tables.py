"""Tables that a run can make, by the names of their files, and the columns each is sure to have."""

from collections.abc import Iterable, Mapping

import pandera.pandas as pa

from moebench.analysis import schemas, schemas_frontier, schemas_ranks, waterfall
from moebench.analysis.capacity import schemas as capacity
from moebench.analysis.certificates import schemas as certificates
from moebench.analysis.energy import derived_schemas
from moebench.analysis.energy import schemas as energy
from moebench.analysis.parallel import derived
from moebench.analysis.parallel import schemas as parallel
from moebench.analysis.perft import schemas as perft
from moebench.analysis.specialisation import schemas as specialisation

# Of an experiment that trains routers, after its name.
OF_EXPERIMENT = {
    "": schemas.RUNS,
    "_summary": schemas.SUMMARY,
    "_contrasts": schemas.CONTRASTS,
    "_published": schemas.COMPARISON,
    "_hypervolume": schemas_frontier.HYPERVOLUME,
    "_speed_up": schemas_frontier.SPEED_UP,
}
OF_ROOMS = {
    "parallel": parallel.PARALLEL,
    "parallel_links": derived.LINKS,
    "parallel_model": derived.MODEL,
    "parallel_regimes": derived.REGIMES,
    "energy_cells": derived_schemas.CELLS,
    "energy_crossover": derived_schemas.CROSSOVER,
    "energy_gains": derived_schemas.GAINS,
    "energy_factors": derived_schemas.FACTORS,
    "energy_equal_loss": derived_schemas.EQUAL_LOSS,
    "energy_training": energy.TRAINING,
    "capacity": capacity.CAPACITY,
    "waterfall": waterfall.WATERFALL,
    "certificates": certificates.CERTIFICATES,
    "specialisation": specialisation.SPECIALISATION,
    "perft": perft.RUNS,
    "perft_summary": perft.SUMMARY,
    "rank_stability": schemas_ranks.STABILITY,
    "rank_stability_ranks": schemas_ranks.RANKS,
}


def of_run(experiments: Iterable[str]) -> dict[str, pa.DataFrameSchema]:
    """Schemas of all tables that a run with these experiments can make, by name."""
    trained = {
        f"{experiment}{ending}": schema
        for experiment in experiments
        for ending, schema in OF_EXPERIMENT.items()
    }
    return trained | OF_ROOMS


def columns(known: Mapping[str, pa.DataFrameSchema]) -> dict[str, list[str]]:
    """Names of columns, by the name of the table."""
    return {name: list(schema.columns) for name, schema in known.items()}
