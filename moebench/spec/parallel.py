"""The parallel room: which layouts to measure at which sizes, and how."""

import itertools
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import (
    CommunicatorName,
    FigureName,
    LayoutName,
    Name,
    distinct,
    drawing,
    unit,
)
from moebench.spec.layout_jobs import (
    EXPERIMENT,
    LayoutCellSpec,
    LinksJob,
    ProtocolSpec,
    SweepJob,
)
from moebench.spec.problems import ConfigError, Problem, one_of, unknown
from moebench.spec.sweeps import AS_RANKS, AXES, Axis, Directions, Layouts, SweepSpec

RANKS = "{ranks}"
TABLES = (
    "parallel",
    "links",
    "model",
    "regimes",
    "borders",
    "predictions",
    "published",
)


class LinkSpec(Spec):
    """A link between ranks, for the prediction of machines that are not at hand."""

    latency_s: float = Field(gt=0, description="of one message", json_schema_extra=unit("s"))
    bandwidth_bytes_per_s: float = Field(
        gt=0, description="of one rank, one way", json_schema_extra=unit("bytes/s")
    )
    source: str = Field(description="where the two figures come from")


class ParallelSpec(RoomSpec):
    """Replicated, sharded or distributed experts: which is fastest, at which size."""

    communicator: CommunicatorName = Field(
        "mpi", description="what ranks talk through; nccl needs a GPU for each rank"
    )
    launcher: str = Field(
        "mpiexec -n {ranks}", description="command that starts the ranks of a job"
    )
    threads: int = Field(1, ge=1, description="CPU threads of one rank")
    layouts: Layouts = Field(
        ["single", "tensor", "expert"], description="ways to lay the experts out over ranks"
    )
    directions: Directions = Field(
        ["forward", "forward_backward"], description="what a call computes"
    )
    world_size: int = Field(4, ge=1, description="ranks, where a sweep names none")
    num_experts: int = Field(4, ge=1, description="experts, where a sweep names none")
    batch_size: int = Field(
        8, ge=1, description="rows, where a sweep names none", json_schema_extra=unit("samples")
    )
    top_k: int = Field(2, ge=1, description="experts per row, where a sweep names none")
    feature_dim: int = Field(32, ge=1, description="width of a row, where a sweep names none")
    hidden_dim: int = Field(128, ge=1, description="hidden width of one expert")
    output_dim: int = Field(64, ge=1, description="width of the output")
    largest_batch: dict[LayoutName, int] = Field(
        {},
        description="layouts that are left out above so many rows, for their calls take seconds",
        json_schema_extra=unit("samples"),
    )
    protocol: ProtocolSpec = Field(ProtocolSpec(), description="how calls are timed")
    sweeps: dict[Name, SweepSpec | None] = Field(
        description="what to measure, by a name of your choice, or null; all that has one number "
        "of ranks is measured by one job, and what several sweeps ask for, once"
    )
    link_message_bytes: Axis = Field(
        [1 << exponent for exponent in range(10, 25, 2)],
        description="message sizes at which each collective is measured",
        json_schema_extra=unit("bytes"),
    )
    held_out_share: float = Field(
        0.3, gt=0, lt=1, description="share of the cells that judge the model and do not fit it"
    )
    links: dict[Name, LinkSpec] = Field(
        {}, description="links for which more ranks are predicted, by a name of your choice"
    )
    figures: Annotated[
        list[FigureName],
        AfterValidator(distinct),
        drawing(*TABLES),
    ] = Field([], description="what to draw")

    @field_validator("launcher")
    @classmethod
    def _says_how_many(cls, launcher: str) -> str:
        if RANKS not in launcher:
            raise ValueError(
                f"{launcher!r} must contain {RANKS}, which becomes their number, "
                "as in 'mpiexec -n {ranks}'"
            )
        return launcher

    @field_validator("sweeps")
    @classmethod
    def _asks_for_something(cls, given: dict[str, SweepSpec | None]) -> dict[str, SweepSpec | None]:
        if not any(given.values()):
            raise ValueError("describe at least one sweep")
        return given

    @property
    def asked(self) -> dict[str, SweepSpec]:
        """The sweeps that are described; a file laid over another may leave one out."""
        return {name: sweep for name, sweep in self.sweeps.items() if sweep is not None}

    @property
    def jobs(self) -> dict[int, SweepJob]:
        """What is measured, by number of ranks; a cell that several sweeps ask for, once."""
        merged: dict[str, LayoutCellSpec] = {}
        for name in self.asked:
            for cell in self.cells(name):
                merged.setdefault(cell.model_dump_json(exclude={"sweeps"}), cell).sweeps.append(
                    name
                )
        found: dict[int, list[LayoutCellSpec]] = {}
        for cell in merged.values():
            found.setdefault(cell.world_size, []).append(cell)
        return {ranks: self.job(cells) for ranks, cells in found.items()}

    @property
    def link_jobs(self) -> dict[int, LinksJob]:
        """What is measured of the collectives, by number of ranks; one rank has none."""
        return {
            world_size: LinksJob(
                communicator=self.communicator,
                world_size=world_size,
                threads=self.threads,
                message_bytes=self.link_message_bytes,
                protocol=self.protocol,
            )
            for world_size in sorted(self.jobs)
            if world_size > 1
        }

    def job(self, cells: list[LayoutCellSpec]) -> SweepJob:
        """The job that measures some cells side by side."""
        return SweepJob(
            communicator=self.communicator,
            threads=self.threads,
            cells=cells,
            protocol=self.protocol,
        )

    def sweep_at(self, name: str, world_size: int) -> SweepJob:
        """A sweep at one number of ranks, whether or not the config has it there.

        Raises ValueError for a sweep that does not exist, and for sizes that cannot be.
        """
        one_of(name, self.asked)
        moved = self.asked[name].model_copy(update={"world_size": [world_size]})
        room = self.model_copy(update={"sweeps": {name: moved}})
        problems = misfits(room)
        if problems:
            raise ConfigError(problems)
        return room.jobs[world_size]

    def sweep_called(self, name: str) -> str:
        """Full name of a sweep: ``batch_size`` stands for the first that moves along it alone."""
        along = (key for key, sweep in self.asked.items() if list(sweep.axes) == [name])
        for full in (name, f"{EXPERIMENT}_{name}", *along):
            if full in self.asked:
                return full
        raise ValueError(unknown(name, [*self.asked, *AXES]))

    def cells(self, name: str) -> Iterator[LayoutCellSpec]:
        """Cells of one sweep, which nobody asks for yet: every size, layout and direction."""
        sweep = self.asked[name]
        shared = {key: getattr(self, key) for key in ("communicator", "hidden_dim", "output_dim")}
        arms = itertools.product(sweep.layouts or self.layouts, sweep.directions or self.directions)
        for size, (layout, direction) in itertools.product(self._sizes(sweep), list(arms)):
            if size["batch_size"] <= self.largest_batch.get(layout, size["batch_size"]):
                yield LayoutCellSpec(
                    sweeps=[], layout=layout, direction=direction, **shared, **size
                )

    def _sizes(self, sweep: SweepSpec) -> Iterator[dict[str, int]]:
        """Each combination of sizes."""
        values = {key: sweep.axes.get(key, [getattr(self, key)]) for key in AXES}
        for combination in itertools.product(*values.values()):
            size = dict(zip(values, combination, strict=True))
            if size["num_experts"] == AS_RANKS:
                size["num_experts"] = size["world_size"]
            yield size


def misfits(room: ParallelSpec) -> list[Problem]:
    """Sweeps that ask for sizes which cannot be."""
    return [
        (
            f"parallel.sweeps.{name}",
            f"top_k={cell.top_k} must be in 1..num_experts={cell.num_experts}",
        )
        for name in room.asked
        for cell in room.cells(name)
        if cell.top_k > cell.num_experts
    ]
