"""With a counter of known power, rows hold its joules within each boundary."""

import time

import pytest

from moebench.analysis.energy.tabulate import tabulate_training, tabulate_windows
from moebench.energy import worker
from moebench.energy.state import State
from moebench.meters.base import Clock, Domain, Meter, Reading
from moebench.meters.instruments import Instruments
from moebench.spec import EnergySpec

POWER_W = 30.0
DOMAIN = Domain(
    id="test_worker:load", kind="cpu", name="a steady load", source="counter", update_s=1e-5
)
SPEC = EnergySpec(
    sizes=["tiny"],
    shapes={"tiny": {"num_experts": 4, "width": 8, "num_layers": 2, "top_k": 2}},
    kernels=["grouped"],
    batch_sizes=[8],
    device="cpu",
    num_processes=1,
    learning={"sizes": ["tiny"], "num_samples": 200, "num_heldout": 100, "num_epochs": 1},
    figures=[],
)


class Steady(Meter):
    """A counter that grows by the same power all the time."""

    kinds = ("cpu",)

    def open(self, devices):
        return [DOMAIN], {}

    def read(self):
        now_s = time.perf_counter()
        return {DOMAIN.id: Reading(time_s=now_s, energy_j=POWER_W * now_s)}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    found = Instruments(
        meters=(Steady(Clock()),), domains=(DOMAIN,), missing={"node": "no meter of the node"}
    )
    monkeypatch.setattr(worker, "open_instruments", lambda spec, gpus: found)
    state = State(tmp_path / "state")
    state.begin({})
    worker.Worker(SPEC, state, "test", lambda: False).work(0)
    return state.rows()


@pytest.mark.slow
def test_a_steady_load_has_its_power_in_every_window_and_epoch(rows):
    table = tabulate_windows(rows)
    gross = table[table["boundary"] == "host"]
    assert len(gross) == 3
    assert set(gross["energy_status"]) == {"measured"}
    assert gross["power_w"].tolist() == pytest.approx([POWER_W] * 3, rel=0.05)
    per_joule = gross["inferences_per_s"] / POWER_W
    assert gross["inferences_per_j"].tolist() == pytest.approx(per_joule.tolist(), rel=0.05)
    trained = tabulate_training(rows)
    assert set(trained["energy_status"]) == {"measured"}
    power_w = trained["energy_j"] / trained["duration_s"]
    assert power_w.tolist() == pytest.approx([POWER_W] * 3, rel=0.05)


@pytest.mark.slow
def test_boundaries_that_are_not_measured_say_why_beside_those_that_are(rows):
    table = tabulate_windows(rows).set_index("boundary")
    assert (table.loc["node", "energy_reason"] == "no meter of the node").all()
    assert table.loc["node", "energy_j"].isna().all()
    assert table.loc["host_net", "energy_reason"].str.contains("idle power").all()
