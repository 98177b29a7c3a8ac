"""One training run: the settings of model and training that decide its outcome."""

from typing import Any, Literal

from pydantic import Field, model_validator

from moebench.spec.base import Spec
from moebench.spec.kinds import BASELINES, DispatchName, GateName, unit

# Keys that mean nothing to a model without a gate.
ROUTED_ONLY = (
    "model.gate",
    "model.capacity_factor",
    "model.drop_policy",
    "model.pool",
    "model.dispatch",
    "model.num_shared_experts",
    "model.expert_granularity",
    "training.layout",
)


class ModelSpec(Spec):
    """The decoder-only transformer, with a mixture of experts in every block.

    Neither shared experts nor finer ones change what a token costs or what all experts hold: with g
    = ``expert_granularity`` and s = ``num_shared_experts`` there are g * ``num_experts`` - s routed
    experts and g * ``top_k`` - s of them per token (DeepSeekMoE, arXiv:2401.06066).
    """

    num_layers: int = Field(2, ge=1, description="transformer blocks")
    dim: int = Field(128, ge=1, description="width of the residual stream")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide dim")
    num_experts: int = Field(8, ge=1, description="experts per block")
    top_k: int = Field(
        2, ge=1, description="experts per token; top1 always takes one, gshard_top2 two"
    )
    ffn_mult: int = Field(4, ge=1, description="hidden width of one expert, in units of dim")
    num_shared_experts: int = Field(
        0, ge=0, description="experts that every token visits, taken from num_experts and top_k"
    )
    expert_granularity: int = Field(
        1,
        ge=1,
        description="g: every expert is cut into g, each 1/g as wide, and top_k times g are taken",
    )
    gate: GateName = Field("linear", description="how a token's vector becomes logits")
    capacity_factor: float = Field(
        1.25,
        gt=0,
        description="slots per expert = ceil(capacity_factor * tokens * top_k / experts)",
    )
    drop_policy: Literal["position", "gate", "none"] = Field(
        "position",
        description="who is dropped from a full expert: later tokens, smaller weights, or nobody",
    )
    pool: Literal["batch", "sequence"] = Field(
        "batch",
        description="among which tokens a router chooses and a full expert drops: all of a step, "
        "or each window alone, with slots of its own",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of updates dropped in training")
    dispatch: DispatchName = Field("auto", description="how tokens are brought to experts")

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelSpec":
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}")
        if self.dim % self.num_heads:
            raise ValueError(f"dim={self.dim} must be a multiple of num_heads={self.num_heads}")
        if self.dim // self.num_heads % 2:
            raise ValueError(f"dim / num_heads = {self.dim // self.num_heads} must be even")
        if self.ffn_mult * self.dim % self.expert_granularity:
            raise ValueError(
                f"expert_granularity={self.expert_granularity} must divide the hidden width of an "
                f"expert, ffn_mult * dim = {self.ffn_mult * self.dim}"
            )
        if self.routed_top_k < 1:
            raise ValueError(
                f"num_shared_experts={self.num_shared_experts} must be less than top_k * "
                f"expert_granularity = {self.top_k * self.expert_granularity}, or nothing is routed"
            )
        return self

    @property
    def num_routed_experts(self) -> int:
        """Experts per block among which a router chooses."""
        return self.num_experts * self.expert_granularity - self.num_shared_experts

    @property
    def routed_top_k(self) -> int:
        """Experts per token that a router is asked for."""
        return self.top_k * self.expert_granularity - self.num_shared_experts

    @property
    def expert_dim(self) -> int:
        """Hidden width of one expert, shared or routed."""
        return self.ffn_mult * self.dim // self.expert_granularity


class TextTrainingSpec(Spec):
    """How a model learns the next token of windows of text."""

    seq_len: int = Field(
        128, ge=2, description="length of a window", json_schema_extra=unit("tokens")
    )
    batch_size: int = Field(
        16,
        ge=1,
        description="windows in one step",
        json_schema_extra=unit("windows"),
    )
    num_steps: int = Field(
        300, ge=1, description="length of training", json_schema_extra=unit("steps")
    )
    learning_rate: float = Field(4e-3, gt=0, description="peak learning rate of AdamW")
    warmup_steps: int = Field(
        30,
        ge=0,
        description="linear warm-up; cosine decay to 0 after it",
        json_schema_extra=unit("steps"),
    )
    weight_decay: float = Field(0.1, ge=0, description="AdamW's decay of matrices")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    balance_coef: float = Field(0.01, ge=0, description="factor of the balance loss")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="autocast type; auto: bfloat16 on a GPU, on a CPU the faster of the two"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads of one process")
    eval_every: int = Field(
        100,
        ge=1,
        description="interval between scorings of the held-out text",
        json_schema_extra=unit("steps"),
    )
    checkpoint_every: int = Field(
        50, ge=1, description="interval between checkpoints", json_schema_extra=unit("steps")
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "TextTrainingSpec":
        if self.warmup_steps >= self.num_steps:
            raise ValueError(
                f"warmup_steps={self.warmup_steps} must be less than num_steps={self.num_steps}"
            )
        return self


class TrainingSpec(TextTrainingSpec):
    """How a model is trained. The same for every router, so that only the router differs."""

    balance_scope: Literal["batch", "sequence"] = Field(
        "batch",
        description="over which tokens a load is balanced: all of a step, or each window alone; "
        "for routers with Switch's balance loss",
    )
    compile: bool = Field(
        False,
        description="let torch.compile generate code for the model: its first steps then take "
        "minutes, dropout draws otherwise, and a C++ compiler is needed",
    )
    z_coef: float = Field(0.001, ge=0, description="factor of the router z-loss")
    ranks: int = Field(
        1,
        ge=1,
        description="processes that train one model, each on its part of every step; must divide "
        "batch_size, which is that of all ranks; on GPUs one each",
    )
    layout: Literal["replicated", "expert"] = Field(
        "replicated",
        description="where experts are: all on every rank, or some on each, to which tokens are "
        "sent; losses are the same",
    )
    routing_scope: Literal["global", "rank"] = Field(
        "global",
        description="whose tokens a router, a full expert and a balance loss look at: those of all "
        "ranks, so that losses do not depend on their number, or those of each rank alone",
    )

    @model_validator(mode="after")
    def _shared_out_evenly(self) -> "TrainingSpec":
        if self.batch_size % self.ranks:
            raise ValueError(
                f"ranks={self.ranks} must divide batch_size={self.batch_size}, so that all ranks "
                "get as many windows"
            )
        return self


class RunSpec(Spec):
    """One training run: everything that decides its outcome, but the code."""

    experiment: str
    router: str
    router_options: dict[str, Any]
    seed: int
    corpus: str
    tokenizer: str
    model: ModelSpec
    training: TrainingSpec

    @property
    def is_baseline(self) -> bool:
        """Whether the model is dense, without gate and router."""
        return self.router in BASELINES
