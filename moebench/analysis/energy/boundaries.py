"""Boundaries: whose joules count, and what an inference costs within each.

Quantities are of one inference: power over rate. A boundary moves the power and not the rate, so it
weighs on a network by how long an inference takes.
"""

import pandas as pd

from moebench.analysis.statistics import Array

GROSS = "gpu"
NET = "gpu_net"
WITH_HOST = "gpu_host"
TIME = "time"  # as if every network drew the same power: what rated power times time says
ASSUMED = [GROSS, NET, WITH_HOST, TIME]
LABELS = {
    GROSS: "GPU",
    NET: "GPU less idle",
    WITH_HOST: "GPU and host",
    "host": "host",
    "host_net": "host less idle",
    "node": "whole node",
    TIME: "time alone",
}
# What a figure with room for one boundary shows: the device that computes, nothing taken off.
HEADLINES = (GROSS, "host", "node")


class BoundaryError(ValueError):
    """A power that cannot be subtracted or added."""


def energy_per_inference_j(
    power_w: Array, inferences_per_s: Array, boundary: str, assumed_w: float
) -> Array:
    """Joules of one inference; under ``time`` seconds, whose ratios are all that is asked for.

    ``assumed_w`` is the idle power subtracted or the host's power added, 0 for the others.
    """
    if assumed_w < 0:
        raise BoundaryError(f"assumed power {assumed_w} W must not be negative")
    if boundary == TIME:
        return 1 / inferences_per_s
    sign = {GROSS: 0, NET: -1, WITH_HOST: 1}[boundary]
    counted_w = power_w + sign * assumed_w
    if (counted_w <= 0).any():
        raise BoundaryError(
            f"idle power {assumed_w} W is not below the lowest power measured, "
            f"{power_w.min():.2f} W; assume less"
        )
    return counted_w / inferences_per_s


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of each device under its one boundary to show: the first that has joules."""
    chosen = {device: _first(mine) for device, mine in table.groupby("device")}
    return table[table["boundary"] == table["device"].map(chosen)]


def _first(lines: pd.DataFrame) -> str:
    with_joules = set(lines.dropna(subset=["inferences_per_j"])["boundary"])
    there = with_joules or set(lines["boundary"])
    return next((name for name in HEADLINES if name in there), sorted(there)[0])
