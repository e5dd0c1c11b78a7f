"""Alignment for readers: copies of a net in any order become that net again, and what has no symmetry stays."""

import sys

import pytest
import torch

import zoo as zoos
from benchmark.analyses.aligned import aligned, main, readable
from zoo.seeds import stream
from zoo.symmetry import act, draw
from zoo.symmetry.group import Group


def test_copies_in_any_order_become_the_net_again(standard):
    nets = zoos.open(standard).nets("test", inputs="all")
    net = nets.whole()[:1].double()
    copies = net.repeat(4, 1)
    moved = act(copies, nets.layout, draw(nets.group, 4, stream("test_aligned"), kinds=("permutation",)))
    assert not torch.equal(moved, copies)
    torch.testing.assert_close(aligned(moved, net[0], nets, nets.group), copies, rtol=0, atol=0)
    assert aligned(moved, net[0], nets, Group({}, {}, {}, ())) is moved


def test_ridge_reads_each_form_and_says_so(standard, asymmetric, monkeypatch, capsys):
    forms = readable(zoos.open(asymmetric))
    assert forms["as they are"] == forms["aligned to one net"]
    monkeypatch.setattr(sys, "argv", ["aligned", str(standard)])
    main()
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [f"ridge on weights {form}" for form in forms]
    assert all("r2 " in line and "tau " in line for line in said)
    monkeypatch.setattr(sys, "argv", ["aligned", str(standard), "--target", "nothing"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert "nothing" in str(ended.value)
