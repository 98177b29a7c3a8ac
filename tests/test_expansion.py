"""Which runs a config asks for."""

from collections import Counter

import pytest
import yaml

from moebench import registry
from moebench.spec import BASELINES, ModelSpec, expand, parse, sources
from tests.specs import ROOT, read_config, runs_of


def runs_with(**experiment):
    """Runs of the experiment unified of config.yaml, with some of its keys changed."""
    config = read_config()
    config["experiments"] = {"unified": config["experiments"]["unified"] | experiment}
    return expand(parse(config))


def sources_of(*overlays):
    """Which run is trained for each run of the shipped configs."""
    config = parse(read_config(*overlays))
    return sources(config, expand(config))


def keys(content, prefix=""):
    """Dotted keys of all values of a nested mapping."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_default_asks_for_few_enough_runs():
    # 5 routers at 2 capacity factors and 2 dense networks, at 3 seeds each
    runs = runs_of()
    asked = Counter(run.experiment for run in runs.values())
    assert asked["unified"] == (5 * 2 + 2) * 3
    assert asked["smaller_scale"] == 4 * 3
    assert asked["subword"] == 5 * 3
    assert asked["capacity_quality"] == (2 * 2 + 1) * 3
    assert asked["router_arch"] == (2 * 3 + 1) * 3
    trained = Counter(name.partition("/")[0] for name in set(sources_of().values()))
    assert trained["capacity_quality"] == (2 + 1) * 3
    assert trained["router_arch"] == 2 * 2 * 3
    assert trained["unified"] == asked["unified"]
    assert "unified/softk_capacity_factor=1.25_seed=0" in runs
    assert "unified/dense_seed=2" in runs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overlays", "num_runs"),
    [
        ((), 36 + 12 + 15 + 9 + 12),
        (("smoke.yaml",), 24 + 10 + 3),
        (("hour.yaml",), 5 * (12 + 7 + 7 + 10 + 8)),
        (("seeds.yaml",), 36 + 15 + 15 + 15 + 39 + 9),
        (("modern.yaml",), 36 + 12 + 15 + 9 + 12 + 19 * 3),
    ],
)
def test_the_configs_that_are_shipped_can_be_run(overlays, num_runs):
    assert len(set(sources_of(*overlays).values())) == num_runs


def test_an_experiment_that_is_null_is_left_out_and_takes_nothing_with_it():
    config = read_config()
    config["experiments"]["subword"] = None
    left = parse(config)
    assert "subword" not in left.experiments
    assert "rank_stability" in left.rooms
    config["experiments"] = {"unified": config["experiments"]["unified"]}
    assert "rank_stability" not in parse(config).rooms
    assert "rank_stability" not in parse(config).figures


def test_a_gate_is_swept_for_routers_that_look_at_it_and_for_nobody_else():
    runs = runs_with(sweep={"model.gate": ["linear", "mlp"]})
    arms = Counter((run.router, run.model.gate) for run in runs.values())
    assert arms["softk", "mlp"] == arms["softk", "linear"] == arms["hash", "linear"] == 3
    assert arms["hash", "mlp"] == 0
    assert {arms[name, "linear"] for name in BASELINES} == {3}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smoke.yaml", "hour.yaml", "seeds.yaml"])
def test_overlays_only_change_keys_that_exist(name):
    overlay = yaml.safe_load((ROOT / "config" / name).read_text())
    known = set(keys(parse(read_config()).model_dump()))
    known |= {f"corpora.stdlib_docs.{key}" for key in ("max_bytes",)}
    known |= {f"corpora.tinystories.{key}" for key in ("split", "max_documents", "max_bytes")}
    # By a name of the overlay's choice, or left out.
    own = (
        "small_scale",
        "smaller_scale",
        "router_arch",
        "larger_scale",
        "subword",
        "capacity_quality",
    )
    named = ("parallel.sweeps.", "energy.shapes.", "tokenizers.hub.", "perft.questions.")
    named += tuple(f"experiments.{experiment}" for experiment in own)
    assert {key for key in keys(overlay) if not key.startswith(named)} <= known


def test_modern_compares_every_router_of_equal_active_work():
    runs = [run for run in runs_of("modern.yaml").values() if run.experiment == "modern"]
    ours = {name for name in registry.names("routers") if not name.startswith("legacy_")}
    assert {run.router for run in runs} == {*ours, *BASELINES} - {"top1"}
    [model] = {run.model.model_dump_json() for run in runs if not run.is_baseline}
    assert '"drop_policy":"none"' in model


def test_the_published_settings_are_those_of_experiment_1():
    model = runs_of("seeds.yaml")["unified/top1_capacity_factor=1.0_seed=0"].model
    assert (model.dim, model.num_layers, model.num_experts, model.top_k) == (256, 4, 8, 2)


def test_swept_values_arrive_in_the_runs_and_in_their_names():
    runs = runs_with(sweep={"model.top_k": [1, 4], "training.num_steps": [100]}, baselines=[])
    assert Counter(run.model.top_k for run in runs.values()) == {1: 15, 4: 15}
    assert {run.training.num_steps for run in runs.values()} == {100}
    assert runs["unified/hash_top_k=4_num_steps=100_seed=1"].model.top_k == 4


def test_a_baseline_takes_part_once_in_a_sweep_of_what_only_a_gate_knows():
    sweep = {"model.capacity_factor": [1.0, 1.5, 2.0], "model.drop_policy": ["position", "gate"]}
    arms = Counter(run.router for run in runs_with(sweep=sweep).values())
    assert arms["softk"] == 3 * 2 * 3
    assert {arms[name] for name in BASELINES} == {3}


def test_a_dense_network_has_no_experts_to_spread():
    training = {"batch_size": 8, "ranks": 2}
    runs = runs_with(sweep={"training.layout": ["replicated", "expert"]}, training=training)
    arms = Counter((run.router, run.training.layout) for run in runs.values())
    assert arms["softk", "expert"] == arms["softk", "replicated"] == 3
    assert {arms[name, "replicated"] for name in BASELINES} == {3}
    assert {arms[name, "expert"] for name in BASELINES} == {0}


def test_a_capacity_factor_means_nothing_where_nobody_is_dropped_but_to_experts_that_choose():
    sweep = {"model.capacity_factor": [1.0, 1.5], "model.drop_policy": ["none", "gate"]}
    runs = runs_with(sweep=sweep).values()
    arms = Counter((run.router, run.model.drop_policy, run.model.capacity_factor) for run in runs)
    assert arms["softk", "none", ModelSpec().capacity_factor] == 3
    assert arms["softk", "none", 1.0] == arms["softk", "none", 1.5] == 0
    assert arms["softk", "gate", 1.5] == arms["expert_choice", "none", 1.0] == 3


def test_a_run_is_taken_from_the_experiment_that_is_named_where_all_else_is_equal():
    taken = sources_of()
    mine, theirs = "capacity_quality/softk_capacity_factor=1.0", "unified/softk_capacity_factor=1.0"
    assert taken[f"{mine}_drop_policy=position_seed=1"] == f"{theirs}_seed=1"
    assert taken[f"{mine}_drop_policy=gate_seed=1"] == f"{mine}_drop_policy=gate_seed=1"
    assert taken["unified/hash_capacity_factor=1.25_seed=0"] == (
        "unified/hash_capacity_factor=1.25_seed=0"
    )
    assert taken["router_arch/hash_seed=0"] == "unified/hash_capacity_factor=1.25_seed=0"


def test_nothing_is_taken_from_an_experiment_of_other_length():
    config = read_config()
    config["experiments"]["router_arch"]["training"] = {"num_steps": 77}
    parsed = parse(config)
    taken = sources(parsed, expand(parsed))
    assert all(name == source for name, source in taken.items() if name.startswith("router_arch"))


def test_a_baseline_follows_a_sweep_of_what_it_knows_too():
    arms = Counter(run.router for run in runs_with(sweep={"model.dim": [64, 128]}).values())
    assert {arms[name] for name in BASELINES} == {2 * 3}


def test_a_baseline_does_not_rerun_when_only_the_gates_settings_change():
    changed = runs_with(model={"capacity_factor": 2.0, "drop_policy": "none"}, sweep={})
    assert changed["unified/dense_seed=0"] == runs_of()["unified/dense_seed=0"]
    assert changed["unified/dense_seed=0"].model.capacity_factor == ModelSpec().capacity_factor
    assert changed["unified/softk_seed=0"].model.capacity_factor == 2.0


def test_an_experiments_own_settings_win_over_the_shared_ones():
    own = {"model": {"dim": 64}, "training": {"num_steps": 77}, "seeds": [5], "tokenizer": "byte"}
    shared = parse(read_config())
    for run in runs_with(**own, corpus="text_file").values():
        assert (run.model.dim, run.training.num_steps, run.seed) == (64, 77, 5)
        assert (run.tokenizer, run.corpus) == ("byte", "text_file")
        assert run.model.num_layers == shared.model.num_layers
        assert run.training.batch_size == shared.training.batch_size


def test_options_of_a_router_reach_its_runs_only():
    routers = {"hash": {"table_seed": 4}, "softk": None}
    for run in runs_with(routers=routers).values():
        assert run.router_options == ({"table_seed": 4} if run.router == "hash" else {})


def test_two_experiments_do_not_mix():
    config = read_config()
    config["experiments"]["wide"] = {"routers": {"softk": None}, "model": {"dim": 256}}
    runs = expand(parse(config))
    asked = Counter(name.partition("/")[0] for name in runs)
    assert (asked["unified"], asked["wide"]) == (36, 3)
    assert {run.model.dim for name, run in runs.items() if name.startswith("wide/")} == {256}
