"""What a finished run leaves behind."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests import test_columns

pytestmark = pytest.mark.slow

SUMMARY_COLUMNS = {
    *("router", "capacity_factor", "num_experts", "dim", "num_layers", "top_k"),
    *("num_params", "num_active_params", "val_nll_nats", "val_nll_nats_low", "val_nll_nats_high"),
    *("val_ppl", "val_bits_per_byte", "train_tokens_per_s", "train_tokens_per_s_low"),
    *("train_tokens_per_s_high", "drop_rate", "unrouted_rate", "load_cv", "load_cv_routed"),
    *("gate_entropy_nats", "causality", "on_frontier", "p_on_frontier", "certified"),
    *("val_nll_causal_nats", "val_ppl_causal", "causal_mode"),
}


def trace(folder, path):
    return subprocess.run(
        [sys.executable, "-m", "moebench.trace", path], cwd=folder, capture_output=True, text=True
    )


def rows(folder, experiment="unified"):
    """Of an experiment that trains routers."""
    for path in (folder / "results" / "runs" / experiment).rglob("rows.jsonl"):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def test_every_column_of_every_table_is_explained(smoke_run):
    tables = sorted((smoke_run / "results" / "tables").glob("*.csv"))
    assert len(tables) > 50
    for table in tables:
        assert not test_columns.unexplained(pd.read_csv(table, nrows=0).columns), table.name


def test_summary_has_the_promised_columns_and_one_row_per_arm(smoke_run):
    summary = pd.read_csv(smoke_run / "results/tables/unified_summary.csv")
    assert set(summary.columns) >= SUMMARY_COLUMNS
    assert len(summary) == 5 * 2 + 2
    is_open = summary["causality"] == "non-causal"
    assert (summary.loc[is_open, "causal_mode"] == "threshold").all()
    gap = summary["val_nll_causal_nats"] - summary["val_nll_nats"]
    assert (gap[~is_open] == 0).all()
    assert (gap[is_open] != 0).all()


def test_what_routers_add_to_dense_networks_is_told_of_every_ranked_arm(smoke_run):
    folder = smoke_run / "results/tables"
    volumes = pd.read_csv(folder / "unified_hypervolume.csv")
    assert volumes["kept"].value_counts().to_dict() == {
        "all": 1, "dense networks": 1, "all but this one": 12
    }  # fmt: skip
    assert volumes["reference_val_ppl"].nunique() == 1
    ups = pd.read_csv(folder / "unified_speed_up.csv")
    assert len(ups) == 10 * 2 * 2
    has_no_curve = ups["outcome"] == "no curve"
    assert (has_no_curve == (ups["router"] == "expert_choice")).all()
    assert set(pd.read_csv(folder / "unified_attainment.csv")["attained_in"]) == {0.05, 0.5, 0.95}
    page = (smoke_run / "results/report/unified_findings.rst").read_text()
    assert "times the area of perplexity and speed" in page
    assert "Matched by FLOPs" in page


def test_every_run_keeps_its_loss_for_every_held_out_document(smoke_run):
    finals = [row["values"] for row in rows(smoke_run) if row["kind"] == "final"]
    for values in finals:
        total = np.dot(values["val_nll_document_causal_nats"], values["val_document_tokens"])
        assert total / values["val_num_tokens"] == pytest.approx(values["val_nll_causal_nats"])


def test_weights_stay_where_something_was_made_from_them_and_nowhere_else(smoke_run):
    runs = smoke_run / "results/runs"
    read = {
        (path.parent / name).resolve()
        for path in runs.rglob("*.prov.json")
        for name in json.loads(path.read_text())["inputs"]
        if name.endswith("/weights.pt")
    }
    assert len(read) > 10
    assert {path.resolve() for path in runs.rglob("weights.pt")} == read
    own = trace(smoke_run, "results/runs/unified/dense_seed=0/rows.jsonl")
    assert own.returncode == 0, own.stderr
    assert "weights.pt" in own.stdout
    assert "was not kept" in own.stdout


def test_every_router_on_a_frontier_has_a_certificate(smoke_run):
    folder = smoke_run / "results/tables"
    certificates = pd.read_csv(folder / "certificates.csv").set_index("certificate")
    assert len(certificates) == 7
    assert certificates.loc["expert_choice_position_batch", "found"] == "non-causal"
    assert certificates.loc["softk_gate_batch", "found"] == "non-causal"
    assert certificates.loc["softk_none_batch", "found"] == "token-local"
    for path in folder.glob("*_summary.csv"):
        summary = pd.read_csv(path)
        if "certified" in summary:
            routed = summary[summary["capacity_factor"].notna()]
            assert routed["certified"].isin(certificates["found"]).all(), path


def test_a_certificate_of_other_code_is_refused_and_an_edited_one_is_named(finished):
    table = pd.read_csv(finished.folder / "results/tables/certificates.csv")
    path = "results/runs/certificates/softk_position_batch/rows.jsonl"
    digest = table.set_index("certificate").loc["softk_position_batch", "code_digest"]
    finished.replace(path, digest, "0" * 16)
    run = finished.snakemake(
        "results/tables/unified.csv", "--allowed-rules", "tabulate", "-R", "tabulate"
    )
    assert run.returncode == 1
    assert "run certify_router again" in run.stdout
    traced = trace(finished.folder, "results/figures/unified_frontier.png")
    assert traced.returncode == 1
    assert path in traced.stderr


def test_rate_times_time_is_tokens_in_every_row_and_table(smoke_run):
    timed = [row["values"] for row in rows(smoke_run) if row["kind"] == "timed_step"]
    assert len(timed) == 12 * 6
    folder = smoke_run / "results/tables"
    tables = [pd.read_csv(folder / name) for name in ("unified.csv", "unified_summary.csv")]
    for each in [pd.DataFrame(timed), *tables]:
        product = each["train_tokens_per_s"] * each["train_time_s"]
        assert (product / each["train_tokens"]).tolist() == pytest.approx([1.0] * len(each))


def test_every_row_repeats_its_spec_and_setting(smoke_run):
    for row in rows(smoke_run):
        assert row["spec"]["training"]["num_steps"] == 12
        assert row["setting"]["dtype"] == "float32"
        assert row["setting"]["is_oversubscribed"] is False


def test_arms_of_a_seed_see_the_same_first_loss_where_they_are_the_same_model(smoke_run):
    """Drops aside, the two capacity factors of the hash router begin with equal batches."""
    first = {
        (row["spec"]["router"], row["spec"]["model"]["capacity_factor"], row["spec"]["seed"]): row
        for row in rows(smoke_run)
        if row["kind"] == "train_step" and row["values"]["step"] == 1
    }
    losses = {key: row["values"]["train_loss_nats"] for key, row in first.items()}
    assert losses["softk", 1.0, 0] == pytest.approx(losses["softk", 1.25, 0], rel=0.05)
    assert losses["softk", 1.0, 0] != losses["softk", 1.0, 1]


def test_trace_walks_from_a_figure_to_the_corpus(smoke_run):
    traced = trace(smoke_run, "results/figures/unified_frontier.svg")
    assert traced.returncode == 0, traced.stdout + traced.stderr
    for rule in ("draw_figure", "tabulate", "train_router", "time_router", "export_corpus"):
        assert f"<- {rule}" in traced.stdout


def test_trace_names_a_row_file_that_was_changed_by_hand(finished):
    path = "results/runs/unified/softk_capacity_factor=1.0_seed=0/rows.jsonl"
    finished.replace(path, '"val_ppl": ', '"val_ppl": 0')
    traced = trace(finished.folder, "results/figures/unified_frontier.png")
    assert traced.returncode == 1
    assert path in traced.stderr


def test_redrawn_figures_are_byte_identical(finished):
    def digests():
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((finished.folder / "results/figures").iterdir())
        }

    before = digests()
    drawn = [f"results/figures/unified_{name}.svg" for name in ("frontier", "overlay")]
    run = finished.snakemake(*drawn, "--forcerun", "tabulate", "draw_figure")
    assert run.returncode == 0, run.stdout
    assert digests() == before


def test_rows_name_the_tokenizer_that_made_their_tokens(smoke_run):
    corpus = smoke_run / "results/corpora/stdlib_docs"
    for experiment, tokenizer in (("unified", "char"), ("subword", "bpe")):
        file = corpus / tokenizer / "tokenizer.json"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert {row["setting"]["tokenizer_sha256"] for row in rows(smoke_run, experiment)} == {
            digest
        }
    facts = json.loads((corpus / "bpe/tokens.json").read_text())
    assert facts["vocab_size"] == 300


def test_orders_of_routers_are_compared_between_all_conditions(smoke_run):
    stability = pd.read_csv(smoke_run / "results/tables/rank_stability.csv")
    assert len(stability) == 3  # unified at two capacity factors, and subword
    assert (stability["num_routers"] == 5).all(), "expert choice takes part"
    page = (smoke_run / "results/report/rank_stability_findings.rst").read_text()
    assert "The same order of routers everywhere" in page


def test_every_claim_has_a_verdict_on_published_data_and_on_this_run(smoke_run):
    claims = pd.read_csv(smoke_run / "results/tables/claims.csv")
    verdicts = claims.pivot(index="id", columns="data", values="verdict")
    assert len(verdicts) >= 80
    assert verdicts.notna().all().all()
    assert verdicts.loc["C003-11", "published"] == "refuted"
    assert (verdicts["here"] != "not testable here").any()
    page = (smoke_run / "results/report/claims_findings.html").read_text()
    assert all(key in page for key in verdicts.index)
