"""What this machine has for metazoo, and what is wrong with it: versions, disk, processor, devices, the hub.

Nothing is changed, and no secret is read: of a login it says only whether there is one.
"""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Level = Literal["ok", "note", "warning", "problem"]

PACKAGES = {  # distribution -> the extra of metazoo that brings it; None: metazoo needs it
    "torch": None,
    "h5py": None,
    "numpy": None,
    "datasets": None,
    "pyarrow": None,
    "safetensors": None,
    "scikit-learn": None,
    "huggingface_hub": "hub",
    "hf-xet": "hub",
    "ray": "ray",
    "s3fs": "s3",
}
VULNERABLE = {  # distribution -> (first version without the fault, identifier, what it lets happen)
    "torch": (
        ("2.6", "CVE-2025-32434", "torch.load runs code from a crafted file even with weights_only=True"),
        ("2.10", "CVE-2026-24747", "torch.load corrupts memory on a crafted file even with weights_only=True"),
    ),
    "pyarrow": (("14.0.1", "CVE-2023-47248", "reading a crafted Parquet or Arrow file runs code"),),
}
HDF5_FAULTY = "2.3.0"  # CVE-2026-19025 names all releases up to this one
HUB = "https://huggingface.co"
HUB_SECONDS = 3.0
ENGINE_SECONDS = 8.0  # compiling it takes three, once
FULL, LITTLE = 100 * 2**20, 2 * 2**30  # bytes free on a disk: nothing works, a zoo may not fit
LITTLE_MEMORY = 2**30  # bytes: a worker takes half of it, metanets more
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found and, unless it is as it should be, what to do. Only a problem stops work."""

    name: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they are read."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no problem; warnings and notes may be there."""
        return all(finding.level != "problem" for finding in self.findings)

    def lines(self) -> list[str]:
        """A line a finding, with advice on the next one, and a summary."""
        width = max(len(finding.name) for finding in self.findings)
        lines = []
        for one in self.findings:
            lines.append(f"{one.level:<8} {one.name:<{width}}  {one.found}")
            lines += [f"{'':<8} {'':<{width}}  -> {one.advice}"] * bool(one.advice)
        counts = [(level, sum(one.level == level for one in self.findings)) for level in ("problem", "warning")]
        return [*lines, ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts)]

    def to_json(self) -> dict[str, Any]:
        """The findings, as JSON values."""
        return {"healthy": self.healthy, "findings": [asdict(finding) for finding in self.findings]}


def doctor(*, online: bool = True) -> Report:
    """Looks at this machine; without `online` nothing is asked of the network. Takes some seconds at most."""
    hub = _begun("hub", _hub, HUB_SECONDS + 0.5) if online else lambda: [_offline()]
    findings = [one for name, check in CHECKS.items() for one in _guarded(name, check)]
    engine = _begun("compiled engine", _engine, ENGINE_SECONDS)  # it needs torch, which the checks have loaded
    return Report((*findings, *engine(), *hub(), *_guarded("hub login", _login)))


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check's findings; that it cannot be made is one too, so that the others are still seen."""
    try:
        return list(check())
    except Exception as error:
        advice = "install metazoo again, in a fresh environment"
        return [Finding(name, "problem", f"cannot be looked at: {type(error).__name__}: {error}", advice)]


def _begun(name: str, check: Callable[[], Iterator[Finding]], seconds: float) -> Callable[[], list[Finding]]:
    """Begins a check that may hang; the function that it returns waits for it, so many seconds from now at most."""
    found: list[list[Finding]] = []
    thread = threading.Thread(target=lambda: found.append(_guarded(name, check)), daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds

    def wait() -> list[Finding]:
        thread.join(max(0, deadline - time.monotonic()))
        return found[0] if found else [Finding(name, "warning", f"no answer within {seconds:g} s", "try again later")]

    return wait


def _system() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} ({platform.python_implementation()})")
    if platform.system() == "Windows":
        yield Finding("system", "problem", platform.platform(), "metazoo needs Linux or macOS; use WSL")
    else:
        yield Finding("system", "ok", platform.platform())
    root = Path(__file__).parents[1]
    commit = _commit(root) if (root / ".git").exists() else None
    where = f", checkout at {root}, commit {commit}" if commit else ""
    yield Finding("metazoo", "ok", f"{_version('metazoo') or 'not installed: run from its files'}{where}")


def _commit(root: Path) -> str:
    """The commit that is checked out, with a word on changes; `unknown` without git."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=, changed", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=2).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _version(name: str) -> str | None:
    """The installed version of a distribution, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for name, extra in PACKAGES.items():
        version = _version(name)
        if version is not None:
            yield from vulnerable(name, version) or [Finding(name, "ok", version)]
        elif extra is None:
            yield Finding(name, "problem", "not installed", "pip install metazoo, which brings it")
        else:
            yield Finding(name, "note", "not installed", f"pip install 'metazoo[{extra}]' brings it")


