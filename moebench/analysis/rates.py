"""Rates and scores: the one place where each is computed."""

import math


def tokens_per_s(num_tokens: int, elapsed_s: float) -> float:
    """Tokens finished in a bracket of time, over the bracket's length."""
    if not elapsed_s > 0:
        raise ValueError(f"elapsed_s={elapsed_s} must be more than 0; the clock did not advance")
    return num_tokens / elapsed_s


def perplexity(nll_nats: float) -> float:
    """Exponential of the mean negative log-likelihood per token; inf where a float ends."""
    try:
        return math.exp(nll_nats)
    except OverflowError:
        return math.inf


def bits_per_byte(total_nll_nats: float, num_bytes: int) -> float:
    """Negative log-likelihood of a whole text in bits, per byte of the text.

    Unlike perplexity it does not depend on the tokenizer.
    """
    if num_bytes <= 0:
        raise ValueError(f"num_bytes={num_bytes} must be more than 0; the text is empty")
    return total_nll_nats / (num_bytes * math.log(2))
