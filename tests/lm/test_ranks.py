"""Ranks that are processes: equal losses, and nothing lost when one is killed or told to end."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from moebench import machine, records
from moebench.lm.job import TimingJob, TokenFiles, TrainingJob, run
from moebench.parallel import start, watch
from moebench.spec import TimingSpec
from tests.lm import ranks_program
from tests.lm.test_train import numbers
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("ranks_program.py")
TORCHRUN = "torchrun --standalone --nproc-per-node={ranks}"
MPIEXEC = "mpiexec -n {ranks}"

# Sums over ranks in another order differ in the last of float32's 7 digits, 16 steps of training
# spread that, and a token that is dropped in one and not in the other moves a loss of 64 tokens by
# as much as it differs from the mean: none was.
FLOAT32 = {"rtol": 2e-4, "atol": 2e-5}


@pytest.fixture(autouse=True)
def _one_thread_and_our_path(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def one():
    """Losses of one process."""
    torch.set_num_threads(1)
    return ranks_program.losses(1)


@pytest.mark.parametrize(("launcher", "ranks"), [(TORCHRUN, 2), (MPIEXEC, 4)])
def test_losses_do_not_depend_on_the_number_of_ranks(launcher, ranks, one, tmp_path):
    report = tmp_path / "report.pt"
    start.run(launcher, ranks, [sys.executable, str(PROGRAM), str(report)])
    several = torch.load(report)
    assert several.keys() == one.keys()
    for router, wanted in one.items():
        torch.testing.assert_close(
            torch.tensor(several[router]),
            torch.tensor(wanted),
            **FLOAT32,
            msg=lambda said, router=router: f"{router}: {said}",
        )


def token_files(folder):
    tokens = learnable_tokens()
    for name in ("train", "validation"):
        np.save(folder / f"{name}.npy", getattr(tokens, f"{name}_N").numpy())
    facts = {
        name: getattr(tokens, name)
        for name in (
            *("vocab_size", "end_of_document", "num_validation_bytes"),
            *("bigram_val_nll_nats", "corpus_sha256", "tokenizer_sha256"),
        )
    }
    facts["token_count_V"] = tokens.token_count_V.tolist()
    (folder / "tokens.json").write_text(json.dumps(facts))
    return TokenFiles(
        train=str(folder / "train.npy"),
        validation=str(folder / "validation.npy"),
        facts=str(folder / "tokens.json"),
    )


def job_in(folder, **training):
    folder.mkdir()
    settings = {"ranks": 2, "num_steps": 120, "eval_every": 60, "checkpoint_every": 10}
    settings["layout"] = "expert"
    return TrainingJob(
        spec=run_spec("loss_free", dropout=0.1, training=settings | training),
        tokens=token_files(folder),
        code="test",
        rows=str(folder / "rows.jsonl"),
        weights=str(folder / "weights.pt"),
    )


def ranks_of_jobs():
    """Processes that are a rank of a job started from here, by their number."""
    found = {}
    for each in psutil.Process().children(recursive=True):
        try:
            if "moebench.lm.job" in each.cmdline()[2:3]:
                found[int(each.environ()["PMI_RANK"])] = each
        except (psutil.NoSuchProcess, psutil.ZombieProcess, KeyError):
            continue
    return found


def when_saved(checkpoint, strike):
    """Do something to a run as soon as it has left a checkpoint, and some steps later."""

    def wait():
        end = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        strike()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_ranks_of_which_one_was_killed_and_which_were_told_to_end_go_on_identically(
    tmp_path, capfd
):
    undisturbed, disturbed = job_in(tmp_path / "a"), job_in(tmp_path / "b")
    run(undisturbed, MPIEXEC)
    checkpoint = tmp_path / "b/checkpoint.pt"

    killer = when_saved(checkpoint, lambda: ranks_of_jobs()[1].kill())
    with pytest.raises(watch.RanksError, match="rank 1 of 2 died without a word"):
        run(disturbed, MPIEXEC)
    killer.join()
    assert not ranks_of_jobs()
    killed_at = torch.load(checkpoint, weights_only=True)["step"]
    assert killed_at < 120

    def ask_to_end():
        os.kill(os.getpid(), signal.SIGTERM)

    changed = checkpoint.stat().st_mtime_ns
    asker = when_saved(Newer(checkpoint, changed), ask_to_end)
    with pytest.raises(watch.RanksError, match=r"Terminated: asked to end \(SIGTERM\) after step"):
        run(disturbed, MPIEXEC)
    asker.join()
    assert not ranks_of_jobs()
    assert killed_at < torch.load(checkpoint, weights_only=True)["step"] < 120

    run(disturbed, MPIEXEC)
    said = capfd.readouterr().out
    assert said.count(f"going on after step {killed_at} of") == 1
    assert said.count("going on after step") == 2
    both = [records.read([job.rows]) for job in (undisturbed, disturbed)]
    assert numbers(both[0]) == numbers(both[1])
    assert not checkpoint.exists()
    weights = [
        torch.load(job.weights, weights_only=True)["model"] for job in (undisturbed, disturbed)
    ]
    for name, tensor in weights[0].items():
        assert torch.equal(weights[1][name], tensor)


class Newer:
    """A file that counts as there once it was written anew."""

    def __init__(self, path, since_ns):
        self.path = path
        self.since_ns = since_ns

    def exists(self):
        return self.path.stat().st_mtime_ns > self.since_ns


def test_ranks_time_their_arms_together(tmp_path):
    specs = [run_spec(router, training={"ranks": 2}) for router in ("softk", "dense")]
    job = TimingJob(
        specs=specs,
        timing=TimingSpec(warmup_steps=1, num_steps=3),
        tokens=token_files(tmp_path),
        code="test",
        rows=str(tmp_path / "rows.jsonl"),
    )
    run(job, MPIEXEC)
    rows = records.read([job.rows])
    assert len(rows) == 2 * 3
    for row in rows:
        assert row.setting["world_size"] == 2
        assert row.setting["num_cores"] == machine.num_cores()
        assert row.setting["is_oversubscribed"] == (machine.num_cores() < 2)
        assert row.setting["is_pinned"] == (machine.num_cores() <= 2)
        assert row.values["train_tokens"] == 4 * 16
        assert row.values["train_tokens_per_s"] * row.values["train_time_s"] == pytest.approx(64)
