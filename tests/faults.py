"""Disks that fail and processes that die at the n-th step of a write, for all n; and a `metazoo build` that is killed.

`python tests/faults.py FOLDER --kills 200` kills real builds at random moments, more often than a test can.
"""

import builtins
import errno
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from zoo.storage import files

CRASHED = 77  # the exit code of a process that died at a step
FULL = ("open", "write", "flush", "mkdir")  # what a full disk refuses; a broken one refuses the rest too
Mode = Literal["once", "from then on", "interrupt", "death", "crash"]


class Death(BaseException):
    """What is left of a process that died: it goes through every handler, and nothing it does has an effect."""


@dataclass
class Disk:
    """Counts the steps that change something below `folder`, and disturbs the `at`-th.

    It fails `once`, or it and all later ones do; a person may `interrupt` it; the process may die there, in truth
    (`crash`) or for what others see of it (`death`: this and every later step does nothing but raise).
    """

    folder: Path
    at: int
    mode: Mode
    steps: list[tuple[str, Path]] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether there was a step to fail."""
        return len(self.steps) >= self.at

    def step(self, name: str, path: Path, torn: Callable[[], object] = lambda: None) -> None:
        """Called before each step; `torn` is what is done of it all the same where it fails."""
        if not path.is_relative_to(self.folder):
            return
        self.steps.append((name, path))
        if len(self.steps) == self.at or (self.mode in ("from then on", "death") and self.reached):
            if len(self.steps) == self.at or self.mode != "death":
                torn()
            if self.mode == "crash":
                os._exit(CRASHED)
            if self.mode in ("interrupt", "death"):
                raise KeyboardInterrupt if self.mode == "interrupt" else Death
            code = errno.ENOSPC if name in FULL else errno.EIO
            raise OSError(code, os.strerror(code), str(path))


class Written:
    """A file opened for writing, whose writes are steps; a write that fails leaves half of its bytes there."""

    def __init__(self, disk: Disk, path: Path, file: Any) -> None:
        self.disk, self.path, self.file = disk, path, file

    def write(self, data: Any) -> int:
        def half() -> None:
            self.file.write(data[: len(data) // 2])
            self.file.flush()

        self.disk.step("write", self.path, half)
        return self.file.write(data)

    def flush(self) -> None:
        self.disk.step("flush", self.path)
        self.file.flush()

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def where(descriptor: int) -> Path:
    """What a descriptor stands for."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


@contextmanager
def disk(folder: Path, at: int = 10**9, *, mode: Mode = "once") -> Iterator[Disk]:
    """A disk below `folder` that fails at its `at`-th step; by default it only notes the steps."""
    made, opened = Disk(folder, at, mode), io.open

    def open_file(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        path = where(file) if isinstance(file, int) else Path(file)
        if not set(mode) & set("wax+") or not path.is_relative_to(folder):
            return opened(file, mode, *args, **options)
        if not isinstance(file, int):  # else it was opened by os.open, which was the step
            made.step("open", path)
        return Written(made, path, opened(file, mode, *args, **options))

    def stepping(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def step(*args: Any, **options: Any) -> Any:
            if name == "fsync":
                path = where(args[0])
            else:
                named, place = (args[1], "dst_dir_fd") if name in ("link", "replace", "rename") else (args[0], "dir_fd")
                path = Path(named) if options.get(place) is None else where(options[place]) / named
            if name != "open" or args[1] & os.O_CREAT:
                made.step(name, path)
            return real(*args, **options)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for place in (io, builtins):
            patch.setattr(place, "open", open_file)
        for name in ("open", "fsync", "link", "replace", "rename", "unlink", "mkdir"):
            patch.setattr(os, name, stepping(name))
        yield made


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file that has its final name, less leases, which name a process.

    Features are kept under the hash of the code that computed them; under pytest it wraps that code in one process and
    not in another, so the hash is left out.
    """
    return {
        re.sub("-[0-9a-f]{12}-", "-", str(path.relative_to(folder))): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.match(files.TEMPORARY) and ".lease" not in path.name
    }


def leftovers(folder: Path) -> list[str]:
    """The files that were written aside and never got their name."""
    return sorted(path.name for path in folder.rglob(files.TEMPORARY))


def command(*arguments: object) -> list[str]:
    """`metazoo` with these arguments, as a process of its own."""
    return [sys.executable, "-c", "from benchmark.cli.main import main; main()", *map(str, arguments)]


def environment() -> dict[str, str]:
    """This process's environment, with the repository and its tests to import from."""
    tests = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]), "OMP_NUM_THREADS": "1"}


TINY = ["digits-resnet8-standard", "--nets", "32", "--workers", "2"]
TINY += [f"--set={value}" for value in ("images.train=256", "images.test=64", "recipe.epochs=[1,2]", "net.width=0.125")]


def kill_builds(folder: Path, kills: int, *, seed: int = 0) -> int:
    """Kills real builds with all their workers at random moments; returns in how many of them something was at work.

    Raises AssertionError where the bytes that come out are not those of an undisturbed build.
    """
    subprocess.run(command("build", *TINY, "--out", folder / "whole"), check=True, env=environment(), stdout=-3)
    wanted = {name: data for name, data in content(folder / "whole").items() if not name.startswith("units/")}
    moments, hit = random.Random(seed), 0
    for number in range(kills):
        out = folder / "killed"
        process = subprocess.Popen(
            command("build", *TINY, "--out", out), env=environment(), stdout=-3, start_new_session=True
        )
        try:
            process.wait(moments.uniform(1.5, 8))
        except subprocess.TimeoutExpired:
            hit += 1
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
        if number % 5 == 4 or number == kills - 1:
            subprocess.run(command("build", *TINY, "--out", out), check=True, env=environment(), stdout=-3)
            found = {name: data for name, data in content(out).items() if not name.startswith("units/")}
            assert found == wanted, f"after kill {number}: {sorted(n for n in wanted if found.get(n) != wanted[n])} differ"
            assert not leftovers(out)
            shutil.rmtree(out)
    return hit


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=kill_builds.__doc__)
    parser.add_argument("folder", type=Path, help="An empty folder to work in.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()
    struck = kill_builds(given.folder, given.kills, seed=given.seed)
    print(f"{struck} of {given.kills} builds were killed at work, {time.monotonic() - begun:.0f} s; every byte is right")
