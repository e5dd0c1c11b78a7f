"""How many nets tell two metanets apart: the formula, held against simulations."""

from itertools import product

import numpy as np
import pytest
from conftest import ROOT
from made_records import ASYMMETRIC, STANDARD, put

from benchmark.leaderboard.leaderboard import results_of
from benchmark.leaderboard.power import DIFFERENCE, ERRORS, Variance, main, power, simulated, variance_of
from benchmark.records.readable import readable


def test_what_is_needed_is_least():
    one = Variance(nets=100, of_nets=4e-4, of_a_seed=1e-5)
    needed = one.needed(0.02, seeds=5)
    again = Variance(int(needed), one.of_nets * one.nets / needed, one.of_a_seed)
    assert again.least(5) == pytest.approx(0.02, rel=1e-3)
    assert one.needed(one.least(5), seeds=5) == pytest.approx(one.nets, abs=1)
    assert one.needed(0.99 * ERRORS * np.sqrt(1e-5 / 5), seeds=5) == np.inf


def test_a_simulation_that_knows_no_normal_distribution_agrees():
    folder = ROOT / "data/results/cifar10-16px-resnet8-standard-70bd8f23/test_accuracy"
    results = {one.label: one for one in results_of(*readable(folder))[1]}
    one, other = results["probe_and_weights"], results["hybrid"]
    nets = int(variance_of(one, other).needed(DIFFERENCE, seeds=5))
    arrays = one.target, one.predicted, other.predicted
    assert 0.65 < simulated(*arrays, nets=nets, seeds=5, simulations=100, resamples=100) < 0.95
    assert simulated(*arrays, nets=nets // 8, seeds=5, simulations=100, resamples=100) < 0.4
    assert simulated(*arrays, difference=0.0, nets=nets // 2, seeds=5, simulations=100, resamples=100) < 0.1


def test_each_task_and_zoo_has_a_row(tmp_path, capsys):
    folder = tmp_path / "results"
    for name, zoo in product(("statnn", "dmc", "hybrid"), (STANDARD, ASYMMETRIC)):
        put(folder, name, zoo, noise=0.2)
    found = power(folder, resamples=100).set_index(["task", "zoo"])
    assert (found["least"] > 0).all()
    assert (found["needed"] > found["nets"])[found["least"] > DIFFERENCE].all()
    main([str(folder)])
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(found) == 3
