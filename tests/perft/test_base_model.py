import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig

from moebench.perft.adapter_file import load_adapter, save_adapter
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import BaseModelError, identify, load_base
from moebench.setting import prepare
from tests.perft.tiny import ids, olmoe, spec_of, stirred, tiny_base

SETTING = prepare("cpu", "float32", 1)


def unfused(model):
    """Weights under the names of the hub's OLMoE: three matrices for each expert."""
    named = {}
    for name, value in model.state_dict().items():
        place, _, last = name.rpartition(".")
        if last == "gate_up_proj":
            for index, both in enumerate(value):
                gate, up = both.chunk(2)
                named[f"{place}.{index}.gate_proj.weight"] = gate.contiguous()
                named[f"{place}.{index}.up_proj.weight"] = up.contiguous()
        elif last == "down_proj":
            for index, down in enumerate(value):
                named[f"{place}.{index}.down_proj.weight"] = down.contiguous()
        else:
            named[name] = value
    return named


def saved_by_transformers(model, folder):
    model.save_pretrained(folder)


def saved_in_shards(model, folder):
    model.save_pretrained(folder, max_shard_size="4KB")
    assert len(list(folder.glob("*.safetensors"))) > 1


def saved_by_hand(model, folder):
    model.config.save_pretrained(folder)
    save_file(unfused(model), folder / "model.safetensors", metadata={"format": "pt"})


def saved_fused(model, folder):
    model.config.save_pretrained(folder)
    save_file(dict(model.state_dict()), folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    "save", [saved_by_transformers, saved_in_shards, saved_by_hand, saved_fused]
)
def test_every_layout_of_a_checkpoint_loads_to_the_same_frozen_model(save, tmp_path):
    model = olmoe().eval()
    save(model, tmp_path)
    base = load_base(tmp_path, SETTING)
    input_BS = ids(2, 6)
    torch.testing.assert_close(base.model(input_BS).logits, model(input_BS).logits)
    assert not any(p.requires_grad for p in base.model.parameters())
    assert base.vocab_size == 20
    assert base.num_layers == 2
    AdaptedModel(base, spec_of("embedded"))(input_BS)


def test_the_layout_written_by_hand_is_that_of_the_hub():
    names = unfused(olmoe()).keys()
    assert "model.layers.1.mlp.experts.3.gate_proj.weight" in names
    assert "model.layers.1.mlp.gate.weight" in names
    assert not any("gate_up_proj" in name for name in names)


def test_widths_that_grouped_products_do_not_take_load_as_well(tmp_path):
    model = olmoe(width=6, experts="eager").eval()
    model.save_pretrained(tmp_path)
    input_BS = ids(2, 6)
    logits_BSV = load_base(tmp_path, SETTING).model(input_BS).logits
    torch.testing.assert_close(logits_BSV, model(input_BS).logits)


def test_active_parameters_leave_out_the_experts_that_a_token_does_not_meet():
    base = tiny_base()
    one_expert, num_layers, unused = 3 * 8 * 8, 2, 4 - 2
    assert base.num_params - base.num_active_params == num_layers * unused * one_expert


def test_weights_in_bfloat16_are_loaded_as_such(tmp_path):
    olmoe().save_pretrained(tmp_path)
    base = load_base(tmp_path, prepare("cpu", "bfloat16", 1))
    assert {p.dtype for p in base.model.parameters()} == {torch.bfloat16}
    model = AdaptedModel(base, spec_of("single"))
    assert {p.dtype for p in model.trainable_parameters().values()} == {torch.float32}
    lora = AdaptedModel(base, spec_of("attention_lora"))
    assert {p.dtype for p in lora.trainable_parameters().values()} == {torch.float32}
    with torch.no_grad():
        assert model(ids(2, 4)).logits_BSV.isfinite().all()


def test_identity_is_of_configuration_and_weights(tmp_path):
    olmoe().save_pretrained(tmp_path)
    before = identify(tmp_path)
    (tmp_path / "README.md").write_text("words")
    assert identify(tmp_path) == before
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_experts_per_tok": 1}))
    assert identify(tmp_path) != before


def test_a_model_without_experts_is_refused_before_its_weights_are_read(tmp_path):
    LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=6,
        num_hidden_layers=1,
        num_attention_heads=2,
    ).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"never read")
    with pytest.raises(BaseModelError, match="'llama' is no mixture of experts in layer 0") as told:
        load_base(tmp_path, SETTING)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [((), "holds no config.json"), (("config.json",), r"holds no \*\.safetensors")],
)
def test_a_folder_without_a_model_is_refused(files, complaint, tmp_path):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(BaseModelError, match=complaint):
        load_base(tmp_path, SETTING)


@pytest.mark.parametrize("variant", ["single", "embedded", "attention_lora"])
def test_saved_adapters_alone_give_the_same_answers_on_their_base(variant, tmp_path):
    base = tiny_base()
    model = stirred(AdaptedModel(base, spec_of(variant))).eval()
    save_adapter(model, tmp_path / "adapter.safetensors")
    again = load_adapter(tmp_path / "adapter.safetensors", base)
    input_BS = ids(2, 6)
    assert torch.equal(again(input_BS).logits_BSV, model(input_BS).logits_BSV)
    assert again.spec == model.spec


def test_a_frozen_router_is_saved_as_well(tmp_path):
    given = {"num_adapters": 4, "top_k": 2, "router": "frozen"}
    base = tiny_base()
    model = stirred(AdaptedModel(base, spec_of("routed", options=given), seed=5))
    save_adapter(model, tmp_path / "adapter.safetensors")
    again = load_adapter(tmp_path / "adapter.safetensors", base)
    assert torch.equal(again.adapters[1].router, model.adapters[1].router)


def test_adapters_of_another_base_are_refused(tmp_path):
    path = tmp_path / "adapter.safetensors"
    save_adapter(AdaptedModel(tiny_base(identity="a" * 64), spec_of("single")), path)
    with pytest.raises(ValueError, match="belong to base model aaaaaaaaaaaa, and this one is bbb"):
        load_adapter(path, tiny_base(identity="b" * 64))


@pytest.mark.parametrize("content", [b"", b"no tensors"])
def test_what_is_no_file_of_adapters_is_refused(content, tmp_path):
    path = tmp_path / "adapter.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a file of adapters"):
        load_adapter(path, tiny_base())
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="not a file of adapters of ours"):
        load_adapter(path, tiny_base())
