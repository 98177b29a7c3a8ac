"""What the capacity room asks for, and what it refuses."""

import copy

import pytest

from moebench import published, tables
from moebench.analysis.capacity.schemas import PUBLISHED
from moebench.spec import ConfigError, expand, parse, traced
from tests.specs import ROOT, read_config


def refused(**changes):
    """What is said of a config with keys of its rooms changed."""
    raw = copy.deepcopy(read_config())
    for room, keys in changes.items():
        raw[room] |= keys
    with pytest.raises(ConfigError) as error:
        parse(raw)
    return str(error.value)


@pytest.mark.slow
def test_the_published_sizes_expand_to_the_published_grid_cell_by_cell():
    room = parse(read_config("seeds.yaml")).capacity
    theirs = tables.read(ROOT / "resources/published/capacity.csv", PUBLISHED)
    keys = ["num_experts", "top_k", "capacity_factor"]
    for policy in ("position", "gate"):
        ours = [
            tuple(getattr(cell, key) for key in keys)
            for cell in room.cells()
            if cell.routing == "normal" and cell.policy == policy
        ]
        assert sorted(ours) == sorted(theirs[keys].itertuples(index=False, name=None))
    assert {room.num_tokens} == set(theirs["num_tokens"])
    assert {room.dim} == set(theirs["dim"])
    assert len(theirs) == 63
    assert published.read(ROOT / "resources/published/unified.csv") is not None


def test_every_routing_meets_every_capacity_and_policy_once():
    room = parse(read_config()).capacity
    cells = list(room.cells())
    assert len(cells) == 2 * 2 * 2 * (2 * 4 + 1) == len(set(map(str, cells)))
    for cell in cells:
        assert (cell.capacity_factor is None) == (cell.policy == "none")
        assert (cell.layout == "dropless") == (cell.policy == "none")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"capacity_factors": [1.0, 0]}, "capacity.capacity_factors.1: input should be greater"),
        ({"capacity_factors": []}, "there is no value to take; give at least one"),
        ({"top_k": [1, 16]}, "top_k=16 must be in 1..num_experts=8"),
        ({"num_tokens": 1000}, "num_tokens=1000 must be a multiple of seq_len=128"),
        ({"experiment": None}, "'traces' needs an experiment to take them from"),
        ({"experiment": "unifed"}, "capacity.experiment: unknown name 'unifed'; did you mean"),
        ({"policies": ["postion"]}, "capacity.policies.0: input should be 'position'"),
        ({"figures": ["frontier"]}, "draws attainment, summary; here there is only capacity"),
    ],
)
def test_what_cannot_be_is_refused_with_key_and_value(keys, message):
    assert message in refused(capacity=keys)


def test_a_room_that_asks_for_an_unknown_experiment_is_refused_with_the_other_problems():
    told = refused(specialisation={"experiment": "nothing"}, capacity={"experiment": "none"})
    assert "specialisation.experiment: unknown name 'nothing'" in told
    assert "capacity.experiment: unknown name 'none'" in told


def test_every_seed_of_every_router_is_traced_at_the_first_point_of_the_sweep_and_no_baseline():
    config = parse(read_config())
    found = traced(expand(config), "unified")
    assert len(found) == 5 * 3
    assert {run.model.capacity_factor for run in found.values()} == {1.0}
    assert not any(run.is_baseline for run in found.values())
    assert all(name.startswith("unified/") for name in found)
