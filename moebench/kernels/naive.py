"""The published code's first way: every expert in turn, on the rows that a mask picks out.

In our words, from its description. A GPU waits for the host at every expert.
"""

from torch import Tensor

from moebench.kernels.base import Experts, Kernel, answer


class Naive(Kernel):
    """Rows are repeated for each choice, and answers written back through the mask."""

    def __call__(
        self, x_BD: Tensor, expert_BK: Tensor, weight_BK: Tensor, experts: Experts
    ) -> Tensor:
        """Mix the experts of each row."""
        B, K = expert_BK.shape
        x_ND = x_BD.repeat_interleave(K, dim=0)
        expert_N = expert_BK.flatten()
        y_NC = x_BD.new_zeros(B * K, experts.bias[-1].shape[1])
        for e, layers in enumerate(experts.by_expert()):
            is_mine_N = expert_N == e
            if is_mine_N.any():
                y_NC[is_mine_N] = answer(x_ND[is_mine_N], layers)
        return (y_NC * weight_BK.reshape(-1, 1)).view(B, K, -1).sum(dim=1)
