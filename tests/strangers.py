"""Zoos as strangers make them: a copy of a real one, changed and signed again; and what is said of it."""

import json
import shutil
from pathlib import Path

import h5py
import pytest
from h5py import h5d, h5p, h5s, h5t

from zoo import messages
from zoo.dataset import vet
from zoo.storage.manifest import read_manifest
from zoo.untrusted import vetting
from zoo.untrusted.files import sha256
from zoo.untrusted.vetting.manifests import ABOUT, MANIFEST

SHARD = "data/test-00000-of-00001.h5"
SECRET = b"the-contents-of-a-private-file!!"
UTF8 = h5py.string_dtype()


def travelling(zoo: Path, to: Path) -> Path:
    """A copy of what travels of a zoo."""
    return shutil.copytree(zoo, to, ignore=lambda folder, names: {*vetting.LOCAL} & {*names})


def sign(folder: Path) -> None:
    """Makes the manifest agree with the files, as an attacker would."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in read_manifest(folder)]
    (folder / MANIFEST).write_text("".join(lines))


def refusal(folder: Path) -> str:
    """What is said of a zoo that is refused. The look itself, here: a child for each of hundreds would take long."""
    with pytest.raises(ValueError, match=r".") as caught:
        vetting.check(str(folder))
    return messages.plain(caught.value)


def refusal_of_child(folder: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        vet.vet(folder)
    return str(caught.value)


def about(folder: Path, **changes: object) -> None:
    """Changes fields of zoo.json."""
    value = json.loads((folder / ABOUT).read_text()) | changes
    (folder / ABOUT).write_text(json.dumps(value))
    sign(folder)


def low(file: h5py.File, name: str, kind: h5t.TypeID, shape: tuple[int, ...], plan: h5p.PropDCID | None = None) -> None:
    """A data set of any type and plan, made by HDF5's own functions; its data is never written."""
    h5d.create(file.id, name.encode(), kind, h5s.create_simple(shape), plan)


def planned(**settings: tuple[object, ...]) -> h5p.PropDCID:
    plan = h5p.create(h5p.DATASET_CREATE)
    for name, arguments in settings.items():
        getattr(plan, name)(*arguments)
    return plan


def nets(file: h5py.File) -> int:
    return len(file["weights"])
