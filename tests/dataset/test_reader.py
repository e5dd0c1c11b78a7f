import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

import zoo
from zoo.nets.layout import total
from zoo.storage.manifest import MANIFEST, read_manifest, write_manifest


def test_every_net_is_in_one_split_and_in_order(standard):
    made = zoo.open(standard)
    assert len(made) == 64
    assert (made.columns["index"] == np.arange(64)).all()
    assert sum(len(made.nets(split)) for split in ("train", "validation", "test")) == 64


def test_trained_entries_are_those_of_the_mask_and_all_entries_are_the_rows(asymmetric):
    made = zoo.open(asymmetric)
    whole, trained = made.nets("train", inputs="all"), made.nets("train")
    assert torch.equal(whole.weights[:, made.blueprint.trained], trained.weights)
    assert trained.weights.shape[1] == int(made.blueprint.trained.sum()) < total(made.layout) == whole.weights.shape[1]
    np.testing.assert_array_equal(whole.weights.numpy(), np.concatenate(made.arrays("train")))


def test_segments_cut_the_vector_into_its_tensors(asymmetric):
    made = zoo.open(asymmetric)
    nets, mask = made.nets("test"), made.blueprint.trained
    rows = made.nets("test", inputs="all").weights
    for (name, where), entry in zip(nets.segments, made.layout, strict=True):
        assert name == entry.name
        assert torch.equal(nets.weights[:, where], rows[:, entry.slice][:, mask[entry.slice]])


def test_tensors_are_views_of_the_mapped_weights(standard):
    made = zoo.open(standard)
    (array,), (tensors,) = made.arrays("test"), made.tensors("test")
    assert isinstance(array, np.memmap)
    assert np.shares_memory(array, tensors["conv1.weight"])
    assert tensors["linear.weight"].shape[1:] == made.layout[-2].shape


def test_one_net_is_its_row(standard):
    made = zoo.open(standard)
    vector = torch.cat([tensor.flatten() for tensor in made.net(5).values()])
    row = made.nets(made.columns["split"][5], inputs="all")
    assert torch.equal(vector, row.weights[list(row.index).index(5)])
    with pytest.raises(ValueError, match="nets 0 to 63"):
        made.net(64)


def test_nets_carry_no_targets(standard):
    assert set(zoo.open(standard).nets("train").hyper_parameters) == {
        "learning_rate",
        "weight_decay",
        "label_smoothing",
        "epochs",
    }


def changed(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "zoo")


def test_a_folder_that_is_no_zoo_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no zoo"):
        zoo.open(tmp_path)


def test_an_unfinished_zoo_is_refused(standard, tmp_path):
    folder = changed(standard, tmp_path)
    (folder / MANIFEST).unlink()
    with pytest.raises(FileNotFoundError, match="unfinished"):
        zoo.open(folder)


def test_another_format_version_is_refused(standard, tmp_path):
    folder = changed(standard, tmp_path)
    about = json.loads((folder / "zoo.json").read_text())
    (folder / "zoo.json").write_text(json.dumps({**about, "format": "metazoo-99"}))
    write_manifest(folder, list(read_manifest(folder)))
    with pytest.raises(ValueError, match="metazoo-99"):
        zoo.open(folder)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("zoo.json", lambda data: data[:-40]),
        ("zoo.json", lambda data: data.replace(b'"trained"', b'"gone"')),
        ("zoo.json", lambda data: b"[]"),
        ("fixed.safetensors", lambda data: data[:100]),
        (MANIFEST, lambda data: b"nonsense\n"),
        (MANIFEST, lambda data: data.replace(b"data/", b"../data/")),
        (MANIFEST, lambda data: b""),
        ("data/train-00000-of-00001.h5", lambda data: data[:-5000]),
        ("data/train-00000-of-00001.h5", lambda data: data[:500]),
        ("data/train-00000-of-00001.h5", lambda data: b"\0" * len(data)),
    ],
)
def test_damaged_files_are_refused_by_name(standard, tmp_path, file, damage):
    folder = changed(standard, tmp_path)
    (folder / file).write_bytes(damage((folder / file).read_bytes()))
    with pytest.raises(ValueError, match=file.split("/")[-1].split(".")[0]):
        zoo.open(folder)


def test_a_missing_or_doubled_shard_is_refused(standard, tmp_path):
    folder = changed(standard, tmp_path)
    names = [name for name in read_manifest(folder) if name.startswith("data/")]
    (folder / names[0]).write_bytes((folder / names[1]).read_bytes())
    write_manifest(folder, list(read_manifest(folder)))
    with pytest.raises(ValueError, match="once each"):
        zoo.open(folder)
    (folder / names[0]).unlink()
    with pytest.raises((FileNotFoundError, ValueError), match=names[0]):
        zoo.open(folder)


def test_a_fetched_zoo_says_where_it_comes_from_and_a_folder_does_not(standard, tmp_path):
    folder = changed(standard, tmp_path)
    assert zoo.open(folder).source is None
    told = {"source": "hf://datasets/me/zoos", "revision": "0" * 40, "config": "resnet8-standard"}
    (folder / "source.json").write_text(json.dumps(told))
    assert zoo.open(folder).source == f"hf://datasets/me/zoos@{'0' * 40}/resnet8-standard"
    (folder / "source.json").write_text(json.dumps({**told, "source": "/home/me/zoos"}))
    assert zoo.open(folder).source is None


@pytest.mark.parametrize("inputs", ["all", "trained"])
def test_the_first_nets_of_a_split_are_those_of_all(asymmetric, inputs):
    made = zoo.open(asymmetric)
    whole, few = made.nets("train", inputs=inputs), made.nets("train", inputs=inputs, most=3)
    assert few.index.tolist() == whole.index[:3].tolist()
    assert torch.equal(few.weights, whole.weights[:3])
    assert len(made.nets("train", most=10**6)) == len(whole)


def test_nets_run_by_themselves_give_the_logits_of_their_blueprint(standard, asymmetric):
    for folder in (standard, asymmetric):
        made = zoo.open(folder)
        images = torch.randn(5, *made.image, generator=torch.Generator().manual_seed(0))
        for inputs in ("all", "trained"):
            nets = made.nets("test", inputs=inputs)
            wanted = made.blueprint.logits(nets.whole(), images.expand(len(nets), *images.shape))
            torch.testing.assert_close(nets.logits(images), wanted, rtol=0, atol=0)
        with pytest.raises(ValueError, match="cannot be run"):
            dataclasses.replace(nets, image=None).logits(images)
