import csv
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import small
from plain_resnet8 import PlainResNet8
from strangers import sign

import zoo
from benchmark.cli import main
from zoo.dataset.export import export
from zoo.importers.asymmetric_networks.export import export_official, official
from zoo.tasks import augment, images


@pytest.mark.parametrize("kind", ["safetensors", "state_dict"])
@pytest.mark.parametrize("family", ["standard", "asymmetric"])
def test_an_exported_net_runs_in_a_plain_resnet8_with_its_stored_accuracy(request, tmp_path, kind, family):
    made = zoo.open(request.getfixturevalue(family))
    path = export(made, 7, tmp_path / "net", kind=kind)
    tensors = safetensors.torch.load_file(path) if kind == "safetensors" else torch.load(path, weights_only=True)
    plain = PlainResNet8(width=made.spec.net.width, channels=1)
    plain.load_state_dict(tensors)
    pictures = images.load(made.spec.images)
    inputs = augment.normalise(pictures.test, pictures.mean, pictures.std)
    accuracy = (plain(inputs).argmax(1) == pictures.test_labels).float().mean().item()
    assert accuracy == pytest.approx(made.columns["test_accuracy"][7], abs=1.01 / len(pictures.test))


def test_an_existing_file_is_not_overwritten_unless_asked(standard, tmp_path):
    path = tmp_path / "net"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite"):
        export(zoo.open(standard), 0, path, kind="safetensors")
    assert path.read_text() == "mine"
    export(zoo.open(standard), 0, path, kind="safetensors", overwrite=True)
    assert path.read_bytes() != b"mine"


OFFICIAL = {"standard": "resnet8", "asymmetric": "sparse_resnet8"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("family", OFFICIAL)
def test_an_official_zoo_reads_back_as_the_zoo_it_was(request, tmp_path, family):
    made = zoo.open(request.getfixturevalue(family))
    folder = export_official(made, tmp_path / "official")
    assert folder == tmp_path / "official" / OFFICIAL[family]
    assert {path.name for path in folder.iterdir()} == {f"{index}.pt" for index in range(len(made))}
    for index in range(len(made)):
        tensors, accuracy = torch.load(folder / f"{index}.pt", weights_only=True)
        assert accuracy == made.columns["test_accuracy"][index] * 100
        assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
        for name, tensor in made.net(index).items():
            torch.testing.assert_close(tensors.pop(name), tensor, rtol=0, atol=0)
        assert all(name.endswith(("mask", "normal_mask")) for name in tensors)
    hyper_parameters, splits = rows(folder.parent / "hparams.csv"), rows(folder.parent / "splits.csv")
    assert list(hyper_parameters[0]) == ["lr", "weight_decay", "label_smoothing", "epochs"]
    assert [(float(row["lr"]), int(row["epochs"])) for row in hyper_parameters] == [
        (row.learning_rate, row.epochs) for row in made.columns.itertuples()
    ]
    assert [(int(row["index"]), row["split"]) for row in splits] == list(enumerate(made.columns["split"]))


@pytest.mark.parametrize("family", OFFICIAL)
def test_official_nets_run_in_a_plain_resnet8_and_give_their_logits(request, tmp_path, family):
    made = zoo.open(request.getfixturevalue(family))
    tensors, accuracy = torch.load(export_official(made, tmp_path) / "9.pt", weights_only=True)
    plain = PlainResNet8(width=made.spec.net.width, channels=1)
    plain.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.endswith("mask")})
    pictures = images.load(made.spec.images)
    inputs = augment.normalise(pictures.test, pictures.mean, pictures.std)
    logits = plain(inputs)
    vector = torch.cat([tensor.flatten() for tensor in made.net(9).values()])
    torch.testing.assert_close(logits, made.blueprint.logits(vector[None], inputs[None])[0])
    correct = (logits.argmax(1) == pictures.test_labels).float().mean().item()
    assert accuracy == pytest.approx(correct * 100, abs=101 / len(pictures.test))


