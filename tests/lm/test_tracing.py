"""Traces say what a model's routers did, before training and after it."""

import numpy as np
import pytest
import torch

from moebench.capacity import drop_over_capacity
from moebench.lm import tracing, weights
from moebench.lm.evaluate import score
from moebench.lm.model import LanguageModel
from moebench.lm.train import train
from moebench.lm.trainer import Trainer
from moebench.packing.routings import cut
from moebench.routers.base import expert_capacity
from moebench.setting import prepare
from tests.lm.texts import VOCAB_SIZE, learnable_tokens
from tests.specs import run_spec

TRAINING = {"seq_len": 16, "batch_size": 4}


def fresh_weights(spec, path):
    model = LanguageModel(spec, VOCAB_SIZE, learnable_tokens().token_count_V)
    weights.write(model, path)
    return model


def test_traces_count_what_the_score_counts(tmp_path):
    spec = run_spec("softk", capacity_factor=1.0)
    tokens = learnable_tokens(num_validation=640)
    fresh_weights(spec, tmp_path / "w.pt")
    found = tracing.trace_runs([spec], [tmp_path / "w.pt"], tokens, 640)
    setting = prepare("cpu", "float32", 1)
    values = score(Trainer(spec, tokens, setting).model, tokens, setting, batch_size=4)
    assert found.token_id_WS.shape == (40, 16)
    for trace in found.traces:
        asked_E = np.bincount(trace.expert_M, minlength=4)
        kept_E = np.bincount(trace.expert_M[trace.is_kept_M], minlength=4)
        assert asked_E.tolist() == values["load_routed_LE"][trace.layer]
        assert kept_E.tolist() == values["load_LE"][trace.layer]


def test_a_trained_model_is_traced_with_its_weights_and_an_untrained_one_without(tmp_path):
    spec, tokens = run_spec(training={"learning_rate": 1e-2}), learnable_tokens()
    path = tmp_path / "weights.pt"
    rows = train(spec, tokens, tmp_path / "checkpoint.pt", code="test", final=path)
    found = tracing.trace_runs([spec], [path], tokens, 64)
    untrained, trained = found.traces[:2], found.traces[2:]
    assert [trace.state for trace in found.traces] == ["untrained"] * 2 + ["trained"] * 2
    assert not np.array_equal(untrained[0].expert_M, trained[0].expert_M)
    model = LanguageModel(spec, VOCAB_SIZE, tokens.token_count_V)
    weights.read(model, path)
    values = score(model, tokens, prepare("cpu", "float32", 1), batch_size=4)
    assert values["val_nll_nats"] == rows[-1].values["val_nll_nats"]


def test_a_replayed_trace_drops_what_the_model_dropped(tmp_path):
    spec = run_spec("softk", capacity_factor=1.0)
    fresh_weights(spec, tmp_path / "w.pt")
    found = tracing.trace_runs([spec], [tmp_path / "w.pt"], learnable_tokens(), 64)
    trace = found.traces[0]
    kept = drop_over_capacity(cut(trace, 0, 64), expert_capacity(64, 4, 2, 1.0), "position", 16)
    first_pool = trace.token_M < 64
    assert not trace.is_kept_M[first_pool].all()
    assert len(kept.token_N) == trace.is_kept_M[first_pool].sum()
    assert (kept.token_N.numpy() == trace.token_M[first_pool & trace.is_kept_M]).all()


def test_equal_scores_are_counted_as_ties_only_where_scores_decide(tmp_path):
    tokens = learnable_tokens()
    for router, expected in (("softk", 64), ("hash", None)):
        spec = run_spec(router)
        model = LanguageModel(spec, VOCAB_SIZE, tokens.token_count_V)
        with torch.no_grad():
            for layer in model.moe_layers():
                layer.gate.weight.zero_()
        setting = prepare("cpu", "float32", 1)
        input_NBS = tracing.batches(spec, tokens, 64)
        traces = tracing.trace_model(model, "trained", input_NBS, setting)
        assert [trace.num_tied for trace in traces] == [expected] * 2


def test_weights_of_another_run_are_refused_by_what_differs(tmp_path):
    fresh_weights(run_spec("softk", seed=0), tmp_path / "w.pt")
    with pytest.raises(ValueError, match="which differs in router, seed; delete the file"):
        tracing.trace_runs([run_spec("top1", seed=1)], [tmp_path / "w.pt"], learnable_tokens(), 64)


def test_a_text_shorter_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="do not fill one batch of 4 windows of 16"):
        tracing.batches(run_spec(), learnable_tokens(num_validation=60), 64)


def test_only_whole_batches_are_traced_and_no_more_than_asked_for():
    tokens = learnable_tokens(num_validation=700)
    assert len(tracing.batches(run_spec(), tokens, 65)) == 2
    assert len(tracing.batches(run_spec(), tokens, 10_000)) == 10
