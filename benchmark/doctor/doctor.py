"""What this machine has for metazoo, and what is wrong with it: versions, disk, processor, devices, the hub.

Nothing is changed, and no secret is read: of a login it says only whether there is one.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.doctor import hub as reach
from benchmark.doctor import packages
from benchmark.doctor.finding import Finding, Level, Report, begun, guarded

ENGINE_SECONDS = 8.0  # compiling it takes three, once
FULL, LITTLE = 100 * 2**20, 2 * 2**30  # bytes free on a disk: nothing works, a zoo may not fit
LITTLE_MEMORY = 2**30  # bytes: a worker takes half of it, metanets more
GIB = 2**30


def doctor(*, online: bool = True) -> Report:
    """Looks at this machine; without `online` nothing is asked of the network. Takes some seconds at most."""
    hub = begun("hub", reach.hub, reach.HUB_SECONDS + 0.5) if online else lambda: [Finding("hub", "note", "not asked")]
    findings = [one for name, check in CHECKS.items() for one in guarded(name, check)]
    engine = begun("compiled engine", _engine, ENGINE_SECONDS)  # it needs torch, which the checks have loaded
    return Report((*findings, *engine(), *hub(), *guarded("hub login", reach.login)))


def _system() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} ({platform.python_implementation()})")
    if platform.system() == "Windows":
        yield Finding("system", "problem", platform.platform(), "metazoo needs Linux or macOS; use WSL")
    else:
        yield Finding("system", "ok", platform.platform())
    root = Path(__file__).parents[1]
    commit = _commit(root) if (root / ".git").exists() else None
    where = f", checkout at {root}, commit {commit}" if commit else ""
    yield Finding("metazoo", "ok", f"{packages.version('metazoo') or 'not installed: run from its files'}{where}")


def _commit(root: Path) -> str:
    """The commit that is checked out, with a word on changes; `unknown` without git."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=, changed", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=2).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _disk() -> Iterator[Finding]:
    from zoo.storage.files import cache

    hub = os.environ.get("HF_HOME") or cache().parent / "huggingface"
    elsewhere = "free some space, or point XDG_CACHE_HOME or HF_HOME elsewhere"
    yield place("working folder", Path.cwd(), full="problem", advice="free some space, or give --out on another disk")
    yield place("cache", cache(), full="warning", advice=elsewhere)
    yield place("hub cache", Path(hub).expanduser(), full="warning", advice=elsewhere)
    yield place("temporary files", Path(tempfile.gettempdir()), full="warning", advice="free some space, or set TMPDIR")


def place(name: str, folder: Path, *, full: Level, advice: str) -> Finding:
    """Whether a folder, or the one in which it would be made, can be written, and how much is free there."""
    try:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding(name, "warning", f"{folder} cannot be written: {error.strerror}", advice)
    level: Level = full if free < FULL else "note" if free < LITTLE else "ok"
    return Finding(name, level, f"{folder}, {free / GIB:,.1f} GiB free", advice if level != "ok" else "")


def _machine() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available"
    little = memory.available < LITTLE_MEMORY
    yield Finding("memory", "warning" if little else "ok", text, "close other programs, or give fewer --workers" * little)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cores", "ok", f"{psutil.cpu_count(logical=False) or 'unknown'} physical, {usable} usable here")


def _processor() -> Iterator[Finding]:
    """What the processor computes with, and the devices beside it."""
    import torch

    flags = Path("/proc/cpuinfo")
    amx = "amx_bf16" in flags.read_text(errors="replace") if flags.is_file() else False
    known = torch.backends.cpu.get_cpu_capability()
    yield Finding("vectors", "ok", f"{known}{', AMX bfloat16 tiles' * amx} ({platform.machine()})")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(count):
        about = torch.cuda.get_device_properties(number)
        yield Finding(f"cuda:{number}", "ok", f"{about.name}, {about.total_memory / GIB:.0f} GiB")
    if not count and (said or Path("/proc/driver/nvidia/version").exists()):
        text = "an NVIDIA driver is here, but this torch cannot use it" + "".join(f": {one.message}" for one in said[:1])
        yield Finding("cuda", "warning", text, "install a torch built for its CUDA (see pytorch.org), or go on with the CPU")
    elif not count:
        mps = torch.backends.mps.is_available()
        yield Finding(
            "devices", "ok", "MPS, which metazoo does not use" if mps else "none beside the CPU, which is all that is needed"
        )


def _engine() -> Iterator[Finding]:
    from zoo.training import native

    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    yield Finding("C++ compiler", "ok" if compiler else "note", compiler or "none")
    reason = native.missing()
    if reason is None:
        yield Finding("compiled engine", "ok", "works")
    else:
        text = f"no: {' '.join(reason.split())[:300]}"
        yield Finding("compiled engine", "note", text, "none needed: PyTorch trains the same zoos, more slowly")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "system": _system,
    "packages": packages.packages,
    "HDF5": packages.hdf5,
    "disk": _disk,
    "machine": _machine,
    "processor": _processor,
}
