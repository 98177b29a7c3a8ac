"""Our AdamW takes the same steps as torch's own."""

import subprocess
import sys

import pytest
import torch

from moebench.adamw import AdamW

TRAINING = """
import sys
import torch
from moebench.adamw import AdamW
layer = torch.nn.Linear(3, 2)
optimiser = AdamW(layer.parameters(), fused=True)
layer(torch.ones(1, 3)).sum().backward()
optimiser.step()
optimiser.zero_grad()
optimiser.load_state_dict(optimiser.state_dict())
assert "torch._dynamo" not in sys.modules
"""


def trained(optimiser_type):
    """Weights after some steps, of which one begins from a saved state."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3)
    groups = [{"params": [layer.weight], "weight_decay": 0.1}, {"params": [layer.bias]}]
    optimiser = optimiser_type(groups, lr=0.01, betas=(0.9, 0.95), fused=True)
    for step in range(4):
        layer(torch.randn(7, 5)).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        assert layer.weight.grad is None
        if step == 1:
            optimiser.load_state_dict(optimiser.state_dict())
    return torch.cat([layer.weight.detach().flatten(), layer.bias.detach()])


def test_steps_are_those_of_torch_to_the_last_bit():
    assert torch.equal(trained(AdamW), trained(torch.optim.AdamW))


@pytest.mark.slow
def test_a_step_does_not_load_the_compiler():
    run = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
