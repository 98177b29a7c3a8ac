"""What each number of a shape changes, where truths are planted."""

import numpy as np
import pytest

from moebench.analysis.energy.crossovers import crossovers
from moebench.analysis.energy.factors import SHAPE, factors, is_ladder, shapes
from moebench.analysis.energy.schemas import ENERGY
from moebench.report import energy
from moebench.spec import parse
from moebench.tables import check
from tests.analysis.energy.windows import SIZES, windows
from tests.specs import read_config

# From small to large only the experts grow, from there to xl the choices, to xxl all but experts.
SHAPES = {"small": (8, 256, 3, 2), "large": (32, 256, 3, 2), "xl": (32, 256, 3, 4),
          "xxl": (32, 512, 4, 8)}  # fmt: skip


def shaped(given=SHAPES, **options):
    """Windows whose savings grow with the square root of the parameters, of these shapes."""
    table = windows(**options)
    for place, name in enumerate(SHAPE):
        values = table["size"].map({size: shape[place] for size, shape in given.items()})
        is_new = (table["network"] == "moe") | ~np.isin(name, ("num_experts", "top_k"))
        table[name] = table[name].where(~is_new, values)
    return check(table, ENERGY)


def test_what_each_number_changes_comes_back_alone():
    table = factors(shaped(noise=0.01))
    mine = table[(table["kernel"] == "grouped") & (table["baseline"] == "dense_total")]
    assert set(mine["quantity"]) == {"time", "energy"}
    found = mine[mine["quantity"] == "time"].set_index("factor")
    assert set(found.index) == {"num_experts", "top_k"}, "xxl differs from all in several numbers"
    for factor, smaller, larger in (("num_experts", "small", "large"), ("top_k", "large", "xl")):
        line = found.loc[factor]
        assert (line["size"], line["larger_size"]) == (smaller, larger)
        assert line["value"] < line["larger_value"]
        truth = (SIZES[larger] / SIZES[smaller]) ** 0.5
        assert line["ratio_low"] < truth < line["ratio_high"]
        assert line["ratio_high"] / line["ratio_low"] < 1.1
        assert line["better"] == "second"


def test_the_larger_number_is_the_second_however_many_parameters_it_has():
    swapped = SHAPES | {"small": SHAPES["large"], "large": SHAPES["small"]}
    table = factors(shaped(swapped))
    line = table[(table["factor"] == "num_experts") & (table["kernel"] == "grouped")].iloc[0]
    assert (line["size"], line["value"], line["larger_value"]) == ("large", 8, 32)
    assert line["ratio"] == pytest.approx((SIZES["small"] / SIZES["large"]) ** 0.5)
    assert line["better"] == "first"


def test_sizes_that_are_no_ladder_have_no_crossover():
    ladder = shaped()
    assert is_ladder(shapes(ladder))
    assert len(crossovers(ladder))
    falling = shaped(SHAPES | {"xl": (16, 512, 3, 4)})
    assert not is_ladder(shapes(falling))
    assert crossovers(falling).empty
    told = energy.crossovers(crossovers(falling), factors(falling))
    assert told == [energy.NO_LADDER]


def test_sizes_of_equal_parameters_that_differ_in_their_choices_are_compared_without_a_crossover():
    table = shaped()
    table["num_params"] = table["num_params"].where(
        (table["size"] != "xl") | (table["network"] != "moe"), SIZES["large"]
    )
    assert crossovers(table).empty
    assert "top_k" in set(factors(table)["factor"])


def test_where_everything_grows_at_once_nothing_is_told_apart():
    published = {"small": (8, 256, 3, 2), "large": (16, 1024, 4, 4), "xl": (20, 2048, 5, 5),
                 "xxl": (32, 4096, 6, 8)}  # fmt: skip
    table = shaped(published)
    assert factors(table).empty
    assert energy.one_at_a_time(factors(table)) == []


def test_the_page_says_what_each_number_changes():
    page = " ".join("\n".join(energy.one_at_a_time(factors(shaped(noise=0.01)))).split())
    assert "32 experts instead of 8 (sizes large and small), f32, batch 128, in time" in page
    assert "4 experts a sample instead of 2" in page
    assert "is multiplied by 4.8" in page


def test_the_config_of_shapes_changes_each_number_alone_and_crosses_experts_with_width():
    room = parse(read_config("shapes.yaml")).energy
    given = {size: tuple(getattr(room.shape(size), name) for name in SHAPE) for size in room.sizes}
    middle = given["middle"]
    alone = {
        tuple(name for name, one, other in zip(SHAPE, middle, shape, strict=True) if one != other)
        for size, shape in given.items()
    }
    assert {(name,) for name in SHAPE} <= alone
    crossed = {(experts, width) for experts, width, *rest in given.values() if rest == [3, 2]}
    assert crossed == {(8, 256), (32, 256), (8, 512), (32, 512)}
