"""Speed of the energy room's kernels: ours, the published loops, and experts without dispatch."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from moebench import machine, provenance
from moebench.bench.turns import Arm, Ratio, num_met, quiet_rounds, ratio, times, verdict
from moebench.energy import workload
from moebench.energy.networks import Mixture, seeded
from moebench.energy.sizes import mixture_params
from moebench.kernels.base import Kernel, answer
from moebench.records import Row
from moebench.registry import load
from moebench.setting import prepare
from moebench.spec.energy import PUBLISHED_SHAPES

EXPLANATION = """\
Speed of inference with the grouped kernel (float32, CPU, gate included) over that of:
  chosen    the published code's optimised loop over chosen experts, same weights and batches
  naive     its first loop, over all experts with masks
  separate  every expert's products on the rows of this very routing, rows already in place: no
            gate, gather or sum; the floor of any way to run them
Median of round-by-round ratios [95 % bootstrap interval], and the target where there is one.
A round counts if other programs left the cores alone."""

PEERS = ("chosen", "naive", "separate")
OURS = "grouped"
_NUM_BATCHES = 4
_ROUND_S = 0.02  # calls of an arm in a round take about so long together
# Weights of the largest network, and as much again to draw and run it.
_BYTES_PER_PARAM = 6


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One line of the table."""

    size: str
    batch_size: int
    threads: int

    def target(self, peer: str) -> float | None:
        """Smallest ratio asked for, at the published batch size; None where nothing is."""
        if self.batch_size != 128:
            return None
        return {"chosen": 1.2 if self.size == "small" else 1.0, "separate": 0.8}.get(peer)


def fitting(sizes: Sequence[str], available_bytes: int) -> tuple[list[str], list[str]]:
    """Sizes whose mixture fits in memory, and those whose does not."""
    needed = {size: _BYTES_PER_PARAM * mixture_params(PUBLISHED_SHAPES[size]) for size in sizes}
    fits = [size for size in sizes if needed[size] <= available_bytes]
    return fits, [size for size in sizes if size not in fits]


def measure_energy(
    sizes: Sequence[str], batch_size: int, threads: Sequence[int], num_rounds: int
) -> Iterator[tuple[Cell, list[Row]]]:
    """Measure every cell in turn; yields it with one row for each arm and round."""
    for count in threads:
        machine.check_threads(count, "--threads")
    code = provenance.code_digest("moebench.bench.energy", f"moebench.kernels.{OURS}")
    total = len(sizes) * len(threads) * num_rounds
    with machine.exclusive(), tqdm(total=total, unit="round") as progress:
        for size in sizes:
            arms = Arms(size, batch_size)
            for count in threads:
                facts = prepare("cpu", "float32", count).facts(code)
                cell = Cell(size=size, batch_size=batch_size, threads=count)
                rows = []
                for turn, time_s in enumerate(quiet_rounds(arms.timed(), num_rounds)):
                    rows += _rows(cell, facts, turn, time_s)
                    progress.update()
                yield cell, rows


class Arms:
    """One mixture in every kernel, and its experts alone, on the same batches."""

    def __init__(self, size: str, batch_size: int):
        network = seeded("moe", PUBLISHED_SHAPES[size], seed=0)
        assert isinstance(network, Mixture)
        self.network = network.eval().requires_grad_(False)
        self.batches = workload.batches(_NUM_BATCHES, batch_size, seed=0)
        layers = self.network.experts.by_expert()
        self.in_place = []
        for x_BD in self.batches:
            chosen_BK = self.network.choices(x_BD)[1]
            rows = [(x_BD[(chosen_BK == e).any(dim=1)], layers[e]) for e in range(len(layers))]
            self.in_place.append([(x, own) for x, own in rows if len(x)])

    def runs(self) -> dict[str, Callable[[int], Any]]:
        """Each arm as a function of the number of the batch."""
        return {
            **{name: self._with(load(Kernel, name)()) for name in (OURS, "chosen", "naive")},
            "separate": lambda n: [answer(x, own) for x, own in self.in_place[n]],
        }

    def timed(self) -> dict[str, Arm]:
        """The arms, each called often enough to be clocked; as often as every other."""
        runs = self.runs()
        repeats = self._repeats(runs[OURS])

        def calls(run: Callable[[int], Any]) -> Callable[[], None]:
            @torch.inference_mode()
            def repeated() -> None:
                for turn in range(repeats * _NUM_BATCHES):
                    run(turn % _NUM_BATCHES)

            return repeated

        return {name: Arm(run=calls(run)) for name, run in runs.items()}

    def _with(self, kernel: Kernel) -> Callable[[int], Tensor]:
        def run(number: int) -> Tensor:
            self.network.kernel = kernel
            y_BC: Tensor = self.network(self.batches[number])
            return y_BC

        return run

    def _repeats(self, run: Callable[[int], Any]) -> int:
        """Passes over the batches that take about as long as a round's turn should."""
        with torch.inference_mode():
            run(0)
            start_s = time.perf_counter()
            run(0)
            time_s = time.perf_counter() - start_s
        return max(1, round(_ROUND_S / (time_s * _NUM_BATCHES)))


def ratios(rows: Sequence[Row]) -> dict[str, Ratio]:
    """Our speed over each peer's in the rows of one cell."""
    ours_s = times(rows, OURS)
    return {peer: ratio(times(rows, peer), ours_s) for peer in PEERS}


def table_head() -> str:
    """Names of the table's columns."""
    return "threads  size   batch" + "".join(f"{peer:>32}" for peer in PEERS)


def table_line(cell: Cell, rows: Sequence[Row]) -> str:
    """One line of the table."""
    found = ratios(rows)
    columns = "".join(f"{verdict(found[peer], cell.target(peer)):>32}" for peer in PEERS)
    return f"{cell.threads:7}  {cell.size:5} {cell.batch_size:6}{columns}"


def targets_met(cells: Sequence[tuple[Cell, Sequence[Row]]]) -> tuple[int, int]:
    """How many targets there are in these cells, and how many of them are met."""
    judged = [
        (found, cell.target(peer)) for cell, rows in cells for peer, found in ratios(rows).items()
    ]
    return num_met(judged)


def _rows(cell: Cell, facts: dict[str, Any], turn: int, time_s: dict[str, float]) -> list[Row]:
    spec = {"size": cell.size, "batch_size": cell.batch_size}
    return [
        Row(
            kind="kernel", spec=spec, setting=facts, values={"round": turn, "arm": arm, "time_s": s}
        )
        for arm, s in time_s.items()
    ]
