"""Who started this process, as which rank of how many; and how to start ranks."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """This process among those started together."""

    launcher: str  # torchrun, mpiexec, srun; none for a process started by itself
    rank: int
    world_size: int
    local_rank: int  # among the ranks of this host


AUTO = "auto"

# Variables that hold rank, world size and local rank; the first launcher found is the innermost.
# SLURM_NTASKS is of no use: the shell of a batch job has it too, and is not a rank.
_VARIABLES = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "mpiexec": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    "mpiexec.hydra": ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    "srun": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
}


def place(environ: Mapping[str, str] = os.environ) -> Place:
    """Read the place that the launcher has set; without a launcher, the one rank of one."""
    for launcher, (rank, world_size, local_rank) in _VARIABLES.items():
        if rank in environ and world_size in environ:
            return Place(
                launcher=launcher.partition(".")[0],
                rank=int(environ[rank]),
                world_size=int(environ[world_size]),
                local_rank=int(environ.get(local_rank, environ[rank])),
            )
    return Place(launcher="none", rank=0, world_size=1, local_rank=0)


def chosen(launcher: str, threads: int, environ: Mapping[str, str] = os.environ) -> str:
    """The launcher, or the one that ``auto`` stands for here; ``threads`` are those of one rank."""
    if launcher != AUTO:
        return launcher
    if "SLURM_JOB_ID" in environ:
        return f"srun -n {{ranks}} --cpus-per-task={threads}"  # which it does not learn by itself
    return "torchrun --standalone --nproc-per-node={ranks}"


def command(launcher: str, num_ranks: int, program: Sequence[str]) -> list[str]:
    """Command line that starts ``program`` as so many ranks.

    ``launcher`` is a site's own, with ``{ranks}`` where the number goes: ``mpiexec -n {ranks}``,
    ``torchrun --standalone --nproc-per-node={ranks}``, ``srun -n {ranks} --mpi=pmi2``. A single
    rank may do without: then ``launcher`` is empty.
    """
    if num_ranks == 1 and not launcher:
        return list(program)
    if "{ranks}" not in launcher:
        raise ValueError(
            f"launcher {launcher!r} does not say where the number of ranks goes; "
            "write {ranks} there, as in 'mpiexec -n {ranks}'"
        )
    words = shlex.split(launcher.replace("{ranks}", str(num_ranks)))
    if os.path.basename(words[0]) == "torchrun":
        words.append("--no-python")  # the program names its Python itself
    return [*words, *program]
