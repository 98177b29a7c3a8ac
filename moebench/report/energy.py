"""The page of the energy room: what was measured, what it says, and what was published.

What others measured stands in a block of its own, marked ``published`` or ``elsewhere``, so that a
run without a meter shows no joule that is not so marked.
"""

import textwrap
from collections.abc import Mapping

import pandas as pd

from moebench.analysis.energy.boundaries import GROSS, LABELS, headline
from moebench.analysis.energy.costs import DENSE
from moebench.analysis.energy.ladder import BEST
from moebench.figures import networks
from moebench.figures.base import rows
from moebench.figures.crossover_boundaries import published_sentence
from moebench.figures.notes import join
from moebench.report import energy_sentences as say
from moebench.report import rst

HEADLINE_BATCH = 128
COLUMNS = {  # of the table of cells: heading, column, format
    "parameters": ("num_params", "{:,.0f}"),
    "active": ("num_active_params", "{:,.0f}"),
    "inferences/s": ("inferences_per_s", "{:,.0f}"),
    "inferences/J": ("inferences_per_j", "{:,.2f}"),
    "W": ("power_w", "{:.1f}"),
    "J s": ("energy_delay_j_s", "{:.3g}"),
    "FLOP": ("flops", "{:.3g}"),
    "bytes": ("bytes", "{:.3g}"),
    "FLOP/byte": ("flops_per_byte", "{:.2f}"),
    "limited by": ("regime", "{}"),
    "training accuracy": ("train_accuracy", "{:.1%}"),
    "held-out accuracy": ("heldout_accuracy", "{:.1%}"),
}

Tables = Mapping[str, pd.DataFrame]


def page(tables: Tables) -> list[str]:
    """Parts of the page."""
    cells = tables["cells"]
    return [
        rst.heading("Energy of dense networks and mixtures", 1),
        rst.bullets(measured(cells)),
        rst.heading("From which size on a mixture is better", 2),
        rst.bullets(crossovers(tables["crossover"], tables["factors"])),
        *one_at_a_time(tables["factors"]),
        rst.heading("What is mixture, and what is its implementation", 2),
        rst.bullets(say.ladder(_headline_batch(tables["gains"])) or [NOTHING]),
        rst.heading("At equal quality", 2),
        rst.bullets(equal_quality(tables["equal_loss"])),
        rst.heading("What limits the networks, and whether they learnt", 2),
        rst.bullets([*limits(cells), *say.learning(cells)]),
        rst.heading("All cells of this machine", 2),
        cells_table(cells),
        rst.heading("Published data, analysed again", 2),
        block("published", published(tables)),
        *brought_home(tables["elsewhere"]),
        *(estimated(tables["estimate"]) if "estimate" in tables else []),
    ]


NO_LADDER = (
    "The sizes are no ladder, in which every number of the shape grows or stays, so nothing holds "
    "from a size on."
)
NOTHING = "Nothing can be compared: there is no size with both a mixture and a dense network."


def block(name: str, text: str) -> str:
    """A marked part of the page: in HTML a division of that class."""
    return f".. container:: {name}\n\n" + textwrap.indent(text, "   ")


def measured(cells: pd.DataFrame) -> list[str]:
    """What was measured, on what, how often; and what was not, and why."""
    device = join(cells["device"].drop_duplicates())
    sizes = cells.groupby("size", sort=False)["num_params"].max().sort_values()
    what = {"process": "processes", "block": "blocks within one process"}
    repeated = cells.groupby("blocks_are")["num_blocks"]
    times = join(f"{rst.span(mine)} {what[str(name)]}" for name, mine in repeated)
    sentences = [
        "From which size on does a mixture save energy against a dense network, and would it hold "
        "under another boundary?",
        f"Measured on {device}: sizes {join(sizes.index)}, in {join(cells['dtype'].unique())}, "
        f"batch {join(map(str, sorted(cells['batch_size'].unique())))}; each cell in {times}.",
    ]
    for status, mine in headline(cells).groupby("energy_status"):
        reasons = "; ".join(mine["energy_reason"].dropna().drop_duplicates())
        methods = "; ".join(mine["energy_method"].dropna().drop_duplicates())
        because = f" ({methods or reasons})" if methods or reasons else ""
        sentences.append(f"Energy is {status} in {len(mine)} cells{because}.")
    lost = int(cells["num_windows_invalid"].sum())
    if lost:
        sentences.append(
            f"{lost} lines of windows failed their checks and count for nothing; "
            "the table of windows gives each one's reason."
        )
    return sentences


def crossovers(table: pd.DataFrame, factors: pd.DataFrame) -> list[str]:
    """One sentence per kernel at the headline batch, and how many more lines there are."""
    if table.empty:
        return [NOTHING if factors.empty else NO_LADDER]
    wanted = _headline_batch(table)
    shown = wanted[(wanted["baseline"] == DENSE) | (wanted["kernel"] == BEST)]
    sentences = [say.crossover(line) for line in rows(shown)]
    if (table["quantity"] == say.TIME).all():
        sentences.append("No energy was measured here, so nothing is said of energy.")
    if len(table) > len(shown):
        sentences.append(
            f"{len(table) - len(shown)} more, of other batches and pairs, are in the table."
        )
    return sentences


