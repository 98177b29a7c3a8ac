"""A passage of the traced text, token by token, with the experts that each token asked for."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis.specialisation.schemas import PASSAGE
from moebench.traces import Trace, Traces


def tabulate_passage(traces: Traces, vocabulary: Sequence[str], num_tokens: int) -> pd.DataFrame:
    """Every assignment in the first tokens of the first window, of the routers' first seed.

    Raises ValueError where a window is shorter than the passage.
    """
    seq_len = traces.token_id_WS.shape[1]
    if num_tokens > seq_len:
        raise ValueError(
            f"specialisation.passage_tokens={num_tokens} must be at most the {seq_len} tokens of a "
            "traced window"
        )
    first = {trace.router: trace.seed for trace in reversed(traces.traces)}
    chosen = [trace for trace in traces.traces if trace.seed == first[trace.router]]
    ids = traces.token_id_WS[0, :num_tokens]
    table = pd.concat([_lines(trace, ids) for trace in chosen], ignore_index=True)
    # As JSON, because a table takes some words, such as null, for no text at all.
    quoted = {token_id: json.dumps(vocabulary[token_id]) for token_id in set(ids.tolist())}
    table["text"] = table["token_id"].map(quoted)
    return tables.check(table, PASSAGE)


def _lines(trace: Trace, ids: NDArray[np.uint32]) -> pd.DataFrame:
    is_first_M, is_tied_N = first_choices(trace)
    inside_M = trace.token_M < len(ids)
    tied = set(np.unique(trace.token_M)[is_tied_N].tolist())
    position_M = trace.token_M[inside_M].astype(int)
    return pd.DataFrame(
        {
            "router": trace.router,
            "seed": trace.seed,
            "state": trace.state,
            "layer": trace.layer,
            "position": position_M,
            "token_id": ids[position_M].astype(int),
            "num_experts": trace.num_experts,
            "expert": trace.expert_M[inside_M].astype(int),
            "weight": trace.weight_M[inside_M].astype(float),
            "is_kept": trace.is_kept_M[inside_M],
            "is_first": is_first_M[inside_M],
            "is_tied": [position in tied for position in position_M],
        }
    )


def first_choices(trace: Trace) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which assignment is its token's first choice (M), and which tokens have no single one (N).

    The first choice has the largest weight; among equal weights it is the one that the router named
    first, which says nothing, hence the second answer: for each token that asks for anything, in
    the order of tokens, whether its largest weight occurs twice.
    """
    order_M = np.lexsort((np.arange(len(trace.token_M)), -trace.weight_M, trace.token_M))
    token_M, weight_M = trace.token_M[order_M], trace.weight_M[order_M]
    starts_M = np.append(True, token_M[1:] != token_M[:-1])
    is_first_M = np.zeros(len(order_M), dtype=bool)
    is_first_M[order_M] = starts_M
    begin_N = np.flatnonzero(starts_M)
    second_N = begin_N + 1
    has_second_N = np.append(~starts_M, False)[second_N]
    is_tied_N = has_second_N & (weight_M[np.where(has_second_N, second_N, 0)] == weight_M[begin_N])
    return is_first_M, is_tied_N
