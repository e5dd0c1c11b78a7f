"""`metazoo group`: what is free in a zoo's nets, and what is tied."""

import json

import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app


def shown(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["group", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_papers_net_has_its_group_and_its_asymmetric_version_none():
    free = json.loads(shown("cifar10-resnet8-standard", "--json"))
    assert free["permutations"] == {"free": {"P0": 16, "I1": 16, "I2": 32, "P1": 32, "I3": 64, "P2": 64}, "tied": {}}
    assert free["log10_permutations"] == pytest.approx(275.69, abs=0.01)
    assert (len(free["sizes"]["free"]), free["dimension"]) == (9, 233)
    tied = json.loads(shown("cifar10-resnet8-w_asymmetric", "--json"))
    assert (tied["log10_permutations"], tied["dimension"], tied["sizes"]["free"]) == (0, 0, [])
    assert tied["permutations"]["tied"] == free["permutations"]["free"]


def test_a_zoo_has_the_group_of_its_spec(standard, tmp_path):
    text = shown(standard)
    assert "P0 2, I1 2, I2 4, P1 4, I3 8, P2 8" in text
    assert "dimension 37" in text
    (tmp_path / "mine.toml").write_text('base = "digits-mlp-standard"\n[net]\nhidden = [5]\n')
    assert "H1 5" in shown(tmp_path / "mine.toml")
