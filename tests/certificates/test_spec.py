"""Which certificates a config asks for, and what it may not ask."""

import pytest

from moebench import spec
from tests.specs import read_config, run_spec, runs_of


def test_a_certificate_serves_all_runs_that_route_drop_and_pool_alike():
    needed = spec.certified(runs_of())
    assert sorted(needed) == [
        "expert_choice_position_batch",
        "hash_position_batch",
        "softk_gate_batch",
        "softk_none_batch",
        "softk_position_batch",
        "top1_position_batch",
        "topk_hard_position_batch",
    ]
    assert all(run.startswith(("unified/", "capacity_quality/")) for run in needed.values())


def test_the_order_of_experiments_in_the_config_does_not_choose_the_run():
    runs = runs_of()
    assert spec.certified(dict(reversed(runs.items()))) == spec.certified(runs)
    assert spec.certified(runs)["top1_position_batch"].startswith("unified/top1_")


def test_options_and_pools_have_certificates_of_their_own():
    names = {
        spec.certificate_of(run_spec("hash", options=options, pool=pool))
        for options in ({}, {"table_seed": 1})
        for pool in ("batch", "sequence")
    }
    assert len(names) == 4
    assert "hash_table_seed=1_position_sequence" in names


def test_a_toy_routes_drops_and_pools_as_the_run_does_and_is_otherwise_the_same_for_all():
    room = spec.CertificatesSpec.model_validate({"seeds": [3, 4], "toy": {"num_experts": 6}})
    run = run_spec("expert_choice", drop_policy="none", pool="sequence", num_experts=16, dim=64)
    toys = room.toys(run)
    assert [toy.seed for toy in toys] == [3, 4]
    assert (toys[0].model.drop_policy, toys[0].model.pool) == ("none", "sequence")
    assert (toys[0].model.num_experts, toys[0].model.dim) == (6, 32)
    assert toys[0].model.capacity_factor == 1.0


def refused(**changed):
    with pytest.raises(spec.ConfigError) as error:
        spec.parse(read_config() | changed)
    return str(error.value)


def test_a_toy_that_cannot_be_is_refused_with_the_path_of_its_key():
    text = refused(certificates={"toy": {"top_k": 9}})
    assert "certificates.toy: top_k=9 must be in 1..num_experts=8" in text
    text = refused(certificates={"toy": {"num_steps": 10}})
    assert "certificates.toy: warmup_steps=50 must be less than num_steps=10" in text
    assert "did you mean 'num_steps'" in refused(certificates={"toy": {"num_step": 10}})


def test_who_chooses_among_sequences_is_refused_a_pool_of_one():
    config = read_config()
    config["experiments"]["unified"] |= {
        "routers": {"expert_choice_position": None},
        "model": {"pool": "sequence"},
    }
    text = refused(experiments=config["experiments"])
    assert "model.pool=sequence gives it one; make it batch, or leave the router out" in text
