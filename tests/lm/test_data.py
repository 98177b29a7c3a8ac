import json

import numpy as np
import pytest
import torch

from moebench.lm.data import Tokens
from tests.lm.texts import learnable_tokens


def test_every_held_out_token_is_the_target_of_exactly_one_window():
    tokens = learnable_tokens(num_validation=103)
    numbered = torch.arange(103)
    object.__setattr__(tokens, "validation_N", numbered)
    batches = list(tokens.validation_batches(batch_size=3, seq_len=10))
    targets = torch.cat([target_BS.flatten() for _, target_BS in batches])
    assert sorted(targets.tolist()) == numbered.tolist()
    [before_first] = [input_BS[target_BS == 0] for input_BS, target_BS in batches if 0 in target_BS]
    assert before_first.tolist() == [tokens.end_of_document]
    for input_BS, target_BS in batches:
        assert (target_BS[:, 1:] == target_BS[:, :-1] + 1).all(), "a window is contiguous text"
        assert (input_BS[:, 1:] == target_BS[:, :-1]).all(), "inputs are the tokens before"


def test_validation_batches_hold_windows_from_all_over_the_text():
    tokens = learnable_tokens(num_validation=1000)
    object.__setattr__(tokens, "validation_N", torch.arange(1000))
    _, target_BS = next(iter(tokens.validation_batches(batch_size=8, seq_len=10)))
    assert target_BS[:, 0].max() - target_BS[:, 0].min() > 200


def test_training_batches_depend_on_seed_and_step_alone():
    tokens = learnable_tokens()
    first, again = (tokens.training_batch(1, 7, 4, 16) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], tokens.training_batch(1, 8, 4, 16)[0])
    assert not torch.equal(first[0], tokens.training_batch(2, 7, 4, 16)[0])
    assert torch.equal(first[0][:, 1:], first[1][:, :-1])


def test_a_vocabulary_larger_than_the_embedding_is_refused_in_one_line(tmp_path):
    files = [tmp_path / name for name in ("train.npy", "validation.npy", "tokens.json")]
    np.save(files[0], np.array([0, 4, 1], np.uint16))
    np.save(files[1], np.array([0, 5], np.uint16))
    facts = {"vocab_size": 5, "token_count_V": [1] * 5, "end_of_document": 0}
    facts |= {"num_validation_bytes": 3, "bigram_val_nll_nats": 1.0}
    facts |= {"corpus_sha256": "0" * 64, "tokenizer_sha256": "1" * 64}
    files[2].write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="token id 5 is larger than the embedding") as caught:
        Tokens.read(*files)
    assert "validation.npy" in str(caught.value)
    assert "\n" not in str(caught.value)
    np.save(files[1], np.array([0, 4], np.uint16))
    tokens = Tokens.read(*files)
    assert tokens.train_N.tolist() == [0, 4, 1]
    assert tokens.digests() == {"corpus_sha256": "0" * 64, "tokenizer_sha256": "1" * 64}
