"""What is installed of what metazoo uses, and which of it has known faults."""

import importlib.metadata
import os
from collections.abc import Iterator

from benchmark.doctor.finding import Finding

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


def version(name: str) -> str | None:
    """The installed version of a distribution, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def packages() -> Iterator[Finding]:
    """Which of the packages that metazoo uses are here, and whether they have known faults."""
    for name, extra in PACKAGES.items():
        found = version(name)
        if found is not None:
            yield from vulnerable(name, found) or [Finding(name, "ok", found)]
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


def hdf5() -> Iterator[Finding]:
    """HDF5, which h5py brings, and whether it would load code for a file."""
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
