"""From rows to tables: a line for each window and boundary, and a line for each epoch."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis.energy.schemas import ENERGY, TRAINING, WINDOW
from moebench.analysis.load import load_cv, num_dead
from moebench.meters.base import refuse_doubles
from moebench.records import Row

# A network is at chance where its accuracy is within so many standard errors of naming the
# commonest class every time.
_ERRORS = 3.0


def tabulate_windows(rows: Sequence[Row]) -> pd.DataFrame:
    """The main table of the room. Raises ValueError for rows of a test double."""
    trained = {
        (row.spec["size"], row.spec["network"]): row.values
        for row in sorted(_of("epoch", rows), key=lambda row: row.values["epoch"])
    }
    lines = [
        {**shared, "boundary": name, **_joules(energy, shared)}
        for row in _of("window", rows)
        for shared in [_window(row, trained.get((row.spec["size"], row.spec["network"])))]
        for name, energy in row.values["energy"].items()
    ]
    refuse_doubles([f"{line['device']} {line['energy_method']}" for line in lines], "energy rows")
    table = tables.check(pd.DataFrame(lines), ENERGY)
    return table.sort_values([*WINDOW, "boundary"], ignore_index=True)


def tabulate_training(rows: Sequence[Row]) -> pd.DataFrame:
    """The curves of training; without a row where no network was trained."""
    lines = []
    for row in _of("epoch", rows):
        values = row.values
        gross = next(iter(values["energy"].values()))
        lines.append(
            {
                **_network(row),
                "kernel": "grouped" if row.spec["network"] == "moe" else "dense",
                "device": row.setting["device"],
                **{name: values[name] for name in TRAINING.columns if name in values},
                "is_at_chance": is_at_chance(values, row.spec),
                **_balance(values["heldout_load_E"]),
                "energy_j": gross["energy_j"],
                "energy_status": gross["status"],
                "energy_reason": gross["reason"] or None,
            }
        )
        refuse_doubles([f"{row.setting['device']} {gross['method']}"], "energy rows")
    table = tables.check(pd.DataFrame(lines, columns=list(TRAINING.columns)), TRAINING)
    return table.sort_values(["size", "network", "device", "epoch"], ignore_index=True)


def is_at_chance(values: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Whether the held-out accuracy tells nothing from naming the commonest class every time."""
    share = values["heldout_majority_share"]
    error = math.sqrt(share * (1 - share) / spec["learning"]["num_heldout"])
    return bool(values["heldout_accuracy"] < share + _ERRORS * error)


def _balance(load_E: list[int] | None) -> dict[str, Any]:
    """How even the load of a mixture's experts is."""
    if load_E is None:
        return {"heldout_load_cv": None, "num_dead_experts": None}
    return {"heldout_load_cv": load_cv(load_E), "num_dead_experts": num_dead(load_E)}


def _of(kind: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.kind == kind]


def _network(row: Row) -> dict[str, Any]:
    spec, shape = row.spec, row.spec["shape"]
    is_mixture = spec["network"] == "moe"
    return {
        "size": spec["size"],
        "network": spec["network"],
        "num_params": spec["num_params"],
        "num_active_params": spec["num_active_params"],
        "num_experts": shape["num_experts"] if is_mixture else None,
        "top_k": shape["top_k"] if is_mixture else None,
        "num_layers": shape["num_layers"],
        "width": spec["width"],
    }


def _window(row: Row, trained: dict[str, Any] | None) -> dict[str, Any]:
    """What all lines of a window share."""
    spec, values, setting = row.spec, row.values, row.setting
    learnt = None
    if trained is not None:
        seen = {"heldout_majority_share": trained["heldout_majority_share"]}
        learnt = is_at_chance(seen | {"heldout_accuracy": values["heldout_accuracy"]}, spec)
    return {
        **_network(row),
        **{key: spec[key] for key in ("kernel", "batch_size", "dtype", "plan")},
        **{key: setting[key] for key in ("device", "threads", "num_cores")},
        **{name: values[name] for name in ENERGY.columns if name in values},
        "train_accuracy": trained["train_accuracy"] if trained is not None else None,
        "is_at_chance": learnt,
    }


def _joules(energy: dict[str, Any], window: dict[str, Any]) -> dict[str, Any]:
    """What one boundary says of a window; joules of 0 have no rates, and the table refuses them."""
    energy_j = energy["energy_j"]
    return {
        "energy_j": energy_j,
        "energy_sigma_j": energy["sigma_j"],
        "energy_status": energy["status"],
        "energy_reason": energy["reason"] or None,
        "energy_method": energy["method"] or None,
        "power_w": None if not energy_j else energy_j / window["duration_s"],
        "inferences_per_j": None if not energy_j else window["inferences"] / energy_j,
    }
