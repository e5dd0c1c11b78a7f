"""What the tests share: small real zoos, built once a session, and where optional material lies."""

import signal
from pathlib import Path

import pytest
import torch

import zoo

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, as its children would
torch.set_num_threads(1)  # small tensors: threads only get in each other's way
ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"  # not everyone who builds the project has it: tests that use it skip without it

ALL_OF_ZOO = ("zoo.hub.fetch", "zoo.jobs.build", "zoo.jobs.workers", "zoo.dataset.verify")  # what zoo imports when asked

SMALL = {  # a digits zoo that trains in seconds
    "nets": 64,
    "net.width": 0.125,
    "images.train": 256,
    "images.test": 200,
    "images.held_out": 0.25,
    "recipe.batch": 64,
    "recipe.epochs": (1, 3),
}


def small(family: str = "standard", **changes: object) -> zoo.Spec:
    """The small spec of a family, with fields replaced; `__` stands for the dot in a field's name."""
    return zoo.load(f"digits-resnet8-{family}", {**SMALL, **{k.replace("__", "."): v for k, v in changes.items()}})


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small zoo of the standard family; tests must not change it."""
    return zoo.build(small(), tmp_path_factory.mktemp("zoos") / "standard", workers=2)


@pytest.fixture(scope="session")
def asymmetric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small zoo of the W-asymmetric family; tests must not change it."""
    return zoo.build(small("w_asymmetric"), tmp_path_factory.mktemp("zoos") / "asymmetric", workers=2)
