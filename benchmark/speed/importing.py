"""How long it takes, and how much memory, to import a zoo of 270,000 checkpoints.

    python benchmark/speed/importing.py [--rows 270000] [--trajectories none all] [--place FOLDER]

Writes a synthetic Small CNN Zoo (random weights, 5.4 GB of them) to a temporary folder, then imports it as the command
does, once without other checkpoints than the last and once with all nine (another 6 GB, removed before the next), each
in a fresh process. Prints the seconds and the largest resident memory of any process. The last line is JSON.
"""

import argparse
import csv
import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path: this file's own name hides the package's
    sys.path[0] = str(Path(__file__).parents[2])

import numpy as np

ROOT = Path(__file__).parents[2]
STEPS = (0, 1, 2, 20, 3, 40, 60, 80, 86)  # in the order of texts, as in the published files
TENSORS = (("conv2d", (3, 3, 1, 16)), ("conv2d_1", (3, 3, 16, 16)), ("conv2d_2", (3, 3, 16, 16)), ("dense", (16, 10)))
WEIGHTS = sum(int(np.prod(shape)) + shape[-1] for _, shape in TENSORS)
WORDS = {
    "activation": ("relu", "tanh"),
    "b_init": ("zeros",),
    "dataset": ("cifar10",),
    "dnn_architecture": ("cnn",),
    "optimizer": ("adam", "rmsprop", "sgd"),
    "w_init": ("glorot_normal", "he_normal", "orthogonal"),
}
NUMBERS = ("dropout", "init_std", "l2reg", "learning_rate", "train_fraction")
CONSTANTS = {"epochs": 86, "epochs_between_checkpoints": 20, "num_layers": 3, "num_units": 16, "random_seed": 42}
MEASURED = ("test_accuracy", "test_loss", "train_accuracy", "train_loss")
IMPORT = """
import resource, sys, time
from pathlib import Path
import zoo
from zoo.importing import import_zoo
begun = time.perf_counter()
import_zoo("small-cnn-zoo", Path(sys.argv[1]), Path(sys.argv[2]), options={"trajectory": sys.argv[3]})
seconds = time.perf_counter() - begun
peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(seconds, *peaks, len(zoo.open(sys.argv[2])))
"""


def write_source(folder: Path, rows: int) -> int:
    """The three files; returns the bytes of the weights. This process stays small: a child counts as its parent's peak."""
    write_layout(folder / "layout.csv")
    write_metrics(folder / "metrics.csv.gz", rows)
    block = np.random.default_rng(0).standard_normal((1000, WEIGHTS), np.float32)
    with (folder / "weights.npy").open("wb") as file:
        about = {"descr": "<f4", "fortran_order": False, "shape": (rows, WEIGHTS)}
        np.lib.format.write_array_header_1_0(file, about)
        for start in range(0, rows, len(block)):
            part = block[: rows - start]
            part[:, 0] = np.arange(start, start + len(part))
            file.write(part.data)
    return rows * WEIGHTS * 4


def write_layout(path: Path) -> None:
    """Bias before kernel, and each after the last."""
    with path.open("w", newline="") as file:
        table, at = csv.writer(file), 0
        table.writerow(["varname", "start_idx", "end_idx", "shape"])
        for name, shape in TENSORS:
            for kind, size in (("bias", shape[-1:]), ("kernel", shape)):
                end = at + int(np.prod(size))
                table.writerow([f"sequential/{name}/{kind}:0", at, end, str(size)])
                at = end


def write_metrics(path: Path, rows: int) -> None:
    """A row a checkpoint, run by run, with made-up numbers."""
    rng = random.Random(0)
    with gzip.open(path, "wt", compresslevel=1, newline="") as file:
        table = csv.writer(file)
        config = [*WORDS, *CONSTANTS, *NUMBERS]
        table.writerow([*(f"config.{name}" for name in config), "modeldir", "step", *MEASURED])
        for (run, step), _ in zip(product(range(rows), STEPS), range(rows), strict=False):
            if step == 0:
                drawn = [*map(rng.choice, WORDS.values()), *CONSTANTS.values(), *(rng.random() for _ in NUMBERS)]
            table.writerow([*drawn, f"/synthetic/small_cnn_zoo/cifar10/{run:06}", step, *(rng.random() for _ in MEASURED)])


def main() -> None:
    """Prints seconds and bytes, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=270_000)
    parser.add_argument("--trajectories", nargs="+", default=["none", "all"])
    parser.add_argument("--place", help="a folder on a disk with 12 GB free; else that for temporary files")
    given = parser.parse_args()
    found: dict[str, float] = {"rows": given.rows}
    with tempfile.TemporaryDirectory(dir=given.place) as place:
        source, folder = Path(place) / "cifar10", Path(place) / "zoo"
        source.mkdir()
        begun = time.perf_counter()
        size = write_source(source, given.rows)
        print(f"{given.rows:,} rows, {size / 1e9:.2f} GB of weights, written in {time.perf_counter() - begun:.0f} s")
        for trajectory in given.trajectories:
            command = [sys.executable, "-c", IMPORT, str(source), str(folder), trajectory]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            seconds, own, children, nets = map(float, done.stdout.split())
            peak = max(own, children)
            print(f"trajectory={trajectory}: {nets:,.0f} nets in {seconds:.0f} s, peak {peak / 2**20:.0f} MiB resident")
            found |= {f"{trajectory}_seconds": round(seconds, 1), f"{trajectory}_peak_mib": round(peak / 2**20)}
            shutil.rmtree(folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
