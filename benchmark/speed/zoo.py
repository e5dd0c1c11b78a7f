"""How fast zoos are trained: a plain PyTorch loop, one net at a time, against metazoo's engine, in one run.

    python benchmark/speed/zoo.py [--settings paper small digits] [--seconds 30] [--device cuda]

Each contender trains on the same images for so many seconds, alone on the machine, in fresh processes: the plain loop
in one process with all threads (float32; and bfloat16 autocast with channels_last), the engine in one process of one
thread a core, as `metazoo build` does. The last line is JSON. Images are random, of the setting's size: speed does not
depend on what they show.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from math import prod
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path: this file's own name hides the package's
    sys.path[0] = str(Path(__file__).parents[2])

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.jobs.estimate import random_images
from zoo.jobs.plan import nets_a_unit
from zoo.spec.resolve import blueprint, layout_of
from zoo.spec.spec import Spec, load
from zoo.tasks.augment import Augmentation, augment, draw_augmentation
from zoo.tasks.images import TASKS, ImageSet
from zoo.training import machine, native
from zoo.training.machine import one_thread_that_keeps_its_memory
from zoo.training.train import train

SETTINGS = {
    "paper": "cifar10-resnet8-standard",
    "small": "cifar10-16px-resnet8-standard",
    "digits": "digits-resnet8-standard",
}
BATCHES = 8  # in an epoch: short epochs, so that the clock is looked at often
MATRIX = 2048  # side of the matrices whose product gives the machine's peak


class Block(nn.Module):
    """A residual block as in the paper."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride=stride, padding=1, bias=False)
        self.ln1 = nn.GroupNorm(1, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.ln2 = nn.GroupNorm(1, out)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride=stride, bias=False), nn.GroupNorm(1, out))

    def forward(self, x: Tensor) -> Tensor:
        """[image, channel, height, width] in and out."""
        inner = self.ln2(self.conv2(F.relu(self.ln1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class ResNet8(nn.Module):
    """The paper's net as anyone would write it."""

    def __init__(self, channels: int, width: float, classes: int) -> None:
        super().__init__()
        a, b, c = (round(base * width) for base in (16, 32, 64))
        self.conv1, self.ln1 = nn.Conv2d(channels, a, 3, padding=1, bias=False), nn.GroupNorm(1, a)
        self.blocks = nn.Sequential(Block(a, a, 1), Block(a, b, 2), Block(b, c, 2))
        self.linear = nn.Linear(c, classes)

    def forward(self, x: Tensor) -> Tensor:
        """[image, channel, height, width] -> [image, class]."""
        x = self.blocks(F.relu(self.ln1(self.conv1(x))))
        return self.linear(x.mean(dim=(2, 3)))


class TimeIsUp(Exception):  # noqa: N818 - it is no error
    """Ends a training that would go on."""


class Clock:
    """Counts images from the second report on; the first pays for compilation and first touches of memory."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.images, self.begun = seconds, 0, 0.0

    def count(self, images: int) -> None:
        """Notes that so many images were trained on. Raises TimeIsUp at the end."""
        now = time.perf_counter()
        self.images += images if self.begun else 0
        self.begun = self.begun or now
        if self.images and now - self.begun > self.seconds:
            self.rate = self.images / (now - self.begun)
            raise TimeIsUp


def plain_loop(spec: Spec, images: ImageSet, device: torch.device, clock: Clock, *, half: bool) -> None:
    """One net at a time, a step at a time; the images, already in memory, are augmented a batch at a time."""
    recipe, width, size = spec.recipe, spec.net.width, images.train.shape[-1]
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    images = images.to(device)
    layout = torch.channels_last if half else torch.contiguous_format
    net: nn.Module = ResNet8(images.train.shape[1], width, int(images.classes))
    net = net.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))
    while True:
        order = torch.randperm(len(images.train), generator=rng).to(device)
        for chosen in order.split(recipe.batch):
            change = draw_augmentation(
                len(chosen), flip=recipe.flip, shift=recipe.shift, cutout=recipe.cutout, size=size, rng=rng
            )
            change = Augmentation(*(part.to(device) for part in (change.flip, change.shift, change.cut)))
            inputs = augment(images.train[chosen], change, cutout=recipe.cutout, mean=images.mean, std=images.std)
            inputs = inputs.to(memory_format=layout)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(net(inputs), images.train_labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        machine.wait_for(device)
        clock.count(len(order))


def engine(spec: Spec, images: ImageSet, device: torch.device, clock: Clock) -> None:
    """What a worker of `metazoo build` does, on nets that would train for ever."""
    one_thread_that_keeps_its_memory()
    device = machine.ready(device.type)
    shared = blueprint(spec)
    nets = range(nets_a_unit(spec, shared.layout, device.type))

    def after_epoch(active: int) -> None:
        machine.wait_for(device)
        clock.count(active * len(images.train))

    train(spec, shared, images.to(device), nets, after_epoch=after_epoch)


def contenders(spec: Spec) -> dict[str, tuple[int, Callable[..., None], dict[str, Any]]]:
    """Name -> how many processes run it at once, the function, its options."""
    import dataclasses

    cores = psutil.cpu_count(logical=False) or 1
    single = dataclasses.replace(spec, precision="float32")
    return {
        "plain loop, float32": (1, plain_loop, {"spec": spec, "half": False}),
        "plain loop, bfloat16": (1, plain_loop, {"spec": spec, "half": True}),
        "metazoo, float32": (cores, engine, {"spec": single}),
        "metazoo, bfloat16": (cores, engine, {"spec": spec}),
    }


def flops(spec: Spec) -> float:
    """Floating-point operations of training on one image: two a product and sum; backward twice as many as forward."""
    side, total = float(spec.images.size or TASKS[spec.images.task].size), 0.0
    for entry in layout_of(spec):
        if entry.name in ("layer2.0.conv1.weight", "layer3.0.conv1.weight"):
            side /= 2
        if entry.role == "conv":
            total += prod(entry.shape) * side**2
    return 6 * total


def _serve(connection: Connection, run: Callable[..., None], options: dict[str, Any], device: str, seconds: float) -> None:
    clock = Clock(seconds)
    try:
        run(
            images=random_images(options["spec"], BATCHES * options["spec"].recipe.batch),
            device=torch.device(device),
            clock=clock,
            **options,
        )
    except TimeIsUp:
        connection.send(clock.rate)


def rate(processes: int, run: Callable[..., None], options: dict[str, Any], device: str, seconds: float) -> float:
    """Images per second of all processes together."""
    spawn = multiprocessing.get_context("spawn")
    pipes, workers = [], []
    for _ in range(1 if device != "cpu" else processes):
        ours, theirs = spawn.Pipe()
        workers.append(spawn.Process(target=_serve, args=(theirs, run, options, device, seconds)))
        workers[-1].start()
        pipes.append(ours)
    total = sum(pipe.recv() for pipe in pipes)
    for worker in workers:
        worker.join()
    return total


def matrix_peak(dtype: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of the product of two square matrices, all threads: the best of ten."""
    a = torch.randn(MATRIX, MATRIX).to(device, dtype)
    b, best = a.clone(), 0.0
    for _ in range(10):
        begun = time.perf_counter()
        (a @ b).sum().item()
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - begun) / 1e9)
    return best


def measure(name: str, seconds: float, device: str) -> Iterator[tuple[str, dict[str, float]]]:
    """The rates of all contenders in one setting."""
    spec = load(SETTINGS[name], {"precision": "bfloat16", "recipe.epochs": [10**6, 10**6]})
    low, high = load(SETTINGS[name]).recipe.epochs
    task_images = spec.images.train or 50_000
    for contender, (processes, run, options) in contenders(spec).items():
        images = rate(processes, run, options, device, seconds)
        nets = 3600 * images / ((low + high) / 2 * task_images)
        yield contender, {"images_per_s": images, "nets_per_hour": nets, "gflops": images * flops(spec) / 1e9}


def main() -> None:
    """Prints a table a setting, and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seconds", type=float, default=30, help="for each contender")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    given = parser.parse_args()
    peaks = {kind: matrix_peak(getattr(torch, kind), torch.device(given.device)) for kind in ("float32", "bfloat16")}
    print(f"matrix products: {peaks['float32']:.0f} GFLOP/s float32, {peaks['bfloat16']:.0f} bfloat16")
    print(f"native engine: {native.missing() or 'yes'}")
    ratios = {}
    for name in given.settings:
        print(f"\n{name:24} {'images/s':>10} {'nets/hour':>10} {'GFLOP/s':>8} {'of peak':>8} {'ratio':>6}")
        found: dict[str, float] = {}
        for contender, numbers in measure(name, given.seconds, given.device):
            found[contender] = numbers["images_per_s"]
            share = numbers["gflops"] / peaks[contender.split(", ")[1]]
            print(
                f"{contender:24} {numbers['images_per_s']:10,.0f} {numbers['nets_per_hour']:10,.1f} "
                f"{numbers['gflops']:8,.0f} {share:8.1%} {numbers['images_per_s'] / next(iter(found.values())):6.2f}",
                flush=True,
            )
        ours = max(found["metazoo, bfloat16"], found["metazoo, float32"])
        ratios[name] = {
            "vs_float32": round(ours / found["plain loop, float32"], 2),
            "vs_bfloat16": round(ours / found["plain loop, bfloat16"], 2),
            "images_per_s": round(ours),
        }
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
