"""Scores on held-out questions: the answers' cross-entropy, and how often the right option wins.

Shapes: B sequences of S tokens, N sequences in all: one for each option of each question.
"""

from collections.abc import Sequence
from typing import Any

import torch
from tqdm import tqdm

from moebench.perft.base import AdaptedModel
from moebench.perft.questions import Encoded, collate, nll_BS
from moebench.questions.encode import EncodedQuestion

Values = dict[str, Any]

_PROGRESS_S = 5  # at most one line of progress in so many seconds


def score(model: AdaptedModel, questions: Sequence[EncodedQuestion], batch_size: int) -> Values:
    """Score every question by its right answer, and by its options where it has several.

    ``answer_nll_nats`` is the mean over the tokens of all right answers, their end of document
    included, of the task's cross-entropy alone: no balance loss is in it. An answer counts as right
    where the model finds it likelier, as a whole, than each of the other options; a tie is wrong.
    """
    sequences = [
        Encoded(ids=question.prompt + output, num_prompt=len(question.prompt))
        for question in questions
        for output in question.outputs
    ]
    nll_N = iter(sequence_nll(model, sequences, batch_size))
    total_nats, num_tokens, num_right = 0.0, 0, 0
    for question in questions:
        nll_nats = [next(nll_N) for _ in question.outputs]
        right_nats = nll_nats.pop(question.right)
        total_nats += right_nats
        num_tokens += len(question.outputs[question.right])
        num_right += all(right_nats < other for other in nll_nats)
    return {
        "answer_nll_nats": total_nats / num_tokens,
        "accuracy": num_right / len(questions),
        "chance_accuracy": sum(1 / len(each.outputs) for each in questions) / len(questions),
        "num_scored_questions": len(questions),
        "num_scored_tokens": num_tokens,
    }


@torch.no_grad()
def sequence_nll(model: AdaptedModel, sequences: Sequence[Encoded], batch_size: int) -> list[float]:
    """Negative log-likelihood in nats of each answer given its prompt, in the given order."""
    assert not model.training
    # Sequences of like length side by side leave little padding.
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index].ids))
    found = [0.0] * len(sequences)
    for start in tqdm(
        range(0, len(order), batch_size),
        desc="scoring",
        unit="batch",
        mininterval=_PROGRESS_S,
        delay=_PROGRESS_S,
        ascii=True,
        ncols=90,
    ):
        chosen = order[start : start + batch_size]
        batch = collate([sequences[index] for index in chosen]).to(model.base.setting)
        logits_BSV = model(batch.input_BS, batch.is_token_BS).logits_BSV
        nll_B = (nll_BS(logits_BSV, batch).double() * batch.is_answer_BS).sum(dim=1)
        for index, nll in zip(chosen, nll_B.tolist(), strict=True):
            found[index] = nll
    return found
