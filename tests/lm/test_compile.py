import pytest
import torch

from moebench import machine
from moebench.lm import trainer
from moebench.lm.evaluate import score
from moebench.lm.trainer import Trainer
from moebench.machine import MachineError
from moebench.setting import prepare
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

# torch's compiler warns itself, and hides it, which does not work where warnings are errors.
pytestmark = pytest.mark.filterwarnings("ignore")


def trained(name, *, dtype="float32", **changed):
    """A model after three steps, and their losses."""
    tokens, setting = learnable_tokens(), prepare("cpu", dtype, 1)
    learner = Trainer(run_spec(name, num_layers=1, **changed), tokens, setting)
    found = []
    for step in (1, 2, 3):
        learner.begin(step)
        loss = learner.forward(tokens.training_batch(0, step, 4, 16))
        learner.backward(loss)
        learner.update()
        found.append(loss.task.item())
    return learner, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dispatch", "dtype"),
    [
        ("loss_free", "sorted", "float32"),  # carries state
        ("noisy_topk", "grouped", "bfloat16"),  # draws
        ("top_p", "sorted", "float32"),  # chooses now more, now fewer
    ],
)
def test_what_torch_takes_apart_it_puts_together_again(monkeypatch, name, dispatch, dtype):
    """To the last bit, as long as no code is generated."""
    compile_model = trainer.compile_model
    monkeypatch.setattr(
        trainer, "compile_model", lambda model: compile_model(model, backend="eager")
    )
    found = []
    for compile in (False, True):
        learner, losses = trained(
            name, dtype=dtype, dispatch=dispatch, dropout=0.1, training={"compile": compile}
        )
        scored = score(learner.model, learnable_tokens(), learner.setting, 4)
        found.append([*losses, scored["val_nll_nats"]])
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_compiled_model_loses_as_it_does_uncompiled():
    """To float32's rounding, for sums have another order; and only without dropout, which draws."""
    _, wanted = trained("softk")
    _, found = trained("softk", training={"compile": True})
    assert found == pytest.approx(wanted, rel=2e-5)
    assert torch._dynamo.config.fail_on_recompile_limit_hit


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MachineError, match=r"'no-such-compiler'.*or set compile to false"):
        machine.check_compiler()
