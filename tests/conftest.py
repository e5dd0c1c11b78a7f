"""What the tests share: small real zoos, built once a session, and where optional material lies."""

import multiprocessing.util
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import checked_types  # noqa: F401 - before what it checks
import pytest
import torch
import typer.rich_utils  # noqa: F401 - keeps the width that it finds at its first import, which a test may set

# isort: split
import zoo
from benchmark.scoring.fit import Fits, Fitting, Given, Outcome
from benchmark.scoring.fitter import Fitter
from zoo.jobs import workers

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, as its children would
multiprocessing.util.get_temp_dir()  # made now, under /tmp: a socket's path has room for 107 characters, a test's for none
torch.set_num_threads(1)  # small tensors: threads only get in each other's way
ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"  # not everyone who builds the project has it: tests that use it skip without it

ALL_OF_ZOO = ("zoo.hub.fetch", "zoo.jobs.build", "zoo.jobs.workers", "zoo.verification")  # what zoo imports when asked

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


class FitsHere(Fits):
    """Fits in the tests' own process, one metanet at a time: a process of its own takes seconds to start."""

    lock = threading.Lock()

    def fit(self, asked: Fitting) -> dict[int, Outcome]:
        with self.lock:
            return super().fit(asked)

    def predict(self, given: Given, seeds: list[int], **options: Any) -> dict[int, list[float]]:
        with self.lock:
            return super().predict(given, seeds, **options)

    def close(self) -> None:
        pass


def trains_here(folder: Path, *, workers: int, device: str = "cpu", report: Callable[[zoo.Status], None]) -> None:
    """`zoo.jobs.workers.run` in the tests' own process, with one worker."""
    zoo.work(folder, device=device)
    report(zoo.status(folder))


@pytest.fixture(scope="session", autouse=True)
def all_here() -> Iterator[None]:
    """`score` fits and `build` trains in this process, unless a test asks for `processes`; consensus takes few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metanets.consensus.STEPS", 20)
        patch.setattr("benchmark.scoring.score.Fitter", FitsHere)
        patch.setattr("zoo.jobs.build.run", trains_here)
        yield


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`score` fits and `build` trains in processes of their own, as they do for users."""
    monkeypatch.setattr("benchmark.scoring.score.Fitter", Fitter)
    monkeypatch.setattr("zoo.jobs.build.run", workers.run)


@pytest.fixture(params=["folder", "s3", "hub"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address of each kind to publish to."""
    from stores import REPO, bucket_at, hub_at

    if request.param == "folder":
        yield str(tmp_path / "releases" / "mine")
    elif request.param == "s3":
        with bucket_at(monkeypatch) as address:
            yield address
    else:
        with hub_at(tmp_path / "hub", monkeypatch):
            yield REPO
