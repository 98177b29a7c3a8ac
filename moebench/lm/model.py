"""A small decoder-only transformer with a mixture of experts in every block.

Shapes: B sequences of S tokens, D width, H heads, V entries of the vocabulary, L blocks.
"""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.moe import LayerOutput, MoELayer, build_layer
from moebench.routers.base import Causality
from moebench.spec import ModelSpec, RunSpec


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """Next-token logits, and what each block's feed-forward layer returned."""

    logits_BSV: Tensor
    layers: list[LayerOutput]


class Attention(nn.Module):
    """Causal multi-head self-attention with rotary positions (arXiv:2104.09864, eq. 13-15).

    With a learned position table instead, a small model spends its first hundreds of steps at the
    level of a bigram model, and all routers look alike.
    """

    rotation_Sd: Tensor

    def __init__(self, model: ModelSpec, seq_len: int):
        super().__init__()
        self.num_heads = model.num_heads
        self.qkv = nn.Linear(model.dim, 3 * model.dim, bias=False)
        self.out = nn.Linear(model.dim, model.dim, bias=False)
        rotation_Sd = rotation(seq_len, model.dim // model.num_heads // 2)
        self.register_buffer("rotation_Sd", rotation_Sd, persistent=False)

    def forward(self, x_BSD: Tensor) -> Tensor:
        """Mix each token with those before it."""
        B, S, D = x_BSD.shape
        q_BSHd, k_BSHd, v_BSHd = self.qkv(x_BSD).view(B, S, 3, self.num_heads, -1).unbind(2)
        y_BHSd = functional.scaled_dot_product_attention(
            self.rotate(q_BSHd).transpose(1, 2),
            self.rotate(k_BSHd).transpose(1, 2),
            v_BSHd.transpose(1, 2),
            is_causal=True,
        )
        y_BSD: Tensor = self.out(y_BHSd.transpose(1, 2).reshape(B, S, D))
        return y_BSD

    def rotate(self, x_BSHd: Tensor) -> Tensor:
        """Turn each pair of neighbouring channels by an angle that grows with the position."""
        pairs = torch.view_as_complex(single_or_wider(x_BSHd).reshape(*x_BSHd.shape[:-1], -1, 2))
        turned = pairs * self.rotation_Sd[: x_BSHd.shape[1], None]
        return torch.view_as_real(turned).flatten(-2).to(x_BSHd.dtype)


def single_or_wider(x: Tensor) -> Tensor:
    """The tensor in float32, or as it is where it is float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def rotation(seq_len: int, num_pairs: int) -> Tensor:
    """Unit complex numbers, one for each position and pair of channels."""
    frequency_d = 10_000.0 ** -(torch.arange(num_pairs) / num_pairs)
    angle_Sd = torch.arange(seq_len)[:, None] * frequency_d
    return torch.polar(torch.ones_like(angle_Sd), angle_Sd)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each added to the residual stream."""

    def __init__(self, spec: RunSpec, token_count_V: Tensor):
        super().__init__()
        self.attention_norm = nn.LayerNorm(spec.model.dim, bias=False)
        self.attention = Attention(spec.model, spec.training.seq_len)
        self.ffn_norm = nn.LayerNorm(spec.model.dim, bias=False)
        self.ffn = build_layer(spec, token_count_V)
        self.dropout = nn.Dropout(spec.model.dropout)

    def forward(self, x_BSD: Tensor, token_id_BS: Tensor) -> tuple[Tensor, LayerOutput]:
        """Residual stream after the block, and the feed-forward layer's own account."""
        x_BSD = x_BSD + self.dropout(self.attention(self.attention_norm(x_BSD)))
        out: LayerOutput = self.ffn(self.ffn_norm(x_BSD), token_id_BS)
        return x_BSD + self.dropout(out.y_BSD), out


class LanguageModel(nn.Module):
    """Token embedding, blocks, norm, and an untied head."""

    def __init__(self, spec: RunSpec, vocab_size: int, token_count_V: Tensor):
        super().__init__()
        model = spec.model
        self.spec = spec
        self.token_embedding = nn.Embedding(vocab_size, model.dim)
        self.blocks = nn.ModuleList(Block(spec, token_count_V) for _ in range(model.num_layers))
        self.norm = nn.LayerNorm(model.dim, bias=False)
        self.head = nn.Linear(model.dim, vocab_size, bias=False)
        self.initialise(spec.seed)

    def forward(self, token_id_BS: Tensor) -> ModelOutput:
        """Logits of the next token at every position."""
        x_BSD = self.token_embedding(token_id_BS)
        layers = []
        for block in self.blocks:
            x_BSD, out = block(x_BSD, token_id_BS)
            layers.append(out)
        return ModelOutput(logits_BSV=self.head(self.norm(x_BSD)), layers=layers)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw every matrix from a normal law whose stream depends on seed and name alone.

        Arms of one seed thus begin with equal values wherever they have equal tensors. Matrices
        keep the scale of their input, and those that write to the residual stream are smaller by
        sqrt(2L), so that its scale does not grow with depth.
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.copy_(drawn * self._std(name, parameter))

    def _std(self, name: str, parameter: Tensor) -> float:
        if name.startswith("token_embedding"):
            return 1.0
        # nn.Linear and w_in are (out, in), w_out is (in, out).
        fan_in = parameter.shape[0] if ".w_out." in name else parameter.shape[1]
        writes = ".w_out." in name or name.endswith("attention.out.weight")
        depth = 2 * self.spec.model.num_layers if writes else 1
        return math.sqrt(1 / (fan_in * depth))

    def num_params(self) -> int:
        """Parameters that training can move: a gate that its router ignores does not count."""
        idle = sum(
            layer.gate.num_params() for layer in self.moe_layers() if not layer.router.learned
        )
        return sum(parameter.numel() for parameter in self.parameters()) - idle

    def num_active_params(self) -> int:
        """Parameters that one token uses when none of its assignments is dropped."""
        model = self.spec.model
        expert = 2 * model.dim * model.expert_dim
        unused = sum(
            (layer.router.num_experts - layer.router.top_k) * expert for layer in self.moe_layers()
        )
        return self.num_params() - unused

    @property
    def causality(self) -> Causality:
        """What the least causal of the blocks depends on when scoring."""
        return max((layer.causality for layer in self.moe_layers()), default=Causality.TOKEN_LOCAL)

    @property
    def training_causality(self) -> Causality:
        """What the least causal of the blocks depends on in training."""
        layers = self.moe_layers()
        return max((layer.training_causality for layer in layers), default=Causality.TOKEN_LOCAL)

    def moe_layers(self) -> list[MoELayer]:
        """The mixture layers, in order; none in a dense baseline."""
        return [module for module in self.modules() if isinstance(module, MoELayer)]

    def flops_per_token(self) -> int:
        """Floating-point operations of a forward pass for one token of a full window.

        Two for each multiply-add of a matrix that the token meets, and 4 * S * D a block for
        attention, of which the causal mask needs half.
        """
        model, training = self.spec.model, self.spec.training
        norms = (2 * model.num_layers + 1) * model.dim
        matrices = self.num_active_params() - self.token_embedding.weight.numel() - norms
        return 2 * matrices + model.num_layers * 2 * training.seq_len * model.dim
