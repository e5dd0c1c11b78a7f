"""Exchangeability: moved nets are told from nets exactly where the distribution of nets does not have the symmetry."""

import json

import numpy as np
import pytest
import torch
from verbs import run

from benchmark.analyses import distribution as analysis
from benchmark.analyses.distribution import distribution
from zoo.seeds import stream
from zoo.symmetry import act, draw, group_of


def told(monkeypatch, capsys, folder) -> dict[tuple[str, str], float]:
    """What the verb finds: kind of move and features -> area under the curve."""
    code, out, _ = run(monkeypatch, capsys, "audit", folder, "--distribution", "--json")
    assert code == 0
    return {(one["kind"], one["features"]): one["auc"] for one in json.loads(out)["told"]}


def test_standard_nets_are_exchangeable_over_orders_and_not_over_scales_nor_sizes(standard, monkeypatch, capsys):
    found = told(monkeypatch, capsys, standard)
    assert [*found] == [(kind, seen) for kind in ("permutation", "scale", "size") for seen in ("weights", "charges")]
    assert all(0.35 < found["permutation", seen] < 0.65 for seen in ("weights", "charges"))  # 1/2 with an error of 0.07
    assert found["scale", "charges"] > 0.85
    assert found["size", "charges"] > 0.6


def test_w_asymmetric_nets_are_exchangeable_over_nothing_and_the_verb_says_so_in_lines(asymmetric, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "audit", asymmetric, "--distribution")
    assert (code, len(out.splitlines())) == (0, 8)
    assert "fixed entries got their values again" in out
    assert all("told apart" in line for line in out.splitlines() if "charges" in line or "permutation" in line)


def test_nets_drawn_with_the_symmetry_are_told_by_nobody(standard, monkeypatch):
    """Nets in a random order of their channels: another order changes nothing of their distribution."""

    def drawn(made, splits, seed):
        weights = torch.stack([made.blueprint.initial(seed) for seed in range(60)])
        weights += torch.arange(weights.shape[1]) / weights.shape[1]  # channels differ in a way that all nets share
        ordered = draw(group_of(made.blueprint), 60, stream("drawn", *splits), kinds=("permutation",))
        return act(weights, made.layout, ordered) if ordering else weights

    monkeypatch.setattr(analysis, "_some", drawn)
    monkeypatch.setattr(analysis, "KINDS", ("permutation",))
    for ordering in (True, False):
        assert all(one.differs != ordering for one in distribution(standard).told)


def test_a_zoo_of_few_nets_is_refused(standard, monkeypatch, capsys):
    monkeypatch.setattr(analysis, "FEWEST", 1000)
    code, _, errors = run(monkeypatch, capsys, "audit", standard, "--distribution")
    assert (code, errors.count("\n"), "expected 1000 of each or more" in errors) == (1, 1, True)


def test_the_area_is_the_share_of_pairs_in_right_order_and_its_error_shrinks_with_the_nets():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=200), rng.normal(size=200) + 1
    area, error = analysis._auc(one, other, seed=0)
    assert area == pytest.approx(np.mean(other[:, None] > one[None]))
    assert 1.5 < analysis._auc(one[:50], other[:50], seed=0)[1] / error < 2.7
    tied = np.zeros(50)
    assert analysis._auc(tied, tied, seed=0) == (0.5, 0.0)
