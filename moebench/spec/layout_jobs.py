"""What one group of ranks is asked to measure: cells or links, and by which protocol."""

from typing import Literal

from pydantic import Field

from moebench.spec.base import Spec
from moebench.spec.kinds import unit

EXPERIMENT = "parallel"
Direction = Literal["forward", "forward_backward"]


class ProtocolSpec(Spec):
    """How calls are timed."""

    min_calls: int = Field(
        30, ge=1, description="timed in every cell, unless min_s is reached before"
    )
    min_s: float = Field(
        2.0,
        gt=0,
        description="time in every cell, unless min_calls is reached before",
        json_schema_extra=unit("s"),
    )
    num_blocks: int = Field(
        10, ge=2, description="blocks that a cell's calls are spread over; intervals need six"
    )
    warmup_calls: int = Field(
        5, ge=2, description="calls of a group; warm-up ends when two groups agree"
    )
    warmup_tolerance: float = Field(
        0.1, gt=0, description="largest difference between medians of groups that agree"
    )
    warmup_max_s: float = Field(
        0.5,
        gt=0,
        description="limit of a cell's warm-up; the table says where it was reached",
        json_schema_extra=unit("s"),
    )


class RanksJob(Spec):
    """What every job of ranks is told."""

    communicator: str
    threads: int
    protocol: ProtocolSpec


class LayoutCellSpec(Spec):
    """One cell: a layer of one size, laid out in one way over so many ranks."""

    experiment: str = EXPERIMENT
    sweeps: list[str]  # those that ask for it
    layout: str
    communicator: str
    world_size: int
    num_experts: int
    batch_size: int
    top_k: int
    feature_dim: int
    hidden_dim: int
    output_dim: int
    direction: Direction


class SweepJob(RanksJob):
    """Cells of one number of ranks, measured in turns by one group of ranks."""

    kind: Literal["sweep"] = "sweep"
    cells: list[LayoutCellSpec]

    @property
    def world_size(self) -> int:
        """Ranks of this job."""
        return self.cells[0].world_size

    @property
    def modules(self) -> list[str]:
        """Code that decides what is measured."""
        layouts = dict.fromkeys(cell.layout for cell in self.cells)
        return [
            "moebench.parallel.sweep",
            f"moebench.parallel.communicators.{self.communicator}",
            *(f"moebench.parallel.layouts.{name}" for name in layouts),
        ]


class LinksJob(RanksJob):
    """Every collective at every message size, measured by one group of ranks."""

    kind: Literal["links"] = "links"
    world_size: int
    message_bytes: list[int]

    @property
    def modules(self) -> list[str]:
        """Code that decides what is measured."""
        communicator = f"moebench.parallel.communicators.{self.communicator}"
        return ["moebench.parallel.probe", communicator]
