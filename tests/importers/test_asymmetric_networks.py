"""The importer of Lim et al. 2024's zoos, on real digits nets in the published format, and on synthetic ones."""

import shutil
from pathlib import Path

import attacks
import numpy as np
import pytest
import torch
from conftest import SHARED, small
from plain_resnet8 import PlainResNet8

import zoo
from benchmark.records import records
from benchmark.scoring.job import Job, run
from metanets import Training
from zoo.importers.asymmetric_networks.export import export_official
from zoo.importers.asymmetric_networks.importer import asymmetric_networks
from zoo.importers.import_zoo import import_zoo
from zoo.importers.source_zoo import write
from zoo.jobs.mask_files import read_masks
from zoo.nets import resnet
from zoo.spec.resolve import layout_of
from zoo.tasks import augment, images
from zoo.training.measure import measure

needs_masks = pytest.mark.skipif(
    not (SHARED / "masks").is_dir(), reason="the paper's masks are not at hand (../shared/masks)"
)
FEW = 12  # nets in the copies that tests change
FAMILIES = ("standard", "asymmetric", "sigma", "smaller")


@pytest.fixture(scope="session")
def sigma(tmp_path_factory):
    return zoo.build(small("sigma_asymmetric", nets=6), tmp_path_factory.mktemp("zoos") / "sigma", workers=1)


@pytest.fixture(scope="session")
def smaller(tmp_path_factory):
    spec = small("smaller", nets=6, net__width=0.25)
    return zoo.build(spec, tmp_path_factory.mktemp("zoos") / "smaller", workers=1)


@pytest.fixture(scope="session")
def official(tmp_path_factory, request):
    """Real digits nets of a family, and their zoo in the published format."""
    made: dict[str, tuple[zoo.Zoo, Path]] = {}

    def of(family: str) -> tuple[zoo.Zoo, Path]:
        if family not in made:
            original = zoo.open(request.getfixturevalue(family))
            made[family] = original, export_official(original, tmp_path_factory.mktemp("official"))
        return made[family]

    return of


def imported(path: Path, folder: Path, *, kappa: str = "1", **options: str) -> zoo.Zoo:
    """The zoo, imported with the digits zoos' own kappa, which is not the paper's."""
    folder.mkdir()
    write(asymmetric_networks(path, images="digits", kappa=kappa, **options), folder)
    assert zoo.verify(folder) == []
    return zoo.open(folder)


def copied(official, family: str, folder: Path) -> Path:
    """A copy of the export's tables and first nets that a test may change; the nets' folder."""
    nets = official(family)[1]
    beyond = [path.name for path in nets.iterdir() if int(path.stem) >= FEW]
    return shutil.copytree(nets.parent, folder, ignore=shutil.ignore_patterns(*beyond)) / nets.name


def vectors(made: zoo.Zoo) -> torch.Tensor:
    return torch.stack([torch.cat([tensor.flatten() for tensor in made.net(i).values()]) for i in range(len(made))])


def changed(path: Path, change) -> None:
    """Writes the net at `path` again after `change(tensors)`."""
    tensors, accuracy = torch.load(path, weights_only=True)
    change(tensors)
    torch.save((tensors, accuracy), path)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exported_zoo_comes_back_bit_for_bit(official, tmp_path, family):
    original, folder = official(family)
    again = imported(folder, tmp_path / "zoo")
    assert torch.equal(vectors(again), vectors(original))
    assert again.layout == original.layout
    assert torch.equal(again.blueprint.trained, original.blueprint.trained)
    assert torch.equal(again.blueprint.fixed, original.blueprint.fixed)
    gates = again.blueprint.gate or {}, original.blueprint.gate or {}
    assert gates[0].keys() == gates[1].keys()
    assert all(torch.equal(gates[0][place], gates[1][place]) for place in gates[1])
    for column in (*original.hyper_parameters, "test_accuracy", "split", "diverged"):
        stored = original.columns[column].astype(again.columns[column].dtype)  # numbers of imported zoos are float32
        assert (again.columns[column] == stored).all(), column
    assert again.spec.family == original.spec.family
    assert again.spec.architecture == "resnet8"
    assert again.hyper_parameters == original.hyper_parameters
    assert again.spec.split == "splits.csv of the source"


