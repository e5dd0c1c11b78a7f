"""The parts of the importer of the Small CNN Zoo, each on its own: rows of an array, a Keras layout, columns, a split."""

import numpy as np
import pandas as pd
import pytest

from zoo.importers import published_columns as columns
from zoo.importers.small_cnn_zoo import layout as keras_layout
from zoo.importers.small_cnn_zoo import metrics as small_cnn_metrics
from zoo.importers.small_cnn_zoo import split, weights
from zoo.importers.small_cnn_zoo.weights import ArrayRows


@pytest.mark.parametrize(("stored", "given"), [("<f2", "float16"), (">f4", "float32"), ("<f8", "float32")])
def test_rows_of_an_array_are_those_asked_for_in_our_order(tmp_path, stored, given):
    values = np.random.default_rng(0).normal(size=(700, 3)).astype(stored)
    np.save(tmp_path / "a.npy", values)
    source = ArrayRows(tmp_path / "a.npy", weights.opened(tmp_path / "a.npy"), np.array([2, 0, 1]))
    asked = np.array([699, 5, 4, -1, 6, 5, *range(600, 100, -1)])
    found = source.rows(asked)
    assert (source.dtype, found.dtype) == (given, given)
    assert np.isnan(found[3]).all()
    there = asked >= 0
    np.testing.assert_array_equal(found[there], values[asked[there]][:, [2, 0, 1]].astype(given))
    assert source.rows(np.array([], int)).shape == (0, 3)


def test_a_keras_layout_becomes_pytorchs(tmp_path):
    path = tmp_path / "layout.csv"
    path.write_text('varname,start_idx,end_idx,shape\na/bias:0,0,2,"(2,)"\na/kernel:0,2,8,"(3, 2)"\n')
    layout, order = keras_layout.read(path, 8)
    assert [(entry.name, entry.shape, entry.role) for entry in layout] == [
        ("linear.weight", (2, 3), "linear"),
        ("linear.bias", (2,), "bias"),
    ]
    assert order.tolist() == [2, 4, 6, 3, 5, 7, 0, 1]
    with pytest.raises(ValueError, match="its tensors end at 8, but a net has 9 weights"):
        keras_layout.read(path, 9)


def test_the_first_entry_of_a_column_that_is_none_is_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n1,2,x\n,2.5,\n")
    found = columns.table(path, ["a", "b"])
    np.testing.assert_array_equal(columns.numbers(found, "a").values, [1, np.nan])
    for read, name, said in (
        (columns.numbers, "c", "column c, line 2: 'x' is neither a number nor a missing value"),
        (columns.whole_numbers, "a", "a is nan in line 3, expected a whole number"),
        (columns.whole_numbers, "b", "b is 2.5 in line 3, expected a whole number"),
        (columns.words, "c", "c is '' in line 3, expected 1 to 300 plain characters"),
    ):
        with pytest.raises(ValueError, match=f"table.csv: {said}"):
            read(found, name)
    path.write_text("a,b\n,2\nhigh,3\n")
    with pytest.raises(ValueError, match="column a, line 3: 'high' is neither"):
        columns.numbers(columns.table(path, ["a"]), "a")
    with pytest.raises(ValueError, match=r"table\.csv: no column d; it has a, b"):
        columns.table(path, ["a", "d"])


def test_metrics_of_another_number_of_rows_belong_to_another_zoo(tmp_path):
    path, names = tmp_path / "metrics.csv", [f"config.{name}" for name in ("dataset", *small_cnn_metrics.HYPER_PARAMETERS)]
    row = dict.fromkeys([*names, "modeldir", *small_cnn_metrics.MEASURED], 0.5) | {"step": 86, "config.epochs": 86}
    pd.DataFrame([row, row]).to_csv(path, index=False)
    metrics, notes = small_cnn_metrics.read(path, 2)
    assert (metrics["row"].tolist(), metrics["lineage"].tolist(), notes) == ([0, 1], [0, 0], [])
    assert metrics["generalisation_gap"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="2 rows for 3 rows of weights"):
        small_cnn_metrics.read(path, 3)


def test_the_published_split_is_one_of_the_final_rows_alone(tmp_path):
    pd.DataFrame(np.random.default_rng(0).permutation(40)).to_csv(tmp_path / "split.csv", index=False)
    final = pd.Series(np.arange(40) % 2 == 1)
    splits = split.published(tmp_path / "split.csv", final)
    assert (splits[~final] == "").all()
    assert pd.Series(splits[final]).value_counts().to_dict() == {"train": 8, "validation": 2, "test": 10}
