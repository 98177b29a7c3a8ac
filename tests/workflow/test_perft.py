"""The PERFT room as the workflow runs it, and what it says of questions that cannot be asked."""

import json

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

ARMS = {
    "single_rank=2",
    "routed_rank=2_num_adapters=2_top_k=1",
    "routed_rank=2_num_adapters=2_top_k=1_legacy_weighting=True",
}
RECORD = {
    "instruction": "is it?\n\nAnswer format: true/false",
    "input": "",
    "output": "the answer is true",
    "answer": "true",
}


def test_every_adapter_has_its_row_and_its_seeds(smoke_run):
    summary = pd.read_csv(smoke_run / "results/tables/perft_summary.csv")
    assert set(summary["arm"]) == ARMS
    assert (summary["num_seeds"] == 2).all()
    assert (summary["num_scored_questions"] == 6).all()
    assert len(pd.read_csv(smoke_run / "results/tables/perft.csv")) == 2 * len(ARMS)
    saved = list((smoke_run / "results/runs/perft").glob("*/adapter_seed=*.safetensors"))
    assert len(saved) == 2 * len(ARMS)


def test_figures_of_the_room_have_its_name_once(smoke_run):
    made = {path.name for path in (smoke_run / "results/figures").glob("perft*.svg")}
    assert made == {"perft_frontier.svg", "perft_curves.svg", "perft_published.svg"}


def test_a_figure_leads_back_to_questions_base_and_text(smoke_run):
    chain = json.loads((smoke_run / "results/figures/perft_frontier.json").read_text())["chain"]
    assert {job["rule"] for job in chain} >= {
        *("draw_figure", "tabulate_perft", "finetune_adapter", "time_adapters"),
        *("encode_questions", "export_questions", "pretrain_base", "export_corpus"),
    }


def test_editing_a_variant_runs_only_its_arms_again(finished):
    finished.replace("moebench/perft/adapters/single.py", "num_adapters=1)", "num_adapters=1 + 0)")
    planned = finished.planned()
    assert ("finetune_adapter", "arm=single_rank=2") in planned
    assert len({job for job in planned if job[0] == "finetune_adapter"}) == 1
    assert not {job for job in planned if job[0] in ("pretrain_base", "train_router")}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ([RECORD, {"instruction": "a"}], "q.json, record 2 has no field 'input'"),
        ([RECORD, RECORD | {"instruction": "ж?\nAnswer format: true/false"}], "U+0436"),
    ],
)
def test_questions_that_cannot_be_asked_stop_the_run_before_any_training(fresh, content, line):
    folder = fresh.folder / "questions"
    folder.mkdir()
    (folder / "q.json").write_text(json.dumps(content))
    fresh.replace(
        "config/smoke.yaml", "    num_questions: 60", "    source: local\n    path: questions"
    )
    run = fresh.snakemake("results/tables/perft_summary.csv")
    assert run.returncode != 0
    assert line in run.stdout
    assert "Traceback" not in run.stdout
    assert not list((fresh.folder / "results").glob("**/rows.jsonl"))


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("{questions: {source: local, path: nowhere}}", "no file or folder nowhere"),
        ("{adapters: [{variant: single, rank: [99]}]}", "larger than the base's hidden size"),
        ("{adapters: [{variant: routed, num_adapters: 2, top_k: 3}]}", "top_k=3 must be in 1..num"),
        ("{base: {source: local, path: nowhere}}", "nowhere holds no config.json"),
    ],
)
def test_a_room_that_cannot_be_is_refused_before_any_job(fresh, room, line):
    if "questions" in room:
        fresh.replace("config/smoke.yaml", "    num_questions: 60", "    split_seed: 0")
    run = fresh.snakemake("--config", f"perft={room}")
    assert run.returncode != 0
    assert line in run.stdout
    assert not list((fresh.folder / "results").glob("**/rows.jsonl"))
