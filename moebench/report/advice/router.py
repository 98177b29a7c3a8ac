"""Which router, at which capacity factor?"""

from collections.abc import Iterator

import pandas as pd

from moebench.analysis.certificates.gate import hides_later_tokens
from moebench.analysis.schemas_ranks import RANKS
from moebench.figures import style
from moebench.figures.conditions import label
from moebench.figures.notes import join
from moebench.report import arms
from moebench.report.advice.base import Answer, Line, Quotes, Status, Tables, lines
from moebench.report.advice.compared import Field, compared, is_faster

QUESTION = "Which router, at which capacity factor, gives the best quality for its cost?"
TERMS = (
    "A router decides which experts a token meets (docs/routers.md explains each); the capacity "
    "factor (CF) is how many tokens an expert may take, as a multiple of its fair share. "
    "Perplexity says among how many tokens the model wavers when it guesses the next one: less is "
    "better."
)
GAP = "val_nll_difference_nats"
SHARE = "nats as a signed share of the perplexity"
SWAPPED = "nats, sides exchanged, as a signed share of the perplexity"
FEWEST_SEEDS = 2


def answer(experiment: str, tables: Tables) -> Answer:
    """Advice from tables ``{experiment}_summary`` and ``_contrasts``, and the ranks elsewhere."""
    if tables[f"{experiment}_summary"].duplicated(list(arms.KEY)).any():
        return Answer("router", QUESTION, TERMS, "cannot say", _swept(experiment))
    field = compared(experiment, tables)
    reason = _no_answer(field)
    if reason:
        verdict = f"Cannot say, because {reason}."
        return Answer("router", QUESTION, TERMS, "cannot say", verdict)
    quote = Quotes()
    best = min(field.routed, key=lambda arm: field.routed[arm]["val_nll_causal_nats"])
    chosen = field.cheapest(best)
    verdict, is_sure = _verdict(field, chosen, quote)
    because = [
        _score(field, chosen, quote),
        *_why_not_the_best(field, chosen, best, quote),
        *_against_dense(field, chosen, quote),
        *_elsewhere(experiment, tables, quote),
    ]
    changes = [*_unseen(field, chosen, quote), *_futures(experiment, tables, quote), _SCALE]
    status: Status = "answered" if is_sure else "open"
    figure = f"{experiment}_frontier"
    return Answer(
        "router", QUESTION, TERMS, status, verdict, because, changes, figure, quote.numbers
    )


_SCALE = (
    "Small models and short training may rank otherwise than large ones: measure at the size you "
    "care about (keys `model` and `training`)."
)


def _swept(experiment: str) -> str:
    return (
        f"Cannot say, because experiment {experiment} sweeps more than router, capacity factor, "
        "gate and drop policy; name another one in `advice.experiment`."
    )


def _no_answer(field: Field) -> str | None:
    if not field.routed:
        return (
            f"experiment {field.experiment} has no router that may be ranked: all look at "
            "later tokens and do not declare it, or repeat a published mistake; add another one "
            "under `routers`"
        )
    if min(each["num_seeds"] for each in field.routed.values()) < FEWEST_SEEDS:
        return (
            "one run of each arm shows no difference from chance; give at least two `seeds`, "
            "better three"
        )
    return None


def _verdict(field: Field, chosen: arms.Arm, quote: Quotes) -> tuple[str, bool]:
    """What to take, and whether the measurement decides it."""
    name = quote.name(field.routed[chosen], style.cell(*chosen))
    told = {dense: field.against(chosen, dense) for dense in field.dense}
    unbeaten = [dense for dense, found in told.items() if found != "better"]
    cheaper = [dense for dense in unbeaten if is_faster(field.dense[dense], field.routed[chosen])]
    if not field.dense:
        return f"Take {name}. No dense network was measured beside it.", True
    if not cheaper:
        return f"Take {name}: no dense network measured here is as good and certainly faster.", True
    for conclusion, words in (
        ("worse", "both better and faster"),
        ("equivalent", "as good and faster"),
    ):
        dense = [style.cell(*each) for each in cheaper if told[each] == conclusion]
        if dense:
            return f"None: {join(dense)} is {words}. Of the routers, take {name}.", True
    dense = [style.cell(*each) for each in cheaper]
    return (
        f"Of the routers, take {name}. But no mixture has shown here that it is worth it: "
        f"{join(dense)} is faster, and the seeds tell no difference in quality.",
        False,
    )


def _score(field: Field, arm: arms.Arm, quote: Quotes) -> str:
    line = field.routed[arm]
    chance = (
        ""
        if pd.isna(line["p_on_frontier"])
        else " It is on the frontier (nothing beats it in both) with probability "
        f"{quote(line, 'p_on_frontier', 'two decimals')}."
    )
    return f"{quote.name(line, style.cell(*arm))}: {_both(line, quote)}.{chance}"


