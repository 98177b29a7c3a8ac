"""The embedded base model: a small OLMoE, trained on the run's own text, in Hugging Face format."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import OlmoeConfig, OlmoeForCausalLM

from moebench import machine, provenance
from moebench.analysis.rates import bits_per_byte, perplexity
from moebench.lm.data import Tokens
from moebench.lm.trainer import learning_rate, make_optimiser
from moebench.perft.base_model import describe
from moebench.perft.loop import Learner, Plan, Values, run
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec import TrainingSpec
from moebench.spec.adapters import PretrainingRunSpec

_CONFIG = "config.json"


class Pretrainer(Learner):
    """A small OLMoE in training, with transformers' own balance loss."""

    def __init__(self, spec: PretrainingRunSpec, tokens: Tokens, setting: Setting):
        self.spec = spec
        self.tokens = tokens
        self.setting = setting
        self.training = TrainingSpec(**spec.training.model_dump())
        torch.manual_seed(spec.seed)
        model: Any = OlmoeForCausalLM(olmoe_config(spec, tokens))
        self.model = model.to(setting.device)
        self.optimiser = make_optimiser(self.model, self.training)

    def step(self, step: int) -> Values:
        """One step, with what it read."""
        batch = self.tokens.training_batch(
            self.spec.seed, step, self.training.batch_size, self.training.seq_len
        )
        input_BS, target_BS = (self.setting.to_device(ids) for ids in batch)
        rate = learning_rate(self.training, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.model.train()
        with self.setting.autocast():
            out = self.model(input_ids=input_BS, use_cache=False, output_router_logits=True)
        task = functional.cross_entropy(out.logits.flatten(0, 1).float(), target_BS.flatten())
        (task + self.training.balance_coef * out.aux_loss).backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.training.grad_clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {
            "train_loss_nats": task.detach(),
            "balance_loss": out.aux_loss.detach(),
            "learning_rate": rate,
            "grad_norm": norm,
        }

    @torch.no_grad()
    def score(self) -> Values:
        """Negative log-likelihood of all held-out text, without the balance loss."""
        self.model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self.setting.device)
        num_tokens = 0
        training = self.training
        for input_BS, target_BS in self.tokens.validation_batches(
            training.batch_size, training.seq_len
        ):
            total += self._nll(input_BS, target_BS)
            num_tokens += target_BS.numel()
        nll_nats = total.item() / num_tokens
        return {
            "val_nll_nats": nll_nats,
            "val_ppl": perplexity(nll_nats),
            "val_bits_per_byte": bits_per_byte(total.item(), self.tokens.num_validation_bytes),
            "val_num_tokens": num_tokens,
        }

    def _nll(self, input_BS: Tensor, target_BS: Tensor) -> Tensor:
        with self.setting.autocast():
            out = self.model(input_ids=input_BS.to(self.setting.device), use_cache=False)
        target_T = target_BS.to(self.setting.device).flatten()
        nll_T = functional.cross_entropy(
            out.logits.flatten(0, 1).float(), target_T, reduction="none"
        )
        return nll_T.double().sum()

    def state(self) -> dict[str, Any]:
        """Weights and optimiser."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])


def pretrain(
    spec: PretrainingRunSpec, tokens: Tokens, folder: Path, checkpoint: Path, code: str
) -> list[Row]:
    """Train a base model and save it in ``folder``, ``config.json`` last."""
    training = spec.training
    setting = prepare(training.device, training.dtype, training.threads)
    facts = setting.facts(code, corpus_sha256=tokens.corpus_sha256)
    learner = Pretrainer(spec, tokens, setting)
    progress = run(learner, _plan(spec, facts, checkpoint), learner.score)
    save_model(learner.model, folder)
    sizes = describe(learner.model, setting, identity="")
    final = progress.readings[-1][1] | {
        "bigram_val_ppl": perplexity(tokens.bigram_val_nll_nats),
        "num_params": sizes.num_params,
        "num_active_params": sizes.num_active_params,
        "peak_resident_bytes": machine.peak_resident_bytes(),
        "peak_allocated_bytes": setting.peak_allocated_bytes(),
        "wall_s": progress.wall_s,
    }
    checkpoint.unlink(missing_ok=True)
    return [
        Row(kind=kind, spec=spec.model_dump(), setting=facts, values=values)
        for kind, values in [*progress.readings, ("final", final)]
    ]


def olmoe_config(spec: PretrainingRunSpec, tokens: Tokens) -> OlmoeConfig:
    """The configuration, as transformers writes it down; weights are drawn by fan-in."""
    model = spec.model
    return OlmoeConfig(
        vocab_size=tokens.vocab_size,
        hidden_size=model.hidden_size,
        intermediate_size=model.expert_width,
        num_hidden_layers=model.num_layers,
        num_attention_heads=model.num_heads,
        num_experts=model.num_experts,
        num_experts_per_tok=model.top_k,
        initializer_range=1 / math.sqrt(model.hidden_size),
        max_position_embeddings=max(4096, spec.training.seq_len),
        router_aux_loss_coef=spec.training.balance_coef,
        bos_token_id=tokens.end_of_document,
        eos_token_id=tokens.end_of_document,
        pad_token_id=None,
    )


def save_model(model: Any, folder: Path) -> None:
    """Save so that a kill at any moment leaves no folder that looks finished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _CONFIG).unlink(missing_ok=True)
    partial = folder / ".part"
    model.float().save_pretrained(partial)
    files = sorted(partial.iterdir(), key=lambda file: file.name == _CONFIG)
    for file in files:
        file.replace(folder / file.name)
    partial.rmdir()


def _plan(spec: PretrainingRunSpec, facts: Values, checkpoint: Path) -> Plan:
    decisive = ("device", "dtype", "threads", "torch", "code_digest", "corpus_sha256")
    training = spec.training
    return Plan(
        title=f"base model seed {spec.seed}",
        num_steps=training.num_steps,
        eval_every=training.eval_every,
        checkpoint_every=training.checkpoint_every,
        checkpoint=checkpoint,
        identity=provenance.json_digest([spec.model_dump(), [facts[key] for key in decisive]]),
        remedy="lower training.learning_rate",
    )
