"""Where names stand beside points, read back from the drawing."""

import matplotlib.transforms as transforms
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


def test_the_line_to_a_name_strikes_no_other_name_through(axes):
    """The first name must move aside, and so must the second, whose line would cross it."""
    labels = [
        Label("a point in a crowd", "black", 0.50, 0.50, ys=(0.3, 0.7), xs=(0.35, 0.65)),
        Label("another of the crowd", "black", 0.53, 0.47, ys=(0.2, 0.8), xs=(0.3, 0.7)),
        Label("a third of the crowd", "black", 0.47, 0.44, ys=(0.25, 0.75), xs=(0.28, 0.6)),
    ]
    assert len(place(axes, labels)) == 3
    found = boxes(axes)
    for text, label in zip(axes.texts, labels, strict=True):
        if text.arrow_patch is not None:
            px, py = axes.transData.transform((label.x, label.y))
            own = found[label.text]
            x, y = (own.x0 + own.x1) / 2, (own.y0 + own.y1) / 2
            for share in (0.2, 0.4, 0.6, 0.8):
                dot = px + share * (x - px), py + share * (y - py)
                assert not any(
                    box.contains(*dot) for name, box in found.items() if name != label.text
                )
