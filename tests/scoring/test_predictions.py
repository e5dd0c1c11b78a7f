"""`metazoo predict`: what a fitted metanet says of the nets of a zoo, as text that keeps every digit."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
import torch
from verbs import run

import zoo
from benchmark.scoring.find import object_named
from benchmark.scoring.predictions import predictions
from metanets import Estimator, Training
from metanets.estimators import StatNN

QUICK = Training(epochs=1, batch=8, learning_rates=(5e-3,))
OWN = """
from torch import nn


class Mine(nn.Linear):
    def __init__(self, numbers):
        super().__init__(numbers, 1)

    def forward(self, weights):
        return super().forward(weights).squeeze(-1)
"""


@pytest.fixture(scope="module")
def fitted(standard, tmp_path_factory):
    """A fitted StatNN, and its folder."""
    made = StatNN(training=QUICK).fit(standard)
    return made, made.save(tmp_path_factory.mktemp("model") / "statnn")


def test_predictions_are_printed_or_written_with_all_digits(standard, fitted, tmp_path, monkeypatch, capsys):
    made, (estimator, model) = zoo.open(standard), fitted
    told = run(monkeypatch, capsys, "predict", model, standard)[1]
    assert run(monkeypatch, capsys, "predict", model, standard, "--out", tmp_path / "new/x.csv")[0] == 0
    assert (tmp_path / "new/x.csv").read_text() == told
    found = pd.DataFrame(csv.DictReader(StringIO(told))).astype({"index": int, "prediction": float})
    assert list(found) == ["index", "split", "prediction", "test_accuracy"]
    np.testing.assert_array_equal(found["prediction"], estimator.predict(made)[found["index"]])
    rows = json.loads(run(monkeypatch, capsys, "predict", model, standard, "--json")[1])
    assert [row["prediction"] for row in rows] == list(found["prediction"])


@pytest.mark.parametrize(("out", "told"), [("x.txt", "ends in .csv or .json"), ("there.csv", "is there already")])
def test_a_wrong_name_for_the_output_is_one_line(standard, fitted, tmp_path, monkeypatch, capsys, out, told):
    (tmp_path / "there.csv").write_text("mine")
    code, _, err = run(monkeypatch, capsys, "predict", fitted[1], standard, "--out", tmp_path / out)
    assert (code, told in err, len(err.splitlines())) == (1, True, 1)


@pytest.mark.parametrize(
    ("target", "value", "told"), [("test_loss", np.inf, "predicts no finite number for"), ("prediction", 0.5, "rename it")]
)
def test_what_would_be_no_table_of_predictions_is_one_line(standard, tmp_path, monkeypatch, capsys, target, value, told):
    fitted = Estimator("mean").fit(standard)
    fitted.model = replace(fitted.model, target=target)
    fitted._tensors = lambda: {"mean": torch.tensor([value], dtype=torch.float64)}
    code, out, err = run(monkeypatch, capsys, "predict", fitted.save(tmp_path / "mean"), standard)
    assert (code, out, told in err, len(err.splitlines())) == (1, "", True, 1)


def test_nets_of_another_family_are_refused_in_one_line(asymmetric, fitted, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "predict", fitted[1], asymmetric)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "statnn: these nets have other trained entries" in err


def test_ones_own_metanet_predicts_by_the_code_that_is_given(standard, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    name = f"{tmp_path / 'mine.py'}:Mine"
    model = Estimator(object_named(name), training=QUICK).fit(standard).save(tmp_path / "model")
    assert np.isfinite(predictions(model, standard, name)["prediction"]).all()
    with pytest.raises(ValueError, match="give its class as well"):
        predictions(model, standard)
    with pytest.raises(ValueError, match=r"expected package\.module:NAME"):
        predictions(model, standard, "statnn")