@pytest.mark.parametrize("family", FAMILIES)
def test_imported_nets_run_and_have_the_accuracies_that_were_stored(official, tmp_path, family):
    original, folder = official(family)
    again = imported(folder, tmp_path / "zoo")
    pictures = images.load(original.spec.images)
    found = measure(again.blueprint, vectors(again), pictures)["test_accuracy"]
    np.testing.assert_allclose(found, original.columns["test_accuracy"], atol=1.01 / len(pictures.test))


def test_an_imported_zoo_is_scored_as_its_original(official, tmp_path):
    """Equal weights, targets and splits give equal scores."""
    original, folder = official("asymmetric")
    again = imported(folder, tmp_path / "zoo")
    training = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    for name in ("statnn", "mlp"):
        found = []
        for made in (original, again):
            out = tmp_path / made.spec.name
            job = Job(made.folder, (made.folder,), name, "test_accuracy", range(1), training, out)
            found.append(records.read(run(job)[0]).test)
        assert found[0] == found[1]


def test_tensors_in_channels_last_order_are_read_in_logical_order(official, tmp_path):
    """The published files were saved from a channels_last model; the plain net runs them as they are."""
    original, _ = official("standard")
    folder = copied(official, "standard", tmp_path / "official")

    def stride(tensors):
        for name, tensor in tensors.items():
            if tensor.ndim == 4:
                tensors[name] = tensor.contiguous(memory_format=torch.channels_last)

    for path in folder.glob("*.pt"):
        changed(path, stride)
    tensors, _ = torch.load(folder / "3.pt", weights_only=True)
    assert not tensors["layer2.0.conv1.weight"].is_contiguous()
    again = imported(folder, tmp_path / "zoo")
    assert torch.equal(vectors(again), vectors(original)[:FEW])
    pictures = images.load(original.spec.images)
    inputs = augment.normalise(pictures.test, pictures.mean, pictures.std)
    plain = PlainResNet8(width=0.125, channels=1)
    plain.load_state_dict(tensors)
    logits = again.blueprint.logits(vectors(again)[3:4], inputs[None])[0]
    torch.testing.assert_close(logits, plain(inputs))


def test_fixed_entries_are_kappa_times_the_normal_mask_whatever_the_state_dict_has_there(official, tmp_path):
    """The published files have there what the optimiser started from, which the nets do not compute with."""
    original, _ = official("asymmetric")
    folder = copied(official, "asymmetric", tmp_path / "official")

    def overwrite(tensors):
        for name in [name for name in tensors if name.endswith(".mask")]:
            tensors[name.replace("mask", "weight")][tensors[name] == 0] = 7.0
            tensors[name.replace(".mask", ".normal_mask")][tensors[name] == 1] = 5.0

    for path in folder.glob("*.pt"):
        changed(path, overwrite)
    again = imported(folder, tmp_path / "zoo")
    assert torch.equal(vectors(again), vectors(original)[:FEW])
    assert torch.equal(again.blueprint.fixed, original.blueprint.fixed)
    paper, named = asymmetric_networks(folder), asymmetric_networks(folder, kappa="0.5")
    assert torch.equal(paper.fixed, original.blueprint.fixed * 2)
    assert torch.equal(named.fixed, original.blueprint.fixed / 2)
    assert "with kappa 0.5" in " ".join(named.about.provenance.notes)


def test_another_kappa_than_the_state_dicts_show_is_noted(official, tmp_path):
    """Files of `zoo.dataset.export` have at fixed entries what the nets compute with; published ones need not."""
    folder = copied(official, "asymmetric", tmp_path / "official")
    assert "1 * normal_mask there" in " ".join(asymmetric_networks(folder).about.provenance.notes)
    assert "normal_mask there" not in " ".join(asymmetric_networks(folder, kappa="1").about.provenance.notes)


