"""All layouts over the real communicators: equal to ``single``, and sending what they say."""

import json
import os
import sys
from pathlib import Path

import pytest

from moebench import registry
from moebench.parallel import launch, oracle, watch

PROGRAM = Path(__file__).with_name("program.py")
LAUNCHERS = {
    "mpi": "mpiexec -n {ranks}",
    "gloo": "mpiexec -n {ranks}",
    "nccl": "mpiexec -n {ranks}",
    "gloo by torchrun": "torchrun --standalone --nproc-per-node={ranks}",
}
# Ranks share the cores with whatever runs beside them: no other test that starts ranks does.
pytestmark = pytest.mark.slow


def run(name, num_ranks, *words, **environ):
    """Start the program as so many ranks; its report."""
    command = launch.command(LAUNCHERS[name], num_ranks, [sys.executable, *words])
    threads = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    watch.run(command, num_ranks, {**os.environ, **threads, **environ})


@pytest.mark.parametrize(
    ("name", "num_ranks"),
    [*((name, ranks) for name in ("mpi", "gloo") for ranks in (2, 4, 8)), ("gloo by torchrun", 2)],
)
def test_all_layouts_agree_with_single_and_send_what_they_say(name, num_ranks, tmp_path):
    report = tmp_path / "report.json"
    run(name, num_ranks, str(PROGRAM), name.partition(" ")[0], str(report))
    found = json.loads(report.read_text())
    assert found == {
        "layouts": list(registry.names("parallel.layouts")),
        "routings": list(oracle.ROUTINGS),
        "traffic": {},
        "collectives": [],
        "world_size": num_ranks,
    }
