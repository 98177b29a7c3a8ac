"""Published energies, analysed again: the crossover under every boundary, with its run noise.

The logs hold one window for each network. Most networks were run once more for the article; the
spread of these pairs is all that is known of the noise, so the bootstrap is a parametric one.
"""

import numpy as np
import pandas as pd

from moebench import published_energy, tables
from moebench.analysis.energy import boundaries
from moebench.analysis.energy.boundaries import energy_per_inference_j
from moebench.analysis.energy.crossover import crossing
from moebench.analysis.energy.derived_schemas import ELSEWHERE, PUBLISHED
from moebench.analysis.energy.quality import YES, learning
from moebench.analysis.statistics import CONFIDENCE, Array

# What might be subtracted or added: nobody measured it, so a range stands for it.
ASSUMED_W = {
    boundaries.GROSS: [0.0],
    boundaries.NET: [float(w) for w in range(5, 66, 5)],
    boundaries.WITH_HOST: [float(w) for w in range(25, 501, 25)],
    boundaries.TIME: [0.0],
}
NUM_DRAWS = 4000


def analyse(windows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One line per kernel, boundary and assumed power: the published crossover there."""
    noise = run_noise(windows)
    logs = windows[windows["run"] == "log"]
    # The same draws on every line, so that lines differ by what is counted and nothing else.
    noise_DNS = rng.normal(0, noise, (NUM_DRAWS, 2, len(published_energy.SIZES)))
    lines = [
        {
            "kernel": kernel,
            "boundary": boundary,
            "assumed_w": assumed_w,
            "run_noise": noise,
            **_crossover(pairs, boundary, assumed_w, noise_DNS),
        }
        for kernel, pairs in ((kernel, _pairs(logs, kernel)) for kernel in ("naive", "chosen"))
        for boundary, powers in ASSUMED_W.items()
        for assumed_w in powers
    ]
    return tables.check(pd.DataFrame(lines), PUBLISHED)


def run_noise(windows: pd.DataFrame) -> float:
    """Standard deviation of one run's ln(inferences/J), from the networks that were run twice."""
    runs = windows.pivot(index=["size", "kernel"], columns="run", values="inferences_per_j")
    ratio = (runs["log"] / runs["document"]).dropna().to_numpy(float)
    assert len(ratio) >= 2, "no network was run twice"
    return float(np.sqrt((np.log(ratio) ** 2).mean() / 2))


def points(windows: pd.DataFrame) -> pd.DataFrame:
    """The published windows as points of the figures, with a mark for what did not learn."""
    logs = windows[windows["run"] == "log"]
    described = logs.assign(
        origin="published",
        date="",
        learning=learning(logs["train_accuracy"]),
        boundary=boundaries.GROSS,
        energy_status="integrated",
    )
    return tables.check(described.reindex(columns=list(ELSEWHERE.columns)), ELSEWHERE)


def _pairs(logs: pd.DataFrame, kernel: str) -> pd.DataFrame:
    """Dense network and mixture of each size side by side, sizes ascending."""
    dense, moe = logs[logs["kernel"] == "dense"], logs[logs["kernel"] == kernel]
    both = moe.merge(dense, on="size", suffixes=("_moe", "_dense"))
    return both.sort_values("num_params_moe").reset_index(drop=True)


def _crossover(
    pairs: pd.DataFrame, boundary: str, assumed_w: float, noise_DNS: Array
) -> dict[str, object]:
    """The crossover, its interval from noise (D draws, N networks, S sizes), and its neighbours."""
    joules_NS = np.stack(
        [
            energy_per_inference_j(
                pairs[f"power_w_{name}"].to_numpy(),
                pairs[f"inferences_per_s_{name}"].to_numpy(),
                boundary,
                assumed_w,
            )
            for name in ("dense", "moe")
        ]
    )
    num_params_S = pairs["num_params_moe"].to_numpy(float)
    x_S = np.log(num_params_S)
    gain_S = np.log(joules_NS[0] / joules_NS[1])
    noise_DS = noise_DNS[:, 0, : len(pairs)] - noise_DNS[:, 1, : len(pairs)]
    tail = (1 - CONFIDENCE) / 2
    draws_D = crossing(x_S, gain_S + noise_DS)
    low, high = np.quantile(draws_D, [tail, 1 - tail], method="closest_observation")
    found = _known(float(crossing(x_S, gain_S)))
    return {
        "crossover_params": found,
        "crossover_params_low": _known(low),
        "crossover_params_high": _known(high),
        "side": _side(gain_S),
        "smallest_params": int(num_params_S[0]),
        "largest_params": int(num_params_S[-1]),
        **_neighbours(pairs, found),
    }


def _neighbours(pairs: pd.DataFrame, found: float) -> dict[str, object]:
    """The sizes on both sides of a crossover, and whether all four networks had learnt."""
    if np.isnan(found):
        return {"size_below": None, "size_above": None, "all_learned": None}
    s = int((pairs["num_params_moe"] <= found).sum()) - 1
    sizes, has_learned = list(pairs["size"]), _has_learned(pairs)
    return {
        "size_below": sizes[s],
        "size_above": sizes[s + 1],
        "all_learned": has_learned[s] and has_learned[s + 1],
    }


def _has_learned(pairs: pd.DataFrame) -> list[bool]:
    """Whether both networks of each size had learnt."""
    each = [learning(pairs[f"train_accuracy_{name}"]) == YES for name in ("dense", "moe")]
    return list(each[0] & each[1])


def _side(gain_S: Array) -> str:
    if gain_S[-1] <= 0:
        return "none"
    return "within" if (gain_S <= 0).any() else "throughout"


def _known(log_size: float) -> float:
    return float(np.exp(log_size)) if np.isfinite(log_size) else np.nan
