"""What runs again, and what does not, when something changed."""

import os

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("smoke")]

DOWNSTREAM = {
    ("time_router", "experiment=unified"),
    ("tabulate", "experiment=unified"),
    ("compare_published", "experiment=unified"),
    ("write_findings", "experiment=unified"),
    ("describe_environment", ""),
    ("trace_routing", "experiment=unified"),
    *((f"{verb}_capacity", "") for verb in ("measure", "tabulate")),
    ("tabulate_specialisation", ""),
    *((f"write_{room}_findings", "") for room in ("capacity", "specialisation")),
    *(
        ("draw_figure", f"experiment=capacity, figure={figure}")
        for figure in ("drop_rate", "tokens_per_s")
    ),
    *(
        ("draw_figure", f"experiment=specialisation, figure={figure}")
        for figure in (
            "expert_load",
            "class_information",
            "token_classes",
            "routing_heatmap",
            "passage_by_expert",
        )
    ),
    *(
        ("draw_figure", f"experiment=unified, figure={figure}")
        for figure in ("frontier", "overlay", "load_vs_ppl", "gate_balance")
    ),
}


def runs_of(router):
    return {
        ("train_router", f"experiment=unified, run={router}_capacity_factor={factor}_seed={seed}")
        for factor in ("1.0", "1.25")
        for seed in (0, 1)
    }


def test_a_finished_run_has_nothing_to_do(finished):
    assert finished.planned() == set()
    assert "Nothing to be done" in finished.snakemake("all").stdout


def test_touching_library_and_config_reruns_nothing(finished):
    for path in [*(finished.folder / "moebench").rglob("*.py"), finished.folder / "config"]:
        os.utime(path)
    for path in (finished.folder / "config").iterdir():
        os.utime(path)
    assert finished.planned() == set()


def test_a_comment_or_docstring_reruns_nothing(finished):
    finished.replace("moebench/routers/top1.py", '"""Switch routing', '# Why.\n"""Switch  routing')
    assert finished.planned() == set()


def test_editing_a_router_reruns_its_runs_and_what_depends_on_them(finished):
    finished.replace("moebench/routers/top1.py", "self.top_k = 1", "self.top_k = 1 + 0")
    assert finished.planned() == runs_of("top1") | DOWNSTREAM


def test_editing_a_figure_redraws_that_figure(finished):
    finished.replace(
        "moebench/figures/overlay.py", "import pandas as pd", "import pandas as pd, io"
    )
    assert finished.planned() == {("draw_figure", "experiment=unified, figure=overlay")}


def test_changing_a_setting_of_training_reruns_all_training(finished):
    finished.replace("config/smoke.yaml", "num_steps: 12", "num_steps: 13")
    planned = finished.planned()
    assert len({job for job in planned if job[0] == "train_router"}) == 24
    assert not {job for job in planned if job[0] in ("export_corpus", "tokenise_corpus")}


def test_another_seed_adds_only_its_own_runs(finished):
    finished.replace("config/smoke.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]")
    trained = {job for job in finished.planned() if job[0] == "train_router"}
    assert len(trained) == 12
    assert all("seed=2" in wildcards for _, wildcards in trained)