def test_official_masks_and_values_give_the_effective_weights_and_the_trained_entries(asymmetric):
    """The official modules compute mask * weight + (1 - mask) * kappa * normal_mask; its metanets see mask == 1."""
    made = zoo.open(asymmetric)
    tensors = official(made, 3)
    assert "linear.mask" in tensors  # by which their code knows the family
    trained = []
    for name, weight in made.net(3).items():
        module, mask = name.removesuffix(".weight"), torch.ones_like(weight)
        if f"{module}.mask" in tensors:
            mask, normal = tensors[f"{module}.mask"], tensors[f"{module}.normal_mask"]
            torch.testing.assert_close(mask * weight + (1 - mask) * made.spec.net.kappa * normal, weight)
            assert (normal[mask == 1] == 0).all()
        trained.append(weight[mask == 1])
    nets = made.nets(made.columns["split"][3])
    assert torch.equal(torch.cat(trained), nets.weights[list(nets.index).index(3)])


def test_official_gates_have_the_names_and_shapes_of_the_official_code(tmp_path):
    made = zoo.open(zoo.build(small("sigma_asymmetric", nets=1), tmp_path / "zoo", workers=1))
    tensors, _ = torch.load(export_official(made, tmp_path / "official") / "0.pt", weights_only=True)
    assert (tmp_path / "official" / "sigma_asym_resnet8").is_dir()
    assert tensors["nonlin.F_mat"].shape == (2, 2, 1, 1)
    assert {name for name in tensors if "F_mat" in name} == {
        "nonlin.F_mat",
        *(f"layer{stage}.0.nonlin{place}.F_mat" for stage in (1, 2, 3) for place in (1, 2)),
    }
    assert torch.equal(tensors["layer3.0.nonlin2.F_mat"][:, :, 0, 0], made.blueprint.gate["layer3.0.nonlin2"])
    orders = {tuple(zoo.open(made.folder).blueprint.gate) for _ in range(8)}
    assert orders == {tuple(sorted(made.blueprint.gate))}  # so that equal exports are equal bytes


def test_families_share_a_folder_and_nothing_else_is_overwritten_unless_asked(standard, asymmetric, tmp_path):
    export_official(zoo.open(standard), tmp_path)
    export_official(zoo.open(asymmetric), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"resnet8", "sparse_resnet8", "hparams.csv", "splits.csv"}
    (tmp_path / "resnet8" / "3.pt").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"resnet8 exists.*overwrite"):
        export_official(zoo.open(standard), tmp_path)
    assert (tmp_path / "resnet8" / "3.pt").read_bytes() == b"mine"
    shutil.rmtree(tmp_path / "resnet8")
    (tmp_path / "hparams.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"hparams\.csv exists"):
        export_official(zoo.open(standard), tmp_path)
    assert not (tmp_path / "resnet8").exists()
    (tmp_path / "resnet8").mkdir()
    (tmp_path / "resnet8" / "999.pt").write_bytes(b"of a larger zoo")
    export_official(zoo.open(standard), tmp_path, overwrite=True)
    assert len(list((tmp_path / "resnet8").iterdir())) == 64
    assert not (tmp_path / "resnet8" / "999.pt").exists()
    assert (tmp_path / "hparams.csv").read_text().startswith("lr,")


def test_a_net_that_diverged_has_its_rows_but_no_official_file(standard, tmp_path):
    copy = shutil.copytree(standard, tmp_path / "zoo")
    with h5py.File(copy / "data/test-00000-of-00001.h5", "r+") as file:
        file["test_accuracy"][0], file["diverged"][0] = np.nan, True
        index = int(file["index"][0])
    sign(copy)
    folder = export_official(zoo.open(copy), tmp_path / "official")
    assert {path.name for path in folder.iterdir()} == {f"{i}.pt" for i in range(64) if i != index}
    assert len(rows(folder.parent / "hparams.csv")) == len(rows(folder.parent / "splits.csv")) == 64


def test_the_command_exports_one_net_or_the_official_zoo(standard, tmp_path, monkeypatch, capsys):
    def metazoo(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", "export", *map(str, [standard, *arguments])])
        with pytest.raises(SystemExit) as stop:
            main.main()
        return stop.value.code, capsys.readouterr().out

    code, out = metazoo("--kind", "official", "--out", tmp_path / "official")
    assert (code, Path(out.strip())) == (0, tmp_path / "official" / "resnet8")
    assert metazoo("--kind", "official", "--out", tmp_path / "official")[0] == 1
    assert metazoo("--net", 2, "--out", tmp_path / "net")[0] == 0
    assert metazoo("--out", tmp_path / "other")[0] == 2
    assert metazoo("--net", 2, "--kind", "official", "--out", tmp_path / "other")[0] == 2
