"""What a user can get wrong ends in one clear line, before any training starts."""

import pytest

from moebench.machine import num_cores

pytestmark = pytest.mark.slow


def text_corpus(path):
    return ["--config", "corpus=text_file", f"corpora={{text_file: {{path: {path}}}}}"]


def refused(repository, *arguments):
    """Run, see it refuse, and return what it says."""
    run = repository.snakemake(*arguments)
    assert run.returncode != 0
    assert not list((repository.folder / "results").glob("runs/**/rows.jsonl"))
    assert not list((repository.folder / "results").glob("**/*.part"))
    return run.stdout


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "model={num_headz: 2}",
            "model.num_headz: unknown key 'num_headz'; did you mean",
        ),
        (
            "training={learning_rate: fast}",
            "training.learning_rate: input should be a valid",
        ),
        ("model={top_k: 9}", "top_k=9 must be in 1..num_experts=8"),
        (
            "experiments={unified: {routers: {topk: {}}}}",
            "unknown name 'topk'; did you mean",
        ),
        ("corpus=tinystorys", "unknown name 'tinystorys'; did you mean 'tinystories'?"),
    ],
)
def test_config_errors_name_the_key_and_the_nearest_valid_name(fresh, setting, line):
    said = refused(fresh, "--config", setting)
    assert line in said
    assert "Traceback" not in said


def test_every_problem_of_a_config_is_listed_at_once(fresh):
    said = refused(fresh, "--config", "model={dimm: 1}", "training={num_step: 1}", "seeds=[0,0]")
    for what in ("model.dimm", "training.num_step", "seeds: 0 stands twice"):
        assert what in said


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "empty"),
        (b"\x7fELF\x00\x01" * 100, "is binary"),
        ("Vielleicht später.\n\n".encode("latin-1") * 100, "is not UTF-8"),
        (b"One line.\n\nAnother line.\n\nAnd a third.", "seq_len"),
    ],
    ids=["empty", "binary", "latin-1", "too short"],
)
def test_unusable_texts_are_refused_before_training(fresh, content, line):
    (fresh.folder / "my.txt").write_bytes(content)
    # Pieces of words want a longer text too, and whichever job ends first is the one that is heard.
    fresh.replace("config/config.yaml", "    tokenizer: bpe\n", "")
    said = refused(fresh, *text_corpus("my.txt"))
    assert line in said


def test_every_claim_that_cannot_be_tried_is_named_before_any_job(fresh):
    fresh.replace("config/claims.yaml", "tables: [larger_scale]", "tables: [larger_scales]")
    fresh.replace("config/claims.yaml", "lowest(peak_memory_bytes,", "lowest(peak_memory,")
    said = refused(fresh)
    assert "claims.C003-09.published: unknown name 'larger_scales'; did you mean" in said
    assert "claims.C000-18.here: table 'parallel': column: unknown name 'peak_memory'" in said
    fresh.replace("config/claims.yaml", "ordered(val_ppl_causal,", "eval(val_ppl_causal,")
    said = refused(fresh)
    assert "claims.C003-11.here.holds: 'eval' gives no predicate here" in said
    assert "Traceback" not in said


def test_a_published_file_that_was_edited_is_refused_before_any_job(fresh):
    fresh.replace("resources/published/unified.csv", "5.498171599204365", "5.4")
    said = refused(fresh)
    assert "unified.csv is not the file whose sha256 stands in SHA256SUMS" in said
    assert "Traceback" not in said


def test_a_missing_text_is_refused(fresh):
    assert "nowhere.txt" in refused(fresh, *text_corpus("nowhere.txt"))


def test_a_hub_that_cannot_be_reached_is_named_in_one_line(fresh, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = refused(fresh, "--config", "corpus=tinystories")
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1


def test_results_that_are_no_folder_are_refused(fresh):
    (fresh.folder / "results").write_text("in the way")
    run = fresh.snakemake("--dry-run")
    assert run.returncode != 0
    assert "results is not a folder that can be written to" in run.stdout


@pytest.mark.parametrize(
    "setting",
    ["timing={%s}", "experiments={unified: {training: {%s}}}", "waterfall={training: {%s}}"],
)
def test_more_threads_than_cores_are_refused_wherever_they_are_asked_for(fresh, setting):
    said = refused(fresh, "--config", setting % f"threads: {num_cores() + 1}")
    assert f"more than the {num_cores()} cores at hand" in said


def test_more_cores_given_than_there_are_is_no_error(fresh):
    assert fresh.snakemake("--dry-run", "--cores", "64").returncode == 0
