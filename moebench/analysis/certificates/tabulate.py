"""From the readings of certificates to their table."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis.certificates import verdict
from moebench.analysis.certificates.schemas import CERTIFICATES, GAINS, PROBES
from moebench.records import Row

LEAK = ("leak_nats", "leak_nats_low", "leak_nats_high")


def tabulate_certificates(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per certificate, its class derived from its readings and from nothing else.

    Of several toys the one whose leak is surest to be large speaks, and the largest change that any
    shows.
    """
    names = dict.fromkeys(row.values["certificate"] for row in rows)
    lines = [
        _line(name, [row for row in rows if row.values["certificate"] == name]) for name in names
    ]
    table = pd.DataFrame(lines).sort_values("certificate", ignore_index=True)
    return tables.check(table, CERTIFICATES)


def _line(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    toys = [row for row in rows if row.kind == "toy"]
    trained = [row for row in rows if row.kind == "trained"]
    if not toys or len(trained) != 1:
        raise ValueError(
            f"certificate {name} is incomplete; delete its rows and run certify_router again"
        )
    worst = max(toys, key=lambda row: float(row.values["leak_nats_low"]))
    changes = {
        key: max(row.values[key] for row in toys)
        for probe in PROBES
        for key in (f"{probe}_output_change", f"{probe}_routes_changed")
    }
    readings = changes | {key: worst.values[key] for key in ("floor_nats", "heldout_nats", *LEAK)}
    spec, [own] = worst.spec, trained
    ends = [f"{gain}{end}" for gain in GAINS for end in ("", "_low", "_high")]
    return {
        "certificate": name,
        "router": spec["router"],
        "router_options": json.dumps(spec["router_options"], sort_keys=True),
        "drop_policy": spec["model"]["drop_policy"],
        "pool": spec["model"]["pool"],
        "declared": worst.values["declared"],
        "found": verdict.found(readings),
        **readings,
        "num_toys": len(toys),
        "trained_in": own.spec["experiment"],
        **{key: own.values[key] for key in ("num_windows", "parallel_nats", *ends)},
        "code_digest": worst.setting["code_digest"],
    }
