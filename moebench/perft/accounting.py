"""What adapters cost: trainable parameters, and those of them that one token meets.

The one place of these formulas. D is the width of the base model, r the rank, N the adapters of a
layer, k those that a token meets: 2 D r an adapter, N D a trained router. A token meets the whole
router, because its softmax runs over all N.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Numbers of trainable parameters."""

    trainable: int
    activated: int  # of the trainable ones, those that one token meets

    def __add__(self, other: "Cost") -> "Cost":
        """Cost of both."""
        return Cost(
            trainable=self.trainable + other.trainable, activated=self.activated + other.activated
        )

    def __mul__(self, times: int) -> "Cost":
        """Cost of so many."""
        return Cost(trainable=times * self.trainable, activated=times * self.activated)


def block_cost(dim: int, rank: int, num_adapters: int, num_activated: int) -> Cost:
    """N adapters beside a block, of which a token meets some: 2 D r each."""
    return Cost(trainable=num_adapters, activated=num_activated) * (2 * dim * rank)


def router_cost(dim: int, num_adapters: int) -> Cost:
    """A trained router over N adapters: N D, all of which every token meets."""
    return Cost(trainable=num_adapters * dim, activated=num_adapters * dim)


def projection_cost(dim: int, size: int, rank: int) -> Cost:
    """LoRA on a projection from D to ``size``: r (D + size), all of which every token meets."""
    return Cost(trainable=rank * (dim + size), activated=rank * (dim + size))


def activated_share(activated: int, base_active: int) -> float:
    """Trainable parameters that a token meets, over the base model's that it meets."""
    return activated / base_active
