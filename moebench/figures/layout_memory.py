"""How much memory does a rank need? Measured against predicted, the rank that needs most."""

import pandas as pd
from matplotlib.figure import Figure as Canvas

from moebench.figures import agreement, layouts
from moebench.figures.base import Figure, Tables
from moebench.figures.ticks import number

MIB = 2**20
LARGE_MIB = 10


class LayoutMemory(Figure):
    """One marker per cell: weights, activations and buffers of the fullest rank."""

    title = "How much memory does a rank need, and does the model tell?"
    columns = {
        "parallel": (
            "layout",
            "direction",
            "oversubscribed",
            "peak_memory_bytes",
            "predicted_memory_bytes",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw predicted against measured memory, a panel per direction."""
        notes = _note(tables["parallel"])
        cells = _positive(tables["parallel"])
        return agreement.panels(
            cells, ("measured peak of the fullest rank in MiB", "predicted in MiB"), number, notes
        )

    def caption(self, tables: Tables) -> str:
        """Name the layouts that need most and least at the largest cell."""
        text = ["Memory of the fullest rank beyond what its process held before, and predicted."]
        cells = _positive(tables["parallel"])
        if len(cells):
            need = cells.groupby("layout")["measured"].max().sort_values()
            text.append(
                f"The largest cell needs least with {layouts.label(need.index[0])}, "
                f"{need.iloc[0]:.2g} MiB, most with {layouts.label(need.index[-1])}, "
                f"{need.iloc[-1]:.2g} MiB."
            )
            large = cells["measured"] >= LARGE_MIB
            error = (cells["predicted"] / cells["measured"] - 1).abs()
            text.append(
                f"The prediction comes within {agreement.WITHIN:.0%} in "
                f"{(error <= agreement.WITHIN).sum()} of {len(cells)} cells; of those that need "
                f"{LARGE_MIB} MiB or more in {(error[large] <= agreement.WITHIN).sum()} of "
                f"{large.sum()}."
            )
        return " ".join([*text, *_note(tables["parallel"])])


def _positive(table: pd.DataFrame) -> pd.DataFrame:
    cells = table[(table["peak_memory_bytes"] > 0) & (table["predicted_memory_bytes"] > 0)]
    return cells.assign(
        measured=cells["peak_memory_bytes"] / MIB,
        predicted=cells["predicted_memory_bytes"] / MIB,
        is_hollow=cells["oversubscribed"],
    )


def _note(table: pd.DataFrame) -> list[str]:
    notes = [f"Line: equal; band: within {agreement.WITHIN:.0%}."]
    if table["oversubscribed"].any():
        notes.append("Hollow: more ranks than cores.")
    num_absent = len(table) - len(_positive(table))
    if num_absent:
        notes.append(
            f"{num_absent} cells are not drawn: they fit into memory that the process held already."
        )
    return notes
