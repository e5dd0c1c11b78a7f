"""Damages files of each kind at random and has them read in limited children: they must be refused cleanly, or accepted.

    python tests/mutations.py --count 20000 --seed 1

prints, for each kind of file, how many were accepted, refused with a clean error, hung or crashed the child (which a
reader meets as a clean error too, since it reads in a child), and how many raised something else, which is a bug.
"""

import argparse
import importlib
import io
import json
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 2.0  # of processor time that a file may take before it counts as hung
NUMBERS = [0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def _shard(path: Path) -> None:
    vetting, known = importlib.import_module("zoo.untrusted.vetting"), json.loads(path.with_name("about").read_text())
    vetting.shard(path, vetting.About(known["weights"], 0, frozenset(known["text"]), is_built=True))


def _zoo_json(path: Path) -> None:
    vetting = importlib.import_module("zoo.untrusted.vetting")
    vetting.read_about(path)


def _manifest(path: Path) -> None:
    folder = path.with_name(f"{path.name}-folder")
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "MANIFEST.sha256")
    importlib.import_module("zoo.untrusted.vetting").manifest(folder)


def _safetensors(path: Path) -> None:
    vetting = importlib.import_module("zoo.untrusted.vetting")
    vetting.tensors_header(path, vetting.TENSORS, most=vetting.FIXED_BYTES)


def _archive(path: Path) -> None:
    folder = path.with_name(f"{path.name}-folder")
    importlib.import_module("zoo.untrusted.archives").extract(archive=str(path), folder=str(folder), most=2**20)


def _npy(path: Path) -> None:
    from zoo.untrusted import readers

    readers.array(path).sum()


def _pt(path: Path) -> None:
    from zoo.untrusted import readers

    for tensor in readers.tensors(path)[0].values():
        tensor.clone()


def _csv(path: Path) -> None:
    from zoo.untrusted import tables

    tables.read(path, most=2**20)


READERS: dict[str, Callable[[Path], None]] = {
    "shard": _shard,
    "zoo.json": _zoo_json,
    "manifest": _manifest,
    "safetensors": _safetensors,
    "tar": _archive,
    "tar.gz": _archive,
    "tar.xz": _archive,
    "zip": _archive,
    "npy": _npy,
    "pt": _pt,
    "legacy pt": _pt,
    "csv.gz": _csv,
}
HEAVY = ("npy", "pt", "legacy pt", "csv.gz")  # read by what imports torch: they need gigabytes of addresses


