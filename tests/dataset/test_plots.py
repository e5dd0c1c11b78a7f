import os
import subprocess
import sys
from dataclasses import replace

import pytest
from conftest import ROOT

import zoo
from zoo.dataset import plots
from zoo.dataset.summary import summary


def test_histograms_count_every_net_that_did_not_diverge(standard, asymmetric):
    made = [zoo.open(standard), zoo.open(asymmetric)]
    (axes,) = plots.histograms(made, "test_accuracy").axes
    assert sum(patch.get_height() for patch in axes.patches) == len(made[0]) + len(made[1])
    assert len(axes.get_legend().get_texts()) == 2


def test_a_target_is_drawn_against_each_hyper_parameter_but_itself(standard):
    figure = plots.against_hyper_parameters([zoo.open(standard)], "learning_rate")
    assert [axes.get_xlabel() for axes in figure.axes] == ["weight decay", "label smoothing", "epochs"]
    assert all(len(axes.collections[0].get_offsets()) == 64 for axes in figure.axes)


def test_one_hyper_parameter_is_drawn_as_several_are(standard):
    made = zoo.open(standard)
    alone = replace(made, columns=made.columns.drop(columns=["weight_decay", "label_smoothing", "epochs"]))
    figure = plots.against_hyper_parameters([alone], "test_accuracy")
    assert [axes.get_xlabel() for axes in figure.axes] == ["learning rate"]


@pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures_are_written_in_their_suffix_format(standard, tmp_path, kind, head):
    path = plots.save(plots.histograms([zoo.open(standard)], "train_loss"), tmp_path / "new" / f"x.{kind}")
    assert path.read_bytes().startswith(head)


def test_a_summary_counts_every_net_and_its_quantiles_are_those_of_pandas(standard):
    made = zoo.open(standard)
    found = summary(made)
    assert sum(part["nets"] for part in found["nets"].values()) == 64
    assert found["quantiles"]["test_accuracy"][2] == pytest.approx(made.columns["test_accuracy"].median())
    assert found["ranges"]["epochs"] == [1, 3]


DRAW = """
import os, sys, zoo
from zoo.dataset import plots
from pathlib import Path
plots.save(plots.histograms([zoo.open(sys.argv[1])], "test_accuracy"), Path(sys.argv[2]))
import matplotlib
print("matplotlib.pyplot" in sys.modules, os.environ["MPLBACKEND"], matplotlib.get_backend(auto_select=False))
"""


@pytest.mark.parametrize("backend", ["no-such-backend", "module://no_such_module.backend", "svg"])
def test_pictures_are_drawn_whatever_the_backend_of_the_environment_and_leave_it_as_it_is(standard, tmp_path, backend):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": backend}
    command = [sys.executable, "-W", "error", "-c", DRAW, standard, tmp_path / "x.png"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert done.stdout.split() == ["False", backend, "None" if backend == "no-such-backend" else backend]