def one_at_a_time(factors: pd.DataFrame) -> list[str]:
    """What each number of a shape changes, at the headline batch with the best kernel."""
    if factors.empty:
        return []
    wanted = _headline_batch(factors)
    kernel = BEST if BEST in set(wanted["kernel"]) else wanted["kernel"].iloc[0]
    shown = wanted[(wanted["kernel"] == kernel) & (wanted["baseline"] == DENSE)]
    return [
        rst.heading("One number of the shape at a time", 2),
        rst.bullets([say.factor(line) for line in rows(shown)]),
    ]


def equal_quality(table: pd.DataFrame) -> list[str]:
    """One sentence per size at the headline batch, with the best kernel."""
    if table.empty:
        return ["Nothing can be compared at equal quality: no networks of two sizes were trained."]
    wanted = _headline_batch(table)
    kernel = BEST if BEST in set(wanted["kernel"]) else wanted["kernel"].iloc[0]
    return [say.equal_loss(line) for line in rows(wanted[wanted["kernel"] == kernel])]


def limits(cells: pd.DataFrame) -> list[str]:
    """How many cells each part of the machine limits."""
    known = headline(cells).dropna(subset=["regime"])
    counts = known["regime"].value_counts()
    words = {"compute": "arithmetic", "memory": "memory", "overhead": "neither, hence overhead"}
    told = join(f"{words[str(regime)]} in {number}" for regime, number in counts.items())
    return [f"Of {len(known)} cells the limit is {told}, under the roofs that were reached here."]


def published(tables: Tables) -> str:
    """The re-analysis of the published windows, and the networks that had not learnt."""
    points = tables["elsewhere"]
    points = networks.named(points[points["origin"] == "published"])
    poor = points[points["learning"].isin(["partly", "chance"])]
    names = join(
        f"{one.size} {networks.label(one.name)} ({one.train_accuracy:.0%}"
        f"{', chance' if one.learning == 'chance' else ''})"
        for one in rows(poor)
    )
    leaning = tables["published"]
    gross = rows(leaning[(leaning["kernel"] == "chosen") & (leaning["boundary"] == GROSS)])[0]
    sentences = [
        published_sentence(tables["published"]),
        f"These had not learnt their task: {names}. The crossover of the GPU alone lies between "
        f"{gross.size_below} and {gross.size_above}"
        + ("." if gross.all_learned else ", so it leans on them."),
        "Idle and host power were not measured there; the range of watts is an assumption.",
    ]
    return rst.bullets(sentences)


def brought_home(elsewhere: pd.DataFrame) -> list[str]:
    """What was measured on other machines with this workflow, by device and date."""
    mine = elsewhere[elsewhere["origin"] == "measured"]
    if mine.empty:
        return []
    sentences = []
    for (device, date), lines in networks.named(mine).groupby(["device", "date"]):
        best = rows(lines.dropna(subset=["inferences_per_j"]).sort_values("inferences_per_j"))[-1:]
        told = [
            f"most inferences per joule: {networks.label(one.name)}, size {one.size}, {one.dtype}, "
            f"batch {one.batch_size}: {one.inferences_per_j:,.2f} inf/J ({LABELS[one.boundary]})"
            for one in best
        ]
        sentences.append(f"{device}, {date}: {len(lines)} cells; {join(told or ['no joules'])}.")
    return [
        rst.heading("Measured on other machines", 2),
        block("elsewhere", rst.bullets(sentences)),
    ]


def estimated(estimate: pd.DataFrame) -> list[str]:
    """What declared constants would make of the measured times, marked as an estimate."""
    sources = join(estimate["source"].drop_duplicates())
    sentences = [f"Not measured, but computed from declared constants ({sources})."]
    for one in rows(networks.named(_headline_batch(estimate))):
        low, high = one.estimated_energy_low_j, one.estimated_energy_high_j
        sentences.append(
            f"{networks.label(one.name)}, size {one.size}, {one.dtype}, batch {one.batch_size}: "
            f"{low:.3g} to {high:.3g} J for one inference."
        )
    return [rst.heading("Estimate", 2), block("estimate", rst.bullets(sentences))]


def cells_table(cells: pd.DataFrame) -> str:
    """One row per cell; a column that would hold nothing but dashes is left out."""
    ordered = headline(cells).sort_values(
        ["num_params", "network", "kernel", "dtype", "batch_size"]
    )
    shown = {head: form for head, form in COLUMNS.items() if ordered[form[0]].notna().any()}
    lines = [
        [
            networks.label(networks.name_of(each["network"], each["kernel"])),
            each["size"],
            each["dtype"],
            str(each["batch_size"]),
            *(rst.shown(each[column], form) for column, form in shown.values()),
            each["energy_status"],
        ]
        for each in ordered.to_dict("records")
    ]
    return rst.table(["network", "size", "type", "batch", *shown, "energy"], lines)


def _headline_batch(table: pd.DataFrame) -> pd.DataFrame:
    """Lines of one batch: the published one, or else the largest that was measured."""
    batches = set(table["batch_size"])
    if not batches:
        return table
    batch_size = HEADLINE_BATCH if HEADLINE_BATCH in batches else max(batches)
    return table[table["batch_size"] == batch_size]
