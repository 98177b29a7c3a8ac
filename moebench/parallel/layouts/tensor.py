"""Tensor parallel: every rank holds a part of the hidden units of every expert; one all-reduce."""

from moebench.parallel.network import Network, share
from moebench.parallel.summed import Summed


class TensorParallel(Summed):
    """First matrix split by columns, second by rows (Megatron-LM, arXiv:1909.08053, section 3).

    The activation acts on each hidden unit alone, so that nothing has to be sent between the two.
    """

    is_distributed = True

    @classmethod
    def held(cls, network: Network, world_size: int, rank: int) -> tuple[range, range]:
        """All experts, some hidden units of each."""
        return range(network.num_experts), share(network.hidden_dim, world_size, rank)
