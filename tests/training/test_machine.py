"""What training takes of a GPU's memory, counted on PyTorch's `meta` device; and which GPU trains what."""

import dataclasses
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import zoo.training.train
from benchmark.cli.terminal import workers_of
from zoo.jobs import plan
from zoo.jobs.estimate import random_images
from zoo.spec.resolve import blueprint, layout_of
from zoo.spec.spec import load
from zoo.training import machine


class Memory(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive, and the most that ever were."""

    def __init__(self):
        super().__init__()
        self.known, self.alive, self.peak = set(), 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(results):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "meta":
                self._note(tensor.untyped_storage())
        return results

    def _note(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.alive += size
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self.known.discard(key)
        self.alive -= size


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("family", ["standard", "w_asymmetric", "sigma_asymmetric"])
def test_a_step_takes_no_more_memory_than_is_planned(monkeypatch, family, precision):
    monkeypatch.setattr("zoo.training.train._halves", lambda spec, device: spec.precision == "bfloat16")
    spec = load(f"cifar10-resnet8-{family}", {"precision": precision, "recipe.epochs": [1, 1], "recipe.peak_epoch": 5.0})
    nets, net, images = 4, blueprint(spec), random_images(spec, spec.recipe.batch)
    read = {"train_labels": images.train_labels, "classes": images.classes}  # on the host, whatever the device
    images = dataclasses.replace(images.to(torch.device("meta")), **read)
    with Memory() as memory:
        zoo.training.train.train(spec, net, images, range(nets))
    values = nets * spec.recipe.batch * 32**2 * layout_of(spec)[0].shape[0]
    assert 0.2 < memory.peak / (plan.STEP_BYTES * values) < 1


def test_a_gpus_unit_is_as_large_as_its_free_memory_allows(monkeypatch):
    spec = dataclasses.replace(load("cifar10-resnet8-standard"), precision="bfloat16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = []
    for gigabytes in (1, 8, 16, 24, 140):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=gigabytes: (free * 10**9, 2 * free * 10**9))
        found.append(plan.nets_a_unit(spec, layout_of(spec), "cuda"))
    assert found == [1, 9, 19, 28, plan.NETS_A_UNIT]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert plan.nets_a_unit(spec, layout_of(spec), "cuda") == 19  # planned where there is no GPU, for those that have one
    assert plan.nets_a_unit(spec, layout_of(spec)) == 1


def test_workers_share_out_the_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert machine.spread("cuda", 5) == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]
    assert machine.spread("cuda:1", 2) == ["cuda:1", "cuda:1"]
    assert machine.spread("cpu", 2) == ["cpu", "cpu"]
    assert workers_of(None, "cuda") == 3
    assert workers_of(None, "cuda:1") == 1
    assert workers_of(2, "cuda") == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert machine.spread("cuda", 2) == ["cuda", "cuda"]
    assert workers_of(None, "cuda") == 1


def test_a_ready_device_computes_in_the_float32_that_it_says(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert machine.ready("cpu") == torch.device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    with pytest.raises(ValueError, match="the devices are cpu"):
        machine.ready("meta")