def synthetic(folder: Path, nets: int, buffers: dict[str, torch.Tensor], **size: object) -> Path:
    """Nets of random values, in the published format: no training stands behind them."""
    folder.mkdir(parents=True)
    rng = torch.Generator().manual_seed(0)
    plain = PlainResNet8(**size)
    for index in range(nets):
        tensors = {name: torch.randn(tensor.shape, generator=rng) for name, tensor in plain.state_dict().items()}
        torch.save(({**tensors, **buffers}, 10.0 + index), folder / f"{index}.pt")
    return folder


@needs_masks
def test_the_papers_own_masks_leave_60634_trained_entries(tmp_path):
    """Synthetic weights, the paper's own masks."""
    masks, values = read_masks(SHARED / "masks", layout_of(zoo.load("cifar10-resnet8-w_asymmetric")))
    buffers = {name.replace("weight", "mask"): mask.float() for name, mask in masks.items()}
    buffers |= {name.replace("weight", "normal_mask"): value for name, value in values.items()}
    folder = synthetic(tmp_path / "sparse_resnet8", 4, buffers)
    again = imported(folder, tmp_path / "zoo", kappa="2")
    assert int(again.blueprint.trained.sum()) == 60_634
    assert len(again.blueprint.trained) == 78_042
    assert again.spec.family == "w_asymmetric"
    assert "in the paper" not in " ".join(again.spec.provenance.notes)
    state, _ = torch.load(folder / "2.pt", weights_only=True)
    for name, tensor in again.net(2).items():
        mask = masks.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor, torch.where(mask, state[name], 2 * values.get(name, tensor)))


@pytest.mark.parametrize(("width", "family", "weights"), [(1.0, "standard", 78_042), (0.875, "smaller", 59_944)])
def test_the_papers_sizes_and_families_are_found(tmp_path, width, family, weights):
    """Synthetic weights."""
    made = asymmetric_networks(synthetic(tmp_path / "nets", 1, {}, width=width))
    assert (made.about.family, int(made.trained.sum())) == (family, weights)
    assert "in the paper" not in " ".join(made.about.provenance.notes)


@pytest.mark.parametrize("width", [1 / 16, 0.1, 0.125, 0.16, 0.33, 0.5, 0.875, 1.0, 1.3, 2.0])
def test_the_layout_of_any_width_is_found_from_shapes_alone(width):
    shapes = {name: tuple(t.shape) for name, t in PlainResNet8(width=width, channels=1, classes=7).state_dict().items()}
    layout = resnet.like(shapes)
    assert layout is not None
    assert {entry.name: entry.shape for entry in layout} == shapes
    assert resnet.like({**shapes, "linear.weight": (7, 3)}) is None
    assert resnet.like({**shapes, "extra": (1,)}) is None


def test_without_the_tables_there_are_no_hyper_parameters_and_splits_are_a_hash(official, tmp_path):
    original, _ = official("standard")
    nets = copied(official, "standard", tmp_path / "official")
    alone = shutil.copytree(nets, tmp_path / "nets")
    again = imported(alone, tmp_path / "zoo")
    assert again.hyper_parameters == []
    assert again.spec.split == "50/25/25 by a stable hash of source_index"
    assert "no hparams.csv" in " ".join(again.spec.provenance.notes)
    by_hash = imported(nets, tmp_path / "lineage", split="lineage")
    assert (by_hash.columns["split"] == again.columns["split"]).all()
    assert by_hash.columns["split"].tolist() != original.columns["split"][:FEW].tolist()
    given = imported(alone, tmp_path / "given", hparams=str(nets.parent / "hparams.csv"))
    assert given.columns["epochs"].tolist() == original.columns["epochs"][:FEW].tolist()


def test_nets_are_in_order_of_their_number_and_may_have_gaps(official, tmp_path):
    original, _ = official("standard")
    folder = copied(official, "standard", tmp_path / "official")
    for index in (0, 9):
        (folder / f"{index}.pt").unlink()
    (folder / "notes.txt").write_text("not a net")
    again = imported(folder, tmp_path / "zoo")
    kept = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert again.columns["source_index"].tolist() == kept
    assert torch.equal(vectors(again), vectors(original)[kept])
    assert (again.columns["epochs"].to_numpy() == original.columns["epochs"].to_numpy()[kept]).all()
    assert (again.columns["split"].to_numpy() == original.columns["split"].to_numpy()[kept]).all()
    notes = " ".join(again.spec.provenance.notes)
    assert "2 of the nets 0 to 11 have no file" in notes
    assert "1 files beside the nets were left out" in notes
    assert len(again.spec.provenance.files) == len(kept) + 2