def vulnerable(name: str, version: str) -> list[Finding]:
    """A problem for each known fault that this version of a package has."""
    from packaging.version import InvalidVersion, Version

    try:
        return [
            Finding(name, "problem", f"{version} has {identifier}: {what}", f"pip install '{name}>={fixed}'")
            for fixed, identifier, what in VULNERABLE.get(name, ())
            if Version(version) < Version(fixed)
        ]
    except InvalidVersion:
        return [Finding(name, "note", f"{version} cannot be compared with the versions that have known faults")]


def _hdf5() -> Iterator[Finding]:
    from h5py.version import hdf5_version
    from packaging.version import Version

    if Version(hdf5_version) <= Version(HDF5_FAULTY):
        text = f"{hdf5_version}: known faults in reading crafted files are open (CVE-2026-19025 and others)"
        yield Finding("HDF5", "note", text, "nothing for zoos: metazoo vets files of others in a limited process first")
    else:
        yield Finding("HDF5", "ok", hdf5_version)
    path = os.environ.get("HDF5_PLUGIN_PATH")
    if path:
        text = f"{path}: HDF5 loads code from there when a file asks for it"
        yield Finding("HDF5_PLUGIN_PATH", "warning", text, "unset it where you read files of others")


def _disk() -> Iterator[Finding]:
    from zoo.compiled import cache

    hub = os.environ.get("HF_HOME") or cache().parent / "huggingface"
    elsewhere = "free some space, or point XDG_CACHE_HOME or HF_HOME elsewhere"
    yield place("working folder", Path.cwd(), full="problem", advice="free some space, or give --out on another disk")
    yield place("cache", cache(), full="warning", advice=elsewhere)
    yield place("hub cache", Path(hub).expanduser(), full="warning", advice=elsewhere)
    yield place("temporary files", Path(tempfile.gettempdir()), full="warning", advice="free some space, or set TMPDIR")


def place(name: str, folder: Path, *, full: Level, advice: str) -> Finding:
    """Whether a folder, or the one in which it would be made, can be written, and how much is free there."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
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
    from zoo import native

    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    yield Finding("C++ compiler", "ok" if compiler else "note", compiler or "none")
    reason = native.missing()
    if reason is None:
        yield Finding("compiled engine", "ok", "works")
    else:
        text = f"no: {' '.join(reason.split())[:300]}"
        yield Finding("compiled engine", "note", text, "none needed: PyTorch trains the same zoos, more slowly")


def _hub() -> Iterator[Finding]:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        yield Finding("hub", "note", "not asked: HF_HUB_OFFLINE is set", "unset it to publish or fetch")
        return
    address, reason = _address(os.environ.get("HF_ENDPOINT") or HUB), None
    if address is None:
        yield Finding("hub", "warning", "HF_ENDPOINT is no http(s) address", "unset it, or give one such as " + HUB)
        return
    try:
        status = _status(address)
        if status >= 400 and status not in (404, 405, 501):  # these only mean that nothing lies at the root
            reason = f"it answers {status}"
    except (OSError, HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", None) or error or type(error).__name__)
    if reason is None:
        yield Finding("hub", "ok", f"{address} is reachable")
    else:
        advice = "without a hub all works but publish, fetch and --download; see HF_ENDPOINT and the proxy's settings"
        yield Finding("hub", "warning", f"{address} is not reachable: {reason}", advice)


def _address(text: str) -> str | None:
    """The address without a name or password in it, which must not be shown; None where it is no http(s) address."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}" if parts.scheme in ("http", "https") and host else None


def _status(address: str) -> int:
    """The status that a HEAD of the address is answered with; redirects are an answer, and are not followed."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    with opener.open(urllib.request.Request(address, method="HEAD"), timeout=HUB_SECONDS) as answer:
        return int(answer.status)


def _offline() -> Finding:
    return Finding("hub", "note", "not asked")


def _login() -> Iterator[Finding]:
    """Whether there is a hub login: by the environment's names and a file's size, never by what they hold."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    file = Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
    named = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    if named:
        yield Finding("hub login", "ok", f"yes, by {named[0]}")
    elif file.is_file() and file.stat().st_size:
        yield Finding("hub login", "ok", "yes, by `hf auth login`")
    else:
        yield Finding("hub login", "note", "none", "only publishing needs one: `hf auth login`, or HF_TOKEN")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "system": _system,
    "packages": _packages,
    "HDF5": _hdf5,
    "disk": _disk,
    "machine": _machine,
    "processor": _processor,
}
