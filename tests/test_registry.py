"""Plug-ins are found by file name and described without being imported."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from moebench import registry
from moebench.routers.base import Router

PACKAGES = ("routers", "corpora", "tokenizers", "dispatch", "figures", "meters")

PLUG_IN = '''
"""First line.

Second line.
"""
import no_such_module
from typing import Literal


class Mine:
    columns = {"summary": ("router",)}

    def __init__(self, setting, *, size: int, mode: Literal["a", "b"] = "a"):
        pass
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one plug-in that cannot be imported."""
    folder = tmp_path / "things"
    folder.mkdir()
    for name in ("__init__", "base", "style"):
        (folder / f"{name}.py").write_text("")
    (folder / "mine.py").write_text(PLUG_IN.lstrip())
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    return "things"


def test_every_module_but_the_shared_ones_is_a_plug_in(package):
    assert registry.names(package) == ("mine",)


def test_the_summary_is_the_first_line_of_the_docstring(package):
    assert registry.summary(package, "mine") == "First line."


def test_options_are_the_keyword_only_parameters_with_types_and_defaults(package):
    options = registry.options(package, "mine")
    assert options(size=3).model_dump() == {"size": 3, "mode": "a"}
    for wrong in ({}, {"size": "big"}, {"size": 3, "mode": "c"}, {"size": 3, "setting": 1}):
        with pytest.raises(ValidationError):
            options(**wrong)


def test_a_literal_of_the_class_is_read_from_the_source(package):
    assert registry.constant(package, "mine", "columns") == {"summary": ("router",)}
    with pytest.raises(AssertionError, match="declares no colour"):
        registry.constant(package, "mine", "colour")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_plug_in_describes_itself_in_one_sentence(package):
    for name in registry.names(package):
        assert registry.summary(package, name).endswith("."), name
        registry.options(package, name)


def test_a_plug_in_is_loaded_by_its_interface_and_name():
    assert registry.load(Router, "softk").__name__ == "Softk"


def test_an_unknown_plug_in_is_answered_with_those_there_are():
    choice = ", ".join(registry.names("routers"))
    with pytest.raises(ValueError, match=f"unknown router 'topk'; choose from {choice}"):
        registry.load(Router, "topk")


def test_describing_plug_ins_does_not_import_torch():
    code = (
        "import sys; from moebench import registry\n"
        f"for package in {PACKAGES}:\n"
        "    for name in registry.names(package):\n"
        "        registry.options(package, name), registry.summary(package, name)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
