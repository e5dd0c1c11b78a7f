"""How long a large board's page takes: made from nothing, with one record changed, and unchanged.

    python benchmark/speed/board.py [--metanets 25] [--zoos 8] [--tasks 2] [--seeds 5] [--nets 244] [--keep FOLDER]

Writes records of made-up predictions of `--nets` nets (half of them test nets), 2,000 by default; `metazoo page` of them in
fresh processes; then the intervals of R² as `metazoo page` has them, and the plain way, a call of the metric for each seed
and resample. Seconds are of CPU, those of children too, as the machine may be busy. The last line is JSON.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path: this file's own name hides the package's
    sys.path[0] = str(Path(__file__).parents[2])

import numpy as np
import pandas as pd

from benchmark.records import records
from benchmark.records.records import Task, ZooReference
from benchmark.statistics.derived import derived
from benchmark.statistics.intervals import interval_of, resampled
from benchmark.statistics.metrics import r2
from metanets.table import METANETS
from zoo.seeds import stable_seed

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))
from made_records import put  # type: ignore[import-not-found]  # noqa: E402 - made-up records as tests make them

Counts = dict[Literal["train", "validation", "test"], int]
FAMILIES = ("standard", "w_asymmetric", "sigma_asymmetric", "smaller", "wide", "deep", "thin", "shallow")
TASKS = ("test_accuracy", "generalisation_gap", "test_loss", "train_loss")


def name_of(number: int) -> str:
    """The suite's metanets first, then others."""
    known = sorted(METANETS, key=lambda name: (name != "trees_hyper_parameters", not METANETS[name].baseline))
    known.remove("trees_distance")
    return known[number] if number < len(known) else f"mine:Metanet{number}"


def write_records(folder: Path, metanets: int, zoos: int, tasks: int, seeds: int, nets: int) -> int:
    """Records of these metanets on these zoos and tasks; returns how many. Their quality differs, and so do zoos."""
    count = 0
    for place in range(zoos):
        family = FAMILIES[place % len(FAMILIES)] + ("" if place < len(FAMILIES) else f"_{place}")
        zoo = ZooReference(f"cifar10-resnet8-{family}", family, f"{place + 16:x}" * 32)
        for target in TASKS[:tasks]:
            generator = np.random.default_rng(stable_seed(place, target))
            counts: Counts = {"train": nets, "validation": nets // 2, "test": nets - nets // 2}
            task = Task(target, "trained", zoo, zoo, None, None, counts, 0)
            true = generator.binomial(1000, generator.beta(6, 3, nets)) / 1000
            recipe = true + generator.normal(0, 0.06, nets)
            for number in range(metanets):
                noise = 0.02 + 0.2 * generator.random() * (1 + number / metanets)
                for seed in range(seeds):
                    known = recipe if number == 0 else true
                    guess = known + noise * generator.normal(0, 1, nets) * (0.1 if number == 0 else 1)
                    _write(folder, task, name_of(number), seed, true, guess)
                    count += 1
    return count


def _write(folder: Path, task: Task, name: str, seed: int, true: np.ndarray, guess: np.ndarray) -> None:
    split = np.where(np.arange(len(true)) < task.nets["validation"], "validation", "test")
    frame = pd.DataFrame({"index": np.arange(len(true)), "split": split, "target": true, "prediction": guess})
    put(
        folder,
        name,
        task=task,
        seeds=(seed,),
        frames={seed: frame},
        parameters=None if name in METANETS and METANETS[name].baseline else 1000,
    )


def paged(results: Path, out: Path, cache: Path) -> tuple[float, float]:
    """Seconds of CPU and of the clock that `metazoo page` takes in a fresh process."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(ROOT / "metazoo.py"), "page", str(results), "--out", str(out), "--overwrite"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        command, check=True, capture_output=True, env=os.environ | {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": path}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - begun


def changed(results: Path) -> None:
    """Moves one record's predictions a little."""
    path = sorted(results.glob("**/seed-0.json"))[-1]
    record = records.read(path)
    frame = records.read_predictions(path, record)
    frame["prediction"] += np.linspace(0, 1e-3, len(frame))
    given = derived(frame)
    reference, data = records.predictions_file(path, frame)
    records.write(
        path, dataclasses.replace(record, predictions=reference, validation=given.validation, test=given.test), data
    )


def intervals(results: int, seeds: int, nets: int) -> tuple[float, float]:
    """Seconds of CPU for the intervals of R² of so many results, as the page has them, and the plain way: the same."""
    generator = np.random.default_rng(0)
    true = generator.uniform(size=nets)
    predicted = [true + 0.1 * generator.normal(size=(seeds, nets)) for _ in range(results)]
    plain = lambda a, b: r2(a, b)  # noqa: E731  # not `r2` itself, so that nothing is done at once
    found, times = [], []
    for metric in (r2, plain):
        begun = time.process_time()
        found.append([interval_of(resampled(true, one, metric)) for one in predicted])
        times.append(time.process_time() - begun)
    assert found[0] == found[1]
    return times[0], times[1]


def main() -> None:
    """Prints a line a measurement, and all of them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"metanets": 25, "zoos": 8, "tasks": 2, "seeds": 5, "nets": 244}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path, help="where the records and the page stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = given.keep or Path(aside)
        results, out, cache = folder / "results", folder / "page", Path(aside) / "cache"
        shape = (given.metanets, given.zoos, given.tasks, given.seeds, given.nets)
        measured: dict[str, float] = {"records": write_records(results, *shape)}
        for what in ("from nothing", "one record changed", "unchanged"):
            if what == "one record changed":
                changed(results)
            measured[what], clock = paged(results, out, cache)
            print(f"{what}: {measured[what]:.1f} s of CPU, {clock:.1f} s by the clock", flush=True)
    count = min(40, given.metanets * given.zoos * given.tasks)
    quick, slow = intervals(count, given.seeds, given.nets - given.nets // 2)
    measured |= {"intervals": quick / count, "plain intervals": slow / count, "ratio": slow / quick}
    print(f"intervals of a result: {1e3 * quick / count:.1f} ms, the plain way {1e3 * slow / count:.1f} ms")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
