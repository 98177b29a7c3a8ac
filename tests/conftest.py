import gc

import hypothesis.strategies  # noqa: F401  pandera imports it late, and frozen it would object
import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

# Tests of one worker: those that start from one finished run, and those that fill the machine.
TOGETHER = {
    "one run": tuple(
        f"tests/workflow/test_{name}.py"
        for name in (
            *("advice", "crate", "energy_results", "perft", "provenance"),
            *("report", "reruns", "restart", "results"),
        )
    ),
    "cluster": ("tests/cluster/",),
    "ranks": ("tests/distributed/", "tests/parallel/test_ranks.py"),
}


class Together(LoadScopeScheduling):
    """Hand out tests one by one, but some to one worker, one after the other."""

    def _split_scope(self, nodeid):
        return next((who for who, paths in TOGETHER.items() if nodeid.startswith(paths)), nodeid)


def pytest_xdist_make_scheduler(config, log):
    """Not xdist's own groups: with pytest 9.2 they are no longer heeded."""
    return Together(config, log)


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def pytest_collection_finish():
    """Exempt libraries from collection: statsmodels collects at each call, a tenth of a second."""
    gc.freeze()


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no GPU that torch can use"))


def pytest_terminal_summary(terminalreporter):
    """Say how many tests had the GPU that they need."""
    found = {
        outcome: {each.nodeid for each in reports if "gpu" in getattr(each, "keywords", {})}
        for outcome, reports in terminalreporter.stats.items()
    }
    ran = found.get("passed", set()) | found.get("failed", set())
    if every := ran | found.get("skipped", set()):
        terminalreporter.write_line(f"GPU tests: {len(ran)} of {len(every)} ran")


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    torch.manual_seed(0)
    torch.set_num_threads(1)
