"""Names beside the points of a scatter plot, without overlap."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from moebench.figures import style

CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
DISTANCES = (9.5, 17.0, 25.0, 35.0)  # points
HALO = 9.0  # half the side, in points, of the square that a marker keeps free
GAP = 3.0  # points between the end of an interval and a name


@dataclass(frozen=True)
class Label:
    """A name, its colour, its point, and how far the point's intervals reach."""

    text: str
    colour: str
    x: float
    y: float
    xs: tuple[float, float] | None = None  # ends of the level interval, if any
    ys: tuple[float, float] | None = None  # ends of the upright one


def place(axes: Axes, labels: Sequence[Label]) -> list[str]:
    """Write each name at the first free place: at an end of its interval, else at a corner.

    A name for which there is no free place is left out: the legend names its marker. Returns the
    names that were written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw(_renderer(axes))
    points_per_pixel = 72 / figure.dpi
    taken = [_halo(axes, each, HALO / points_per_pixel) for each in labels]
    written = []
    for each in labels:
        for offset in _offsets(axes, each, points_per_pixel):
            note = _write(axes, each, offset)
            note.update_positions(_renderer(axes))
            box = Text.get_window_extent(note)  # without the line to the point
            if _is_inside(box, axes.bbox) and not any(box.overlaps(other) for other in taken):
                taken.append(Bbox(box.get_points()))
                written.append(each.text)
                break
            note.remove()
    return written


def _offsets(axes: Axes, label: Label, points_per_pixel: float) -> Iterator[tuple[float, float]]:
    """Places to try, in points from the marker: right, left, above, below, then the corners."""
    px, py = axes.transData.transform((label.x, label.y))
    x0, y0 = axes.transData.transform([(label.xs or (label.x,))[0], (label.ys or (label.y,))[0]])
    x1, y1 = axes.transData.transform([(label.xs or (label.x,))[-1], (label.ys or (label.y,))[-1]])
    right, left, above, below = (
        max(reach * points_per_pixel, HALO) + GAP for reach in (x1 - px, px - x0, y1 - py, py - y0)
    )
    yield from ((right, 0), (-left, 0), (0, above), (0, -below))
    for distance in DISTANCES:
        yield from ((across * distance, up * distance) for across, up in CORNERS)


def _write(axes: Axes, label: Label, offset: tuple[float, float]) -> Any:
    """A name at an offset in points, with a thin line to its point where it stands at a corner."""
    across = {1: "left", 0: "center", -1: "right"}[_sign(offset[0])]
    along = {1: "bottom", 0: "center", -1: "top"}[_sign(offset[1])]
    is_far = min(map(abs, offset)) > DISTANCES[0]
    return axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=offset,
        textcoords="offset points",
        ha=across,
        va=along,
        size=10,
        color=label.colour,
        path_effects=style.CLEAR,
        arrowprops={"arrowstyle": "-", "color": label.colour, "lw": 0.6} if is_far else None,
    )


def _renderer(axes: Axes) -> Any:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]


def _sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def _is_inside(box: Bbox, frame: Bbox) -> bool:
    is_inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
    return bool(is_inside and frame.y0 <= box.y0 and box.y1 <= frame.y1)


def _halo(axes: Axes, label: Label, half: float) -> Bbox:
    """Box around a marker, in pixels."""
    px, py = axes.transData.transform((label.x, label.y))
    return Bbox.from_extents(px - half, py - half, px + half, py + half)
