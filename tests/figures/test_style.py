from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from PIL import Image

from moebench import registry
from moebench.figures import base, notes, style, ticks

ROUTERS = [name for name in style.LOOKS if not name.startswith("dense")]
LATER = [
    "noisy_topk",
    "gshard_top2",
    "st_moe",
    "bias_free",
    "quantile_balancing",
    "base",
    "s_base",
    "sinkhorn",
    "frozen_random",
    "expert_choice_position",
    "expert_threshold",
    "mixture_of_depths",
    "soft_moe",
    "remoe",
    "top_p",
    "null_experts",
    "shared_expert",
    "group_limited",
    "simbal",
    "chain_of_experts",
    "sigmoid_topk",
    "legacy_top1",
    "legacy_topk_hard",
    "legacy_softk",
    "legacy_hash",
    "legacy_expert_choice",
]


def test_the_main_routers_differ_in_grey():
    light = sorted(style.lightness(style.look(name).colour) for name in ROUTERS)
    assert min(b - a for a, b in zip(light, light[1:], strict=False)) >= 9
    assert light[-1] <= 75, "fainter than a line on white paper may be"


def test_lightness_of_known_colours():
    assert style.lightness("#ffffff") == pytest.approx(100, abs=0.1)
    assert style.lightness("#000000") == 0
    assert style.lightness("#777777") == pytest.approx(50, abs=0.3)


def test_markers_and_lines_of_the_main_arms_are_unique():
    looks = [style.look(name) for name in style.LOOKS]
    assert len({look.marker for look in looks}) == len(looks)
    for one, other in combinations(looks, 2):
        difference = abs(style.lightness(one.colour) - style.lightness(other.colour))
        assert one.line != other.line or difference >= 20, (one, other)


def test_no_two_routers_that_exist_look_the_same():
    every = set(registry.names("routers")) | set(style.LOOKS) | set(LATER)
    for one, other in combinations(sorted(every), 2):
        a, b = style.look(one), style.look(other)
        assert (a.colour, a.marker) != (b.colour, b.marker), f"{one} and {other}: add one to LOOKS"


def test_a_look_depends_on_the_name_alone():
    assert style.look("remoe") == style.Look(colour="#6699CC", marker="<", line=(0, (5, 1.5)))


def test_text_is_dark_enough_on_white():
    for name in [*style.LOOKS, *LATER]:
        assert style.lightness(style.ink(name)) <= 58


def test_baselines_are_neutral_greys():
    for name in ("dense", "dense_total"):
        colour = style.look(name).colour
        assert colour[1:3] == colour[3:5] == colour[5:7]


@pytest.mark.parametrize("name", registry.names("figures"))
def test_a_title_leaves_room_for_the_name_of_the_file(name):
    canvas = Canvas(figsize=(style.WIDTH_IN, 5))
    title = registry.load(base.Figure, name).title
    notes.write_above(canvas, title, f"a_long_experiment_{name}")
    left, right = (text.get_window_extent() for text in canvas.texts)
    assert left.x0 > 0
    assert left.x1 < right.x0
    assert right.x1 < canvas.bbox.x1
    assert left.y0 > canvas.bbox.y1  # over the drawing, not in it


def test_a_legend_at_the_upper_edge_stays_below_the_title(tmp_path):
    canvas = Canvas(figsize=(style.WIDTH_IN, 4))
    canvas.legend(handles=[Line2D([], [], color="#ff0000", lw=9)], labels=["x"], loc="upper center")
    notes.write_above(canvas, "Which?", "name")
    base._save(canvas, {kind: tmp_path / f"x.{kind}" for kind in ("svg", "png")}, "")
    pixels = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"), dtype=int)
    rows, _ = np.nonzero((pixels[..., 0] > 200) & (pixels[..., 1] < 60))
    assert len(rows)
    assert rows.min() > notes.TITLE_IN * style.PNG_DPI


def test_every_title_is_another_one():
    titles = [registry.load(base.Figure, name).title for name in registry.names("figures")]
    assert len(set(titles)) == len(titles)


def test_numbers_at_ticks_have_no_power_of_ten():
    values = (0.05, 0.5, 1, 200, 40_000, 2e6, 1e9)
    assert [ticks.number(value) for value in values] == [
        "0.05", "0.5", "1", "200", "40k", "2M", "1G",
    ]  # fmt: skip


@pytest.mark.parametrize(("limits", "most"), [((3, 40), 4), ((1, 1e4), 5)])
def test_a_logarithmic_axis_has_a_few_ticks_with_words(limits, most):
    axes = Canvas().add_subplot()
    axes.set(yscale="log", ylim=limits)
    ticks.log(axes.yaxis, ticks.number)
    axes.figure.draw_without_rendering()
    low, high = limits
    words = [
        label.get_text()
        for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if low <= place <= high
    ]
    assert 3 <= len(words) <= most
    assert all(words)
