"""Causal scores of routers that look at later tokens: what their models reach without them.

A router that ranks the tokens of a text against each other is scored once more in ways that a text
in the making allows. Each way chooses among the same candidates, the assignments that the router
would make if every expert had room for all tokens, by the weights that it gives them:

* ``threshold``: an expert takes whoever weighs as much as those that it took on training text;
* ``token_choice``: a token takes its heaviest experts, as many in the mean as it was served by;
* ``position_pool``: an expert takes its heaviest among the tokens of equal position of a batch.

The first two are calibrated on training text to serve a token by as many experts in the mean as
the router itself does. ``threshold`` is what expert threshold (arXiv:2603.11535) does from the
start, and gives the score that counts.

Shapes: T tokens, in B sequences of S; E experts; L layers.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from moebench.analysis.rates import perplexity
from moebench.lm.data import Tokens
from moebench.lm.evaluate import score
from moebench.lm.model import LanguageModel
from moebench.pools import Choice, Slots
from moebench.routers.base import Causality, Router, Routing
from moebench.setting import Setting

Values = dict[str, Any]

HEADLINE = "threshold"
MODES = ("threshold", "token_choice", "position_pool")
AS_SCORED = "as scored"  # the mode of a router that needs no other
# On other text of the kind, k is then that of the router within 1 %; twice as many batches halve
# what is left, but held-out documents differ from those for training by more (see the log).
NUM_CALIBRATION_BATCHES = 32


def causal_scores(
    model: LanguageModel, tokens: Tokens, setting: Setting, parallel: Values
) -> Values:
    """The score that counts, its mode, and all modes of a model that needs them.

    ``parallel`` is what ``score`` said of the whole texts; for a causal model nothing is computed
    and that is the score. Modes that were not computed are null.
    """
    by_mode: dict[str, Values] = {}
    if model.causality == Causality.NON_CAUSAL:
        calibrated = calibrate(model, tokens, setting)
        for mode in MODES:
            with chosen_by(model, [layer.slots_for(mode) for layer in calibrated]):
                by_mode[mode] = score(model, tokens, setting, model.spec.training.batch_size)
    counts = by_mode.get(HEADLINE, parallel)
    found = {
        "val_nll_causal_nats": counts["val_nll_nats"],
        "val_ppl_causal": perplexity(counts["val_nll_nats"]),
        "val_nll_document_causal_nats": counts["val_nll_document_nats"],
        "causal_mode": HEADLINE if by_mode else AS_SCORED,
        "causal_effective_k": counts["effective_k"],
    }
    for mode in MODES:
        scored = by_mode.get(mode)
        found[f"val_nll_{mode}_nats"] = None if scored is None else scored["val_nll_nats"]
        found[f"effective_k_{mode}"] = None if scored is None else scored["effective_k"]
    return found


@dataclass(frozen=True, kw_only=True)
class CausalSlots(Slots):
    """A choice among a router's candidates that needs no later token."""

    mode: str
    threshold_E: Tensor  # for an expert to take a token
    num_sure: int  # experts that a token always takes
    threshold: float  # for a token to take one more

    def choose(self, router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        """Candidates that are heavy enough; nobody is dropped."""
        candidates = every_candidate(router, logits_TG, token_id_BS)
        weight_TE = dense(candidates)
        is_taken_TE = getattr(self, f"_by_{self.mode}")(router, weight_TE, token_id_BS)
        is_taken_N = is_taken_TE[candidates.token_N, candidates.expert_N]
        taken = replace(
            candidates,
            token_N=candidates.token_N[is_taken_N],
            expert_N=candidates.expert_N[is_taken_N],
            weight_N=candidates.weight_N[is_taken_N],
            num_requested=int(is_taken_N.sum()),
        )
        return Choice(requested=taken, slotted=taken)

    def causality(self, causality: Causality) -> Causality:
        """What assignments depend on, whatever the router does by itself."""
        is_alone = self.mode != "position_pool"
        return Causality.TOKEN_LOCAL if is_alone else Causality.BATCH_COUPLED

    def _by_threshold(self, router: Router, weight_TE: Tensor, token_id_BS: Tensor) -> Tensor:
        return weight_TE >= self.threshold_E

    def _by_token_choice(self, router: Router, weight_TE: Tensor, token_id_BS: Tensor) -> Tensor:
        rank_TE = _ranks(weight_TE, dim=1)
        is_next_TE = (rank_TE == self.num_sure) & (weight_TE >= self.threshold)
        return (rank_TE < self.num_sure) | is_next_TE

    def _by_position_pool(self, router: Router, weight_TE: Tensor, token_id_BS: Tensor) -> Tensor:
        B, S = token_id_BS.shape
        capacity = self.capacity(router, len(weight_TE))
        end_S = torch.arange(1, S + 1, device=weight_TE.device) * capacity // S
        slots_S = end_S.diff(prepend=end_S.new_zeros(1))
        rank_BSE = _ranks(weight_TE.view(B, S, -1), dim=0)
        return (rank_BSE < slots_S[:, None]).view_as(weight_TE)


@dataclass(frozen=True, kw_only=True)
class Recorder(Slots):
    """Chooses as a layer does, and remembers whom it served and who could have been."""

    weight: list[Tensor] = field(default_factory=list)
    num_served: list[Tensor] = field(default_factory=list)

    def choose(self, router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        """The layer's own choice."""
        choice = super().choose(router, logits_TG, token_id_BS)
        self.weight.append(dense(every_candidate(router, logits_TG, token_id_BS)))
        self.num_served.append(choice.slotted.load_E())
        return choice

    def slots_for(self, mode: str) -> CausalSlots:
        """Thresholds that serve as many tokens as were served."""
        weight_TE = torch.cat(self.weight)
        load_E = torch.stack(self.num_served).sum(dim=0)
        mean_k = float(load_E.sum()) / len(weight_TE)
        num_sure = math.floor(mean_k)
        next_T = weight_TE.sort(dim=1, descending=True).values[:, num_sure : num_sure + 1]
        num_next = round((mean_k - num_sure) * len(weight_TE))
        return CausalSlots(
            capacity_factor=self.capacity_factor,
            drop_policy=self.drop_policy,
            pool=self.pool,
            mode=mode,
            threshold_E=torch.stack(
                [
                    _reached(weight_T, int(num))
                    for weight_T, num in zip(weight_TE.T, load_E, strict=True)
                ]
            ),
            num_sure=num_sure,
            threshold=float(_reached(next_T.flatten(), num_next)),
        )


@torch.no_grad()
def calibrate(model: LanguageModel, tokens: Tokens, setting: Setting) -> list[Recorder]:
    """What each layer does on batches of training text, in the scoring mode."""
    model.eval()
    training = model.spec.training
    recorders = [Recorder(**vars(layer.slots)) for layer in model.moe_layers()]
    with chosen_by(model, recorders):
        for step in range(1, NUM_CALIBRATION_BATCHES + 1):
            input_BS, _ = tokens.training_batch(
                model.spec.seed, step, training.batch_size, training.seq_len
            )
            with setting.autocast():
                model(input_BS.to(setting.device))
    return recorders


@contextlib.contextmanager
def chosen_by(model: LanguageModel, slots: Sequence[Slots]) -> Iterator[None]:
    """Let the layers of a model choose in another way for a while."""
    layers = model.moe_layers()
    own = [layer.slots for layer in layers]
    try:
        for layer, other in zip(layers, slots, strict=True):
            layer.slots = other
        yield
    finally:
        for layer, other in zip(layers, own, strict=True):
            layer.slots = other


def every_candidate(router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Routing:
    """The assignments of a router whose experts have room for all."""
    candidates: Routing = router(logits_TG, token_id_BS, len(logits_TG))
    return candidates


def dense(routing: Routing) -> Tensor:
    """Weight of every token and expert, -1 where there is no candidate, shape (T, E)."""
    weight_TE = routing.weight_N.new_full((routing.num_tokens, routing.num_experts), -1.0)
    return weight_TE.index_put((routing.token_N, routing.expert_N), routing.weight_N)


def _ranks(weight: Tensor, dim: int) -> Tensor:
    """Place of each weight along a dimension, 0 the heaviest, the earlier one among equals."""
    return weight.argsort(dim=dim, descending=True, stable=True).argsort(dim=dim)


def _reached(weight_T: Tensor, num: int) -> Tensor:
    """The level that the ``num`` heaviest reach, above all where there are none."""
    if num == 0 or weight_T.numel() == 0:
        return weight_T.new_full((), torch.inf)
    return weight_T.sort(descending=True).values[num - 1]
