import dataclasses
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import SHARED

import zoo
from zoo.jobs.mask_files import read_masks
from zoo.nets.asymmetric import MASKS, draw_gates, draw_masks, masks_digest
from zoo.spec.resolve import blueprint, layout_of

SPEC = zoo.load("cifar10-resnet8-w_asymmetric")
SHAPES = [(16, 3, 3, 3), (8, 16, 3, 3), (10, 64), (4, 8, 1, 1)]
needs_masks = pytest.mark.skipif(
    not (SHARED / "masks").is_dir(), reason="the paper's masks are not at hand (../shared/masks)"
)


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_papers_counts_of_fixed_and_trained_entries():
    net = blueprint(SPEC)
    assert (int(net.trained.sum()), int((~net.trained).sum())) == (60_634, 17_408)
    by_name = {entry.name: int((~net.trained[entry.slice]).sum()) for entry in net.layout}
    assert by_name["conv1.weight"] == 432  # wholly fixed
    assert by_name["layer2.0.shortcut.0.weight"] == 256
    assert by_name["linear.weight"] == 80
    assert by_name["linear.bias"] == by_name["ln1.weight"] == 0


def test_fixed_values_are_normal_times_kappa_and_trained_ones_zero():
    net = blueprint(SPEC)
    values = net.fixed[~net.trained]
    assert values.std().item() == pytest.approx(2, rel=0.02)
    assert abs(values.mean().item()) < 0.05
    assert (net.fixed[net.trained] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_filters_are_fixed_whole(shape):
    trained = MASKS["filters"](shape, 8, stream()).reshape(*shape[:2], -1)
    assert (trained.all(-1) | ~trained.any(-1)).all()
    assert ((~trained).all(-1).sum(1) == min(8, shape[1])).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_random_entries_are_as_many_in_each_row(shape):
    trained = MASKS["random_entries"](shape, 5, stream())
    assert ((~trained).flatten(1).sum(1) == 5).all()


@pytest.mark.parametrize(("kind", "fewest"), [("densest", 0), ("bounded_zeros", 3)])
def test_enumerated_rows_differ_and_fix_as_little_as_they_can(kind, fewest):
    fixed = (~MASKS[kind]((12, 4, 3, 3), fewest, stream())).flatten(1)
    assert len(fixed.unique(dim=0)) == 12
    counts = fixed.sum(1).tolist()
    assert counts == sorted(counts)
    assert counts == [0] + [1] * 11 if kind == "densest" else counts == [3] * 12
    with pytest.raises(ValueError, match="only 2"):
        MASKS["densest"]((5, 1), 0, stream())


@pytest.mark.parametrize("kind", MASKS)
def test_every_kind_of_mask_builds_a_zoos_net(kind):
    spec = dataclasses.replace(SPEC, net=dataclasses.replace(SPEC.net, mask=kind))
    trained = blueprint(spec).trained
    assert 0 < int((~trained).sum()) < len(trained) / 2


def test_masks_values_and_gates_do_not_depend_on_the_process():
    code = (
        "import zoo; from zoo.nets.asymmetric import *; from zoo.spec import layout_of\n"
        "s = zoo.load('cifar10-resnet8-w_asymmetric')\n"
        "print(masks_digest(draw_masks(layout_of(s), kind='filters', n_fix=8, seed=3)))\n"
        "print(draw_gates({'nonlin1': 16}, seed=3)['nonlin1'].double().sum().item())"
    )
    found = set()
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(Path(zoo.__file__).parent.parent)}
        found.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    here = masks_digest(draw_masks(layout_of(SPEC), kind="filters", n_fix=8, seed=3))
    gate = draw_gates({"nonlin1": 16}, seed=3)["nonlin1"].double().sum().item()
    assert found == {f"{here}\n{gate}\n".encode()}
    assert masks_digest(draw_masks(layout_of(SPEC), kind="filters", n_fix=8, seed=4)) != here


def test_gates_have_the_papers_scale():
    assert draw_gates({"nonlin1": 64}, seed=0)["nonlin1"].std().item() == pytest.approx(1 / 8, rel=0.05)


@needs_masks
def test_the_papers_own_masks_leave_60634_trained_entries():
    masks = read_masks(SHARED / "masks", layout_of(SPEC))
    spec = dataclasses.replace(SPEC, net=dataclasses.replace(SPEC.net, masks_sha256=masks_digest(masks)))
    net = blueprint(spec, masks)
    assert int(net.trained.sum()) == 60_634
    mask, normal = torch.load(SHARED / "masks/sparse_resnet8_block3_conv2.pt", weights_only=True)
    entry = next(e for e in net.layout if e.name == "layer3.0.conv2.weight")
    assert torch.equal(net.fixed[entry.slice].reshape(entry.shape), torch.where(mask == 0, normal * 2, 0))
    with pytest.raises(ValueError, match="--masks"):
        blueprint(spec)
    with pytest.raises(ValueError, match="--masks"):
        blueprint(SPEC, masks)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


@needs_masks
@pytest.mark.parametrize("attack", ["missing", "text", "pickle", "shape", "values", "single"])
def test_bad_mask_files_are_refused_by_name_and_never_executed(tmp_path, attack):
    folder = shutil.copytree(SHARED / "masks", tmp_path / "masks")
    path, marker = folder / "sparse_resnet8_linear.pt", tmp_path / "executed"
    mask = torch.ones(10, 64)
    if attack == "missing":
        path.unlink()
    elif attack == "text":
        path.write_text("no tensors here")
    elif attack == "pickle":
        path.write_bytes(pickle.dumps(Malicious(marker), protocol=2))
    else:
        torch.save({"shape": (mask[:5], mask[:5]), "values": (mask * 0.5, mask), "single": mask[0, 0]}[attack], path)
    with pytest.raises((FileNotFoundError, ValueError), match=path.name):
        read_masks(folder, layout_of(SPEC))
    assert not marker.exists()
