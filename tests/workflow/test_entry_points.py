"""The ways in: reports and graphs without cores, the cluster profile, the catalogue's Snakefile."""

import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.slow


def snakemake(repository, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=repository.folder,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("argument", ["--lint", "--rulegraph", "--dag", "--summary"])
def test_questions_need_no_number_of_cores(fresh, argument):
    asked = snakemake(fresh, argument)
    assert asked.returncode == 0, asked.stdout


def test_the_catalogues_snakefile_plans_the_same_jobs(fresh):
    ours = snakemake(fresh, "--dry-run", "--quiet", "all", "--cores", "2")
    theirs = snakemake(
        fresh, "--dry-run", "--quiet", "all", "--cores", "2", "--snakefile", "workflow/Snakefile"
    )
    assert ours.returncode == theirs.returncode == 0, theirs.stdout
    full = snakemake(fresh, "--dry-run", "--cores", "2", "--snakefile", "workflow/Snakefile")
    assert "train_router" in full.stdout


def test_the_cluster_profile_is_found_and_names_only_rules_there_are(fresh):
    planned = snakemake(fresh, "--profile", "slurm", "--dry-run")
    assert planned.returncode == 0, planned.stdout
    profile = yaml.safe_load((fresh.folder / "slurm/config.yaml").read_text())
    rules = snakemake(fresh, "--list-rules").stdout.split()
    assert set(profile["set-resources"]) <= set(rules)


def test_the_overlay_of_all_routers_is_planned(fresh):
    overlay = ("--configfile", "config/modern.yaml")
    planned = snakemake(fresh, *overlay, "--dry-run", "--cores", "2", "all")
    assert planned.returncode == 0, planned.stdout
    for name in ("expert_threshold", "dense_total"):
        assert f"results/runs/modern/{name}_seed=2/rows.jsonl" in planned.stdout
