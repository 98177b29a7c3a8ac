"""The ways in: reports and graphs without cores, the cluster profile, the catalogue's Snakefile."""

import re
import subprocess
import sys

import pytest

from moebench import plan

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


def test_the_published_grids_are_planned_for_a_cluster_with_ranks_and_gpus(fresh):
    grids = ("--configfile", "config/seeds.yaml")
    planned = snakemake(fresh, "--profile", "slurm", "--dry-run", *grids)
    assert planned.returncode == 0, planned.stdout
    gpus, ranks = {}, {}
    for job in plan.jobs(planned.stdout):
        gpus.setdefault(job.rule, set()).add(job.num_gpus)
        ranks.setdefault(job.rule, set()).add(job.num_cores)
    for rule in ("measure_energy", "finetune_adapter"):
        assert gpus[rule] == {1}
    for rule in ("train_router", "time_router"):  # a GPU for each of their ranks
        assert gpus[rule] == ranks[rule] == {4}
    assert ranks["sweep_layouts"] == {1, 2, 4, 8}
    assert "mpi=srun --mpi=pmi2 -n {ranks}, tasks=8" in planned.stdout
    assert "mpi=, tasks=1" in planned.stdout


def test_what_a_config_costs_is_told_of_every_rule_that_is_sent(fresh):
    told = subprocess.run(
        [sys.executable, "-m", "moebench.plan", "--configfile", "config/smoke.yaml"],
        cwd=fresh.folder,
        env=fresh.environment,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    rules = {line.split()[0] for line in told.stdout.splitlines() if "time limit" in line}
    assert rules == set(re.findall(r"rule (\w+):\n(?:    .*\n)*?    benchmark", planned(fresh)))


def planned(repository):
    """What a dry run of the smoke config says."""
    return snakemake(
        repository, "--dry-run", "--cores", "2", "--configfile", "config/smoke.yaml"
    ).stdout


USER = """
configfile: "{folder}/config/config.yaml"
configfile: "{folder}/config/smoke.yaml"

module moebench:
    snakefile: "{folder}/workflow/Snakefile"
    config: config

use rule * from moebench as moebench_*

rule count_characters:
    default_target: True
    input: "results/corpora/stdlib_docs/char/tokens.json"
    output: "size.txt"
    shell: "wc -c < {{input}} > {{output}}"
"""


def test_another_workflow_can_use_this_one_as_a_module(fresh, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "Snakefile").write_text(USER.format(folder=fresh.folder))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=other,
        env=fresh.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "moebench_tokenise_corpus" in done.stdout
    assert int((other / "size.txt").read_text()) > 0


def test_the_overlay_of_all_routers_is_planned(fresh):
    overlay = ("--configfile", "config/modern.yaml")
    planned = snakemake(fresh, *overlay, "--dry-run", "--cores", "2", "all")
    assert planned.returncode == 0, planned.stdout
    for name in ("expert_threshold", "dense_total"):
        assert f"results/runs/modern/{name}_seed=2/rows.jsonl" in planned.stdout
