"""Who started this process, how to start ranks, and what is watched meanwhile; without any rank."""

import json
import socket

import pytest

from moebench.parallel import watch
from moebench.parallel.launch import Place, chosen, command, place
from moebench.parallel.lifeline import Lifeline
from moebench.parallel.trace import Message, Trace

ENVIRONMENTS = {
    "torchrun": {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"},
    "mpiexec": {"PMI_RANK": "3", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1"},
    "mpiexec of Open MPI": {
        "OMPI_COMM_WORLD_RANK": "3",
        "OMPI_COMM_WORLD_SIZE": "4",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    },
    "srun": {
        "SLURM_PROCID": "3",
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_NTASKS": "9",
        "SLURM_LOCALID": "1",
    },
}


@pytest.mark.parametrize("launcher", ENVIRONMENTS)
def test_every_launcher_says_where_a_rank_stands(launcher):
    found = place(ENVIRONMENTS[launcher])
    assert found == Place(launcher=launcher.partition(" ")[0], rank=3, world_size=4, local_rank=1)


def test_a_process_started_by_itself_is_the_only_rank():
    assert place({}) == Place(launcher="none", rank=0, world_size=1, local_rank=0)


def test_the_shell_of_a_slurm_job_is_not_one_of_its_ranks():
    shell = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"}
    assert place(shell).world_size == 1


def test_mpiexec_inside_a_slurm_job_decides():
    assert place(ENVIRONMENTS["srun"] | {"PMI_RANK": "1", "PMI_SIZE": "2"}).rank == 1


def test_a_launcher_is_one_line_of_config():
    program = ["python", "-m", "thing"]
    assert command("srun -n {ranks} --mpi=pmi2", 4, program) == [
        *["srun", "-n", "4", "--mpi=pmi2"],
        *program,
    ]
    assert command("/opt/torchrun --nproc-per-node={ranks}", 2, program) == [
        *["/opt/torchrun", "--nproc-per-node=2", "--no-python"],
        *program,
    ]


def test_a_launcher_without_a_number_of_ranks_is_refused():
    with pytest.raises(ValueError, match=r"'mpiexec -n 4' does not say .* write \{ranks\}"):
        command("mpiexec -n 4", 4, ["python"])


def test_a_single_rank_needs_no_launcher():
    assert command("", 1, ["python", "-m", "job"]) == ["python", "-m", "job"]
    with pytest.raises(ValueError, match="where the number of ranks goes"):
        command("", 2, ["python"])


def test_auto_is_srun_inside_a_slurm_job_and_torchrun_elsewhere():
    inside = chosen("auto", 3, {"SLURM_JOB_ID": "17"})
    assert command(inside, 2, ["job"]) == ["srun", "-n", "2", "--cpus-per-task=3", "job"]
    assert chosen("auto", 3, {}).startswith("torchrun --standalone")
    assert chosen("mpiexec -n {ranks}", 3, {"SLURM_JOB_ID": "17"}) == "mpiexec -n {ranks}"


def test_ranks_are_told_once_to_end_and_late_ones_too(watched, monkeypatch):
    monkeypatch.setattr(watch, "_GRACE_S", 0.2)
    over_two, rank = watched
    early = rank(0)
    early.say(met=True)
    over_two.until_over(lambda: True, lambda: True)
    over_two.until_over(lambda: True, lambda: True)
    for line in (early, rank(1)):
        assert json.loads(line.messages.readline()) == {"end": True}
    early.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        early.messages.readline()


def test_a_missing_launcher_is_said_with_what_to_install():
    with pytest.raises(watch.RanksError, match="'mpixec' is not on PATH; 'pip install mpich'"):
        watch.run(["mpixec", "-n", "2", "python"], 2, {})


def test_a_program_that_ends_before_it_starts_ranks_is_said(monkeypatch):
    monkeypatch.setattr(watch, "_GRACE_S", 0.2)
    with pytest.raises(watch.RanksError, match="sh ended with exit code 3 when 0 of 2 ranks"):
        watch.run(["sh", "-c", "exit 3"], 2, {})


class Line:
    """A rank's end of a lifeline, without a rank."""

    def __init__(self, address, **first):
        self.socket = socket.create_connection(address, timeout=5)
        self.messages = self.socket.makefile()
        self.say(**first)

    def say(self, **message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def close(self):
        self.messages.close()
        self.socket.close()


@pytest.fixture
def watched():
    """A watch over two ranks, and a way to be one of them."""
    lines = []
    with socket.create_server((watch.LOOPBACK, 0)) as server:
        over_two = watch.Watch(server, 2)

        def rank(number, password=over_two.password):
            lines.append(Line(server.getsockname(), rank=number, password=password))
            return lines[-1]

        yield over_two, rank
        for each in lines:
            each.close()
        over_two.close()


def test_the_first_rank_to_go_without_goodbye_is_named(watched):
    over_two, rank = watched
    rank(0).say(done=True)
    rank(1).close()
    over_two.until_over(lambda: False)
    assert over_two.death == ("rank 1 of 2 died without a word: it was killed, or out of memory")


def test_the_last_words_of_a_rank_are_passed_on(watched):
    over_two, rank = watched
    rank(0).say(failed="ValueError: no luck")
    over_two.until_over(lambda: False)
    assert over_two.death == "rank 0 of 2 failed: ValueError: no luck"


def test_a_rank_that_fails_because_another_went_is_not_the_first_to_die(watched):
    over_two, rank = watched
    gone, left = rank(0), rank(1)
    left.say(failed="RuntimeError: connection closed by peer")
    gone.close()
    over_two.until_over(lambda: False)
    assert over_two.death == ("rank 0 of 2 died without a word: it was killed, or out of memory")


def test_ranks_that_say_goodbye_are_done(watched):
    over_two, rank = watched
    for number in (1, 0):
        line = rank(number)
        line.say(done=True)
        line.close()
    over_two.until_over(lambda: False)
    assert over_two.is_done
    assert over_two.death is None


def test_the_line_of_a_rank_that_has_gone_is_closed_at_once(watched):
    _, rank = watched
    line = rank(0)
    line.say(done=True)
    line.socket.shutdown(socket.SHUT_WR)
    assert line.messages.read() == ""  # ends when the other end is closed, or fails after a while


def test_strangers_are_not_ranks(watched, monkeypatch):
    monkeypatch.setattr(watch, "_GRACE_S", 0.2)
    over_two, rank = watched
    rank(1, password="guessed").say(failed="nonsense")
    over_two.until_over(lambda: True)
    assert over_two.num_met == 0
    assert over_two.death is None


def test_a_meeting_place_is_made_known_to_all_ranks_late_ones_too(watched, monkeypatch):
    monkeypatch.setattr(watch, "_GRACE_S", 0.2)
    over_two, rank = watched
    early = rank(0)
    early.say(address=["host", 5])
    over_two.until_over(lambda: True)
    for line in (early, rank(1)):
        assert json.loads(line.messages.readline()) == {"address": ["host", 5]}


def test_ranks_without_a_parent_hold_no_line():
    assert Lifeline.of(0, {}) is None


def test_time_is_booked_on_the_part_it_belongs_to():
    ticks = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    trace = Trace()
    trace.start(lambda: next(ticks))
    trace.mark("routing")
    trace.carry_out(Message("all_reduce", 8, 4), lambda: None, lambda: None)
    trace.stop("experts")
    assert trace.parts_s == {"routing": 1, "experts": 2 + 5, "waiting": 3, "all_reduce": 4}
    trace.mark("unheard")
    assert "unheard" not in trace.parts_s


def test_what_was_sent_is_counted_until_it_is_forgotten():
    trace = Trace()
    trace.sent[Message("all_reduce", 8, 4)] += 2
    trace.sent[Message("all_gather", 4, 4)] += 1
    trace.reset()
    assert not trace.sent
