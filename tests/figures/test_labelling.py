"""Where names stand beside points, read back from the drawing."""

import itertools

import matplotlib.transforms as transforms
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from moebench.figures.labelling import Label, place


@pytest.fixture
def axes():
    return Figure(figsize=(5, 4)).add_subplot(xlim=(0, 1), ylim=(0, 1))


def boxes(axes):
    """Boxes of the names, without the lines to their points."""
    for text in axes.texts:
        text.get_window_extent()  # finds the place
    return {text.get_text(): Text.get_window_extent(text) for text in axes.texts}


def upright(axes, x, low, high):
    return transforms.Bbox(axes.transData.transform([(x, low), (x, high)]))


def test_a_name_stands_right_of_its_point_where_nothing_is_in_the_way(axes):
    assert place(axes, [Label("alone", "black", 0.5, 0.5)]) == ["alone"]
    [box] = boxes(axes).values()
    px, py = axes.transData.transform((0.5, 0.5))
    assert box.x0 > px
    assert (box.y0 + box.y1) / 2 == pytest.approx(py, abs=1)


def test_a_name_avoids_the_interval_of_another_point(axes):
    labels = [
        Label("in the middle", "black", 0.4, 0.5),
        Label("tall", "black", 0.5, 0.8, ys=(0.2, 0.9)),
    ]
    assert len(place(axes, labels)) == 2
    assert not boxes(axes)["in the middle"].overlaps(upright(axes, 0.5, 0.2, 0.9))


def test_a_name_avoids_lines(axes):
    line = [(0.5, 0.0), (0.5, 1.0)]
    place(axes, [Label("in the middle", "black", 0.4, 0.5)], lines=[line])
    assert not boxes(axes)["in the middle"].overlaps(upright(axes, 0.5, 0, 1))


def test_a_name_crosses_a_line_rather_than_be_left_out(axes):
    lines = [[(x / 40, 0.0), (x / 40, 1.0)] for x in range(41)]
    assert place(axes, [Label("barred", "black", 0.4, 0.5)], lines=lines) == ["barred"]


def test_a_name_without_a_free_place_is_left_out(axes):
    assert place(axes, [Label("too long to stand anywhere " * 9, "black", 0.5, 0.5)]) == []
    assert not axes.texts


CROWDS = pytest.mark.parametrize("seed", [6, 8, 9, 11, 12])


def crowd(seed):
    """Points with intervals both ways, near enough for names to be in each other's way."""
    points = 0.3 + 0.4 * np.random.default_rng(seed).random((5, 2))
    return [
        Label(f"point {n} of a crowd", "black", x, y, (x - 0.12, x + 0.12), (y - 0.12, y + 0.12))
        for n, (x, y) in enumerate(points)
    ]


@CROWDS
def test_the_line_to_a_name_strikes_no_other_name_through(axes, seed):
    labels = crowd(seed)
    assert len(place(axes, labels)) == len(labels)
    found = boxes(axes)
    for text, label in zip(axes.texts, labels, strict=True):
        if text.arrow_patch is None:
            continue
        start, own = axes.transData.transform((label.x, label.y)), found.pop(label.text)
        middle = np.array([own.x0 + own.x1, own.y0 + own.y1]) / 2
        for share in np.linspace(0.1, 0.9, 17):
            dot = start + share * (middle - start)
            assert not any(box.contains(*dot) for box in found.values())
        found[label.text] = own


@CROWDS
def test_names_in_a_crowd_hit_neither_markers_nor_each_other(axes, seed):
    labels = crowd(seed)
    place(axes, labels)
    found = list(boxes(axes).values())
    assert not any(a.overlaps(b) for a, b in itertools.combinations(found, 2))
    for label in labels:
        px, py = axes.transData.transform((label.x, label.y))
        assert not any(box.contains(px, py) for box in found)


def test_a_name_does_not_cover_the_marker_beside_its_point(axes):
    place(axes, [Label("near", "black", 0.4, 0.5), Label("beside", "black", 0.45, 0.5)])
    px, py = axes.transData.transform((0.45, 0.5))
    assert not boxes(axes)["near"].contains(px, py)
