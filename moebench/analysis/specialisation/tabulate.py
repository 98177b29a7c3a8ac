"""From routing traces to tables: load, specialisation, shares of classes, co-activation.

Shapes as in ``information``; C classes, V entries of the vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis.specialisation import information as info
from moebench.analysis.specialisation.classes import CLASSES, class_V
from moebench.analysis.specialisation.passage import first_choices
from moebench.analysis.specialisation.schemas import COACTIVATION, LOAD, SHARES, SPECIALISATION
from moebench.analysis.statistics import Array, mean_interval
from moebench.traces import Trace, Traces

Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Text:
    """The windows of the traces, as classes and as token ids that occur."""

    class_WS: NDArray[np.intp]
    id_WS: NDArray[np.intp]
    num_ids: int
    order_RW: NDArray[np.intp]  # shuffles of the windows


def read_text(
    traces: Traces, vocabulary: Sequence[str], num_shuffles: int, rng: np.random.Generator
) -> Text:
    """Classes and ids of the traced windows, and the shuffles that every trace is given alike."""
    num_windows = len(traces.token_id_WS)
    if num_windows < 2:
        raise ValueError(
            "the traces hold a single window, and chance is what a routing finds in others; trace "
            "more with tracing.num_tokens"
        )
    ids, place_N = np.unique(traces.token_id_WS, return_inverse=True)
    return Text(
        class_WS=class_V(vocabulary)[traces.token_id_WS],
        id_WS=place_N.reshape(traces.token_id_WS.shape),
        num_ids=len(ids),
        order_RW=np.stack([rng.permutation(num_windows) for _ in range(num_shuffles)]),
    )


def tabulate_specialisation(traces: Traces, text: Text) -> pd.DataFrame:
    """One line per router, seed, state and layer."""
    lines: list[Line] = []
    pseudo: dict[tuple[str, int, str, int], Array] = {}
    for trace in traces.traces:
        at = info.place(trace, text.class_WS.shape[1])
        count_WCE = info.counts_WGE(at, text.class_WS, len(CLASSES))
        key = (trace.router, trace.seed, trace.state, trace.layer)
        pseudo[key] = _information_pseudo_W(count_WCE)
        lines.append(
            _layer(trace)
            | {
                "num_experts": trace.num_experts,
                "top_k": trace.top_k,
                "num_windows": len(text.class_WS),
                "num_tokens": text.class_WS.size,
                "num_assignments": len(trace.token_M),
            }
            | _classes(count_WCE, pseudo[key])
            | _chance(at, text, count_WCE)
            | _learnt(key, pseudo)
            | _vocabulary(at, text, trace.top_k)
            | _ties(trace, text.class_WS.size)
        )
    return tables.check(pd.DataFrame(lines), SPECIALISATION)


def tabulate_load(traces: Traces) -> pd.DataFrame:
    """Share of all requested assignments that each expert was asked for, and that it kept."""
    lines = []
    for trace in traces.traces:
        asked_E = np.bincount(trace.expert_M, minlength=trace.num_experts)
        kept_E = np.bincount(trace.expert_M[trace.is_kept_M], minlength=trace.num_experts)
        lines += [
            _layer(trace)
            | {
                "expert": expert,
                "requested_share": asked / asked_E.sum(),
                "kept_share": kept / asked_E.sum(),
                "fair_share": 1 / trace.num_experts,
            }
            for expert, (asked, kept) in enumerate(zip(asked_E, kept_E, strict=True))
        ]
    return tables.check(pd.DataFrame(lines), LOAD)


def tabulate_shares(traces: Traces, text: Text) -> pd.DataFrame:
    """What each expert is given: the share of each class that occurs in the text.

    Intervals are of the jackknife over windows, null for a class that never comes to an expert. An
    expert that nobody asks for has no line.
    """
    lines: list[Line] = []
    for trace in traces.traces:
        at = info.place(trace, text.class_WS.shape[1])
        count_WCE = info.counts_WGE(at, text.class_WS, len(CLASSES))
        count_CE = count_WCE.sum(axis=0)
        share_CE, low_CE, high_CE = _shares(count_WCE)
        for expert in np.flatnonzero(count_CE.sum(axis=0)):
            for group in np.flatnonzero(count_CE.sum(axis=1)):
                lines.append(
                    _layer(trace)
                    | {
                        "expert": expert,
                        "token_class": CLASSES[group],
                        "share": share_CE[group, expert],
                        "share_low": low_CE[group, expert],
                        "share_high": high_CE[group, expert],
                        "text_share": count_CE[group].sum() / count_CE.sum(),
                    }
                )
    return tables.check(pd.DataFrame(lines), SHARES)


def tabulate_coactivation(traces: Traces) -> pd.DataFrame:
    """Of the tokens of an expert, the share that another serves as well, for all pairs.

    ``by_load`` is what that share would be if an expert's tokens chose the others in proportion to
    the others' loads (co-activation: arXiv:2409.02060). A layer in which no token has two
    experts has no line.
    """
    lines: list[Line] = []
    for trace in traces.traces:
        count_EE = pairs(trace)
        load_E = np.bincount(trace.expert_M, minlength=trace.num_experts)
        for one, other in zip(*np.nonzero(~np.eye(trace.num_experts, dtype=bool)), strict=True):
            if load_E[one] and count_EE.any():
                others = load_E.sum() - load_E[one]
                mates = count_EE[one].sum() / load_E[one]
                lines.append(
                    _layer(trace)
                    | {
                        "expert": one,
                        "other": other,
                        "share": count_EE[one, other] / load_E[one],
                        "by_load": mates * load_E[other] / others,
                    }
                )
    columns = list(COACTIVATION.columns)
    return tables.check(pd.DataFrame(lines, columns=columns), COACTIVATION)


def pairs(trace: Trace) -> NDArray[np.int64]:
    """Tokens that each pair of experts serves, (E, E), zero on the diagonal."""
    token_T, place_M = np.unique(trace.token_M, return_inverse=True)
    visits_TE = np.zeros((len(token_T), trace.num_experts), dtype=np.int64)
    visits_TE[place_M, trace.expert_M] = 1
    count_EE: NDArray[np.int64] = visits_TE.T @ visits_TE
    np.fill_diagonal(count_EE, 0)
    return count_EE


def _layer(trace: Trace) -> Line:
    return {
        "router": trace.router,
        "seed": trace.seed,
        "state": trace.state,
        "layer": trace.layer,
    }


def _information_pseudo_W(count_WCE: info.Counts) -> Array:
    whole = info.mutual_information_nats(count_WCE.sum(axis=0))
    return info.pseudo_values(
        whole, info.mutual_information_nats(info.without_each_window(count_WCE))
    )


def _classes(count_WCE: info.Counts, pseudo_W: Array) -> Line:
    count_CE = count_WCE.sum(axis=0)
    low, high = mean_interval(pseudo_W)
    return {
        "class_entropy_nats": info.entropy_nats(count_CE.sum(axis=1)),
        "class_information_nats": float(info.mutual_information_nats(count_CE)),
        "class_information_unbiased_nats": float(pseudo_W.mean()),
        "class_information_unbiased_nats_low": float(low),
        "class_information_unbiased_nats_high": float(high),
    }


def _chance(at: info.Place, text: Text, count_WCE: info.Counts) -> Line:
    """What the same routing finds in windows that it did not see."""
    found_R = np.array(
        [
            info.mutual_information_nats(count_CE)
            for count_CE in info.shuffled_GE(at, text.class_WS, len(CLASSES), text.order_RW)
        ]
    )
    observed = info.mutual_information_nats(count_WCE.sum(axis=0))
    low, high = np.quantile(found_R, [0.025, 0.975])
    return {
        "chance_nats": float(found_R.mean()),
        "chance_nats_low": float(low),
        "chance_nats_high": float(high),
        "p_value": float((1 + (found_R >= observed).sum()) / (1 + len(found_R))),
    }


def _learnt(
    key: tuple[str, int, str, int], pseudo: Mapping[tuple[str, int, str, int], Array]
) -> Line:
    """What training added, window by window; the untrained trace comes before the trained one."""
    router, seed, state, layer = key
    names = ("learnt_nats", "learnt_nats_low", "learnt_nats_high")
    if state == "untrained":
        return dict.fromkeys(names, np.nan)
    gain_W = pseudo[key] - pseudo[router, seed, "untrained", layer]
    low, high = mean_interval(gain_W)
    return dict(zip(names, (float(gain_W.mean()), float(low), float(high)), strict=True))


def _vocabulary(at: info.Place, text: Text, top_k: int) -> Line:
    as_it_is = np.arange(len(text.id_WS))[None]
    (own_VE,) = info.shuffled_GE(at, text.id_WS, text.num_ids, as_it_is)
    shuffled = info.shuffled_GE(at, text.id_WS, text.num_ids, text.order_RW)
    return {
        "vocabulary_share": info.favourite_share(own_VE, top_k),
        "vocabulary_chance": float(
            np.mean([info.favourite_share(count_VE, top_k) for count_VE in shuffled])
        ),
    }


def _ties(trace: Trace, num_tokens: int) -> Line:
    _, is_tied_N = first_choices(trace)
    return {
        "tied_rate": np.nan if trace.num_tied is None else trace.num_tied / num_tokens,
        "equal_weights_rate": float(is_tied_N.mean()),
    }


def _shares(count_WCE: info.Counts) -> tuple[Array, Array, Array]:
    """Share of each class among the assignments of each expert, and the ends of its interval."""
    count_CE = count_WCE.sum(axis=0)
    share_CE = _of_expert(count_CE)
    pseudo_CEW = info.pseudo_values(
        share_CE, np.moveaxis(_of_expert(info.without_each_window(count_WCE)), 0, -1)
    )
    low_CE, high_CE = mean_interval(pseudo_CEW)
    # A share is hardly biased: keep it the centre. What never varies has no interval, not one of
    # width zero.
    shift_CE = share_CE - pseudo_CEW.mean(axis=-1)
    shift_CE[low_CE == high_CE] = np.nan
    return share_CE, low_CE + shift_CE, high_CE + shift_CE


def _of_expert(count_CE: info.Counts) -> Array:
    total = count_CE.sum(axis=-2, keepdims=True)
    share: Array = np.divide(count_CE, total, out=np.full(count_CE.shape, np.nan), where=total > 0)
    return share
