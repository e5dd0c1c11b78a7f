"""What a zoo will take: time, memory and disk, from a few seconds of its own work on random images."""

import dataclasses
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch

from zoo.jobs.main_guard import check_guarded, end_if_starting
from zoo.jobs.plan import nets_a_unit
from zoo.messages import duration
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import total
from zoo.seeds import net_seed
from zoo.spec.draws import draw
from zoo.spec.hidden import Hidden
from zoo.spec.resolve import blueprint
from zoo.spec.spec import Spec
from zoo.tasks.image_tasks import TASKS
from zoo.tasks.images import ImageSet
from zoo.training import machine, native
from zoo.training.data import check_trainable
from zoo.training.machine import one_thread_that_keeps_its_memory
from zoo.training.measure import measure
from zoo.training.train import train

BATCHES = 4  # in an epoch of the trial
SIZES = {  # images of each task for training and test, where the spec asks for all
    "digits": (1348, 449),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "svhn": (73_257, 26_032),
}
SAMPLED = 1000  # nets whose draws give the mean number of epochs


@dataclass(frozen=True)
class Estimate:
    """Of a whole zoo: seconds on so many machines of so many workers, bytes on disk at the most, bytes of a worker."""

    nets: int
    engine: str
    workers: int
    machines: int
    seconds: float
    nets_per_hour: float
    images_per_s: float
    disk_bytes: int
    worker_bytes: int

    def lines(self) -> list[str]:
        """What a person wants to know, a line each."""
        where = f"{self.machines} machine(s) of {self.workers} workers"
        return [
            f"time         {duration(self.seconds)} for {self.nets:,} nets on {where}",
            f"speed        {self.nets_per_hour:,.0f} nets/hour; {self.images_per_s:,.0f} training images/s a machine",
            f"engine       {self.engine}",
            f"memory       {self.worker_bytes / 1e9:.1f} GB a worker",
            f"disk         {self.disk_bytes / 1e9:.2f} GB while it is finished, half of it then",
        ]

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return dataclasses.asdict(self)


def estimate(spec: Spec, *, workers: int, device: str = "cpu", machines: int = 1, seconds: float = 4) -> Estimate:
    """Trains and measures nets like the spec's on random images, with all workers at once, for so many seconds each.

    Raises ValueError where the images cannot serve the recipe or there is no such device, RuntimeError where a trial is
    killed.
    """
    end_if_starting()
    machine.ready(device)
    _blueprint(spec)  # what it refuses is said here, and not by a worker
    train_images, test_images = image_counts(spec)
    used = train_images - round(train_images * spec.images.held_out)
    check_trainable(spec.recipe, count=used, size=spec.images.size or TASKS[spec.images.task].size)
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for place in machine.spread(device, workers):
        ours, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=_serve, args=(theirs, spec, place, seconds), daemon=True))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    try:
        trials = [pipe.recv() for pipe in pipes]
    except EOFError:
        check_guarded(processes)
        raise RuntimeError("a trial was killed (out of memory?); try with fewer --workers") from None
    trained, measured = (sum(trial[name] for trial in trials) for name in ("trained", "measured"))
    epochs = np.mean([draw(spec.recipe, seed=net_seed(spec.seed, i))["epochs"] for i in range(min(spec.nets, SAMPLED))])
    kept = len(spec.trajectory)
    net_seconds = float(epochs) * used / trained + (1 + kept) * (train_images + test_images) / measured
    row = trials[0]["weights"] * np.dtype(spec.dtype).itemsize * (1 + kept)
    return Estimate(
        nets=spec.nets,
        engine=_engine(spec, torch.device(device)),
        workers=workers,
        machines=machines,
        seconds=spec.nets * net_seconds / machines,
        nets_per_hour=3600 / net_seconds * machines,
        images_per_s=trained,
        disk_bytes=2 * spec.nets * row,
        worker_bytes=max(trial["bytes"] for trial in trials) + (train_images + test_images) * trials[0]["image_bytes"],
    )


def _engine(spec: Spec, device: torch.device) -> str:
    if device.type == "cuda":
        return f"PyTorch, {spec.precision}, a graph for each step, on {torch.cuda.get_device_name(device)}"
    if native.serves(_blueprint(spec), spec.precision, device):
        return "native, bfloat16 products"
    why = native.missing() or ("only with precision=bfloat16" if spec.precision == "float32" else "not for this family")
    return f"PyTorch, float32; the native one: {why}"


def _blueprint(spec: Spec) -> Blueprint:
    """What the nets share; masks given as files are as good as any for a trial."""
    return blueprint(dataclasses.replace(spec, net=dataclasses.replace(spec.net, masks_sha256=None)))


def image_counts(spec: Spec) -> tuple[int, int]:
    """The images for training, held-out ones included, and for test."""
    train_all, test_all = SIZES[spec.images.task]
    return spec.images.train or train_all, spec.images.test or test_all


def random_images(spec: Spec, count: int) -> ImageSet:
    """So many random images of the spec's size: the speed does not depend on what they show."""
    task = TASKS[spec.images.task]
    channels = 1 if spec.images.grey else task.channels
    size, rng = spec.images.size or task.size, torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, channels, size, size), generator=rng, dtype=torch.uint8)
    labels = torch.randint(task.classes, (count,), generator=rng)
    mean, std = torch.full((channels,), 128.0), torch.full((channels,), 74.0)
    return ImageSet(pixels, labels, pixels[:0], labels[:0], pixels, labels, mean, std, torch.tensor(task.classes))


class _TimeIsUp(Exception):  # noqa: N818 - it is no error
    pass


def _serve(connection: Connection, spec: Spec, place: str, seconds: float) -> None:
    """One worker's trial: images trained on and measured in a second, and the memory that it took."""
    one_thread_that_keeps_its_memory()
    recipe = dataclasses.replace(spec.recipe, epochs=(10**6, 10**6), hidden=Hidden())  # axes do not change the speed
    spec = dataclasses.replace(spec, trajectory=(), recipe=recipe)
    device = machine.ready(place)
    images = random_images(spec, BATCHES * spec.recipe.batch).to(device)
    net = _blueprint(spec)
    indices, begun, done = range(nets_a_unit(spec, net.layout, place)), 0.0, 0

    def after_epoch(nets: int) -> None:
        nonlocal begun, done
        machine.wait_for(device)
        now = time.perf_counter()
        done += nets * len(images.train) if begun else 0  # the first epoch pays for first touches of memory
        begun = begun or now
        if done and now - begun > seconds:
            raise _TimeIsUp

    try:
        train(spec, net, images, indices, after_epoch=after_epoch)
    except _TimeIsUp:
        trained = done / (time.perf_counter() - begun)
    weights = torch.stack([net.initial(index) for index in indices]).to(device)
    begun, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() - begun < seconds / 4:
        measure(net, weights, images)
        passes += 1
    measured = passes * 2 * len(images.train) * len(indices) / (time.perf_counter() - begun)
    connection.send(
        {
            "trained": trained,
            "measured": measured,
            "bytes": _peak_bytes(device),
            "weights": total(net.layout),
            "image_bytes": images.train[0].numel(),
        }
    )


def _peak_bytes(device: torch.device) -> int:
    """The most memory that this process has had: of the machine, or of a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
