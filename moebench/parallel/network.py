"""Sizes of the network that every layout computes, and how its parts are shared out."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Network:
    """A gate and experts of one hidden layer; raises ValueError for sizes that cannot be."""

    num_experts: int
    top_k: int
    feature_dim: int
    hidden_dim: int = 128
    output_dim: int = 64

    def __post_init__(self) -> None:
        for name in ("num_experts", "feature_dim", "hidden_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 1 <= self.top_k <= self.num_experts:
            raise ValueError(
                f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}; "
                "change one of them"
            )


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One size at which layouts are compared."""

    network: Network
    batch_size: int
    world_size: int
    itemsize: int = 4  # bytes of a number

    def __post_init__(self) -> None:
        for name in ("batch_size", "world_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")


def share(total: int, parts: int, index: int) -> range:
    """What part ``index`` of ``parts`` gets of ``total`` things in a row: as even as can be.

    The first parts get one more where it does not come out even; the last ones get none where there
    are fewer things than parts.
    """
    size, extra = divmod(total, parts)
    start = index * size + min(index, extra)
    return range(start, start + size + (index < extra))


def share_sizes(total: int, parts: int) -> list[int]:
    """How many things each part gets."""
    return [len(share(total, parts, index)) for index in range(parts)]