def _both(line: Line, quote: Quotes) -> str:
    """Perplexity and speed, with intervals."""
    return (
        f"perplexity {quote(line, 'val_ppl_causal', 'three decimals')} "
        f"({quote.interval(line, 'val_ppl_causal', 'three decimals')}) at "
        f"{quote(line, 'train_tokens_per_s', 'count')} tokens/s in training "
        f"({quote.interval(line, 'train_tokens_per_s', 'count')})"
    )


def _why_not_the_best(
    field: Field, chosen: arms.Arm, best: arms.Arm, quote: Quotes
) -> Iterator[str]:
    if chosen != best:
        name = quote.name(field.routed[best], style.cell(*best))
        yield (
            f"The lowest perplexity of the routers is that of {name}, "
            f"{_both(field.routed[best], quote)}; but the seeds do not tell the two apart, and the "
            "one advised is faster."
        )
    others = [arm for arm in field.ties(best) if arm != chosen]
    if others:
        names = [quote.name(field.routed[arm], style.cell(*arm)) for arm in others]
        yield f"Not told apart from the lowest either: {join(names)}."


def _against_dense(field: Field, chosen: arms.Arm, quote: Quotes) -> Iterator[str]:
    words = {
        "better": "better, beyond the spread of the seeds",
        "worse": "worse, beyond the spread of the seeds",
        "equivalent": "equivalent, for so little does not matter",
        "tie": "undecided",
        None: "not tested",
    }
    for dense, line in field.dense.items():
        pair = field.pair(chosen, dense)
        if pair is None:
            continue
        is_first = arms.arm({k: pair[f"{k}_a"] for k in arms.KEY}) == chosen
        columns = (f"{GAP}_low", f"{GAP}_high") if is_first else (f"{GAP}_high", f"{GAP}_low")
        form = SHARE if is_first else SWAPPED
        yield (
            f"{style.cell(*dense)}: {_both(line, quote)}. Against it, the router changes the "
            f"perplexity by {quote(pair, GAP, form)} ({quote.ends(pair, columns, form)}): "
            f"{words[field.against(chosen, dense)]}{_by_chance(field, chosen, dense)}."
        )


def _by_chance(field: Field, chosen: arms.Arm, dense: arms.Arm) -> str:
    """Why a tie is one although the interval of this pair alone leaves out zero."""
    pair = field.pair(chosen, dense)
    if pair is None or field.against(chosen, dense) != "tie":
        return ""
    ends = pair[f"{GAP}_low"], pair[f"{GAP}_high"]
    if min(ends) <= 0 <= max(ends):
        return ""
    return ", for among as many comparisons as there are here, chance alone may bring up such a one"


def _elsewhere(experiment: str, tables: Tables, quote: Quotes) -> Iterator[str]:
    """Which router is best in the other experiments of this run."""
    if "rank_stability_ranks" not in tables:
        return
    told = []
    for each in lines(tables, "rank_stability_ranks", tuple(RANKS.unique)):
        if each["experiment"] != experiment and each["rank"] == 1:
            name = quote.name(each, f"{style.label(each['router'])} ({label(each['condition'])})")
            told.append(name)
    if told:
        yield f"Lowest perplexity in the other experiments of this run: {join(told)}."


def _unseen(field: Field, chosen: arms.Arm, quote: Quotes) -> Iterator[str]:
    """What difference the seeds would have missed."""
    pairs = [field.pair(chosen, other) for other in (*field.dense, *field.routed)]
    known = [each for each in pairs if each and pd.notna(each["minimum_detectable_nats"])]
    if known:
        widest = max(known, key=lambda each: float(each["minimum_detectable_nats"]))
        share = quote(widest, "minimum_detectable_nats", "nats as a share of the perplexity")
        yield (
            f"More seeds (key `seeds`): with {quote(widest, 'num_seeds', 'count')}, perplexities "
            f"that differ by less than {share} often look alike."
        )


def _futures(experiment: str, tables: Tables, quote: Quotes) -> Iterator[str]:
    """What routers that look at later tokens have while they may, and who does so in secret."""
    summary = tables[f"{experiment}_summary"]
    secret = {arms.arm(each) for each in summary[hides_later_tokens(summary)].to_dict("records")}
    for each in lines(tables, f"{experiment}_summary", arms.KEY):
        name = style.cell(*arms.arm(each))
        if arms.arm(each) in secret:
            yield (
                f"{quote.name(each, name)} takes no part: its certificate shows that it looks at "
                "later tokens, which it does not declare."
            )
        elif each["causality"] == style.NON_CAUSAL:
            yield (
                f"Where no text is to be generated, {quote.name(each, name)} may look at later "
                f"tokens, and then has perplexity {quote(each, 'val_ppl', 'three decimals')}; "
                "here it counts without them."
            )
