"""A training step asks the host for nothing: on a GPU every question empties the queue of orders.

Questions are operations whose answer, or its size, depends on numbers in tensors. They are the same
on a CPU, where they can be counted; on a GPU torch itself refuses them.
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from moebench import registry
from moebench.capacity import POLICIES
from moebench.lm.trainer import Trainer
from moebench.setting import prepare
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

# How many experts a token reaches, or which of a position's, only the logits tell; and the
# published ways, which are kept as they were.
ASKS_ONCE_A_LAYER = {
    "expert_choice_position",
    "expert_threshold",
    "gshard_top2",
    "null_experts",
    "remoe",
    "top_p",
    *(name for name in registry.names("routers") if name.startswith("legacy_")),
}
NUM_LAYERS = 2


class Copies(TorchFunctionMode):
    """Collects the ways out of torch, which on a CPU are no operations."""

    WAYS = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu)

    def __init__(self):
        super().__init__()
        self.asked = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.WAYS:
            self.asked.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Questions(TorchDispatchMode):
    """Collects the operations that a GPU cannot be ordered to do without knowing an answer."""

    TAGS = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)

    def __init__(self):
        super().__init__()
        self.asked = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(tag in func.tags for tag in self.TAGS) and not by_number(func, args):
            self.asked.append(str(func))
        return func(*args, **(kwargs or {}))


def by_number(func, args):
    """Whether this picks rows by their numbers: as many come as were named."""
    if func is not torch.ops.aten.index.Tensor:
        return False
    return all(index is None or index.dtype == torch.long for index in args[1])


def questions_of_a_step(spec):
    tokens = learnable_tokens()
    trainer = Trainer(spec, tokens, prepare("cpu", spec.training.dtype, 1))
    training = spec.training
    batch = tokens.training_batch(0, 1, training.batch_size, training.seq_len)
    trainer.begin(1)
    with Copies() as copies, Questions() as questions:
        trainer.backward(trainer.forward(batch))
        trainer.update()
    return copies.asked + questions.asked


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("name", registry.names("routers"))
def test_a_training_step_asks_the_host_for_nothing(name, policy):
    spec = run_spec(
        name,
        dispatch="grouped",
        drop_policy=policy,
        capacity_factor=0.7,
        num_layers=NUM_LAYERS,
        training={"dtype": "bfloat16"},
    )
    assert len(questions_of_a_step(spec)) == NUM_LAYERS * (name in ASKS_ONCE_A_LAYER)


def test_questions_are_counted():
    """The dispatch for CPUs wants to know how many rows each expert has, and each token."""
    asked = questions_of_a_step(run_spec(dispatch="sorted", drop_policy="none", num_layers=1))
    assert asked == ["tolist", "aten.bincount.default"]


@pytest.mark.gpu
@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("name", sorted(set(registry.names("routers")) - ASKS_ONCE_A_LAYER))
def test_a_gpu_never_waits_in_a_training_step(name, policy):
    spec = run_spec(
        name, drop_policy=policy, capacity_factor=0.7, training={"device": "cuda", "dtype": "auto"}
    )
    tokens = learnable_tokens()
    trainer = Trainer(spec, tokens, prepare("cuda", "auto", 1))
    for step in (1, 2, 3):  # the first ones ask for memory, and set up libraries
        batch = tokens.training_batch(0, step, 4, 16)
        torch.cuda.set_sync_debug_mode("error" if step == 3 else "default")
        try:
            trainer.begin(step)
            trainer.backward(trainer.forward(batch))
            trainer.update()
        finally:
            torch.cuda.set_sync_debug_mode("default")
