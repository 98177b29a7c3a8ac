"""Which jobs and cells the config asks for, and what it refuses."""

import pytest

from moebench.spec import ConfigError, ParallelSpec, parse
from tests.specs import read_config


def room(**changes):
    """The room of config.yaml with one sweep and some keys changed."""
    config = read_config()
    sweeps = {"tried": changes.pop("sweep", {"batch_size": [8]})}
    sweeps = changes.pop("sweeps", sweeps)
    layouts = ["single"]
    config["parallel"] = {"layouts": layouts, "sweeps": sweeps, **changes}
    return parse(config).parallel


def refused(**changes):
    with pytest.raises(ConfigError) as caught:
        room(**changes)
    return str(caught.value)


def test_a_sweep_is_one_job_for_each_number_of_ranks():
    asked = room(sweep={"world_size": [2, 4], "batch_size": [8, 64]}, directions=["forward"])
    assert list(asked.jobs) == [2, 4]
    for ranks, job in asked.jobs.items():
        assert job.world_size == ranks
        assert [cell.batch_size for cell in job.cells] == [8, 64]


def test_what_several_sweeps_ask_for_is_measured_once():
    sweeps = {"batch": {"batch_size": [8, 64]}, "width": {"feature_dim": [32, 64]}}
    [job] = room(sweeps=sweeps, directions=["forward"]).jobs.values()
    assert {(cell.batch_size, cell.feature_dim): cell.sweeps for cell in job.cells} == {
        (8, 32): ["batch", "width"],
        (64, 32): ["batch"],
        (8, 64): ["width"],
    }
    assert len(job.cells) == 3


def test_axes_are_crossed_with_layouts_and_directions():
    asked = room(sweep={"batch_size": [8, 64], "feature_dim": [32, 64, 128]})
    [job] = asked.jobs.values()
    assert len({cell.model_dump_json() for cell in job.cells}) == len(job.cells) == 2 * 3 * 2


def test_what_a_sweep_does_not_name_is_the_rooms():
    [job] = room(sweep={"batch_size": [16]}, top_k=3, feature_dim=48, hidden_dim=96).jobs.values()
    assert {(cell.top_k, cell.feature_dim, cell.hidden_dim) for cell in job.cells} == {(3, 48, 96)}


def test_experts_may_be_as_many_as_ranks():
    asked = room(sweep={"world_size": [2, 8], "num_experts": ["ranks"]})
    assert {
        (cell.world_size, cell.num_experts) for j in asked.jobs.values() for cell in j.cells
    } == {
        (2, 2),
        (8, 8),
    }


def test_links_are_measured_at_every_number_of_ranks_that_has_any():
    asked = room(sweep={"world_size": [1, 2, 8]}, link_message_bytes=[64, 128])
    assert {ranks: job.message_bytes for ranks, job in asked.link_jobs.items()} == {
        2: [64, 128],
        8: [64, 128],
    }


def test_more_experts_per_row_than_experts_are_refused_with_the_sweep():
    said = refused(sweep={"top_k": [2, 5]}, num_experts=4)
    assert "parallel.sweeps.tried: top_k=5 must be in 1..num_experts=4" in said


def test_clipping_to_the_number_of_ranks_is_refused_too():
    said = refused(sweep={"world_size": [2, 4], "num_experts": ["ranks"]}, top_k=4)
    assert "top_k=4 must be in 1..num_experts=2" in said
    assert said.count("top_k=4") == 1


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sweep": {"batchsize": [8]}}, "unknown key 'batchsize'; did you mean 'batch_size'?"),
        ({"sweep": {"batch_size": []}}, "there is no value to take"),
        ({"sweep": {"batch_size": [8, 8]}}, "8 stands twice"),
        ({"sweep": {"batch_size": [0]}}, "batch_size.0"),
        ({"sweep": {"num_experts": ["rank"]}}, "num_experts"),
        ({"layouts": ["singel"]}, "unknown name 'singel'; did you mean 'single'?"),
        ({"communicator": "mpich"}, "unknown name 'mpich'; did you mean 'mpi'?"),
        ({"launcher": "mpiexec -n 4"}, "must contain {ranks}"),
        ({"sweeps": {}}, "describe at least one sweep"),
        ({"sweeps": {"left_out": None}}, "describe at least one sweep"),
        ({"figures": ["frontier"]}, "figure 'frontier' draws attainment, summary"),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(changes, line):
    assert line in refused(**changes)


def test_numbers_that_snakemake_passes_as_text_are_read():
    [job] = room(sweep={"batch_size": ["8", "16"], "num_experts": ["ranks"]}).jobs.values()
    assert {cell.batch_size for cell in job.cells} == {8, 16}
    assert {cell.num_experts for cell in job.cells} == {4}


@pytest.mark.slow
@pytest.mark.parametrize("overlays", [(), ("seeds.yaml",)])
def test_every_tier_but_smoke_measures_the_published_sweeps(overlays):
    asked = parse(read_config(*overlays)).parallel
    assert isinstance(asked, ParallelSpec)
    assert {"parallel_batch", "parallel_topk", "parallel_feature_dim", "parallel_ranks"} <= set(
        asked.sweeps
    )


def test_the_published_cells_are_in_the_default_tier():
    asked = parse(read_config()).parallel
    cells = {
        (cell.batch_size, cell.top_k, cell.feature_dim)
        for ranks, job in asked.jobs.items()
        for cell in job.cells
        if ranks == 4 and cell.num_experts == 4
    }
    published = {(batch, 2, 32) for batch in (8, 16, 32, 64)}
    published |= {(8, k, 32) for k in (1, 2, 4)} | {(8, 2, dim) for dim in (32, 64, 128, 256)}
    assert published <= cells


@pytest.mark.parametrize(
    ("called", "full"),
    [
        ("batch_size", "parallel_batch"),
        ("topk", "parallel_topk"),
        ("feature_dim", "parallel_feature_dim"),
        ("parallel_ranks", "parallel_ranks"),
    ],
)
def test_a_sweep_answers_to_its_name_and_to_its_axis(called, full):
    assert parse(read_config()).parallel.sweep_called(called) == full


def test_an_unknown_sweep_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="unknown name 'batchsize'; did you mean"):
        parse(read_config()).parallel.sweep_called("batchsize")


def test_a_sweep_runs_at_a_number_of_ranks_that_the_config_does_not_name():
    job = room(sweep={"batch_size": [8]}).sweep_at("tried", 3)
    assert {cell.world_size for cell in job.cells} == {3}
    with pytest.raises(ConfigError, match="top_k=2 must be in 1..num_experts=1"):
        room(sweep={"num_experts": ["ranks"]}).sweep_at("tried", 1)


def test_a_file_laid_over_another_leaves_a_sweep_out_with_null():
    asked = room(sweeps={"tried": None, "other": {"batch_size": [8]}})
    [job] = asked.jobs.values()
    assert all(cell.sweeps == ["other"] for cell in job.cells)
    with pytest.raises(ValueError, match="unknown name 'tried'"):
        asked.sweep_called("tried")


def test_layouts_are_left_out_above_their_largest_batch():
    asked = room(
        sweep={"batch_size": [8, 64, 512]},
        layouts=["single", "single_loop"],
        directions=["forward"],
        largest_batch={"single_loop": 64},
    )
    [job] = asked.jobs.values()
    found = [(cell.batch_size, cell.layout) for cell in job.cells]
    assert (64, "single_loop") in found
    assert (512, "single_loop") not in found
    assert (512, "single") in found
