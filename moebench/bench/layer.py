"""Speed of the MoE layer against equal work without routing and against transformers' experts."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tqdm import tqdm

from moebench import machine, provenance
from moebench.bench.peers import Peers, Size
from moebench.bench.turns import Ratio, num_met, quiet_rounds, ratio, times, verdict
from moebench.records import Row
from moebench.setting import prepare

EXPLANATION = """\
Speed of the MoE layer (gate, softk, dropless, sorted dispatch, experts; float32) over that of:
  dense          one feed-forward network of hidden width K*m*d on the same T tokens: two GEMMs with
                 an exact GELU between, the same active FLOPs, no routing
  separate       E pairs of GEMMs with a GELU between, on the row counts of this very routing, rows
                 already in place: no gate, gather or sum; the floor of any dropless layer
and that of our dispatch and experts alone over that of theirs, one routing given to both:
  olmoe_grouped  transformers' OlmoeExperts with experts_implementation='grouped_mm'
  olmoe_eager    the same with 'eager'. Both are SwiGLU with three matrices, hence as wide as 2/3 of
                 ours (to a multiple of 8) for the same FLOPs
Median of round-by-round ratios [95 % bootstrap interval], and the target where there is one.
'forward' keeps nothing for a backward pass; 'both' is forward and backward, with gradients of
input, gate weights and matrices. A round counts if other programs left the cores alone."""

# What each peer is compared with: the layer, or what of it transformers' experts do as well.
PEERS = {
    "dense": "moe",
    "separate": "moe",
    "olmoe_grouped": "experts",
    "olmoe_eager": "experts",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One line of the table: a size, a number of threads, and forward or both."""

    size: Size
    threads: int
    passes: str

    def target(self, peer: str) -> float | None:
        """Smallest ratio asked for; None where nothing is."""
        if peer == "dense":
            asked = (
                {512: 0.65, 4096: 0.80} if (self.size.num_experts, self.threads) == (8, 2) else {}
            )
            return asked.get(self.size.num_tokens)
        return {
            ("separate", "forward"): 0.80,
            ("olmoe_grouped", "forward"): 1.0,
            ("olmoe_grouped", "both"): 1.0,
            ("olmoe_eager", "forward"): 1.2,
            ("olmoe_eager", "both"): 1.5,
        }.get((peer, self.passes))


def measure_layer(
    sizes: Sequence[Size], threads: Sequence[int], num_rounds: int
) -> Iterator[tuple[Cell, list[Row]]]:
    """Measure every cell in turn; yields it with one row for each arm and round."""
    for count in threads:
        machine.check_threads(count, "--threads")
    code = provenance.code_digest("moebench.bench.layer", "moebench.dispatch.auto")
    cells = [(size, count) for count in threads for size in sizes]
    with machine.exclusive(), tqdm(total=2 * len(cells) * num_rounds, unit="round") as progress:
        for size, count in cells:
            setting = prepare("cpu", "float32", count)
            facts = setting.facts(code)
            peers = Peers(size)
            arms = {"forward": peers.forward(), "both": peers.forward_backward()}
            for passes, each in arms.items():
                cell = Cell(size=size, threads=count, passes=passes)
                rows = []
                for turn, time_s in enumerate(quiet_rounds(each, num_rounds)):
                    rows += _rows(cell, facts, turn, time_s)
                    progress.update()
                yield cell, rows


def ratios(rows: Sequence[Row]) -> dict[str, Ratio]:
    """Our speed over each peer's in the rows of one cell."""
    return {peer: ratio(times(rows, peer), times(rows, ours)) for peer, ours in PEERS.items()}


def table_head() -> str:
    """Names of the table's columns."""
    columns = "".join(f"{peer:>32}" for peer in PEERS)
    return f"threads     T    d   E  passes    ours_s{columns}"


def table_line(cell: Cell, rows: Sequence[Row]) -> str:
    """One line of the table."""
    ours_s = sorted(times(rows, "moe"))
    found = ratios(rows)
    columns = "".join(f"{verdict(found[peer], cell.target(peer)):>32}" for peer in PEERS)
    size = cell.size
    return (
        f"{cell.threads:7} {size.num_tokens:5} {size.dim:4} {size.num_experts:3}  {cell.passes:7} "
        f"{ours_s[len(ours_s) // 2]:8.4f}{columns}"
    )


def targets_met(cells: Sequence[tuple[Cell, Sequence[Row]]]) -> tuple[int, int]:
    """How many targets there are in these cells, and how many of them are met."""
    judged = [
        (found, cell.target(peer)) for cell, rows in cells for peer, found in ratios(rows).items()
    ]
    return num_met(judged)


def _rows(cell: Cell, facts: dict[str, Any], turn: int, time_s: dict[str, float]) -> list[Row]:
    spec = asdict(cell.size) | {"passes": cell.passes}
    return [
        Row(kind="layer", spec=spec, setting=facts, values={"round": turn, "arm": arm, "time_s": s})
        for arm, s in time_s.items()
    ]
