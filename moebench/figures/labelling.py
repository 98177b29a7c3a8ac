"""Names beside the points of a scatter plot, without overlap."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from moebench.figures import style

CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
FLAT_CORNERS = ((2.4, 0.8), (2.4, -0.8), (-2.4, 0.8), (-2.4, -0.8))
STEEP_CORNERS = tuple((up, across) for across, up in FLAT_CORNERS)
DISTANCES = (9.5, 17.0, 25.0, 35.0, 48.0, 64.0)  # points
HALO = 9.0  # half the side, in points, of the square that a marker keeps free
GAP = 3.0  # points between the end of an interval and a name
ALONG = tuple(n / 20 for n in range(3, 20))  # where a line to a name may hit another one
STRUCK = 3  # a name struck through is as bad as so many that cross an interval
IS_FAR = 20.0  # points from which on a thin line leads from a name to its point
CLEARANCE = 1.5  # points between a line and a name, where there is room

Path = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Label:
    """A name, its colour, its point, and how far the point's intervals reach."""

    text: str
    colour: str
    x: float
    y: float
    xs: tuple[float, float] | None = None  # ends of the level interval, if any
    ys: tuple[float, float] | None = None  # ends of the upright one


class Place(NamedTuple):
    """Where a name may stand: offset in points, box in pixels, dots along the line to its point."""

    offset: tuple[float, float]
    box: Bbox
    leader: list[Bbox]


def place(axes: Axes, labels: Sequence[Label], lines: Sequence[Path] = ()) -> list[str]:
    """Write each name at the best free place: at an end of its interval, else at a corner.

    Markers and other names are kept free. Intervals are crossed only where there is no other
    place, and so are ``lines``, which consist of level and upright pieces. A name for which there
    is no free place is left out: the legend names its marker. Returns the names that were written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = _renderer(axes)
    figure.draw(renderer)
    points_per_pixel = 72 / figure.dpi
    markers = [_halo(axes, each, HALO / points_per_pixel) for each in labels]
    crossed = [
        _around(axes, piece, CLEARANCE / points_per_pixel)
        for path in [*_intervals(labels), *lines]
        for piece in itertools.pairwise(path)
    ]
    places = [list(_places(axes, each, points_per_pixel, renderer)) for each in labels]
    chosen: dict[int, Place] = {}
    # Once more, now that all others have a place.
    for number in [*range(len(labels))] * 2:
        others = [place for other, place in chosen.items() if other != number]
        best = _best(places[number], markers, crossed, others)
        if best is not None:
            chosen[number] = best
    for number, where in sorted(chosen.items()):
        _write(axes, labels[number], where.offset)
    return [labels[number].text for number in sorted(chosen)]


def _best(
    places: Sequence[Place], markers: list[Bbox], crossed: list[Bbox], others: Sequence[Place]
) -> Place | None:
    """The first place that crosses least; none where every one hits a marker or a name."""
    names = [each.box for each in others]
    leaders = [dot for each in others for dot in each.leader]
    best: tuple[int, Place] | None = None
    for each in places:
        if _num_hit(each.box, [*markers, *names]):
            continue
        struck = _num_hit(each.box, leaders) + sum(_num_hit(dot, names) for dot in each.leader)
        cost = _num_hit(each.box, crossed) + STRUCK * struck
        if cost == 0:
            return each
        if best is None or cost < best[0]:
            best = cost, each
    return None if best is None else best[1]


def _places(axes: Axes, label: Label, points_per_pixel: float, renderer: Any) -> Iterator[Place]:
    """Places within the axes, the nearest first."""
    note = _write(axes, label, (0, 0))
    note.update_positions(renderer)
    size = Text.get_window_extent(note).size
    note.remove()
    px, py = axes.transData.transform((label.x, label.y))
    for offset in _offsets(axes, label, points_per_pixel):
        across, up = (each / points_per_pixel for each in offset)
        # A name reaches from its place away from its point, or to both sides alike.
        x0 = px + across + (_sign(across) - 1) / 2 * size[0]
        y0 = py + up + (_sign(up) - 1) / 2 * size[1]
        box = Bbox.from_bounds(x0, y0, *size)
        if _is_inside(box, axes.bbox):
            yield Place(offset, box, _leader(px, py, box) if _is_far(offset) else [])


def _intervals(labels: Sequence[Label]) -> Iterator[Path]:
    """Lines that are drawn through points."""
    for each in labels:
        if each.xs is not None:
            yield [(x, each.y) for x in each.xs]
        if each.ys is not None:
            yield [(each.x, y) for y in each.ys]


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
        for across, up in (*CORNERS, *STEEP_CORNERS, *FLAT_CORNERS):
            yield across * distance, up * distance


def _write(axes: Axes, label: Label, offset: tuple[float, float]) -> Any:
    """A name at an offset in points, with a thin line to its point where it stands far off."""
    across = {1: "left", 0: "center", -1: "right"}[_sign(offset[0])]
    along = {1: "bottom", 0: "center", -1: "top"}[_sign(offset[1])]
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
        arrowprops={"arrowstyle": "-", "color": label.colour, "lw": 0.6}
        if _is_far(offset)
        else None,
    )


def _is_far(offset: tuple[float, float]) -> bool:
    """Whether a line must lead from a name to its point."""
    return 0 not in offset and math.hypot(*offset) > IS_FAR


def _leader(px: float, py: float, box: Bbox) -> list[Bbox]:
    """Dots along the line from a point towards the middle of its name, in pixels."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    dots = [(px + share * (x - px), py + share * (y - py)) for share in ALONG]
    return [
        Bbox.from_extents(dx - 1, dy - 1, dx + 1, dy + 1)
        for dx, dy in dots
        if not box.contains(dx, dy)
    ]


def _num_hit(box: Bbox, others: Sequence[Bbox]) -> int:
    return sum(bool(box.overlaps(other)) for other in others)


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


def _around(axes: Axes, piece: Path, space: float) -> Bbox:
    """Box around a straight piece of a line, in pixels."""
    (x0, y0), (x1, y1) = sorted(axes.transData.transform(piece).tolist())
    return Bbox.from_extents(x0 - space, min(y0, y1) - space, x1 + space, max(y0, y1) + space)