def judge(*, kind: str, folder: str, start: int, log: str) -> None:
    """What runs in the child: reads files `start`, `start` + 1... and notes each outcome, and before it that it begins."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if kind in HEAVY:
        importlib.import_module("zoo.untrusted.readers")  # which takes seconds, of no file's time
    with Path(log).open("a") as notes:
        number = start
        while (path := Path(folder) / str(number)).exists():
            notes.write(f"{number} began\n")
            notes.flush()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            notes.write(f"{number} {_outcome(kind, path)}\n")
            number += 1
        signal.setitimer(signal.ITIMER_PROF, 0)


def read_column(*, path: str, name: str) -> None:
    """What runs in the child: reads a column as a program does that does not look what it reads."""
    import h5py

    h5py.File(path)[name][()]


def _outcome(kind: str, path: Path) -> str:
    try:
        READERS[kind](path)
    except (ValueError, FileNotFoundError) as error:
        return "refused" if path.name in str(error) else f"raised ValueError that does not name the file: {error}"
    except MemoryError:
        return "refused"  # `limited` names the limit
    except Exception as error:
        return f"raised {type(error).__name__}: {error}".replace("\n", " ")[:300]
    return "accepted"


def mutated(data: bytes, random_: random.Random, spared: tuple[int, int] = (0, 0)) -> bytes:
    """The bytes with a few random faults, seldom in the `spared` range (weights, where any bytes are weights)."""
    changed = bytearray(data)
    for _ in range(random_.choice([1, 1, 1, 2, 4, 16])):
        at = random_.randrange(max(1, len(changed)))
        if spared[0] <= at < spared[1] and random_.random() < 0.95:
            outside = len(data) - (spared[1] - spared[0])
            at = random_.randrange(outside)
            at += (spared[1] - spared[0]) if at >= spared[0] else 0
        kind = random_.randrange(8)
        if kind < 3:
            changed[at : at + 1] = bytes([(changed[at] if at < len(changed) else 0) ^ 1 << random_.randrange(8)])
        elif kind < 5:
            width = random_.choice([1, 2, 4, 8])
            changed[at : at + width] = (random_.choice(NUMBERS) % 256**width).to_bytes(width, "little")
        elif kind == 5:
            changed[at : at + random_.randrange(1, 64)] = random_.randbytes(random_.randrange(64))
        elif kind == 6:
            source = random_.randrange(max(1, len(changed)))
            changed[at : at + 32] = changed[source : source + 32]
        elif random_.random() < 0.3:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


def run(kind: str, sample: bytes, count: int, *, seed: int, about: dict[str, Any] | None = None) -> Counter[str]:
    """The outcomes of reading `count` damaged copies of a sample; children are started again behind what ends one."""
    from zoo.untrusted import child

    random_ = random.Random(f"{kind} {seed}")
    spared = tuple((about or {}).get("spared", (0, 0)))
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files, log = Path(folder) / "files", Path(folder) / "log"
        files.mkdir()
        (files / "about").write_text(json.dumps(about or {}))
        for number in range(count):
            (files / str(number)).write_bytes(mutated(sample, random_, spared))
        start = 0
        while start < count:
            try:
                child.call(
                    "mutations:judge",
                    {"kind": kind, "folder": str(files), "start": start, "log": str(log)},
                    seconds=60 + count * 0.05,
                    memory=2**30 if kind not in HEAVY else 16 * 2**30,
                )
                ended = "crashed: ended without an error"
            except ValueError as error:
                ended = "hung" if "SIGPROF" in str(error) or "limit of" in str(error) else f"crashed: {error}"
            found = dict(line.split(" ", 1) for line in log.read_text().splitlines())  # the last of a number counts
            start = 1 + max(map(int, found))
            found[str(start - 1)] = ended if found[str(start - 1)] == "began" else found[str(start - 1)]
            log.write_text("".join(f"{number} {outcome}\n" for number, outcome in found.items()))
        for outcome in found.values():
            outcomes[outcome] += 1
    return outcomes


def samples(zoo: Path) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """A good file of each kind, with what its reader must know; of a zoo's own files where it has the kind."""
    import h5py
    import numpy as np
    import torch

    shard = next(iter(sorted((zoo / "data").glob("test-*.h5"))))
    with h5py.File(shard) as file:
        weights = file["weights"]
        place = (weights.id.get_offset(), weights.id.get_offset() + weights.size * weights.dtype.itemsize)
        about = {"weights": weights.shape[1], "text": [], "spared": place}
    memory = {kind: io.BytesIO() for kind in ("npy", "pt", "legacy pt", "tar", "tar.gz", "tar.xz", "zip")}
    np.save(memory["npy"], np.arange(60, dtype="f4").reshape(5, 12))
    pair = ({f"layer{n}.weight": torch.randn(3, 4) for n in range(8)}, 61.5)
    torch.save(pair, memory["pt"])
    torch.save(pair, memory["legacy pt"], _use_new_zipfile_serialization=False)
    for kind in ("tar", "tar.gz", "tar.xz"):
        with tarfile.open(fileobj=memory[kind], mode=f"w:{kind[4:]}") as archive:  # type: ignore[call-overload]
            for name in ("zoo.json", "MANIFEST.sha256"):
                archive.add(zoo / name, f"zoo/{name}")
    with zipfile.ZipFile(memory["zip"], "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("zoo.json", "MANIFEST.sha256"):
            packed.write(zoo / name, f"zoo/{name}")
    rows = "".join(f"{n},{n / 7:.6f},{'relu' if n % 2 else 'tanh'}\n" for n in range(50))
    import gzip

    return {
        "shard": (shard.read_bytes(), about),
        "zoo.json": ((zoo / "zoo.json").read_bytes(), {}),
        "manifest": ((zoo / "MANIFEST.sha256").read_bytes(), {}),
        "safetensors": ((zoo / "fixed.safetensors").read_bytes(), {}),
        "csv.gz": (gzip.compress(f"a,b,c\n{rows}".encode(), mtime=0), {}),
        **{kind: (data.getvalue(), {}) for kind, data in memory.items()},
    }


def short(outcomes: Counter[str]) -> dict[str, int]:
    """The counts without the texts of the errors."""
    counts: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        counts[outcome.split(":")[0].split(" ")[0]] += count
    return {name: counts[name] for name in ("accepted", "refused", "hung", "crashed", "raised")}


def main() -> None:
    """Builds a small zoo, damages its files, prints the counts. Exits with 1 where something unclean was raised."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="of each kind of file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zoo", type=Path, help="a zoo whose files are damaged; without it a small one is built")
    parser.add_argument("--kinds", nargs="*", default=list(READERS), choices=list(READERS))
    options = parser.parse_args()
    unclean = 0
    with tempfile.TemporaryDirectory() as folder:
        if options.zoo is None:
            import conftest

            import zoo

            options.zoo = zoo.build(conftest.small(), Path(folder) / "zoo", workers=2)
        good = samples(options.zoo)
        for kind in options.kinds:
            data, about = good[kind]
            outcomes = run(kind, data, options.count, seed=options.seed, about=about)
            print(f"{kind:12}", short(outcomes), flush=True)
            for outcome, count in outcomes.items():
                if outcome.startswith(("raised", "crashed")):
                    print(f"  {count} {outcome}", flush=True)
                    unclean += count * outcome.startswith("raised")
    sys.exit(bool(unclean))


if __name__ == "__main__":
    main()