def test_nets_that_are_not_finite_are_kept_and_marked(official, tmp_path):
    folder = copied(official, "asymmetric", tmp_path / "official")

    def spoil(tensors):
        tensors["linear.bias"][0] = torch.nan

    def spoil_fixed(tensors):
        tensors["conv1.weight"][tensors["conv1.mask"] == 0] = torch.nan

    changed(folder / "5.pt", spoil)
    changed(folder / "6.pt", spoil_fixed)
    tensors, _ = torch.load(folder / "7.pt", weights_only=True)
    torch.save((tensors, float("nan")), folder / "7.pt")
    again = imported(folder, tmp_path / "zoo")
    assert np.flatnonzero(again.columns["diverged"]).tolist() == [5, 7]
    assert "2 nets" in " ".join(again.spec.provenance.notes)


def test_a_folder_of_one_family_is_found_and_one_of_several_is_asked_for(official, tmp_path):
    nets = copied(official, "standard", tmp_path / "archive" / "official")
    for path in (nets.parent, tmp_path / "archive"):
        assert len(asymmetric_networks(path).columns) == FEW
        assert asymmetric_networks(path, nets="resnet8").about.hyper_parameters
    copied(official, "asymmetric", tmp_path / "other").rename(nets.parent / "sparse_resnet8")
    with pytest.raises(ValueError, match=r"resnet8, sparse_resnet8; name one with nets="):
        asymmetric_networks(nets.parent)
    assert asymmetric_networks(nets.parent, nets="sparse_resnet8").about.family == "w_asymmetric"


def test_a_folder_of_any_name_is_imported(official, tmp_path):
    folder = copied(official, "sigma", tmp_path / "official").rename(tmp_path / "official" / "a\x1bb")
    about = asymmetric_networks(folder).about
    assert about.provenance.title.startswith("a?b, in the format")
    assert "a?b/0.pt" in about.provenance.files


def _shift(name):
    def change(tensors):
        tensors[name] = tensors[name] + 0.5

    return change


def _drop(name):
    return lambda tensors: tensors.pop(name)


def _put(name, tensor):
    return lambda tensors: tensors.update({name: tensor})


