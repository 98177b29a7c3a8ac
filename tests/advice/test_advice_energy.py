"""Advice on energy, with a meter and without, against tables of known truth."""

import pytest

from moebench.report.advice import energy
from tests.advice.evidence import as_json, as_read, told, unaccounted
from tests.analysis.energy.windows import REASON, tables_of, windows

pytestmark = pytest.mark.slow


def advise(**options):
    made = tables_of(windows(noise=0.02, **options))
    tables = as_read({f"energy_{name}": made[name] for name in ("crossover", "cells")})
    [plain] = as_json([energy.answer(tables)])
    assert unaccounted(plain, tables) == []
    return plain


def test_without_a_meter_nothing_is_said_of_joules_and_the_meters_say_why():
    found = advise(with_joules=False)
    assert found["status"] == "cannot say"
    assert REASON in found["verdict"]
    assert all(each.startswith("Of speed alone") for each in found["because"])
    assert " J" not in told(found)


def test_with_a_meter_the_size_is_told_with_its_interval():
    found = advise(crossover=100e6, slope=1.0)
    assert found["status"] == "answered"
    assert "in joules" in found["verdict"]
    assert "better from" in found["verdict"]
    shown = {
        number["column"]: number["value"]
        for number in found["numbers"]
        if number["row"]["baseline"] == "dense_total"
    }
    assert shown["crossover_params_low"] < 100e6 < shown["crossover_params_high"]
