"""Questions with their answers as token ids, and batches of them.

Shapes: B questions of S tokens, the shorter ones padded at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from moebench.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One question and its answer, as a language model reads them."""

    ids: Sequence[int]  # question, then answer, ends of document included where wanted
    num_prompt: int  # ids before the answer

    def __post_init__(self) -> None:
        assert 1 <= self.num_prompt < len(self.ids)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Questions side by side; the targets are the inputs' next tokens."""

    input_BS: Tensor
    target_BS: Tensor
    is_token_BS: Tensor  # the target is no padding
    is_answer_BS: Tensor  # the target belongs to the answer

    def to(self, setting: Setting) -> "Batch":
        """The same batch on the device of a setting."""
        return Batch(**{name: setting.to_device(each) for name, each in vars(self).items()})

    def counted_BS(self, loss_on: str) -> Tensor:
        """Where the loss counts: on ``answers``, or on ``all``."""
        return {"answers": self.is_answer_BS, "all": self.is_token_BS}[loss_on]


def collate(questions: Sequence[Encoded]) -> Batch:
    """Make a batch, as long as its longest question."""
    longest = max(len(each.ids) for each in questions)
    id_BS = torch.zeros(len(questions), longest, dtype=torch.long)
    is_token_BS = torch.zeros(len(questions), longest, dtype=torch.bool)
    is_answer_BS = torch.zeros(len(questions), longest, dtype=torch.bool)
    for row, each in enumerate(questions):
        length = len(each.ids)
        id_BS[row, :length] = torch.tensor(each.ids)
        is_token_BS[row, :length] = True
        is_answer_BS[row, each.num_prompt : length] = True
    return Batch(
        input_BS=id_BS[:, :-1],
        target_BS=id_BS[:, 1:],
        is_token_BS=is_token_BS[:, 1:],
        is_answer_BS=is_answer_BS[:, 1:],
    )


def training_batch(questions: Sequence[Encoded], seed: int, step: int, batch_size: int) -> Batch:
    """The batch of a step (from 1): epochs over all questions, each in an order of its own.

    It depends on seed and step alone, so that a resumed run sees what it would have seen, and every
    variant of a seed sees the same. ValueError for fewer questions than one batch.
    """
    per_epoch = len(questions) // batch_size
    if per_epoch == 0:
        raise ValueError(
            f"{len(questions)} questions to train on are fewer than batch_size={batch_size}; "
            "give more, or lower finetuning.batch_size"
        )
    epoch, place = divmod(step - 1, per_epoch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(questions), generator=generator)
    chosen = order[place * batch_size : (place + 1) * batch_size].tolist()
    return collate([questions[index] for index in chosen])


def nll_BS(logits_BSV: Tensor, batch: Batch) -> Tensor:
    """Negative log-likelihood of each target in nats, in float32; of padding too, to be masked."""
    return functional.cross_entropy(
        logits_BSV.transpose(1, 2).float(), batch.target_BS, reduction="none"
    )
