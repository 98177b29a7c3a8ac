"""What runs again, and what does not, when something changed."""

import os

import pytest

pytestmark = pytest.mark.slow

FIGURES = {
    "unified": (
        *("frontier", "overlay", "load_vs_ppl", "gate_balance"),
        *("balance_over_time", "load_over_time"),
    ),
    "subword": ("frontier", "overlay"),
    "rank_stability": ("rank_stability",),
    "claims": ("verdicts",),
    "waterfall": ("waterfall",),
    "certificates": ("leaks",),
    "capacity": ("drop_rate", "tokens_per_s"),
    "specialisation": (
        "expert_load",
        "class_information",
        "token_classes",
        "routing_heatmap",
        "passage_by_expert",
        "coactivation",
    ),
}
DOWNSTREAM = {
    ("trace_routing", "experiment=unified"),
    *((f"{verb}_capacity", "") for verb in ("measure", "tabulate")),
    ("tabulate_specialisation", ""),
    *((f"write_{room}_findings", "") for room in ("capacity", "specialisation")),
    *(
        (rule, f"experiment={experiment}")
        for rule in ("time_router", "tabulate", "write_findings")
        for experiment in ("unified", "subword")
    ),
    *(
        ("draw_figure", f"experiment={experiment}, figure={figure}")
        for experiment, figures in FIGURES.items()
        for figure in figures
    ),
    ("compare_published", "experiment=unified"),
    ("certify_router", "certificate=top1_position_batch"),
    ("tabulate_certificates", ""),
    ("write_certificates_findings", ""),
    ("rank_routers", ""),
    ("write_rank_stability_findings", ""),
    *((f"{verb}_waterfall", "") for verb in ("measure", "tabulate")),
    ("write_waterfall_findings", ""),
    ("write_provenance", ""),
    ("judge_claims", ""),
    ("write_claims_findings", ""),
    ("describe_environment", ""),
    ("write_advice", ""),
}


def runs_of(router):
    return {
        ("train_router", f"experiment=unified, run={router}_capacity_factor={factor}_seed={seed}")
        for factor in ("1.0", "1.25")
        for seed in (0, 1)
    } | {("train_router", f"experiment=subword, run={router}_seed={seed}") for seed in (0, 1)}


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
    assert finished.planned() == {
        ("draw_figure", f"experiment={experiment}, figure=overlay")
        for experiment in ("unified", "subword")
    } | {("write_provenance", "")}


def test_changing_a_setting_of_training_reruns_all_training(finished):
    finished.replace("config/smoke.yaml", "num_steps: 12", "num_steps: 13")
    planned = finished.planned()
    assert len({job for job in planned if job[0] == "train_router"}) == 24 + 10 + 3
    assert not {job for job in planned if job[0] in ("export_corpus", "tokenise_corpus")}


def test_another_seed_adds_only_its_own_runs(finished):
    finished.replace("config/smoke.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]")
    trained = {job for job in finished.planned() if job[0] == "train_router"}
    assert len(trained) == 12 + 5
    assert all("seed=2" in wildcards for _, wildcards in trained)


def test_another_vocabulary_tokenises_and_trains_what_reads_it_and_nothing_else(finished):
    finished.replace("config/smoke.yaml", "vocab_size: 300", "vocab_size: 310")
    planned = finished.planned()
    assert ("tokenise_corpus", "corpus=stdlib_docs, tokenizer=bpe") in planned
    trained = {wildcards for rule, wildcards in planned if rule == "train_router"}
    assert len(trained) == 10
    assert all("experiment=subword" in wildcards for wildcards in trained)
