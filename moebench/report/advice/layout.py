"""Expert parallel, tensor parallel, or neither?"""

from collections.abc import Iterator

import pandas as pd

from moebench.analysis.parallel.derived import SIZE
from moebench.figures import layouts
from moebench.figures.notes import join
from moebench.report.advice.base import Answer, Line, Quotes, Tables, lines

QUESTION = "Expert parallel or tensor parallel, or neither?"
TERMS = (
    "Expert parallel: each rank (a process with cores or a GPU of its own) holds some whole "
    "experts. Tensor parallel: each rank holds a slice of every expert. Neither: one process holds "
    "all."
)
NEITHER, TENSOR, EXPERT, BOTH = "neither", "tensor parallel", "expert parallel", "both at once"
FAMILIES = {"single": NEITHER, "tensor": TENSOR, "expert": EXPERT}
ENDS = ("median_low_s", "median_high_s")
CELL = ("sweep", "layout", *SIZE)
PREDICTED = ("link", "scaling", "layout", *(name for name in SIZE if name not in SIZE[:2]))


def answer(tables: Tables) -> Answer:
    """Advice from tables ``parallel``, ``parallel_regimes`` and ``parallel_predictions``."""
    sizes = [each for each in lines(tables, "parallel_regimes", SIZE) if each["world_size"] > 1]
    if not sizes:
        verdict = (
            "Cannot say, because nothing was measured on more than one rank; raise `world_size` "
            "under `parallel.sweeps`."
        )
        return Answer("layout", QUESTION, TERMS, "cannot say", verdict)
    quote = Quotes()
    own = [each for each in sizes if not each["oversubscribed"]]
    judged = own or sizes
    ends = {_name(each): each for each in (min(judged, key=_work), max(judged, key=_work))}
    crowded = max((each for each in sizes if each["oversubscribed"]), key=_work, default=None)
    verdict, is_sure = _verdict(judged, ends, quote)
    doubt = _doubt(own, crowded, quote)
    because = [_size(each, tables, quote) for each in ends.values()]
    if own and crowded is not None:
        because.append(_size(crowded, tables, quote))
    return Answer(
        "layout",
        QUESTION,
        TERMS,
        "answered" if is_sure and own and not doubt else "open",
        verdict + doubt,
        because,
        [*_own_cores(crowded, tables, quote), _LARGER],
        "parallel_regime_map",
        quote.numbers,
    )


_LARGER = "Larger batches and wider layers give each rank more work between two messages."


def family(layout: str) -> str:
    """What a layout is: neither, tensor or expert parallel, or both at once."""
    return BOTH if layout == "expert_tensor" else FAMILIES[layout.partition("_")[0]]


def winners(size: Line) -> set[str]:
    """Families that nothing beats at a size: of the fastest layout, and of those that tie."""
    tied = "" if pd.isna(size["tied_with"]) else str(size["tied_with"])
    return {family(layout) for layout in (size["fastest_layout"], *tied.split())}


def _work(size: Line) -> tuple[int, int]:
    return (
        size["batch_size"] * size["top_k"] * size["feature_dim"],
        size["world_size"],
    )


def _name(size: Line) -> str:
    ranks, batch, width = (size[key] for key in ("world_size", "batch_size", "feature_dim"))
    return (
        f"{ranks} ranks, batch {batch}, width {width}, {size['num_experts']} experts, "
        f"top-{size['top_k']}, {layouts.DIRECTIONS[size['direction']]}"
    )


def _verdict(judged: list[Line], ends: dict[str, Line], quote: Quotes) -> tuple[str, bool]:
    """The family that nothing beats at any size, or what it is at both ends."""
    common = set.intersection(*map(winners, judged))
    where = (
        "with a core for each rank"
        if not judged[0]["oversubscribed"]
        else "with ranks that share cores, the only ones measured"
    )
    if len(common) == 1:
        found = common.pop()
        said = "Neither: keep all experts in one process" if found == NEITHER else f"Take {found}"
        if any(winners(each) == {found} for each in judged):
            largest = max(judged, key=_work)
            upto = quote.name(largest, _name(largest))
            return (
                f"{said}. At every size measured here {where}, up to {upto}, nothing is faster.",
                True,
            )
        return f"{said}, if any: at every size measured here {where} it ties with another.", False
    if common:
        return f"It does not matter here: {' and '.join(sorted(common))} tie at every size.", False
    told = [f"{' or '.join(sorted(winners(e)))} at {quote.name(e, n)}" for n, e in ends.items()]
    return f"It depends on the size, {where}: {'; '.join(told)}.", True


def _doubt(own: list[Line], crowded: Line | None, quote: Quotes) -> str:
    """Whether another family wins at larger work, of which ranks that share cores alone tell."""
    if not own or crowded is None or _work(crowded)[0] <= max(_work(each)[0] for each in own):
        return ""
    won, common = winners(crowded), set.intersection(*map(winners, own))
    if won & common:
        return ""
    return (
        f" But larger work was measured with ranks that share cores alone, and even so "
        f"{' or '.join(sorted(won))} is the fastest at {quote.name(crowded, _name(crowded))}."
    )


def _size(size: Line, tables: Tables, quote: Quotes) -> str:
    """Who is fastest at one size, by how much."""
    crowded = " (ranks share cores)" if size["oversubscribed"] else ""
    fastest = layouts.label(size["fastest_layout"])
    text = f"{quote.name(size, _name(size))}{crowded}: {fastest} takes "
    text += quote(size, "fastest_median_s", "duration") + _interval(size, tables, quote)
    if pd.isna(size["runner_up_ratio"]):
        return f"{text}; nothing else was measured there."
    text += (
        f"; the next, {layouts.label(size['runner_up_layout'])}, takes "
        f"{quote(size, 'runner_up_ratio', 'two decimals')} times as long"
    )
    return text + (", which the repetitions do not tell apart." if size["is_tie"] else ".")


def _interval(size: Line, tables: Tables, quote: Quotes) -> str:
    """Interval of the fastest layout's time."""
    for cell in lines(tables, "parallel", CELL):
        same = cell["layout"] == size["fastest_layout"] and all(cell[k] == size[k] for k in SIZE)
        if same and cell["median_duration_s"] == size["fastest_median_s"]:
            return f" ({quote.ends(cell, ENDS, 'duration')})"
    return ""


def _own_cores(crowded: Line | None, tables: Tables, quote: Quotes) -> Iterator[str]:
    """What a model expects of machines with a core and a link for each rank."""
    if crowded is None:
        return
    yield "A machine with more cores or GPUs: ranks that share cores say little of others."
    table = tables["parallel_predictions"]
    same = [table[name] == crowded[name] for name in ("world_size", "direction")]
    fixed = table[(table["scaling"] == "fixed") & same[0] & same[1]]
    if fixed.empty:
        return
    fastest = fixed.loc[fixed.groupby("link")["predicted_duration_s"].idxmin()]
    told = []
    for each in lines({"parallel_predictions": fastest}, "parallel_predictions", PREDICTED):
        link = quote.name(each, str(each["link"]).replace("_", " "))
        duration = quote(each, "predicted_duration_s", "duration")
        told.append(f"{layouts.label(each['layout'])} with {link} between them ({duration})")
    ranks = quote(crowded, "world_size", "count")
    yield (
        f"Predicted, not measured: had each of {ranks} ranks a core of this kind, the largest work "
        f"measured would be fastest by {join(told)}."
    )
