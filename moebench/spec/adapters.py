"""Adapters on a frozen base model: what is added, how it is trained, and the base of the default.

Only kinds of settings stand here; the room that sweeps them builds its grid from them.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from moebench import registry
from moebench.spec.base import Spec
from moebench.spec.kinds import unit
from moebench.spec.problems import check_options, one_of
from moebench.spec.runs import TextTrainingSpec

VARIANTS = "perft.adapters"  # the package of their plug-ins


class AdapterSpec(Spec):
    """One kind of adapter, the same on every layer of the base model."""

    variant: str = Field(description="name of a file in moebench/perft/adapters")
    options: dict[str, Any] = Field({}, description="what only this variant knows")
    rank: int = Field(ge=1, description="inner width of one adapter")
    inner: Literal["lora", "parallel"] = Field(
        "lora", description="lora: up(down(h)) * alpha / rank; parallel: up(silu(down(h)))"
    )
    alpha: float | None = Field(
        None, gt=0, description="scale of lora is alpha / rank; null: alpha = 2 * rank"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's input dropped")

    @model_validator(mode="after")
    def _fits_together(self) -> "AdapterSpec":
        one_of(self.variant, registry.names(VARIANTS))
        check_options(VARIANTS, {self.variant: self.options})
        # Numbers spelt as text become numbers, in the variant's order: an arm has one name.
        known = registry.options(VARIANTS, self.variant).model_validate(self.options)
        read = known.model_dump(exclude_unset=True)
        self.options.clear()
        self.options.update(read)
        if self.alpha is not None and self.inner != "lora":
            raise ValueError(f"alpha={self.alpha} is of lora; leave it out for {self.inner!r}")
        top_k, num_adapters = self.options.get("top_k"), self.options.get("num_adapters")
        if top_k is not None and not 1 <= top_k <= num_adapters:
            raise ValueError(f"top_k={top_k} must be in 1..num_adapters={num_adapters}")
        return self

    @property
    def scale(self) -> float:
        """Factor of an adapter's output."""
        if self.inner != "lora":
            return 1.0
        return 2.0 if self.alpha is None else self.alpha / self.rank


class FinetuningSpec(Spec):
    """How adapters are trained: AdamW, linear warm-up, then linear decay to 0."""

    num_steps: int = Field(
        500, ge=1, description="length of finetuning", json_schema_extra=unit("steps")
    )
    batch_size: int = Field(
        16, ge=1, description="questions in one step", json_schema_extra=unit("questions")
    )
    cutoff: int = Field(
        256, ge=2, description="longest question with its answer", json_schema_extra=unit("tokens")
    )
    learning_rate: float = Field(3e-5, gt=0, description="peak learning rate of AdamW")
    warmup_steps: int = Field(
        100, ge=0, description="linear warm-up", json_schema_extra=unit("steps")
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW's decay of all that is trained")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    balance_coef: float = Field(
        0.01, ge=0, description="factor of the balance loss of an adapter's own router"
    )
    loss_on: Literal["answers", "all"] = Field(
        "answers", description="tokens that the loss counts; all: the question's as well"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="type of the base's weights and of products; adapters are float32"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads of one finetuning job")
    eval_every: int = Field(
        100,
        ge=1,
        description="interval between scorings of the held-out questions",
        json_schema_extra=unit("steps"),
    )
    checkpoint_every: int = Field(
        50, ge=1, description="interval between checkpoints", json_schema_extra=unit("steps")
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "FinetuningSpec":
        if self.warmup_steps >= self.num_steps:
            raise ValueError(
                f"warmup_steps={self.warmup_steps} must be less than num_steps={self.num_steps}"
            )
        return self


class AdapterRunSpec(Spec):
    """One finetuning run: everything that decides its outcome, but the code and the files."""

    experiment: str = "perft"
    base: str  # name of the base model, for rows; its files are told apart by their digest
    data: str  # name of the questions
    seed: int
    adapter: AdapterSpec
    finetuning: FinetuningSpec


class BaseModelSpec(Spec):
    """A small OLMoE, all of whose blocks are mixtures."""

    num_layers: int = Field(2, ge=1, description="decoder layers")
    hidden_size: int = Field(96, ge=2, description="width of the residual stream")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide hidden_size")
    num_experts: int = Field(8, ge=1, description="experts per block")
    top_k: int = Field(2, ge=1, description="experts per token")
    expert_width: int = Field(192, ge=1, description="hidden width of one expert")

    @model_validator(mode="after")
    def _fits_together(self) -> "BaseModelSpec":
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}")
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size={self.hidden_size} must be a multiple of twice "
                f"num_heads={self.num_heads}"
            )
        for key in ("hidden_size", "expert_width"):
            if getattr(self, key) % 8:
                raise ValueError(
                    f"{key}={getattr(self, key)} must be a multiple of 8, for grouped products"
                )
        return self


class PretrainingRunSpec(Spec):
    """The training of an embedded base model: everything that decides its outcome, but the code."""

    experiment: str = "perft"
    corpus: str
    tokenizer: str
    seed: int
    model: BaseModelSpec
    training: TextTrainingSpec
