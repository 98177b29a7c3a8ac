"""Does the model tell the durations? Predicted against measured, cell by cell."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from moebench.figures import agreement, layouts, ticks
from moebench.figures.base import Figure, Tables
from moebench.figures.notes import join


class PredictedDuration(Figure):
    """One marker per cell: hollow where it judged the fit, filled where it was fitted."""

    title = "Does the model of parallel layouts tell their durations?"
    columns = {
        "parallel": (
            "layout",
            "direction",
            "median_duration_s",
            "predicted_duration_s",
            "is_held_out",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw predicted against measured durations, a panel per direction."""
        notes = _note(tables["parallel"])
        cells = _known(tables["parallel"])
        return agreement.panels(
            cells, ("measured duration", "predicted duration"), ticks.seconds, notes
        )

    def caption(self, tables: Tables) -> str:
        """Give the error on cells that were held out, and name the worst layout."""
        cells = _known(tables["parallel"])
        text = ["Predicted against measured duration of every cell."]
        judged = cells[cells["is_hollow"]]
        if len(judged):
            by_layout = judged.groupby("layout")["error"].median().sort_values()
            text.append(
                f"Median relative error on the {len(judged)} held-out cells: "
                f"{judged['error'].median():.0%}; largest for {layouts.label(by_layout.index[-1])}"
                f", {by_layout.iloc[-1]:.0%}."
            )
        else:
            text.append("No cell was held out, so nothing judges the fit.")
        return " ".join([*text, *_note(tables["parallel"])])


def _known(table: pd.DataFrame) -> pd.DataFrame:
    cells = table.dropna(subset=["predicted_duration_s"]).rename(
        columns={
            "median_duration_s": "measured",
            "predicted_duration_s": "predicted",
            "is_held_out": "is_hollow",
        }
    )
    return cells.assign(error=np.abs(cells["predicted"] / cells["measured"] - 1))


def _note(table: pd.DataFrame) -> list[str]:
    notes = [
        "Hollow: held out, so it judges the model; filled: fitted.",
        f"Line: equal; band: within {agreement.WITHIN:.0%}.",
    ]
    known = table.groupby("direction")["predicted_duration_s"].count()
    for direction in known.index[known == 0]:
        words = layouts.DIRECTIONS[direction]
        notes.append(f"Nothing is predicted of {words}: no cell of it was held out to judge that.")
    table = table[table["direction"].map(known) > 0]
    absent = layouts.order(table.loc[table["predicted_duration_s"].isna(), "layout"])
    if absent:
        names = join([layouts.label(name) for name in absent])
        notes.append(f"Not (wholly) drawn, for want of a prediction: {names}.")
    return notes
