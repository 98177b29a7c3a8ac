"""Jobs that Slurm kills, cancels or ends for their time are sent again, and lose nothing."""

import pytest

from tests.cluster.conftest import finish

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survived(faults):
    """Folder of the workflow of faults, after all of it has come to a good end."""
    folder, process = faults
    finish(process, folder)
    return folder


def fates(folder, rule):
    """What Slurm printed of each attempt at a rule, in order."""
    logs = (folder / f"results/logs/slurm/rule_{rule}").glob("*.log")
    return [log.read_text() for log in sorted(logs, key=lambda log: int(log.stem))]


def test_a_job_over_its_memory_gets_more_in_its_second_attempt(survived):
    first, second = fates(survived, "over_memory")
    assert "exceeded memory limit" in first
    assert "1 of 1 steps (100%) done" in second
    assert (survived / "over_memory.txt").read_text() == "800000000\n"


def test_a_job_over_its_time_goes_on_from_its_checkpoint(survived):
    first, second = fates(survived, "over_time")
    assert "DUE TO TIME LIMIT" in first
    assert "1 of 1 steps (100%) done" in second
    assert int((survived / "over_time.txt").read_text()) > 10


def test_a_cancelled_job_is_sent_again(survived):
    first, second = fates(survived, "cancelled")
    assert "CANCELLED" in first
    assert "1 of 1 steps (100%) done" in second


def test_a_job_whose_node_was_lost_is_sent_again(survived):
    first, second = fates(survived, "lost")
    assert "NODE FAILURE" in first
    assert "1 of 1 steps (100%) done" in second


def test_a_job_that_asks_for_a_gpu_is_given_one(survived):
    assert (survived / "gpu.txt").read_text().strip() in {"0", "1"}
