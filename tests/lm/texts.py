"""A little text that a tiny model can learn: four letters, each mostly followed by the next."""

import math

import torch

from moebench.lm.data import Tokens

VOCAB_SIZE = 5  # 0 ends a document


def learnable_tokens(num_train=4000, num_validation=700):
    generator = torch.Generator().manual_seed(0)
    step_N = (torch.rand(num_train + num_validation, generator=generator) < 0.1).long() + 1
    id_N = step_N.cumsum(0) % 4 + 1
    train_N, validation_N = id_N.split([num_train, num_validation])
    return Tokens(
        train_N=train_N,
        validation_N=validation_N,
        vocab_size=VOCAB_SIZE,
        token_count_V=torch.bincount(train_N, minlength=VOCAB_SIZE),
        end_of_document=0,
        num_validation_bytes=num_validation,
        bigram_val_nll_nats=math.log(2),
        corpus_sha256="0" * 64,
        tokenizer_sha256="0" * 64,
    )
