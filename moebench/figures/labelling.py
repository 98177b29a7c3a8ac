"""Names beside the points of a scatter plot, without overlap."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from moebench.figures import style

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
DISTANCES = (11.0, 17.0, 25.0, 35.0)  # points
HALO = 9.0  # half the side, in points, of the square that a marker keeps free


def place(
    axes: Axes, xs: Sequence[float], ys: Sequence[float], texts: Sequence[tuple[str, str]]
) -> list[str]:
    """Write each text, given with its colour, beside its point, at the nearest free place.

    A text for which there is no free place is left out: the legend names its marker. Returns the
    texts that were written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw(_renderer(axes))
    scale = figure.dpi / 72
    taken = [_around(axes, x, y, HALO * scale) for x, y in zip(xs, ys, strict=True)]
    written = []
    for x, y, (text, colour) in zip(xs, ys, texts, strict=True):
        box = _free(axes, (x, y), (text, colour), taken)
        if box is not None:
            taken.append(box)
            written.append(text)
    return written


def _free(
    axes: Axes, point: tuple[float, float], text: tuple[str, str], taken: list[Bbox]
) -> Bbox | None:
    """Write a text at the first place that is free and inside; None where there is none."""
    for distance, (right, up) in product(DISTANCES, SIDES):
        note = _write(axes, point, text, (right * distance, up * distance))
        note.update_positions(_renderer(axes))
        box = Text.get_window_extent(note)  # without the line to the point
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        inside = inside and axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
        if inside and not any(box.overlaps(other) for other in taken):
            return Bbox(box.get_points())
        note.remove()
    return None


def _write(
    axes: Axes, point: tuple[float, float], text: tuple[str, str], offset: tuple[float, float]
) -> Any:
    """A text at an offset in points, with a thin line to its point where it stands far away."""
    across = {1: "left", 0: "center", -1: "right"}[_sign(offset[0])]
    along = {1: "bottom", 0: "center", -1: "top"}[_sign(offset[1])]
    return axes.annotate(
        text[0],
        point,
        xytext=offset,
        textcoords="offset points",
        ha=across,
        va=along,
        size=10,
        color=text[1],
        path_effects=style.CLEAR,
        arrowprops={"arrowstyle": "-", "color": text[1], "lw": 0.6}
        if max(map(abs, offset)) > DISTANCES[1]
        else None,
    )


def _renderer(axes: Axes) -> Any:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _around(axes: Axes, x: float, y: float, half: float) -> Bbox:
    """Box around a point, in pixels."""
    px, py = axes.transData.transform((x, y))
    return Bbox.from_extents(px - half, py - half, px + half, py + half)
