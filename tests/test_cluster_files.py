"""What stands in the cluster profile and in the container's definition holds together."""

import re

import pytest
import yaml

from tests.specs import ROOT

PROFILE = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
GROUPED = yaml.safe_load((ROOT / "slurm/grouped.yaml").read_text())
ASKED = PROFILE["set-resources"]
DEFINITION = (ROOT / "envs/moebench.def").read_text()

RULES = {
    name: body
    for path in (ROOT / "rules").glob("*.smk")
    for name, body in re.findall(
        r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.MULTILINE
    )
}
LOCAL = {
    name
    for path in (ROOT / "rules").glob("*.smk")
    for block in re.findall(r"^localrules:\n((?:    .*\n)+)", path.read_text(), re.MULTILINE)
    for name in re.findall(r"\w+", block)
}
SENT = set(RULES) - LOCAL


def test_the_profile_names_only_rules_that_there_are():
    grouped = {each.partition("=")[0] for each in GROUPED["groups"]}
    assert set(ASKED) | grouped <= set(RULES)
    assert grouped <= SENT


def mappings(node):
    """Every mapping in a document, with its keys as they stand there."""
    if isinstance(node, yaml.MappingNode):
        yield [key.value for key, _ in node.value]
    for child in node.value if isinstance(node, yaml.CollectionNode) else []:
        for each in child if isinstance(child, tuple) else [child]:
            yield from mappings(each)


@pytest.mark.parametrize("path", sorted([*ROOT.glob("slurm/*.yaml"), *ROOT.glob("config/*.yaml")]))
def test_no_key_of_a_file_stands_twice_so_that_the_first_is_forgotten(path):
    for keys in mappings(yaml.compose(path.read_text())):
        assert len(keys) == len(set(keys)), keys


def test_every_rule_that_is_sent_asks_for_something_of_its_own_and_is_benchmarked():
    assert set(ASKED) >= SENT
    benchmarked = {name for name, body in RULES.items() if "    benchmark:" in body}
    assert benchmarked == SENT


def test_rules_that_own_the_machine_own_the_node():
    alone = {name for name, body in RULES.items() if "threads: all_cores" in body}
    assert alone == {name for name in SENT if "--exclusive" in ASKED[name].get("slurm_extra", "")}


def test_training_is_told_before_its_time_is_over():
    assert {name for name in SENT if "--signal=TERM@" in ASKED[name].get("slurm_extra", "")} == {
        "train_router",
        "pretrain_base",
        "finetune_adapter",
    }


def test_a_second_attempt_gets_more_time_and_memory():
    limits = [PROFILE["default-resources"], *ASKED.values()]
    for key in ("runtime", "mem_mb"):
        assert all(asked[key].endswith("* attempt") for asked in limits if key in asked)


def test_attempts_are_counted_by_the_profile_alone():
    assert PROFILE["retries"] >= 1
    assert not [name for name, body in RULES.items() if "retries:" in body]


def test_groups_are_bounded():
    named = {each.partition("=")[2] for each in GROUPED["groups"]}
    assert named == {each.partition("=")[0] for each in GROUPED["group-components"]}
    assert PROFILE["cores"] > 0


def test_the_container_is_built_from_the_lock_and_from_files_that_exist():
    header, *sections = re.split(r"^%(?=\w+$)", DEFINITION, flags=re.MULTILINE)
    assert {"Bootstrap: docker", "From: python:3.11-slim-bookworm"} <= set(header.splitlines())
    parts = {name: text for name, _, text in (each.partition("\n") for each in sections)}
    assert set(parts) == {"files", "post", "test", "runscript"}
    for line in parts["files"].split("\n"):
        assert not line.strip() or (ROOT / line.split()[0]).exists(), line
    assert "--requirement requirements.lock" in parts["post"]
    assert parts["post"].strip().startswith("set -eu")


@pytest.mark.parametrize("installed", re.findall(r"pip install (.*)", DEFINITION))
def test_nothing_in_the_container_is_of_another_version(installed):
    assert "--requirement requirements.lock" in installed or "--no-deps" in installed
