"""Rows sent to the ranks that hold their experts, and answers sent back.

Shapes: W ranks, F features of a row, O of an answer, N rows on their way, L experts of this rank.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from moebench.parallel.communicators.base import Communicator
from moebench.parallel.differentiable import exchanged_rows
from moebench.parallel.network import share

# Answers of this rank's experts to rows that lie rank by rank, and in each rank's in the order of
# experts; with as many rows as each rank (W) has for each of them (L).
Answer = Callable[[Tensor, list[list[int]]], Tensor]


class Exchange:
    """Experts in order, shared out over ranks as evenly as can be, and three all-to-alls.

    Any number of experts a rank, be it none (GShard, arXiv:2006.16668, section 3.2, without its
    capacity).
    """

    def __init__(self, communicator: Communicator, num_experts: int):
        self.communicator = communicator
        W = communicator.world_size
        self.held = [share(num_experts, W, rank) for rank in range(W)]

    @property
    def own(self) -> range:
        """Experts of this rank."""
        return self.held[self.communicator.rank]

    def answers(self, x_NF: Tensor, load: Sequence[int], answer: Answer) -> Tensor:
        """Answers of the experts, wherever they are, to rows in the order of experts, shape (N, O).

        ``load`` says how many rows each expert gets from this rank. All ranks must call this.
        """
        group = self.communicator
        send = [load[experts.start : experts.stop] for experts in self.held]
        come_WL = self._exchange_counts(send)
        send_rows = [sum(counts) for counts in send]
        receive_rows = [sum(counts) for counts in come_WL]
        come_NF = exchanged_rows(group, x_NF, send_rows, receive_rows)
        y_NO = answer(come_NF, [counts[: len(self.own)] for counts in come_WL])
        return exchanged_rows(group, y_NO, receive_rows, send_rows)

    def _exchange_counts(self, send: Sequence[Sequence[int]]) -> list[list[int]]:
        """Rows that each rank has for each expert here; the first rank holds most experts."""
        most = len(self.held[0])
        padded = [[*counts, *[0] * (most - len(counts))] for counts in send]
        count_WL = torch.tensor(padded, device=self.communicator.device)
        counts: list[list[int]] = self.communicator.all_to_all(count_WL).tolist()
        return counts


def expert_of_rows(come_WL: list[list[int]], device: torch.device) -> Tensor:
    """Which of this rank's experts each row is for, of rows that lie as ``Answer`` gets them."""
    count_WL = torch.tensor(come_WL, device=device)
    expert_L = torch.arange(count_WL.shape[1], device=device).repeat(len(come_WL))
    return expert_L.repeat_interleave(count_WL.flatten())
