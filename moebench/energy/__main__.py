"""One process of a sweep, as the sweep itself starts it: ``python -m moebench.energy``."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from moebench import termination
from moebench.energy.limits import limited
from moebench.energy.state import State
from moebench.energy.worker import Worker, board_of
from moebench.spec.energy import EnergySpec

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="state of the sweep")],
    process: Annotated[int, typer.Argument(help="which of its processes")],
    stop_after_s: Annotated[float | None, typer.Option(help="start no window after this")] = None,
) -> None:
    """Measure the blocks of one process; what the machine cannot do is one line and exit code 1."""
    start_s = time.monotonic()

    state = State(folder)
    plan = state.plan()
    spec = EnergySpec(**plan["spec"])
    try:
        with termination.noticed() as is_to_end:

            def is_over() -> bool:
                late = stop_after_s is not None and time.monotonic() - start_s > stop_after_s
                return late or is_to_end()

            # Before the meters are opened, which write down how the GPU is set.
            with limited(board_of(spec), spec.gpu):
                Worker(spec, state, plan["code"], is_over).work(process)
            if is_to_end():
                raise termination.Terminated(
                    f"asked to end (SIGTERM) after {len(state.rows('window'))} windows, which are "
                    "kept; the same command goes on from there"
                )
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app()
