"""The published energies, and what counting more or less does to their crossover."""

import numpy as np
import pytest

from moebench import published_energy, tables
from moebench.analysis.energy import boundaries, published
from moebench.analysis.energy.quality import CHANCE, PARTLY, YES
from tests.analysis.energy.windows import PUBLISHED

M = 1e6


@pytest.fixture(scope="module")
def windows():
    return published_energy.read(PUBLISHED / "energy.csv")


@pytest.fixture(scope="module")
def lines(windows):
    table = published.analyse(windows, np.random.default_rng(0))
    return table[table["kernel"] == "chosen"].set_index(["boundary", "assumed_w"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("boundary", "assumed_w", "millions"),
    [
        (boundaries.GROSS, 0.0, 115),
        (boundaries.NET, 40.0, 50),
        (boundaries.NET, 60.0, 15),
        (boundaries.WITH_HOST, 50.0, 173),
        (boundaries.WITH_HOST, 500.0, 334),
        (boundaries.TIME, 0.0, 594),
    ],
)
def test_the_crossover_moves_fortyfold_with_what_is_counted(lines, boundary, assumed_w, millions):
    found = lines.loc[(boundary, assumed_w), "crossover_params"]
    assert found / M == pytest.approx(millions, abs=0.6)


def test_run_noise_alone_is_a_tenth_of_that(lines):
    gross = lines.loc[(boundaries.GROSS, 0.0)]
    assert gross["run_noise"] == pytest.approx(0.018, abs=0.0005)
    assert gross["crossover_params_low"] / M == pytest.approx(105, abs=1)
    assert gross["crossover_params_high"] / M == pytest.approx(125, abs=1)


def test_an_idle_power_just_below_the_mixtures_own_leaves_no_crossover(lines):
    most = lines.loc[(boundaries.NET, 65.0)]
    assert most["side"] == "throughout"
    assert np.isnan(most["crossover_params"])


def test_host_power_without_end_leads_to_time_alone(windows):
    logs = windows[(windows["run"] == "log") & (windows["kernel"] != "naive")]
    dense, moe = logs[logs["kernel"] == "dense"], logs[logs["kernel"] == "chosen"]
    far, time = (
        [
            boundaries.energy_per_inference_j(
                each["power_w"].to_numpy(), each["inferences_per_s"].to_numpy(), boundary, 1e9
            )
            for each in (dense, moe)
        ]
        for boundary in (boundaries.WITH_HOST, boundaries.TIME)
    )
    assert far[0] / far[1] == pytest.approx(time[0] / time[1], rel=1e-6)


def test_a_crossover_says_whether_it_leans_on_networks_that_did_not_learn(lines):
    assert not lines.loc[(boundaries.GROSS, 0.0), "all_learned"]
    assert lines.loc[(boundaries.GROSS, 0.0), "size_above"] == "xl"
    assert lines.loc[(boundaries.NET, 50.0), "all_learned"]


def test_the_dense_networks_that_did_not_learn_are_marked(windows):
    points = published.points(windows).set_index(["size", "kernel"])["learning"]
    assert points["xl", "dense"] == PARTLY
    assert points["xxl", "dense"] == CHANCE
    assert (points.drop([("xl", "dense"), ("xxl", "dense")]) == YES).all()


def test_an_idle_power_above_what_was_drawn_is_refused():
    power_w = np.array([69.75, 98.07])
    with pytest.raises(ValueError, match="70.0 W is not below the lowest power measured, 69.75 W"):
        boundaries.energy_per_inference_j(power_w, power_w, boundaries.NET, 70.0)
    with pytest.raises(ValueError, match="must not be negative"):
        boundaries.energy_per_inference_j(power_w, power_w, boundaries.NET, -1.0)


def test_the_published_windows_are_complete_and_conserve(windows, tmp_path):
    logs = windows[windows["run"] == "log"]
    assert len(logs) == 11
    assert set(logs["num_params"]) == {
        *(2_687_192, 63_418_800, 368_287_260, 2_789_237_600),
        *(2_687_737, 63_426_943, 368_360_149, 2_789_253_815),
    }
    spoilt = windows.assign(power_w=windows["power_w"] * 1.01)
    tables.write(spoilt, tmp_path / "energy.csv")
    with pytest.raises(tables.TableError, match="power_w \\* duration_s is not energy_j"):
        published_energy.read(tmp_path / "energy.csv")


def test_the_published_training_curves_have_fifteen_epochs_each():
    training = published_energy.read_training(PUBLISHED / "energy_training.csv")
    lengths = training.groupby(["size", "kernel"])["epoch"].max()
    assert (lengths == 15).all()
    assert len(training) == 165
