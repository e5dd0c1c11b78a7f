"""The drift of charges in a zoo: from the start, kept or made again, to the end; and `metazoo charges`."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from conftest import small
from imported_zoo import foreign
from matplotlib.image import imread
from verbs import run

import zoo
from zoo.dataset.start import initial
from zoo.landscape.orbits.charges import charges
from zoo.landscape.orbits.charges_picture import picture
from zoo.landscape.orbits.drift import MOST, Drift, drift, keep, recompute
from zoo.spec.resolve import blueprint
from zoo.storage.shards import Shard
from zoo.symmetry import group_of


@pytest.fixture
def own(standard, tmp_path):
    return shutil.copytree(standard, tmp_path / "zoo")


@pytest.fixture
def watched(standard) -> zoo.Zoo:
    """The standard zoo as if weights of epochs 0, 1 and 2 had been kept: on straight lines, NaN where training had ended."""
    return with_trajectory(zoo.open(standard), (0, 1, 2))


def with_trajectory(made: zoo.Zoo, epochs: tuple[int, ...]) -> zoo.Zoo:
    def points(shard: Shard) -> Shard:
        begun = torch.stack([made.blueprint.initial(int(seed)) for seed in shard.columns["seed"]]).numpy()
        share = np.array(epochs) / shard.columns["epochs"][:, None]  # net checkpoint
        share = np.where(share > 1, np.nan, share)[:, :, None]
        lines = np.where(share == 1, shard.weights[:, None], begun[:, None] + share * (shard.weights - begun)[:, None])
        return dataclasses.replace(shard, trajectory=lines.astype(np.float32))

    parts = {split: tuple(map(points, shards)) for split, shards in made.parts.items()}
    return dataclasses.replace(made, parts=parts, spec=dataclasses.replace(made.spec, trajectory=epochs))


def test_the_start_that_was_kept_is_the_one_made_again_from_the_seed(standard, watched):
    kept, again = drift(watched).frame, drift(with_trajectory(zoo.open(standard), (1, 2))).frame
    assert [*kept] == [*again]
    np.testing.assert_array_equal(kept, again)


def test_the_drift_ends_where_training_ended(watched):
    frame, epochs = drift(watched).frame, watched.columns["epochs"].to_numpy()
    assert frame["index"].tolist() == [*range(64)]
    for epoch in (1, 2):
        column = frame[f"charge_drift_epoch_{epoch}"].to_numpy()
        np.testing.assert_array_equal(column[epochs == epoch], frame["charge_drift"].to_numpy()[epochs == epoch])
        assert (np.isnan(column) == (epochs < epoch)).all()


def test_a_nets_columns_are_those_of_its_charges_alone(standard):
    made = zoo.open(standard)
    net, frame = made.blueprint, drift(made).frame
    weights = torch.cat([tensor.flatten() for tensor in made.net(7).values()])
    begun = net.initial(int(made.columns["seed"][7]))
    end, start = (charges(one[None], net.layout, group_of(net)) for one in (weights, begun))
    spaces = group_of(net).scales
    moved = torch.cat([(end[space] - start[space]).abs().flatten() for space in spaces]).mean()
    assert frame["charge_drift"][7] == pytest.approx(float(moved))
    assert frame["charge_p1_max"][7] == pytest.approx(float(end["P1"].max()))
    assert frame["size_layer2_0_conv1"][7] == pytest.approx(float(end["layer2.0.conv1.weight"]))


def test_columns_are_targets_and_some_rows_come_out_again(own):
    made = zoo.open(own)
    written = keep(made, drift(made), "metazoo charges")
    again = zoo.open(own)
    assert {"charge_drift", "size_drift", "charge_p0_mean"} <= {*again.targets}
    rows = written.frame.iloc[[5, 40, 63]].reset_index(drop=True)
    assert recompute(again, {}, rows).equals(rows)


def test_where_there_are_too_many_columns_those_of_single_spaces_are_left_out():
    net = blueprint(small(net__architecture="mlp", net__hidden=(8,) * 20))
    weights = torch.stack([net.initial(seed) for seed in range(2)])
    group, found = group_of(net), charges(weights, net.layout, group_of(net))
    assert [*Drift(np.arange(2), group, found, found).columns] == ["charge_drift"]
    assert len(found) * 4 > MOST


def test_gated_nets_have_sizes_alone():
    net = blueprint(small("sigma_asymmetric"))
    found = charges(net.initial(0)[None], net.layout, group_of(net))
    columns = Drift(np.arange(1), group_of(net), found, found).frame
    assert [*columns][:2] == ["index", "size_drift"]
    assert not any(name.startswith("charge") for name in columns)


def test_the_verb_prints_a_line_a_space_writes_the_columns_and_draws(own, tmp_path, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "charges", own, "--picture", tmp_path / "q.png")
    assert code == 0
    assert all(name in out for name in ("P0", "I3", "conv1.weight", "charge_drift: quartiles", "derived/charges.parquet"))
    assert imread(tmp_path / "q.png").std() > 0.05
    rows = json.loads(run(monkeypatch, capsys, "charges", own, "--json")[1])
    np.testing.assert_allclose([row["charge_drift"] for row in rows], zoo.open(own).columns["charge_drift"], rtol=1e-6)
    assert len(picture(drift(zoo.open(own)), "six spaces").axes) == 6


def test_zoos_without_charges_or_without_a_start_are_refused_in_a_line(standard, asymmetric, monkeypatch, capsys):
    code, _, errors = run(monkeypatch, capsys, "charges", asymmetric)
    assert (code, errors.count("\n"), "no free scale, mix or size" in errors) == (1, 1, True)
    with pytest.raises(ValueError, match="without weights of epoch 0"):
        drift(dataclasses.replace(zoo.open(standard), spec=foreign().about))
    with pytest.raises(ValueError, match="without weights of epoch 0"):  # a column that another package calls `seed`
        initial(dataclasses.replace(zoo.open(standard), spec=foreign().about), [0])
    assert run(monkeypatch, capsys, "charges", standard, "--picture", "q.gif")[0] == 1
