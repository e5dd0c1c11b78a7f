"""Zoos that others trained, as this package keeps them: made of arrays here, in place of an importer's files."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import small
from imported_zoo import TRAINED, foreign

import zoo
from benchmark.scoring.score import score
from metanets import Training
from metanets.table import METANETS
from zoo.dataset.export import export
from zoo.dataset.summary import summary
from zoo.importers import source_zoo
from zoo.importers.asymmetric_networks.export import export_official
from zoo.importers.source_zoo import split_by_lineage, write
from zoo.spec.imported import Provenance
from zoo.storage.manifest import MANIFEST


@pytest.fixture
def written(tmp_path):
    write(foreign(), tmp_path / "theirs")
    return tmp_path / "theirs"


def test_an_imported_zoo_reads_back_exactly(written):
    given, made = foreign(), zoo.open(written)
    for name in ("lineage", "rate", "test_accuracy", "split"):
        np.testing.assert_array_equal(made.columns[name], given.columns[name].astype(made.columns[name].dtype))
    assert made.columns["activation"].astype(str).tolist() == given.columns["activation"].tolist()
    for split in ("train", "validation", "test"):
        nets = made.nets(split, inputs="all")
        np.testing.assert_array_equal(nets.weights.numpy(), given.weights(nets.index))
    assert torch.equal(made.nets("train").weights, made.nets("train", inputs="all").weights[:, TRAINED])
    assert made.spec == given.about
    assert zoo.verify(written) == []


def test_no_lineage_is_in_two_splits(written):
    assert (zoo.open(written).columns.groupby("lineage")["split"].nunique() == 1).all()
    assert sorted(set(split_by_lineage(range(400)))) == ["test", "train", "validation"]
    assert (split_by_lineage(range(4000)) == "train").mean() == pytest.approx(0.5, abs=0.03)


def test_importing_again_gives_the_same_bytes(written, tmp_path):
    write(foreign(), tmp_path / "again")
    assert (tmp_path / "again" / MANIFEST).read_bytes() == (written / MANIFEST).read_bytes()


def test_nets_larger_than_a_shard_should_be_have_one_each(tmp_path, monkeypatch):
    monkeypatch.setattr(source_zoo, "SHARD_BYTES", 20)  # of 72 bytes a net
    write(foreign(nets=8), tmp_path / "theirs")
    assert len(list((tmp_path / "theirs" / "data").iterdir())) == 8
    assert zoo.verify(tmp_path / "theirs") == []
    assert len(zoo.open(tmp_path / "theirs")) == 8


def test_words_and_statistics_are_no_targets_and_no_inputs(written):
    made = zoo.open(written)
    assert made.targets == ["test_accuracy", "rate"]
    assert made.nets("train").weights.shape[1] == 14
    assert summary(made)["weights"]["trained"] == 14


def test_every_metanet_scores_an_imported_zoo_of_few_weights(written, tmp_path):
    paths = score(
        [written], ["all"], "test_accuracy", out=tmp_path / "out", seeds=1, training=Training(epochs=1, batch=8), workers=2
    )
    assert len(paths) == len(METANETS)


def test_a_zoo_without_hyper_parameters_gives_trees_nothing_but_the_mean(tmp_path):
    given = foreign()
    about = dataclasses.replace(given.about, hyper_parameters={}, text=())
    frame = given.columns.drop(columns=["rate", "activation"])
    write(dataclasses.replace(given, about=about, columns=frame), tmp_path / "bare")
    nets = zoo.open(tmp_path / "bare").nets("train")
    features = METANETS["trees_hyper_parameters"].features(nets)
    assert features.shape == (len(nets), 1)
    assert not features.any()


def test_a_net_with_a_weight_that_is_not_finite_is_kept_and_flagged(tmp_path):
    given = foreign()

    def weights(rows):
        values = given.weights(rows).copy()
        values[rows == 5, 0] = np.nan
        return values

    write(dataclasses.replace(given, weights=weights), tmp_path / "theirs")
    made = zoo.open(tmp_path / "theirs")
    assert np.flatnonzero(made.columns["diverged"]).tolist() == [5]
    assert len(made) == 48


def test_columns_that_are_not_named_or_not_given_are_refused(tmp_path):
    given = foreign()
    with pytest.raises(ValueError, match="lineage are named or given"):
        write(dataclasses.replace(given, columns=given.columns.drop(columns="lineage")), tmp_path / "theirs")
    with pytest.raises(ValueError, match="must be in one of train"):
        write(dataclasses.replace(given, columns=given.columns.assign(split="held out")), tmp_path / "theirs")


def test_what_needs_a_spec_is_refused_for_an_imported_zoo(written, tmp_path):
    with pytest.raises(ValueError, match="imported zoo"):
        zoo.build(small(), written)
    with pytest.raises(ValueError, match="imported zoo"):
        zoo.status(written)
    with pytest.raises(ValueError, match="not built here"):
        export_official(zoo.open(written), tmp_path / "official")
    with pytest.raises(ValueError, match="cannot be run"):
        zoo.open(written).blueprint.logits(torch.zeros(1, 18), torch.zeros(1, 1, 3, 8, 8))
    assert export(zoo.open(written), 3, tmp_path / "net.safetensors", kind="safetensors").exists()


def test_a_url_that_is_no_web_address_is_refused():
    with pytest.raises(ValueError, match="url"):
        Provenance(kind="k", title="t", url="javascript:alert(1)", licence="l", citation="c", files={})