@pytest.mark.parametrize(
    ("family", "index", "change", "message"),
    [
        (
            "asymmetric",
            11,
            _shift("layer1.0.conv1.mask"),
            r"11\.pt: layer1\.0\.conv1\.mask has other values than in .*0\.pt",
        ),
        ("asymmetric", 11, _shift("linear.normal_mask"), r"11\.pt: linear\.normal_mask has other values"),
        ("sigma", 5, _drop("layer2.0.nonlin1.F_mat"), r"5\.pt: layer2\.0\.nonlin1\.F_mat: no such tensor"),
        ("sigma", 5, _put("nonlin1.F_mat", torch.ones(2, 2)), r"5\.pt: nonlin\.F_mat and nonlin1\.F_mat are one place"),
        ("standard", 11, _drop("ln1.bias"), r"11\.pt: ln1\.bias: no such tensor, but \(2,\) in .*0\.pt"),
        ("standard", 11, _put("extra.bias", torch.ones(2)), r"11\.pt: extra\.bias: \(2,\), but no such tensor in"),
        ("standard", 11, _put("ln1.bias", torch.ones(3)), r"11\.pt: ln1\.bias: \(3,\), but \(2,\) in"),
        ("standard", 11, _put("ln1.bias", torch.ones(2).double()), r"11\.pt: ln1\.bias is torch\.float64"),
        ("standard", 0, _put("ln1.bias", torch.ones(3)), r"0\.pt: ln1\.bias: \(3,\), but \(2,\) in the paper's ResNet8"),
        ("standard", 0, _put("conv1.weight", torch.ones(2)), r"0\.pt: conv1\.weight: \(2,\)"),
        ("asymmetric", 0, _shift("linear.mask"), r"0\.pt: linear: a mask is 0 or 1"),
        ("asymmetric", 0, _drop("linear.normal_mask"), r"0\.pt: linear: .* missing"),
        ("asymmetric", 0, _put("linear.mask", torch.ones(3)), r"0\.pt: linear\.mask is \(3,\)"),
        ("asymmetric", 0, _put("nonlin.F_mat", torch.ones(2, 2)), "no such family"),
        ("sigma", 0, _drop("nonlin.F_mat"), r"0\.pt: nonlin1: F_mat is missing"),
        ("sigma", 0, _put("nonlin.F_mat", torch.ones(3, 3)), r"0\.pt: nonlin1\.F_mat is \(3, 3\)"),
    ],
)
def test_a_net_that_does_not_fit_is_refused_with_its_file_and_tensor(official, tmp_path, family, index, change, message):
    folder = copied(official, family, tmp_path / "official")
    changed(folder / f"{index}.pt", change)
    with pytest.raises(ValueError, match=message):
        asymmetric_networks(folder)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"weight": torch.ones(2)}, "expected a pair"),
        (({"weight": torch.ones(2)}, "93"), "test accuracy is '93'"),
        (({"weight": torch.ones(2)}, 101.0), "test accuracy is 101"),
        (({"weight": 3}, 90.0), "weight is int"),
        (None, "is damaged"),
        (attacks.Malicious, "running code"),
    ],
)
def test_a_file_that_is_no_net_is_refused_by_name_and_never_executed(official, tmp_path, value, message):
    folder = copied(official, "standard", tmp_path / "official")
    attacks.put(folder / "4.pt", value, tmp_path / "executed")
    with pytest.raises(ValueError, match=rf"4\.pt.*{message}"):
        asymmetric_networks(folder)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("hparams.csv", "lr,weight_decay,epochs\n1,1,1\n", "expected lr,weight_decay,label_smoothing,epochs"),
        ("hparams.csv", "lr,weight_decay,label_smoothing,epochs\n1,1,1,1\n", "has 1 rows, but there is a net 11"),
        (
            "hparams.csv",
            "lr,weight_decay,label_smoothing,epochs\n" + "a,1,1,1\n" * 64,
            "column lr, line 2: .a. is neither a number",
        ),
        ("splits.csv", "number,split\n1,train\n", "expected index,split"),
        ("splits.csv", "index,split\n1,train\n", "no split of net 0"),
        ("splits.csv", "index,split\n1,held\n", "one of train, validation, test"),
        ("splits.csv", "index,split\n1,train\n1,test\n", "once"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(official, tmp_path, name, text, message):
    folder = copied(official, "standard", tmp_path / "official")
    (folder.parent / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        asymmetric_networks(folder)


def test_wrong_options_are_refused_with_what_is_right(official, tmp_path):
    folder = copied(official, "standard", tmp_path / "official")
    with pytest.raises(ValueError, match="kappa is a finite number, found 'two'"):
        asymmetric_networks(folder, kappa="two")
    with pytest.raises(ValueError, match="unknown split 'linage'; did you mean lineage"):
        asymmetric_networks(folder, split="linage")
    for wrong in ({"hparams": str(tmp_path / "none.csv")}, {"nets": "none"}, {"nets": "../official"}):
        with pytest.raises(FileNotFoundError, match="no such"):
            asymmetric_networks(folder, **wrong)
    shutil.copy(folder / "5.pt", folder / "005.pt")
    with pytest.raises(ValueError, match=r"005\.pt is not named by a plain number"):
        asymmetric_networks(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("nothing.txt", "0_best.pt"):
        (empty / name).write_bytes(b"")
        with pytest.raises(FileNotFoundError, match="no files"):
            asymmetric_networks(empty)


def test_the_importer_runs_in_its_limited_process_and_gives_the_same_zoo(official, tmp_path):
    nets = copied(official, "sigma", tmp_path / "official")
    folder = import_zoo("asymmetric-networks", nets, tmp_path / "zoo", options={"images": "digits"})
    assert zoo.open(folder).manifest_sha256 == imported(nets, tmp_path / "here").manifest_sha256
