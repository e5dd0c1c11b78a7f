import shutil

import numpy as np
import pytest
from conftest import small

import zoo
from benchmark.analyses import precision


def test_a_zoo_does_not_differ_from_itself(standard, capsys):
    precision.targets(zoo.open(standard), zoo.open(standard), np.random.default_rng(0))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(precision.TARGETS)
    assert all(
        "KS p 1.000" in line and "difference +0.0000 [+0.0000, +0.0000]" in line and "tau 1.000" in line for line in lines
    )


def test_zoos_of_other_nets_are_not_compared(standard, tmp_path):
    other = zoo.open(zoo.build(small(seed=1), tmp_path / "zoo", workers=2))
    with pytest.raises(ValueError, match="do not have the same nets"):
        precision.targets(zoo.open(standard), other, np.random.default_rng(0))


def test_a_shifted_target_shows(standard, tmp_path, capsys):
    shutil.copytree(standard, tmp_path / "zoo")
    shifted = zoo.open(tmp_path / "zoo")
    shifted.columns["test_accuracy"] += 0.2
    precision.targets(zoo.open(standard), shifted, np.random.default_rng(0))
    assert "difference +0.2000" in capsys.readouterr().out.splitlines()[0]
