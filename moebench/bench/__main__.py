"""``python -m moebench.bench``: how fast the layer and the training step are on this machine."""

import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from tqdm import tqdm

from moebench import machine, records
from moebench.bench import energy as kernels
from moebench.bench import layer as layers
from moebench.bench import parallel as layouts
from moebench.bench import step as steps
from moebench.bench.peers import Size
from moebench.parallel import launch, watch
from moebench.parallel.ranks import Ranks
from moebench.spec import PUBLISHED_SHAPES
from moebench.spec.problems import one_of

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)

Rounds = Annotated[int, typer.Option(min=6, help="measured rounds of each comparison")]
Device = Literal["cpu", "cuda"]
Rows = Annotated[Path | None, typer.Option(help="write every reading to this file, as JSON lines")]


def _several(help_text: str, *default: int) -> Any:
    """An option that may be repeated."""
    return typer.Option(
        min=1, help=f"{help_text}; may be repeated", default_factory=lambda: list(default)
    )


@app.command()
def layer(
    tokens: Annotated[list[int], _several("tokens", 512, 4096)],
    dim: Annotated[list[int], _several("width", 256, 512)],
    num_experts: Annotated[list[int], _several("experts", 8, 32)],
    threads: Annotated[list[int], _several("CPU threads", 1, 2)],
    rounds: Rounds = 11,
    rows: Rows = None,
) -> None:
    """Compare the MoE layer with dense GEMMs, separate GEMMs and transformers' experts."""
    sizes = [
        Size(num_tokens=T, dim=D, num_experts=E)
        for T, D, E in itertools.product(tokens, dim, num_experts)
    ]
    print(layers.EXPLANATION, layers.table_head(), sep="\n\n")
    measured = []
    for cell, found in layers.measure_layer(sizes, threads, rounds):
        measured.append((cell, found))
        tqdm.write(layers.table_line(cell, found))
    asked, met = layers.targets_met(measured)
    print(f"{met} of {asked} targets met")
    if rows:
        records.write([row for _, found in measured for row in found], rows)


@app.command("train_step")
def train_step(
    threads: int = 1,
    device: Annotated[Device, typer.Option(help="where to compute")] = "cpu",
    rounds: Rounds = 11,
    rows: Rows = None,
) -> None:
    """Compare a training step with the machine's GEMM rate and with the published code's way."""
    print(steps.EXPLANATION, end="\n\n")
    measured = steps.measure_step(threads, rounds, device)
    found = list(tqdm(measured, total=rounds, unit="round"))
    print(steps.account(found))
    if rows:
        records.write([row for each in found for row in each], rows)


@app.command()
def parallel(
    num_ranks: Annotated[list[int], _several("ranks, 4 or 8", *layouts.NUM_RANKS)],
    launcher: Annotated[
        str, typer.Option(help="starts ranks; {ranks} is their number")
    ] = "mpiexec -n {ranks}",
    rounds: Rounds = 31,
    rows: Rows = None,
) -> None:
    """Compare layouts of an MoE layer with each other and with their floors, over MPI."""
    print(layouts.EXPLANATION.format(calls=layouts.CALLS), end="\n\n")
    found = []
    with machine.exclusive(), tempfile.TemporaryDirectory() as folder:
        for count in num_ranks:
            path = Path(folder) / f"{count}.jsonl"
            rank = [sys.executable, "-m", "moebench.bench", "parallel-rank", str(path)]
            watch.run(
                launch.command(launcher, count, [*rank, "--rounds", str(rounds)]), count, os.environ
            )
            found += records.read([path])
    print(layouts.account(found))
    if rows:
        records.write(found, rows)


@app.command(hidden=True)
def parallel_rank(path: Path, rounds: Rounds = 31) -> None:
    """What ``parallel`` starts: one rank; the first writes the rows."""
    with Ranks() as ranks:
        found = layouts.measure(ranks.join("mpi"), rounds)
        if ranks.place.rank == 0:
            records.write(found, path)


@app.command()
def energy(
    threads: Annotated[list[int], _several("CPU threads", 1, 2)],
    size: Annotated[list[str] | None, typer.Option(help="sizes; all that fit by default")] = None,
    batch_size: int = 128,
    rounds: Rounds = 11,
    rows: Rows = None,
) -> None:
    """Compare the mixture's kernels with one another and with experts that need no dispatch."""
    asked_for = size or list(PUBLISHED_SHAPES)
    for each in asked_for:
        one_of(each, PUBLISHED_SHAPES)
    sizes, too_large = kernels.fitting(asked_for, machine.memory_bytes())
    print(kernels.EXPLANATION, end="\n\n")
    for each in too_large:
        print(f"{each} does not fit in the memory of this machine and is left out")
    print(kernels.table_head())
    measured = []
    for cell, found in kernels.measure_energy(sizes, batch_size, threads, rounds):
        measured.append((cell, found))
        tqdm.write(kernels.table_line(cell, found))
    asked, met = kernels.targets_met(measured)
    print(f"{met} of {asked} targets met")
    if rows:
        records.write([row for _, found in measured for row in found], rows)


def main() -> None:
    """Run a command; what the machine cannot do is one line and exit code 1."""
    try:
        app()
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
