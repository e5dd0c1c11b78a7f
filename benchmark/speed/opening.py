"""How long it takes to open a large zoo, and how much memory scoring on it takes.

    python benchmark/speed/opening.py [--nets 10000] [--metanets mlp statnn ridge]

Writes a zoo of the paper's size, untrained nets in float16, to a temporary folder (1.6 GB for 10,000 nets); opens it and
reads the first batch of 128 nets, in a fresh process; then scores each metanet for one epoch, in a fresh process, and
prints its peak memory beside the size of the weights. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path: this file's own name hides the package's
    sys.path[0] = str(Path(__file__).parents[2])

import numpy as np
import torch

from zoo import load
from zoo.dataset import zoo_json
from zoo.dataset.zoo_json import Description
from zoo.seeds import net_seed
from zoo.spec.columns import SPLITS, TARGETS
from zoo.spec.draws import draw, split_of
from zoo.spec.resolve import blueprint
from zoo.storage import files, shards
from zoo.storage.manifest import write_manifest

SHARD = 1024  # nets
ROOT = Path(__file__).parents[2]
OPEN = """
import sys, time
import zoo, torch
begun = time.perf_counter()
made = zoo.open(sys.argv[1])
batch = torch.from_numpy(made.arrays("train")[0][:128])
print(time.perf_counter() - begun, batch.float().mean().item())
"""
SCORE = """
import resource, sys
from pathlib import Path
from benchmark.score import Job, run
from metanets import Training
training = Training(epochs=1, learning_rates=(1e-3,))
zoo = Path(sys.argv[1])
run(Job(zoo, (zoo,), sys.argv[2], "test_accuracy", range(1), training, zoo / "out"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def write_zoo(folder: Path, nets: int) -> int:
    """A zoo of untrained nets with made-up targets; returns the bytes of its weights."""
    spec = load("cifar10-resnet8-standard", {"nets": nets, "dtype": "float16"})
    about = Description(spec, blueprint(spec), "0" * 64)
    (folder / "data").mkdir(parents=True)
    zoo_json.write(folder, about)
    names, size = [zoo_json.FILE, zoo_json.FIXED], 0
    members: dict[str, list[int]] = {split: [] for split in SPLITS}
    for index in range(nets):
        members[split_of(spec, index)].append(index)
    for split, indices in members.items():
        count = -(-len(indices) // SHARD)
        for number in range(count):
            chosen = indices[number * SHARD : (number + 1) * SHARD]
            seeds = [net_seed(spec.seed, index) for index in chosen]
            weights = torch.stack([about.blueprint.initial(seed).half() for seed in seeds]).numpy()
            draws = [draw(spec.recipe, seed=seed) for seed in seeds]
            columns = {
                "index": np.array(chosen, np.int64),
                "seed": np.array(seeds, np.int64),
                **{name: np.array([values[name] for values in draws]) for name in draws[0]},
                **{name: np.random.default_rng(seeds[0]).random(len(chosen), np.float32) for name in TARGETS},
                "diverged": np.zeros(len(chosen), bool),
            }
            names.append(f"data/{split}-{number:05}-of-{count:05}.h5")
            files.write(folder / names[-1], shards.image(weights, columns, zoo_json.shard_attributes(about)))
            size += weights.nbytes
    write_manifest(folder, names)
    return size


def run(code: str, *arguments: object) -> str:
    """What a fresh Python prints last."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Prints seconds and bytes, and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=10_000)
    parser.add_argument("--metanets", nargs="+", default=["mlp", "statnn", "ridge"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        size = write_zoo(Path(place) / "zoo", given.nets)
        print(f"{given.nets} nets, {size / 1e9:.2f} GB of float16 weights, written in {time.perf_counter() - begun:.0f} s")
        seconds = float(run(OPEN, Path(place) / "zoo").split()[0])
        print(f"opened, and the first batch of 128 nets read: {seconds:.2f} s")
        found: dict[str, float] = {"open_seconds": round(seconds, 3), "weights_gb": round(size / 1e9, 2)}
        for name in given.metanets:
            peak = int(run(SCORE, Path(place) / "zoo", name))
            print(f"score {name}: peak {peak / 1e9:.2f} GB, {peak / size:.2f} times the weights")
            found[f"{name}_peak_ratio"] = round(peak / size, 2)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
