"""Rows brought home from another machine: read, told apart, refused where they must be."""

import gzip
import json
from dataclasses import asdict

import pytest

from moebench import published_energy
from moebench.analysis.energy import elsewhere, measured
from moebench.records import Row
from tests.analysis.energy.windows import PUBLISHED, windows

SPEC = ["size", "network", "kernel", "batch_size", "dtype", "plan", "num_params", "width"]
VALUES = [
    *("process", "block", "place", "num_batches", "inferences", "duration_s"),
    *("inferences_per_s", "heldout_accuracy", "heldout_nll_nats", "flops", "bytes"),
    *("touched_experts", "is_emulated"),
]


def rows(device="NVIDIA H200", method="nvml counter on GPU-0"):
    """Rows of windows, as a sweep on a GPU writes them."""
    for each in windows(60e6, num_blocks=2).to_dict("records"):
        energy = {"energy_j": each["energy_j"], "sigma_j": 0.1, "status": "measured"}
        yield Row(
            kind="window",
            spec={
                **{key: each[key] for key in SPEC},
                "num_active_params": each["num_active_params"],
                "shape": {"num_experts": 8, "top_k": 2, "num_layers": each["num_layers"]},
            },
            setting={
                **{key: each[key] for key in ("threads", "num_cores")},
                "device": device,
                "time": "2026-11-20T10:00:00+00:00",
            },
            values={
                **{key: each[key] for key in VALUES},
                "touched_experts": None,
                "energy": {"gpu": {**energy, "reason": "", "method": method}},
            },
        )


def write(path, found):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in found)
    return path


@pytest.mark.slow
def test_rows_come_home_as_points_with_device_and_date(tmp_path):
    path = write(tmp_path / "h200/energy.jsonl.gz", rows())
    published = published_energy.read(PUBLISHED / "energy.csv")
    table = elsewhere.elsewhere(published, [elsewhere.read_measured(path)])
    home = table[table["origin"] == "measured"]
    assert len(home) == 20
    assert set(home["device"]) == {"NVIDIA H200"}
    assert set(home["date"]) == {"2026-11-20"}
    assert home["inferences_per_j"].notna().all()
    assert len(table) - len(home) == 11


def test_rows_of_several_days_say_so():
    found = list(rows())
    found[0].setting["time"] = "2026-11-18T10:00:00+00:00"
    assert measured.date(found) == "2026-11-18 to 2026-11-20"


def test_rows_of_a_test_double_do_not_come_home(tmp_path):
    for change in ({"device": "NVIDIA test double"}, {"method": "nvml on Test Double 0"}):
        path = write(tmp_path / "double/energy.jsonl.gz", rows(**change))
        with pytest.raises(ValueError, match="test double"):
            elsewhere.read_measured(path)


def test_a_damaged_file_is_named(tmp_path):
    path = write(tmp_path / "h200/energy.jsonl.gz", rows())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="energy.jsonl.gz: not a gzipped file of rows"):
        measured.read(path)
    path.write_text("rows")
    with pytest.raises(ValueError, match="not a gzipped file of rows"):
        measured.read(path)
    with pytest.raises(ValueError, match="no rows, this version reads schema"):
        measured.read(write(path, []))
