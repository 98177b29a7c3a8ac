"""Lock and conda environments agree with what the project asks for."""

import importlib.util
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.specs import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "envs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(python):
    """Locked versions for one Python on Linux."""
    target = {"python_version": python, "python_full_version": f"{python}.0"}
    target |= {"sys_platform": "linux", "platform_system": "Linux"}
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in found
        if pin.marker is None or pin.marker.evaluate(target)
    }


def asked():
    """Everything that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + project["optional-dependencies"]["check"]
    return [Requirement(each) for each in listed]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_the_project(python):
    locked = pins(python)
    for need in asked():
        assert canonicalize_name(need.name) in locked, need
        assert need.specifier.contains(locked[canonicalize_name(need.name)]), need


def test_every_line_of_the_lock_is_a_pin():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            assert str(Requirement(line).specifier).startswith("=="), line


@pytest.mark.slow
@pytest.mark.parametrize("name", ["draw", "measure"])
def test_conda_environments_are_those_of_the_lock(generate, name):
    assert (ROOT / "envs" / f"{name}.yaml").read_text() == generate.environment(name), (
        "run: python envs/generate.py"
    )


def test_only_the_measuring_environment_has_torch(generate):
    assert "torch==" in generate.environment("measure")
    assert "torch==" not in generate.environment("draw")


def test_every_rule_names_an_environment_there_is():
    for path in (ROOT / "rules").glob("*.smk"):
        text = path.read_text()
        num_scripts = text.count("    script:\n")
        named = [line.strip().strip('"') for line in text.splitlines() if "../envs/" in line]
        assert len(named) == num_scripts, path
        assert all((path.parent / each).is_file() for each in named)
