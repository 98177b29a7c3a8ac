"""Limits and clocks, set on the double of NVIDIA's library."""

import json
import os
import subprocess
import sys

import pytest

from tests.meters import double
from tests.specs import ROOT

pytestmark = pytest.mark.skipif(double.compiler() is None, reason="there is no C compiler")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return double.build(tmp_path_factory.mktemp("library")).parent


def found(folder, **environment):
    answered = subprocess.run(
        [sys.executable, "-m", "tests.energy.limits_on_double"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LD_LIBRARY_PATH": str(folder), **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(answered.stdout)


def test_limits_hold_inside_and_are_taken_back_whatever_happens(folder):
    answers = found(folder)
    assert answers["before"] == [700_000, 1980]
    assert answers["inside"] == [300_000, 1200]
    assert answers["after"] == [700_000, 1980]
    assert answers["nothing"] is None
    assert "a power limit of 100 W is not in 200..700 W" in answers["low"]
    assert "a clock of 3e+09 Hz is not in 0..1.98e+09 Hz" in answers["fast"]
    assert "GPU-1: the NVIDIA driver says: Not Found" in answers["elsewhere"]


def test_who_may_not_set_a_limit_is_told_so(folder):
    answers = found(folder, DOUBLE_FAULT="user")
    assert "only an administrator may change limits and clocks" in answers["allowed"]
