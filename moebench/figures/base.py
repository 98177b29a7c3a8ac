"""The figure interface: from tables to a drawing, its caption, and its sidecar.

A new figure is one file beside this one with one subclass of ``Figure``.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.transforms import Bbox

from moebench import provenance, registry, sidecar
from moebench.figures import notes, style

Tables = Mapping[str, pd.DataFrame]


class Figure(ABC):
    """A drawing of tables, and nothing but tables: equal tables give equal bytes.

    ``title`` is the question that the drawing answers, in one line, which is written above it.
    ``columns`` names the tables a figure draws and the columns it needs of each; it is a literal,
    because the workflow reads it from the source to know the figure's inputs. ``keys`` names the
    columns that tell the rows of a table apart, where the drawing relies on it; ``may_be_empty``
    the tables without which there is still something to draw.
    """

    title: ClassVar[str]
    columns: ClassVar[dict[str, tuple[str, ...]]]
    keys: ClassVar[dict[str, tuple[str, ...]]] = {}
    may_be_empty: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def draw(self, tables: Tables) -> Canvas:
        """Return the drawing."""

    @abstractmethod
    def caption(self, tables: Tables) -> str:
        """One paragraph: what is drawn, what was found, and what could not be drawn."""


class ArmFigure(Figure):
    """A drawing with one marker per arm; table ``summary`` holds the arms."""

    keys = {"summary": ("router", "capacity_factor")}


def render(figure: Figure, tables: Tables) -> Canvas:
    """Check the tables and draw them in the house style; ValueError for a missing column."""
    check(figure, tables)
    with matplotlib.rc_context(style.RC):
        return figure.draw(tables)


def check(figure: Figure, tables: Tables) -> None:
    """Refuse tables that lack what the figure draws."""
    name = type(figure).__module__.rpartition(".")[2]
    for table, columns in figure.columns.items():
        if table not in tables:
            raise ValueError(f"figure {name} draws table {table!r}; given: {', '.join(tables)}")
        missing = [column for column in columns if column not in tables[table].columns]
        if missing:
            raise ValueError(
                f"figure {name}: table {table!r} has no column {', '.join(missing)}; "
                f"it has {', '.join(tables[table].columns)}"
            )
        if tables[table].empty and table not in figure.may_be_empty:
            raise ValueError(
                f"figure {name}: table {table!r} has no rows; run the experiment first"
            )
    for table, key in figure.keys.items():
        if tables[table].duplicated(list(key)).any():
            raise ValueError(
                f"figure {name}: several rows of table {table!r} have one {' and '.join(key)}, so "
                "something else is swept too; give each of its values an experiment of its own"
            )


def rows(table: pd.DataFrame) -> list[Any]:
    """Rows of a table, with columns as attributes."""
    return list(table.itertuples(index=False))


def lowest(table: pd.DataFrame, column: str) -> Any:
    """The row with the smallest value of a column."""
    return rows(table.sort_values(column, kind="stable"))[0]


def highest(table: pd.DataFrame, column: str) -> Any:
    """The row with the largest value of a column."""
    return rows(table.dropna(subset=[column]).sort_values(column, kind="stable"))[-1]


def publish(
    name: str,
    tables: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    *,
    rule: str,
    params: Mapping[str, Any],
) -> None:
    """Draw figure ``name`` from CSV files into ``outputs``: svg, png, caption (rst) and json.

    The json is the figure's sidecar: caption, hashes, and the chain of jobs down to the corpus.
    """
    figure = registry.load(Figure, name)()
    frames = {table: pd.read_csv(path) for table, path in tables.items()}
    drawing = render(figure, frames)
    caption = figure.caption(frames)
    inputs = {table: provenance.file_digest(path) for table, path in tables.items()}
    facts = {"figure": name, "inputs_sha256": provenance.json_digest(inputs)}
    with matplotlib.rc_context(style.RC):
        notes.write_above(drawing, figure.title, Path(outputs["png"]).stem)
        _save(drawing, outputs, f"moebench figure {name}, inputs sha256 {facts['inputs_sha256']}")
    Path(outputs["caption"]).write_text(notes.escape(caption) + "\n", encoding="utf-8")
    written = [outputs[kind] for kind in ("svg", "png", "caption")]
    job = sidecar.record(Path(outputs["json"]).parent, rule, tables.values(), written, params)
    sidecar.write_figure(outputs["json"], {**facts, "caption": caption}, job)


def _save(drawing: Canvas, outputs: Mapping[str, str | Path], description: str) -> None:
    """Write SVG and PNG with their title; without date and version, equal drawings are equal."""
    width, height = drawing.get_size_inches()
    page = Bbox.from_extents(0, 0, width, height + notes.TITLE_IN)
    nothing = {"Date": None, "Creator": None}
    for kind, metadata in (
        ("svg", {**nothing, "Description": description}),
        ("png", {"Software": None, "Description": description}),
    ):
        path = Path(outputs[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        drawing.savefig(
            partial, format=kind, dpi=style.PNG_DPI, metadata=metadata, bbox_inches=page
        )
        os.replace(partial, path)
