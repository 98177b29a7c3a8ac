"""The waterfall: from the published recipe to ours, one defect repaired at a time."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import FigureName, Seeds, distinct, drawing, filled, unit
from moebench.spec.runs import ModelSpec, RunSpec, TrainingSpec

EXPERIMENT = "waterfall"
PUBLISHED = "published"

Repair = Literal[
    "interval",
    "validation_time",
    "windows",
    "expert_scale",
    "gates",
    "auxiliary_losses",
    "hash_of_token",
    "clamp",
    "later_tokens",
]
REPAIRS: tuple[Repair, ...] = get_args(Repair)
MainRouter = Literal["top1", "topk_hard", "softk", "hash", "expert_choice"]

# The repair after which a router is ours; until then it is the legacy one of its name.
MAKES_OURS: dict[MainRouter, Repair] = {
    "top1": "gates",
    "topk_hard": "gates",
    "softk": "auxiliary_losses",
    "hash": "hash_of_token",
    "expert_choice": "clamp",
}


class WaterfallCellSpec(Spec):
    """One router of one seed, after some repairs; ``stage`` counts them."""

    stage: int
    repair: Repair | Literal["published"]  # the last one
    repaired: list[Repair]
    router: MainRouter
    run: RunSpec  # what is trained; its router may be a legacy one


class WaterfallSpec(RoomSpec):
    """Which defect of the published benchmark moves what: perplexity, speed, order of routers."""

    routers: Annotated[list[MainRouter], AfterValidator(filled)] = Field(
        list(get_args(MainRouter)), description="whom to follow from the published recipe to ours"
    )
    order: Annotated[list[Repair], AfterValidator(distinct)] = Field(
        list(REPAIRS), description="in which order the defects are repaired; each of them once"
    )
    seeds: Seeds = Field([0, 1, 2], description="one run of every cell for each")
    interval: int = Field(
        20,
        ge=2,
        description="training steps between two scorings, by which the published rate multiplies",
        json_schema_extra=unit("steps"),
    )
    num_validation_tokens: int = Field(
        1024,
        ge=2,
        description="of the held-out text, from its start, scored by both protocols",
        json_schema_extra=unit("tokens"),
    )
    model: ModelSpec = Field(
        ModelSpec(dim=48), description="a small model of its own; its keys are those of model"
    )
    training: TrainingSpec = Field(
        TrainingSpec(seq_len=64, batch_size=8, num_steps=60, warmup_steps=6),
        description="short training of its own; its keys are those of training",
    )
    figures: Annotated[list[FigureName], AfterValidator(distinct), drawing("waterfall")] = Field(
        [], description="what to draw"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "WaterfallSpec":
        missing = [repair for repair in REPAIRS if repair not in self.order]
        if missing:
            raise ValueError(f"order: {', '.join(missing)} missing; name each repair once")
        if self.training.ranks > 1:
            raise ValueError(f"training.ranks={self.training.ranks} must be 1 in the waterfall")
        if self.num_validation_tokens <= self.training.seq_len:
            raise ValueError(
                f"num_validation_tokens={self.num_validation_tokens} must be more than "
                f"training.seq_len={self.training.seq_len}, the length of one window"
            )
        return self

    def cells(self, corpus: str, tokenizer: str) -> Iterator[WaterfallCellSpec]:
        """Every cell, seed by seed and stage by stage, from the published recipe on."""
        for seed in self.seeds:
            for stage in range(len(self.order) + 1):
                repaired = self.order[:stage]
                for router in self.routers:
                    yield WaterfallCellSpec(
                        stage=stage,
                        repair=repaired[-1] if repaired else PUBLISHED,
                        repaired=repaired,
                        router=router,
                        run=RunSpec(
                            experiment=EXPERIMENT,
                            router=_plugin(router, repaired),
                            router_options={},
                            seed=seed,
                            corpus=corpus,
                            tokenizer=tokenizer,
                            model=self.model,
                            training=self._training(router, repaired),
                        ),
                    )

    def _training(self, router: MainRouter, repaired: list[Repair]) -> TrainingSpec:
        """Training of a router; losses that cannot move anything yet have the factor 0.

        A balance loss made of counts has no gradient, so that to leave it out changes nothing.
        """
        if router != "hash" and "auxiliary_losses" in repaired:
            return self.training
        return self.training.model_copy(update={"balance_coef": 0.0, "z_coef": 0.0})


def _plugin(router: MainRouter, repaired: list[Repair]) -> str:
    return router if MAKES_OURS[router] in repaired else f"legacy_{router}"
