import gc

import hypothesis.strategies  # noqa: F401  pandera imports it late, and frozen it would object
import pytest
import torch


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def pytest_collection_finish():
    """Exempt libraries from collection: statsmodels collects at each call, a tenth of a second."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    torch.manual_seed(0)
    torch.set_num_threads(1)
