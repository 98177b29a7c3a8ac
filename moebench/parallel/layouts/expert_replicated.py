"""Expert parallel without exchange: all ranks route all rows and answer for their own experts."""

from moebench.parallel.network import Network, share
from moebench.parallel.summed import Summed


class ExpertReplicated(Summed):
    """One all-reduce sums up the answers: what both published reports call expert parallel.

    It works because every rank holds all rows; where rows are spread over ranks, bringing them
    together is the cost that ``expert`` has and this layout hides.
    """

    is_distributed = True

    @classmethod
    def held(cls, network: Network, world_size: int, rank: int) -> tuple[range, range]:
        """Some experts, all of each."""
        return share(network.num_experts, world_size, rank), range(network.hidden_dim)
