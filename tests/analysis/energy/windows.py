"""Energy windows of known truth: costs that follow a power law of the size, at constant power."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from moebench import published_energy
from moebench.analysis.energy.cells import cells
from moebench.analysis.energy.crossovers import crossovers
from moebench.analysis.energy.elsewhere import elsewhere
from moebench.analysis.energy.equal_loss import equal_loss
from moebench.analysis.energy.factors import factors
from moebench.analysis.energy.ladder import ladder
from moebench.analysis.energy.published import analyse
from moebench.analysis.energy.schemas import ENERGY
from moebench.tables import check

PUBLISHED = Path(__file__).parents[3] / "resources/published"

SIZES = {"small": 2_687_192, "large": 63_418_800, "xl": 368_287_260, "xxl": 2_789_237_600}
NLL = {"small": 0.9, "large": 0.6, "xl": 0.42, "xxl": 0.3}
IDLE_W = 60.0
REASON = "no meter: nvml: no driver; rapl: no folder"


def windows(*given, **options):
    """Windows in which a grouped mixture breaks even with the dense network at ``crossover``.

    ln(cost of dense / cost of grouped) = slope * ln(size / crossover), in joules as in seconds; the
    loop over chosen experts costs twice as much, the one over all experts three times.
    """
    return _windows(*given, **options).copy()


@cache
def _windows(
    crossover=100e6,
    *,
    slope=0.5,
    num_blocks=5,
    noise=0.0,
    with_joules=True,
    batches=(128,),
    seed=0,
    kernels=("grouped", "chosen", "naive"),
):
    rng = np.random.default_rng(seed)
    rows = []
    for block in range(num_blocks):
        common = rng.normal(0, 0.2)
        for size, num_params in SIZES.items():
            dense_s = 1e-4 * (num_params / 1e7) ** 0.8
            costs = {("dense_total", "dense"): dense_s, ("dense_active", "dense"): dense_s / 3}
            grouped_s = dense_s * (num_params / crossover) ** -slope
            factor = {"grouped": 1, "chosen": 2, "naive": 3}
            costs |= {("moe", kernel): grouped_s * factor[kernel] for kernel in kernels}
            for batch_size in batches:
                for (network, kernel), cost_s in costs.items():
                    wobble = np.exp(common + rng.normal(0, noise)) * (128 / batch_size) ** 0.3
                    rows.append(
                        row(size, network, kernel, num_params, block, batch_size, cost_s * wobble)
                    )
    table = pd.DataFrame(rows)
    return check(with_meter(table) if with_joules else table, ENERGY)


def row(size, network, kernel, num_params, block, batch_size, cost_s):
    active = num_params if network == "dense_total" else num_params // 4
    num_batches = int(2 / (cost_s * batch_size)) + 1
    inferences = num_batches * batch_size
    return {
        "size": size, "network": network, "kernel": kernel,
        "num_params": active if network == "dense_active" else num_params,
        "num_active_params": active, "num_experts": None, "top_k": None, "num_layers": 4,
        "width": 256, "batch_size": batch_size, "dtype": "f32", "device": "cpu", "boundary": "gpu",
        "plan": "quick", "process": 0, "block": block, "place": 0, "num_batches": num_batches,
        "inferences": inferences, "duration_s": inferences * cost_s,
        "inferences_per_s": 1 / cost_s, "energy_j": None, "energy_sigma_j": None,
        "energy_status": "unavailable", "energy_reason": REASON, "energy_method": None,
        "power_w": None, "inferences_per_j": None, "train_accuracy": 0.99,
        "heldout_accuracy": 0.95, "heldout_nll_nats": NLL[size] + (network != "moe") * 0.05
        + (network == "dense_active") * 0.1,
        "is_at_chance": False, "flops": 2.0 * active, "bytes": 4.0 * num_params / batch_size,
        "touched_experts": None, "is_emulated": False, "threads": 1, "num_cores": 2,
    }  # fmt: skip


def with_meter(table, power_w=100.0):
    """The same windows as a meter would have seen them, at constant power."""
    energy_j = table["duration_s"] * power_w
    return table.assign(
        energy_j=energy_j, energy_sigma_j=0.1, energy_status="measured", energy_reason=None,
        energy_method="nvml counter on GPU-0", power_w=power_w,
        inferences_per_j=table["inferences"] / energy_j,
    )  # fmt: skip


def training(sizes=SIZES, num_epochs=4):
    """Curves in which the largest dense network stays at chance."""
    rows = []
    for size, num_params in sizes.items():
        for network in ("moe", "dense_total", "dense_active"):
            for epoch in range(1, num_epochs + 1):
                stays = size == "xxl" and network == "dense_total"
                accuracy = 0.1 if stays else 0.97 - 0.6 / epoch
                rows.append(
                    {
                        "size": size, "network": network,
                        "kernel": "grouped" if network == "moe" else "dense",
                        "num_params": num_params, "device": "cpu", "epoch": epoch,
                        "train_nll_nats": 1.0, "train_accuracy": accuracy,
                        "heldout_nll_nats": 1.1, "heldout_accuracy": accuracy,
                        "is_at_chance": stays,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def tables_of(table, measured=()):
    """Every table that the room's figures and page read."""
    published, analysed, curves = _published()
    return {
        "cells": cells(table),
        "crossover": crossovers(table),
        "gains": ladder(table),
        "factors": factors(table),
        "equal_loss": equal_loss(table),
        "training": training(),
        "published": analysed,
        "published_training": curves,
        "elsewhere": elsewhere(published, measured),
    }


@cache
def _published():
    published = published_energy.read(PUBLISHED / "energy.csv")
    curves = published_energy.read_training(PUBLISHED / "energy_training.csv")
    return published, analyse(published, np.random.default_rng(0)), curves


def estimate():
    """Joules that declared constants would give, with their range."""
    table = cells(windows(with_joules=False))
    names = ["size", "network", "kernel", "batch_size", "dtype", "device", "num_params"]
    return table[names].assign(
        inferences_per_s=table["inferences_per_s"], flops=table["flops"], bytes=table["bytes"],
        estimated_energy_low_j=20 / table["inferences_per_s"],
        estimated_energy_high_j=60 / table["inferences_per_s"], energy_status="estimated",
        source="a guess",
    )  # fmt: skip
