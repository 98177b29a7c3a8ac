"""The published grids, cell by cell, against the runs that seeds.yaml asks for."""

import pytest

from moebench import published
from tests.specs import ROOT, runs_of

CELL = (
    *("router", "capacity_factor", "gate", "top_k", "num_experts", "dim", "num_layers"),
    *("num_heads", "ffn_mult", "seq_len", "batch_size", "num_steps", "learning_rate"),
    "warmup_steps",
)
# What we add: hash has a gate that it does not look at, and every router reads subwords.
ADDED = {
    "unified": set(),
    "larger_scale": set(),
    "subword": {"hash", "topk_hard"},
    "router_arch": {"hash"},
}


@pytest.fixture(scope="module")
def runs():
    return runs_of("seeds.yaml")


def cell_of(run):
    """Settings of a run under the names of the published table; top1 takes one expert."""
    known = run.model.model_dump() | run.training.model_dump() | {"router": run.router}
    known["top_k"] = 1 if run.router == "top1" else known["top_k"]
    return tuple(known[name] for name in CELL)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ADDED)
def test_every_published_cell_is_asked_for_and_nothing_else_but_what_is_named(experiment, runs):
    table = published.read(ROOT / f"resources/published/{experiment}.csv")
    wanted = {tuple(line) for line in table[list(CELL)].itertuples(index=False)}
    mine = [run for run in runs.values() if run.experiment == experiment and not run.is_baseline]
    asked = {cell_of(run) for run in mine}
    assert len(wanted) == len(table)
    assert wanted <= asked
    assert {cell[0] for cell in asked - wanted} == ADDED[experiment]
    assert len(mine) == 3 * len(asked), "each cell at three seeds"


@pytest.mark.parametrize(
    ("experiment", "num_cells"),
    [("unified", 10), ("larger_scale", 5), ("subword", 3), ("router_arch", 12)],
)
def test_the_published_tables_are_complete_and_name_their_source(experiment, num_cells):
    table = published.read(ROOT / f"resources/published/{experiment}.csv")
    assert len(table) == num_cells
    assert (table["source"].str.startswith("yuninxia/moe-routing-bench@bb9bb0b:")).all()


@pytest.mark.parametrize(
    ("experiment", "router", "gate", "val_ppl"),
    [
        ("larger_scale", "expert_choice", "linear", 3.8586715823347344),
        ("larger_scale", "top1", "linear", 5.222474037718414),
        ("subword", "softk", "linear", 32.07300770118102),
        ("router_arch", "softk", "mlp", 8.487665575397477),
        ("router_arch", "topk_hard", "mlp_hadamard", 8.83123160842787),
    ],
)
def test_a_published_table_repeats_its_source(experiment, router, gate, val_ppl):
    table = published.read(ROOT / f"resources/published/{experiment}.csv")
    assert table.set_index(["router", "gate"]).loc[(router, gate), "val_ppl"] == val_ppl


def only_differences(small, large):
    """Settings in which two experiments differ, with their seeds."""

    def settings(run):
        return {f"model.{k}": v for k, v in run.model} | {
            f"training.{k}": v for k, v in run.training
        }

    return {key for key, value in settings(small).items() if settings(large)[key] != value}


@pytest.mark.parametrize(
    ("overlays", "small", "large"),
    [
        ([], "smaller_scale/softk_seed=0", "unified/softk_capacity_factor=1.25_seed=0"),
        (["hour.yaml"], "smaller_scale/softk_seed=0", "unified/softk_capacity_factor=1.25_seed=0"),
        (["seeds.yaml"], "small_scale/softk_seed=0", "larger_scale/softk_seed=0"),
    ],
)
def test_the_two_of_a_pair_differ_in_scale_alone(overlays, small, large):
    found = runs_of(*overlays)
    pair = found[small], found[large]
    assert only_differences(*pair) == {"model.dim", "model.num_experts"}
    assert pair[0].corpus == pair[1].corpus
    assert pair[0].tokenizer == pair[1].tokenizer
    seeds = [
        {run.seed for run in found.values() if run.experiment == each.experiment} for each in pair
    ]
    assert seeds[0] == seeds[1]


def test_the_published_subword_vocabulary_is_asked_of_the_hub(runs):
    assert {run.tokenizer for run in runs.values() if run.experiment == "subword"} == {"hub"}
    assert {run.tokenizer for run in runs.values() if run.experiment == "unified"} == {"char"}


def test_an_hour_asks_for_all_gates_with_all_routers_and_five_seeds():
    runs = runs_of("hour.yaml")
    grid = {
        (run.router, run.model.gate, run.seed)
        for run in runs.values()
        if run.experiment == "router_arch"
    }
    assert len(grid) == (4 * 3 + 1) * 5, "hash looks at no gate"
    assert {run.seed for run in runs.values()} == set(range(5))
