"""A copy of the repository in which the workflow has run once, at smoke size."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Repository:
    """A working copy, and Snakemake as a user would call it there."""

    folder: Path

    def command(self, *arguments):
        smoke = ["--configfile", "config/smoke.yaml", "--cores", "2"]
        return [sys.executable, "-m", "snakemake", *smoke, *arguments]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def snakemake(self, *arguments):
        """Run Snakemake with the smoke config and return the finished process, output merged."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def planned(self):
        """Jobs that a dry run would do, as (rule, wildcards)."""
        dry = self.snakemake("--dry-run")
        assert dry.returncode == 0, dry.stdout
        jobs, rule = set(), None
        for line in dry.stdout.splitlines():
            if line.startswith(("rule ", "localrule ")):
                rule = line.split()[1].rstrip(":")
                jobs.add((rule, ""))
            elif line.startswith("    wildcards: "):
                jobs.discard((rule, ""))
                jobs.add((rule, line.removeprefix("    wildcards: ")))
        return {job for job in jobs if job[0] != "all"}

    def replace(self, path, old, new):
        """Edit a file of the copy."""
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))


def copy_of_repository(folder, *, source=ROOT, keep=()):
    """Copy what git knows or would add, and the folders to keep."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, folder / name)
    for name in keep:
        shutil.copytree(source / name, folder / name)
    return Repository(folder)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Folder of a copy in which everything has run. Not to be changed."""
    repository = copy_of_repository(tmp_path_factory.mktemp("smoke"))
    run = repository.snakemake("all")
    assert run.returncode == 0, run.stdout
    return repository.folder


@pytest.fixture
def finished(smoke_run, tmp_path):
    """A copy of its own, with finished results, for a test that changes something."""
    return copy_of_repository(tmp_path, source=smoke_run, keep=("results", ".snakemake"))


@pytest.fixture
def fresh(tmp_path):
    """A copy of its own without results."""
    return copy_of_repository(tmp_path)
