"""LoRA on attention's queries and values, through peft: knows nothing of experts."""

from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from moebench.perft.accounting import Cost, projection_cost
from moebench.perft.adapters.base import Adapter, Shape
from moebench.spec.adapters import AdapterSpec


class AttentionLora(Adapter):
    """W_q and W_v, each plus alpha / r B A; drawn as peft draws it."""

    paper = "arXiv:2106.09685, eq. 3"

    def __init__(self, shape: Shape, spec: AdapterSpec):
        super().__init__(shape, spec)
        if spec.inner != "lora":
            raise ValueError(f"inner={spec.inner!r}: attention_lora is LoRA; set inner to 'lora'")

    def attach(self, layer: nn.Module) -> None:
        """Put peft's layers in the place of the two projections."""
        assert isinstance(layer.self_attn, nn.Module)
        settings = LoraConfig(
            r=self.spec.rank,
            lora_alpha=self.spec.scale * self.spec.rank,  # type: ignore[arg-type]
            lora_dropout=self.spec.dropout,
            target_modules=["q_proj", "v_proj"],
        )
        inject_adapter_in_model(settings, layer.self_attn)
        for parameter in layer.self_attn.parameters():
            if parameter.requires_grad:  # peft gives its matrices the type of the frozen ones
                parameter.data = parameter.data.float()

    def cost(self) -> Cost:
        """Two projections."""
        dim, rank = self.shape.hidden_size, self.spec.rank
        query = projection_cost(dim, self.shape.query_size, rank)
        return query + projection_cost(dim, self.shape.value_size, rank)
