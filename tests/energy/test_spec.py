"""What can be wrong with the energy room's keys is said at once, each with what is allowed."""

import pytest

from moebench import machine
from moebench.energy.readiness import check
from moebench.energy.sizes import check_memory, memory_bytes, mixture_params, params_of
from moebench.spec import PUBLISHED_SHAPES, ConfigError, EnergySpec, parse
from tests.specs import read_config


def problems(**changes):
    config = read_config() | {"energy": {"figures": [], **changes}}
    with pytest.raises(ConfigError) as caught:
        parse(config)
    return dict(caught.value.problems)


SHAPE = {"num_experts": 2, "width": 4, "num_layers": 1, "top_k": 1}
WRONG = [
    ({"sizes": ["smal"]}, "did you mean 'small'? choose from small, large, xl, xxl"),
    ({"sizes": []}, "give at least one"),
    ({"sizes": ["small", "small"]}, "'small' stands twice"),
    ({"shapes": {"small": SHAPE}}, "'small' is a published size"),
    ({"shapes": {"own": SHAPE | {"top_k": 3}}}, "top_k=3 must be in 1..num_experts=2"),
    ({"learning": {"sizes": ["tiny"]}}, "unknown name 'tiny'"),
    ({"networks": ["moe", "dense"]}, "'moe', 'dense_total' or 'dense_active'; got 'dense'"),
    ({"kernels": ["group"]}, "did you mean 'grouped'?"),
    ({"batch_sizes": [1, 8193]}, "less than or equal to 8192; got 8193"),
    ({"batch_sizes": [0]}, "greater than or equal to 1"),
    ({"dtypes": ["f16"]}, "'f32', 'tf32' or 'bf16'; got 'f16'"),
    ({"device": "cpu", "dtypes": ["tf32"]}, "'tf32' needs a GPU"),
    ({"gpu": {"power_limit_w": 300}}, "changes the GPU for everybody on this machine"),
    ({"gpu": {"clock_hz": 1e9}}, "set is_owner to true if that is yours to decide"),
    ({"device": "cpu", "gpu": {"is_owner": True, "clock_hz": 1e9}}, "there is nothing to set"),
    ({"meters": {"nvm": None}}, "did you mean 'nvml'?"),
    ({"meters": {"null": {"reson": "x"}}}, "did you mean 'reason'?"),
    ({"plan": "fast"}, "'throughput', 'quick' or 'publication'"),
    ({"require": "always"}, "'any' or 'measured'"),
    ({"stop_after_s": 0}, "greater than 0"),
    ({"num_processes": 0}, "greater than or equal to 1"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_a_value_that_cannot_be_used_is_refused_under_its_path(changes, said):
    [(where, what)] = problems(**changes).items()
    assert where.startswith("energy")
    assert said in what


def test_an_estimate_needs_every_constant_with_ordered_ends():
    found = problems(estimate={"static_w": {"low": 2.0, "high": 1.0}})
    assert "low=2.0 must not be more than high=1.0" in found["energy.estimate.static_w"]
    assert found["energy.estimate.source"] == "is missing"


def test_several_problems_are_told_at_once():
    assert len(problems(plan="fast", require="always", dtypes=["f16"])) == 3


def test_an_experiment_cannot_take_the_name_of_the_room():
    config = read_config()
    config["experiments"]["energy"] = config["experiments"]["unified"]
    with pytest.raises(ConfigError, match="'energy' is a key of the config"):
        parse(config)


def test_memory_counts_every_network_and_what_training_adds():
    small = EnergySpec(sizes=["small"], batch_sizes=[1], num_batches=1, figures=[])
    shape = PUBLISHED_SHAPES["small"]
    total = sum(params_of(name, shape) for name in small.networks)
    needed = memory_bytes(small, "small")
    assert needed == 16 * params_of("dense_total", shape) > 4 * total
    untrained = small.model_copy(
        update={"learning": small.learning.model_copy(update={"sizes": []})}
    )
    assert 4 * total < memory_bytes(untrained, "small") < needed
    mixture = untrained.model_copy(update={"networks": ["moe"]})
    assert 4 * mixture_params(shape) < memory_bytes(mixture, "small") < 4.1 * mixture_params(shape)


def test_a_size_that_does_not_fit_in_memory_is_named_with_what_it_needs():
    spec = EnergySpec(sizes=["small", "xxl"], figures=[])
    check_memory(spec, 10**12, "this machine")
    with pytest.raises(ValueError, match=r"'xxl' needs 2\d\.\d GB, this machine has 8\.0 GB; lea"):
        check_memory(spec, 8 * 10**9, "this machine")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(machine, "gpu_memory_bytes", lambda: None)


def test_a_limit_without_a_gpu_is_refused_before_any_job(no_gpu):
    limited = {"is_owner": True, "power_limit_w": 300}
    with pytest.raises(machine.MachineError, match=r"energy\.gpu: there is none to be set"):
        check(EnergySpec(gpu=limited, figures=[]))


def test_tf32_without_a_gpu_is_refused_before_any_job(no_gpu):
    with pytest.raises(machine.MachineError, match="'tf32' needs a GPU, and there is none"):
        check(EnergySpec(dtypes=["tf32"], figures=[]))


def test_bfloat16_is_allowed_where_it_is_emulated(no_gpu):
    check(EnergySpec(sizes=["small"], dtypes=["bf16"], figures=[]))


def test_sizes_beyond_the_memory_of_the_gpu_are_refused(monkeypatch):
    monkeypatch.setattr(machine, "gpu_memory_bytes", lambda: 10**9)
    with pytest.raises(ValueError, match=r"'xl' needs .* the GPU has 1\.0 GB"):
        check(EnergySpec(sizes=["xl"], figures=[]))
    check(EnergySpec(sizes=["small"], dtypes=["tf32"], figures=[]))


def test_required_measurements_without_a_meter_are_refused_with_every_reason(no_gpu):
    spec = EnergySpec(
        meters={"null": {"reason": "taken away"}, "rapl": {"root": "/nowhere"}},
        require="measured",
        figures=[],
    )
    with pytest.raises(machine.MachineError) as caught:
        check(spec)
    said = str(caught.value)
    assert "energy.require: 'measured' needs an energy meter for the cpu" in said
    assert "null: taken away" in said
    assert "rapl: " in said
    assert "\n" not in said


def test_more_threads_than_cores_are_refused(no_gpu):
    with pytest.raises(machine.MachineError, match=r"energy\.threads"):
        check(EnergySpec(threads=machine.num_cores() + 1, figures=[]))
